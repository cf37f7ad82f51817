"""Exchange by kinds: cells that a rule does not tell apart are of one kind, and rows swap cells of kinds that they lack.

`death = 0` and `chapter IS NULL` tell two kinds of cells apart in each column, whatever else stands there. Of rules that depend on the
kinds alone, every row that may be is found by listing all rows of kinds and asking the rules. Then each column in turn is exchanged
between rows that lack what the others have too much of, so that a column whose kinds are as frequent as the rules need is
mended exactly, and keeps its cells. Whether rules depend on kinds alone is not read off their text but held against the rows.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Constraint, masks_of
from tabsynth.schema.rules import AnyRule, Conditional, Expression, Range

Codes = npt.NDArray[np.int64]
_MOST_ROWS_OF_KINDS = 4096
_MOST_LEVELS = 64
_NUMBER = re.compile(r"(?<![\w.'])\d+(?:\.\d+)?(?![\w.'])")
_TEXT = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True, eq=False)
class Group:
    """Rules that share columns, by position, and these columns: first those whose cells stay, then `movable` ones."""

    rules: tuple[int, ...]
    columns: tuple[str, ...]
    movable: frozenset[str]


def groups_of(
    constraints: Sequence[Constraint], sources: Sequence[Sequence[str]], learnt: Sequence[str]
) -> list[Group]:
    """Rules of columns that are learnt as they are, gathered until no two groups share a column.

    `sources` are the learnt columns of each rule that may be exchanged.
    """
    found: list[tuple[list[int], dict[str, None], set[str]]] = []
    for index, (one, mine) in enumerate(zip(constraints, sources, strict=True)):
        if not set(mine) <= set(one.columns) <= set(learnt):
            continue
        near = [group for group in found if group[1].keys() & set(one.columns)]
        found = [group for group in found if group not in near]
        rules = [*itertools.chain.from_iterable(group[0] for group in near), index]
        columns = dict.fromkeys([*itertools.chain.from_iterable(group[1] for group in near), *one.columns])
        found.append((rules, columns, {*mine, *itertools.chain.from_iterable(group[2] for group in near)}))
    return [
        Group(tuple(rules), tuple(sorted(columns, key=lambda name: name in movable)), frozenset(movable))
        for rules, columns, movable in found
    ]


def exchanged(
    rows: pl.DataFrame,
    group: Group,
    constraints: Sequence[Constraint],
    broken: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> dict[str, Codes] | None:
    """Of each column that is to be exchanged from which row every row takes its cell, (n_rows,).

    `broken`, (n_rows,), says which rows break one of the group's rules. None where these do not depend on kinds alone,
    or the columns have too many of them.
    """
    rules = [constraints[index] for index in group.rules]
    literals = _literals([one.rule for one in rules])
    kinds = [_kinds(rows[name], literals) for name in group.columns]
    sizes = tuple(int(codes.max(initial=0)) + 1 for codes in kinds)
    if math.prod(sizes) > _MOST_ROWS_OF_KINDS:
        return None
    allowed = _allowed(rows, group.columns, kinds, sizes, rules)
    if (allowed[tuple(kinds)] == broken).any():
        return None
    orders = {}
    for at, name in enumerate(group.columns):
        if at == 0 or name not in group.movable:
            continue
        able = allowed.any(axis=tuple(range(at + 1, len(sizes)))).reshape(-1, sizes[at])
        before = np.ravel_multi_index(kinds[:at], sizes[:at])
        order = _order(before, kinds[at], able, rng)
        kinds[at], orders[name] = kinds[at][order], order
    return orders


def _literals(rules: Sequence[AnyRule]) -> tuple[npt.NDArray[np.float64], list[str]]:
    """The numbers, ascending, and the texts that rules compare cells with."""
    numbers: set[float] = set()
    texts: dict[str, None] = {}
    for rule in rules:
        if isinstance(rule, Range):
            numbers |= {float(end) for end in (rule.lower, rule.upper) if isinstance(end, (int, float))}
        said = [rule.condition, rule.then, rule.otherwise or ""] if isinstance(rule, Conditional) else []
        said += [rule.sql] if isinstance(rule, Expression) else []
        for text in said:
            texts |= {match[1].replace("''", "'"): None for match in _TEXT.finditer(text)}
            plain = re.sub(r'"[^"]*"', " ", _TEXT.sub(" ", text))
            numbers |= {sign * float(match[0]) for match in _NUMBER.finditer(plain) for sign in (-1, 1)}
    return np.array(sorted(numbers)), list(texts)


def _kinds(cells: pl.Series, literals: tuple[npt.NDArray[np.float64], list[str]]) -> Codes:
    """The kind of every cell, from 0: a level; or null, a number that rules name, or between which of them it lies."""
    numbers, texts = literals
    if cells.dtype.is_numeric():
        values = cells.cast(pl.Float64).fill_null(np.nan).to_numpy()
        between = np.searchsorted(numbers, values, "left") + np.searchsorted(numbers, values, "right") + 1
        return _dense(np.where(np.isnan(values), 0, between))
    if cells.dtype == pl.Duration:  # polars writes none as text
        cells = cells.to_physical()
    levels = cells.drop_nulls().unique()
    if len(levels) + 1 <= _MOST_LEVELS:
        levels = levels.sort().cast(pl.String)
        physical = cells.cast(pl.String).cast(pl.Enum(levels)).to_physical().cast(pl.Int64)
        return _dense((physical + 1).fill_null(0).to_numpy())
    named = pl.repeat(len(texts) + 1, len(cells), dtype=pl.Int64, eager=True)
    if cells.dtype == pl.String and texts:
        named = cells.replace_strict(
            texts, range(1, len(texts) + 1), default=len(texts) + 1, return_dtype=pl.Int64
        )
    return _dense(named.zip_with(cells.is_not_null(), pl.Series([0])).to_numpy())


def _dense(codes: npt.NDArray[np.integer]) -> Codes:
    """The same without gaps."""
    there = np.bincount(codes) > 0
    dense: Codes = (np.cumsum(there) - 1).astype(np.int64)[codes]
    return dense


def _allowed(
    rows: pl.DataFrame,
    columns: Sequence[str],
    kinds: Sequence[Codes],
    sizes: tuple[int, ...],
    rules: Sequence[Constraint],
) -> npt.NDArray[np.bool_]:
    """Which rows of kinds break no rule, of shape `sizes`, asked of rows made of a cell of each kind."""
    made = {}
    for name, codes, at in zip(columns, kinds, np.indices(sizes).reshape(len(sizes), -1), strict=True):
        example = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.int64)
        example[codes] = np.arange(len(codes))
        made[name] = rows[name].gather(example[at])
    broken = np.any(masks_of(rules, pl.DataFrame(made)), axis=0)
    return np.asarray(~broken.reshape(sizes))


def _order(before: Codes, kind: Codes, able: npt.NDArray[np.bool_], rng: np.random.Generator) -> Codes:
    """From which row each takes its cell of one column, so that kinds stand where they may after what is before them.

    `able`, (n_before, n_kinds). Rows that have a kind that they may not are paired with one another where that helps both, then with
    rows that nothing helps any more, then with rows that are as well off with the other's.
    """
    order = np.arange(len(kind))
    shuffled = rng.permutation(len(kind))
    classes, which = np.unique(before[shuffled] * able.shape[1] + kind[shuffled], return_inverse=True)
    ends = np.cumsum(np.bincount(which.reshape(-1)))[:-1]
    pools = np.split(shuffled[np.argsort(which.reshape(-1), kind="stable")], ends)
    places = [divmod(int(one), able.shape[1]) for one in classes]
    is_lost = [not able[prefix].any() for prefix, _ in places]
    is_bad = [not able[place] and not lost for place, lost in zip(places, is_lost, strict=True)]
    for partners in (
        is_bad,
        is_lost,
        [not bad and not lost for bad, lost in zip(is_bad, is_lost, strict=True)],
    ):
        for one in (at for at in range(len(places)) if is_bad[at]):
            others = [
                other
                for other in range(len(places))
                if partners[other]
                and able[places[one][0], places[other][1]]
                and (is_lost[other] or able[places[other][0], places[one][1]])
            ]
            room = sum(len(pools[other]) for other in others)
            wanted = min(len(pools[one]), room)
            for other in others:
                n = min(
                    math.ceil(wanted * len(pools[other]) / max(room, 1)), len(pools[one]), len(pools[other])
                )
                mine, theirs = pools[one][:n], pools[other][:n]
                order[mine], order[theirs] = theirs, mine
                pools[one], pools[other] = pools[one][n:], pools[other][n:]
    return order
