"""Density ratios estimated by boosted trees: against known ones, by hand, and where nothing is to be told apart."""

import numpy as np
import pytest

from tabsynth.privacy.density_ratio import MOST_LEAVES, borne_out, fit_density_ratio

SETTINGS = {"min_leaf": 30, "min_group": 11, "seed": 0}


def walked(tree, rows):
    """The leaf of every row, node by node."""
    found = []
    for row in rows:
        node = 0
        while tree.column[node] >= 0:
            node = (tree.left if row[tree.column[node]] <= tree.threshold[node] else tree.right)[node]
        found.append(node)
    return np.array(found)


def total(trees, rows):
    return np.sum([tree.value[walked(tree, rows)] for tree in trees], axis=0)


@pytest.fixture(scope="module")
def tables():
    """Two columns of four and eight codes, independent in the drawn table; in the real one the second is high where the first is odd."""
    rng = np.random.default_rng(3)
    chance = np.where((np.arange(4)[:, None] % 2) == (np.arange(8) >= 4), 3.0, 1.0)
    chance /= chance.sum()
    cells = rng.choice(32, 8000, p=chance.reshape(-1))
    real = np.stack([cells // 8 - 1, cells % 8], axis=1).astype(np.int32)  # -1: a row without the part
    drawn = np.stack([rng.integers(-1, 3, 24_000), rng.integers(0, 8, 24_000)], axis=1).astype(np.int32)
    return real, drawn, np.log(chance * 32)


def test_the_sum_of_trees_is_the_logarithm_of_the_ratio(tables):
    real, drawn, logs = tables
    trees = fit_density_ratio(real, drawn, **SETTINGS)
    every = np.stack([np.repeat(np.arange(-1, 3), 8), np.tile(np.arange(8), 4)], axis=1)
    # cells of 125 real rows or more: four standard errors of a log ratio are below .4
    assert np.abs(total(trees, every) - logs.reshape(-1)).max() < 0.4
    for tree in trees:
        leaves = tree.column == -1
        assert leaves.sum() <= MOST_LEAVES
        assert (tree.value[~leaves] == 0).all()
        assert (tree.left[~leaves] == np.flatnonzero(~leaves) + 1).all()


def test_no_more_trees_grow_than_may(tables):
    assert len(fit_density_ratio(*tables[:2], **SETTINGS)) > 5
    assert len(fit_density_ratio(*tables[:2], **SETTINGS, most_trees=5)) == 5


def test_the_number_of_threads_changes_nothing(tables):
    one, two = (fit_density_ratio(*tables[:2], **SETTINGS, n_threads=n) for n in (1, 2))
    assert len(one) == len(two)
    for left, right in zip(one, two, strict=True):
        for part in ("column", "threshold", "left", "right", "value"):
            assert np.array_equal(getattr(left, part), getattr(right, part))


def test_nothing_is_told_apart_where_there_is_nothing_or_too_little():
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 9, (20_000, 4), dtype=np.int32)
    # two standard errors on rows held out: chance passes them in a few of a hundred tables; a fixed seed
    assert fit_density_ratio(rows[:5000], rows[5000:], **SETTINGS) == []
    assert fit_density_ratio(rows[:199], rows[5000:] * 2, **SETTINGS) == []


def test_a_leaf_of_few_real_rows_adds_nothing():
    rng = np.random.default_rng(2)
    drawn = rng.integers(0, 10, (6000, 2)).astype(np.int32)
    real = drawn[rng.random(6000) < np.where(drawn[:, 0] == 9, 0.01, 0.5)]
    real = np.concatenate([real, np.full((200, 2), 4, dtype=np.int32)])
    few = int((real[:, 0] == 9).sum())
    assert 0 < few < 11
    row = np.array([[9, 0]])
    spoken, silent = (
        fit_density_ratio(real, drawn, min_leaf=30, min_group=group, seed=0) for group in (1, 11)
    )
    assert total(spoken, row)[0] < -1.0
    assert total(silent, row)[0] > total(spoken, row)[0] + 0.5
    for tree in silent:
        n_real = np.bincount(walked(tree, real), minlength=len(tree.column))
        assert (tree.value[(n_real > 0) & (n_real < 11)] == 0).all()


def test_ratios_are_scaled_by_what_rows_held_out_say():
    """Of 100 rows at a log ratio that claims 9 to 1, 75 are real: its best multiple is log 3 / log 9 = .5."""
    is_real = np.arange(100) < 75
    logs = np.full(100, np.log(9.0))
    assert borne_out(logs, is_real, np.ones(100)) == 0.5
    assert borne_out(np.full(100, np.log(3.0)), is_real, np.ones(100)) == 1.0
    assert borne_out(-logs, is_real, np.ones(100)) == 0.0
    # three real of four: the gain of .13 nats a row is less than two standard errors (.48 each way, by √4)
    assert borne_out(logs[:4], np.arange(4) < 3, np.ones(4)) == 0.0
    # weights count as rows: 25 real ones three times
    twice = np.r_[np.ones(25), np.zeros(25)].astype(bool)
    assert borne_out(logs[:50], twice, np.where(twice, 3.0, 1.0)) == 0.5
