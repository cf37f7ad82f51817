"""Rows in shares that are asked for: groups of one or several columns rebalanced, or made more frequent.

Groups of several columns cross into cells. How probable each cell is under the model is counted in a pilot sample,
then fitted to the shares by iterative proportional fitting (Deming and Stephan 1940), which changes the distribution as little
as these allow (Csiszár 1975). Every row is then drawn under the conditions of its cell, so within a cell rows follow the
model, and no row is drawn to be thrown away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.held import Held, held_at, holds
from tabsynth.constraints.outcome import GroupShare
from tabsynth.constraints.plan import RulePlan
from tabsynth.encode.discrete import declared_levels
from tabsynth.encode.table import encoder_of
from tabsynth.errors import ConditionError, UsageError
from tabsynth.models.condition import Condition, any_of, both, rest_of
from tabsynth.models.spans import meet
from tabsynth.pipeline.factors import label_of, multiplied
from tabsynth.pipeline.requests import Shares
from tabsynth.schema.types import Column, TableSchema
from tabsynth.where import RANGES, conditions_of

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Pilot = Callable[[Held, int, tuple[int, ...]], pl.DataFrame]
"""Rows under conditions: of how many rows, from which stream: () that of all groups, (i, k) that of group k of split i."""

EVEN = "even"
PILOT_ROWS, RARE_ROWS = 32_768, 4096
_RARE = 400
_MOST_CELLS = 4096
_ROUNDS = 2000
_CLOSE = 1e-9
_ONE_LEFT = "the shares of {} cannot be met: under the conditions fewer than two of its categories are left to be even"
_COMPARISON = re.compile(r"(<=|>=|<|>)\s*([^<>=]+)")


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """The groups of one column, disjoint and together all its cells: target `shares`, or `factors` on those of the model.

    Factors speak of the first groups, which have `labels`; what is left of all rows goes to the last.
    """

    column: str
    groups: tuple[Condition, ...]
    shares: Floats | None
    factors: Floats
    labels: tuple[str, ...] = ()


def shares_of(
    rebalance: Mapping[str, Any],
    oversample: Mapping[str, Any],
    *,
    where: Sequence[Condition],
    schema: TableSchema,
    plan: RulePlan,
    n_rows: int,
    pilot: Pilot,
    rng: np.random.Generator,
) -> Shares:
    """The kind of every row, of columns of the `schema`; the plan may know more. Raises `UsageError` for what are no shares or factors, `ConditionError` for shares that cannot be met."""
    both_ways = sorted(set(rebalance) & set(oversample))
    if both_ways:
        raise UsageError(f"{', '.join(map(repr, both_ways))}: rebalance or oversample a column, not both")
    many = (*rebalance.values(), *oversample.values())
    _require_few(sum(len(asked) for asked in many if isinstance(asked, Mapping)), "groups")
    splits = [_rebalanced(name, asked, schema, where) for name, asked in rebalance.items()]
    splits += [_oversampled(name, asked, schema, where) for name, asked in oversample.items()]
    _require_few(sum(len(split.groups) for split in splits), "groups")
    others = [one for one in where if one.column not in {split.column for split in splits}]
    cells, mass = _cells(splits, others, plan, pilot)
    all_cells, before, mass = cells, mass, _fitted(splits, cells, mass)
    keep = mass > 0
    cells, mass = cells[keep], mass[keep]
    _require_few(len(cells), "cells")
    helds = tuple(
        held_at([*others, *(split.groups[k] for split, k in zip(splits, cell.tolist(), strict=True))], plan)
        for cell in cells
    )
    counts = np.diff(np.r_[0, np.rint(np.cumsum(mass) / mass.sum() * n_rows)]).astype(np.int64)
    kinds = rng.permutation(np.repeat(np.arange(len(cells), dtype=np.int32), counts))
    return Shares(helds, kinds, tuple(_reached(splits, all_cells, before, cells, counts)))


def _require_few(n: int, what: str) -> None:
    """Refuse more groups, or cells that these cross into, than can be made one by one."""
    if n > _MOST_CELLS:
        said = "there are" if what == "groups" else "the groups cross into"
        raise UsageError(f"{said} {n:,} {what}, more than {_MOST_CELLS:,}: ask for fewer columns or groups")


def _rebalanced(name: str, asked: Any, schema: TableSchema, where: Sequence[Condition]) -> _Split:
    if isinstance(asked, str) and asked == EVEN:
        return _even(name, schema, where)
    groups, shares = _groups(name, asked, schema, where, what="a share from 0 to 1", most=1.0)
    total = float(shares.sum())
    if total > 1 + _CLOSE:
        raise UsageError(f"the shares of {name!r} are more than 1 in all")
    rest = rest_of(groups, _whole(name, schema, where))
    if rest is None and total < 1 - _CLOSE:
        raise ConditionError(f"the shares of {name!r} are less than 1 in all, and no other cells are left")
    if rest is None:
        return _Split(name, groups, shares / total, np.ones(len(groups)))
    shares = np.r_[shares, max(1 - total, 0.0)]
    shares = np.where(shares < _CLOSE, 0.0, shares)
    return _Split(name, (*groups, rest), shares / shares.sum(), np.ones(len(shares)))


def _even(name: str, schema: TableSchema, where: Sequence[Condition]) -> _Split:
    """Every category as often as every other: as a factor that is found once the model's shares are known."""
    column = _column(name, schema)
    levels = declared_levels(column)
    if not column.kind.is_discrete or not levels:
        raise UsageError(f"{name!r} has no categories that could be even: say the shares of ranges")
    whole = _whole(name, schema, where)
    groups = [both(conditions_of({name: level}, schema)[0], whole) for level in levels]
    found = tuple(group for group in groups if group is not None)
    if len(found) < min(2, len(levels)):
        raise ConditionError(_ONE_LEFT.format(repr(name)))
    rest = rest_of(found, whole)
    shares = np.full(len(found), math.nan)
    return _Split(
        name,
        found if rest is None else (*found, rest),
        shares if rest is None else np.r_[shares, math.inf],
        np.ones(len(found) + (rest is not None)),
    )


