"""A joint normal for axes that are always there and axes that exist only where a column has a number.

The number of a column with gaps is seen only on the rows where it is present, and presence depends on
other columns. Its marginal and its correlations are those of the selected rows, so its axis is built to
be standard normal *there*: it is regressed on the axes that are always there, with the moments that
selection gives them (Pearson 1903; Lawley 1943): selecting rows by z_m in an interval of mean μ and
variance τ² turns the covariance R into R - (1 - τ²) r_m r_mᵀ and the means into μ r_m, where r_m is column m of R. What
the regression leaves over is correlated between axes as the rows with both present say. Values drawn
where the column turns out to be missing are thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from tabsynth.models.correlation import nearest_correlation

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_RIDGE = 0.02
_MOST_EXPLAINED = 0.98


@dataclass(frozen=True, slots=True)
class Selected:
    """A partial axis: its own index, that of the axis which selects its rows, and the interval there."""

    axis: int
    selector: int
    lower: float
    upper: float


def joint_normal(correlation: Floats, selected: Sequence[Selected]) -> tuple[Floats, Floats]:
    """Mean, (p,), and covariance, (p, p), positive definite, of all axes.

    `correlation` holds pairwise latent correlations over the rows where both axes are present. Axes that
    are not in `selected` get mean 0 and variance 1; the selected ones have mean 0 and variance 1 on the
    rows that their selector selects.
    """
    p = len(correlation)
    partial = np.array([entry.axis for entry in selected], dtype=np.int64)
    base = np.setdiff1d(np.arange(p), partial)
    R = nearest_correlation(correlation[np.ix_(base, base)])
    mean, covariance = np.zeros(p), np.zeros((p, p))
    covariance[np.ix_(base, base)] = R
    if not selected:
        return mean, covariance
    selector = np.searchsorted(base, [entry.selector for entry in selected])
    location, variance = _truncated_moments(selected)
    loss = 1 - variance  # of the selector's variance, in [0, 1]
    means = R[:, selector] * location
    spreads = np.sqrt(np.maximum(1 - loss * R[:, selector] ** 2, 1e-6))
    B = _regressions(R, correlation[np.ix_(base, partial)] * spreads, selector, loss)
    explained = _explained(B, R, selector, loss)
    B *= np.sqrt(np.minimum(1.0, _MOST_EXPLAINED / np.maximum(explained, 1e-12)))
    explained = np.minimum(explained, _MOST_EXPLAINED)
    residual = _residuals(correlation[np.ix_(partial, partial)], B, R, selector, loss, np.sqrt(1 - explained))
    cross = R @ B
    mean[partial] = -(B * means).sum(axis=0)
    covariance[np.ix_(base, partial)], covariance[np.ix_(partial, base)] = cross, cross.T
    covariance[np.ix_(partial, partial)] = B.T @ cross + residual
    return mean, covariance


def _truncated_moments(selected: Sequence[Selected]) -> tuple[Floats, Floats]:
    """Mean and variance of a standard normal variable within each selector's interval."""
    edges = np.array([[entry.lower, entry.upper] for entry in selected])
    density = np.exp(-0.5 * np.clip(edges, -40, 40) ** 2) / np.sqrt(2 * np.pi)
    mass = np.maximum(ndtr(edges[:, 1]) - ndtr(edges[:, 0]), 1e-12)
    finite = np.where(np.isfinite(edges), edges, 0.0)
    mean = (density[:, 0] - density[:, 1]) / mass
    variance = 1 + (finite[:, 0] * density[:, 0] - finite[:, 1] * density[:, 1]) / mass - mean**2
    return mean, np.clip(variance, 1e-6, 1.0)


def _regressions(R: Floats, covariances: Floats, selector: Indices, loss: Floats) -> Floats:
    """Ridge coefficients of each selected axis on the base axes, (p_base, n_selected), 0 on its selector.

    Each regression inverts R + λI less its own rank-one loss, by Sherman and Morrison (1950) from one
    inverse of R + λI; holding the coefficient on m at 0 takes a multiple of that inverse's column m away.
    """
    P = np.linalg.inv(R + _RIDGE * np.eye(len(R)))
    columns = np.arange(len(selector))
    covariances = covariances.copy()
    covariances[selector, columns] = 0.0
    lost = R[:, selector]
    U = P @ lost
    k = loss / (1 - loss * (lost * U).sum(axis=0))
    free = P @ covariances + U * (k * (U * covariances).sum(axis=0))
    column_m = P[:, selector] + U * (k * U[selector, columns])
    B: Floats = free - column_m * (free[selector, columns] / column_m[selector, columns])
    B[selector, columns] = 0.0
    return B


def _explained(B: Floats, R: Floats, selector: Indices, loss: Floats) -> Floats:
    """Variance of each regression over its selected rows, (n_selected,)."""
    cross = R @ B
    along = cross[selector, np.arange(len(selector))]
    explained: Floats = np.maximum((B * cross).sum(axis=0) - loss * along**2, 0.0)
    return explained


def _residuals(
    correlation: Floats, B: Floats, R: Floats, selector: Indices, loss: Floats, spread: Floats
) -> Floats:
    """Covariance of what the regressions leave over, positive definite, (n_selected, n_selected)."""
    cross = R @ B
    along = cross[selector]  # [i, j]: covariance of regression j with selector i
    own = np.diag(along)
    lost = loss[:, None] * own[:, None] * along  # what selection by i takes from the pair (i, j)
    common = B.T @ cross - (lost + lost.T) / 2
    left = np.clip((correlation - common) / (spread[:, None] * spread), -0.95, 0.95)
    np.fill_diagonal(left, 1.0)
    residual: Floats = nearest_correlation(left) * spread[:, None] * spread
    return residual
