"""Polars frames of any type of column to the engine's types and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from tabsynth.errors import Fault
from tabsynth.io.columns import (
    ColumnLayout,
    nan_to_null,
    refuse,
    stored_dtype,
    stored_name,
    unnamed_faults,
    unsupported,
)
from tabsynth.io.text import with_decimals
from tabsynth.schema.dtypes import dtype_name

_DECIMAL = re.compile(r"decimal\[(\d+), (\d+)\]")


def from_polars(
    frame: pl.DataFrame, *, keep: Sequence[str] | None = None
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """The frame's columns (of `keep` only, where given) in the engine's types, and their layouts.

    Categorical and Enum become String, Decimal float64 (15 significant digits), a column of type Null
    String; NaN becomes null. Raises `StructureError` listing all columns of other types.
    """
    series, layouts = [], []
    faults = unnamed_faults(frame.columns) if keep is None else []
    for column in frame.get_columns():
        if keep is not None and column.name not in keep:
            continue
        name = source_name(column.dtype)
        if name is None:
            faults.append(unsupported(column.name, str(column.dtype.base_type())))
            continue
        engine = _engine_dtype(column.dtype)
        made = nan_to_null(column if column.dtype == engine else column.cast(engine))
        series.append(made)
        layouts.append(ColumnLayout(name=column.name, dtype=name, stored=stored_name(engine)))
    refuse(faults, "the polars frame")
    return pl.DataFrame(series), tuple(layouts)


def _engine_dtype(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.Decimal):
        return pl.Float64()
    if isinstance(dtype, (pl.Categorical, pl.Enum)) or dtype == pl.Null():
        return pl.String()
    return dtype


def source_name(dtype: pl.DataType) -> str | None:
    """The layout's name of a polars type, None where the engine does not hold it."""
    if isinstance(dtype, pl.Decimal):
        return f"decimal[{dtype.precision or 38}, {dtype.scale}]"
    if isinstance(dtype, pl.Categorical):
        return "categorical"
    if isinstance(dtype, pl.Enum):
        return "enum"
    if dtype == pl.Null():
        return "null"
    return None if dtype_name(dtype) is None else stored_name(dtype)


def to_polars(series: pl.Series, *, dtype: str, levels: Sequence[str] | None) -> pl.Series | Fault:
    """The series in the polars type that the layout names, or the fault that keeps it out.

    An Enum has the `levels` that the schema declares, or those that occur, sorted.
    """
    wanted: pl.DataType
    if dtype == "enum":
        found = series.drop_nulls().unique().sort().to_list()
        wanted = pl.Enum(found if levels is None or not set(found) <= set(levels) else list(levels))
    elif dtype == "categorical":
        wanted = pl.Categorical()
    elif dtype == "null":
        wanted = pl.Null() if series.null_count() == len(series) else series.dtype
    elif decimal := _DECIMAL.fullmatch(dtype):
        wanted = pl.Decimal(int(decimal[1]), int(decimal[2]))
        series = with_decimals(series, int(decimal[2]))
    else:
        wanted = stored_dtype(dtype)
    cast = series.cast(wanted, strict=False)
    n_lost = cast.null_count() - series.null_count()
    if n_lost:
        return Fault(f"column {series.name!r}", f"{n_lost} values do not fit into {dtype}")
    return cast
