"""Holds a Parquet file of unknown origin against what it may grow to, before a cell of it is decoded.

A few bytes of Parquet can stand for gigabytes: pages that are packed, runs of one value, a dictionary whose long
texts are named a million times, texts that share their beginnings. What the footer says of that nobody has checked,
and decoders allocate what the head of each page asks for. So footer and heads are read here (parquet-format, in Thrift's
compact protocol), and their sums bounded; then the lengths of all texts are added up from dictionaries and indices,
without writing any of them out. Arrow's reader ends the process on some footers, and is not shown them.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from tabsynth.errors import BundleError
from tabsynth.release.bundle.thrift import DamagedError, Fields, Thrift, listed, struct_of, whole

_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_ENCODINGS = frozenset({0, 2, 3, 4, 5, 8, 9})
"""All but those of texts by their differences, DELTA_LENGTH_BYTE_ARRAY (6) and DELTA_BYTE_ARRAY (7), which can share."""
_MAGIC, _MOST_FOOTER = b"PAR1", 16 << 20
_BYTE_ARRAY, _FIXED = 6, 7
_FORM = "is damaged, or of a form that no bundle has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Rows and columns of a Parquet file, and the bytes that its pages take once they are unpacked."""

    n_rows: int
    n_columns: int
    n_bytes: int


def shape_of(path: Path, *, part: str) -> Shape:
    """What the file holds, by its footer and the head of every page.

    Raises `BundleError` naming `part` for a file that is none, whose pages contradict its footer, which holds anything but
    flat columns, or texts by their differences.
    """
    with path.open("rb") as raw:
        size, head, tail = raw.seek(0, 2), raw.seek(0) or raw.read(4), b""
        if size >= 12:
            raw.seek(-4, 2)
            tail = raw.read(4)
        if head != _MAGIC or tail != _MAGIC:
            raise BundleError(f"{part} is not a Parquet file")
        with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _shape(content)
            except DamagedError as fault:
                raise BundleError(f"{part} {fault}") from None


def _shape(content: mmap.mmap) -> Shape:
    n_footer = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - n_footer
    if start < 4 or n_footer > _MOST_FOOTER:
        raise DamagedError(_FORM)
    footer = Thrift(content, start, len(content) - 8).struct()
    elements = [struct_of(element) for element in listed(footer.get(2))]
    root, leaves = struct_of(elements[0] if elements else None), elements[1:]
    if any(leaf.get(5) or leaf.get(3) not in (0, 1) for leaf in leaves):
        raise DamagedError("holds columns within columns")
    groups = [struct_of(group) for group in listed(footer.get(4))]
    n_rows = whole(footer.get(3))
    if whole(root.get(5)) != len(leaves) or n_rows != sum(whole(group.get(3)) for group in groups):
        raise DamagedError(f"{_FORM}: its groups of rows contradict its footer")
    n_bytes = 0
    for group in groups:
        chunks = [struct_of(chunk) for chunk in listed(group.get(1))]
        if len(chunks) != len(leaves):
            raise DamagedError(f"{_FORM}: its groups of rows contradict its footer")
        n_bytes += sum(
            _chunk_bytes(content, chunk, leaf, n_rows=whole(group.get(3)), end_of_pages=start)
            for chunk, leaf in zip(chunks, leaves, strict=True)
        )
    return Shape(n_rows=n_rows, n_columns=len(leaves), n_bytes=n_bytes)


def _chunk_bytes(content: mmap.mmap, chunk: Fields, leaf: Fields, *, n_rows: int, end_of_pages: int) -> int:
    """The unpacked bytes of the pages of a column in a group of rows; each must be where the footer says."""
    stated = struct_of(chunk.get(3))
    start, first = whole(stated.get(9)), stated.get(11)
    if isinstance(first, int) and 0 < first < start:
        start = first  # the dictionary's page
    end = start + whole(stated.get(7))
    is_elsewhere = {1, 8, 9} & chunk.keys()  # in another file, or encrypted
    if is_elsewhere or not 4 <= start <= end <= end_of_pages or not _is_known_type(stated, leaf):
        raise DamagedError(_FORM)
    n_values = n_bytes = 0
    while start < end:
        page, body = _page_head(content, start, end)
        start = body + page.n_packed
        n_bytes += page.n_bytes
        n_values += page.n_values
    if start != end or n_values != n_rows or whole(stated.get(5)) != n_rows:
        raise DamagedError("is damaged: its pages contradict its footer")
    return n_bytes


def _is_known_type(stated: Fields, leaf: Fields) -> bool:
    """Whether a column's type is the schema's and none of fixed bytes, and its sizes are counted as its type has them.

    Arrow's reader ends the process where the last is not so.
    """
    kind = stated.get(1)
    if kind != leaf.get(1) or kind == _FIXED:
        return False
    sizes = struct_of(stated.get(16, {}))
    n_levels = [len(listed(sizes.get(field, []))) for field in (2, 3)]
    return (
        n_levels[0] in (0, 1)
        and n_levels[1] in (0, 1 + whole(leaf.get(3)))
        and (1 not in sizes or kind == _BYTE_ARRAY)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """One page: its bytes as packed and unpacked, and the cells in it, none of a dictionary."""

    n_packed: int
    n_bytes: int
    n_values: int


def _page_head(content: mmap.mmap, start: int, end: int) -> tuple[_Page, int]:
    """The head of the page at `start`, and where its body begins."""
    reader = Thrift(content, start, end)
    head = reader.struct()
    kind, n_bytes, n_packed = (whole(head.get(i)) for i in (1, 2, 3))
    place, encoding = {_DATA: (5, 2), _DICTIONARY: (7, 2), _DATA_V2: (8, 4)}.get(kind, (0, 0))
    inner = struct_of(head.get(place))
    if inner.get(encoding) not in _ENCODINGS:
        raise DamagedError(_FORM)
    n_values = whole(inner.get(1))
    page = _Page(n_packed=n_packed, n_bytes=n_bytes, n_values=0 if kind == _DICTIONARY else n_values)
    return page, reader.at


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
