"""Intervals against brute force, scikit-learn, scipy, and their stated coverage."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tabsynth.metrics.intervals import Z_95, bootstrap_interval, delong_auc, wilson_interval

scores = st.lists(st.integers(0, 6), min_size=2, max_size=25).map(lambda x: np.array(x, dtype=np.float64))


def kernel(x: float, y: float) -> float:
    return 1.0 if x > y else 0.5 if x == y else 0.0


@given(scores, scores)
def test_auc_is_scikit_learns(positive, negative):
    labels = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    expected = roc_auc_score(labels, np.r_[positive, negative])
    assert delong_auc(positive, negative).value == pytest.approx(expected, abs=1e-12)


@given(scores, scores)
def test_interval_is_delongs_by_its_definition(positive, negative):
    auc, interval = delong_auc(positive, negative)
    if auc in (0.0, 1.0):
        return
    table = np.array([[kernel(x, y) for y in negative] for x in positive])
    by_positive, by_negative = table.mean(axis=1), table.mean(axis=0)
    s10 = sum((v - auc) ** 2 for v in by_positive) / (len(positive) - 1)
    s01 = sum((v - auc) ** 2 for v in by_negative) / (len(negative) - 1)
    deviation = np.sqrt(s10 / len(positive) + s01 / len(negative))
    logit, half = np.log(auc / (1 - auc)), Z_95 * deviation / (auc * (1 - auc))
    expected = [1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1)]
    assert interval == pytest.approx(expected, abs=1e-9)


def test_perfect_separation_keeps_a_bound_that_shrinks_with_the_rows():
    high, low = np.full(10, 2.0), np.full(30, 1.0)
    # ten disjoint pairs, all concordant: probability AUC**10, which is .025 at the bound
    assert delong_auc(high, low) == (1.0, (pytest.approx(0.025**0.1), 1.0))
    assert delong_auc(low, high) == (0.0, (0.0, pytest.approx(1 - 0.025**0.1)))


def test_one_row_has_no_interval():
    assert delong_auc(np.array([2.0]), np.array([1.0, 3.0])) == (0.5, None)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (17, 400), (1, 1)])
def test_wilson_is_scipys(k, n):
    expected = scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    assert wilson_interval(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_delong_interval_covers_the_truth():
    # Scores N(1,1) against N(0,1): AUC = Φ(1/√2). 300 samples at 95 % cover 285 ± 3.8; fewer than 267 has
    # probability below 1e-5 if the coverage is 95 %.
    truth, rng = scipy.stats.norm.cdf(1 / np.sqrt(2)), np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        lower, upper = delong_auc(rng.normal(1, 1, 80), rng.normal(0, 1, 120)).interval
        covered += lower <= truth <= upper
    assert covered >= 267


def test_bootstrap_of_a_mean_has_its_standard_error():
    x = np.random.default_rng(0).normal(size=400)
    interval = bootstrap_interval(
        lambda w: float(w @ x / w.sum()), n=400, rng=np.random.default_rng(1), n_replicates=400
    )
    # the width is 3.92 standard errors; of 400 replicates it is good to some 10 % (six sigma: 35 %)
    assert interval[1] - interval[0] == pytest.approx(2 * Z_95 * x.std() / 20, rel=0.35)
    assert interval[0] < x.mean() < interval[1]


def test_bootstrap_leaves_out_undefined_replicates_and_gives_up_when_most_are():
    draws = itertools.cycle([1.0, float("nan"), 3.0])
    rng = np.random.default_rng(0)
    assert bootstrap_interval(lambda _: next(draws), n=2, rng=rng, n_replicates=30) == (1.0, 3.0)
    assert bootstrap_interval(lambda _: float("nan"), n=2, rng=rng, n_replicates=30) is None
