"""Reparametrisations: the table that an engine learns in the place of the one that a rule speaks of.

Each step turns a schema and its rows into others in which the rule cannot be broken, and sampled rows back.
What becomes of a row depends on that row alone, so one row more is one row more of the table that is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import polars as pl

from tabsynth.constraints.base import computing
from tabsynth.constraints.cells import Combined, number
from tabsynth.constraints.rules import computed_value
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import Formula, Levels, Sum
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema

STATED = Domain(origin=Origin.PUBLIC, by="the rule", source="the rules of the schema")


class Step(Protocol):
    """One reparametrisation, made for a schema."""

    def schema(self, before: TableSchema) -> TableSchema:
        """The schema that is learnt in the place of `before`."""
        ...

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows as they are learnt."""
        ...

    def invert(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Sampled rows as the schema has them; columns it makes come last."""
        ...

    @property
    def makes(self) -> dict[str, tuple[str, ...]]:
        """The columns that `invert` makes, each with those it makes them from."""
        ...


@dataclass(frozen=True, eq=False)
class Narrow:
    """A column within narrower bounds: cells beyond them are learnt as the bound."""

    column: Column
    bounds: tuple[Any, Any]

    def schema(self, before: TableSchema) -> TableSchema:
        return before.with_column(replace(before[self.column.name], bounds=self.bounds))

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        name, wanted = self.column.name, polars_dtype(self.column)
        cells, (lower, upper) = pl.col(name), self.bounds
        within = cells.clip(pl.lit(lower, dtype=wanted), pl.lit(upper, dtype=wanted))
        if self.column.special_values:
            special = pl.Series("special", list(self.column.special_values), dtype=wanted, strict=False)
            within = pl.when(cells.is_in(special.implode())).then(cells).otherwise(within)
        return frame.with_columns(within.alias(name))

    def invert(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame

    @property
    def makes(self) -> dict[str, tuple[str, ...]]:
        return {}


@dataclass(frozen=True, eq=False)
class Combine:
    """Several columns as one, whose levels are the rows of cells that may stand together."""

    columns: tuple[Column, ...]
    rows: tuple[Levels, ...]
    name: str

    @cached_property
    def combined(self) -> Combined:
        return Combined(self.columns, self.rows)

    def schema(self, before: TableSchema) -> TableSchema:
        gone = {column.name for column in self.columns}
        made = Column(
            name=self.name,
            kind=Kind.CATEGORICAL,
            dtype="int64",
            categories=tuple(range(len(self.rows))),
            domain=STATED,
        )
        first = min(before.column_names.index(name) for name in gone)
        kept = [made if at == first else column for at, column in enumerate(before.columns)]
        return replace(before, columns=tuple(column for column in kept if column.name not in gone))

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of which no cell is known are null, which is outside the domain of the one column."""
        codes = pl.Series(self.name, self.combined.near(frame))
        codes = codes.zip_with(codes >= 0, pl.Series([None], dtype=pl.Int64))
        return frame.drop([column.name for column in self.columns]).with_columns(codes)

    def invert(self, frame: pl.DataFrame) -> pl.DataFrame:
        cells = self.combined.frame(frame[self.name].to_numpy())
        return frame.drop(self.name).hstack(cells)

    @property
    def makes(self) -> dict[str, tuple[str, ...]]:
        return {column.name: (self.name,) for column in self.columns}


@dataclass(frozen=True, eq=False)
class Compute:
    """A column that others give: not learnt but for whether it is there, and computed for every row."""

    column: Column
    value: pl.Expr
    parts: tuple[str, ...]

    @classmethod
    def of(cls, rule: Formula | Sum, schema: TableSchema, parts: tuple[str, ...]) -> Compute:
        return cls(schema[rule.column], computed_value(rule, schema), parts)

    @property
    def presence(self) -> str:
        return f"{self.column.name} is there"

    def schema(self, before: TableSchema) -> TableSchema:
        if not self.column.nullable:
            kept = tuple(column for column in before.columns if column.name != self.column.name)
            return replace(before, columns=kept)
        is_there = Column(name=self.presence, kind=Kind.BOOLEAN, dtype="bool", domain=STATED)
        columns = [is_there if column.name == self.column.name else column for column in before.columns]
        return replace(before, columns=tuple(columns))

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        if not self.column.nullable:
            return frame.drop(self.column.name)
        is_there = frame[self.column.name].is_not_null().alias(self.presence)
        return frame.drop(self.column.name).with_columns(is_there)

    def invert(self, frame: pl.DataFrame) -> pl.DataFrame:
        value = self.value.cast(polars_dtype(self.column), strict=False)
        if self.column.nullable:
            value = pl.when(pl.col(self.presence)).then(value)
        with computing(f"what gives {self.column.name!r}"):
            made = frame.with_columns(value.alias(self.column.name))
        return made.drop(self.presence) if self.column.nullable else made

    @property
    def makes(self) -> dict[str, tuple[str, ...]]:
        return {self.column.name: (*self.parts, *([self.presence] if self.column.nullable else []))}


@dataclass(frozen=True, eq=False)
class Recompute:
    """A column that others give, where they do: learnt all the same, and written over."""

    column: Column
    value: pl.Expr
    parts: tuple[str, ...]

    def schema(self, before: TableSchema) -> TableSchema:
        return before

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame

    def invert(self, frame: pl.DataFrame) -> pl.DataFrame:
        cells = pl.col(self.column.name)
        told = number(self.column)
        value = pl.when(told.is_not_null()).then(self.value)
        if polars_dtype(self.column) == pl.String:
            return frame
        made = pl.coalesce(value.cast(polars_dtype(self.column), strict=False), cells)
        with computing(f"what gives {self.column.name!r}"):
            return frame.with_columns(made.alias(self.column.name))

    @property
    def makes(self) -> dict[str, tuple[str, ...]]:
        return {self.column.name: (self.column.name, *self.parts)}
