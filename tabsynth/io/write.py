"""Tables to files, batch by batch: nothing is held but the batch at hand, and nothing half-written stays.

Categories and Enums are written as text. The bytes depend on the batches alone: no time, no name.
"""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.io.arrow import arrow_array
from tabsynth.io.atomic import atomic_path
from tabsynth.io.columns import refuse, tried, unsupported
from tabsynth.io.dialect import check_dialect
from tabsynth.io.files import FileFormat, file_format, is_tab_separated
from tabsynth.io.polars import source_name
from tabsynth.io.provenance import Mark, Provenance, PseudonymMark, sidecar_written
from tabsynth.io.provenance import with_mark as with_provenance
from tabsynth.io.text import render, with_mark
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import CsvDialect, Kind, TableSchema
from tabsynth.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

_CSV_ROWS = 1 << 16
_GROUP_ROWS = 1 << 18
_GZIP_LEVEL = 3

Sink = Callable[[pl.DataFrame], None]


def write_frame(
    frame: pl.DataFrame,
    path: str | Path,
    *,
    dialect: CsvDialect | None = None,
    schema: TableSchema | None = None,
    overwrite: bool = False,
    provenance: Mark | None = None,
) -> int:
    """Write one frame; see `write_batches`. Returns the number of rows."""
    return write_batches(
        [frame], path, dialect=dialect, schema=schema, overwrite=overwrite, provenance=provenance
    )


def write_batches(
    batches: Iterable[pl.DataFrame],
    path: str | Path,
    *,
    dialect: CsvDialect | None = None,
    schema: TableSchema | None = None,
    overwrite: bool = False,
    provenance: Mark | None = None,
) -> int:
    """Write the batches one below the other; the format is told by the end of the name.

    With a schema every batch is cast to its columns and types; a CSV has its decimals, formats and
    dialect, and no batch at all makes a table of no rows. Without one all batches must have the columns
    and types of the first. `dialect` goes before `schema.csv`, and tabs are used for `.tsv`. In a CSV null
    is the first null mark, unquoted; text that is empty or like a null mark is quoted. Parquet is compressed
    by zstd, Arrow by lz4; both keep types and timezones. `provenance` marks the file
    (`tabsynth.io.provenance`). Returns the number of rows.

    Raises `UsageError` for an unknown kind of file, an impossible dialect or nothing to write,
    `OutputExistsError`, `StructureError` listing columns that do not follow the schema or the first batch,
    `DataError` listing columns with text that the encoding lacks. Then, and where the batches themselves
    raise (Ctrl-C too), nothing is left behind.
    """
    found = file_format(path)
    dialect = _dialect(path, dialect, schema)
    n_rows = 0
    with ExitStack() as after, atomic_path(path, overwrite=overwrite) as temporary:
        first, frames = _uniform(batches, schema)
        with _sink(found, temporary, Path(path), first, dialect, schema, provenance) as write:
            for frame in frames:
                write(frame)
                n_rows += frame.height
        if isinstance(provenance, (Provenance, PseudonymMark)) and found is FileFormat.CSV:
            after.enter_context(sidecar_written(Path(path), temporary, provenance))
    return n_rows


def _dialect(path: str | Path, dialect: CsvDialect | None, schema: TableSchema | None) -> CsvDialect:
    if dialect is None:
        dialect = CsvDialect() if schema is None else schema.csv
        dialect = replace(dialect, delimiter="\t") if is_tab_separated(path) else dialect
    check_dialect(dialect)
    return dialect


def _uniform(
    batches: Iterable[pl.DataFrame], schema: TableSchema | None
) -> tuple[pl.DataFrame, Iterator[pl.DataFrame]]:
    """An empty frame of the columns and types, and the batches in these."""
    iterator = iter(batches)
    if schema is not None:
        columns = {column.name: polars_dtype(column) for column in schema.columns}
        return pl.DataFrame(schema=columns), (Table.conform(batch, schema).frame for batch in iterator)
    first = next(iterator, None)
    if first is None:
        raise UsageError("no batch and no schema: there are no columns to write")
    names = first.schema.items()
    refuse(
        [unsupported(name, str(dtype.base_type())) for name, dtype in names if source_name(dtype) is None],
        "the table",
    )
    text = first.clear().cast({pl.Categorical: pl.String, pl.Enum: pl.String, pl.Null: pl.String})
    return text, (_like(batch, first, text) for batch in itertools.chain([first], iterator))


def _like(batch: pl.DataFrame, first: pl.DataFrame, target: pl.DataFrame) -> pl.DataFrame:
    if batch.schema != first.schema:
        faults = [
            Fault(f"column {name!r}", "is missing from a later batch or of another type")
            for name, dtype in first.schema.items()
            if batch.schema.get(name) != dtype
        ]
        faults += [
            Fault(f"column {name!r}", "is missing from the first batch")
            for name in batch.columns
            if name not in first.columns
        ]
        raise StructureError("the batches differ in their columns", faults)
    return batch.cast(target.schema)


