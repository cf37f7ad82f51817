"""Columns as the cells that slices are made of: levels, and of numbers and times stretches between quantiles.

The end of a stretch is the roundest number of a span in which 11 rows or more lie, and a number stands by itself where many rows
share it: no end is what one person's cell says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, decode_table
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.schema.types import Column, Kind, TableSchema

Text = str | dict[str, str] | None
"""A cell as a condition's text: a level, comparisons by their signs, None for null."""

FINE = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
COARSE = (0.1, 0.3, 0.5, 0.7, 0.9)
_SHARED = 0.05  # a number that so many of the numbers are stands by itself
_IN_REACH = MIN_GROUP // 2 + 1  # rows on either side of a quantile among which its round number is looked for
_CUT = (Kind.INTEGER, Kind.NUMBER, Kind.DATE, Kind.DATETIME)
_DAY, _SECOND = 86_400_000_000_000, 1_000_000_000  # nanoseconds
_TIMES = (_DAY, 3_600 * _SECOND, 60 * _SECOND, _SECOND)
_MONTHS = (120, 60, 12, 3, 1)

Number = int | float
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """Between the numbers below `value` and those from it on, or, `is_after`, those up to it and those above."""

    value: Number
    is_after: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Axis:
    """A column and the cell of each row, (n_rows,): stretches first, where it is cut, then levels, then whatever is
    outside the domain.

    Of a column of numbers that is not cut the first cell is "a number".
    """

    column: Column
    encoded: EncodedColumn
    codes: Integers
    cuts: tuple[Cut, ...] = ()

    @property
    def n_stretches(self) -> int:
        return 0 if self.encoded.values is None else len(self.cuts) + 1

    @property
    def n_cells(self) -> int:
        return self.n_stretches + self.encoded.variable.n_levels - (self.n_stretches > 0) + 1

    @property
    def is_slice(self) -> npt.NDArray[np.bool_]:
        """Which cells a condition can ask for, (n_cells,)."""
        found = np.ones(self.n_cells, dtype=np.bool_)
        found[-1] = False
        if self.n_stretches == 1:
            found[0] = False
        return found

    def is_level(self, cell: int) -> bool:
        """Whether the cell is a level, and nothing that numbers were cut into."""
        return cell >= self.n_stretches

    def text(self, first: int, last: int) -> Text:
        """The cell, or the stretches from one to another, as a condition that its rows meet."""
        if self.is_level(first):
            return self._level(first - self.n_stretches + (self.n_stretches > 0))
        low, high = self._ends(first, last)
        if low is not None and high is not None and low.value == high.value:
            return self._number(low.value)
        found = {}
        if low is not None:
            found[">" if low.is_after else ">="] = self._number(low.value)
        if high is not None:
            found["<=" if high.is_after else "<"] = self._number(high.value)
        return found

    def _ends(self, first: int, last: int) -> tuple[Cut | None, Cut | None]:
        low = self.cuts[first - 1] if 0 < first <= len(self.cuts) else None
        return low, self.cuts[last] if last < len(self.cuts) else None

    def _level(self, code: int) -> str | None:
        if code == self.encoded.variable.null_code:
            return None
        return self._decoded(code, 0)

    def _number(self, value: Number) -> str:
        return self._decoded(0, value)

    def _decoded(self, code: int, value: Number) -> str:
        variable, values = self.encoded.variable, self.encoded.values
        beside: Any = None if values is None else np.array([value], dtype=values.dtype)
        one = EncodedColumn(variable, np.array([code], dtype=self.encoded.codes.dtype), beside)
        single = TableSchema(name="level", columns=(self.column,))
        cell: Any = decode_table(EncodedTable(1, {variable.name: one}), single)[variable.name][0]
        return str(cell)


