"""Which columns are told by a difference, on tables whose truth is known."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from tabsynth.privacy.told_by_difference import LEAST, bases_of


def found_in(*columns, seed=0):
    return bases_of([np.asarray(column, dtype=np.float64) for column in columns], np.random.default_rng(seed))


def test_what_is_equal_in_many_rows_or_closer_than_a_bin_is_wide():
    rng = np.random.default_rng(0)
    bill = rng.gamma(2, 1000, 4000).round()
    paid = np.where(rng.random(4000) < 0.3, bill, rng.gamma(2, 1000, 4000).round())
    came = rng.integers(0, 3650, 4000)
    left = came + rng.integers(0, 15, 4000)
    assert found_in(bill, paid) == {1: 0}
    assert found_in(came, left) == {1: 0}
    assert found_in(left, came) == {1: 0}
    assert found_in(came, bill, left, paid) == {2: 0, 3: 1}


def test_the_nearest_of_several_is_the_base():
    rng = np.random.default_rng(1)
    came = rng.integers(0, 3650, 4000)
    left = came + rng.integers(0, 40, 4000)
    paid = left + rng.integers(0, 3, 4000)
    assert found_in(came, left, paid) == {1: 0, 2: 1}


def test_bins_tell_what_is_only_correlated():
    """A bin of one is as wide as a third of the other's spread given it."""
    x = np.random.default_rng(2).normal(size=4000)
    y = x + np.random.default_rng(3).normal(size=4000)
    assert found_in(x, y) == {}


def test_chance_finds_nothing():
    """Thirty tables of eight independent columns, of 300 rows and more: 840 pairs, by chance a tenth of one."""
    rng = np.random.default_rng(4)
    for table in range(30):
        n = int(rng.integers(300, 3000))
        columns = [rng.integers(0, k, n) for k in (3, 10, 30, 100, 300)] + list(rng.normal(50, 20, (3, n)))
        assert found_in(*columns, seed=table) == {}


def test_equal_zeros_and_other_frequent_values_say_nothing_that_bins_do_not():
    rng = np.random.default_rng(5)
    gain, loss = (np.where(rng.random(5000) < 0.9, 0, rng.gamma(2, 500, 5000).round()) for _ in range(2))
    assert found_in(gain, loss) == {}


def test_numbers_in_other_units_are_not_subtracted():
    """Cents and euros: one is always the smaller, however rows are paired."""
    rng = np.random.default_rng(6)
    euros = rng.gamma(9, 100, 4000).round()
    assert found_in(euros, 100 * euros + rng.integers(0, 100, 4000)) == {}


def test_rows_that_lack_either_do_not_count():
    rng = np.random.default_rng(7)
    came = rng.integers(0, 3650, 4000).astype(float)
    left = came + rng.integers(0, 15, 4000)
    came[::3], left[1::3] = np.nan, np.nan
    assert found_in(came, left) == {1: 0}
    left[150:] = np.nan
    assert found_in(came, left) == {}  # a hundred rows
    assert found_in(np.full(500, np.nan), came[:500], np.full(500, 7.0)) == {}
    assert found_in() == {}
    assert found_in(np.empty(0), np.empty(0)) == {}


def test_numbers_beyond_what_can_be_subtracted_are_left_alone():
    rng = np.random.default_rng(8)
    came = rng.integers(0, 3650, 4000) + 2.0**61
    assert found_in(came, came) == {}


@pytest.mark.parametrize("share", [0.02, 0.12])
def test_the_distance_is_that_of_scipy(share):
    """Of two independent columns of which a share of the rows is equal; below the least distance nothing is found."""
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(2, 10_000)).round(2)
    same = rng.random(10_000) < share
    y = np.where(same, x, y)
    anew = rng.permutation(y)
    distance = ks_2samp(y - x, anew - x).statistic
    assert (found_in(x, y) == {1: 0}) == (distance >= LEAST)
