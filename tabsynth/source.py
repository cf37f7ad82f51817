"""Any source of a table, a file or a frame, under a schema: the one it is given, or one drafted from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tabsynth.errors import UsageError
from tabsynth.io import Layout, declared_levels, read_frame, read_table
from tabsynth.schema.draft import draft_table, with_formats
from tabsynth.schema.levels import Levels
from tabsynth.schema.types import CsvDialect, Schema, TableSchema
from tabsynth.table import Table


def as_table(data: Any, schema: TableSchema | Schema | None, *, strict: bool = True) -> tuple[Table, Layout]:
    """The data under the schema, or under a drafted one, and how it was laid out.

    Where not `strict`, cells that are not of their column's type become null, each for itself, and no error
    says so. Raises `UsageError` for data of an unknown kind and for a schema of several tables, `StructureError`
    and `DataError` listing all that is wrong with the data.
    """
    if isinstance(data, Table):
        return data, read_frame(data.frame)[1]
    if schema is None:
        return drafted(data, strict=strict)
    one = only_table(schema)
    frame, layout = read_table(data, schema=one, strict=strict)
    return Table.conform(frame, one, strict=strict), layout


def only_table(schema: TableSchema | Schema) -> TableSchema:
    """The table of a one-table schema. Raises `UsageError` that lists the tables of any other."""
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
    schema = draft_table(frame, name=name, csv=layout.dialect, levels=levels)
    formats = {column.name: column.format for column in layout.columns if column.format is not None}
    return with_formats(schema, formats)
