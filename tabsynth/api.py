"""The steps on tables of any kind: pandas, polars, Arrow, a path, or a `Table`.

    train, holdout = tabsynth.split(frame)
    fitted = tabsynth.fit(train, privacy=tabsynth.NO_PRIVACY)
    synthetic = fitted.sample(1000)
    results = tabsynth.evaluate(synthetic, train, holdout)

Each takes a schema (of one table); without one a schema is drafted from the data, which is for trying
things out: a draft is a guess, and as private as the data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tabsynth.check import check_table
from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.evaluate import Results
from tabsynth.evaluate import evaluate as evaluate_tables
from tabsynth.io import Layout, read_table, to_layout
from tabsynth.models.base import Progress, no_progress
from tabsynth.pipeline import split as split_table
from tabsynth.schema import draft_schema as draft_frames
from tabsynth.schema import draft_table
from tabsynth.schema.confirm import confirm as confirm_table
from tabsynth.schema.types import CsvDialect, Schema, TableSchema
from tabsynth.table import Table

AnySchema = Schema | TableSchema
OneSchema = TypeVar("OneSchema", Schema, TableSchema)


def draft_schema(data: Any, *, name: str = "table") -> Schema:
    """Propose a schema for a table, or for several given as a mapping of names to tables.

    What it proposes is read off the data, so it is private, and every domain in it is marked `draft`. A
    file gives the table its name. Raises `InputError` where the data cannot be read.
    """
    if isinstance(data, Mapping):
        return draft_frames({key: read_table(table)[0] for key, table in data.items()})
    if isinstance(data, Table):
        return Schema(tables=(data.schema,))
    if isinstance(data, (str, Path)) and name == "table":
        return Schema(tables=(drafted_file(Path(data)).schema,))
    return Schema(tables=(_drafted(data, name)[0].schema,))


def confirm(
    schema: OneSchema,
    *,
    by: str,
    source: str,
    columns: Sequence[str] | None = None,
    on: dt.date | None = None,
) -> OneSchema:
    """The schema with the domains of `columns` (None: of all) public, as `by` states on `source`.

    `on` is the day of the statement, today where None. Raises `SchemaError` listing unknown columns and
    blank statements, `UsageError` for a schema of several tables.
    """
    table = confirm_table(only_table(schema), by=by, source=source, columns=columns, on=on or dt.date.today())  # noqa: DTZ011  # a day on the calendar of whoever states it
    return schema.with_table(table) if isinstance(schema, Schema) else table


def split(
    data: Any, *, schema: AnySchema | None = None, holdout: float = 0.5, seed: int | None = None
) -> tuple[Any, Any]:
    """Train and holdout, as the kind of table that `data` is; a path gives polars.

    `holdout` in (0, 1) is the share of privacy units held out: all rows of one person fall on the same
    side. Without a schema the unit is the row. Raises `InputError` where the data does not fit the schema.
    """
    table, layout = as_table(data, schema)
    train, held = split_table(table, holdout=holdout, seed=seed)
    if layout is None:
        return train, held
    return to_layout(train.frame, layout, schema=table.schema), to_layout(
        held.frame, layout, schema=table.schema
    )


def check(data: Any, schema: AnySchema) -> tuple[Fault, ...]:
    """Every way in which data contradicts its schema, one fault per column and kind, with its count.

    The result depends on the data and is private. Raises `UsageError` for data of an unknown kind.
    """
    try:
        return check_table(as_table(data, schema)[0])
    except (StructureError, DataError) as error:
        return error.faults or (Fault("", error.summary),)


def evaluate(
    synthetic: Any,
    train: Any,
    holdout: Any,
    *,
    schema: AnySchema | None = None,
    target: str | None = None,
    title: str = "",
    seed: int = 0,
    guarantee: str = "",
    progress: Progress = no_progress,
) -> Results:
    """Compare a synthetic table with the train rows it was made from, beside real holdout rows.

    Every figure stands beside its floor, the same figure for the holdout. `target` is the column that the
    utility figures predict. The result is private output, and so is the report drawn from it. Raises
    `InputError` where a table does not fit the schema, `UsageError` for an unknown target.
    """
    first, _ = as_table(train, schema)
    others = [as_table(data, first.schema)[0] for data in (synthetic, holdout)]
    return evaluate_tables(
        others[0],
        first,
        others[1],
        schema=first.schema,
        target=target,
        title=title,
        seed=seed,
        guarantee=guarantee,
        progress=progress,
    )


def as_table(data: Any, schema: AnySchema | None) -> tuple[Table, Layout | None]:
    """The data under the schema, or under a drafted one, and how it was laid out (None for a `Table`)."""
    if isinstance(data, Table):
        return data, None
    if schema is None:
        return _drafted(data, "table")
    one = only_table(schema)
    frame, layout = read_table(data, schema=one)
    return Table.conform(frame, one), layout


def only_table(schema: AnySchema) -> TableSchema:
    """The table of a one-table schema. Raises `UsageError` that lists the tables of any other."""
    if isinstance(schema, TableSchema):
        return schema
    if len(schema.tables) != 1:
        names = ", ".join(repr(table.name) for table in schema.tables)
        raise UsageError(
            f"the schema holds {len(schema.tables)} tables ({names}): pass one of them, as schema[name]"
        )
    return schema.tables[0]


def drafted_file(path: Path, *, name: str | None = None, dialect: CsvDialect | None = None) -> Table:
    """A file under a schema drafted from it: its dialect and the formats of its dates are kept."""
    table, _ = _drafted(path, name or path.name.partition(".")[0] or "table", dialect)
    return table


def _drafted(data: Any, name: str, dialect: CsvDialect | None = None) -> tuple[Table, Layout]:
    frame, layout = read_table(data, dialect=dialect)
    schema = draft_table(frame, name=name, csv=layout.dialect)
    for column in layout.columns:
        drafted = schema[column.name]
        if column.format is not None and drafted.format is None and drafted.dtype != "string":
            schema = schema.with_column(replace(drafted, format=column.format.replace(".%f", "%.f")))
    return Table.conform(frame, schema), layout
