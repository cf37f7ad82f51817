"""The columns of a table that are made anew, filled in once a row's other cells stand.

Values depend on the seed, the row's number (or the cell that names its person) and the declared generator alone:
never on the batch, and never on the source, which this module does not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.errors import UsageError
from tabsynth.fake import numbers as made
from tabsynth.fake.hashing import MOST, U64, hashed_cells, key_of, mixed, permuted
from tabsynth.fake.people import TEXTS, People
from tabsynth.fake.words import Words
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.generators import (
    COUNTRIES,
    MASK,
    NATIONAL_IDS,
    PLACES,
    WAYS,
    generator_of,
    is_counted,
    person_of,
    text_of,
)
from tabsynth.schema.types import Column, Generator, Kind, Scalar, TableSchema


@dataclass(frozen=True, eq=False, kw_only=True)
class FakeColumns:
    """What fills the made-up columns of one sampling of `n_rows` rows."""

    schema: TableSchema
    n_rows: int
    seed: int
    kept: frozenset[str] = frozenset()
    """Columns that are made by the number of the row's history instead of its own, where `fill` is told of one."""

    def require_room(self) -> None:
        """Raise `UsageError`, listing every column whose generator has fewer values than rows need."""
        faults = [
            f"column {name!r}: {what} (a wider pattern, fewer rows, or leave unique out)"
            for name, what in self.without_room.items()
        ]
        if faults:
            raise UsageError("unique columns have too little room: " + "; ".join(faults))

    @property
    def without_room(self) -> dict[str, str]:
        """The unique columns whose generator has fewer values than rows need, and how many of each."""
        found = {}
        for column in self._columns:
            capacity = capacity_of(self._generator(column)) if column.unique else None
            if capacity is not None and self.n_rows > capacity:
                make = self._generator(column).make
                found[column.name] = (
                    f"{make} gives {capacity:,} different values, {self.n_rows:,} rows need as many"
                )
        return found

    def fill(self, frame: pl.DataFrame, start: int, *, histories: U64 | None = None) -> pl.DataFrame:
        """Rows from number `start` on, every cell of a made-up column that is not null made.

        `histories`, (n_rows,): a number for each row that is the same in all rows which `kept` columns are to be the same in.
        """
        rows = np.arange(start, start + frame.height, dtype=np.uint64)
        by_row: dict[str, People] = {}
        by_history: dict[str, People] = {}
        for column in self._columns:
            if histories is not None and column.name in self.kept:
                cells = self._cells(column, frame, histories, by_history)
            else:
                cells = self._cells(column, frame, rows, by_row)
            frame = frame.with_columns(self._stored(column, cells, frame[column.name]))
        return frame

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        """In the order in which they can be made: those that name persons first, templates last."""
        found = [
            column
            for column in self.schema.columns
            if not column.kind.is_modelled and not is_counted(column) and generator_of(column) is not None
        ]
        return tuple(sorted(found, key=self._rank))

    def _rank(self, column: Column) -> int:
        found = self._generator(column)
        if found.make == "template":
            return 2
        return int(WAYS[found.make].is_personal or found.person is not None)

    def _generator(self, column: Column) -> Generator:
        """How the column is made, numbers of a country's by the locale that any column of the person says."""
        found = generator_of(column)
        assert found is not None
        if found.make not in ("phone", "national_id") or found.locale is not None:
            return found
        locale = person_of(self.schema, found.who).locale
        is_known = found.make == "phone" or locale in NATIONAL_IDS
        return replace(found, locale=locale) if is_known else found

    def _cells(self, column: Column, frame: pl.DataFrame, rows: U64, people: dict[str, People]) -> pl.Series:
        found = self._generator(column)
        if found.make == "mask":
            return pl.repeat(found.text or MASK, frame.height, dtype=pl.String, eager=True)
        if found.make == "template":
            return _written(found.text or "", frame)
        if WAYS[found.make].is_personal:
            who = found.who or ""
            people[who] = people.get(who) or self._people(found, frame, rows)
            if found.make in TEXTS:
                return TEXTS[found.make](people[who])
            if found.make == "email":
                return people[who].email(rows if column.unique else None)
            return self._numbered(column, found, rows if column.unique else people[who].ids)
        return self._numbered(column, found, self._numbers(column, frame, rows))

    def _people(self, found: Generator, frame: pl.DataFrame, rows: U64) -> People:
        person = person_of(self.schema, found.who)
        return People(
            ids=self._ids(person.person, person.who, frame, rows),
            sexes=_sexes(person, frame),
            locale=person.locale,
            seed=self.seed,
        )

    def _ids(self, person: str | None, who: str | None, frame: pl.DataFrame, rows: U64) -> U64:
        """64 bits for each row's person: by the cell that names it, or else by the row."""
        if person is not None:
            return hashed_cells(frame[person], key_of(self.seed, "person", who or ""))
        return mixed(rows, key_of(self.seed, "row's person", self.schema.name, who or ""))

    def _numbers(self, column: Column, frame: pl.DataFrame, rows: U64) -> U64:
        """What each cell is made from: the number that stands in its place, the row, or the person."""
        found = self._generator(column)
        if column.unique:
            return rows
        if found.person is None and column.kind is Kind.IDENTIFIER:
            return frame[column.name].cast(pl.UInt64, strict=False).fill_null(0).to_numpy().astype(np.uint64)
        return self._ids(found.person, found.who, frame, rows)

    def _numbered(self, column: Column, found: Generator, numbers: U64) -> pl.Series:
        """Numbers to texts: a permutation of the numbers, so that those that differ stay different."""
        label = ("cells", found.make, column.name if found.person is None else "")
        key = key_of(self.seed, *label)
        capacity = min(capacity_of(found) or MOST, MOST)
        at = permuted(numbers % np.uint64(capacity), capacity, key)
        if found.make == "pattern":
            words = Words(found.pattern or "")
            return words.write(at, lambda position: mixed(numbers, key_of(self.seed, *label, position)))
        if found.make == "uuid":
            return _uuids(at, mixed(numbers, key_of(self.seed, *label, "high")))
        return _MAKERS[found.make](at, found)

    def _stored(self, column: Column, cells: pl.Series, now: pl.Series) -> pl.Series:
        """Cells in the column's type, null where they are null now. Raises `UsageError` where a number does not fit."""
        wanted = polars_dtype(column)
        made_cells = pl.select(pl.when(pl.lit(now.is_not_null())).then(pl.lit(cells))).to_series()
        stored = made_cells.cast(wanted, strict=False)
        n_lost = stored.null_count() - made_cells.null_count()
        if n_lost:
            raise UsageError(
                f"column {column.name!r}: {column.dtype} cannot hold {n_lost:,} of the values that its generator gives"
            )
        return stored.alias(column.name)


