"""What leaves hold, by hand: rows are conserved, runs hold a group, and draws follow the counts."""

import numpy as np
import pytest

from tabsynth.models.trees.filling import fill_leaves
from tabsynth.models.trees.tree import Tree, stump
from tabsynth.privacy.splits import count_by_leaf


def ints(*values):
    return np.array(values, dtype=np.int32)


TWO = Tree(ints(0, -1, -1), ints(0, 0, 0), ints(1, -1, -1), ints(2, -1, -1), {})


def filled(tree, leaf, pieces, is_single, *, min_group, mass=None):
    """Leaves of these rows; `mass`, if not of the rows themselves, is what the whole table has of the pieces."""
    keys, rows = count_by_leaf(np.asarray(leaf, np.int32), np.asarray(pieces, np.int32), len(is_single))
    if mass is None:
        mass = np.bincount(np.asarray(pieces, np.int32), minlength=len(is_single)) + 1e-6
        mass /= mass.sum()
    return fill_leaves(tree, keys, rows, np.asarray(is_single), mass, min_group=min_group)


def entries(leaves):
    node = np.repeat(np.arange(len(leaves.passed)), np.diff(leaves.start))
    return list(
        zip(node.tolist(), leaves.first.tolist(), leaves.last.tolist(), leaves.count.tolist(), strict=True)
    )


def test_levels_are_counted_one_by_one():
    leaves = filled(TWO, [1, 1, 1, 2], [0, 0, 2, 1], [True] * 3, min_group=11)
    assert entries(leaves) == [(1, 0, 0, 2), (1, 2, 2, 1), (2, 1, 1, 1)]
    assert leaves.passed.tolist() == [0, 0, 0]


def test_ordered_pieces_are_cut_into_groups_that_meet_halfway():
    # pieces 2 and 3 are the first group, 7 and 9 the second: halfway lies 5; spacings of 0.5 and 1 at the outer ends
    leaves = filled(stump(), [0] * 4, [2, 3, 7, 9], [False] * 12, min_group=2)
    assert entries(leaves) == [(0, 2, 5, 2), (0, 6, 10, 2)]


def test_a_last_group_that_is_too_small_joins_the_one_before():
    leaves = filled(stump(), [0] * 5, [0, 1, 2, 3, 4], [False] * 5, min_group=3)
    assert entries(leaves) == [(0, 0, 4, 5)]


def test_rows_that_are_too_few_for_a_run_go_up():
    # leaf 1: 3 rows of a run, kept; leaf 2: 1 row, counted at the root, where it may be anything
    leaves = filled(TWO, [1, 1, 1, 2, 2], [4, 5, 6, 5, 0], [True] + [False] * 9, min_group=3)
    assert entries(leaves) == [(0, 1, 9, 1), (1, 4, 6, 3), (2, 0, 0, 1)]
    assert leaves.passed.tolist() == [0, 0, 1]


def test_no_run_reaches_a_piece_that_stands_for_itself():
    is_single = np.zeros(11, dtype=bool)
    is_single[5] = True
    leaves = filled(stump(), [0] * 9, [3, 4, 4, 5, 6, 6, 8, 0, 5], is_single, min_group=2)
    assert all(first > 5 or last < 5 or first == last == 5 for _, first, last, _ in entries(leaves))
    assert (0, 5, 5, 2) in entries(leaves)


@pytest.mark.parametrize("min_group", [1, 3, 11])
def test_every_row_is_counted_once_and_every_run_below_the_root_has_a_group(min_group):
    rng = np.random.default_rng(min_group)
    tree = Tree(ints(0, 0, -1, -1, 0, -1, -1), ints(*[0] * 7), ints(1, 2, -1, -1, 5, -1, -1), ints(4, 3, -1, -1, 6, -1, -1), {})  # fmt: skip
    leaf, pieces = rng.choice([2, 3, 5, 6], 3000), rng.integers(0, 200, 3000)
    is_single = rng.random(200) < 0.1
    leaves = filled(tree, leaf, pieces, is_single, min_group=min_group)
    assert leaves.count.sum() == 3000
    for node in (2, 3, 5, 6):
        assert leaves.own[node] + leaves.passed[node] == (leaf == node).sum()
    for node, first, last, count in entries(leaves):
        is_run = not is_single[first]
        assert count >= min_group or not is_run or node == 0
        assert first <= last
        if is_run:
            assert not is_single[first : last + 1].any()


SPIKED = np.array([True, False] * 5)  # singles at 0, 2, …, 8; a stretch of one piece after each
SHARES = np.array([0.2, 0.01, 0.2, 0.03, 0.2, 0.02, 0.1, 0.01, 0.2, 0.03])


