"""Which column of numbers is told by how far it lies above another: read off the rows, for fits without privacy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BasesOf = Callable[[Sequence[Floats], np.random.Generator], dict[int, int]]

MOST_ROWS, FEWEST_ROWS = 10_000, 1_000
MOST_ROWS_AND_PAIRS = 36_000_000
"""Rows times the square of the number of columns: of more than sixty columns fewer rows are looked at."""
LEAST = 0.05
"""Distance of the distributions of differences that must be lost where two columns are paired anew within bins."""
CHANCE = 1e-4
"""With which two columns that bins tell all of seem to lose as much."""
OVERLAP = 0.05
"""How often one of two columns must be the smaller, paired at random: others are hardly in one unit."""
FEWEST = 200
_BINS = 16
_LARGEST = 2.0**61


def bases_of(numbers: Sequence[Floats], rng: np.random.Generator) -> dict[int, int]:
    """For columns (by position) the one before it that tells it best by a difference, where one does.

    `numbers`: of every column, (n_rows,), NaN where a row has none. A model that knows another column by sixteen bins draws numbers as if they were paired
    anew within these. The distribution of what lies between the two is then another where they are equal, a step apart, or much closer
    than a bin is wide; how far apart (two samples, Kolmogorov and Smirnov) is what knowing the difference could mend.
    """
    n_rows = len(numbers[0]) if numbers else 0
    most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_ROWS_AND_PAIRS // max(len(numbers), 1) ** 2))
    rows = rng.permutation(n_rows)[:most]
    able = [at for at, column in enumerate(numbers) if _is_able(column)]
    columns = [column[rows] for column in numbers]
    anew = {at: _paired_anew(columns[at], rng) for at in able[:-1]}
    at_random = rng.permutation(len(rows))
    found = {}
    for place, of in enumerate(able):
        other = columns[of][at_random]
        lost = {
            base: _lost(columns[base], columns[of], anew[base])
            for base in able[:place]
            if _are_in_one_unit(columns[base], other)
        }
        best = max(lost, key=lambda base: lost[base], default=-1)
        if best >= 0 and lost[best] > 0:
            found[of] = best
    return found


def _is_able(column: Floats) -> bool:
    there = column[~np.isnan(column)]
    return len(there) >= FEWEST and float(np.abs(there).max()) < _LARGEST and float(np.ptp(there)) > 0


def _paired_anew(base: Floats, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """For every row another one of its bin, each once; rows without a number are a bin."""
    there = base[~np.isnan(base)]
    edges = np.unique(np.quantile(there, np.arange(1, _BINS) / _BINS))
    bins = np.where(np.isnan(base), _BINS, np.searchsorted(edges, base, side="right"))
    one, other = (np.lexsort((rng.random(len(base)), bins)) for _ in range(2))
    found = np.empty(len(base), dtype=np.intp)
    found[one] = other
    return found


def _are_in_one_unit(base: Floats, at_random: Floats) -> bool:
    """Whether either of two columns, the other's rows in random order, is smaller often enough."""
    made = at_random - base
    made = made[~np.isnan(made)]
    return len(made) > 0 and OVERLAP <= np.mean(made < 0) + np.mean(made == 0) / 2 <= 1 - OVERLAP


def _lost(base: Floats, of: Floats, anew: npt.NDArray[np.intp]) -> float:
    """How far apart differences and those paired anew are, times the share of the numbers whose base is there, too; 0 where that may be chance."""
    real, made = (own[~np.isnan(own)] for own in (of - base, of[anew] - base))
    if min(len(real), len(made)) < FEWEST:
        return 0.0
    far = _distance(np.sort(real), np.sort(made))
    by_chance = math.sqrt(math.log(2 / CHANCE) * (1 / len(real) + 1 / len(made)) / 2)
    told = far * len(real) / int((~np.isnan(of)).sum())
    return told if told >= LEAST and far >= by_chance else 0.0


def _distance(one: Floats, other: Floats) -> float:
    """The two-sample statistic of Kolmogorov and Smirnov, of sorted numbers."""
    grid = np.concatenate([one, other])
    shares = [np.searchsorted(own, grid, side="right") / len(own) for own in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())
