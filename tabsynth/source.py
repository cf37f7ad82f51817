"""Any source of a table, a file or a frame, under a schema: the one it is given, or one drafted from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from tabsynth.errors import UsageError
from tabsynth.io import Layout, declared_levels, read_frame, read_table
from tabsynth.schema.draft import draft_table, with_formats
from tabsynth.schema.files import read_schema
from tabsynth.schema.levels import Levels
from tabsynth.schema.types import CsvDialect, Kind, Schema, TableSchema
from tabsynth.table import Table

GROUPED = (
    "numbers with three decimals, or with points between thousands: if 1.234 means 1234, draft again with --decimal ',', "
    "else take this line out"
)


AnySchema: TypeAlias = TableSchema | Schema | str | PathLike[str]
"""A schema, or the path of a schema file."""


def as_table(data: Any, schema: AnySchema | None, *, strict: bool = True) -> tuple[Table, Layout]:
    """The data under the schema, or under a drafted one, and how it was laid out.

    Where not `strict`, cells that are not of their column's type become null, each for itself, and no error
    says so. Raises `UsageError` for data of an unknown kind and for a schema of several tables, `SchemaError` for a schema file
    that cannot be read, `StructureError` and `DataError` listing all that is wrong with the data.
    """
    if isinstance(data, Table):
        return data, read_frame(data.frame)[1]
    if schema is None:
        return drafted(data, strict=strict)
    one = only_table(schema)
    frame, layout = read_table(data, schema=one, strict=strict)
    return Table.conform(frame, one, strict=strict), layout


def as_schema(schema: AnySchema) -> TableSchema | Schema:
    """The schema, read where it is the path of a file. Raises `SchemaError` as `read_schema` does, `UsageError` for anything else."""
    if isinstance(schema, (TableSchema, Schema)):
        return schema
    if isinstance(schema, (str, PathLike)):
        return read_schema(schema)
    raise UsageError(
        f"a schema is a tabsynth.Schema or TableSchema, or the path of a schema file, found {type(schema).__name__}"
    )


def only_table(schema: AnySchema) -> TableSchema:
    """The table of a one-table schema. Raises `UsageError` that lists the tables of any other, and what `as_schema` raises."""
    schema = as_schema(schema)
    if isinstance(schema, TableSchema):
        return schema
    if len(schema.tables) != 1:
        names = ", ".join(repr(table.name) for table in schema.tables)
        raise UsageError(f"the schema holds {len(schema.tables)} tables ({names}): pass one, as schema[name]")
    return schema.tables[0]


def drafted(
    data: Any, *, name: str | None = None, dialect: CsvDialect | None = None, strict: bool = True
) -> tuple[Table, Layout]:
    """The data under a schema drafted from it, which keeps a file's dialect and the formats of its dates.

    The table is called `name`, or as the file is, or `table`.
    """
    frame, layout = read_table(data, dialect=dialect, strict=strict)
    stem = Path(data).name.partition(".")[0] if isinstance(data, (str, Path)) else ""
    levels = declared_levels(data)
    return Table.conform(frame, draft_of(frame, layout, name=name or stem or "table", levels=levels)), layout


def draft_of(
    frame: pl.DataFrame, layout: Layout, *, name: str, levels: Mapping[str, Levels] | None = None
) -> TableSchema:
    """A schema drafted from `frame`, rows of the source that `layout` describes, in that source's formats.

    `levels` are those that the source's own types list.
    """
    schema = draft_table(frame, name=name, csv=layout.dialect, as_written=as_written(layout), levels=levels)
    formats = {column.name: column.format for column in layout.columns if column.format is not None}
    return with_doubts(with_formats(schema, formats), layout)


def as_written(layout: Layout) -> frozenset[str]:
    """The text columns whose numbers have the decimal comma of their CSV, or points that group thousands."""
    if layout.dialect is None or layout.dialect.decimal == ".":
        return frozenset()
    return frozenset(c.name for c in layout.columns if c.stored == "string" and c.format is None)


def with_doubts(schema: TableSchema, layout: Layout) -> TableSchema:
    """A draft with a note for review in numbers whose points may group thousands, where no other column says what a point is.

    That is open in CSV files that are not delimited by commas, since those are of places with a decimal comma, too.
    """
    if layout.dialect is None or layout.dialect.delimiter == ",":
        return schema
    floats = [column for column in layout.columns if column.stored.startswith("float")]
    if not all(column.is_grouped for column in floats):
        return schema
    for name in (column.name for column in floats):
        if schema[name].kind is Kind.NUMBER:
            schema = schema.with_column(replace(schema[name], review=GROUPED))
    return schema
