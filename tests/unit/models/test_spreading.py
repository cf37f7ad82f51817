"""Positions that fill [0, 1) evenly, and keys that put similar rows side by side."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.models.spreading import even_positions, order_of_neighbours


@given(st.lists(st.integers(0, 4), max_size=200), st.integers(0, 1000), st.booleans())
@settings(max_examples=60, deadline=None)
def test_even_positions_have_one_row_in_every_kth_of_a_group(groups, seed, is_spread):
    group = np.array(groups, dtype=np.intp)
    rng = np.random.default_rng(seed)
    beside = rng.integers(0, 9, len(group)) if is_spread else None
    found = even_positions(group, 5, rng, beside=beside)
    assert ((found >= 0) & (found < 1)).all()
    for g in set(groups):
        mine = np.sort(found[group == g])
        k = len(mine)
        assert (np.floor(mine * k + 1e-9) == np.arange(k)).all() or (
            np.floor(mine * k - 1e-9) == np.arange(k)
        ).all()


def test_positions_are_uniform():
    """Of one row alone, over 4,000 draws: the mean and a quartile within six standard errors."""
    rng = np.random.default_rng(0)
    found = np.array([even_positions(np.zeros(1, dtype=np.intp), 1, rng)[0] for _ in range(4000)])
    assert abs(found.mean() - 0.5) < 6 * 0.289 / 4000**0.5
    assert abs((found < 0.25).mean() - 0.25) < 6 * 0.433 / 4000**0.5


@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_row_is_as_likely_at_any_place_of_its_group_whatever_its_key(k):
    """k × k shares over 6,000 draws, each within six standard errors of 1/k: false alarms below 1e-7."""
    rng = np.random.default_rng(k)
    group, key = np.zeros(k, dtype=np.intp), np.arange(k)
    places = np.array([np.argsort(even_positions(group, 1, rng, beside=key)) for _ in range(6000)])
    for row in range(k):
        share = (places == row).mean(axis=0)
        assert np.abs(share - 1 / k).max() < 6 * (1 / k * (1 - 1 / k) / 6000) ** 0.5


def test_any_stretch_of_keys_meets_the_shares_too():
    """Golden-section points: in any run of 100 keys, within 4 rows of the share of each quarter.

    At random a run would be off by 4.3 rows on average, and the worst of 40 by more than 10.
    """
    rng = np.random.default_rng(5)
    key = rng.permutation(1000)
    position = np.empty(1000)
    position[key] = even_positions(np.zeros(1000, dtype=np.intp), 1, rng, beside=key)[key]
    in_order = position[np.argsort(key)].reshape(10, 100)
    quarters = np.stack([np.bincount((run * 4).astype(int), minlength=4) for run in in_order])
    assert np.abs(quarters - 25).max() <= 4


def test_the_key_runs_to_and_fro_and_never_overflows():
    """Of two columns, the second one's states rise and fall in turn: neighbours in the order differ in one step."""
    grid = np.array(list(itertools.product(range(3), range(4))), dtype=np.intp)
    for seed in range(8):
        key = order_of_neighbours([grid[:, 0], grid[:, 1]], (3, 4), np.random.default_rng(seed))
        assert sorted(key.tolist()) == list(range(12))
        steps = np.abs(np.diff(grid[np.argsort(key)], axis=0)).sum(axis=1)
        assert (steps == 1).all()
    many = order_of_neighbours([np.full(3, 19)] * 40, [20] * 40, np.random.default_rng(0))
    assert (many >= 0).all()
