"""Whole persons, drawn row after row: a block of persons at once, their first rows, then all second rows given the first, and so on.

How many rows persons have is drawn first. A person whose next row no try brings under the rules is drawn again from the first row on, and in the
end cut short: drawing the row alone again would leave persons whom nothing can follow. A block depends on the seed, its number and how many
rows are still wanted, so rows do not depend on batches or cores. The last person's history is as long as there is room for.
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

from tabsynth.constraints.base import Mask
from tabsynth.constraints.enforce import MOST_TRIES
from tabsynth.constraints.outcome import Tally
from tabsynth.constraints.plan import RulePlan
from tabsynth.encode import Surrogate
from tabsynth.encode.successions import order_keys
from tabsynth.fake import FakeColumns
from tabsynth.models.base import BLOCK_ROWS, FittedModel, Progress
from tabsynth.pipeline.completing import Completed
from tabsynth.pipeline.histories import Context
from tabsynth.pipeline.lengths import Lengths
from tabsynth.pipeline.sampling import Sampler
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

_BLOCK_PERSONS = 2 * BLOCK_ROWS
_PART_ROWS = 8192
_ATTEMPTS = 8
"""How often a person is drawn at most, the last time to be cut short."""
_TRIES = 4
"""How often rows are drawn again that break a rule, before their persons are."""
_Positions = npt.NDArray[np.int64]
_Done = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Rows of persons, by the person's number and how many of the person's rows come before, (n_rows,); the persons, (n_persons,), who lack rows."""

    rows: pl.DataFrame
    persons: _Positions
    place: _Positions
    is_short: Mask


