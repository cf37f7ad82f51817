"""Expressions of polars' SQL over a table's columns, computed wide enough not to wrap.

polars computes in the stored types: 100 * 3 is 44 where both columns are int8, and 1 - 2 is 255 where they are uint8; a month
is an int8, so that thirty times December is 104, and the length of a text a uint32. A rule speaks of numbers, however they are
stored. Beyond 64 bits sums and products of 64-bit columns wrap as they do in polars.
"""

from __future__ import annotations

import re

import polars as pl

from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import TableSchema

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_]\w*\s*\(|[()]""")
_OF_DATES = frozenset({"EXTRACT", "DATE_PART"})
_PARTS = frozenset(
    [
        "MILLENNIUM",
        "CENTURY",
        "DECADE",
        "YEAR",
        "ISOYEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "ISOWEEK",
        "DAY",
        "DOY",
        "DOW",
        "ISODOW",
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECOND",
        "MICROSECOND",
        "NANOSECOND",
    ]
)
_LENGTHS = frozenset(
    ["LENGTH", "LEN", "CHAR_LENGTH", "CHARACTER_LENGTH", "OCTET_LENGTH", "BIT_LENGTH", "STRPOS", "BIT_COUNT"]
)
_NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)


def columns_in(sql: str) -> tuple[str, ...]:
    """The columns that an expression reads, each once, in order; the SQL is known to be read."""
    return tuple(dict.fromkeys(pl.sql_expr(sql).meta.root_names()))


def type_of(sql: str, table: TableSchema) -> pl.DataType:
    """The type that an expression gives; raises `PolarsError` where it cannot be computed from columns of these types."""
    wide = {name: _widened(polars_dtype(table[name])) for name in columns_in(sql)}
    found = pl.DataFrame(schema=wide).lazy().select(pl.sql_expr(_cast(sql)).alias("found")).collect()
    return found["found"].dtype


def expression(sql: str, table: TableSchema) -> pl.Expr:
    """What `sql` gives on every row, whole numbers computed in 64 bits, unsigned ones of 64 in 128."""
    made, names = pl.sql_expr(_cast(sql)), columns_in(sql)
    stored = [polars_dtype(table[name]) for name in names]
    if stored == [_widened(dtype) for dtype in stored]:
        return made
    wide = [pl.col(name).cast(_widened(dtype)) for name, dtype in zip(names, stored, strict=True)]

    def computed(rows: pl.Series) -> pl.Series:
        return rows.struct.unnest().select(made.alias("found")).to_series()

    return pl.struct(wide).map_batches(computed, return_dtype=type_of(sql, table), is_elementwise=True)


def _widened(dtype: pl.DataType) -> pl.DataType:
    if dtype == pl.UInt64:
        return pl.Int128()
    return pl.Int64() if dtype in _NARROW else dtype


def _cast(sql: str) -> str:
    """The expression with functions that give narrow whole numbers cast to 64 bits; texts and quoted names stay."""
    written: list[str] = []
    is_cast: list[bool] = []  # of every bracket that is open
    end = 0
    for found in _TOKEN.finditer(sql):
        written.append(sql[end : found.start()])
        word, end = found.group(), found.end()
        if word == ")":
            written.append(") AS BIGINT)" if is_cast and is_cast.pop() else ")")
        elif word.endswith("("):
            is_cast.append(_gives_narrow(word[:-1].strip().upper(), sql[end:]))
            written.append(f"CAST({word}" if is_cast[-1] else word)
        else:
            written.append(word)
    return "".join([*written, sql[end:]])


def _gives_narrow(function: str, arguments: str) -> bool:
    if function in _OF_DATES:
        part = re.match(r"\s*'?\s*(\w+)", arguments)
        return part is not None and part.group(1).upper().rstrip("S") in _PARTS
    return function in _LENGTHS
