"""Cells of a column as numbers, each a function of that cell alone: nothing here looks at other rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.privacy.grids import DAY, by_blocks, calendar_edges
from tabsynth.schema.types import Column, Kind

MOST_DECIMALS = 6
_NANOSECONDS = {
    "day": 86_400_000_000_000,
    "hour": 3_600_000_000_000,
    "minute": 60_000_000_000,
    "second": 1_000_000_000,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
    "nanosecond": 1,
}
_UNITS = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_ROUNDING = 16 * np.finfo(np.float64).eps
_LONGEST = 10**8 * DAY


def positions(column: Column, series: pl.Series) -> pl.Series:
    """Cells of a continuous column on its line, null where they are null or no finite number or time.

    Int64: whole numbers, days since 1970 (dates), microseconds (datetimes and durations, rounded down).
    Float64: numbers.
    """
    if column.kind is Kind.DATE:
        return _within(_dates(column, series).to_physical().cast(pl.Int64), 1)
    if column.kind is Kind.DATETIME:
        return _within(_microseconds(_moments(column, series)), DAY)
    if column.kind is Kind.DURATION:
        length = _microseconds(series)
        return _kept(length, length.is_between(-_LONGEST, _LONGEST))
    if column.kind is Kind.INTEGER and not series.dtype.is_float():
        return series.cast(pl.Int64, strict=False)
    numbers = series.cast(pl.Float64, strict=False)
    numbers = _kept(numbers, numbers.is_finite())
    if column.kind is Kind.NUMBER:
        return numbers
    return _kept(numbers, numbers.round(0) == numbers).cast(pl.Int64, strict=False)


def on_lattice(numbers: pl.Series, decimals: int) -> pl.Series:
    """Finite numbers as Int64 multiples of 10**-decimals, null where these are 2**63 or more."""
    scaled = (numbers * 10.0**decimals).round(0)
    return _kept(scaled, scaled.is_between(-(2.0**62), 2.0**62)).cast(pl.Int64, strict=False)


def sound_cells(column: Column, series: pl.Series) -> pl.Series:
    """The cells that can be levels: without infinities, and times that no calendar or no microsecond names."""
    if series.dtype.is_float():
        return series.filter(series.is_infinite().fill_null(value=False).not_())
    if series.dtype.is_temporal():
        times = column.kind if column.kind.is_continuous else _TEMPORAL[column.dtype.partition("[")[0]]
        is_known = positions(_as(column, times), series).is_not_null()
        if getattr(series.dtype, "time_unit", "us") == "ns":
            is_known &= series.to_physical() % 1000 == 0
        return series.filter(is_known | series.is_null())
    return series


def words(column: Column, series: pl.Series) -> pl.Series:
    """The cells of a column of numbers held as text that are no numbers."""
    return series.filter(series.is_not_null() & positions(column, series).is_null())


def decimals_needed(numbers: npt.NDArray[np.float64], *, is_single: bool) -> npt.NDArray[np.uint16]:
    """With how many decimals each number is written, 0 to 6, and 7 for more; `is_single`: a float32 was.

    A number has d decimals when it is, but for rounding noise, the float nearest to a multiple of 10**-d,
    which must stay below the mantissa, where every float would pass.
    """
    return by_blocks(lambda block: _decimals_of(block, is_single=is_single), numbers)


def _decimals_of(numbers: npt.NDArray[np.float64], *, is_single: bool) -> npt.NDArray[np.uint16]:
    needed = np.full(len(numbers), MOST_DECIMALS + 1, dtype=np.uint16)
    left = np.flatnonzero(np.isfinite(numbers))
    for decimals in range(MOST_DECIMALS + 1):
        scale = 10.0**decimals
        left = left[np.abs(numbers[left]) < (2.0**23 if is_single else 2.0**53) / scale]
        values = numbers[left]
        nearest = np.rint(values * scale) / scale
        if is_single:
            is_written = nearest.astype(np.float32) == values.astype(np.float32)
        else:
            is_written = np.abs(nearest - values) <= _ROUNDING * np.abs(values)
        needed[left[is_written]] = decimals
        left = left[~is_written]
    return needed


def resolutions(column: Column) -> tuple[str, ...]:
    """Names of the units that a datetime or duration may be written in, coarse to fine."""
    stored = _UNITS[_time_unit(column)]
    return tuple(name for name, nanoseconds in _NANOSECONDS.items() if nanoseconds >= stored)


def resolution_needed(column: Column, series: pl.Series) -> npt.NDArray[np.uint16]:
    """The position in `resolutions` of the coarsest unit of which each cell is a multiple; 0 for no time."""
    times = _moments(column, series) if column.kind is Kind.DATETIME else series
    steps = [_NANOSECONDS[name] // _UNITS[_time_unit(column)] for name in resolutions(column)[:-1]]

    def needed(physical: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        found = np.zeros(len(physical), dtype=np.uint8)
        for step in steps:
            found += physical % step != 0
        return found

    return by_blocks(needed, times.to_physical().cast(pl.Int64).fill_null(0).to_numpy())


def step_of(column: Column) -> int:
    """Microseconds to one step of a datetime's or duration's lattice, at least 1."""
    name = column.resolution or resolutions(column)[-1]
    return max(_NANOSECONDS[name], _UNITS[_time_unit(column)], 1000) // 1000


_TEMPORAL = {"date": Kind.DATE, "datetime": Kind.DATETIME, "duration": Kind.DURATION}


def _as(column: Column, kind: Kind) -> Column:
    return Column(name=column.name, kind=kind, dtype=column.dtype, timezone=column.timezone)


def _time_unit(column: Column) -> str:
    return column.dtype.split("[")[1].rstrip("]") if "[" in column.dtype else "us"


def _dates(column: Column, series: pl.Series) -> pl.Series:
    is_text = series.dtype == pl.String
    return series.str.strptime(pl.Date(), column.format, strict=False) if is_text else series.cast(pl.Date)


def _moments(column: Column, series: pl.Series) -> pl.Series:
    is_text = series.dtype == pl.String
    return series.str.strptime(pl.Datetime("us"), column.format, strict=False) if is_text else series


def _microseconds(times: pl.Series) -> pl.Series:
    physical, unit = times.to_physical().cast(pl.Int64), _UNITS[times.dtype.time_unit]  # type: ignore[attr-defined]
    if unit > 1000:
        limit = 2**63 // (unit // 1000) - 1
        return _kept(physical, physical.is_between(-limit, limit)) * (unit // 1000)
    return physical // (1000 // unit)


def _within(times: pl.Series, per_day: int) -> pl.Series:
    edges = calendar_edges(per_day)
    return _kept(times, times.is_between(int(edges[0]), int(edges[-1]) - 1))


def _kept(values: pl.Series, is_kept: pl.Series) -> pl.Series:
    """`values`, null where they are not kept."""
    nothing = pl.Series([None], dtype=values.dtype)
    return values.zip_with(is_kept.fill_null(value=False), nothing)