def axis_of(column: Column, encoded: EncodedColumn, *, at: tuple[float, ...]) -> Axis:
    """The column as cells, its numbers and times cut at about the quantiles `at`, ascending in (0, 1)."""
    codes = encoded.codes.astype(np.int64)
    if encoded.values is None or column.kind not in _CUT:
        return Axis(column=column, encoded=encoded, codes=codes)
    variable, values = encoded.variable, encoded.values
    is_number = encoded.codes == 0
    if variable.lower is not None and variable.upper is not None:
        is_beyond = is_number & ((values < variable.lower) | (values > variable.upper))
        is_number &= ~is_beyond
        codes[is_beyond] = variable.n_levels
    cuts = _cuts(np.sort(values[is_number]), column, at)
    before, after = ([cut.value for cut in cuts if cut.is_after is side] for side in (False, True))
    stretch = np.searchsorted(np.array(before, dtype=values.dtype), values, side="right")
    stretch += np.searchsorted(np.array(after, dtype=values.dtype), values, side="left")
    return Axis(
        column=column, encoded=encoded, codes=np.where(is_number, stretch, len(cuts) + codes), cuts=cuts
    )


def _cuts(numbers: npt.NDArray[Any], column: Column, at: tuple[float, ...]) -> tuple[Cut, ...]:
    """Where sorted numbers are cut; both sides of a number that many rows share, and no end that holds nothing outside."""
    if not len(numbers):
        return ()
    each, n_each = np.unique(numbers, return_counts=True)
    shared = each[n_each >= max(MIN_GROUP, _SHARED * len(numbers))]
    found = {Cut(value.item(), side) for value in shared for side in (False, True)}
    others = numbers[~np.isin(numbers, shared)]
    found |= {
        Cut(end)
        for end in _round_quantiles(others, column, at)
        if numbers[0].item() < end <= numbers[-1].item()
    }
    return tuple(sorted(found))


def _round_quantiles(numbers: npt.NDArray[Any], column: Column, at: tuple[float, ...]) -> Iterator[Number]:
    """Of each quantile the roundest number near it, within a quarter of the way to the next ones."""
    n = len(numbers)
    for below, share, above in zip((0.0, *at), at, (*at[1:], 1.0), strict=False):
        low = math.floor(share * n - max((share - below) / 4 * n, _IN_REACH))
        high = math.ceil(share * n + max((above - share) / 4 * n, _IN_REACH))
        if low >= 0 and high < n:
            yield _roundest(numbers[low].item(), numbers[high].item(), column)


def _roundest(low: Number, high: Number, column: Column) -> Number:
    """The first multiple from `low` to `high` of the largest of the steps that people count in."""
    if column.kind in (Kind.DATE, Kind.DATETIME):
        assert isinstance(low, int)
        assert isinstance(high, int)
        return _roundest_time(low, high, ContinuousEncoder(column).nanoseconds)
    if low <= 0 <= high:
        return 0
    exact = Decimal(low), Decimal(high)
    top = max(abs(exact[0]), abs(exact[1])).adjusted()
    for power in range(top, top - 20, -1):
        for lead in (5, 2, 1):
            step = Decimal(lead).scaleb(power)
            number = type(low)((exact[0] / step).to_integral_value("ROUND_CEILING") * step)
            if low <= number <= high:
                return number
    return low


def _roundest_time(low: int, high: int, tick: int) -> int:
    """The same for times, in ticks of so many nanoseconds since 1970: a first of January, of a month, a day, an hour …"""
    first, last = low * tick, high * tick
    month = int(np.datetime64(first // _DAY, "D").astype("datetime64[M]").astype(np.int64))
    for step in _MONTHS:
        start = (month + 1970 * 12) // step * step - 1970 * 12
        for candidate in (start, start + step):
            at = int(np.datetime64(candidate, "M").astype("datetime64[D]").astype(np.int64)) * _DAY
            if first <= at <= last:
                return at // tick
    for period in _TIMES:
        at = -(-first // period) * period
        if period >= tick and at <= last:
            return at // tick
    return low
