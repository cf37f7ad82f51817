"""Names of a file's columns, read off its header alone."""

from __future__ import annotations

import csv
from pathlib import Path

from tabsynth.io.columns import tried
from tabsynth.io.dialect import TEXT_ERRORS, open_text, sniff_dialect
from tabsynth.io.files import FileFormat, file_format
from tabsynth.schema.types import CsvDialect


def column_names(path: Path, *, dialect: CsvDialect | None = None) -> tuple[str, ...]:
    """The names in their order; none where they cannot be read, of which reading the table says more.

    A CSV file is read by `dialect`, or as it is sniffed. Raises `UsageError` for an unknown kind of file.
    """
    found = file_format(path)
    if not path.is_file():
        return ()
    if found is FileFormat.CSV:
        return tried(lambda: _csv(path, dialect or sniff_dialect(path)), *TEXT_ERRORS) or ()
    import pyarrow as pa

    read = _parquet if found is FileFormat.PARQUET else _arrow
    return tried(lambda: read(path), pa.ArrowException, OSError, UnicodeError) or ()


def _csv(path: Path, dialect: CsvDialect) -> tuple[str, ...]:
    with open_text(path, dialect.encoding) as text:
        rows = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote)
        return next((tuple(row) for row in rows if row), ())


def _parquet(path: Path) -> tuple[str, ...]:
    from pyarrow import parquet

    return tuple(parquet.read_schema(path).names)


def _arrow(path: Path) -> tuple[str, ...]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        magic = file.read(6)
        file.seek(0)
        opened = pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)
        with opened as reader:
            return tuple(reader.schema.names)
