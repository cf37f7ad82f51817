"""Integers, numbers and times, as values on a line or lattice with levels beside them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode.discrete import Codes, code_dtype
from tabsynth.encode.variable import Variable
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import Column, Kind, Scalar

Values = npt.NDArray[Any]  # int64 on a lattice, float64 on the line

_NANOSECONDS = {
    "day": 86_400_000_000_000,
    "hour": 3_600_000_000_000,
    "minute": 60_000_000_000,
    "second": 1_000_000_000,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
    "nanosecond": 1,
}
_UNIT_NANOSECONDS = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_LEAST, _MOST = -(2**63), 2**63 - 1
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def resolution_of(nanoseconds: int) -> str | None:
    """The resolution of a column of times whose steps are so long; None for nanoseconds, which need no name."""
    names = {length: name for name, length in _NANOSECONDS.items() if length > 1}
    return names.get(nanoseconds)


@dataclass(frozen=True, slots=True)
class ContinuousEncoder:
    """A column of numbers or times: code 0 and a value, or the code of null or a special value."""

    column: Column

    @property
    def variable(self) -> Variable:
        column = self.column
        lower: int | float | None
        upper: int | float | None
        if column.bounds is None:
            lower, upper = self._type_limits
        else:
            lower, upper = self._stated_limits(column.bounds)
        return Variable(
            name=column.name,
            is_continuous=True,
            n_levels=1 + column.nullable + len(column.special_values),
            is_ordered=True,
            is_lattice=self._is_lattice,
            null_code=1 if column.nullable else None,
            lower=lower,
            upper=upper,
            is_bounded=column.bounds is not None,
        )

    @property
    def _is_lattice(self) -> bool:
        return self.column.kind is not Kind.NUMBER or self.column.decimals is not None

    @property
    def ticks(self) -> int:
        """How many physical units of the stored type one step of the lattice spans (times only)."""
        if self.column.kind is Kind.DATE:
            return 1
        physical = _UNIT_NANOSECONDS[self._time_unit]
        step = _NANOSECONDS[self.column.resolution] if self.column.resolution else physical
        return max(1, step // physical)

    @property
    def nanoseconds(self) -> int:
        """How long one step of the lattice is (times only)."""
        return (
            _NANOSECONDS["day"]
            if self.column.kind is Kind.DATE
            else self.ticks * _UNIT_NANOSECONDS[self._time_unit]
        )

    @property
    def _time_unit(self) -> str:
        dtype = self.column.dtype
        return dtype.split("[")[1].rstrip("]") if "[" in dtype else "us"

    def _position(self, bound: Scalar, *, up: bool) -> int | float:
        """A declared bound in the units of the encoded values, rounded into the allowed range."""
        kind = self.column.kind
        if kind is Kind.DATE:
            return (cast(dt.date, bound) - dt.date(1970, 1, 1)).days
        if kind is Kind.DATETIME:
            moment = cast(dt.datetime, bound)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            return self._in_ticks((aware - _EPOCH) // dt.timedelta(microseconds=1), up=up)
        if kind is Kind.DURATION:
            return self._in_ticks(cast(dt.timedelta, bound) // dt.timedelta(microseconds=1), up=up)
        number = cast(float, bound)
        if kind is Kind.INTEGER:
            return int(number)
        if self.column.decimals is None:
            return float(number)
        steps: float = number * 10**self.column.decimals
        return round(min(max(steps, float(_LEAST)), float(_MOST)))

    def _in_ticks(self, microseconds: int, *, up: bool) -> int:
        physical = microseconds * 1000 // _UNIT_NANOSECONDS[self._time_unit]
        return -(-physical // self.ticks) if up else physical // self.ticks

    def _stated_limits(self, bounds: tuple[Scalar, Scalar]) -> tuple[int | float, int | float]:
        """Declared bounds in encoded units; of the lattice at least one point, and none beyond 64 bits."""
        lower, upper = self._position(bounds[0], up=True), self._position(bounds[1], up=False)
        if self._is_lattice:
            upper = min(max(upper, _LEAST), _MOST)
            lower = min(max(lower, _LEAST), upper)
        return lower, upper

    @property
    def _type_limits(self) -> tuple[int | None, int | None]:
        """What the stored type and the calendar (years 1 to 9999) can hold, None where they do not bind."""
        column = self.column
        if column.kind is Kind.DATE:
            first, last = dt.date.min - dt.date(1970, 1, 1), dt.date.max - dt.date(1970, 1, 1)
            return first.days, last.days
        if column.kind is Kind.DATETIME and self._time_unit != "ns":
            year_1 = dt.datetime(1, 1, 2, tzinfo=dt.UTC) - _EPOCH  # a day in from the ends: zones differ
            year_9999 = dt.datetime(9999, 12, 30, tzinfo=dt.UTC) - _EPOCH
            microsecond = dt.timedelta(microseconds=1)
            return self._in_ticks(year_1 // microsecond, up=True), self._in_ticks(
                year_9999 // microsecond, up=False
            )
        if column.kind is Kind.INTEGER and column.dtype.lstrip("u").startswith("int"):
            limits = np.iinfo(column.dtype)
            return int(limits.min), min(int(limits.max), 2**63 - 1)
        return None, None

    def encode(self, series: pl.Series) -> tuple[Codes, Values]:
        """Codes and values, each of shape (n_rows,); values are 0 where the code is not 0."""
        variable = self.variable
        outside = variable.n_levels
        numbers = self.numbers(series)
        is_number = numbers.is_not_null()
        codes = np.where(is_number.to_numpy(), 0, outside).astype(code_dtype(outside))
        if variable.null_code is not None and series.null_count():
            codes[series.is_null().to_numpy()] = variable.null_code
        for offset, special in enumerate(self.column.special_values):
            matches = series == pl.Series([special], dtype=series.dtype, strict=False)
            codes[matches.fill_null(value=False).to_numpy()] = 1 + self.column.nullable + offset
        values = numbers.fill_null(0).to_numpy()
        if not self._is_lattice:
            values = values.astype(np.float64)
        elif values.dtype.kind == "f":
            with np.errstate(over="ignore"):  # what overflows is outside the domain
                values = np.rint(values * 10.0 ** (self.column.decimals or 0))
            fits = np.abs(values) < 2**63
            codes[~fits & (codes == 0)] = outside
            values = np.where(fits, values, 0).astype(np.int64)
        values = np.where(codes == 0, values, values.dtype.type(0))
        return codes, values

    def numbers(self, series: pl.Series) -> pl.Series:
        """The cells as Int64 or Float64 in stored units, null where they are not finite numbers."""
        kind, dtype = self.column.kind, series.dtype
        if kind in (Kind.DATE, Kind.DATETIME):
            if dtype == pl.String:
                pattern = self.column.format
                moment = pl.Date() if kind is Kind.DATE else pl.Datetime("us")
                series = series.str.strptime(moment, pattern, strict=False)
            elif kind is Kind.DATE and dtype != pl.Date:
                series = series.cast(pl.Date)
            return series.to_physical().cast(pl.Int64) // self.ticks
        if kind is Kind.DURATION:
            return series.to_physical().cast(pl.Int64) // self.ticks
        if kind is Kind.INTEGER and not dtype.is_float():
            return series.cast(pl.Int64, strict=False)
        numbers = series.cast(pl.Float64, strict=False)
        finite = numbers.is_finite().fill_null(value=False)
        if kind is Kind.INTEGER:
            finite = finite & (numbers.round(0) == numbers).fill_null(value=False)
        return numbers.zip_with(finite, pl.Series([None], dtype=pl.Float64))

    def decode(self, codes: Codes, values: Values) -> pl.Series:
        """Cells in the stored type; numbers are held within the declared bounds."""
        column, variable = self.column, self.variable
        if variable.lower is not None and variable.upper is not None:
            values = np.clip(values, variable.lower, variable.upper)
        series = self._stored(values).alias(column.name)
        is_number = codes == 0
        if is_number.all():
            return series
        wanted = polars_dtype(column)
        levels = [None, *([None] if column.nullable else []), *column.special_values]
        beside = pl.Series(column.name, levels, dtype=wanted, strict=False)
        beside = beside.gather(np.minimum(codes, len(levels) - 1).astype(np.uint32))
        return series.zip_with(pl.Series(is_number), beside)

    def _stored(self, values: Values) -> pl.Series:
        column, wanted = self.column, polars_dtype(self.column)
        if column.kind.is_time:
            physical = pl.Series(values.astype(np.int64)) * self.ticks
            if wanted != pl.String:
                return physical.cast(pl.Int32).cast(wanted) if wanted == pl.Date else physical.cast(wanted)
            if column.kind is Kind.DATE:
                return physical.cast(pl.Int32).cast(pl.Date).dt.strftime(column.format or "%Y-%m-%d")
            moments = physical.cast(pl.Datetime("us", column.timezone))
            return moments.dt.strftime(column.format or "%Y-%m-%dT%H:%M:%S%.f")
        if column.kind is Kind.NUMBER and column.decimals is not None:
            values = values / 10.0**column.decimals
        if wanted != pl.String:
            return pl.Series(values).cast(wanted, strict=False)
        if column.kind is Kind.NUMBER and column.decimals is not None:
            return pl.Series([f"{value:.{column.decimals}f}" for value in values.tolist()], dtype=pl.String)
        return pl.Series(values).cast(pl.String)
