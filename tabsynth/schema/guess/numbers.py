"""Decimals and special values of numeric columns, from their distinct values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_DECIMALS = 6
_MANTISSA = {np.dtype(np.float64): 2**53, np.dtype(np.float32): 2**23}
_SAMPLE = 1000
_NOISE = 16
_NOISELESS = 2**45

_NEGATIVE_MARKS = frozenset(
    {-1, -2, -3, -4, -5, -6, -7, -8, -9, -77, -88, -99, -777, -888, -999, -7777, -8888, -9999}
)
_MOST_MARKS = 3
_FEWEST_OTHERS = 10

Values = npt.NDArray[Any]


def decimals_of(values: npt.NDArray[np.floating[Any]], counts: npt.NDArray[np.integer[Any]]) -> int | None:
    """How many decimals finite floats are written with, 0 to 6; None where more or where none could tell.

    `values` are distinct, `counts` tells how many cells hold each. A few odd ones do not count: up to one
    in 1,000 cells (those of the most frequent value aside, which may be a mass at zero) and one in 10 values
    may have more decimals.

    A float has d decimals when it is the float nearest to a whole multiple of 10**-d, which must stay below
    the mantissa's 2**53 (2**23 for float32), where every float would pass. Sums of such floats miss it by
    rounding noise: up to 16 units in the last place are forgiven where multiples stay below 2**45.
    """
    if values.size == 0:
        return None
    odd_cells, odd_values = (int(counts.sum()) - int(counts.max())) // 1000, values.size // 10
    limit = _MANTISSA[values.dtype]
    noise = _NOISE * np.finfo(values.dtype).eps if values.dtype == np.float64 else 0.0
    largest, left = float(np.abs(values).max()), values.astype(np.float64)
    counts_left = counts
    for decimals in range(MOST_DECIMALS + 1):
        scale = 10.0**decimals
        if largest * scale >= limit:
            return None
        nearest = (np.rint(left * scale) / scale).astype(values.dtype)
        forgiven = noise if largest * scale < _NOISELESS else 0.0
        is_odd = np.abs(nearest - left.astype(values.dtype)) > forgiven * np.abs(left)
        left, counts_left = left[is_odd], counts_left[is_odd]
        if left.size <= odd_values and int(counts_left.sum()) <= odd_cells:
            return decimals
    return None


def special_values(values: Values, *, count: Callable[[Any], int], n_present: int) -> list[Any]:
    """Values that stand for something other than a number: -1, -9, 999, 99999 and the like.

    `values` are the distinct values in ascending order, `count` tells how often one occurs among the
    `n_present` cells. Each must occur at least 5 times and in 0.1 % of the cells, and stand apart:

    - up to three of -1 … -9, -77, -88, -99, … where every other value is 0 or more (not -1 and -2 together,
      which speak of numbers that cross zero);
    - up to three of 77…, 88…, 99… (also 97 and 98 beside 99) a quarter of the others' range above them;
    - the one least or greatest value farther from the others than they are from each other, if it occurs 10
      times and in 1 % of the cells (0.1 % where it is ten times as far).

    All but the last case ask for ten other values.
    """
    rest = np.asarray(values)
    often = max(5, n_present / 1000)
    found: list[Any] = []
    for marks in (_negative_marks(rest), _nines(rest)):
        if marks and all(count(mark) >= often for mark in marks):
            found += marks
            rest = rest[~np.isin(rest, np.asarray(marks, dtype=rest.dtype))]
    if not found:
        found = [mark for mark, rate in _far_away(rest) if count(mark) >= max(10, rate * n_present)][:1]
    return sorted(found)


def _negative_marks(values: Values) -> list[Any]:
    n_negative = int(np.searchsorted(values, 0))
    marks = values[:n_negative].tolist()
    if not 1 <= n_negative <= _MOST_MARKS or len(values) - n_negative < _FEWEST_OTHERS:
        return []
    crosses_zero = {-1, -2} <= set(marks)
    return marks if all(mark in _NEGATIVE_MARKS for mark in marks) and not crosses_zero else []


def _nines(values: Values) -> list[Any]:
    marks: list[Any] = []
    for value in values[: -_MOST_MARKS - 1 : -1].tolist():
        if not _is_nines(value):
            break
        marks.append(value)
    while marks:
        others = values[: len(values) - len(marks)]
        if len(others) < _FEWEST_OTHERS:
            return []
        if marks[-1] - others[-1].item() > (others[-1].item() - others[0].item()) / 4:
            return marks
        marks.pop()
    return []


def _is_nines(value: float) -> bool:
    """77, 88, 99 or longer, also ending in 7 or 8 as in 998; whole numbers only."""
    if value != int(value) or not 77 <= value < 10**12:
        return False
    digits = str(int(value))
    return digits[-1] in "789" and (len(set(digits)) == 1 or set(digits[:-1]) == {"9"})


def _far_away(values: Values) -> list[tuple[Any, float]]:
    """The least and the greatest value where they stand apart, with the rate at which they must occur."""
    if len(values) < 4:
        return []
    marks = []
    for mark, others in ((values[0].item(), values[1:]), (values[-1].item(), values[:-1])):
        lower, upper = others[0].item(), others[-1].item()
        gap, span = max(lower - mark, mark - upper), upper - lower
        if gap > 10 * span:
            marks.append((mark, 0.001))
        elif gap > span and len(others) >= _FEWEST_OTHERS:
            marks.append((mark, 0.01))
    return marks
