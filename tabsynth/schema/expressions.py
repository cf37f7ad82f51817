"""Expressions of polars' SQL over a table's columns, computed wide enough not to wrap.

polars computes in the stored types: 100 * 3 is 44 where both columns are int8, and 1 - 2 is 255 where they are uint8.
A rule speaks of numbers, however they are stored.
"""

from __future__ import annotations

import polars as pl

from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import TableSchema

_NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)


def columns_in(sql: str) -> tuple[str, ...]:
    """The columns that an expression reads, each once, in order; the SQL is known to be read."""
    return tuple(dict.fromkeys(pl.sql_expr(sql).meta.root_names()))


def type_of(sql: str, table: TableSchema) -> pl.DataType:
    """The type that an expression gives; raises `PolarsError` where it cannot be computed from columns of these types."""
    wide = {name: _widened(polars_dtype(table[name])) for name in columns_in(sql)}
    found = pl.DataFrame(schema=wide).lazy().select(pl.sql_expr(sql).alias("found")).collect()
    return found["found"].dtype


def expression(sql: str, table: TableSchema) -> pl.Expr:
    """What `sql` gives on every row, whole numbers computed in 64 bits, unsigned ones of 64 in 128."""
    made, names = pl.sql_expr(sql), columns_in(sql)
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
