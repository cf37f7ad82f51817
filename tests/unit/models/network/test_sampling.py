"""Rows drawn from a network: their distribution, and how evenly shares are met."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.sampling import TreeSampler
from tabsynth.models.network.triangulation import cliques_of
from tabsynth.randomness import Streams
from tests.unit.models.network.brute import (
    cells_in,
    coarse_joint,
    column,
    discrete,
    fine_joint,
    mixed,
    network,
)


def fit_of(counts, expected):
    """p-value of a chi-square test, cells that expect fewer than 5 taken together."""
    order = np.argsort(expected)
    small = np.cumsum(expected[order]) < 5
    pooled = order[: small.sum() + 1]
    rest = np.setdiff1d(order, pooled)
    counts, expected = (np.r_[x[pooled].sum(), x[rest]] for x in (counts, expected))
    return chi2.sf(((counts - expected) ** 2 / np.maximum(expected, 1e-300)).sum(), len(counts) - 1)


def test_rows_follow_the_joint_distribution_of_the_fine_cells():
    """Positions within groups are even, so cells vary less than multinomially: the test is of too high a
    statistic alone, and fails a sound sampler with probability below 1e-6 (seeds are fixed besides)."""
    model = mixed(11)
    joint = fine_joint(model)
    counts = np.zeros(joint.shape)
    for block in range(8):
        rows = cells_in(model, model.sample_block(block, n_rows=8192, streams=Streams(3)))
        np.add.at(counts, tuple(rows.T), 1)
    assert counts[joint == 0].sum() == 0
    assert fit_of(counts.ravel(), counts.sum() * joint.ravel()) > 1e-6


def test_single_rows_follow_it_too():
    """Blocks of one row each: nothing is even about them, and rows are independent (probability 1e-6)."""
    model = mixed(12, functions=False)
    joint = fine_joint(model).sum(axis=(2, 4))
    counts = np.zeros(joint.shape)
    for block in range(1500):
        row = cells_in(model, model.sample_block(block, n_rows=1, streams=Streams(5)))[0]
        counts[row[0], row[1], row[3]] += 1
    p_value = fit_of(counts.ravel(), 1500 * joint.ravel())
    assert 1e-6 < p_value < 1 - 1e-6


def test_the_order_of_rows_says_nothing():
    """First and second half of a block are alike (probability of failure below 1e-6), and rows do not
    follow their forerunners: the correlation of successive codes is within six standard errors of 0."""
    model = mixed(13)
    rows = cells_in(model, model.sample_block(0, n_rows=8000, streams=Streams(1)))
    for v in range(7):
        n_levels = rows[:, v].max() + 1
        halves = [np.bincount(half, minlength=n_levels) for half in (rows[:4000, v], rows[4000:, v])]
        used = (halves[0] + halves[1]) > 0
        mean = (halves[0] + halves[1])[used] / 2
        statistic = sum(((half[used] - mean) ** 2 / mean).sum() for half in halves)
        assert chi2.sf(statistic, max(used.sum() - 1, 1)) > 1e-7
        if rows[:, v].std() > 0:
            assert abs(np.corrcoef(rows[:-1, v], rows[1:, v])[0, 1]) < 6 / np.sqrt(7999)


@given(st.integers(0, 10**6), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_within_each_separator_state_shares_are_met_to_within_one_row(seed, n_rows):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    sizes = rng.integers(1, 4, n).tolist()
    pairs = [pair for pair in itertools.combinations(range(n), 2) if rng.random() < 0.4]
    tree = JunctionTree.of(cliques_of(pairs, sizes), sizes)
    factors = [rng.gamma(0.5, size=[sizes[v] for v in clique]) for clique in tree.cliques]
    beliefs, _ = tree.calibrate(factors)
    states = TreeSampler.of(tree, beliefs).draw(n_rows, rng)
    assert sorted(states) == list(range(n))
    for clique, separator, belief in zip(tree.cliques, tree.separators, beliefs, strict=True):
        counts = np.zeros(belief.shape)
        np.add.at(counts, tuple(states[v] for v in clique), 1)
        others = tuple(k for k, v in enumerate(clique) if v not in separator)
        given_counts = counts.sum(axis=others, keepdims=True)
        total = belief.sum(axis=others, keepdims=True)
        wanted = given_counts * np.divide(belief, total, out=np.zeros_like(belief), where=total > 0)
        assert np.abs(counts - wanted).max() < 1 + 1e-6


def test_states_that_cannot_be_are_never_drawn():
    tree = JunctionTree.of([(0, 1), (1, 2)], [2, 3, 2])
    factors = [np.ones([tree.sizes[v] for v in clique]) for clique in tree.cliques]
    for i, clique in enumerate(tree.cliques):
        if 1 in clique:
            factors[i] *= np.where(np.arange(3) == 0, 0, 1).reshape([3 if v == 1 else 1 for v in clique])
    beliefs, _ = tree.calibrate(factors)
    states = TreeSampler.of(tree, beliefs).draw(999, np.random.default_rng(0))
    assert set(states[1].tolist()) == {1, 2}


def test_fine_cells_meet_their_shares_to_within_one_row():
    rng = np.random.default_rng(2)
    one = column(discrete("a", 9), rng, n_coarse=3, zero=4)
    coarse = rng.integers(0, 3, 500)
    fine = one.fine_of(coarse, rng)
    assert (one.coarse[fine] == coarse).all()
    wanted = np.bincount(coarse, minlength=3)[one.coarse] * one.shares
    assert np.abs(np.bincount(fine, minlength=9) - wanted).max() < 1 + 1e-6
    assert 4 not in fine


def test_coarse_cells_without_any_count_are_spread_evenly():
    rng = np.random.default_rng(2)
    base = column(discrete("a", 4), rng, n_coarse=2)
    empty = type(base)(base.cells, np.zeros(4), np.array([0, 1, 1, 1]))
    assert empty.shares.tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    fine = empty.fine_of(np.ones(300, dtype=np.intp), rng)
    assert np.bincount(fine, minlength=4).tolist() == [0, 100, 100, 100]


def test_blocks_are_a_function_of_their_number_and_the_streams():
    model = mixed(14)
    first, again, other = (
        cells_in(model, model.sample_block(block, n_rows=300, streams=Streams(9))) for block in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()
    assert model.sample_block(0, n_rows=0, streams=Streams(9)).n_rows == 0


def test_the_coarse_joint_of_the_helper_is_that_of_the_model():
    """Two computations that share no code: the helper's loop, and messages on the tree."""
    model = network(
        [column(discrete(f"{v}", 3), np.random.default_rng(v), n_coarse=2) for v in range(3)],
        [(0, 1), (1, 2)],
        np.random.default_rng(9),
    )
    joint = coarse_joint(model)
    for clique, belief in zip(model.model.tree.cliques, model.model.beliefs, strict=True):
        other = ({0, 1, 2} - set(clique)).pop()
        summed = joint.sum(axis=other).transpose(np.argsort(np.argsort(clique)))
        np.testing.assert_allclose(belief, summed, rtol=1e-12)


def test_the_first_blocks_follow_the_model_as_others_do_and_vary_less():
    """Squares of what all pairs of columns are off by, over 20 blocks of either kind: less than half."""
    model = mixed(11)
    joint = fine_joint(model)
    pairs = list(itertools.combinations(range(joint.ndim), 2))

    def off(block):
        squares = 0.0
        for seed in range(20):
            rows = cells_in(model, model.sample_block(block, n_rows=2048, streams=Streams(seed)))
            for i, j in pairs:
                wanted = joint.sum(axis=tuple(v for v in range(joint.ndim) if v not in (i, j)))
                counts = np.zeros(wanted.shape)
                np.add.at(counts, (rows[:, i], rows[:, j]), 1)
                squares += ((counts / 2048 - wanted) ** 2).sum()
        return squares

    assert off(0) < 0.5 * off(100)
