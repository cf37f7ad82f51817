"""Exact distances of samples, against scipy, numpy and brute force."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tabsynth.metrics.samples import Comparison, Sample, midranks, numbers_of
from tests.unit.metrics.tables import discrete_column, number_column


def compare(a, b) -> Comparison:
    return Comparison.of(Sample.of(a), Sample.of(b))


NONE = np.zeros(3, dtype=np.int64)

integers = st.lists(st.integers(-5, 5), min_size=1, max_size=40).map(lambda x: np.array(x, dtype=np.int64))
wide = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=40).map(
    lambda x: np.array(x, dtype=np.int64)
)
floats = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40).map(np.array)
samples = st.one_of(integers, wide, floats)


@given(samples, samples)
def test_without_levels_it_is_the_kolmogorov_smirnov_statistic(a, b):
    with np.errstate(all="ignore"):  # scipy's p-value, which is not asked for, divides by zero for tiny n
        expected = scipy.stats.ks_2samp(a, b, method="asymp").statistic
    assert compare(a, b).event_distance(NONE, NONE) == pytest.approx(expected, abs=1e-12)


@given(samples, samples)
def test_wasserstein_is_scipys(a, b):
    expected = scipy.stats.wasserstein_distance(a, b)
    assert compare(a, b).wasserstein() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(samples)
def test_midranks_are_scipys(a):
    assert midranks(a).tolist() == scipy.stats.rankdata(a).tolist()


@given(samples)
def test_quantiles_are_numpys(a):
    q = [0.0, 0.001, 0.3, 0.5, 0.999, 1.0]
    np.testing.assert_allclose(Sample.of(a).quantile(q), np.quantile(a, q), rtol=1e-12, atol=1e-9)


@given(
    st.lists(st.integers(0, 4), max_size=8),
    st.lists(st.integers(0, 4), max_size=8),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_mixed_distance_is_the_largest_over_all_events(a, b, levels_a, levels_b):
    if len(a) + sum(levels_a) == 0 or len(b) + sum(levels_b) == 0:
        return
    sides = []
    for numbers, levels in ((a, levels_a), (b, levels_b)):
        n = len(numbers) + sum(levels)
        halves = [sum(x <= cut for x in numbers) for cut in range(-1, 5)]
        halves += [len(numbers) - half for half in halves]
        sets = [sum(chosen) for k in range(4) for chosen in itertools.combinations(levels, k)]
        sides.append([(half + chosen) / n for half in halves for chosen in sets])
    expected = max(abs(p - q) for p, q in zip(*sides, strict=True))
    both = compare(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64))
    found = both.event_distance(np.array(levels_a), np.array(levels_b))
    assert found == pytest.approx(expected, abs=1e-12)


def test_without_numbers_it_is_the_total_variation_distance():
    nothing = np.empty(0, dtype=np.int64)
    found = compare(nothing, nothing).event_distance(np.array([2, 2, 0]), np.array([1, 0, 3]))
    assert found == pytest.approx(0.75)


def test_spread_falls_back_to_the_whole_range():
    assert Sample.of(np.arange(101)).spread() == pytest.approx(98.0)
    mostly_zero = np.array([0] * 999 + [50])
    assert Sample.of(mostly_zero).spread() == 50.0
    assert Sample.of(np.array([7, 7])).spread() == 0.0
    assert Sample.of(np.empty(0)).spread() == 0.0


def test_numbers_leave_out_the_levels_beside_them():
    assert numbers_of(number_column([3, 0, 5], codes=[0, 1, 0])).tolist() == [3, 5]
    with pytest.raises(TypeError, match="'d' is discrete"):
        numbers_of(discrete_column([0, 1], 2))
