"""Whole persons, drawn row after row: a block of persons at once, their first rows, then all second rows given the first, and so on.

A block depends on the seed, its number and how many rows are still wanted, so rows do not depend on batches or cores. The last
person's history is as long as there is room for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.outcome import Tally
from tabsynth.constraints.plan import RulePlan
from tabsynth.encode import Surrogate
from tabsynth.fake import FakeColumns
from tabsynth.models.base import BLOCK_ROWS, FittedModel, Progress, no_progress
from tabsynth.pipeline.completing import Completed
from tabsynth.pipeline.histories import Context
from tabsynth.pipeline.sampling import Sampler
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Kind, TableSchema

_BLOCK_PERSONS = 2 * BLOCK_ROWS
_PART_ROWS = 8192
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Persons:
    """One sampling of `n_rows` rows of `schema`, person by person. `plan` is that of the context's schema."""

    schema: TableSchema
    context: Context
    model: FittedModel
    plan: RulePlan
    surrogates: tuple[Surrogate, ...]
    streams: Streams
    n_rows: int
    tally: Tally

    def batches(self, progress: Progress) -> Iterator[pl.DataFrame]:
        """The rows as frames of bounded size; at least one, possibly empty. All rows of a person are in one."""
        rules = self.plan.constraints
        self.tally.begin([title_of(one.rule) for one in rules], self.plan.forms)
        self.tally.asks_for(())
        fake = FakeColumns(schema=self.schema, n_rows=self.n_rows, seed=self.streams.seed)
        fake.require_room()
        n_made = n_persons = block = 0
        if not self.n_rows:
            yield pl.DataFrame(schema={column.name: polars_dtype(column) for column in self.schema.columns})
        while n_made < self.n_rows:
            rows, persons = self._block(block, self.n_rows - n_made)
            rows = self._named(rows, persons + n_persons, n_made, block)
            rows = self._identifiers_in_order(fake.fill(rows, n_made), persons)
            yield rows.select(self.schema.column_names)
            n_made, n_persons, block = n_made + rows.height, n_persons + int(persons[-1]) + 1, block + 1
            progress("sampling", n_made / self.n_rows)

    def _block(self, number: int, n_left: int) -> tuple[pl.DataFrame, _Positions]:
        """Rows of persons, at most `n_left`, and the number of each row's person in the block, ascending."""
        drawn = self._first(number, n_left)
        totals = 1 + drawn[self.context.after].to_numpy()
        within = np.cumsum(totals)
        n_persons = min(int(np.searchsorted(within, n_left)) + 1, len(totals))
        drawn, totals = drawn[:n_persons], totals[:n_persons].copy()
        totals[-1] -= max(int(within[n_persons - 1]) - n_left, 0)
        found, persons = [drawn], [np.arange(n_persons)]
        for place in range(1, int(totals.max())):
            goes_on = totals[persons[-1]] > place
            who = persons[-1][goes_on]
            drawn = self._next(drawn.filter(pl.Series(goes_on)), totals[who] - place - 1, number, place)
            found.append(drawn)
            persons.append(who)
        whose = np.concatenate(persons)
        order = np.argsort(whose, kind="stable")
        return pl.concat(found)[order], whose[order]

    def _first(self, number: int, n_left: int) -> pl.DataFrame:
        """First rows of a block of persons, as many as there can be."""
        n_rows = min(_BLOCK_PERSONS, n_left)
        before = self.context.schema[self.context.before]
        nothing = [
            pl.Series(name, [None], dtype=polars_dtype(self.context.schema[name])).new_from_index(0, n_rows)
            for name in self.context.former.values()
        ]
        zero = pl.Series(self.context.before, np.zeros(n_rows), dtype=polars_dtype(before))
        return self._drawn(pl.DataFrame([zero, *nothing]), number, 0)

    def _next(self, rows: pl.DataFrame, after: _Positions, number: int, place: int) -> pl.DataFrame:
        """The row after each of `rows`, of persons of whom `after` more are to come then."""
        context = self.context
        counts = [
            pl.Series(name, cells, dtype=polars_dtype(context.schema[name]))
            for name, cells in (
                (context.before, np.full(rows.height, place)),
                (context.after, after),
            )
        ]
        former = [rows[name].alias(new) for name, new in context.former.items()]
        return self._drawn(
            pl.DataFrame([*counts, *former, *(rows[name] for name in context.constant)]), number, place
        )

    @cached_property
    def _per_row(self) -> RulePlan:
        return replace(self.plan, constraints=self.plan.per_row, forms=self.plan.forms_per_row)

    def _drawn(self, asked: pl.DataFrame, number: int, place: int) -> pl.DataFrame:
        """The rows completed, in order, some at a time on every core: each cell of `asked` is given."""
        parts = [asked[start : start + _PART_ROWS] for start in range(0, asked.height, _PART_ROWS)]

        def completed(part: int) -> tuple[pl.DataFrame, Tally]:
            tally = Tally(compares=False)
            sampler = Sampler(
                schema=self.context.schema,
                model=self.model,
                plan=self._per_row,
                surrogates=self.surrogates,
                streams=Streams(int(self.streams.generator("persons", number, place, part).integers(2**63))),
                n_rows=parts[part].height,
                request=Completed.of(parts[part], self._per_row, nulls=asked.columns, filled=()),
                tally=tally,
                is_pilot=True,
            )
            return pl.concat(sampler.batches(no_progress)), tally

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            found = list(pool.map(completed, range(len(parts))))
        for _, tally in found:
            self.tally.n_rows += tally.n_rows
            for what, counts in tally.counts.items():
                self.tally.add(what, counts)
        return pl.concat([rows for rows, _ in found])

    def _named(self, rows: pl.DataFrame, persons: _Positions, start: int, block: int) -> pl.DataFrame:
        """The rows with identifiers and texts of the whole table's: one name for each person."""
        made = []
        for one in self.surrogates:
            name = one.column.name
            if name == self.schema.unit.column:
                cells = one.numbered(persons + 1)
                is_alone = ~pl.Series(persons).is_duplicated()
                is_null = rows[name].is_null() & is_alone
            else:
                cells = one.make(self.n_rows, start, rows.height, streams=self.streams, block=block)
                is_null = rows[name].is_null()
            made.append(pl.select(pl.when(~is_null).then(cells).alias(name)).to_series())
        return rows.with_columns(made)

    def _identifiers_in_order(self, rows: pl.DataFrame, persons: _Positions) -> pl.DataFrame:
        """The rows with an identifier that orders them ascending within each person."""
        name = self.schema.unit.order_by
        assert name is not None
        if self.schema[name].kind is not Kind.IDENTIFIER:
            return rows
        ordered = pl.DataFrame([pl.Series("person", persons), rows[name].alias("cells")])
        return rows.with_columns(
            ordered.sort("person", "cells", maintain_order=True, nulls_last=True)["cells"].alias(name)
        )
