"""How a CSV file is written: opened, sniffed, and checked before it is used."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import IO

from tabsynth.errors import Fault, StructureError, UsageError
from tabsynth.io.columns import tried
from tabsynth.io.files import require_file
from tabsynth.schema.types import CsvDialect

_SAMPLE_CHARS = 1 << 17
_DELIMITERS = (",", ";", "\t", "|")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OTHER_MARK = {",": ".", ".": ","}
_DECIMALS = {
    mark: re.compile(rf"[+-]?(\d{{1,3}}(?:{re.escape(other)}\d{{3}})+|\d*)(?:{re.escape(mark)}(\d+))?")
    for mark, other in _OTHER_MARK.items()
}
UTF8 = ("utf-8", "utf-8-sig", "utf8", "ascii")
TEXT_ERRORS = (OSError, EOFError, zlib.error, UnicodeError, csv.Error)


def check_dialect(dialect: CsvDialect) -> None:
    """Raise `UsageError` where the dialect cannot be read or written."""
    faults = [
        f"the {what} must be one ASCII character that is not part of a number, nor a line break"
        for what, mark in (("delimiter", dialect.delimiter), ("quote", dialect.quote))
        if len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in "\r\n+-."
    ]
    if dialect.decimal not in (".", ","):
        faults.append("the decimal mark must be a point or a comma")
    if dialect.delimiter == dialect.quote:
        faults.append("delimiter and quote must differ")
    if tried(lambda: codecs.lookup(dialect.encoding), LookupError) is None:
        faults.append(f"the encoding {dialect.encoding!r} is not known")
    if faults:
        raise UsageError("impossible CSV dialect: " + "; ".join(faults))


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_text(path: Path, encoding: str) -> IO[str]:
    """The file as text, unzipped where it is gzip whatever its name; stray bytes are lone surrogates."""
    plain = "utf-8-sig" if encoding.lower() in UTF8 else encoding
    if is_gzip(path):
        return gzip.open(path, "rt", encoding=plain, errors="surrogateescape", newline="")
    return path.open("r", encoding=plain, errors="surrogateescape", newline="")


def sniff_dialect(path: str | Path) -> CsvDialect:
    """The dialect of a CSV file: delimiter among `, ; tab |`, decimal mark, and UTF-8 or what a byte order mark says.

    The delimiter is the one that cuts the most rows of the beginning into as many fields as the header's,
    and of equals the one with the most fields; `,` (tab for `.tsv`) where none cuts at all. Only the
    empty field is null. Encodings without a mark are not guessed. Where the delimiter is no comma, the
    decimal mark is one if more columns hold decimals after commas, or thousands before points, than the other way round. Raises `StructureError` where the file
    cannot be read.
    """
    path = Path(path)
    require_file(path)
    with path.open("rb") as file:
        start = file.read(4)
    encoding = next((name for mark, name in _BOMS if start.startswith(mark)), "utf-8")

    def sample() -> str:
        with open_text(path, encoding) as text:
            return text.read(_SAMPLE_CHARS)

    text = tried(sample, *TEXT_ERRORS)
    if text is None:
        raise StructureError(f"{path.name} cannot be read", [Fault("", f"it is damaged or not {encoding}")])
    if len(text) == _SAMPLE_CHARS:
        text = text[: text.rfind("\n") + 1] or text
    fallback = "\t" if ".tsv" in path.suffixes else ","
    best = max(_DELIMITERS, key=lambda delimiter: (_score(text, delimiter), delimiter == fallback))
    return CsvDialect(delimiter=best, encoding=encoding, decimal=_decimal_mark(text, best))


def _decimal_mark(text: str, delimiter: str) -> str:
    if delimiter == ",":
        return "."
    rows = tried(
        lambda: [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row],
        csv.Error,
    )
    columns = list(zip_longest(*(rows or ())[1:], fillvalue=""))
    n_commas, n_points = (sum(_has_decimals(cells, mark) for cells in columns) for mark in ",.")
    return "," if n_commas > n_points else "."


def _has_decimals(cells: Sequence[str], mark: str) -> bool:
    """Whether four fifths of the cells are numbers, some with decimals after `mark`, or with the other mark between thousands.

    Three digits after the mark may be thousands, save after a zero (`0,125`); so may three after the other, save where it
    comes twice (`1.234.567`) or decimals follow (`1.234,5`).
    """
    other = _OTHER_MARK[mark]
    present = [cell for cell in map(str.strip, cells) if cell]
    numbers = [match for cell in present if (match := _DECIMALS[mark].fullmatch(cell))]
    is_decimal = any(
        found[1].count(other) > 1
        or (found[2] and (len(found[2]) != 3 or len(found[1]) > 3 or int(found[1] or "0") == 0))
        for found in numbers
    )
    return is_decimal and 5 * len(numbers) >= 4 * len(present)


def _score(text: str, delimiter: str) -> tuple[float, int]:
    """Share of the rows with as many fields as the header's (0 where that is one), and that number."""
    rows = tried(
        lambda: [len(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row],
        csv.Error,
    )
    if not rows or rows[0] == 1:
        return 0.0, 0
    return sum(length == rows[0] for length in rows) / len(rows), rows[0]
