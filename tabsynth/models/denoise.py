"""Noisy one-way counts, made what counts can be: non-negative, and of a known total.

All of it is post-processing of released numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def denoised(counts: Floats, variance: float, *, total: float, is_ordered: bool, n_numbers: int) -> Floats:
    """Counts ≥ 0 that sum to `total` ≥ 0, from noisy ones; shape (n_cells,).

    `variance` is that of the noise in each cell, 0 where counts are exact. The first `n_numbers` cells lie
    in order on a line; `is_ordered` says the same of the levels after them.
    """
    del variance, is_ordered, n_numbers
    return on_simplex(counts, total)


def on_simplex(counts: Floats, total: float) -> Floats:
    """The nearest point, in Euclidean distance, among counts ≥ 0 that sum to `total` ≥ 0.

    Counts less a constant, held at 0 (Held, Wolfe and Crowder 1974; Duchi et al. 2008).
    """
    if len(counts) == 0 or total <= 0:
        return np.zeros_like(counts)
    descending = np.sort(counts)[::-1]
    excess = (np.cumsum(descending) - total) / np.arange(1, len(counts) + 1)
    n_kept = int(np.flatnonzero(descending > excess)[-1]) + 1
    nearest: Floats = np.maximum(counts - excess[n_kept - 1], 0.0)
    return nearest


def common_total(counts: list[Floats], variances: list[float]) -> float:
    """The number of rows that several noisy histograms of the same rows speak for, at least 0.

    Their sums, weighted by what each says of it: 1 over the variance of a cell times the number of cells.
    """
    sums = np.array([histogram.sum() for histogram in counts])
    spread = np.array(
        [variance * histogram.size for histogram, variance in zip(counts, variances, strict=True)]
    )
    if not len(sums):
        return 0.0
    weights = 1 / spread if (spread > 0).all() else (spread == 0).astype(np.float64)
    return max(float((weights * sums).sum() / weights.sum()), 0.0)
