"""Synthetic rows block by block: drawn, decoded, brought under the rules, and with identifiers and texts made anew.

A block depends on the seed and its own number alone, so rows do not depend on batches or cores. Rules of all
rows together are held afterwards, block after block: of keys a set of those that were given is kept (8 bytes a
row), and where a column never falls within a group all rows are held in memory.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Constraint, Mask
from tabsynth.constraints.cells import number as cells_as_numbers
from tabsynth.constraints.change import changes
from tabsynth.constraints.conflict import claim_of
from tabsynth.constraints.enforce import MOST_TRIES, Block, Repaired, repair
from tabsynth.constraints.failure import Beside, unmet
from tabsynth.constraints.keys import Keys
from tabsynth.constraints.monotone import put_in_order, tied_columns
from tabsynth.constraints.outcome import Tally
from tabsynth.constraints.plan import RulePlan
from tabsynth.encode import EncodedColumn, EncodedTable, Surrogate, decode_table
from tabsynth.errors import ConstraintError
from tabsynth.fake import FakeColumns
from tabsynth.models.base import BLOCK_ROWS, FittedModel, Progress
from tabsynth.models.condition import Conditioned
from tabsynth.models.waiting import drawn_under
from tabsynth.pipeline.completing import Completed
from tabsynth.pipeline.requests import Request, Shares, Where
from tabsynth.randomness import Streams
from tabsynth.schema.rules import Unique, title_of
from tabsynth.schema.types import TableSchema

_BATCH_BLOCKS = 16
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sampler:
    """One sampling of `n_rows` rows, as `request` asks for them."""

    schema: TableSchema
    model: FittedModel
    plan: RulePlan
    surrogates: tuple[Surrogate, ...]
    streams: Streams
    n_rows: int
    request: Request | None
    tally: Tally
    is_pilot: bool = False
    """Whether the rows are only looked at: columns that have a generator are then left as they are."""
    most_tries: int = MOST_TRIES
    may_leave: bool = False

    def attempted(self) -> tuple[pl.DataFrame, Mask]:
        """All rows, of one block at most and as a pilot gives them, and which of them, (n_rows,), no try brought under the rules of single rows.

        These break some, if the sampler `may_leave` them.
        """
        self._begin()
        made = self._block(0)
        self._count(made)
        is_left = np.zeros(self.n_rows, dtype=np.bool_)
        is_left[made.repaired.left] = True
        rows = made.repaired.frame
        self._verified(rows.filter(pl.Series(~is_left)), np.flatnonzero(~is_left))
        return rows, is_left

    def batches(self, progress: Progress) -> Iterator[pl.DataFrame]:
        """The rows as frames of bounded size; at least one, possibly empty."""
        self._begin()
        n_blocks = max(1, math.ceil(self.n_rows / BLOCK_ROWS))
        keys = [
            Keys.of(
                one,
                self.n_rows,
                self.plan,
                missed=self._missed_anywhere,
                are_free=not isinstance(self.request, Completed) or not set(one.columns) & self._asked,
                fixed=() if self.request is None or isinstance(self.request, Where) else self._asked,
            )
            for one in self.plan.of_table
            if isinstance(one.rule, Unique)
        ]
        batches = self._in_batches(n_blocks, keys, progress)
        if self.is_pilot:
            return batches
        fake = FakeColumns(schema=self.schema, n_rows=self.n_rows, seed=self.streams.seed)
        fake.require_room()
        return self._filled(batches, fake)

    def _begin(self) -> None:
        """Tell the tally what is asked."""
        self.tally.begin([title_of(one.rule) for one in self.plan.constraints], self.plan.forms)
        reached = self.request.reached if isinstance(self.request, Shares) else ()
        n_outside = self.request.n_outside if isinstance(self.request, Completed) else 0
        columns = () if self.request is None else self.request.columns
        self.tally.asks_for(columns, reached, n_outside=n_outside)

    def _filled(self, batches: Iterator[pl.DataFrame], fake: FakeColumns) -> Iterator[pl.DataFrame]:
        """Batches one after another, with the cells of columns that have a generator, but for those that are given."""
        start = 0
        for batch in batches:
            yield self._overlaid(fake.fill(batch, start), start + np.arange(batch.height))
            start += batch.height

    @property
    def _missed_anywhere(self) -> Callable[[pl.DataFrame], Mask] | None:
        """What no row may be, where all rows are asked for the same."""
        return self.request.held.missed if isinstance(self.request, Where) else None

    def _in_batches(self, n_blocks: int, keys: list[Keys], progress: Progress) -> Iterator[pl.DataFrame]:
        ordered = [one for one in self.plan.of_table if not isinstance(one.rule, Unique)]
        whole: list[pl.DataFrame] = []
        pl.Series(np.zeros(1))  # or two threads import numpy into polars at once, which it does not bear
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for start in range(0, n_blocks, _BATCH_BLOCKS):
                numbers = range(start, min(start + _BATCH_BLOCKS, n_blocks))
                frames = []
                for number, made in zip(numbers, pool.map(self._block, numbers), strict=True):
                    self._count(made)
                    rng = self.streams.generator("rules.keys", number)
                    frame = made.repaired.frame
                    for at, key in enumerate(keys):
                        frame, n_swapped, n_redrawn = key.hold(frame, made.block, rng, beside=keys[:at])
                        self._touch(key.constraint, swapped=n_swapped, redrawn=n_redrawn)
                    for key in keys:
                        key.remember(frame)
                    if number == 0:
                        self._compare(made, frame)
                    frames.append(frame)
                batch = pl.concat(frames)
                progress("sampling", numbers.stop / n_blocks)
                if ordered:
                    whole.append(batch)
                else:
                    yield self._verified(batch, start * BLOCK_ROWS + np.arange(batch.height), with_table=True)
        if ordered:
            rows = pl.concat(whole)
            for one in ordered:
                rows = self._in_order(rows, one)
            rows = self._verified(
                self._overlaid(rows, np.arange(rows.height)), np.arange(rows.height), with_table=True
            )
            for start in range(0, max(rows.height, 1), _BATCH_BLOCKS * BLOCK_ROWS):
                yield rows.slice(start, _BATCH_BLOCKS * BLOCK_ROWS)

    def _in_order(self, rows: pl.DataFrame, one: Constraint) -> pl.DataFrame:
        """All rows with a column in order, its ties to others kept, and what is computed from it computed again."""
        fixed = self._asked if isinstance(self.request, Completed) else set()
        tied = tied_columns(one, self.plan.constraints, fixed=fixed)
        found, n_swapped, n_apart = put_in_order(rows, one, self.schema, tied=tied)
        self._touch(one, swapped=n_swapped, redrawn=n_apart)
        found = self.plan.recomputed(found)
        if self.tally.compares and n_swapped + n_apart:
            (changed,) = changes(rows, found, self.schema, [one.columns])
            self.tally.changes[self.plan.constraints.index(one)] = changed
        return found

    def _block(self, number: int) -> _Made:
        """A block under the rules of single rows, and what more rows for it are made by."""
        start = number * BLOCK_ROWS
        n_rows = min(BLOCK_ROWS, self.n_rows - start)
        drawn = self._drawn(number, start + np.arange(n_rows), self.streams)
        cells = pl.DataFrame(
            [
                one.make(self.n_rows, start, n_rows, streams=self.streams, block=number).alias(
                    one.column.name
                )
                for one in self._surrogates
            ]
        )

        def redraw(positions: _Positions, attempt: int) -> pl.DataFrame:
            seed = self.streams.generator("rules.redraw", number, attempt).integers(2**63)
            return self._learnt(self._drawn(number, start + positions, Streams(int(seed))))

        request = self.request
        read = {name for one in self.plan.repaired for name in one.columns}
        block = Block(
            whole=lambda rows, positions: self._whole(rows, cells, positions, start),
            redraw=redraw,
            part=lambda rows, positions: self._whole(rows, cells, positions, start, only=read | self._asked),
            constraints=self.plan.repaired,
            sources=self._sources,
            read=frozenset(
                {_ROW, *self.plan.sources(sorted(read | self._asked)), *map(_missing, read | self._asked)}
            ),
            numbers={c.name: cells_as_numbers(c) for c in self.plan.working.columns if c.kind.is_continuous},
            most_redrawn=BLOCK_ROWS,
            most_tries=self.most_tries,
            may_leave=self.may_leave,
            held=None
            if request is None
            else lambda frame, positions: request.missed(frame, start + positions),
            beside=self._beside,
        )
        repaired = repair(self._learnt(drawn), block, self.streams.generator("rules.swap", number))
        return _Made(block, repaired, drawn)

    @cached_property
    def _beside(self) -> Beside:
        """What the model's rows keep, for the words of an error."""
        plan, request = self.plan, self.request
        own = ""
        if request is not None and not isinstance(request, Where):
            what = "the conditions on"
            if isinstance(request, Completed):
                what = f"the given cells{' and those to be filled' if request.filled else ''} of"
            own = f"{what} {', '.join(request.columns)}"
        return Beside(
            schema=plan.schema,
            rules=tuple(claim_of(one) for one in plan.per_row),
            sure=tuple(claim_of(one) for one in plan.sure),
            asked=request.held.claims if isinstance(request, Where) else (),
            own=own,
        )

    @cached_property
    def _asked(self) -> set[str]:
        return set() if self.request is None else set(self.request.columns)

    @cached_property
    def _surrogates(self) -> tuple[Surrogate, ...]:
        """With identifiers counted where a rule wants them unique."""
        return tuple(replace(one, column=self.plan.schema[one.column.name]) for one in self.surrogates)

    @cached_property
    def _sources(self) -> tuple[tuple[str, ...], ...]:
        """Of each rule the columns of `_learnt` that it comes from, and that may be exchanged between rows."""
        missing = {one.column.name: _missing(one.column.name) for one in self.surrogates}
        fixed = frozenset() if self.request is None else self.request.fixed
        return tuple(
            tuple(missing.get(name, name) for name in self.plan.sources(one.columns) if name not in fixed)
            for one in self.plan.repaired
        )

    def _learnt(self, drawn: Conditioned) -> pl.DataFrame:
        """Rows of the learnt columns, with a column of where each text or identifier is missing."""
        encoded = drawn.rows
        learnt = decode_table(encoded, self.plan.working)
        extra = [pl.Series(_ROW, np.arange(encoded.n_rows))]
        for one in self.surrogates:
            name = one.column.name
            if name in encoded.columns:
                extra.append(pl.Series(_missing(name), encoded.columns[name].codes != 0))
        return pl.DataFrame([*learnt.get_columns(), *extra])

    def _drawn(self, number: int, rows: _Positions, streams: Streams) -> Conditioned:
        """Rows as the model draws them, for these positions of the whole table."""
        parts = [] if self.request is None else self.request.parts(rows)
        if len(parts) == 1:
            part = parts[0]
            return drawn_under(
                self.model,
                number,
                n_rows=len(rows),
                streams=streams,
                conditions=part.conditions,
                given=part.given,
            )
        if not parts:
            encoded = self.model.sample_block(number, n_rows=len(rows), streams=streams)
            return Conditioned(rows=encoded, effective=float(len(rows)))
        found = []
        for at, part in enumerate(parts):
            own = Streams(int(streams.generator("conditions.part", number, at).integers(2**63)))
            found.append(
                drawn_under(
                    self.model,
                    number,
                    n_rows=len(part.places),
                    streams=own,
                    conditions=part.conditions,
                    given=part.given,
                )
            )
        return Conditioned(
            rows=_merged([one.rows for one in found], [part.places for part in parts]),
            effective=sum(one.effective for one in found),
            n_moved=sum(one.n_moved for one in found),
        )

    def _overlaid(self, frame: pl.DataFrame, rows: _Positions) -> pl.DataFrame:
        return frame if self.request is None else self.request.overlaid(frame, rows)

    def _whole(
        self,
        learnt: pl.DataFrame,
        cells: pl.DataFrame,
        positions: _Positions,
        start: int,
        *,
        only: set[str] | None = None,
    ) -> pl.DataFrame:
        """The schema's columns from learnt ones and from the identifiers and texts at those positions.

        `only` names the columns that are wanted at least.
        """
        inner = pl.DataFrame([cells for cells in learnt.get_columns() if not cells.name.startswith(_MARK)])
        columns = {series.name: series for series in self.plan.invert(inner, only=only).get_columns()}
        for series in cells.get_columns():
            if only is not None and series.name not in only:
                continue
            text = series.gather(positions)
            missing = _missing(series.name)
            if missing in learnt.columns:
                text = pl.select(pl.when(~learnt[missing]).then(text)).to_series()
            columns[series.name] = text.alias(series.name)
        if only is not None:
            made = pl.DataFrame([*columns.values(), pl.Series(_ROW, positions)])
        else:
            made = pl.DataFrame([columns[name].alias(name) for name in self.schema.column_names])
        return self._overlaid(made, start + positions)

    def _count(self, made: _Made) -> None:
        """Add what was done to a block; a rule that is checked in two ways counts once."""
        repaired = made.repaired
        self.tally.add_drawn(
            repaired.frame.height,
            effective=made.drawn.effective,
            n_moved=made.drawn.n_moved,
            n_missed=repaired.n_missed,
        )
        for what in ("broken", "swapped", "redrawn"):
            counts = np.zeros(len(self.plan.constraints), dtype=np.int64)
            np.add.at(counts, self._places, getattr(repaired, what))
            self.tally.add(what, counts)

    def _compare(self, made: _Made, final: pl.DataFrame) -> None:
        """Note what became of the rules' columns in a block, where rows of it were touched."""
        if self.tally.compares and self.tally.counts["broken"].any():
            first = made.block.whole(self._learnt(made.drawn), np.arange(final.height))
            rules = [one.columns for one in self.plan.constraints]
            self.tally.changes = dict(enumerate(changes(first, final, self.schema, rules)))

    @cached_property
    def _places(self) -> list[int]:
        """The position in the schema of every rule that rows are repaired for."""
        rules = [one.rule for one in self.plan.constraints]
        return [next(at for at, rule in enumerate(rules) if rule is one.rule) for one in self.plan.repaired]

    def _touch(self, constraint: Constraint, **rows: int) -> None:
        """Count rows that broke a rule of all rows, by what was done to them."""
        is_mine = np.array([one is constraint for one in self.plan.constraints], dtype=np.int64)
        for what, n in {"broken": sum(rows.values()), **rows}.items():
            self.tally.add(what, n * is_mine)

    def _verified(
        self, rows: pl.DataFrame, positions: _Positions, *, with_table: bool = False
    ) -> pl.DataFrame:
        """The rows, which stand at these positions, once more held against every rule and condition; what is given out breaks none."""
        checked = (*self.plan.checked, *(self.plan.of_table if with_table else ()))
        broken = [(one, n) for one in checked if (n := int(one.violations(rows).sum()))]
        if broken:
            raise ConstraintError(unmet(broken, self.plan.of_table, n_rows=rows.height))
        if self.request is not None and not isinstance(self.request, Shares):
            missed = self.request.missed(rows, positions)
            if missed.any():
                raise ConstraintError(
                    f"rules of all rows together move {int(missed.sum()):,} rows away from the conditions"
                )
        self.tally.n_rows += rows.height
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A block, its final rows, and the rows that the model drew for it."""

    block: Block
    repaired: Repaired
    drawn: Conditioned


_MARK = "\0"
_ROW = f"{_MARK}row"


def _missing(name: str) -> str:
    """The column that says where a text or an identifier is missing."""
    return f"{_MARK}{name}"


def _merged(tables: list[EncodedTable], places: list[_Positions]) -> EncodedTable:
    """The rows of several tables as one, each table's in its places."""
    order = np.argsort(np.concatenate(places), kind="stable")
    columns = {}
    for name, first in tables[0].columns.items():
        codes = np.concatenate([table.columns[name].codes for table in tables])[order]
        values = None
        if first.values is not None:
            values = np.concatenate([table.columns[name].values for table in tables])[order]
        columns[name] = EncodedColumn(first.variable, codes, values)
    return EncodedTable(len(order), columns)
