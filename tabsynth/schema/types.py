"""What a schema says: tables, columns, domains, keys, and whose privacy is at stake.

Everything here is a frozen value. A `Schema` holds one or more `TableSchema`s and the foreign keys
between them; a `TableSchema` holds `Column`s in the order in which they are written out. What a column
may hold is its *domain* (bounds, categories, special values, null-ability), and `Column.domain` records
where that knowledge came from: a public statement, a draft read off private data, or a charged query.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from tabsynth.schema.rules import AnyRule

Scalar = int | float | str | bool | dt.date | dt.datetime | dt.timedelta


class Kind(StrEnum):
    """How a column is to be understood, whatever its storage."""

    INTEGER = "integer"
    NUMBER = "number"
    CATEGORICAL = "categorical"
    ORDINAL = "ordinal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    DURATION = "duration"
    TEXT = "text"
    IDENTIFIER = "identifier"

    @property
    def is_continuous(self) -> bool:
        """Values on a line (or lattice): integer, number, date, datetime, duration."""
        return self in _CONTINUOUS

    @property
    def is_discrete(self) -> bool:
        """Values from a list of levels: categorical, ordinal, boolean."""
        return self in _DISCRETE

    @property
    def is_time(self) -> bool:
        """Times and lengths of time: date, datetime, duration."""
        return self in _TIMES

    @property
    def is_modelled(self) -> bool:
        """Whether engines learn it; text and identifiers are made anew instead."""
        return self not in (Kind.TEXT, Kind.IDENTIFIER)


_TIMES = frozenset({Kind.DATE, Kind.DATETIME, Kind.DURATION})
_CONTINUOUS = frozenset({Kind.INTEGER, Kind.NUMBER}) | _TIMES
_DISCRETE = frozenset({Kind.CATEGORICAL, Kind.ORDINAL, Kind.BOOLEAN})


DEFAULT_DTYPES: Mapping[Kind, str] = {
    Kind.INTEGER: "int64",
    Kind.NUMBER: "float64",
    Kind.CATEGORICAL: "string",
    Kind.ORDINAL: "string",
    Kind.BOOLEAN: "bool",
    Kind.DATE: "date",
    Kind.DATETIME: "datetime[us]",
    Kind.DURATION: "duration[us]",
    Kind.TEXT: "string",
    Kind.IDENTIFIER: "string",
}


class Role(StrEnum):
    """What a column means to a person's privacy."""

    IDENTIFIER = "identifier"
    QUASI_IDENTIFIER = "quasi_identifier"
    SENSITIVE = "sensitive"


class Origin(StrEnum):
    """Where the knowledge of a domain came from."""

    PUBLIC = "public"
    DRAFT = "draft"
    CHARGED = "charged"


