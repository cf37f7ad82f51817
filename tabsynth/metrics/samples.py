"""Numbers of one column as distinct values and counts, and what is computed from them exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def numbers_of(column: EncodedColumn) -> Numbers:
    """The cells of a continuous column that hold a number, in units of the variable's step."""
    if column.values is None:
        raise TypeError(f"column {column.variable.name!r} is discrete: it has codes, not numbers")
    numbers: Numbers = column.values[column.codes == 0]
    return numbers


def _is_compact(numbers: Numbers) -> bool:
    """Whether counting by value is cheaper than sorting: integers of a small span."""
    if numbers.dtype.kind != "i" or len(numbers) == 0:
        return False
    return int(numbers.max()) - int(numbers.min()) <= 4 * len(numbers) + 1024


def midranks(numbers: Numbers) -> npt.NDArray[np.float64]:
    """Ranks from 1, equal numbers sharing the mean of theirs; shape (n,)."""
    if _is_compact(numbers):
        inverse = numbers - numbers.min()
        counts = np.bincount(inverse)
    else:
        _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    ranks: npt.NDArray[np.float64] = (np.cumsum(counts) - 0.5 * (counts - 1))[inverse]
    return ranks


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of numbers: its distinct values ascending, how often each occurs, and how many in all.

    Every distance below needs a value and a count only, so ties cost nothing and stay exact.
    """

    values: Numbers
    counts: npt.NDArray[np.int64]
    n: int

    @classmethod
    def of(cls, numbers: Numbers) -> Sample:
        if _is_compact(numbers):
            start = int(numbers.min())
            counts = np.bincount(numbers - start)
            present = np.flatnonzero(counts)
            return cls(present.astype(np.int64) + start, counts[present], len(numbers))
        values, counts = np.unique(numbers, return_counts=True)
        return cls(cast("Numbers", values), counts, len(numbers))

    def quantile(self, q: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Quantiles, linearly interpolated between order statistics (Hyndman & Fan's type 7).

        The sample must not be empty.
        """
        position = np.asarray(q, dtype=np.float64) * (self.n - 1)
        below = np.floor(position)
        last = np.cumsum(self.counts)
        low, high = (
            self.values[np.searchsorted(last, order, side="right")].astype(np.float64)
            for order in (below, np.minimum(below + 1, self.n - 1))
        )
        share = position - below
        return low * (1 - share) + high * share

    def spread(self) -> float:
        """The .01 to .99 interquantile range; the whole range where that is 0; 0 for a constant."""
        if self.n == 0:
            return 0.0
        low, high = self.quantile([0.01, 0.99])
        return float(high - low) or float(self.values[-1]) - float(self.values[0])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples on the union of their values: `left` and `right` count each value, shape (n_grid,)."""

    grid: Numbers
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]

    @classmethod
    def of(cls, left: Sample, right: Sample) -> Comparison:
        whole: Numbers = np.concatenate([left.values, right.values])
        whole.sort(kind="stable")  # merges the two sorted runs in one pass
        grid = whole[np.append(True, whole[1:] != whole[:-1])[: len(whole)]]
        return cls(grid, _counts_on(grid, left), _counts_on(grid, right))

    def event_distance(
        self, left_levels: npt.NDArray[np.int64], right_levels: npt.NDArray[np.int64]
    ) -> float:
        """The largest difference in probability of an event that a column of numbers and levels allows.

        The events are "the number is at most x" (or above x), joined with any set of levels. Without
        levels this is the two-sample Kolmogorov-Smirnov statistic, without numbers the total variation
        distance. `left_levels` and `right_levels` count the cells at each level beside the numbers, both
        of shape (n_levels,); either side needs at least one cell. In [0, 1].
        """
        n_left = int(self.left.sum() + left_levels.sum())
        n_right = int(self.right.sum() + right_levels.sum())
        by_level = left_levels / n_left - right_levels / n_right
        gap = np.cumsum(self.left) / n_left - np.cumsum(self.right) / n_right
        below = np.concatenate([[0.0], gap])
        above = below[-1] - below
        highest = max(below.max(), above.max()) + by_level[by_level > 0].sum()
        lowest = min(below.min(), above.min()) + by_level[by_level < 0].sum()
        return float(np.clip(max(highest, -lowest), 0.0, 1.0))

    def wasserstein(self) -> float:
        """The area between the two distribution functions, in units of the numbers; neither is empty."""
        left, right = np.cumsum(self.left), np.cumsum(self.right)
        gap = np.abs(left / left[-1] - right / right[-1])
        return float(np.sum(gap[:-1] * np.diff(self.grid.astype(np.float64))))


def _counts_on(grid: Numbers, sample: Sample) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(grid), dtype=np.int64)
    counts[np.searchsorted(grid, sample.values)] = sample.counts
    return counts
