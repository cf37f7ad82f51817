import numpy as np
import pytest
from scipy import stats

from tabsynth.models.truncated_normal import truncated_multivariate_normal, truncated_normal


@pytest.mark.parametrize(("lower", "upper"), [(-1, 0.5), (6, 7), (-9, -8), (2, np.inf), (-np.inf, -3)])
def test_one_dimension_against_scipy(lower, upper):
    uniform = np.random.default_rng(0).random(20_000)
    drawn = truncated_normal(np.full(20_000, 0.3), 1.2, lower, upper, uniform)
    assert drawn.min() >= lower
    assert drawn.max() <= upper
    exact = stats.truncnorm((lower - 0.3) / 1.2, (upper - 0.3) / 1.2, 0.3, 1.2)
    # Kolmogorov's 1.95 / sqrt(n) is exceeded with probability 0.001; the seed is fixed
    assert stats.kstest(drawn, exact.cdf).statistic < 1.95 / np.sqrt(20_000)


def test_several_dimensions_against_rejection():
    covariance = np.array([[1, 0.8, 0.3], [0.8, 1, 0.5], [0.3, 0.5, 1]])
    lower, upper = np.array([0.5, -2.0, -0.5]), np.array([1.5, 0.0, 3.0])
    rng = np.random.default_rng(1)
    everywhere = rng.multivariate_normal(np.zeros(3), covariance, 2_000_000)
    kept = everywhere[((everywhere >= lower) & (everywhere <= upper)).all(axis=1)]
    drawn = truncated_multivariate_normal(np.zeros((40_000, 3)), covariance, lower, upper, rng)
    assert (drawn >= lower).all()
    assert (drawn <= upper).all()
    # standard errors are below 0.005 for means and 0.01 for correlations; five of them
    assert drawn.mean(axis=0) == pytest.approx(kept.mean(axis=0), abs=0.02)
    assert np.corrcoef(drawn.T) == pytest.approx(np.corrcoef(kept.T), abs=0.04)


def test_a_box_far_from_the_mean_stays_finite():
    drawn = truncated_multivariate_normal(
        np.zeros((50, 2)), np.array([[1, 0.99], [0.99, 1]]), np.array([5.0, -9]), np.array([6.0, -5]),
        np.random.default_rng(0),
    )  # fmt: skip
    assert np.isfinite(drawn).all()
