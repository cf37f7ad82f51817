"""CSV files to polars, plain or gzipped.

Every field is read as text first, by pyarrow, which tells a quoted empty field from a missing one and
counts the rows that are too short or too long; then each column is read by the schema's type (`text`) or by
one that all its cells share (`infer`). No message holds the value of a cell.
"""

from __future__ import annotations

import codecs
import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.io.columns import ColumnLayout, duplicate_faults, stored_name, tried
from tabsynth.io.dialect import TEXT_ERRORS, UTF8, check_dialect, is_gzip, open_text, sniff_dialect
from tabsynth.io.files import require_file
from tabsynth.io.infer import infer
from tabsynth.io.text import may_be_grouped, parse, without_marks
from tabsynth.schema.dtypes import DTYPES
from tabsynth.schema.types import Column, CsvDialect, Kind, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 1 << 24
_MOST_ROWS_NAMED = 5
_BYTES = "latin-1"
"""The encoding in which every byte is a letter."""
_OTHER_FORMATS = (("a Parquet file", b"PAR1", b"PAR1"), ("an Arrow file", b"ARROW1\0\0", b"ARROW1"))

_Lengths: TypeAlias = dict[int, list[int]]
"""The rows of the file that have a wrong number of fields, by that number."""


def read_csv(
    path: str | Path,
    *,
    dialect: CsvDialect | None = None,
    schema: TableSchema | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Read a CSV file (gzipped or not) whose first row names the columns.

    With a schema: its columns in its order and types, others left out. Without: every column of the
    file, by `dtypes` (names of the schema's stored types) where given, else by what all its cells share.
    The dialect is `schema.csv`, or sniffed without a schema, unless given. In string columns a null mark
    is null where it is not quoted, so `""` is an empty string; in others quotes make no difference.

    Raises `StructureError` listing all that is wrong with the file as such (empty, not in its encoding,
    rows of another length than the header's, duplicate, unnamed or missing columns), `DataError` listing
    the columns with cells that are not of the asked type, `UsageError` for an impossible dialect or type.
    """
    return read_csv_columns(path, dialect=dialect, schema=schema, dtypes=dtypes)[0]


def read_csv_columns(
    path: str | Path,
    *,
    dialect: CsvDialect | None = None,
    schema: TableSchema | None = None,
    dtypes: Mapping[str, str] | None = None,
    strict: bool = True,
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """`read_csv`, and how each column was written. Raises what `read_csv` raises.

    Where not `strict`, cells that are not of the asked type are null without a word.
    """
    path = Path(path)
    require_file(path)
    _require_text(path)
    if dialect is None:
        dialect = sniff_dialect(path) if schema is None else schema.csv
    check_dialect(dialect)
    wanted = _wanted(schema, dtypes)
    header = _read_header(path, dialect)
    fields = _read_fields(path, dialect, header)
    faults = [
        *_header_faults(header.names, wanted, encoding=dialect.encoding, complete=schema is not None),
        *_missing_faults(path, header.names, wanted, dialect),
        *fields.faults,
    ]
    if faults:
        raise StructureError(f"{path.name} cannot be read as a table", faults)
    names = header.names if schema is None else schema.column_names
    return _typed(path, fields, names, wanted, dialect, strict=strict)


def _require_text(path: Path) -> None:
    """Raise `StructureError` where the file begins and ends as one of another format does."""
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(-min(8, file.seek(0, 2)), 2)
        end = file.read()
    for what, first, last in _OTHER_FORMATS:
        if start.startswith(first) and end.endswith(last):
            fault = Fault("", f"it is {what}", "name it so: the end of a name tells the kind of a file")
            raise StructureError(f"{path.name} cannot be read as a CSV file", [fault])


@dataclass(frozen=True, slots=True)
class _Header:
    """Names of the columns, rows to skip until the first of data, and whether there is any data."""

    names: tuple[str, ...]
    n_skip: int
    has_data: bool


@dataclass(frozen=True, slots=True)
class _Fields:
    """The text of every column by its name, and what is wrong with the rows."""

    columns: Mapping[str, pa.ChunkedArray]
    faults: tuple[Fault, ...]


def _wanted(schema: TableSchema | None, dtypes: Mapping[str, str] | None) -> Mapping[str, Column]:
    unknown = sorted({dtype for dtype in (dtypes or {}).values() if dtype not in DTYPES})
    if unknown:
        raise UsageError(f"unknown types {', '.join(unknown)}; known are {', '.join(DTYPES)}")
    columns = {} if schema is None else {column.name: column for column in schema.columns}
    forced = {
        name: Column(name=name, kind=Kind.TEXT, dtype=dtype)
        for name, dtype in (dtypes or {}).items()
        if name not in columns
    }
    return {**columns, **forced}


def _read_header(path: Path, dialect: CsvDialect) -> _Header:
    header = tried(lambda: _header(path, dialect), *TEXT_ERRORS)
    if header is None:
        what = f"it is damaged, or is not {dialect.encoding} text"
        raise StructureError(
            f"{path.name} cannot be read", [Fault("", what, "state --delimiter and --encoding")]
        )
    if not header.names:
        raise StructureError(f"{path.name} is empty", [Fault("", "it has no header row")])
    return header


def _header(path: Path, dialect: CsvDialect) -> _Header:
    with open_text(path, dialect.encoding) as text:
        n_blank = 0
        names: tuple[str, ...] = ()
        for row in csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote):
            if row:
                names = tuple(row)
                break
            n_blank += 1
        is_single = len(names) == 1  # then a blank line is a row whose only cell is missing
        has_data = any(is_single or line.strip("\r\n") for line in text)
    return _Header(names, n_blank + 1, has_data)


def _header_faults(
    names: Sequence[str], wanted: Mapping[str, Column], *, encoding: str, complete: bool
) -> list[Fault]:
    """What is wrong with the names; where the schema is `complete`, with those of its columns only."""
    if any("\udc80" <= letter <= "\udcff" for name in names for letter in name):
        return [Fault("header", f"is not {encoding}", "state its encoding by --encoding, such as cp1252")]
    if complete:
        return duplicate_faults(name for name in names if name in wanted)
    unnamed = [str(position) for position, name in enumerate(names, start=1) if not name]
    faults = duplicate_faults(name for name in names if name)
    if unnamed:
        hint = "name it in the header, or write the file without row numbers"
        faults.append(Fault(f"column {', '.join(unnamed)} of the file", "has no name", hint))
    return faults


def _missing_faults(
    path: Path, names: Sequence[str], wanted: Mapping[str, Column], dialect: CsvDialect
) -> list[Fault]:
    missing = [name for name in wanted if name not in names]
    if not missing:
        return []
    hint = "add it, or drop it from the schema"
    sniffed = sniff_dialect(path).delimiter
    if len(names) == 1 and sniffed != dialect.delimiter:
        hint = f"the file seems to be delimited by {sniffed!r}, not {dialect.delimiter!r}"
    return [Fault(f"column {name!r}", "missing from the file", hint) for name in missing]


def _read_fields(path: Path, dialect: CsvDialect, header: _Header) -> _Fields:
    import pyarrow as pa

    n_columns = len(header.names)
    if not header.has_data:
        return _Fields(dict.fromkeys(header.names, pa.chunked_array([], pa.string())), ())
    lengths: _Lengths = defaultdict(list)
    text = _fields(path, dialect, header, None)
    if text is None and dialect.encoding.lower() in UTF8 and not _is_decodable(path):
        faults = _undecodable_faults(path, dialect, header)
        if faults:
            return _Fields({}, faults)
    elif text is None:
        text = _fields(path, dialect, header, lengths)
    if text is not None and not _is_open_ended(path, dialect, text):
        columns = dict(zip(header.names, text.columns, strict=True))
        return _Fields(columns, _ragged_faults(lengths, n_columns))
    what = f"it is damaged, is not {dialect.encoding} text, or a quote that is opened is never closed"
    more = f"state --delimiter and --encoding, or csv: in the schema; a row may have {_BLOCK_BYTES >> 20} MiB"
    return _Fields({}, (Fault("", what, more),))


def _is_decodable(path: Path) -> bool:
    """Whether the whole file is UTF-8."""

    def read() -> bool:
        decoder = codecs.getincrementaldecoder("utf-8")()
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
        return True

    return tried(read, *TEXT_ERRORS) is not None


def _undecodable_faults(path: Path, dialect: CsvDialect, header: _Header) -> tuple[Fault, ...]:
    """What is wrong with a file that is not UTF-8: columns with bytes of another encoding, and rows of another length.

    It is read byte by byte: rows of a wrong length are handed over as UTF-8, which these need not be.
    """
    lengths: _Lengths = defaultdict(list)
    table = _fields(path, replace(dialect, encoding=_BYTES), header, lengths)
    stray = [] if table is None else _stray_faults(header.names, table, dialect.encoding)
    return (*stray, *_ragged_faults(lengths, len(header.names)))


def _is_open_ended(path: Path, dialect: CsvDialect, text: pa.Table) -> bool:
    """Whether a quote was never closed, so that the last field has swallowed all rows below it.

    The reader takes the end of the file for the closing quote. Such a field holds a line break, and the
    file does not end in a quote.
    """
    last = text.columns[-1][-1].as_py() if text.num_rows else None
    if last is None or not {"\r", "\n"} & set(last):
        return False
    tail = ""
    with open_text(path, dialect.encoding) as file:
        while chunk := file.read(1 << 20):
            tail = (tail + chunk).rstrip("\r\n")[-1:]
    return tail != dialect.quote


def _stray_faults(names: Sequence[str], raw: pa.Table, encoding: str) -> list[Fault]:
    def is_stray(cell: str | None) -> bool:
        return cell is not None and tried(partial(cell.encode(_BYTES).decode, encoding), UnicodeError) is None

    hint = f"the file is not {encoding}: state its own by --encoding, such as cp1252"
    counts = [
        (name, sum(map(is_stray, column.to_pylist())))
        for name, column in zip(names, raw.columns, strict=True)
    ]
    return [
        Fault(f"column {name!r}", f"{count} of {raw.num_rows} cells are not {encoding}", hint)
        for name, count in counts
        if count
    ]


def _fields(path: Path, dialect: CsvDialect, header: _Header, lengths: _Lengths | None) -> pa.Table | None:
    """All fields as text; None where that is impossible, or a row's length wrong and `lengths` None.

    Rows of a wrong length go to `lengths`. That is done on one thread: a worker still busy in it when the
    interpreter ends would abort the process.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    def count(row: arrow_csv.InvalidRow) -> str:
        assert lengths is not None
        lengths[row.actual_columns].append(row.number)
        return "skip"

    names = [str(position) for position in range(len(header.names))]
    options = {
        "read_options": arrow_csv.ReadOptions(
            column_names=names,
            skip_rows_after_names=header.n_skip,
            block_size=_BLOCK_BYTES,
            use_threads=lengths is None,
            encoding="utf8" if dialect.encoding.lower() in UTF8 else dialect.encoding,
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            newlines_in_values=True,
            ignore_empty_lines=len(names) > 1,
            invalid_row_handler=None if lengths is None else count,
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(dialect.null_marks),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    }

    def read() -> pa.Table:
        with pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None) as stream:
            return arrow_csv.read_csv(stream, **options)

    return tried(read, pa.ArrowException, OSError, UnicodeError)


def _ragged_faults(lengths: _Lengths, n_columns: int) -> tuple[Fault, ...]:
    hint = "quote fields that hold the delimiter, or state delimiter and quote"
    return tuple(
        Fault(
            "rows",
            f"{len(rows)} with {length} fields, expected {n_columns} as in the header; {_rows_named(rows)}",
            f"{hint}; the header is row 1",
        )
        for length, rows in sorted(lengths.items())
    )


def _rows_named(rows: Sequence[int]) -> str:
    named = ", ".join(f"{row:,}" for row in rows[:_MOST_ROWS_NAMED])
    if len(rows) == 1:
        return f"row {named}"
    return f"rows {named}" + (" and others" if len(rows) > _MOST_ROWS_NAMED else "")


def _typed(
    path: Path,
    fields: _Fields,
    names: Sequence[str],
    wanted: Mapping[str, Column],
    dialect: CsvDialect,
    *,
    strict: bool,
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """Each column's text in its type. Raises `DataError` listing the columns that have other cells."""
    series, layouts, faults = [], [], []
    for name in names:
        text = pl.Series(name, pl.from_arrow(fields.columns[name]), dtype=pl.String)
        pattern, is_grouped = None, False
        if name in wanted:
            column = wanted[name]
            typed, n_failed = parse(text, column, null_marks=dialect.null_marks, decimal=dialect.decimal)
            pattern = column.format
            if n_failed and strict:
                faults.append(cell_fault(column, n_failed, len(text)))
        else:
            typed, pattern = infer(text, null_marks=dialect.null_marks, decimal=dialect.decimal)
            is_grouped = (
                typed.dtype.is_float()
                and dialect.decimal == "."
                and may_be_grouped(without_marks(text, null_marks=dialect.null_marks))
            )
        series.append(typed)
        stored = stored_name(typed.dtype)
        layouts.append(
            ColumnLayout(name=name, dtype=stored, stored=stored, format=pattern, is_grouped=is_grouped)
        )
    if faults:
        raise DataError(f"{path.name} has cells that are not of the schema's type", faults)
    return pl.DataFrame(series), tuple(layouts)


def cell_fault(column: Column, n_failed: int, n_rows: int) -> Fault:
    """The fault of a column some of whose text is not of its type."""
    wanted = column.dtype if column.format is None else f"{column.dtype} in the format {column.format!r}"
    hint = "change dtype, format or the null marks in the schema, or mend the cells"
    return Fault(f"column {column.name!r}", f"{n_failed} of {n_rows} cells are not {wanted}", hint)
