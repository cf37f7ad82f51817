"""Draws from a multivariate normal held inside a box."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]

N_SWEEPS = 30


def truncated_normal(mean: Floats, spread: float, lower: float, upper: float, uniform: Floats) -> Floats:
    """Normal draws within (lower, upper) by inversion; `mean` and `uniform` have the result's shape.

    Works in the nearer tail, so that intervals far out keep their precision.
    """
    low, high = (lower - mean) / spread, (upper - mean) / spread
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    below, above = ndtr(low), ndtr(high)
    drawn = ndtri(below + uniform * (above - below))
    drawn = np.clip(drawn, np.maximum(low, -38), np.minimum(high, 38))
    placed: Floats = mean + spread * np.where(flip, -drawn, drawn)
    return placed


def truncated_multivariate_normal(
    mean: Floats, covariance: Floats, lower: Floats, upper: Floats, rng: np.random.Generator
) -> Floats:
    """One draw per row of N(mean_row, covariance) within the box, shape (n, m).

    `mean` is (n, m), the box (m,). For m = 1 exact; else Gibbs sampling (Geweke 1991) from a
    sequentially truncated start, `N_SWEEPS` sweeps; rows are independent of one another.
    """
    n, m = mean.shape
    precision = np.linalg.inv(covariance)
    spreads = 1 / np.sqrt(np.diag(precision))
    weights = -precision / np.diag(precision)[:, None]
    np.fill_diagonal(weights, 0.0)
    drawn = np.empty_like(mean)
    for k in range(m):
        before = slice(0, k)
        gain = np.linalg.solve(covariance[before, before], covariance[before, k]) if k else np.empty(0)
        centre = mean[:, k] + (drawn[:, before] - mean[:, before]) @ gain
        spread = float(np.sqrt(covariance[k, k] - (covariance[k, before] @ gain if k else 0.0)))
        drawn[:, k] = truncated_normal(centre, spread, lower[k], upper[k], rng.random((n,)))
    for _ in range(N_SWEEPS if m > 1 else 0):
        for k in range(m):
            centre = mean[:, k] + (drawn - mean) @ weights[k]
            drawn[:, k] = truncated_normal(centre, float(spreads[k]), lower[k], upper[k], rng.random((n,)))
    return drawn