@dataclass(frozen=True, eq=False, kw_only=True)
class Persons:
    """One sampling of `n_rows` rows of `schema`, person by person. `plan` is that of the context's schema."""

    schema: TableSchema
    context: Context
    lengths: Lengths
    is_strict: bool
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
        kept = frozenset(self.context.kept)
        fake = FakeColumns(schema=self.schema, n_rows=self.n_rows, seed=self.streams.seed, kept=kept)
        fake.require_room()
        n_made = n_persons = block = 0
        if not self.n_rows:
            yield pl.DataFrame(schema={column.name: polars_dtype(column) for column in self.schema.columns})
        while n_made < self.n_rows:

            def done(n: int, made: int = n_made) -> None:
                progress("sampling", min(1.0, (made + n) / self.n_rows))

            rows, persons = self._block(block, self.n_rows - n_made, done)
            rows = self._named(rows, persons, n_made, n_persons, block)
            rows = fake.fill(rows, n_made, histories=(persons + n_persons).astype(np.uint64))
            self.tally.n_rows += rows.height
            yield rows.select(self.schema.column_names)
            n_made, n_persons, block = n_made + rows.height, n_persons + int(persons[-1]) + 1, block + 1

    def _block(self, number: int, n_left: int, done: _Done) -> tuple[pl.DataFrame, _Positions]:
        """Rows of persons, at most `n_left`, in order, and the number of each row's person in the block, ascending."""
        totals = self._totals(number, n_left)
        waiting = np.arange(len(totals))
        found: list[pl.DataFrame] = []
        persons: list[_Positions] = []
        place: list[_Positions] = []
        for attempt in range(_ATTEMPTS):
            is_last = attempt == _ATTEMPTS - 1
            drawn = self._attempt(totals[waiting], (number, attempt), done, is_last=is_last)
            stays = ~drawn.is_short[drawn.persons] | is_last
            found.append(drawn.rows.filter(pl.Series(stays)))
            persons.append(waiting[drawn.persons[stays]])
            place.append(drawn.place[stays])
            waiting = waiting[drawn.is_short]
            if not len(waiting):
                break
        rows, whose = pl.concat(found), np.concatenate(persons)
        keys: list[npt.NDArray[np.generic]] = [np.concatenate(place)]
        if self._order.kind is not Kind.IDENTIFIER:  # a null between two of them comes last, as in the source
            keys += order_keys(Table(self.schema, rows.select(self.schema.column_names)))
        order = np.lexsort((*keys, whose))
        return rows[order], whose[order]

    def _totals(self, number: int, n_left: int) -> _Positions:
        """How many rows each person of a block has: `n_left` together, or fewer where that is more than one block's."""
        n_persons = min(_BLOCK_PERSONS, math.ceil(n_left / self.lengths.mean))
        totals = self.lengths.draw(n_persons, self.streams.generator("persons.lengths", number))
        within = np.cumsum(totals)
        totals = totals[: int(np.searchsorted(within, n_left)) + 1]
        totals[-1] -= max(int(within[len(totals) - 1]) - n_left, 0)
        return totals

    def _attempt(self, totals: _Positions, key: tuple[int, int], done: _Done, *, is_last: bool) -> _Drawn:
        """Persons of so many rows, as far as rows can be brought under the rules; the last time, at least one row of each."""
        who = np.arange(len(totals))
        is_short = np.zeros(len(totals), dtype=np.bool_)
        found: list[pl.DataFrame] = []
        persons: list[_Positions] = []
        place = 0
        rows = self._first(totals - 1)
        while True:
            drawn, is_left = self._drawn(rows, (*key, place), may_leave=not is_last or place > 0)
            is_short[who[is_left]] = True
            drawn, who = drawn.filter(pl.Series(~is_left)), who[~is_left]
            found.append(drawn)
            persons.append(who)
            done(sum(map(len, persons)))
            place += 1
            goes_on = totals[who] > place
            if not goes_on.any():
                break
            drawn, who = drawn.filter(pl.Series(goes_on)), who[goes_on]
            rows = self._next(drawn, place, totals[who] - 1 - place)
        places = np.repeat(np.arange(len(found)), [rows.height for rows in found])
        return _Drawn(pl.concat(found), np.concatenate(persons), places, is_short)

    def _first(self, after: _Positions) -> pl.DataFrame:
        """What first rows of persons are given of whom `after` more rows are to come."""
        nothing = [
            pl.Series(name, [None], dtype=polars_dtype(self.context.schema[name])).new_from_index(
                0, len(after)
            )
            for name in self.context.former.values()
        ]
        return pl.DataFrame([*self._counts(0, after), *nothing])

    def _next(self, rows: pl.DataFrame, place: int, after: _Positions) -> pl.DataFrame:
        """What the row after each of `rows` is given, of persons of whom `after` more are to come then."""
        former = [rows[name].alias(new) for name, new in self.context.former.items()]
        constant = [rows[name] for name in self.context.constant]
        return pl.DataFrame([*self._counts(place, after), *former, *constant])

    def _counts(self, place: int, after: _Positions) -> list[pl.Series]:
        context = self.context
        return [
            pl.Series(name, np.minimum(cells, context.farthest), dtype=polars_dtype(context.schema[name]))
            for name, cells in ((context.before, np.full(len(after), place)), (context.after, after))
        ]

    @cached_property
    def _per_row(self) -> RulePlan:
        return replace(self.plan, constraints=self.plan.per_row, forms=self.plan.forms_per_row)

    @property
    def _order(self) -> Column:
        assert self.schema.unit.order_by is not None
        return self.schema[self.schema.unit.order_by]

    def _drawn(
        self, asked: pl.DataFrame, key: tuple[int, int, int], *, may_leave: bool
    ) -> tuple[pl.DataFrame, Mask]:
        """The rows completed, in order, some at a time on every core: each cell of `asked` is given. And which of them, (n_rows,), break rules."""
        parts = [asked[start : start + _PART_ROWS] for start in range(0, asked.height, _PART_ROWS)]

        def completed(part: int) -> tuple[pl.DataFrame, Mask, Tally]:
            tally = Tally(compares=False)
            sampler = Sampler(
                schema=self.context.schema,
                model=self.model,
                plan=self._per_row,
                surrogates=self.surrogates,
                streams=Streams(int(self.streams.generator("persons", *key, part).integers(2**63))),
                n_rows=parts[part].height,
                request=Completed.of(parts[part], self._per_row, nulls=asked.columns, filled=()),
                tally=tally,
                is_pilot=True,
                most_tries=_TRIES if may_leave else MOST_TRIES,
                may_leave=may_leave,
            )
            return *sampler.attempted(), tally

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            found = list(pool.map(completed, range(len(parts))))
        if key[1] == 0:  # who is drawn again counts once
            for _, _, tally in found:
                for what, counts in tally.counts.items():
                    self.tally.add(what, counts)
        return pl.concat([rows for rows, _, _ in found]), np.concatenate([left for _, left, _ in found])

    def _named(
        self, rows: pl.DataFrame, persons: _Positions, start: int, n_persons: int, block: int
    ) -> pl.DataFrame:
        """The rows with identifiers and texts of the whole table's: one name for each person, and what is kept from the first row on.

        An identifier that orders the rows of a person never falls, and rises where the source's do.
        """
        first = np.flatnonzero(np.r_[True, persons[1:] != persons[:-1]])
        made = []
        for one in self.surrogates:
            name = one.column.name
            is_null = rows[name].is_null().to_numpy()
            if name == self.schema.unit.column:
                cells = one.numbered(persons + n_persons + 1)
                is_null &= np.bincount(persons)[persons] == 1
            elif name in self.context.kept:
                n_all = math.ceil(self.n_rows / self.lengths.mean)
                own = one.make(n_all, n_persons, len(first), streams=self.streams, block=block)
                cells, is_null = own[persons], is_null[first][persons]
            elif name == self.schema.unit.order_by:
                numbers = one.numbers(self.n_rows, start, rows.height, streams=self.streams, block=block)
                numbers = numbers[np.lexsort((numbers, persons))]
                cells = one.numbered(_rising(numbers, persons) if self.is_strict else numbers)
                is_null = is_null[np.lexsort((is_null, persons))]
            else:
                cells = one.make(self.n_rows, start, rows.height, streams=self.streams, block=block)
            made.append(pl.select(pl.when(pl.Series(~is_null)).then(cells).alias(name)).to_series())
        return rows.with_columns(made)


def _rising(numbers: _Positions, persons: _Positions) -> _Positions:
    """Numbers that never fall within a person, raised by as little as makes them rise; rows of a person stand together."""
    place = np.arange(len(persons)) - np.searchsorted(persons, persons)
    apart = int(numbers.max()) + len(persons)
    reached = np.maximum.accumulate(numbers - place + apart * persons)
    return reached - apart * persons + place
