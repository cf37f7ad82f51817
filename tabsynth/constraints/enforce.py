"""The only loop that repairs and resamples: the rows of a block, until none of them breaks a rule.

First cells are exchanged: by kinds, where rules tell few kinds of cells apart (`tabsynth.constraints.kinds`); where two numbers must
keep an order, rows that break it exchange with rows beside them (`tabsynth.constraints.chains`); then a row that breaks a rule and another one swap the cells of one or two
learnt columns, where fewer rows break a rule afterwards. Whatever is swapped, every column keeps exactly the cells it had, so shapes
stay as the model made them. Rows that still break a rule are then drawn anew, at most `MOST_TRIES` blocks of
them; what is left then is an error that names the rules. Both depend on the seed and the block alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, permutations

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Constraint, Mask, masks_of
from tabsynth.constraints.chains import chains, reaching_over
from tabsynth.constraints.failure import Beside, failure
from tabsynth.constraints.kinds import exchanged, groups_of
from tabsynth.errors import ConstraintError
from tabsynth.schema.rules import Inequality

MOST_TRIES = 40
"""Blocks of rows that are drawn to replace what a block cannot repair, before it is an error."""
_ROUNDS = 64
_FEWEST = 512
_SHARES = (0.5, 1.0, 2.0, 4.0)
"""How many rows with room are paired anew with every row that breaks an order, from few to many."""
_WINDOWS, _FEWEST_BESIDE, _TURNS = (1 / 64, 1 / 16), 64, 8
"""The share of the rows, nearest to one that breaks an order, among which a partner is looked for, of how many at least, and how often."""
_MOST_CHAINS = 1_000
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """How the rows of a block are made.

    `whole(learnt, positions)` gives the final rows of learnt ones that stand at those positions of the block, `part`
    at least those of their columns that the rules and conditions read,
    `redraw(positions, attempt)` other learnt rows for them. `numbers` reads the learnt columns of numbers and times. `constraints` are the rules of single rows with, of each, the learnt
    columns that it comes from in `sources`; `held(frame, positions)` marks rows that lack what is asked for there. `part` needs
    no learnt columns but `read`, where that is said.
    """

    whole: Callable[[pl.DataFrame, _Positions], pl.DataFrame]
    part: Callable[[pl.DataFrame, _Positions], pl.DataFrame]
    redraw: Callable[[_Positions, int], pl.DataFrame]
    constraints: Sequence[Constraint]
    sources: Sequence[tuple[str, ...]]
    numbers: Mapping[str, pl.Expr] = field(default_factory=dict)
    read: frozenset[str] | None = None
    most_redrawn: int = 1 << 15
    most_tries: int = MOST_TRIES
    may_leave: bool = False
    """Whether rows that no try could bring under the rules are left, instead of an error."""
    held: Callable[[pl.DataFrame, _Positions], Mask] | None = None
    beside: Beside | None = None
    """What the model's rows keep beside the rules, for the words of an error."""

    def number(self, learnt: pl.DataFrame, name: str) -> npt.NDArray[np.float64]:
        """A learnt column of numbers or times on the line, NaN where a cell is none."""
        cells = learnt.select(self.numbers[name].to_physical().cast(pl.Float64)).to_series()
        return cells.fill_null(np.nan).to_numpy()

    def broken(self, frame: pl.DataFrame, positions: _Positions) -> npt.NDArray[np.bool_]:
        """Which row breaks which rule, shape (n_rules, n_rows); conditions that are not met come last."""
        rows = masks_of(self.constraints, frame)
        if self.held is not None:
            rows.append(self.held(frame, positions))
        return np.stack(rows) if rows else np.zeros((0, frame.height), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Repaired:
    """Final rows and the learnt ones they come from; of each rule how many rows broke it and what was done to them."""

    frame: pl.DataFrame
    learnt: pl.DataFrame
    broken: npt.NDArray[np.int64]
    swapped: npt.NDArray[np.int64]
    redrawn: npt.NDArray[np.int64]
    n_missed: int = 0
    """Rows that lacked what is asked for as the model made them."""
    left: _Positions = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Rows that still break a rule, where a block may leave some."""


def repair(learnt: pl.DataFrame, block: Block, rng: np.random.Generator) -> Repaired:
    """The rows, with none that breaks a rule. Raises `ConstraintError` where the tries do not suffice."""
    everywhere = np.arange(learnt.height)
    first = block.broken(block.part(learnt, everywhere), everywhere)
    broken = first.copy()
    if not broken.any():
        none = np.zeros(len(block.constraints), dtype=np.int64)
        return Repaired(block.whole(learnt, everywhere), learnt, none, none, none)
    read = [name for name in learnt.columns if block.read is None or name in block.read]
    swapped, decided = _by_kinds(learnt.select(read), block, broken, rng)
    swapped = _swap(swapped, block, broken, decided, rng)
    learnt = learnt.with_columns(swapped.get_columns())
    n_rules = len(block.constraints)
    left: Mask = np.asarray(broken.any(axis=0))
    learnt, unmended = _redraw(learnt, block, left)
    frame = block.whole(learnt, everywhere)
    return Repaired(
        frame,
        learnt,
        first[:n_rules].sum(axis=1),
        (first[:n_rules] & ~left).sum(axis=1),
        (first[:n_rules] & left).sum(axis=1),
        int(first[n_rules:].sum()),
        unmended,
    )


def _by_kinds(
    learnt: pl.DataFrame, block: Block, broken: npt.NDArray[np.bool_], rng: np.random.Generator
) -> tuple[pl.DataFrame, set[int]]:
    """Exchange cells of kinds that rows lack; `broken` is brought up to date. Beside the rows the rules that no other exchange helps."""
    decided: set[int] = set()
    for group in groups_of(block.constraints, block.sources, learnt.columns):
        is_bad: Mask = np.asarray(broken[list(group.rules)].any(axis=0))
        if not is_bad.any():
            continue
        orders = exchanged(learnt, group, block.constraints, is_bad, rng)
        if orders is None:
            continue
        moved = [order != np.arange(learnt.height) for order in orders.values()]
        rows = np.flatnonzero(np.any(moved, axis=0)) if moved else np.empty(0, dtype=np.int64)
        if not len(rows):
            decided |= set(group.rules)
            continue
        tried = learnt.with_columns(learnt[name].gather(order) for name, order in orders.items())
        after = block.broken(block.part(tried[rows], rows), rows)
        if after.any(axis=0).sum() < broken[:, rows].any(axis=0).sum():
            learnt, broken[:, rows] = tried, after
            decided |= set(group.rules)
    return learnt, decided


def _swap(
    learnt: pl.DataFrame,
    block: Block,
    broken: npt.NDArray[np.bool_],
    decided: Collection[int],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Exchange cells until no exchange helps, but for `decided` rules; `broken` is brought up to date."""
    for index, sources in enumerate(block.sources):
        names = [name for name in sources if name in learnt.columns]
        if index in decided or len(names) < 2 or not broken[index].any():
            continue
        for first, second in _ordered(block, index, names):
            learnt = _align(learnt, block, broken, (index, first, second), rng)
        together = [
            part for size in (1, 2) for part in combinations(names, size) if 2 * size <= max(len(names), 2)
        ]
        fruitless = 0
        for attempt in range(_ROUNDS):
            rows = np.flatnonzero(broken[index])
            if not len(rows) or fruitless >= 2 * len(together):
                break
            one, other = _partners(rows, broken, attempt // len(together), rng)
            found = _try(learnt, block, broken, together[attempt % len(together)], one, other)
            fruitless = 0 if found is not None else fruitless + 1
            learnt = learnt if found is None else found
    return learnt


def _ordered(block: Block, index: int, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of columns that pairing in order may mend: of an inequality its own, of others two numbers or times."""
    rule = block.constraints[index].rule
    if isinstance(rule, Inequality):
        return [pair for pair in pairwise(rule.columns) if set(pair) <= set(names)]
    numbers = [name for name in names if name in block.numbers]
    return [*permutations(numbers)] if len(numbers) == 2 else []  # type: ignore[list-item]


def _align(
    learnt: pl.DataFrame,
    block: Block,
    broken: npt.NDArray[np.bool_],
    where: tuple[int, str, str],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Let two columns that must not fall rise in every row: rows that do fall exchange with ones beside them that reach over what they lack.

    What is left is paired anew, in order, over those rows and some with room. Rows with room are those with the longest gaps among some drawn at random: a model that makes too many gaps
    below zero makes too many long ones too. If any pairing of these rows keeps the order, the sorted one does.
    """
    index, one, other = where
    values = [block.number(learnt, name) for name in (one, other)]
    there = ~(np.isnan(values[0]) | np.isnan(values[1]))
    learnt = _hand_over(learnt, block, broken, where, rng)
    values[1] = block.number(learnt, other)
    for share in _SHARES:
        rows = np.flatnonzero(broken[index])
        if not len(rows):
            break
        others = rng.permutation(np.flatnonzero(~broken.any(axis=0) & there))[
            : int(3 * share * len(rows)) + 8
        ]
        gaps = values[1][others] - values[0][others]
        chosen = others[np.argsort(-gaps, kind="stable")][: int(share * len(rows)) + 4]
        both = np.r_[rows[there[rows]], chosen]
        taker = both[np.argsort(values[0][both], kind="stable")]
        giver = both[np.argsort(values[1][both], kind="stable")]
        tried = learnt[taker].with_columns(learnt[other].gather(giver))
        after = block.broken(block.part(tried, taker), taker)
        if after.any(axis=0).sum() < broken[:, taker].any(axis=0).sum():
            order = np.arange(learnt.height)
            order[taker] = giver
            learnt = learnt.with_columns(learnt[other].gather(order))
            broken[:, taker], values[1] = after, values[1][order]
    return _chain(learnt, block, broken, where, (values[0], values[1]), rng)


def _hand_over(
    learnt: pl.DataFrame,
    block: Block,
    broken: npt.NDArray[np.bool_],
    where: tuple[int, str, str],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Rows that fall exchange their second number with one of the rows beside them that reach over their gap, as long as there are any that did not yet.

    Rows that take no part keep the length of their interval, and what goes along with their second number.
    """
    index, one, other = where
    rule = block.constraints[index].rule
    strict = isinstance(rule, Inequality) and rule.strict
    first, second = (block.number(learnt, name) for name in (one, other))
    there = ~(np.isnan(first) | np.isnan(second))
    for window in _WINDOWS:
        for _ in range(_TURNS):
            rows = rng.permutation(np.flatnonzero(broken[index] & there))
            free = np.flatnonzero(~broken.any(axis=0) & there)
            n_beside = max(int(window * len(free)), _FEWEST_BESIDE)
            partner = reaching_over(first, second, rows, free, rng, window=n_beside, strict=strict)
            found = partner >= 0
            tried = _try(learnt, block, broken, [other], rows[found], partner[found])
            if tried is None:
                break
            learnt, before = tried, second
            second = block.number(learnt, other)
            there &= second == before  # a row takes part once
    return learnt


def _chain(
    learnt: pl.DataFrame,
    block: Block,
    broken: npt.NDArray[np.bool_],
    where: tuple[int, str, str],
    values: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """What pairing in order left of an order's breaches, closed by chains of rows with room for each."""
    index, _, other = where
    rule = block.constraints[index].rule
    gaps = rng.permutation(np.flatnonzero(broken[index]))[:_MOST_CHAINS]
    strict = isinstance(rule, Inequality) and rule.strict
    are_right: Mask = np.asarray(~broken.any(axis=0))
    found = chains(*values, gaps, are_right, rng, strict=strict)
    if not found:
        return learnt
    taker, giver = np.concatenate(found), np.concatenate([np.roll(chain, 1) for chain in found])
    tried = learnt[taker].with_columns(learnt[other].gather(giver))
    after = block.broken(block.part(tried, taker), taker)
    starts = np.cumsum([0, *map(len, found[:-1])])
    was, now = (np.add.reduceat(rows.any(axis=0).astype(int), starts) for rows in (broken[:, taker], after))
    gains = np.repeat(now < was, [len(chain) for chain in found])
    order = np.arange(learnt.height)
    order[taker[gains]] = giver[gains]
    broken[:, taker[gains]] = after[:, gains]
    return learnt.with_columns(learnt[other].gather(order))


def _partners(
    rows: _Positions, broken: npt.NDArray[np.bool_], cycle: int, rng: np.random.Generator
) -> tuple[_Positions, _Positions]:
    """Pairs of rows, no row twice: those that break the rule among themselves, or each with any other row."""
    rows = rng.permutation(rows)
    if cycle % 2 == 0 and len(rows) > 1:
        half = len(rows) // 2
        return rows[:half], rows[half : 2 * half]
    others = rng.permutation(np.flatnonzero(~broken.any(axis=0)))
    n = min(len(rows), len(others))
    return rows[:n], others[:n]


def _try(
    learnt: pl.DataFrame,
    block: Block,
    broken: npt.NDArray[np.bool_],
    names: Sequence[str],
    one: _Positions,
    other: _Positions,
) -> pl.DataFrame | None:
    """The rows with the cells of some columns swapped between pairs that gain by it; None where none does."""
    if not len(one):
        return None
    both, crossed = np.r_[one, other], np.r_[other, one]
    tried = learnt[both].with_columns(learnt[name].gather(crossed) for name in names)
    after = block.broken(block.part(tried, both), both)
    n = len(one)
    is_bad: Mask = np.asarray(after.any(axis=0))
    was_bad: Mask = np.asarray(broken[:, both].any(axis=0))
    gains = is_bad[:n].astype(int) + is_bad[n:] < was_bad[:n].astype(int) + was_bad[n:]
    if not gains.any():
        return None
    twice = np.r_[gains, gains]
    order = np.arange(learnt.height)
    order[both[twice]] = crossed[twice]
    broken[:, both[twice]] = after[:, twice]
    return learnt.with_columns(learnt[name].gather(order) for name in names)


def _redraw(learnt: pl.DataFrame, block: Block, left: Mask) -> tuple[pl.DataFrame, _Positions]:
    """The rows, those of `left` replaced by rows that break nothing; and those for which there was none, if the block may leave some."""
    if not left.any():
        return learnt, np.empty(0, dtype=np.int64)
    pool = np.flatnonzero(left)
    order = np.arange(learnt.height)
    kept, masks, tried = [learnt], [], []
    n_found = n_drawn = 0
    for attempt in range(block.most_tries):
        rate = max(n_found / n_drawn, 0.01) if n_drawn else 0.5
        n = min(max(_FEWEST, int(1.2 * len(pool) / rate)), block.most_redrawn)
        places = pool[np.arange(n) % len(pool)]
        drawn = block.redraw(places, attempt)
        places = places[: drawn.height]
        broken = block.broken(block.part(drawn, places), places)
        good = np.flatnonzero(~broken.any(axis=0))
        if len(pool) < len(good):  # there is a choice
            good = good[np.argsort(_distance(drawn[good], learnt[places[good]], block), kind="stable")]
        filled, first = np.unique(places[good], return_index=True)
        order[filled] = sum(frame.height for frame in kept) + np.arange(len(filled))
        kept.append(drawn[good[first]].select(learnt.columns))
        masks.append(broken)
        tried.append(places)
        n_found, n_drawn = n_found + len(good), n_drawn + drawn.height
        pool = np.setdiff1d(pool, filled)
        if not len(pool):
            return pl.concat(kept)[order], pool
    if block.may_leave:
        return pl.concat(kept)[order], pool
    broken = np.concatenate(masks, axis=1)
    if block.beside is not None and block.beside.own:  # other rows are asked for something else
        broken = broken[:, np.isin(np.concatenate(tried), pool)]
    raise ConstraintError(
        failure(block.constraints, broken, block.beside, n_left=len(pool), n_drawn=broken.shape[1])
    )


def _distance(drawn: pl.DataFrame, before: pl.DataFrame, block: Block) -> npt.NDArray[np.float64]:
    """How far rows are from those that they may replace, (n_rows,): columns that differ, numbers in standard deviations up to one.

    A row near the one that it replaces changes the columns' shapes least.
    """
    found = np.zeros(drawn.height)
    for name in drawn.columns:
        if name in block.numbers:
            one, other = block.number(drawn, name), block.number(before, name)
            is_there = ~(np.isnan(one) | np.isnan(other))
            apart = np.abs(np.where(is_there, one - other, 0.0))
            spread = float(np.std(one[is_there])) if is_there.any() else 0.0
            found += np.where(
                is_there, np.minimum(apart / (spread or 1.0), 1.0), np.isnan(one) != np.isnan(other)
            )
        else:
            found += drawn[name].ne_missing(before[name]).to_numpy()
    return found
