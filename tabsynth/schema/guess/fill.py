"""What a declared column leaves open, completed from its cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from tabsynth.schema.guess.cells import Cells
from tabsynth.schema.guess.numbers import special_values
from tabsynth.schema.guess.numeric import bounds_on_lattice, decimals_of_cells
from tabsynth.schema.guess.strings import in_order, mask_of, read_numbers
from tabsynth.schema.guess.times import bounds_of, resolution_of, special_moments
from tabsynth.schema.types import Column, Domain, Kind, Scalar

_MOST_LEVELS_IN_ORDER = 50


def filled_column(column: Column, series: pl.Series) -> Column:
    """The column with what it leaves open read off `series`, which is in its type; `draft` where it was."""
    present = series.drop_nulls()
    if present.dtype.is_float():
        present = present.drop_nans()
    if len(present) < len(series) and not column.unique:
        column = replace(column, nullable=True, domain=Domain())
    if present.is_empty():
        return column
    if column.kind.is_discrete:
        found = _levels(column, series, present)
    elif column.kind in (Kind.INTEGER, Kind.NUMBER):
        words = _words_apart(column, present) if present.dtype == pl.String else (present, ())
        found = column if words is None else _numbers(column, *words)
    elif column.kind.is_continuous:
        found = _times(column, present)
    else:
        is_open = column.kind is Kind.IDENTIFIER and column.format is None and present.dtype == pl.String
        return replace(column, format=mask_of(present.unique())) if is_open else column
    return found if found == column else replace(found, domain=Domain())


def _levels(column: Column, series: pl.Series, present: pl.Series) -> Column:
    if column.categories is not None or present.dtype == pl.Boolean:
        return column
    cells = Cells(column.name, column.dtype, present, present.unique(), len(present) < len(series))
    levels = cells.categorical().categories or ()
    if column.kind is Kind.BOOLEAN and len(levels) > 2:
        return column
    if column.kind is Kind.ORDINAL and present.dtype == pl.String and len(levels) <= _MOST_LEVELS_IN_ORDER:
        levels = in_order([str(level) for level in levels]) or levels
    return replace(column, categories=levels)


def _words_apart(column: Column, present: pl.Series) -> tuple[pl.Series, tuple[Scalar, ...]] | None:
    """The numbers of a column held as text, and its words; None where it is not numbers beside words."""
    declared = present.is_in([str(mark) for mark in column.special_values])
    read = read_numbers(present.filter(~declared).unique())
    if read is None:
        return None
    numbers = present.filter(~declared & ~present.is_in(list(read.words))).str.strip_prefix("+")
    return numbers.cast(pl.Float64, strict=False).drop_nulls(), read.words


def _numbers(column: Column, present: pl.Series, words: tuple[Scalar, ...]) -> Column:
    """Decimals, special values and bounds, where they are not declared."""
    present = present.filter(~present.is_in([*_numbers_of(column.special_values)]))
    if present.dtype.is_float():
        present = present.filter(present.is_finite())
    if column.kind is Kind.INTEGER and present.dtype.is_float():
        present = present.filter(present == present.floor())
    decimals = column.decimals
    if decimals is None and column.kind is Kind.NUMBER and present.dtype.is_float():
        decimals = decimals_of_cells(present)
    specials = column.special_values
    values = present.unique().sort().to_numpy()
    if not specials and column.bounds is None and column.dtype != "string":
        apart = special_values(
            values, count=lambda mark: int((present == mark).sum()), n_present=len(present)
        )
        values = values[~np.isin(values, np.asarray(apart, dtype=values.dtype))]
        specials = tuple(apart)
    bounds = column.bounds or bounds_on_lattice(values, decimals)
    if column.bounds is None and bounds is not None and column.kind is Kind.INTEGER:
        bounds = (int(bounds[0]), int(bounds[1]))  # type: ignore[arg-type]  # they are numbers
    return replace(column, decimals=decimals, special_values=(*specials, *words), bounds=bounds)


def _numbers_of(values: tuple[Scalar, ...]) -> list[float]:
    return [value for value in values if isinstance(value, (int, float))]


def _times(column: Column, present: pl.Series) -> Column:
    """Special values, bounds and resolution of dates, datetimes and durations."""
    is_text = present.dtype == pl.String
    if is_text:
        wanted = pl.Date() if column.kind is Kind.DATE else pl.Datetime("us")
        present = present.str.strptime(wanted, column.format, strict=False).drop_nulls()
    moments, specials = present.unique(), column.special_values
    if not specials and column.bounds is None and not is_text:
        is_special = special_moments(moments, present)
        specials = tuple(moments.filter(is_special).sort().to_list())
        moments = moments.filter(~is_special)
    resolution = column.resolution
    if resolution is None and column.kind is not Kind.DATE:
        resolution = resolution_of(moments)
    bounds = column.bounds or bounds_of(moments)
    return replace(column, special_values=specials, bounds=bounds, resolution=resolution)
