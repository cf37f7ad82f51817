"""Latent correlations behind observed scores.

Replacing a cell by the mean latent value of its piece loses spread: two binary flags that are the same
flag correlate at their scores' variance, not at 1. `latent_correlation` undoes that exactly under the
copula: for standard normals of correlation ρ, E[He_j(X) He_k(Y)] = δ_jk k! ρ^k (Mehler 1866), so scores
with Hermite coefficients α and β have covariance G(ρ) = Σ_k α_k β_k ρ^k, which increases with ρ and is
inverted. For two-level columns this is the tetrachoric, for many levels the polychoric correlation by
moments, for numbers without ties it changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_TERMS = 100
MAX_CORRELATION = 0.995
_BISECTIONS = 18
_PAIRS_AT_ONCE = 20_000
_FEW_TERMS = 6
_NEGLIGIBLE = 5e-4


def latent_correlation(score_correlation: Floats, coefficients: Floats, spread: Floats) -> Floats:
    """Latent correlation matrix, (p, p), from that of the scores and their Hermite coefficients, (p, K).

    `score_correlation` is the Pearson correlation of the scores, in [-1, 1]; `spread` their standard
    deviations under the marginals, (p,), 0 for constants, which get no correlation. Values that no latent
    correlation can produce are held at ±0.995. The result need not be positive semi-definite.
    """
    n = len(score_correlation)
    latent = np.eye(n)
    rows, cols = np.triu_indices(n, k=1)
    varies = spread > 1e-6
    unit = np.where(varies[:, None], coefficients / np.where(varies, spread, 1.0)[:, None], 0.0).T
    beyond = np.sqrt((unit[_FEW_TERMS:] ** 2).sum(axis=0))
    is_smooth = beyond[rows] * beyond[cols] < _NEGLIGIBLE  # by Cauchy-Schwarz, what the later terms can add
    for chosen, n_terms in ((is_smooth, _FEW_TERMS), (~is_smooth, len(unit))):
        i_all, j_all = rows[chosen], cols[chosen]
        for start in range(0, len(i_all), _PAIRS_AT_ONCE):
            i, j = i_all[start : start + _PAIRS_AT_ONCE], j_all[start : start + _PAIRS_AT_ONCE]
            terms = unit[:n_terms, i] * unit[:n_terms, j]
            solved = np.where(varies[i] & varies[j], invert_series(score_correlation[i, j], terms), 0.0)
            latent[i, j] = latent[j, i] = solved
    return latent


def invert_series(target: Floats, terms: Floats) -> Floats:
    """ρ in [-0.995, 0.995] with Σ_k terms_k ρ^k = target, (n_pairs,), by bisection; terms (K, n_pairs)."""
    low = np.full(len(target), -MAX_CORRELATION)
    high = np.full(len(target), MAX_CORRELATION)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        value = np.zeros(len(target))
        for term in terms[::-1]:
            value += term
            value *= middle
        below = value < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    solved: Floats = (low + high) / 2
    return solved


def shrink_unreliable(latent: Floats, score_correlation: Floats, n_rows: Floats, slope: Floats) -> Floats:
    """Latent correlations pulled towards 0 by what their standard errors call for, shape (p, p).

    `n_rows` are the rows behind each pair, `slope` the first-order change of the score correlation with
    the latent one: a flag that three rows raise has a slope near 0, so any chance co-occurrence stands
    for a large latent correlation. With standard error s = (1 - r²) / (slope √(n - 1)) by the delta
    method, ρ becomes ρ · max(0, 1 - 2 s² / ρ²): the positive-part rule of James and Stein (1961) with
    the penalty that Akaike's criterion puts on a parameter.
    """
    error = (1 - score_correlation**2) / np.maximum(slope * np.sqrt(np.maximum(n_rows - 1, 1)), 1e-12)
    with np.errstate(divide="ignore", over="ignore"):
        kept = np.maximum(0.0, 1 - 2 * (error / np.where(latent == 0, np.inf, latent)) ** 2)
    shrunk: Floats = latent * np.where(latent == 0, 0.0, kept)
    np.fill_diagonal(shrunk, 1.0)
    return shrunk


def nearest_correlation(matrix: Floats, *, floor: float = 1e-4, n_iterations: int = 50) -> Floats:
    """The nearest positive definite correlation matrix in Frobenius norm, shape (p, p).

    Alternating projections with Dykstra's correction (Higham 2002, algorithm 3.3), stopped when the
    smallest eigenvalue is above -1e-6 of the largest; eigenvalues are then held above `floor` and the
    diagonal restored to 1.
    """
    current, correction = matrix.copy(), np.zeros_like(matrix)
    eigenvalues, vectors = np.linalg.eigh(current)
    if eigenvalues[0] < floor:
        for _ in range(n_iterations):
            shifted = current - correction
            eigenvalues, vectors = np.linalg.eigh(shifted)
            projected = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
            correction = projected - shifted
            current = projected.copy()
            np.fill_diagonal(current, 1.0)
            if len(matrix) > 500 or np.linalg.norm(current - projected) < 1e-7 * len(matrix):
                break
        eigenvalues, vectors = np.linalg.eigh(current)
        current = (vectors * np.maximum(eigenvalues, floor)) @ vectors.T
        scale = 1 / np.sqrt(np.diag(current))
        current = current * scale[:, None] * scale
    current = (current + current.T) / 2
    np.fill_diagonal(current, 1.0)
    return current
