"""Synthetic rows block by block: drawn, decoded, brought under the rules, and with identifiers and texts made anew.

A block depends on the seed and its own number alone, so rows do not depend on batches or cores. Rules of all
rows together are held afterwards, block after block: of keys a set of those that were given is kept (8 bytes a
row), and where a column never falls within a group all rows are held in memory.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Constraint
from tabsynth.constraints.cells import number as cells_as_numbers
from tabsynth.constraints.enforce import Block, Repaired, repair
from tabsynth.constraints.held import Held, held_at
from tabsynth.constraints.keys import Keys
from tabsynth.constraints.monotone import put_in_order
from tabsynth.constraints.outcome import Tally
from tabsynth.constraints.plan import RulePlan
from tabsynth.encode import EncodedColumn, EncodedTable, Surrogate, decode_table
from tabsynth.errors import ConditionError, ConstraintError
from tabsynth.fake import FakeColumns
from tabsynth.models.base import BLOCK_ROWS, Condition, FittedModel, Progress
from tabsynth.randomness import Streams
from tabsynth.schema.rules import Unique, title_of
from tabsynth.schema.types import TableSchema
from tabsynth.where import cells_of, conditions_of

_BATCH_BLOCKS = 16
_PILOT_ROWS = 16_384
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sampler:
    """One sampling of `n_rows` rows."""

    schema: TableSchema
    model: FittedModel
    plan: RulePlan
    surrogates: tuple[Surrogate, ...]
    streams: Streams
    n_rows: int
    tally: Tally

    def batches(self, where: Mapping[str, Any], progress: Progress) -> Iterator[pl.DataFrame]:
        """The rows as frames of bounded size; at least one, possibly empty."""
        conditions = conditions_of(where, self.schema)
        held = held_at(cells_of(where, self.schema), conditions, self.plan)
        shares = self._shares(held)
        self.tally.begin([title_of(one.rule) for one in self.plan.constraints], self.plan.forms)
        fake = FakeColumns(schema=self.schema, n_rows=self.n_rows, seed=self.streams.seed)
        fake.require_room()
        return _filled(self._in_batches(held, shares, progress), fake)

    def _in_batches(
        self, held: Held, shares: npt.NDArray[np.float64], progress: Progress
    ) -> Iterator[pl.DataFrame]:
        n_blocks = max(1, math.ceil(self.n_rows / BLOCK_ROWS))
        keys = [
            Keys.of(one, self.n_rows, self.plan) for one in self.plan.of_table if isinstance(one.rule, Unique)
        ]
        ordered = [one for one in self.plan.of_table if not isinstance(one.rule, Unique)]
        whole: list[pl.DataFrame] = []
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for start in range(0, n_blocks, _BATCH_BLOCKS):
                numbers = range(start, min(start + _BATCH_BLOCKS, n_blocks))
                done = list(pool.map(lambda number: self._block(number, held, shares), numbers))
                frames = []
                for number, (block, repaired) in zip(numbers, done, strict=True):
                    self._count(repaired)
                    rng = self.streams.generator("rules.keys", number)
                    frame = repaired.frame
                    for key in keys:
                        frame, n_changed = key.hold(frame, block, rng)
                        self._touch(key.constraint, n_changed)
                    frames.append(frame)
                batch = pl.concat(frames)
                progress("sampling", numbers.stop / n_blocks)
                if ordered:
                    whole.append(batch)
                else:
                    yield self._verified(batch)
        if ordered:
            rows = pl.concat(whole)
            for one in ordered:
                rows, n_changed = put_in_order(rows, one, self.schema)
                self._touch(one, n_changed)
            rows = self._verified(rows, with_table=True)
            for start in range(0, max(rows.height, 1), _BATCH_BLOCKS * BLOCK_ROWS):
                yield rows.slice(start, _BATCH_BLOCKS * BLOCK_ROWS)

    def _block(self, number: int, held: Held, shares: npt.NDArray[np.float64]) -> tuple[Block, Repaired]:
        """A block under the rules of single rows, and what more rows for it are made by."""
        start = number * BLOCK_ROWS
        n_rows = min(BLOCK_ROWS, self.n_rows - start)
        learnt = self._learnt(number, n_rows, self.streams, held, shares)
        cells = pl.DataFrame(
            [
                one.make(self.n_rows, start, n_rows, streams=self.streams, block=number).alias(
                    one.column.name
                )
                for one in self._surrogates
            ]
        )

        def redraw(n: int, attempt: int) -> pl.DataFrame:
            seed = self.streams.generator("rules.redraw", number, attempt).integers(2**63)
            return self._learnt(number, min(n, BLOCK_ROWS), Streams(int(seed)), held, shares)

        read = {name for one in self.plan.repaired for name in one.columns} | set(held.waiting)

        block = Block(
            whole=lambda rows, positions: self._whole(rows, cells, positions),
            redraw=redraw,
            part=lambda rows, positions: self._whole(rows, cells, positions, only=read),
            constraints=self.plan.repaired,
            sources=self._sources,
            numbers={c.name: cells_as_numbers(c) for c in self.plan.working.columns if c.kind.is_continuous},
            held=held.missed,
        )
        return block, repair(learnt, block, self.streams.generator("rules.swap", number))

    @cached_property
    def _surrogates(self) -> tuple[Surrogate, ...]:
        """With identifiers counted where a rule wants them unique."""
        return tuple(replace(one, column=self.plan.schema[one.column.name]) for one in self.surrogates)

    @cached_property
    def _sources(self) -> tuple[tuple[str, ...], ...]:
        """Of each rule the columns of `_learnt` that it comes from."""
        missing = {one.column.name: _missing(one.column.name) for one in self.surrogates}
        return tuple(
            tuple(missing.get(name, name) for name in self.plan.sources(one.columns))
            for one in self.plan.repaired
        )

    def _learnt(
        self, number: int, n_rows: int, streams: Streams, held: Held, shares: npt.NDArray[np.float64]
    ) -> pl.DataFrame:
        """Rows of the learnt columns, with a column of where each text or identifier is missing."""
        encoded = self._encoded(number, n_rows, streams, held, shares)
        learnt = decode_table(encoded, self.plan.working)
        extra = [pl.Series(_ROW, np.arange(n_rows))]
        for one in self.surrogates:
            name = one.column.name
            if name in encoded.columns:
                extra.append(pl.Series(_missing(name), encoded.columns[name].codes != 0))
        return pl.DataFrame([*learnt.get_columns(), *extra])

    def _encoded(
        self, number: int, n_rows: int, streams: Streams, held: Held, shares: npt.NDArray[np.float64]
    ) -> EncodedTable:
        """Rows as the model draws them, under one of several conditions each where there are several."""
        if not held.variants:
            return self.model.sample_block(number, n_rows=n_rows, streams=streams, conditions=held.conditions)
        rng = streams.generator("rules.variants", number)
        parts: list[EncodedTable] = []
        for variant, n in zip(held.variants, rng.multinomial(n_rows, shares), strict=True):
            if n or (n_rows == 0 and not parts):
                own = Streams(int(streams.generator("rules.variant", number, variant.code).integers(2**63)))
                conditions = (*held.conditions, variant)
                parts.append(
                    self.model.sample_block(number, n_rows=int(n), streams=own, conditions=conditions)
                )
        return _shuffled(parts, rng)

    def _shares(self, held: Held) -> npt.NDArray[np.float64]:
        """How often each variant occurs under the model; evenly those that it can make, where a pilot met none."""
        if not held.variants:
            return np.zeros(0)
        streams = Streams(int(self.streams.generator("rules.pilot").integers(2**63)))
        pilot = self.model.sample_block(0, n_rows=_PILOT_ROWS, streams=streams, conditions=held.conditions)
        codes = pilot.columns[held.variants[0].column].codes
        counts = np.array([np.count_nonzero(codes == one.code) for one in held.variants], dtype=np.float64)
        if counts.sum() == 0:
            counts = np.array([self._can_make(held, one) for one in held.variants], dtype=np.float64)
        if counts.sum() == 0:
            raise ConditionError("the condition has probability zero under the model")
        shares: npt.NDArray[np.float64] = counts / counts.sum()
        return shares

    def _can_make(self, held: Held, variant: Condition) -> bool:
        try:
            self.model.sample_block(0, n_rows=1, streams=self.streams, conditions=(*held.conditions, variant))
        except ConditionError:
            return False
        return True

    def _whole(
        self,
        learnt: pl.DataFrame,
        cells: pl.DataFrame,
        positions: _Positions,
        *,
        only: set[str] | None = None,
    ) -> pl.DataFrame:
        """The schema's columns from learnt ones and from the identifiers and texts at those positions.

        `only` names the columns that are wanted at least.
        """
        inner = learnt.drop([name for name in learnt.columns if name.startswith(_MARK)])
        columns = {series.name: series for series in self.plan.invert(inner, only=only).get_columns()}
        for series in cells.get_columns():
            if only is not None and series.name not in only:
                continue
            made = series.gather(positions)
            missing = _missing(series.name)
            if missing in learnt.columns:
                made = pl.select(pl.when(~learnt[missing]).then(made)).to_series()
            columns[series.name] = made.alias(series.name)
        if only is not None:
            return pl.DataFrame([*columns.values(), pl.Series(_ROW, positions)])
        return pl.DataFrame([columns[name].alias(name) for name in self.schema.column_names])

    def _count(self, repaired: Repaired) -> None:
        """Add what was done to a block; a rule that is checked in two ways counts once."""
        for what in ("broken", "swapped", "redrawn"):
            counts = np.zeros(len(self.plan.constraints), dtype=np.int64)
            np.add.at(counts, self._places, getattr(repaired, what))
            self.tally.add(what, counts)

    @cached_property
    def _places(self) -> list[int]:
        """The position in the schema of every rule that rows are repaired for."""
        rules = [one.rule for one in self.plan.constraints]
        return [next(at for at, rule in enumerate(rules) if rule is one.rule) for one in self.plan.repaired]

    def _touch(self, constraint: Constraint, n_rows: int) -> None:
        counts = np.array([n_rows if one is constraint else 0 for one in self.plan.constraints])
        self.tally.add("broken", counts)
        self.tally.add("redrawn", counts)

    def _verified(self, rows: pl.DataFrame, *, with_table: bool = False) -> pl.DataFrame:
        """The rows, once more held against every rule; what is given out breaks none."""
        checked = (*self.plan.checked, *(self.plan.of_table if with_table else ()))
        broken = [title_of(one.rule) for one in checked if one.violations(rows).any()]
        if broken:
            raise ConstraintError(
                f"these rules cannot be met together by exchanging and drawing rows: {'; '.join(dict.fromkeys(broken))}"
            )
        self.tally.n_rows += rows.height
        return rows


def _filled(batches: Iterator[pl.DataFrame], fake: FakeColumns) -> Iterator[pl.DataFrame]:
    """Batches one after another, with the cells of columns that have a generator."""
    start = 0
    for batch in batches:
        yield fake.fill(batch, start)
        start += batch.height


_MARK = "\0"
_ROW = f"{_MARK}row"


def _missing(name: str) -> str:
    """The column that says where a text or an identifier is missing."""
    return f"{_MARK}{name}"


def _shuffled(parts: list[EncodedTable], rng: np.random.Generator) -> EncodedTable:
    """The rows of several tables as one, in random order."""
    n_rows = sum(part.n_rows for part in parts)
    order = rng.permutation(n_rows)
    columns = {}
    for name, first in parts[0].columns.items():
        codes = np.concatenate([part.columns[name].codes for part in parts])[order]
        values = None
        if first.values is not None:
            values = np.concatenate([part.columns[name].values for part in parts])[order]
        columns[name] = EncodedColumn(first.variable, codes, values)
    return EncodedTable(n_rows, columns)
