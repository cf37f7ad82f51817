"""The schema's names of stored types, and the polars types they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from tabsynth.schema.types import Column

_PLAIN_DTYPES: Mapping[str, pl.DataType] = {
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "uint8": pl.UInt8(),
    "uint16": pl.UInt16(),
    "uint32": pl.UInt32(),
    "uint64": pl.UInt64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "duration[ms]": pl.Duration("ms"),
    "duration[us]": pl.Duration("us"),
    "duration[ns]": pl.Duration("ns"),
}
DTYPES = (*_PLAIN_DTYPES, "datetime[ms]", "datetime[us]", "datetime[ns]")


def polars_dtype(column: Column) -> pl.DataType:
    """The polars type that stores `column`."""
    if column.dtype.startswith("datetime["):
        unit = column.dtype.removeprefix("datetime[").removesuffix("]")
        return pl.Datetime(unit, column.timezone)  # type: ignore[arg-type]
    return _PLAIN_DTYPES[column.dtype]


def dtype_name(dtype: pl.DataType) -> str | None:
    """The schema's name of a polars type, None where the schema has none."""
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit}]"
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        return "string"
    return next((name for name, known in _PLAIN_DTYPES.items() if known == dtype), None)
