"""Privacy loss distributions of single mechanisms, on a grid, from above; tails of discrete Gaussian noise.

The loss distribution of a pair of distributions (P, Q) is the law of ln P/Q under P. Whatever composes from
a pair whose hockey-stick divergences are at least those of a mechanism, at every ε and for neighbours in
either order, bounds what composes from the mechanism, chosen adaptively or not (Zhu, Dong and Wang 2022).

Discrete Gaussian noise with sensitivity k: P = N_Z(0, σ²) and Q = N_Z(k, σ²), however the change of k is
spread over cells. One cell: by the monotone likelihood ratio of log-concave noise the best test of level α
has power G_k(α), which is concave and satisfies G_{a+b} = G_a ∘ G_b, both being shifts of the same
thresholds. Two cells that change by a and b: given the first cell, a test of the second has power at most
G_b of its level, so by Jensen's inequality the whole has power at most G_a(G_b(α)) = G_{a+b}(α). More cells
follow one by one, smaller changes by monotonicity, signs and order by symmetry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_REACH = 12.7  # standard deviations; the mass beyond is below 1e-34
_MOST_ATOMS = 1 << 14  # within one standard deviation


@dataclass(frozen=True, eq=False)
class GriddedLoss:
    """Masses at losses `step` · (`lowest`, `lowest` + 1, …), and the mass at a loss of infinity."""

    masses: Floats
    lowest: int
    infinite: float
    step: float


def gaussian_loss(scale: float, sensitivity: int, *, step: float) -> GriddedLoss:
    """Loss of one discrete Gaussian release of that `scale` and `sensitivity`, on a grid of `step`."""
    reach = math.floor(_REACH * scale)
    width = math.ceil(scale / _MOST_ATOMS)
    values, masses = _atoms(scale, reach, width)
    losses = (sensitivity * values + sensitivity**2 / 2) / scale**2
    beyond = float(tails(reach + 1, 1, scale)[0])
    masses[0] += beyond  # losses below the grid are rounded up to it
    return _on_grid(losses, masses, infinite=beyond, step=step)


def response_loss(epsilon: float, *, step: float) -> GriddedLoss:
    """Loss of randomised response with bias `epsilon`, which dominates every `epsilon`-DP mechanism.

    (Kairouz, Oh and Viswanath 2015.)
    """
    losses = np.array([-epsilon, epsilon])
    return _on_grid(losses, 1 / (1 + np.exp(-losses)), infinite=0.0, step=step)


def tails(first: int, n_values: int, scale: float) -> Floats:
    """P(X ≥ `first` + i), i < `n_values`, for discrete Gaussian X of that `scale`; shape (n_values,).

    From above and within 1e-9 of it; 1 for values up to 0.
    """
    if first <= 0:
        n_ones = min(1 - first, n_values)
        return np.concatenate([np.ones(n_ones), tails(1, n_values - n_ones, scale)])
    if scale > _MOST_ATOMS:
        from scipy.special import ndtr

        values = first + np.arange(n_values, dtype=np.float64)
        return np.asarray(ndtr(-(values - 0.5) / scale) * _excess(scale))
    scale = max(scale, 0.01)  # a float knows no smaller tail, and tails grow with the scale
    further = np.arange(n_values + math.ceil(_REACH * scale) + 1, dtype=np.float64)
    relative = np.exp(-further * (2 * first + further) / (2 * scale**2))
    at_first = math.exp(-((first / scale) ** 2) / 2) / _normaliser(scale) * (1 + 1e-10)
    return np.asarray(at_first * np.cumsum(relative[::-1])[::-1][:n_values])


def _atoms(scale: float, reach: int, width: int) -> tuple[Floats, Floats]:
    """Values in [-reach, reach] and their probabilities; of `width` neighbours all is at the highest."""
    if width == 1:
        values = np.arange(-reach, reach + 1, dtype=np.float64)
        return values, np.exp(-(values**2) / (2 * scale**2)) / _normaliser(scale)
    from scipy.special import ndtr

    edges: Floats = np.arange(-reach - 1, reach + width, width, dtype=np.float64)
    masses = np.diff(ndtr((edges + 0.5) / scale)) * _excess(scale)
    return edges[1:], masses


def _normaliser(scale: float) -> float:
    """Σ exp(-x²/2σ²) over the integers, cut off far out, so a trifle too small."""
    atoms = np.arange(1, math.ceil(_REACH * scale) + 2, dtype=np.float64)
    return 1 + 2 * float(np.exp(-(atoms**2) / (2 * scale**2)).sum())


def _excess(scale: float) -> float:
    """By how much integrals of the normal density over [x - 1/2, x + 1/2] fall short of the atoms at x.

    An integral is g(x) + g''/24 somewhere near x, with g'' = (z² - 1) g/σ² ≥ -g/σ²; the sum over all integers
    is at least the whole integral (Poisson's formula). 1/24 is taken as 1/20, g near x not being g(x).
    """
    return 1 + 1 / (20 * scale**2)


def _on_grid(losses: Floats, masses: Floats, *, infinite: float, step: float) -> GriddedLoss:
    """Split every atom over its two neighbours on the grid, so that its masses under P and Q both stay.

    The atom is what its two parts give when merged, a post-processing, so the parts dominate it (the
    discrete case of "Connect the Dots", Doroshenko et al. 2022). It adds at most step²/4 to the variance of
    the loss, where rounding up would add step/2 to the loss itself.
    """
    below = np.floor(losses / step)
    share = np.expm1((below * step - losses).clip(-step, 0)) / math.expm1(-step)
    lowest = int(below[0])
    cells = (below - lowest).astype(np.int64)
    n_cells = int(cells[-1]) + 2
    lower, upper = (
        np.bincount(cells, masses * (1 - share), n_cells),
        np.bincount(cells + 1, masses * share, n_cells),
    )
    return GriddedLoss(
        masses=np.asarray(lower + upper, np.float64), lowest=lowest, infinite=infinite, step=step
    )
