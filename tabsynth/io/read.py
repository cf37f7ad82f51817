"""Any source of a table, a file or a frame, to polars."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.io.arrow import from_arrow, read_arrow
from tabsynth.io.columns import refuse, tried
from tabsynth.io.csv import cell_fault, read_csv_columns
from tabsynth.io.dialect import sniff_dialect
from tabsynth.io.files import FileFormat, file_format, is_tab_separated
from tabsynth.io.layout import Layout
from tabsynth.io.pandas import from_pandas
from tabsynth.io.parquet import read_parquet
from tabsynth.io.polars import from_polars
from tabsynth.io.text import parse
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import CsvDialect, TableSchema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    Data: TypeAlias = str | Path | pl.DataFrame | pl.LazyFrame | pd.DataFrame | pa.Table


_TEXT = re.compile(
    r"str|string\[.*\]|categorical|enum|(?:arrow:)?(?:dictionary<values=)?(?:large_)?string(?:_view)?(?:, .*)?"
)
"""A layout's names of types that are text whatever the cells; pandas' `object` and `category` are not."""


def read_frame(data: Data) -> tuple[pl.DataFrame, Layout]:
    """`read_table` without a schema: every column, in the types the source gives it."""
    return read_table(data, schema=None)


def read_table(
    source: Data,
    *,
    schema: TableSchema | None = None,
    dialect: CsvDialect | None = None,
    strict: bool = True,
) -> tuple[pl.DataFrame, Layout]:
    """A table from a file (CSV, Parquet, Arrow) or a frame (polars, pandas, pyarrow), and its layout.

    With a schema, its columns in its order; text is read by the schema's types wherever it came from, and
    any other type stays as it is (`Table.conform` casts it). NaN becomes null; categories become their
    values. A CSV file is read by `dialect`, else `schema.csv` (tabs for `.tsv`), else as it is sniffed.
    Where not `strict`, a cell that is not of its column's type becomes null, which depends on that cell
    alone, and Python objects in a pandas frame are read as text wherever a schema gives their type; columns that are text by
    their type in a frame, Parquet or Arrow are then refused where the schema has a type of numbers, since nothing would say
    that none of their cells is one.

    Raises `UsageError` for an unknown kind of source or file, `StructureError` listing all that is wrong
    with names and types or with the file as such, `DataError` listing the columns with text that is not
    of the schema's type.
    """
    if isinstance(source, (str, Path)):
        frame, layout = _from_file(Path(source), schema, dialect, strict=strict)
    else:
        frame, layout = _from_memory(source, None if schema is None else schema.column_names, strict=strict)
    if schema is not None and layout.dialect is None:
        name = "the table" if layout.kind != "file" else Path(str(source)).name
        if not strict:
            _refuse_text(layout, schema, name)
        frame = _by_schema(frame, schema, name, strict=strict)
    return frame, layout


def _from_file(
    path: Path, schema: TableSchema | None, dialect: CsvDialect | None, *, strict: bool
) -> tuple[pl.DataFrame, Layout]:
    found = file_format(path)
    if found is FileFormat.CSV:
        dialect = dialect or _dialect(path, schema)
        frame, columns = read_csv_columns(path, dialect=dialect, schema=schema, strict=strict)
        return frame, Layout(kind="file", columns=columns, dialect=dialect)
    read = read_parquet if found is FileFormat.PARQUET else read_arrow
    frame, columns = read(path, columns=None if schema is None else schema.column_names, strict=strict)
    return frame, Layout(kind="file", columns=columns)


def _dialect(path: Path, schema: TableSchema | None) -> CsvDialect:
    if schema is None:
        return sniff_dialect(path)
    return replace(schema.csv, delimiter="\t") if is_tab_separated(path) else schema.csv


def _from_memory(
    source: pl.DataFrame | pl.LazyFrame | pd.DataFrame | pa.Table,
    keep: Sequence[str] | None,
    *,
    strict: bool,
) -> tuple[pl.DataFrame, Layout]:
    if isinstance(source, pl.LazyFrame):
        collected = tried(source.collect, pl.exceptions.PolarsError, OSError)
        if collected is None:
            raise StructureError("the lazy frame cannot be collected", [Fault("", "polars refused it")])
        frame, columns = from_polars(collected, keep=keep)
        return frame, Layout(kind="polars", columns=columns, lazy=True)
    if isinstance(source, pl.DataFrame):
        frame, columns = from_polars(source, keep=keep)
        return frame, Layout(kind="polars", columns=columns)
    # a frame of a library that was never imported cannot be at hand
    pandas, pyarrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        frame, columns = from_pandas(source, keep=keep, strict=strict)
        return frame, Layout(kind="pandas", columns=columns)
    if pyarrow is not None and isinstance(source, pyarrow.Table):
        frame, columns = from_arrow(source, keep=keep, strict=strict)
        return frame, Layout(kind="arrow", columns=columns)
    expected = "a path, a polars or pandas DataFrame, a polars LazyFrame or a pyarrow Table"
    raise UsageError(f"expected {expected}, found {type(source).__qualname__}")


def _refuse_text(layout: Layout, schema: TableSchema, name: str) -> None:
    """Raise `StructureError` listing columns of text where the schema has numbers; types alone decide."""
    wanted = {column.name: column.dtype for column in schema.columns if polars_dtype(column).is_numeric()}
    refuse(
        [
            Fault(
                f"column {column.name!r}",
                f"is text, expected {wanted[column.name]}",
                "convert it to numbers, or say dtype: string in the schema",
            )
            for column in layout.columns
            if column.name in wanted and _TEXT.fullmatch(column.dtype)
        ],
        name,
    )


def _by_schema(frame: pl.DataFrame, schema: TableSchema, name: str, *, strict: bool) -> pl.DataFrame:
    """The schema's columns in its order, those that are text read by its types."""
    missing = [column for column in schema.columns if column.name not in frame.columns]
    if missing:
        hint = "add it, or drop it from the schema"
        faults = [Fault(f"column {column.name!r}", "missing from the data", hint) for column in missing]
        raise StructureError(f"{name} lacks columns of the schema", faults)
    series, faults = [], []
    for column in schema.columns:
        made = frame[column.name]
        if made.dtype == pl.String() and polars_dtype(column) != pl.String():
            made, n_failed = parse(made, column, null_marks=schema.csv.null_marks)
            if n_failed and strict:
                faults.append(cell_fault(column, n_failed, frame.height))
        series.append(made)
    if faults:
        raise DataError(f"{name} has cells that are not of the schema's type", faults)
    return pl.DataFrame(series)