@dataclass(frozen=True, slots=True)
class Domain:
    """Provenance of a column's domain: who states that it is public, and on what source."""

    origin: Origin = Origin.DRAFT
    by: str | None = None
    source: str | None = None
    on: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """How the cells of a text or an identifier are made anew; `tabsynth.schema.generators` lists the ways.

    `make` names the way, and `locale` the country and language of names, addresses and phone numbers. `pattern`
    is a regular expression, `text` a template or the word of a mask, `country` that of an IBAN. What is made of
    a person belongs to the row's person, or to the one that the cell of the column `person` names: the same
    cell gives the same person in every table of a sample's seed. `who` tells persons of one row apart. `sex` is
    the column that says which first names fit, where it holds one of `female` or `male`.
    """

    make: str
    locale: str | None = None
    pattern: str | None = None
    text: str | None = None
    country: str | None = None
    person: str | None = None
    who: str | None = None
    sex: str | None = None
    female: tuple[Scalar, ...] = ()
    male: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    `dtype` is how it is stored: `int8` … `int64`, `uint8` … `uint64`, `float32`, `float64`, `string`,
    `bool`, `date`, `datetime[us]` (or ns, ms), `duration[us]` (or ns, ms). It may differ from what the
    kind suggests: codes are integers that are categorical, and a number column with special values such
    as `N` or `> 89` is stored as `string`.

    `bounds` are inclusive. `decimals` (numbers) and `resolution` (datetimes and durations: `day`,
    `hour`, `minute`, `second`, `millisecond`, `microsecond`) say how finely values are written.
    `special_values` are levels beside the numbers, in the column's stored type. `format` is a strftime
    pattern for dates held as text, how a CSV writes times of day (`%H:%M`, `%H:%M:%S`), a mask for
    identifiers (`#` a digit, `?` a letter), what a text column holds (`first_name`, `sentence`, …), or the
    fewest decimals of a number in a CSV (`0`, `0.0`, `0.00`, …; without it all `decimals` are written).
    `unique` says that an identifier never repeats, `generator` how a text or an identifier is made anew.
    `review` is what a draft noticed and a person has not looked at yet; `learnt_because` says why a column that
    looks like personal data is learnt all the same. `pseudonymised` names the keyed hash that the cells of real
    rows went through: they still name persons, to whoever holds the key. `measured_in` is the unit of measurement of
    numbers, such as `EUR` or `mm Hg`, for people.
    """

    name: str
    kind: Kind
    dtype: str
    role: Role | None = None
    nullable: bool = False
    bounds: tuple[Scalar, Scalar] | None = None
    categories: tuple[Scalar, ...] | None = None
    special_values: tuple[Scalar, ...] = ()
    decimals: int | None = None
    resolution: str | None = None
    timezone: str | None = None
    format: str | None = None
    unique: bool = False
    generator: Generator | None = None
    review: str | None = None
    learnt_because: str | None = None
    pseudonymised: str | None = None
    description: str | None = None
    measured_in: str | None = None
    domain: Domain = field(default_factory=Domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyUnit:
    """Whose presence is protected: one row, or the person that `column` names.

    `max_rows` bounds how many rows of one person are read; None only where the unit is the row. `order_by` names the column
    by which the rows of a person follow one another, if they are to be learnt and drawn as a history.
    """

    column: str | None = None
    max_rows: int | None = None
    order_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvDialect:
    """How a table is written as text: delimiter, quote, encoding, which fields mean null, decimal mark."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    null_marks: tuple[str, ...] = ("",)
    decimal: str = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table: its columns in order, key, privacy unit, rules, and how it is written as CSV.

    `constraints` are rules (`tabsynth.schema.rules`) that hold on every synthetic row.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unit: PrivacyUnit = field(default_factory=PrivacyUnit)
    csv: CsvDialect = field(default_factory=CsvDialect)
    description: str | None = None
    constraints: tuple[AnyRule, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def with_column(self, column: Column) -> Self:
        """The same table with the column of that name replaced."""
        columns = tuple(column if old.name == column.name else old for old in self.columns)
        return replace(self, columns=columns)

    def with_constraints(self, *rules: AnyRule) -> Self:
        """The same table with `rules` beside those it has."""
        return replace(self, constraints=(*self.constraints, *rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """`child.child_columns` refer to `parent.parent_columns`, position by position."""

    child: str
    child_columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Tables and the foreign keys between them."""

    tables: tuple[TableSchema, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()

    def __getitem__(self, name: str) -> TableSchema:
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    @property
    def only_table(self) -> TableSchema:
        """The single table of a one-table schema; ValueError otherwise."""
        if len(self.tables) != 1:
            names = ", ".join(table.name for table in self.tables)
            raise ValueError(f"expected a schema of one table, found {len(self.tables)}: {names}")
        return self.tables[0]

    def with_table(self, table: TableSchema) -> Self:
        """The same schema with the table of that name replaced."""
        tables = tuple(table if old.name == table.name else old for old in self.tables)
        return replace(self, tables=tables)
