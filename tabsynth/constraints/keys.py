"""Keys that never repeat, block after block: of the rows so far the hashes of their keys are kept, 8 bytes each.

A row that repeats an earlier key is drawn anew. Where the key's columns can hold few different keys, rows first exchange cells
(`tabsynth.constraints.key_exchange`), and what still repeats one gets a key that is free, near its own in the order of the columns. Two keys of one hash count as the same, which
costs a draw (below one row in a million at a hundred million keys) and is never a repeated key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Constraint, Mask, masks_of
from tabsynth.constraints.cells import levels_of
from tabsynth.constraints.enforce import Block
from tabsynth.constraints.key_exchange import Listed, exchanged
from tabsynth.constraints.plan import RulePlan
from tabsynth.constraints.rules import is_per_row
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.errors import ConstraintError
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Column

_MOST_LISTED = 2_000_000
_TRIES = 12
_Hashes = npt.NDArray[np.uint64]


@dataclass(kw_only=True)
class Keys:
    """The keys that were given out for one rule. Mutable: it lives as long as one sampling."""

    constraint: Constraint
    checked: tuple[Constraint, ...] = ()
    free: pl.DataFrame | None = None
    able: frozenset[str] = frozenset()
    listed: Listed | None = None
    _is_free: Mask | None = None
    _seen: list[_Hashes] = field(default_factory=list)
    _beside: tuple[Keys, ...] = ()

    @classmethod
    def of(
        cls,
        constraint: Constraint,
        n_rows: int,
        plan: RulePlan,
        *,
        missed: Callable[[pl.DataFrame], Mask] | None = None,
        are_free: bool = True,
        fixed: Collection[str] = (),
    ) -> Keys:
        """Keys for `n_rows` rows, without those that `missed` marks; unless they `are_free`, rows have their own part of each.

        Cells of `fixed` columns stay where they are. Raises `ConstraintError` where there are fewer different ones.
        """
        columns = [plan.schema[name] for name in constraint.columns]
        free = _every_key(columns) if are_free else None
        if free is not None:
            for one in plan.checked:
                if set(one.columns) <= set(free.columns):
                    free = free.filter(~pl.Series(one.violations(free)))
            if missed is not None:
                free = free.filter(~pl.Series(missed(free)))
            if free.height < n_rows and not any(column.nullable for column in columns):
                raise ConstraintError(
                    f"the rule {title_of(constraint.rule)!r} has room for {free.height:,} rows, "
                    f"{n_rows:,} are asked for"
                )
        if free is None:
            return cls(constraint=constraint, checked=plan.checked)
        elsewhere = {
            name
            for one in (*plan.checked, *plan.of_table)
            if one is not constraint
            and (not is_per_row(one.rule) or not set(one.columns) <= set(constraint.columns))
            for name in one.columns
        }
        listed = Listed(tuple(value for column in columns if (value := _values(column)) is not None))
        return cls(
            constraint=constraint,
            checked=plan.checked,
            free=free,
            able=frozenset(constraint.columns) - elsewhere - set(fixed),
            listed=listed,
            _is_free=listed.free(free),
        )

    @cached_property
    def _names(self) -> list[str]:
        return list(self.constraint.columns)

    def hold(
        self, frame: pl.DataFrame, block: Block, rng: np.random.Generator, beside: Sequence[Keys] = ()
    ) -> tuple[pl.DataFrame, int, int]:
        """The rows of the next block with no key twice, and how many exchanged cells and were drawn anew, so that those `beside` still hold.

        The keys are not remembered yet: another rule may still change rows (see `remember`).
        """
        self._beside = tuple(beside)
        left = np.flatnonzero(self._repeats(frame))
        n_broken = n_changed = len(left)
        if n_broken and self.listed is not None and self._is_free is not None:
            frame, left = exchanged(self.listed, frame, left, self._is_free, able=self.able, rng=rng)
            n_changed = len(left)
        if n_changed:
            taken = [self._hashes(frame, np.setdiff1d(np.arange(frame.height), left))]
            if self.free is None:
                frame, left = self._drawn(frame, block, left, taken)
            else:
                frame, left = self._freed(frame, block, left, taken, rng)
        if len(left):
            raise ConstraintError(
                f"{len(left):,} rows of a block could not be made to meet the rule {title_of(self.constraint.rule)!r}: "
                f"{_TRIES} tries gave too few keys that are new; ask for fewer rows, or give the key more columns"
            )
        return frame, n_broken - n_changed, n_changed

    def remember(self, frame: pl.DataFrame) -> None:
        """Give no key of these rows out again."""
        self._remember(self._hashes(frame, np.arange(frame.height)))
        if self.listed is not None and self._is_free is not None:
            positions = self.listed.positions(frame)
            self._is_free[self.listed.numbers(positions[:, (positions >= 0).all(axis=0)])] = False

    def _drawn(
        self,
        frame: pl.DataFrame,
        block: Block,
        left: npt.NDArray[np.int64],
        taken: list[_Hashes],
    ) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
        """Rows of `left` drawn anew; those that stay are given back."""
        for attempt in range(_TRIES):
            n = min(max(512, 4 * len(left)), block.most_redrawn)
            places = left[np.arange(n) % len(left)]
            drawn = block.redraw(places, 10_000 + attempt)
            places = places[: drawn.height]
            rows = block.whole(drawn, places)
            frame, left = self._fill(frame, rows, places, block, left, taken)
            if not len(left):
                break
        return frame, left

    def _freed(
        self,
        frame: pl.DataFrame,
        block: Block,
        left: npt.NDArray[np.int64],
        taken: list[_Hashes],
        rng: np.random.Generator,
    ) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
        """Rows of `left` with keys that are free, near their own; those that stay are given back."""
        assert self.free is not None
        hashes = self.free.select(self._names).hash_rows().to_numpy()
        is_free = ~(self._known(hashes) | np.isin(hashes, np.concatenate(taken)))
        free = self.free.filter(pl.Series(is_free))
        for attempt in range(_TRIES):
            n = min(len(left), free.height)
            if not n:
                break
            order = np.lexsort([_rank(frame[name].gather(left)) for name in reversed(self._names)])
            places = left[order][:n] if attempt == 0 else rng.permutation(left)[:n]
            keys = free[np.sort(rng.permutation(free.height)[:n])]
            rows = frame[places].with_columns(keys.get_columns())
            before = left
            frame, left = self._fill(frame, rows, places, block, left, taken)
            used = self._hashes(frame, np.setdiff1d(before, left))
            gone = np.isin(free.select(self._names).hash_rows().to_numpy(), used)
            free = free.filter(~pl.Series(gone))
            if not len(left):
                break
        return frame, left

    def _fill(
        self,
        frame: pl.DataFrame,
        rows: pl.DataFrame,
        places: npt.NDArray[np.int64],
        block: Block,
        left: npt.NDArray[np.int64],
        taken: list[_Hashes],
    ) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
        """The frame with `rows` in their places where they break no rule and have a key that is new."""
        hashes = self._hashes(rows, np.arange(rows.height))
        is_new = ~(self._known(hashes) | np.isin(hashes, np.concatenate(taken)))
        is_bad = np.any([*masks_of(self.checked, rows), *block.broken(rows, places), ~is_new], axis=0)
        good = np.flatnonzero(~is_bad)
        good = good[np.sort(np.unique(hashes[good], return_index=True)[1])]
        stays = frame[np.setdiff1d(np.arange(frame.height), left)]
        for other in self._beside:
            good = good[other.are_new(rows[good], stays)]
        filled, first = np.unique(places[good], return_index=True)
        taken.append(hashes[good[first]])
        order = np.arange(frame.height)
        order[filled] = frame.height + np.arange(len(filled))
        chosen = rows[good[first]].select(frame.columns)
        return pl.concat([frame, chosen])[order], np.setdiff1d(left, filled)

    def _repeats(self, frame: pl.DataFrame) -> Mask:
        hashes = self._hashes(frame, np.arange(frame.height))
        repeats: Mask = (self.constraint.violations(frame) | self._known(hashes)) & self._is_whole(frame)
        return repeats

    def are_new(self, rows: pl.DataFrame, stays: pl.DataFrame) -> Mask:
        """Which rows repeat no key of earlier blocks, of rows that stay, or of rows before them."""
        hashes, every = self._hashes(rows, np.arange(rows.height)), np.arange(stays.height)
        is_first = np.zeros(rows.height, dtype=np.bool_)
        is_first[np.unique(hashes, return_index=True)[1]] = True
        is_new: Mask = is_first & ~self._known(hashes) & ~np.isin(hashes, self._hashes(stays, every))
        return is_new | ~self._is_whole(rows)

    def _is_whole(self, frame: pl.DataFrame) -> Mask:
        """Which rows have a key without a missing cell: others never repeat."""
        key = frame.select(self._names)
        return key.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()

    def _hashes(self, frame: pl.DataFrame, rows: npt.NDArray[np.int64]) -> _Hashes:
        return frame.select(self._names)[rows].hash_rows().to_numpy()

    def _known(self, hashes: _Hashes) -> Mask:
        known = np.zeros(len(hashes), dtype=np.bool_)
        for run in self._seen:
            at = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            known |= run[at] == hashes
        return known

    def _remember(self, hashes: _Hashes) -> None:
        """Keep sorted runs, each at least twice as long as the next."""
        run = np.sort(hashes)
        while self._seen and len(self._seen[-1]) < 2 * len(run):
            run = np.sort(np.concatenate([self._seen.pop(), run]))
        if len(run):
            self._seen.append(run)


def _every_key(columns: list[Column]) -> pl.DataFrame | None:
    """Every key that the columns' domains allow, in order; None where they are too many, or not bounded."""
    values = [_values(column) for column in columns]
    sizes = [0 if found is None else len(found) for found in values]
    if 0 in sizes or math.prod(sizes) > _MOST_LISTED:
        return None
    frame = pl.DataFrame({"\0": [0]})
    for found in values:
        assert found is not None
        frame = frame.join(found.to_frame(), how="cross")
    return frame.drop("\0")


def _values(column: Column) -> pl.Series | None:
    levels = levels_of(column)
    if levels is not None:
        present = [level for level in levels if level is not None]
        return pl.Series(column.name, present, dtype=polars_dtype(column), strict=False)
    if not column.kind.is_continuous or column.bounds is None or column.special_values:
        return None
    encoder = ContinuousEncoder(column)
    lower, upper = encoder.variable.lower, encoder.variable.upper
    if not encoder.variable.is_lattice or lower is None or upper is None or upper - lower >= _MOST_LISTED:
        return None
    steps = np.arange(int(lower), int(upper) + 1, dtype=np.int64)
    return encoder.decode(np.zeros(len(steps), dtype=np.uint8), steps)


def _rank(series: pl.Series) -> npt.NDArray[np.float64]:
    return series.rank("dense").cast(pl.Float64).fill_null(-1).to_numpy()
