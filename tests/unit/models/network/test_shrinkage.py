"""Noisy pairs, denoised by what they have in common."""

import numpy as np
import pytest

from tabsynth.models.network.loglinear import Table
from tabsynth.models.network.shrinkage import shrunk

N_COLUMNS, K, N_ROWS = 6, 10, 20_000.0


def even():
    return [np.full(K, N_ROWS / K) for _ in range(N_COLUMNS)]


def truth(rng, *, rank, strength):
    """Pairs whose interactions lie in `rank` directions of each column, the same beside every other column."""
    axes = [np.linalg.qr(np.c_[np.ones(K), rng.normal(size=(K, rank))])[0][:, 1:] for _ in range(N_COLUMNS)]
    pairs = {}
    for i in range(N_COLUMNS):
        for j in range(i + 1, N_COLUMNS):
            core = rng.normal(0, strength, (rank, rank))
            pairs[i, j] = N_ROWS / K**2 + axes[i] @ core @ axes[j].T
    return pairs


def noisy(pairs, rng, deviation):
    return [
        Table(pair, counts + rng.normal(0, deviation, counts.shape), deviation**2)
        for pair, counts in pairs.items()
    ]


def error(tables, pairs):
    return sum(float(((table.counts - pairs[table.variables]) ** 2).sum()) for table in tables)


def test_few_shared_directions_lose_most_of_their_noise():
    """Noise in 9 × 9 directions, signal in 2 × 2: a third of the squared error goes, margins' included (of ten tables, the worst)."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        pairs = truth(rng, rank=2, strength=300.0)
        given = noisy(pairs, rng, 30.0)
        assert error(shrunk(given, even()), pairs) < 0.65 * error(given, pairs)


def test_dependence_in_every_direction_is_kept():
    """Nothing to share and a strong signal: the error grows by a hundredth at most."""
    rng = np.random.default_rng(1)
    pairs = truth(rng, rank=9, strength=900.0)
    given = noisy(pairs, rng, 20.0)
    assert error(shrunk(given, even()), pairs) < 1.01 * error(given, pairs)


def test_noise_alone_is_taken_for_independence():
    rng = np.random.default_rng(2)
    pairs = truth(rng, rank=1, strength=0.0)
    given = noisy(pairs, rng, 30.0)
    centred = [Table(t.variables, t.counts, t.variance) for t in shrunk(given, even())]
    left = sum(float((np.square(_interaction(table.counts))).sum()) for table in centred)
    had = sum(float((np.square(_interaction(table.counts))).sum()) for table in given)
    assert left < 0.6 * had


def test_margins_and_exact_tables_are_left_alone():
    rng = np.random.default_rng(3)
    pairs = truth(rng, rank=2, strength=200.0)
    given = noisy(pairs, rng, 25.0)
    for before, after in zip(given, shrunk(given, even()), strict=True):
        assert after.variables == before.variables
        assert after.variance == before.variance
        assert after.counts.sum(axis=0) == pytest.approx(before.counts.sum(axis=0))
        assert after.counts.sum(axis=1) == pytest.approx(before.counts.sum(axis=1))
    exact = [Table(pair, counts, 0.0) for pair, counts in pairs.items()]
    assert [table.counts.tolist() for table in shrunk(exact, even())] == [t.counts.tolist() for t in exact]


def test_columns_of_one_cell_and_empty_tables_are_sound():
    one = Table((0, 1), np.array([[3.0]]), 4.0)
    empty = Table((1, 2), np.zeros((1, 3)), 4.0)
    found = shrunk([one, empty], [np.array([0.0]), np.array([0.0]), np.zeros(3)])
    assert [table.counts.tolist() for table in found] == [[[3.0]], [[0.0, 0.0, 0.0]]]
    assert shrunk([], []) == []


def _interaction(counts):
    return counts - counts.mean(axis=0) - counts.mean(axis=1)[:, None] + counts.mean()
