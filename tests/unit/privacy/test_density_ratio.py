"""Density ratios estimated by boosted trees: against known ones, by hand, and where nothing is to be told apart."""

import numpy as np
import pytest

from tabsynth.privacy.boosted import MOST_LEAVES
from tabsynth.privacy.density_ratio import Logs, _Sequence, expected_gain, fit_density_ratio

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
    assert len(fit_density_ratio(*tables[:2], **SETTINGS)) > 6
    assert len(fit_density_ratio(*tables[:2], **SETTINGS, most_trees=6)) == 6


def test_the_same_rows_and_seed_give_the_same_trees_in_silence(tables, capfd):
    found = [fit_density_ratio(*tables[:2], **SETTINGS) for _ in range(2)]
    assert len(found[0]) == len(found[1])
    for left, right in zip(*found, strict=True):
        for part in ("column", "threshold", "left", "right", "value"):
            assert np.array_equal(getattr(left, part), getattr(right, part))
    assert capfd.readouterr() == ("", "")


def test_what_an_average_is_expected_to_gain_is_the_sum_by_hand():
    """Two sequences that say 3 to 1 of real rows, 1 to 3 of their own drawn ones, and of others nothing, 3 to 1 and 1 to 3 in turn."""
    three = np.log(3.0)
    one = Logs(np.full(4, three), np.full(8, -three), np.zeros(6))
    other = Logs(
        np.full(4, three), np.full(8, -three), np.array([three, -three, three, -three, three, -three])
    )
    right, coin = np.log(4 / 3), np.log(2)
    flattery = coin - right
    assert expected_gain([one, one], 2.0) == pytest.approx((coin - (right + 2 * flattery + coin) / 2, 0.0))
    # of others: log 4 and log 4/3 by turns; averaged with nothing, 1 + √3 and 1 + 1/√3
    flattery = ((coin - right) + (np.log(4) / 2 + right / 2 - right)) / 2
    on_fresh = (np.log(1 + 3**0.5) + np.log(1 + 3**-0.5)) / 2
    error = (
        0.5 * (np.log(3) / 2) / (6 * 2) ** 0.5 / 2
    )  # six rows half of log 3 from their mean, in one of two sequences
    assert expected_gain([one, other], 0.5) == pytest.approx(
        (coin - (right + flattery / 2 + on_fresh) / 2, error)
    )
    # rows that others are told apart better than do not make real ones more than they are
    worse = Logs(np.full(4, three), np.zeros(8), np.full(6, -three))
    assert expected_gain([worse], 5.0) == pytest.approx((coin - right, 0.0))


def agreeing(n, share, rng):
    """Twelve columns of forty codes, the second the first's in that share of the rows, else all independent."""
    rows = rng.integers(0, 40, (n, 12), dtype=np.int32)
    agrees = rng.random(n) < share
    rows[agrees, 1] = rows[agrees, 0]
    return rows


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_expected_gain_is_what_new_rows_say(share):
    rng = np.random.default_rng(4)
    real, drawn = agreeing(3000, share, rng), agreeing(16_000, 0.0, rng)
    parts, fresh = np.array_split(drawn[4000:], 2), drawn[:4000]
    sequences = [_Sequence(real, part, fresh, min_leaf=50, seed=k) for k, part in enumerate(parts)]
    logs = [one.grow(60) for one in sequences]
    expected, error = expected_gain(logs, 2.0)
    assert 0 < error < 0.02
    trees = [tree for one in sequences for tree in one.trees(real, 60, min_group=1)]
    new = total(trees, agreeing(4000, share, rng)), total(trees, agreeing(4000, 0.0, rng))
    true = float(np.log(2) - (np.logaddexp(0, -new[0]).mean() + np.logaddexp(0, new[1]).mean()) / 2)
    told = float(np.log(2) - np.logaddexp(0, -np.mean([one.real for one in logs], axis=0)).mean())
    assert told > 0.05  # on the rows that they were grown on, trees think well of themselves
    # log ratios vary by .4 to 1 from row to row: a mean of 4,000 rows has a standard error below .01, and so have both
    assert expected == pytest.approx(true, abs=0.03)
    assert (true < -0.02) if share == 0 else (true > 0.02)


def test_nothing_is_told_apart_where_there_is_nothing_or_too_little():
    rng = np.random.default_rng(1)
    rows = agreeing(20_000, 0.0, rng)
    assert fit_density_ratio(rows[:5000], rows[5000:], **SETTINGS) == []
    assert fit_density_ratio(rows[:199], rows[5000:] * 2, **SETTINGS) == []
    for n in (220, 300, 400, 1000):  # where few rows make the estimate noisy
        drawn = rng.integers(0, 40, (min(32_768, 8 * n), 12), dtype=np.int32)
        assert fit_density_ratio(agreeing(n, 0.0, rng), drawn, **SETTINGS) == []


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
