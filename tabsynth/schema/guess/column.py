"""One series to one drafted column."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from tabsynth.schema.dtypes import dtype_name
from tabsynth.schema.guess.cells import Cells
from tabsynth.schema.guess.numeric import guess_decimals, guess_floats, guess_integers
from tabsynth.schema.guess.strings import in_order
from tabsynth.schema.guess.textual import guess_text
from tabsynth.schema.guess.times import bounds_of, resolution_of, special_moments
from tabsynth.schema.levels import Levels
from tabsynth.schema.types import Column, Kind


def stored_dtype(dtype: pl.DataType) -> str | None:
    """How a polars type is stored by a schema; None where it cannot be."""
    if isinstance(dtype, pl.Decimal):
        return "float64"
    if isinstance(dtype, pl.Null):
        return "string"
    if dtype.is_float() and dtype not in (pl.Float32, pl.Float64):
        return "float32"
    return dtype_name(dtype)


def guess_column(
    series: pl.Series, *, stored: str, decimal: str = ".", levels: Levels | None = None
) -> Column:
    """What `series` seems to be; `stored` is its dtype in the schema, `decimal` the mark in its text, `levels` what its own type lists."""
    dtype = series.dtype
    if isinstance(dtype, pl.Enum):
        levels = Levels(listed=tuple(dtype.categories.to_list()), is_ordered=True)
    if isinstance(dtype, (pl.Categorical, pl.Enum, pl.Null)):
        series = series.cast(pl.String)
    elif isinstance(dtype, pl.Decimal):
        series = series.cast(pl.Float64)
    elif stored == "float32":
        series = series.cast(pl.Float32)
    present = series.drop_nulls()
    if present.dtype.is_float():
        present = present.drop_nans()
    nullable = len(present) < len(series) or series.is_empty()
    cells = Cells(series.name, stored, present, present.unique(maintain_order=False), nullable, decimal)
    if levels is not None:
        return _listed(cells, levels)
    if present.is_empty() and not dtype.is_temporal():
        return _empty(cells, dtype)
    if isinstance(dtype, pl.Decimal):
        return guess_decimals(cells, dtype.scale or 0)
    return _guess(cells)


def _listed(cells: Cells, levels: Levels) -> Column:
    """A column whose type lists its levels, in their order where that means something."""
    if levels.is_ordered:
        return cells.categorical(levels.listed, kind=Kind.ORDINAL)
    if cells.present.is_empty():
        return cells.categorical(levels.listed)
    guessed = _guess(cells)
    if guessed.kind is Kind.INTEGER:
        return cells.categorical(levels.listed)
    if guessed.kind is Kind.ORDINAL:
        return replace(guessed, categories=in_order([str(level) for level in levels.listed]) or levels.listed)
    return replace(guessed, categories=levels.listed) if guessed.kind is Kind.CATEGORICAL else guessed


def _empty(cells: Cells, dtype: pl.DataType) -> Column:
    """Nothing is known of a column without a cell: its only level is null."""
    if dtype == pl.Boolean:
        return Column(name=cells.name, kind=Kind.BOOLEAN, dtype="bool", nullable=cells.nullable)
    return cells.categorical(())


def _guess(cells: Cells) -> Column:
    dtype = cells.present.dtype
    if dtype == pl.String:
        return guess_text(cells)
    if dtype.is_integer():
        return guess_integers(cells)
    if dtype.is_float():
        return guess_floats(cells)
    if dtype.is_temporal():
        return _temporal(cells)
    return Column(
        name=cells.name, kind=Kind.BOOLEAN, dtype="bool", role=cells.hints.role, nullable=cells.nullable
    )


def _temporal(cells: Cells) -> Column:
    dtype, moments = cells.present.dtype, cells.distinct
    kind = (
        Kind.DATE if dtype == pl.Date else Kind.DURATION if isinstance(dtype, pl.Duration) else Kind.DATETIME
    )
    is_special = special_moments(moments, cells.present)
    ordinary, special = moments.filter(~is_special), moments.filter(is_special).sort()
    return Column(
        name=cells.name,
        kind=kind,
        dtype=cells.stored,
        role=cells.hints.role,
        nullable=cells.nullable,
        bounds=bounds_of(ordinary),
        special_values=tuple(special.to_list()),
        resolution=None if kind is Kind.DATE else resolution_of(moments),
        timezone=dtype.time_zone if isinstance(dtype, pl.Datetime) else None,
    )
