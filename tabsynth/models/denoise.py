"""Noisy one-way counts, made what counts can be: smooth where they are, rarely tiny, of a known total.

All of it is post-processing of released numbers. Neighbouring cells of a line are first averaged as far as
their differences look like noise (`_smoothed`), then every cell is moved towards what counts are like before
they are seen (`_expected`), then all of them to the total, those that are least sure the farthest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FEWEST_SMOOTHED = 8
_HAAR_LEVELS = 3
_NEIGHBOURS = 2  # on either side, whose size tells whether a difference is noise
_PENALTY = 1.5
_EMPTY_NUMBER, _EMPTY_LEVEL = 0.45, 0.15  # chance that a cell holds nobody
_SMALLEST = 0.3  # standard deviations of noise, from which up counts are told from 0
_STEP = 0.15  # of ln count


def denoised(counts: Floats, variance: float, *, total: float, is_ordered: bool, n_numbers: int) -> Floats:
    """Counts ≥ 0 that sum to `total` ≥ 0, from noisy ones; shape (n_cells,).

    `variance` is that of the noise in each cell, 0 where counts are exact: they are only moved to the total
    then. The first `n_numbers` cells lie in order on a line; `is_ordered` says the same of a column that
    has levels only.
    """
    if total <= 0 or len(counts) == 0:
        return np.zeros(len(counts))
    if variance <= 0:
        return on_simplex(counts, total)
    mean, spread = expected(counts, variance, total=total, is_ordered=is_ordered, n_numbers=n_numbers)
    return on_simplex(mean, total, weights=spread)


def expected(
    counts: Floats,
    variance: float,
    *,
    total: float,
    is_ordered: bool,
    n_numbers: int,
    empty: float = _EMPTY_LEVEL,
) -> tuple[Floats, Floats]:
    """Mean ≥ 0 and variance of each count before anything is known of their sum, both (n_cells,).

    `variance` > 0 and `total` > 0, which no count exceeds by much; `empty`: the chance that a level holds nobody; else as `denoised`.
    """
    n_line = len(counts) if is_ordered and n_numbers == 0 else n_numbers
    n_line = n_line if n_line >= _FEWEST_SMOOTHED else 0
    line, left = _smoothed(counts[:n_line], variance) if n_line else (np.empty(0), np.empty(0))
    line, line_spread = _expected(line, left, total=total, empty=max(_EMPTY_NUMBER, empty))
    others = counts[n_line:]
    others, spread = _expected(others, np.full_like(others, variance), total=total, empty=empty)
    return np.r_[line, others], np.r_[line_spread, spread]


def on_simplex(counts: Floats, total: float, *, weights: Floats | None = None) -> Floats:
    """The point x ≥ 0 of sum `total` ≥ 0 that is nearest to `counts` by Σ (x - count)² / weight; (n_cells,).

    `weights` are positive, all the same where there are none. Each count less a multiple of its weight, held
    at 0 (Held, Wolfe and Crowder 1974).
    """
    if total <= 0 or len(counts) == 0:
        return np.zeros(len(counts))
    weights = np.ones_like(counts) if weights is None else weights
    order = np.argsort(-counts / weights, kind="stable")
    reached = counts[order] / weights[order]
    multiple = (np.cumsum(counts[order]) - total) / np.cumsum(weights[order])
    above = np.flatnonzero(reached > multiple)
    n_kept = int(above[-1]) if len(above) else 0
    nearest: Floats = np.maximum(counts - multiple[n_kept] * weights, 0.0)
    return nearest


def common_total(counts: Sequence[Floats], variances: Sequence[float]) -> float:
    """The number of rows that several noisy histograms of the same rows speak for, at least 0.

    Their sums, weighted by 1 over the variance of the noise in each; 0 where there are none.
    """
    if not counts:
        return 0.0
    sums = np.array([histogram.sum() for histogram in counts])
    spread = np.array([each * histogram.size for histogram, each in zip(counts, variances, strict=True)])
    weights = 1 / spread if (spread > 0).all() else (spread == 0).astype(np.float64)
    return max(float(weights @ sums / weights.sum()), 0.0)


def _smoothed(counts: Floats, variance: float) -> tuple[Floats, Floats]:
    """Cells of a line, and about the variance of the noise that is left in each, in [variance/8, variance].

    Haar wavelets at every shift (Coifman and Donoho 1995), over at most 8 neighbouring cells, so that sums
    of longer runs stay what was measured. A coefficient keeps 1 - 1.5 variance / energy of its size, by the
    mean energy around it (Cai and Silverman 2001).
    """
    n = len(counts)
    smooth = np.r_[counts, counts[::-1]]  # the line and its mirror image: a circle without a jump
    details = []
    for level in range(_HAAR_LEVELS):
        ahead = np.roll(smooth, -(1 << level))
        details.append((smooth - ahead) / np.sqrt(2))
        smooth = (smooth + ahead) / np.sqrt(2)
    left = np.full(2 * n, variance)
    for level in reversed(range(_HAAR_LEVELS)):
        detail, shift = details[level], 1 << level
        around = range(-_NEIGHBOURS, _NEIGHBOURS + 1)
        energy = np.mean([np.roll(detail**2, step) for step in around], axis=0)
        kept = np.maximum(0.0, 1 - _PENALTY * variance / np.maximum(energy, _PENALTY * variance))
        detail = detail * kept
        smooth = ((smooth + detail) + np.roll(smooth - detail, shift)) / np.sqrt(8)
        half = (left + kept**2 * variance) / 2
        left = (half + np.roll(half, shift)) / 2
    return (smooth[:n] + smooth[n:][::-1]) / 2, (left[:n] + left[n:][::-1]) / 2


def _expected(counts: Floats, variance: Floats, *, total: float, empty: float) -> tuple[Floats, Floats]:
    """Posterior mean and variance of each count, both (n_cells,), under a prior without a scale.

    A cell is empty with probability `empty`, otherwise any ln count is as likely as another, from well below
    the noise up to the total. The prior stands on a grid of ln counts, each point for the values around it.
    """
    if len(counts) == 0:
        return counts, variance
    deviation = np.sqrt(variance)
    lowest = _SMALLEST * float(deviation.min())
    highest = max(total, float((counts + 3 * deviation).max()), 2 * lowest)
    grid = np.r_[0.0, np.exp(np.arange(np.log(lowest), np.log(highest) + _STEP, _STEP))]
    around = (grid * _STEP) ** 2 / 12
    spread = variance[:, None] + around
    log_weight = -0.5 * ((counts[:, None] - grid) ** 2 / spread + np.log(spread))
    log_weight[:, 0] += np.log(empty)
    log_weight[:, 1:] += np.log((1 - empty) / (len(grid) - 1))
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    gain = around / spread
    at = grid + gain * (counts[:, None] - grid)
    mean = (weight * at).sum(axis=1)
    uncertainty = (weight * ((at - mean[:, None]) ** 2 + gain * variance[:, None])).sum(axis=1)
    return np.maximum(mean, 0.0), np.maximum(uncertainty, 1e-9 * variance)