def fresh_cells(column: Column, *, n: int, taken: pl.Series) -> pl.Series:
    """`n` different values of an identifier's generator, none of them among `taken`.

    The generator is one that can be unique. Raises `UsageError` where it has too few values.
    """
    found = generator_of(column)
    assert found is not None
    alone = replace(
        column,
        nullable=False,
        unique=True,
        generator=replace(found, person=None, sex=None, female=(), male=()),
    )
    n_made = n + len(taken)
    fake = FakeColumns(schema=TableSchema(name="fresh", columns=(alone,)), n_rows=n_made, seed=0)
    fake.require_room()
    numbers = pl.Series(column.name, np.arange(1, n_made + 1)).cast(polars_dtype(column))
    made_cells = fake.fill(numbers.to_frame(), 0)[column.name]
    return made_cells.filter(~made_cells.is_in(taken.implode()))[:n]


def capacity_of(found: Generator) -> int | None:
    """How many different values a generator gives; None where rows never run out of them."""
    if found.make == "pattern":
        return Words(found.pattern or "").capacity
    capacity = _CAPACITIES.get(found.make)
    return None if capacity is None else capacity(found)


_CAPACITIES: Mapping[str, Callable[[Generator], int]] = {
    "card": lambda _: made.card_capacity(),
    "iban": lambda found: made.iban_capacity(found.country or next(iter(COUNTRIES))),
    "nhs_number": lambda _: made.nhs_capacity(),
    "national_id": lambda found: made.national_id_capacity(found.locale),
    "phone": lambda found: made.phone_capacity(found.locale),
}
_MAKERS: Mapping[str, Callable[[U64, Generator], pl.Series]] = {
    "card": lambda at, _: made.cards(at),
    "iban": lambda at, found: made.ibans(at, found.country or next(iter(COUNTRIES))),
    "nhs_number": lambda at, _: made.nhs_numbers(at),
    "national_id": lambda at, found: made.national_ids(at, found.locale),
    "phone": lambda at, found: made.phones(at, found.locale),
}


def _uuids(low: U64, high: U64) -> pl.Series:
    """Version 4 of RFC 9562: 62 bits of `low`, which tell them apart, and 60 of `high`."""
    version, variant = np.uint64(0x4000), np.uint64(1 << 63)
    upper = (high & ~np.uint64(0xF000)) | version
    lower = (low & np.uint64(2**62 - 1)) | variant
    halves = np.stack([upper, lower], axis=1).astype(">u8").tobytes().hex()
    texts = pl.Series([halves[at : at + 32] for at in range(0, len(halves), 32)], dtype=pl.String)
    parts: list[pl.Series | str] = []
    for begin, width in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12)):
        parts += [texts.str.slice(begin, width), "-"]
    return made.joined(*parts[:-1])


def _sexes(person: Generator, frame: pl.DataFrame) -> npt.NDArray[np.int8]:
    found = np.full(frame.height, -1, dtype=np.int8)
    if person.sex is None:
        return found
    cells = _texts(frame[person.sex])
    for code, values in enumerate((person.female, person.male)):
        found[cells.is_in(_values(values)).fill_null(value=False).to_numpy()] = code
    return found


def _values(values: tuple[Scalar, ...]) -> list[str]:
    return [text_of(value) for value in values]


def _texts(cells: pl.Series) -> pl.Series:
    """Cells as texts; floats that are whole without a point."""
    if cells.dtype.is_float() and bool((cells.drop_nulls() == cells.drop_nulls().round()).all()):
        cells = cells.cast(pl.Int64, strict=False)
    return cells.cast(pl.String)


def _written(text: str, frame: pl.DataFrame) -> pl.Series:
    """The template with each row's cells in its places; a null leaves its place empty."""
    return made.joined(*_parts(text, frame), pl.repeat("", frame.height, dtype=pl.String, eager=True))


def _parts(text: str, frame: pl.DataFrame) -> Iterator[pl.Series | str]:
    at = 0
    for match in PLACES.finditer(text):
        yield text[at : match.start()]
        yield match[0][0] if match[1] is None else _texts(frame[match[1]]).fill_null("")
        at = match.end()
    yield text[at:]