def _oversampled(name: str, asked: Any, schema: TableSchema, where: Sequence[Condition]) -> _Split:
    groups, factors = _groups(name, asked, schema, where, what="a factor above 0", most=math.inf)
    if not factors.all():
        raise UsageError(
            f'{name!r} expects a factor above 0: to have none of a group, ask for --where "{name}!=…"'
        )
    rest = rest_of(groups, _whole(name, schema, where))
    if rest is None:
        raise UsageError(
            f"the factors of {name!r} leave no cells whose share could give way: leave one of its groups out"
        )
    labels = tuple(label_of(name, value) for value in asked)
    return _Split(name, (*groups, rest), None, np.r_[factors, 1.0], labels)


def _column(name: str, schema: TableSchema) -> Column:
    conditions_of({name: {"not in": []}}, schema)  # or it says what is wrong with the column
    return schema[name]


def _whole(name: str, schema: TableSchema, where: Sequence[Condition]) -> Condition:
    """Every cell of the column that `where` leaves."""
    for one in where:
        if one.column == name:
            return one
    whole, encoder = conditions_of({name: {"not in": []}}, schema)[0], encoder_of(schema[name])
    if encoder is None or encoder.variable.lower is None or encoder.variable.upper is None:
        return whole
    spans = meet(whole.spans, ((encoder.variable.lower, encoder.variable.upper),))
    return Condition(column=name, codes=whole.codes, spans=spans)


def _groups(
    name: str, asked: Any, schema: TableSchema, where: Sequence[Condition], *, what: str, most: float
) -> tuple[tuple[Condition, ...], Floats]:
    if not isinstance(asked, Mapping) or not asked:
        raise UsageError(f"{name!r} expects a mapping of its values to {what}, found {type(asked).__name__}")
    column = _column(name, schema)
    groups: list[Condition] = []
    numbers = []
    for value, number in asked.items():
        is_number = isinstance(number, (int, float, np.number)) and not isinstance(number, bool)
        if not is_number or not 0 <= number <= most or math.isinf(number):
            raise UsageError(f"{name!r} expects {what} for each of its values")
        [found] = conditions_of({name: _comparison(value, column)}, schema)
        left = both(found, _whole(name, schema, where))
        if left is None:
            raise ConditionError(f"a group of {name!r} has no cell that the conditions on it leave")
        if any(both(left, other) is not None for other in groups):
            raise UsageError(f"the groups of {name!r} overlap: a cell may be in one of them alone")
        groups.append(left)
        numbers.append(float(number))
    return tuple(groups), np.array(numbers)


def _comparison(value: Any, column: Column) -> Any:
    """Of numbers and times a text such as `>=18 <65` as comparisons; anything else as it is."""
    is_text = isinstance(value, str) and value.strip().startswith(("<", ">"))
    if not is_text or not column.kind.is_continuous or value in column.special_values:
        return value
    found = {sign: bound.strip() for sign, bound in _COMPARISON.findall(value)}
    assert set(found) <= set(RANGES)
    return found or value