@pytest.mark.parametrize("rare", [[1, 3, 5, 7], [9, 9, 9, 9], [1, 1, 1, 5]])
def test_where_values_of_fewer_rows_than_a_group_lie_is_not_told(rare):
    """Four rows where a group is five: all count as the most frequent value, wherever they were, and no value between has an entry."""
    pieces = np.r_[np.repeat([0, 2, 4, 6, 8], 7), rare]
    leaves = filled(stump(), np.zeros(len(pieces)), pieces, SPIKED, min_group=5, mass=SHARES)
    below = filled(TWO, np.r_[[1] * 35, [2] * 4], pieces, SPIKED, min_group=5, mass=SHARES)
    assert entries(leaves) == [(0, 0, 0, 11), (0, 2, 2, 7), (0, 4, 4, 7), (0, 6, 6, 7), (0, 8, 8, 7)]
    assert below.count.sum() == 39
    assert all(SPIKED[first] and first == last for _, first, last, _ in entries(below))


@pytest.mark.parametrize("rare", [[1, 3, 5, 7] * 5, [1, 1, 3, 3, 5, 5, 7, 7, 9, 9] * 2, [7, 7, 7, 9] * 5])
def test_a_group_of_rare_values_in_all_is_shared_out_by_the_shares_of_the_table(rare):
    """Twenty rows, none of five stretches with more than 15 of them: 2, 6, 4, 2 and 6 by their shares, whoever they are."""
    pieces = np.r_[np.repeat([0, 2, 4, 6, 8], 40), rare]
    leaves = filled(stump(), np.zeros(len(pieces)), pieces, SPIKED, min_group=16, mass=SHARES)
    assert [entry for entry in entries(leaves) if not SPIKED[entry[1]]] == [
        (0, 1, 1, 2),
        (0, 3, 3, 6),
        (0, 5, 5, 4),
        (0, 7, 7, 2),
        (0, 9, 9, 6),
    ]


def test_large_leaves_hold_a_bounded_sketch():
    pieces = np.arange(100_000) % 5000
    leaves = filled(stump(), np.zeros(100_000), pieces, np.zeros(5000, dtype=bool), min_group=2)
    assert 200 <= len(leaves.count) <= 256
    assert leaves.count.sum() == 100_000


def test_a_leaf_without_rows_is_as_the_whole_table():
    leaves = filled(stump(), [], [], [False] * 4, min_group=11)
    assert entries(leaves) == [(0, 0, 3, 1)]


def test_draws_follow_the_counts_and_go_up_with_the_rows_that_did():
    """Shares in steps of 1/400: every share is hit as often as its probability says."""
    is_single, mass = np.array([True, False, False, False]), np.array([0.4, 0.45, 0.05, 0.1])
    leaves = filled(TWO, [1] * 4 + [2] * 4, [0, 0, 0, 2, 1, 1, 1, 0], is_single, min_group=3, mass=mass)
    # leaf 1: three of level 0, one row that goes up; leaf 2: a run of three at piece 1, and the one of level 0 goes up too,
    # since others stand in leaf 1. The root so has one of level 0 and one that may be any of the others: of eight rows these are to
    # have 3.6, .4 and .8, and 3 of the first are there already
    assert leaves.passed.tolist() == [0, 1, 1]
    root = np.array([0.5, *(0.5 * np.array([0.6, 0.4, 0.8]) / 1.8)])
    share = (np.arange(400) + 0.5) / 400
    for node, own in ((1, [0.75, 0, 0, 0]), (2, [0, 0.75, 0, 0])):
        expected = own + 0.25 * root
        found, within = leaves.draw(TWO, np.full(400, node, np.int32), share)
        assert np.bincount(found, minlength=4) / 400 == pytest.approx(expected, abs=0.006)
        assert ((within >= 0) & (within <= 1)).all()
        each = np.arange(4, dtype=np.int32)
        chances = leaves.chance_of(TWO, np.full(4, node, np.int32), each)
        assert chances == pytest.approx(expected, abs=1e-12)
        for left in ([1, 0, 0, 0], [0, 1, 0, 0.5], [0.25, 1, 1, 0]):
            within_left, chance = leaves.within(TWO, np.array(left, dtype=float))
            assert chance[node] == pytest.approx(np.dot(expected, left), abs=1e-12)
            if chance[node] > 0:
                found, within = within_left.draw(TWO, np.full(400, node, np.int32), share)
                wanted = np.multiply(expected, left) / np.dot(expected, left)
                assert np.bincount(found, minlength=4) / 400 == pytest.approx(wanted, abs=0.006)
                assert ((within >= 0) & (within <= 1)).all()
