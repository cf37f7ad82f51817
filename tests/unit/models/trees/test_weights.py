"""Weights within runs: totals by brute force, what cannot be met, and what needs none."""

import numpy as np
import pytest

from tabsynth.models.trees.filling import fill_leaves
from tabsynth.models.trees.tree import Tree
from tabsynth.models.trees.weights import weights_of
from tabsynth.privacy.splits import count_by_leaf


def ints(*values):
    return np.array(values, dtype=np.int64)


def totals(first, last, count, weight):
    """Rows of every piece, entry by entry."""
    rows = np.zeros(len(weight))
    for begin, end, held in zip(first, last, count, strict=True):
        part = weight[begin : end + 1]
        rows[begin : end + 1] += held * part / part.sum()
    return rows


def test_a_rare_piece_beside_a_frequent_one_keeps_its_rows():
    """By hand: four rows of piece 0 share a run with eight of piece 1, of which 88 stand alone; by mass piece 0 would have .48 of 12."""
    mass = np.array([0.04, 0.96])
    first, last, count = ints(0, 1), ints(1, 1), ints(12, 88)
    assert totals(first, last, count, mass)[0] == pytest.approx(0.48)
    weight = weights_of(first, last, count, mass, 100.0)
    assert totals(first, last, count, weight) == pytest.approx([4, 96], abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_leaves_together_draw_every_piece_as_often_as_the_source_has_it(seed):
    """Hours of work: a lattice of spikes that differ by leaf, and rare pieces between; runs of eleven rows."""
    rng = np.random.default_rng(seed)
    shape = rng.permuted(1.0 / np.arange(1, 61) ** 2)
    leaf = rng.integers(2, 5, 6000)
    chance = np.stack([shape * rng.gamma(2, 1, 60) for _ in range(3)])
    chance /= chance.sum(axis=1, keepdims=True)
    pieces = np.array([rng.choice(60, p=chance[one - 2]) for one in leaf], dtype=np.int32)
    mass = np.bincount(pieces, minlength=60) + 1e-9
    deep = Tree(*(np.array(part, dtype=np.int32) for part in ([0, 0, -1, -1, -1], [0] * 5, [1, 2, -1, -1, -1], [4, 3, -1, -1, -1])), {})  # fmt: skip
    keys, rows = count_by_leaf(leaf.astype(np.int32), pieces, 60)
    leaves = fill_leaves(deep, keys, rows, np.zeros(60, dtype=bool), mass / mass.sum(), min_group=11)
    found = totals(leaves.first, leaves.last, leaves.count, leaves.weight)
    by_mass = totals(leaves.first, leaves.last, leaves.count, mass)
    rare = (mass >= 3) & (mass < 30)
    assert rare.sum() >= 5
    assert np.abs(found - mass)[rare].max() < 0.05 * mass[rare].max()
    assert np.abs(by_mass - mass)[rare].sum() > 5 * np.abs(found - mass)[rare].sum()  # what weights are for
    assert found == pytest.approx(mass, rel=0.05, abs=1.0)


def test_what_entries_do_not_allow_is_met_in_proportion():
    """Two pieces share the only run, of ten rows, and are to have thirty and ten: three quarters and one of what there is."""
    weight = weights_of(ints(0, 2), ints(1, 2), ints(10, 30), np.array([0.6, 0.2, 0.2]), 50.0)
    assert weight[0] / weight[1] == pytest.approx(3, rel=1e-9)
    assert weight[2] == 0.2


def test_a_piece_with_rows_enough_of_its_own_takes_none_of_a_run_and_weights_stay_positive():
    weight = weights_of(ints(0, 0), ints(0, 1), ints(50, 10), np.array([0.4, 0.6]), 60.0)
    assert totals(ints(0), ints(1), ints(10), weight)[0] < 0.1
    assert (weight > 0).all()


def test_pieces_that_stand_alone_keep_their_mass():
    mass = np.array([0.5, 0.3, 0.2])
    assert weights_of(ints(0, 1, 2), ints(0, 1, 2), ints(1, 2, 3), mass, 6.0).tolist() == mass.tolist()
    assert weights_of(ints(), ints(), ints(), mass, 0.0).tolist() == mass.tolist()
