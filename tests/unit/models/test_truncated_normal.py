import numpy as np
import pytest
from scipy import stats

from tabsynth.models.conditions import AxisSet
from tabsynth.models.truncated_normal import (
    effective_share,
    held_normals,
    one_of_each,
    systematic,
    truncated_normal,
)


@pytest.mark.parametrize(("lower", "upper"), [(-1, 0.5), (6, 7), (-9, -8), (2, np.inf), (-np.inf, -3)])
def test_one_dimension_against_scipy(lower, upper):
    uniform = np.random.default_rng(0).random(20_000)
    drawn = truncated_normal(np.full(20_000, 0.3), 1.2, lower, upper, uniform)
    assert drawn.min() >= lower
    assert drawn.max() <= upper
    exact = stats.truncnorm((lower - 0.3) / 1.2, (upper - 0.3) / 1.2, 0.3, 1.2)
    # Kolmogorov's 1.95 / sqrt(n) is exceeded with probability 0.001; the seed is fixed
    assert stats.kstest(drawn, exact.cdf).statistic < 1.95 / np.sqrt(20_000)


def held(*sets, gates=None):
    """Sets of one interval or several, the same for all rows."""
    found = {}
    for k, intervals in enumerate(sets):
        ends = np.array(intervals, dtype=float).reshape(-1, 2)
        found[k] = AxisSet(ends[None, :, 0], ends[None, :, 1], (gates or {}).get(k))
    return found


def is_in(values, intervals):
    ends = np.array(intervals, dtype=float).reshape(-1, 2)
    return ((values[:, None] >= ends[:, 0]) & (values[:, None] <= ends[:, 1])).any(axis=1)


COVARIANCE = np.array([[1, 0.8, 0.3], [0.8, 1, 0.5], [0.3, 0.5, 1]])
SETS = [
    [(0.5, 1.5), (-2.0, 0.0), (-0.5, 3.0)],
    [[(-9, -1), (1, 1.2)], [(-0.2, 0.1), (0.7, 9)], (-np.inf, 0)],
    [(1, 3), (-9, 0.3), (-9, 9)],
]


@pytest.mark.parametrize("sets", SETS)
@pytest.mark.parametrize("alike", [True, False])
def test_several_dimensions_against_rejection(sets, alike):
    rng = np.random.default_rng(1)
    everywhere = rng.multivariate_normal(np.zeros(3), COVARIANCE, 1_000_000)
    kept = everywhere[np.logical_and.reduce([is_in(everywhere[:, k], one) for k, one in enumerate(sets)])]
    mean = np.zeros((40_000, 3))
    if not alike:  # a row of another mean, so that every row has proposals of its own
        mean[0] = 1e-9
    found = held_normals(mean, COVARIANCE, held(*sets), rng)
    drawn = found.normals
    assert found.met.all()
    assert 0 < found.effective <= 40_000
    for k, one in enumerate(sets):
        assert is_in(drawn[:, k], one).all()
    # 2,000 kept rows or more: standard errors are below 0.02 for means and 0.03 for correlations; four of them
    assert len(kept) > 2000
    assert drawn.mean(axis=0) == pytest.approx(kept.mean(axis=0), abs=0.06)
    assert np.corrcoef(drawn.T) == pytest.approx(np.corrcoef(kept.T), abs=0.12)
    assert (drawn[:, 0] > 0).mean() == pytest.approx((kept[:, 0] > 0).mean(), abs=0.04)


def test_a_gate_frees_what_stands_behind_it():
    """Axis 1 is held within (1, 2) only where axis 0 is above 0."""
    rng = np.random.default_rng(2)
    covariance = np.array([[1, 0.6], [0.6, 1]])
    everywhere = rng.multivariate_normal(np.zeros(2), covariance, 1_000_000)
    is_behind = everywhere[:, 0] > 0
    kept = everywhere[~is_behind | is_in(everywhere[:, 1], (1, 2))]
    sets = held((-np.inf, np.inf), (1, 2), gates={1: (0, 0.0, np.inf)})
    drawn = held_normals(np.zeros((40_000, 2)), covariance, sets, rng).normals
    assert is_in(drawn[drawn[:, 0] > 0, 1], (1, 2)).all()
    # shares of 40,000: five standard errors are 0.0125; of a mean 0.025
    assert (drawn[:, 0] > 0).mean() == pytest.approx((kept[:, 0] > 0).mean(), abs=0.013)
    assert drawn[:, 1].mean() == pytest.approx(kept[:, 1].mean(), abs=0.03)


