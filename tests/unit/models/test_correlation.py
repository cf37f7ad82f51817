"""Latent correlations against simulation, brute force and known matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tabsynth.models.correlation import (
    MAX_CORRELATION,
    N_TERMS,
    latent_correlation,
    nearest_correlation,
    shrink_unreliable,
)
from tabsynth.models.marginal import level_marginal


def scores_correlation(first, second, rho):
    """Correlation of two columns' scores under a copula of correlation rho, from the bivariate normal CDF."""

    def corner(a, b):
        a, b = np.clip([a, b], -9, 9)
        return stats.multivariate_normal.cdf([a, b], cov=[[1, rho], [rho, 1]], abseps=1e-9, releps=1e-9)

    grid = np.array([[corner(a, b) for b in second.cuts] for a in first.cuts])
    joint = np.diff(np.diff(grid, axis=0), axis=1)
    covariance = first.scores @ joint @ second.scores
    spread = np.sqrt((first.scores**2 @ first.mass) * (second.scores**2 @ second.mass))
    return covariance / spread


def solve(observed, *marginals):
    coefficients = np.stack([marginal.hermite_coefficients(N_TERMS) for marginal in marginals])
    return latent_correlation(observed, coefficients, np.array([m.score_spread for m in marginals]))


@pytest.mark.parametrize("rho", [-0.9, -0.4, 0.0, 0.3, 0.8])
@pytest.mark.parametrize(
    ("first", "second"),
    [([5, 5], [9, 1]), ([1, 2, 3], [4, 4, 1, 1]), ([98, 2], [97, 3]), ([1] * 12, [3, 7])],
)
def test_ties_are_undone_exactly(rho, first, second):
    first, second = (level_marginal(np.array(counts, float)) for counts in (first, second))
    observed = scores_correlation(first, second, rho)
    matrix = np.array([[1, observed], [observed, 1]])
    latent = solve(matrix, first, second)[0, 1]
    assert scores_correlation(first, second, latent) == pytest.approx(observed, abs=2e-3)
    if abs(rho) < 0.5:  # further out two flags may reach their largest correlation, and rho is anyone's guess
        assert latent == pytest.approx(rho, abs=0.01)


def test_a_correlation_that_nothing_can_produce_is_held_at_the_limit():
    marginal = level_marginal(np.array([5.0, 5.0]))
    latent = solve(np.array([[1.0, 1.0], [1.0, 1.0]]), marginal, marginal)
    assert latent[0, 1] == pytest.approx(MAX_CORRELATION, abs=1e-4)


def test_constant_columns_get_no_correlation():
    constant, flag = level_marginal(np.array([7.0])), level_marginal(np.array([5.0, 5.0]))
    assert solve(np.array([[1.0, 0.3], [0.3, 1.0]]), constant, flag).tolist() == np.eye(2).tolist()


@given(st.integers(2, 8), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_nearest_is_a_correlation_matrix_and_leaves_one_alone(n, seed):
    rng = np.random.default_rng(seed)
    wild = np.clip(np.eye(n) + np.triu(rng.uniform(-1, 1, (n, n)), 1), -1, 1)
    wild = np.triu(wild) + np.triu(wild, 1).T
    near = nearest_correlation(wild)
    assert np.linalg.eigvalsh(near)[0] > 0
    assert np.diag(near) == pytest.approx(np.ones(n))
    assert nearest_correlation(near) == pytest.approx(near, abs=2e-3)


def test_nearest_against_the_published_example():
    # Higham (2002), section 4: the nearest correlation matrix to the tridiagonal (1, 1, 1) of order 3
    wild = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    wanted = np.array([[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]])
    assert nearest_correlation(wild) == pytest.approx(wanted, abs=2e-3)


def test_shrinkage_fades_with_rows_and_with_what_a_flag_can_show():
    observed = np.array([[1, 0.1], [0.1, 1]])

    def shrunk(n, slope):
        return shrink_unreliable(observed.copy(), observed, np.full((2, 2), n), np.full((2, 2), slope))[0, 1]

    # by hand: s = 0.99 / sqrt(999), so 0.1 (1 - 2 s² / 0.01)
    assert shrunk(1000.0, 1.0) == pytest.approx(0.1 * (1 - 2 * 0.99**2 / 999 / 0.01))
    assert shrunk(1e8, 1.0) == pytest.approx(0.1, rel=1e-4)
    assert shrunk(50.0, 1.0) == 0
    assert shrunk(1000.0, 0.1) == 0
    assert shrunk(1.0, 0.0) == 0


def test_shrinkage_leaves_zeros_and_the_diagonal_alone():
    zeros = np.eye(3)
    assert shrink_unreliable(zeros, zeros, np.full((3, 3), 9.0), np.ones((3, 3))).tolist() == zeros.tolist()
