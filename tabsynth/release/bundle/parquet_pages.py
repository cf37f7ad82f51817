"""Holds a Parquet file of unknown origin against what it may grow to, before a cell of it is decoded.

A few bytes of Parquet can stand for gigabytes: pages that are packed, runs of one value, a dictionary whose long
texts are named a million times, texts that share their beginnings. What the footer says of that nobody has checked,
and decoders allocate what the head of each page asks for. So the heads are read here (the compact protocol of
Apache Thrift, `PageHeader` of parquet-format), and their sums bounded; then the lengths of all texts are added up
from dictionaries and indices, without writing any of them out.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.errors import BundleError

if TYPE_CHECKING:
    from pyarrow import parquet

_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_ENCODINGS = frozenset({0, 2, 3, 4, 5, 8, 9})
"""All but those of texts by their differences, DELTA_LENGTH_BYTE_ARRAY (6) and DELTA_BYTE_ARRAY (7), which can share."""
_DEEPEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Rows and columns of a Parquet file, and the bytes that its pages take once they are unpacked."""

    n_rows: int
    n_columns: int
    n_bytes: int


class _DamagedError(Exception):
    """The bytes are no page's head."""


def shape_of(path: Path, *, part: str) -> Shape:
    """What the file holds, by the head of every page.

    Raises `BundleError` naming `part` for a file that is none, whose pages contradict its footer, which holds anything but
    flat columns, or texts that share their beginnings.
    """
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            found = file.metadata
            columns = [found.schema.column(i) for i in range(found.num_columns)]
            groups = [found.row_group(i) for i in range(found.num_row_groups)]
            chunks = [(group.num_rows, group.column(i)) for group in groups for i in range(group.num_columns)]
            n_rows, n_columns = found.num_rows, found.num_columns
    except (ArrowException, OSError, UnicodeError):
        raise BundleError(f"{part} is not a Parquet file") from None
    if any(column.max_repetition_level or column.max_definition_level > 1 for column in columns):
        raise BundleError(f"{part} holds columns within columns")
    if n_rows != sum(group.num_rows for group in groups) or any(
        group.num_columns != n_columns for group in groups
    ):
        raise BundleError(f"{part} is damaged: its groups of rows contradict its footer")
    n_bytes = 0
    if chunks:
        with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for n_group_rows, chunk in chunks:
                n_bytes += _chunk_bytes(content, chunk, n_group_rows, part)
    return Shape(n_rows=n_rows, n_columns=n_columns, n_bytes=n_bytes)


def text_bytes(path: Path, *, part: str) -> int:
    """The bytes of all texts in the file, each cell counted; none is written out. `BundleError` where it is damaged."""
    from pyarrow import ArrowException, compute, parquet, types

    total = 0
    try:
        with parquet.ParquetFile(path) as file:
            leaves = [file.metadata.schema.column(i) for i in range(file.metadata.num_columns)]
        names = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with parquet.ParquetFile(path, read_dictionary=names) as file:
            for group in range(file.num_row_groups if names else 0):
                for column in file.read_row_group(group, columns=names).columns:
                    for cells in column.chunks:
                        if types.is_dictionary(cells.type):
                            lengths = compute.binary_length(cells.dictionary).cast("int64")
                            total += compute.sum(lengths.take(cells.indices)).as_py() or 0
                        elif not types.is_primitive(cells.type):
                            raise BundleError(f"{part} holds texts in a form that no bundle has")
    except (ArrowException, OSError, UnicodeError):
        raise BundleError(f"{part} is damaged: its cells cannot be decoded") from None
    return total


def _chunk_bytes(content: mmap.mmap, chunk: parquet.ColumnChunkMetaData, n_rows: int, part: str) -> int:
    """The unpacked bytes of the pages of a column in a group of rows; each must be where the footer says."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < start:
        start = chunk.dictionary_page_offset
    end = start + chunk.total_compressed_size
    n_values = n_bytes = 0
    is_whole = 4 <= start <= end <= len(content) and chunk.physical_type != "FIXED_LEN_BYTE_ARRAY"
    try:
        while is_whole and start < end:
            page, body = _page_head(content, start, end)
            start = body + page.n_packed
            n_bytes += page.n_bytes
            n_values += page.n_values
    except _DamagedError:
        is_whole = False
    if not is_whole:
        raise BundleError(f"{part} is damaged, or of a form that no bundle has")
    if start != end or n_values != n_rows or chunk.num_values != n_rows:
        raise BundleError(f"{part} is damaged: its pages contradict its footer")
    return n_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """One page: its bytes as packed and unpacked, and the cells in it, none of a dictionary."""

    n_packed: int
    n_bytes: int
    n_values: int


def _page_head(content: mmap.mmap, start: int, end: int) -> tuple[_Page, int]:
    """The head of the page at `start`, and where its body begins."""
    reader = _Thrift(content, start, end)
    head = reader.struct()
    kind, n_bytes, n_packed = (_whole(head.get(i)) for i in (1, 2, 3))
    place, encoding = {_DATA: (5, 2), _DICTIONARY: (7, 2), _DATA_V2: (8, 4)}.get(kind, (0, 0))
    inner = head.get(place)
    if not isinstance(inner, dict) or inner.get(encoding) not in _ENCODINGS:
        raise _DamagedError
    n_values = _whole(inner.get(1))
    page = _Page(n_packed=n_packed, n_bytes=n_bytes, n_values=0 if kind == _DICTIONARY else n_values)
    return page, reader.at


def _whole(found: object) -> int:
    """A number of a head, which no head may lack."""
    if not isinstance(found, int) or found < 0:
        raise _DamagedError
    return found


class _Thrift:
    """Structs of Thrift's compact protocol: whole numbers and structs by their field's number, the rest passed over."""

    def __init__(self, content: mmap.mmap, start: int, end: int) -> None:
        self._content, self.at, self._end = content, start, end

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of the struct that begins here."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            if number in found:
                raise _DamagedError
            found[number] = self._value(head & 15, depth, is_field=True)
        return found

    def _value(self, kind: int, depth: int, *, is_field: bool) -> Any:
        if depth > _DEEPEST:
            raise _DamagedError
        if kind in (1, 2):  # true and false; within lists each has a byte of its own
            return kind if is_field else self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 12:
            return self.struct(depth + 1)
        if kind in (3, 7):
            self._pass(1 if kind == 3 else 8)
        elif kind == 8:
            self._pass(self._unsigned())
        elif kind in (9, 10):
            head = self._byte()
            for _ in range(self._unsigned() if head >> 4 == 15 else head >> 4):
                self._value(head & 15, depth + 1, is_field=False)
        else:
            raise _DamagedError
        return None

    def _pass(self, n_bytes: int) -> None:
        self.at += n_bytes
        if self.at > self._end:
            raise _DamagedError

    def _byte(self) -> int:
        if self.at >= self._end:
            raise _DamagedError
        self.at += 1
        return self._content[self.at - 1]

    def _unsigned(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise _DamagedError

    def _signed(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)