def _cells(
    splits: Sequence[_Split], others: Sequence[Condition], plan: RulePlan, pilot: Pilot
) -> tuple[Labels, Floats]:
    """Combinations of groups that occur, (n_cells, n_splits), and how probable the model makes them, up to a factor."""
    whole = [any_of(split.groups) for split in splits]
    frame = pilot(held_at([*others, *whole], plan), PILOT_ROWS, ())
    labels = _labels(splits, frame, plan.schema)
    wanted = [_wanted(split) for split in splits]
    is_wanted = np.logical_and.reduce([one[labels[:, at]] for at, one in enumerate(wanted)])
    _require_few(len(np.unique(labels[is_wanted], axis=0)), "cells")
    rows, weights = [labels], [np.ones(len(labels))]
    for at, split in enumerate(splits):
        counts = np.bincount(labels[:, at], minlength=len(split.groups))
        for k in np.flatnonzero((counts < _RARE) & wanted[at]):
            found = _rare(splits, at, int(k), others, plan, pilot)
            if found is None:
                continue
            weights = [
                np.where(rows_[:, at] == k, 0.0, old) for rows_, old in zip(rows, weights, strict=True)
            ]
            rows.append(found)
            weights.append(np.full(len(found), max(float(counts[k]), 0.5) / len(found)))
    every, mass = np.concatenate(rows), np.concatenate(weights)
    cells, which = np.unique(every, axis=0, return_inverse=True)
    found = np.bincount(which.reshape(-1), weights=mass, minlength=len(cells))
    return cells, found.astype(np.float64)


def _wanted(split: _Split) -> npt.NDArray[np.bool_]:
    """Which groups of a column are to have any rows."""
    found: npt.NDArray[np.bool_] = split.factors > 0 if split.shares is None else split.shares != 0
    return found


def _rare(
    splits: Sequence[_Split], at: int, k: int, others: Sequence[Condition], plan: RulePlan, pilot: Pilot
) -> Labels | None:
    """The groups of rows of one group; None where the model never makes it and it is not asked for by a share.

    Raises `ConditionError` where a share is asked of it.
    """
    split = splits[at]
    try:
        frame = pilot(held_at([*others, split.groups[k]], plan), RARE_ROWS, (at, k))
    except ConditionError:
        if split.shares is None or not split.shares[k] > 0 or math.isinf(split.shares[k]):
            return None
        raise ConditionError(
            f"a group of {split.column!r} has probability zero under the model, so it can have no share"
        ) from None
    return _labels(splits, frame, plan.schema)


def _labels(splits: Sequence[_Split], frame: pl.DataFrame, schema: TableSchema) -> Labels:
    found = np.zeros((frame.height, len(splits)), dtype=np.int64)
    for at, split in enumerate(splits):
        for k, group in enumerate(split.groups):
            found[holds(group, frame[split.column], schema[split.column]), at] = k
    return found


def _fitted(splits: Sequence[_Split], cells: Labels, mass: Floats) -> Floats:
    """The mass of every cell once shares and factors are met. Raises `ConditionError` where no masses have these shares."""
    mass = mass / mass.sum()
    targets = [
        (at, split, _target(split, _shares_now(at, split, cells, mass))) for at, split in enumerate(splits)
    ]
    for _ in range(_ROUNDS):
        worst = 0.0
        for at, split, target in targets:
            now = _shares_now(at, split, cells, mass)
            worst = max(worst, float(np.abs(now - target).max()))
            scale = np.divide(target, now, out=np.zeros(len(target)), where=now > 0)
            mass = mass * scale[cells[:, at]]
        if worst < 1e-7:
            return mass
        if not mass.sum() > 0:
            break
    names = ", ".join(repr(split.column) for _, split, _ in targets)
    raise ConditionError(f"the shares of {names} cannot be met together: the model makes no such rows")


def _shares_now(at: int, split: _Split, cells: Labels, mass: Floats) -> Floats:
    now: Floats = np.bincount(cells[:, at], weights=mass, minlength=len(split.groups)).astype(np.float64)
    return now


def _target(split: _Split, now: Floats) -> Floats:
    """Target shares; where they are to be even, of the groups that occur, the last one keeping what it has."""
    if split.shares is None:
        return multiplied(split.column, split.factors[:-1], now)
    if not np.isnan(split.shares).any():
        return split.shares
    is_level = np.isnan(split.shares) & (now > 0)
    if is_level.sum() < min(2, np.isnan(split.shares).sum()):
        raise ConditionError(_ONE_LEFT.format(repr(split.column)))
    kept = np.where(np.isinf(split.shares), now, 0.0)
    return np.where(is_level, (1 - kept.sum()) / int(is_level.sum()), kept)


def _reached(
    splits: Sequence[_Split], every: Labels, mass: Floats, cells: Labels, counts: Labels
) -> Iterator[GroupShare]:
    """Of every group with a factor its share under the model, and of the rows to be drawn."""
    for at, split in enumerate(splits):
        before = _shares_now(at, split, every, mass / mass.sum())
        after = _shares_now(at, split, cells, counts / max(int(counts.sum()), 1))
        for k, label in enumerate(split.labels):
            yield GroupShare(label, float(before[k]), float(after[k]))
