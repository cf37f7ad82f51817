"""Half of the rows, chosen to speak for all of them."""

import itertools

import numpy as np
import pytest

from tabsynth.models.halving import halved

SIZES = (4, 3, 5, 2)


def states_of(n_rows, rng, sizes=SIZES):
    first = rng.integers(0, sizes[0], n_rows)
    return [np.where(rng.random(n_rows) < 0.5, first, rng.integers(0, size, n_rows)) % size for size in sizes]


def counts_of_pairs(states, rows, sizes=SIZES):
    found = []
    for i, j in itertools.combinations(range(len(sizes)), 2):
        found.append(np.bincount(states[i][rows] * sizes[j] + states[j][rows], minlength=sizes[i] * sizes[j]))
    return np.concatenate(found)


@pytest.mark.parametrize("n_rows", [0, 2, 7, 100])
def test_half_of_the_rows_are_kept_none_twice(n_rows):
    rng = np.random.default_rng(1)
    kept = halved(states_of(n_rows, rng), SIZES, rng)
    assert len(kept) == len(set(kept.tolist())) == n_rows // 2
    assert set(kept.tolist()) <= set(range(n_rows))


def test_every_row_is_as_likely_to_be_kept_as_any_other():
    """Ten very unlike rows, 4,000 times: each share within six standard errors of a half (below 1e-7)."""
    rng = np.random.default_rng(2)
    states = [np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, 3]), np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 0])]
    times = np.zeros(10)
    for _ in range(4000):
        times[halved(states, (4, 3), rng)] += 1
    assert np.abs(times / 4000 - 0.5).max() < 6 * 0.5 / 4000**0.5


def test_what_is_kept_agrees_in_all_pairs_of_columns_better_than_a_random_half():
    """The squares fall to less than a tenth of a random half's, on the mean of ten tables."""
    rng = np.random.default_rng(3)
    ours, random = [], []
    for _ in range(10):
        states = states_of(4000, rng)
        whole = counts_of_pairs(states, np.arange(4000)) / 2
        ours.append(((counts_of_pairs(states, halved(states, SIZES, rng)) - whole) ** 2).sum())
        half = rng.permutation(4000)[:2000]
        random.append(((counts_of_pairs(states, half) - whole) ** 2).sum())
    assert np.mean(ours) < 0.1 * np.mean(random)


def counts_of_triples(states, rows, target):
    """Of every two columns together with the target."""
    found = []
    for i, j in itertools.combinations([k for k in range(len(SIZES)) if k != target], 2):
        cell = (states[i] * SIZES[j] + states[j]) * SIZES[target] + states[target]
        found.append(np.bincount(cell[rows], minlength=SIZES[i] * SIZES[j] * SIZES[target]))
    return np.concatenate(found)


@pytest.mark.parametrize("target", [0, 1, 3])
def test_a_target_is_kept_in_proportion_to_every_two_columns(target):
    """Squares over triples fall below two thirds of what halving by pairs leaves, on the mean of ten tables; pairs stay as near."""
    rng = np.random.default_rng(6)
    by_pairs, by_triples, pairs, own_pairs = [], [], [], []
    for _ in range(10):
        states = states_of(4000, rng)
        whole = counts_of_triples(states, np.arange(4000), target) / 2
        told, untold = halved(states, SIZES, rng, target=target), halved(states, SIZES, rng)
        by_pairs.append(((counts_of_triples(states, untold, target) - whole) ** 2).sum())
        by_triples.append(((counts_of_triples(states, told, target) - whole) ** 2).sum())
        both = counts_of_pairs(states, np.arange(4000)) / 2
        pairs.append(((counts_of_pairs(states, told) - both) ** 2).sum())
        half = rng.permutation(4000)[:2000]
        own_pairs.append(((counts_of_pairs(states, half) - both) ** 2).sum())
    assert np.mean(by_triples) < 0.67 * np.mean(by_pairs)
    assert np.mean(pairs) < 0.1 * np.mean(own_pairs)


def test_a_target_of_very_many_states_is_halved_by_pairs_alone():
    rng = np.random.default_rng(7)
    sizes = (300, 300, 2000)
    states = [rng.integers(0, size, 400) for size in sizes]
    assert len(set(halved(states, sizes, rng, target=2).tolist())) == 200


def test_many_columns_are_thinned_by_some_of_their_pairs():
    rng = np.random.default_rng(4)
    sizes = [3] * 60
    states = [rng.integers(0, 3, 500) for _ in sizes]
    assert len(halved(states, sizes, rng)) == 250
