"""Public grids over whole types: where domains that are bought may begin and end.

Positions are int64 (whole numbers, multiples of 10**-decimals, days, microseconds) or float64. Cell i of
`edges` holds edges[i] ≤ position < edges[i + 1]. No edge depends on data but through released numbers.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Edges = npt.NDArray[Any]  # int64 or float64, ascending
Run = tuple[int, int]

SECOND = 1_000_000
DAY = 86_400 * SECOND
_FINE_CELLS = 512
_RUNS = (1, 2, 4, 8, 16, 32, 64)
_FALSE_CELLS = 1e-3
_MOST_SPARE = 4
_BLOCK_ROWS = 1 << 18
_MOST_INT = 2**63 - 1
_ROUND = tuple(m * 10**k for k in range(19) for m in (1, 2, 5) if m * 10**k <= _MOST_INT)
_TENTHS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)
_SPACED = tuple(
    sorted({*range(1, 10), *(m * 10**k for k in range(18) for m in _TENTHS if m * 10**k <= _MOST_INT)})
)
_TIME_STEPS = (
    *(step for step in _ROUND if step < SECOND),
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * 60 * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * 3600 * SECOND for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in _ROUND if n <= 10**8),
)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_YEARS = (
    *range(1, 1000, 100),
    *range(1000, 1800, 10),
    *range(1800, 2200),
    *range(2200, 3000, 10),
    *range(3000, 9999, 100),
)


@cache
def whole_edges() -> Edges:
    """±1, 2, … 9, ten numbers from each power of 10 to the next, both ends of int64; 0 has its own cell."""
    return _fixed([-(2**63), *(-n for n in reversed(_SPACED)), 0, *_SPACED, _MOST_INT])


@cache
def duration_edges() -> Edges:
    """± round lengths of time in microseconds, to 10**8 days, with a cell for 0 alone."""
    return _fixed([*(-n for n in reversed(_TIME_STEPS)), 0, *_TIME_STEPS])


@cache
def calendar_edges(per_day: int) -> Edges:
    """First days of years 1 to 9999, single years from 1800 to 2200, in units of `per_day` to the day."""
    days = [dt.date(year, 1, 1).toordinal() - _EPOCH for year in _YEARS]
    days.append(dt.date.max.toordinal() - _EPOCH + 1)
    return _fixed([day * per_day for day in days])


@cache
def real_edges() -> Edges:
    """± ten numbers a power of 10 from 1e-12 to 1e19, then powers of 10 to 1e300; 0 has its own cell."""
    powers = [float(f"{m}e{k - 1}") for k in range(-12, 19) for m in _TENTHS]
    powers += [float(f"1e{k}") for k in range(24, 301, 6)]
    return _fixed([*(-p for p in reversed(powers)), 0.0, math.nextafter(0, 1), *powers])


def _fixed(edges: Sequence[float]) -> Edges:
    """An array that nobody can change, since it is shared."""
    array = np.array(edges)
    array.flags.writeable = False
    return array


def whole_subgrid(low: int, high: int, *, least: int = 1, times: bool = False) -> Edges:
    """At most about 512 even cells of a round width ≥ `least` that cover low … high, int64."""
    wanted = max(least, -(-(high - low + 1) // _FINE_CELLS))
    steps = _TIME_STEPS if times else _ROUND
    width = next((step for step in steps if step >= wanted), steps[-1])
    first, last = low // width, high // width + 1
    edges = [min(max(i * width, -(2**63)), _MOST_INT) for i in range(first, last + 1)]
    return np.unique(np.array(edges, dtype=np.int64))


def real_subgrid(low: float, high: float) -> Edges:
    """At most about 512 even cells of a round width that cover low … high, float64."""
    wanted = max((high - low) / _FINE_CELLS, 1e-9 * max(abs(low), abs(high)), 1e-300)
    exponent = math.floor(math.log10(wanted))
    pairs = itertools.product((exponent - 1, exponent, exponent + 1), (1, 2, 5))
    m, k = next((m, k) for k, m in pairs if float(f"{m}e{k}") >= wanted)
    width = float(f"{m}e{k}")
    first, last = math.floor(low / width), math.ceil(high / width)
    return np.array([float(f"{i * m}e{k}") for i in range(first, max(last, first + 1) + 1)])


def cells_of(positions: npt.NDArray[Any], edges: Edges, *, is_whole_line: bool) -> npt.NDArray[np.uint16]:
    """The cell of every position; beyond the ends the outermost cell, or n_cells if the line goes on."""
    n_cells = len(edges) - 1

    def cells(block: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        found = np.searchsorted(edges, block, side="right") - 1
        if is_whole_line:
            return np.clip(found, 0, n_cells - 1)
        found[(found < 0) | (found >= n_cells)] = n_cells
        return found

    return by_blocks(cells, positions)


def by_blocks(
    code: Callable[[npt.NDArray[Any]], npt.NDArray[np.integer]], values: npt.NDArray[Any]
) -> npt.NDArray[np.uint16]:
    """`code` of all values, a function of each alone, over all cores and in bounded memory."""
    if len(values) <= _BLOCK_ROWS:
        return code(values).astype(np.uint16)
    codes = np.empty(len(values), dtype=np.uint16)

    def fill(start: int) -> None:
        codes[start : start + _BLOCK_ROWS] = code(values[start : start + _BLOCK_ROWS])

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(fill, range(0, len(values), _BLOCK_ROWS)))
    return codes


def significant(deviation: float, n_tests: int, *, n_summed: int = 1) -> float:
    """What a sum of `n_summed` noisy empty cells exceeds with probability 1e-3 at most in `n_tests` tests."""
    from scipy.special import ndtri

    return float(-ndtri(_FALSE_CELLS / n_tests)) * deviation * math.sqrt(n_summed)


def occupied(noisy: npt.NDArray[np.float64], deviation: float) -> list[Run]:
    """Runs of cells that hold rows beyond doubt: first and last cell of each; they may overlap.

    Runs of 1, 2, 4, … 64 cells are tested, and found where no shorter one within was. With probability
    1 - 1e-3 or more every run that is found holds a row, whatever the table.
    """
    n_tests = len(noisy) * len(_RUNS)
    sums = np.concatenate([[0.0], np.cumsum(noisy)])
    found: list[Run] = []
    for width in _RUNS:
        if width > len(noisy):
            break
        is_found = sums[width:] - sums[:-width] > significant(deviation, n_tests, n_summed=width)
        runs = [(start, start + width - 1) for start in np.flatnonzero(is_found).tolist()]
        found += [run for run in runs if not _holds_any(run, found)]
    return found


def n_spare(beyond: npt.NDArray[np.float64], deviation: float) -> int:
    """How many of the cells `beyond` an outermost run to keep, nearest first: at most 4.

    Kept are the most that together hold more than 2 standard deviations of noise: a tail too thin to be
    found for certain. To keep a few in vain costs little.
    """
    sums = np.cumsum(beyond[:_MOST_SPARE])
    kept = np.flatnonzero(sums > 2 * deviation * np.sqrt(np.arange(1, len(sums) + 1)))
    return int(kept.max(initial=-1)) + 1


def lower_end(noisy: npt.NDArray[np.float64], deviation: float) -> int:
    """The first cell worth keeping of a histogram's lower end; 0 where none can be told.

    That is the first of the occupied ones if those below it, taken together, hold no more than noise does
    (two standard deviations): otherwise they hide a tail, and all are kept.
    """
    found = occupied(noisy, deviation)
    first = min((run[0] for run in found), default=0)
    return 0 if noisy[:first].sum() > 2 * deviation * math.sqrt(first) else first


def _holds_any(run: Run, others: Sequence[Run]) -> bool:
    return any(run[0] <= first and last <= run[1] for first, last in others)
