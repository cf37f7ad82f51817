"""Whole persons, drawn row after row: a block of persons at once, their first rows, then all second rows given the first, and so on.

How many rows persons have is drawn first. A row that no try brings under the rules may be the fault of those before it, which leave no room for it: then
one row more is drawn again, then some more, and the person is cut short in the end. A block depends on the seed, its number and how many
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
from tabsynth.errors import UsageError
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
_TRIES = 4
"""How often rows are drawn again that break a rule, before rows before them are."""
_BACK = (1, 4, 16, 64)
"""How many rows before a row that cannot be are drawn again, one after the other."""
_MOST_BACK = 4
"""How many rows are drawn again in all for each that is wanted; a few at once count as `_FEW`, as they take about as long."""
_FEW = 256
_Positions = npt.NDArray[np.int64]
_Done = Callable[[int], None]


@dataclass(slots=True)
class _Place:
    """The rows of a block at one place of their histories, and whose they are, (n_rows,)."""

    rows: pl.DataFrame
    persons: _Positions

    def of(self, chosen: Mask) -> _Place:
        """The rows where `chosen`, (n_rows,)."""
        return _Place(self.rows.filter(pl.Series(chosen)), self.persons[chosen])

    def aligned(self, persons: _Positions) -> pl.DataFrame:
        """The rows of these persons, in their order; all have one."""
        order = np.argsort(self.persons)
        return self.rows[order[np.searchsorted(self.persons, persons, sorter=order)]]

    def put(self, other: _Place) -> None:
        """Take the other's rows in the place of those of the same persons, if they have any here."""
        kept = self.of(~np.isin(self.persons, other.persons))
        self.rows = pl.concat([kept.rows, other.rows])
        self.persons = np.concatenate([kept.persons, other.persons])


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
        fake = self._fake
        self._require_names(math.ceil(self.n_rows / self.lengths.mean))
        n_made = n_persons = block = 0
        if not self.n_rows:
            yield pl.DataFrame(schema={column.name: polars_dtype(column) for column in self.schema.columns})
        while n_made < self.n_rows:

            def done(n: int, made: int = n_made) -> None:
                progress("sampling", min(1.0, (made + n) / self.n_rows))

            rows, persons = self._block(block, self.n_rows - n_made, done)
            self._require_names(n_persons + int(persons[-1]) + 1)
            rows = self._named(rows, persons, n_made, n_persons, block)
            rows = fake.fill(rows, n_made, histories=(persons + n_persons).astype(np.uint64))
            self.tally.n_rows += rows.height
            yield rows.select(self.schema.column_names)
            n_made, n_persons, block = n_made + rows.height, n_persons + int(persons[-1]) + 1, block + 1

    @cached_property
    def _fake(self) -> FakeColumns:
        """Makes what has a generator, with a name of their own for all persons. Raises `UsageError` where rows have too little room."""
        FakeColumns(schema=self.schema, n_rows=self.n_rows, seed=self.streams.seed).require_room()
        person = self.context.person
        columns = tuple(
            replace(column, unique=column.unique or column.name == person) for column in self.schema.columns
        )
        return FakeColumns(
            schema=replace(self.schema, columns=columns),
            n_rows=self.n_rows,
            seed=self.streams.seed,
            kept=frozenset({person, *self.context.kept}),
        )

    def _require_names(self, n_persons: int) -> None:
        """Raise `UsageError` where the generator of persons' names has fewer than there are persons."""
        person = self.context.person
        what = replace(self._fake, n_rows=n_persons).without_room.get(person)
        if what is not None:
            what = what.replace(" rows need", " persons need")
            raise UsageError(f"column {person!r} names persons: {what} (a wider pattern, or fewer rows)")

    def _block(self, number: int, n_left: int, done: _Done) -> tuple[pl.DataFrame, _Positions]:
        """Rows of persons, at most `n_left`, in order, and the number of each row's person in the block, ascending."""
        totals = self._totals(number, n_left)
        everybody = np.arange(len(totals))
        rows, _ = self._drawn(self._first(totals - 1), (number, 0, 0, 0), may_leave=False)
        walked = [_Place(rows, everybody)]
        n_again, most = 0, _MOST_BACK * (int(totals.sum()) + _FEW * int(totals.max()))
        while True:
            place, before = len(walked), walked[-1]
            before = before.of(totals[before.persons] > place)
            if not len(before.persons):
                break
            who = before.persons
            rows, is_left = self._drawn(
                self._next(before.rows, place, totals[who] - 1 - place), (number, place, 0, place)
            )
            walked.append(_Place(rows, who).of(~is_left))
            lost = who[is_left]
            for back in _BACK:
                if not len(lost) or n_again > most:
                    break
                n_again += (min(back, place) + 1) * max(len(lost), _FEW)
                lost = self._again(walked, lost, totals, (number, back))
            totals[lost] = place
            self.tally.n_cut += len(lost)
            done(sum(len(one.persons) for one in walked))
        rows = pl.concat([one.rows for one in walked])
        whose = np.concatenate([one.persons for one in walked])
        keys: list[npt.NDArray[np.generic]] = [
            np.repeat(np.arange(len(walked)), [len(one.persons) for one in walked])
        ]
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

    def _again(
        self, walked: list[_Place], lost: _Positions, totals: _Positions, key: tuple[int, int]
    ) -> _Positions:
        """Draw `lost` persons' rows at the last place again, and those at some places before it; who is still lost.

        `key` holds the block and how many places those are, from the first on if there are not as many.
        """
        last = len(walked) - 1
        start = max(last - key[1], 0)
        who, found = lost, []
        rows = walked[start - 1].aligned(who) if start else None
        for place in range(start, last + 1):
            after = totals[who] - 1 - place
            asked = self._first(after) if rows is None else self._next(rows, place, after)
            rows, is_left = self._drawn(asked, (key[0], last, key[1], place))
            found.append(_Place(rows, who).of(~is_left))
            rows, who = found[-1].rows, found[-1].persons
            if not len(who):
                return lost
        for place, one in enumerate(found, start):
            walked[place].put(one.of(np.isin(one.persons, who)))
        return lost[~np.isin(lost, who)]

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
        self, asked: pl.DataFrame, key: tuple[int, int, int, int], *, may_leave: bool = True
    ) -> tuple[pl.DataFrame, Mask]:
        """The rows completed, in order, some at a time on every core: each cell of `asked` is given. And which of them, (n_rows,), break rules.

        `key`: the block, the place that it has come to, how many rows before are drawn again, and the place of these rows.
        """
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

        if len(parts) == 1:
            found = [completed(0)]
        else:
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                found = list(pool.map(completed, range(len(parts))))
        if key[2] == 0:  # what is drawn again counts once
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