def test_one_dimension_is_exact_and_rows_may_have_sets_of_their_own():
    mean = np.array([0.0, 3.0, -1.0] * 20_000)[:, None]
    lower = np.array([0.0, -np.inf, -1.5] * 20_000)[:, None]
    upper = np.array([1.0, 2.0, -1.4] * 20_000)[:, None]
    found = held_normals(mean, np.eye(1), {0: AxisSet(lower, upper)}, np.random.default_rng(3))
    assert found.effective == 60_000
    for k in range(3):
        exact = stats.truncnorm((lower - mean)[k, 0], (upper - mean)[k, 0], mean[k, 0])
        # Kolmogorov's 1.95 / sqrt(n) is exceeded with probability 0.001; the seed is fixed
        assert stats.kstest(found.normals[k::3, 0], exact.cdf).statistic < 1.95 / np.sqrt(20_000)


def test_a_box_far_from_the_mean_stays_finite_and_inside():
    sets = held((5.0, 6.0), (-9, -5))
    found = held_normals(np.zeros((50, 2)), np.array([[1, 0.99], [0.99, 1]]), sets, np.random.default_rng(0))
    assert np.isfinite(found.normals).all()
    assert is_in(found.normals[:, 0], (5, 6)).all()
    assert is_in(found.normals[:, 1], (-9, -5)).all()
    assert found.effective < 50


@pytest.mark.parametrize("alike", [True, False])
def test_sets_that_are_improbable_together_are_met_all_the_same(alike):
    """120 independent axes within (3, 3.2), of probability 6.6e-4 each: 1e-381 together, and no proposal is worth less."""
    mean = np.zeros((5, 120))
    if not alike:
        mean[0, 0] = 1e-9
    found = held_normals(mean, np.eye(120), held(*[(3.0, 3.2)] * 120), np.random.default_rng(0))
    assert found.met.all()
    assert found.effective == pytest.approx(5)
    assert is_in(found.normals.ravel(), (3, 3.2)).all()


def test_a_set_that_is_empty_under_the_model_is_not_met_among_others_that_are():
    sets = held((0, 1), (50, 51))
    alike = held_normals(np.zeros((4, 2)), np.eye(2), sets, np.random.default_rng(0))
    assert (alike.met.any(), alike.effective) == (False, 0.0)
    mean = np.array([[0.0, 0.0], [0.0, 50.0]])
    found = held_normals(mean, np.eye(2), sets, np.random.default_rng(0))
    assert found.met.tolist() == [False, True]
    assert found.effective == pytest.approx(1)


def test_effective_share_by_hand():
    assert effective_share(np.array([1.0, 1.0, 1.0, 1.0])) == 1.0
    assert effective_share(np.array([1.0, 0.0, 0.0, 0.0])) == 0.25
    assert effective_share(np.array([3.0, 1.0])) == pytest.approx(16 / 20)
    assert effective_share(np.zeros(3)) == 0.0


def test_combs_draw_in_proportion_and_rows_draw_among_their_own():
    rng = np.random.default_rng(0)
    counts = np.bincount(systematic(np.array([1.0, 2.0, 0.0, 5.0]), 800, rng), minlength=4)
    assert np.abs(counts - [100, 200, 0, 500]).max() <= 1
    weights = np.tile([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0]], (20_000, 1))
    found = one_of_each(weights, rng)
    assert set(found[0::2]) == {1, 2}
    assert (found[0::2] == 2).mean() == pytest.approx(0.75, abs=0.016)  # five standard errors
    assert set(found[1::2]) == {0, 1, 2}
