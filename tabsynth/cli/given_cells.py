"""Given numbers in a CSV: written as they were, or with all their digits, whatever decimals the schema states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from tabsynth.schema.types import Column, TableSchema


def as_given(
    rows: pl.DataFrame, schema: TableSchema, data: Path, out: Path, *, in_order: bool
) -> tuple[pl.DataFrame, tuple[Column, ...]]:
    """The rows to write, and their columns as a schema has them, so that no given number loses a digit.

    Where row i of `rows` is that of `data` (`in_order`) and both files are CSVs, a given number is the text it was.
    Else a column with finer numbers than the schema has is written with all digits.
    """
    from tabsynth.io.files import FileFormat, file_format
    from tabsynth.pipeline.completing import read_partial

    columns = {column.name: column for column in schema.columns if column.name in rows.columns}
    if file_format(out) is not FileFormat.CSV:
        return rows, tuple(columns[name] for name in rows.columns)
    given = read_partial(data, schema)[0]
    floats = [name for name in given.columns if name in columns and given[name].dtype.is_float()]
    text = _text(data, schema) if in_order and file_format(data) is FileFormat.CSV else None
    for name in floats:
        if text is not None:
            rows = rows.with_columns(_with_text(rows[name], given[name], text[name], columns[name]))
            columns[name] = replace(
                columns[name], dtype="string", decimals=None, format=None, bounds=None, special_values=()
            )
        elif not _survives(given[name], columns[name]):
            columns[name] = replace(columns[name], decimals=None, format=None)
    return rows, tuple(columns[name] for name in rows.columns)


def _text(data: Path, schema: TableSchema) -> pl.DataFrame:
    """The cells of a CSV as text, numbers with a point."""
    from tabsynth.io import read_csv
    from tabsynth.io.names import column_names

    names = column_names(data, dialect=schema.csv)
    return read_csv(data, dialect=schema.csv, dtypes=dict.fromkeys(names, "string"))


def _with_text(made: pl.Series, given: pl.Series, text: pl.Series, column: Column) -> pl.Series:
    import polars as pl

    from tabsynth.io.text import render

    written = text.str.strip_chars()
    rendered = render(made, column).cast(pl.String)
    return written.zip_with(given.is_not_null(), rendered).alias(made.name)


def _survives(given: pl.Series, column: Column) -> bool:
    import polars as pl

    from tabsynth.io.text import render

    return bool(render(given, column).cast(pl.Float64).eq_missing(given).all())