def _sink(
    found: FileFormat,
    temporary: Path,
    path: Path,
    first: pl.DataFrame,
    dialect: CsvDialect,
    schema: TableSchema | None,
    provenance: Mark | None,
) -> AbstractContextManager[Sink]:
    if found is FileFormat.PARQUET:
        return _parquet_sink(temporary, with_provenance(_arrow_schema(first), provenance))
    if found is FileFormat.ARROW:
        return _arrow_sink(temporary, with_provenance(_arrow_schema(first), provenance))
    is_gzip = path.name.lower().endswith(".gz")
    return _csv_sink(temporary, first.columns, dialect, schema, is_gzip=is_gzip)


def _arrow_schema(first: pl.DataFrame) -> pa.Schema:
    import pyarrow as pa

    # polars says large_string, which not every reader of Parquet or Arrow takes
    return pa.schema(
        (name, pa.string() if dtype == pl.String() else first[name].to_arrow().type)
        for name, dtype in first.schema.items()
    )


def _arrow_table(frame: pl.DataFrame, fields: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrays = [arrow_array(frame[field.name], field.type, levels=None) for field in fields]
    return pa.Table.from_arrays(arrays, schema=fields)


@contextmanager
def _parquet_sink(path: Path, fields: pa.Schema) -> Iterator[Sink]:
    from pyarrow import parquet

    with parquet.ParquetWriter(path, fields, compression="zstd") as writer:
        yield lambda frame: writer.write_table(_arrow_table(frame, fields), row_group_size=_GROUP_ROWS)


@contextmanager
def _arrow_sink(path: Path, fields: pa.Schema) -> Iterator[Sink]:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, fields, options=options) as writer:
        yield lambda frame: writer.write_table(_arrow_table(frame, fields), max_chunksize=_GROUP_ROWS)


@contextmanager
def _csv_sink(
    path: Path, names: Sequence[str], dialect: CsvDialect, schema: TableSchema | None, *, is_gzip: bool
) -> Iterator[Sink]:
    encoder = codecs.getincrementalencoder(dialect.encoding)()

    def encoded(text: str) -> bytes | None:
        return tried(lambda: encoder.encode(text), UnicodeEncodeError)

    header = encoded(dialect.delimiter.join(_quoted(pl.Series(list(names)), dialect)) + "\n")
    if header is None:
        raise DataError(f"a name of a column cannot be written as {dialect.encoding}")
    with path.open("wb") as raw, _packed(raw, is_gzip=is_gzip) as file:
        file.write(header)

        def write(frame: pl.DataFrame) -> None:
            for rows in frame.iter_slices(_CSV_ROWS):
                rendered = _rendered(rows, dialect, schema)
                data = encoded(_lines(rendered, dialect))
                if data is None:
                    raise _encoding_error(rendered, dialect)
                file.write(data)

        yield write


@contextmanager
def _packed(raw: io.BufferedWriter, *, is_gzip: bool) -> Iterator[io.BufferedWriter | gzip.GzipFile]:
    if not is_gzip:
        yield raw
        return
    # without a name and a time in it, the same rows give the same bytes
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=raw, mtime=0) as packed:
        yield packed


def _rendered(frame: pl.DataFrame, dialect: CsvDialect, schema: TableSchema | None) -> pl.DataFrame:
    series = []
    for column in frame.get_columns():
        known = None if schema is None else schema[column.name]
        text = render(column, known)
        is_plain = column.dtype.is_numeric() or column.dtype == pl.Boolean()
        if dialect.decimal != "." and (column.dtype.is_float() or (known and known.kind is Kind.NUMBER)):
            text = with_mark(text.cast(pl.String), decimal=dialect.decimal)
            is_plain = False
        series.append(text if is_plain else _quoted(text, dialect))
    return pl.DataFrame(series)


def _quoted(text: pl.Series, dialect: CsvDialect) -> pl.Series:
    """The text, in quotes where it would be read as something else without them."""
    special = "".join(f"\\x{ord(mark):02x}" for mark in (dialect.delimiter, dialect.quote, "\r", "\n"))
    ambiguous = text.str.contains(f"[{special}]") | text.is_in(["", *dialect.null_marks])
    if not ambiguous.any():
        return text
    quote = pl.Series([dialect.quote])
    quoted = quote + text.str.replace_all(dialect.quote, dialect.quote * 2, literal=True) + quote
    return text.zip_with(~ambiguous.fill_null(value=False), quoted)


def _lines(rendered: pl.DataFrame, dialect: CsvDialect) -> str:
    null_mark = dialect.null_marks[0] if dialect.null_marks else ""
    return rendered.write_csv(
        include_header=False, separator=dialect.delimiter, quote_style="never", null_value=null_mark
    )


def _encoding_error(rendered: pl.DataFrame, dialect: CsvDialect) -> DataError:
    def is_outside(text: str) -> bool:
        return tried(lambda: text.encode(dialect.encoding), UnicodeEncodeError) is None

    texts = [series for series in rendered.get_columns() if series.dtype == pl.String()]
    counts = [(text.name, sum(map(is_outside, text.drop_nulls().to_list()))) for text in texts]
    faults = [
        Fault(f"column {name!r}", f"{count} cells hold letters that {dialect.encoding} lacks", "write UTF-8")
        for name, count in counts
        if count
    ]
    return DataError(f"the table cannot be written as {dialect.encoding}", faults)
