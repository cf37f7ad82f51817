"""Trees as arrays, their splits, and which of these are taken back: by hand and by scikit-learn."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtri
from sklearn.tree import DecisionTreeRegressor

import tabsynth
from tabsynth.encode import Variable
from tabsynth.models import sequential_trees
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Marginal, level_marginal
from tabsynth.models.trees.axes import bins_of, embedding, order_of, positions_of, singles
from tabsynth.models.trees.fitting import positions_and_bins
from tabsynth.models.trees.growing import grow, ranks_for
from tabsynth.models.trees.pruning import prune
from tabsynth.models.trees.tails import far_out
from tabsynth.models.trees.tree import Tree, stump
from tabsynth.privacy.splits import count_by_leaf, grow_splits


def ints(*values):
    return np.array(values, dtype=np.int32)


def levels(name, *counts):
    variable = Variable(name=name, is_continuous=False, n_levels=len(counts))
    return Latent(variable, Part.LEVEL, level_marginal(np.array(counts, dtype=float)))


def numbers(name, lower, upper, mass, *, is_lattice=True, n_levels=1):
    variable = Variable(name=name, is_continuous=True, n_levels=n_levels, is_lattice=is_lattice)
    dtype = np.int64 if is_lattice else np.float64
    ends = (np.array(end, dtype=dtype) for end in (lower, upper))
    return Latent(variable, Part.VALUE, Marginal(*ends, np.array(mass, dtype=float), is_lattice))


def placed(latent):
    return positions_of(latent, ints(), {}, [], count_by_leaf)


def binned(latent, *, min_group=1):
    """Bins where a thousand rows are spread as the masses say."""
    rows = np.round(1000 * latent.marginal.mass).astype(np.int64)
    return bins_of(latent, placed(latent), rows, min_group=min_group)


# if piece on axis 0 ≤ 1: leaf 1; else by axis 2, whose pieces have ranks 2, 0, 1: ≤ 0: leaf 3, else leaf 4
TREE = Tree(ints(0, -1, 2, -1, -1), ints(1, 0, 0, 0, 0), ints(1, -1, 3, -1, -1), ints(2, -1, 4, -1, -1), {2: ints(2, 0, 1)})  # fmt: skip


def test_rows_reach_the_leaf_that_the_questions_lead_to():
    pieces = {0: ints(0, 1, 2, 2, 5), 2: ints(1, 1, 0, 1, 2)}
    assert TREE.leaf_of(pieces, 5).tolist() == [1, 1, 4, 3, 4]
    assert TREE.parent.tolist() == [-1, 0, 0, 2, 2]
    assert TREE.depth.tolist() == [0, 1, 1, 2, 2]


def test_a_stump_is_one_leaf():
    assert stump().leaf_of({}, 3).tolist() == [0, 0, 0]
    assert stump().depth.tolist() == [0]


def test_leaves_are_those_that_scikit_learn_finds():
    rng = np.random.default_rng(0)
    table = rng.integers(0, 30, (2000, 4)).astype(np.float32)
    seen = np.stack([np.sin(table[:, 0]) + table[:, 2], (table[:, 1] > 9) * 1.0], axis=1)
    latents = [numbers(str(k), range(30), range(30), np.full(30, 1 / 30)) for k in range(4)]
    pieces = {k: table[:, k].astype(np.int32) for k in range(4)}
    tree = grow(pieces, latents, seen, grow_splits, min_leaf=20, min_group=5, seed=3)
    reference = DecisionTreeRegressor(min_samples_leaf=20, random_state=3).fit(table, seen)
    assert tree.n_nodes > 50
    assert np.array_equal(tree.leaf_of(pieces, 2000), reference.apply(table))


def test_levels_are_ranked_by_what_goes_with_them_and_rare_ones_share_the_middle():
    pieces = np.repeat(ints(0, 1, 2, 3), [100, 100, 100, 2])
    seen = np.repeat([5.0, -5.0, 0.1, 900.0], [100, 100, 100, 2])[:, None]
    ranks = ranks_for(pieces, 5, np.minimum(seen, 5), min_group=11)
    assert ranks[3] == ranks[4]  # of two rows, and of none
    order = ranks[[0, 2, 1]].tolist()
    assert order in (sorted(order), sorted(order, reverse=True))
    assert len({*order}) == 3


@pytest.mark.parametrize(
    ("seen", "axes"),
    [(np.ones((50, 1)), (0,)), (np.arange(50.0)[:, None], ()), (np.arange(9.0)[:, None], (0,))],
)
def test_no_split_where_there_is_nothing_to_tell_apart(seen, axes):
    pieces = {axis: (np.arange(len(seen)) % 2).astype(np.int32) for axis in axes}
    tree = grow(pieces, [levels("a", 25, 25)], seen, grow_splits, min_leaf=5, min_group=5, seed=0)
    assert tree.n_nodes == 1


def split_in_two(*rows):
    """A tree of one question whose leaves have these rows in two bins."""
    tree = Tree(ints(0, -1, -1), ints(0, 0, 0), ints(1, -1, -1), ints(2, -1, -1), {})
    leaf = np.repeat(ints(1, 1, 2, 2), rows)
    pieces = np.repeat(ints(0, 1, 0, 1), rows)
    return tree, *count_by_leaf(leaf, pieces, 2)


def test_a_split_stays_where_it_saves_more_nats_than_it_costs():
    # (30, 70) and (50, 50): root 80:120, 200 H(.4) = 134.60; leaves 61.09 + 69.31 = 130.40: saves 4.20 nats
    split = split_in_two(30, 70, 50, 50)
    bins = ints(0, 1)
    assert prune(*split, bins, penalty=4.1, min_leaf=1).n_nodes == 3
    assert prune(*split, bins, penalty=4.3, min_leaf=1).n_nodes == 1
    assert prune(*split, bins, penalty=0, min_leaf=101).n_nodes == 1
    assert prune(*split, ints(0, 0), penalty=0, min_leaf=1).n_nodes == 1  # one bin: nothing to say


def test_pruning_keeps_a_split_whose_gain_lies_below_it():
    """Two questions that say nothing one by one and everything together."""
    tree = Tree(ints(0, 1, -1, -1, 1, -1, -1), ints(0, 0, 0, 0, 0, 0, 0), ints(1, 2, -1, -1, 5, -1, -1), ints(4, 3, -1, -1, 6, -1, -1), {})  # fmt: skip
    leaf = np.repeat(ints(2, 3, 5, 6), 40)
    counted = count_by_leaf(leaf, np.repeat(ints(0, 1, 1, 0), 40), 2)
    assert prune(tree, *counted, ints(0, 1), penalty=1.5, min_leaf=1).n_nodes == 7
    same = count_by_leaf(leaf, np.tile(ints(0, 1), 80), 2)
    assert prune(tree, *same, ints(0, 1), penalty=1.5, min_leaf=1).n_nodes == 1


def test_counts_by_leaf_are_those_of_numpy_dense_and_sparse():
    rng = np.random.default_rng(1)
    for n_pieces in (7, 2_000_000):
        leaf = rng.integers(0, 5, 300).astype(np.int32)
        pieces = rng.integers(0, n_pieces, 300).astype(np.int32)
        expected = np.unique(leaf.astype(np.int64) * n_pieces + pieces, return_counts=True)
        for found, wanted in zip(count_by_leaf(leaf, pieces, n_pieces), expected, strict=True):
            assert np.array_equal(found, wanted)


def test_few_pieces_come_first_and_a_gap_just_before_its_numbers():
    wide = numbers("w", range(50), range(50), np.full(50, 0.02), n_levels=2)
    gap = Latent(wide.variable, Part.LEVEL, level_marginal(np.array([9.0, 1.0])))
    latents = [gap, wide, levels("b", 1, 1, 1), levels("a", 1, 1)]
    assert order_of(latents) == (3, 2, 0, 1)
    assert order_of(latents, ["w", "b"]) == (0, 1, 2, 3)


def test_a_value_that_stands_out_from_its_neighbours_stands_for_itself():
    # 10, 11 and 12 are alike, 13 stands out, 20 is alone; 30 to 39 is a stretch
    latent = numbers("x", [10, 11, 12, 13, 20, 30], [10, 11, 12, 13, 20, 39], [0.1, 0.1, 0.1, 0.4, 0.1, 0.2])
    assert singles(latent).tolist() == [False, False, False, True, True, False]
    line = numbers("x", [0.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0.3, 0.4, 0.3], is_lattice=False)
    assert singles(line).tolist() == [False, True, False]
    assert singles(levels("a", 1, 5)).all()


def test_embeddings_tell_distributions_apart_that_have_one_mean():
    flat = numbers("x", range(100), range(100), np.full(100, 0.01))
    at = embedding(flat, placed(flat), binned(flat))
    middle, ends = at[25:75].mean(axis=0), np.r_[at[:25], at[75:]].mean(axis=0)
    assert np.abs(middle - ends).max() > 0.5
    assert np.ptp(embedding(levels("a", 90, 10), np.array([0.45, 0.95]), ints(0, 1)), axis=0).max() > 0


def test_bins_keep_few_pieces_apart_and_pool_many():
    assert binned(levels("a", *range(1, 60))).tolist() == list(range(59))
    mass = np.full(1000, 0.5 / 999)
    mass[500] = 0.5
    many = numbers("x", range(0, 3000, 3), range(0, 3000, 3), mass)
    bins = binned(many)
    assert (bins == bins[500]).sum() == 1
    assert 9 <= len(np.unique(bins)) <= 18


def tail(*, is_heavy):
    """A thousand pieces of as many rows, of a lognormal or of a uniform distribution."""
    at = (np.arange(1000) + 0.5) / 1000
    values = np.exp(1.5 * ndtri(at)) if is_heavy else at
    edges = np.r_[values - 1e-6, values[-1]]
    return numbers("x", edges[:-1], edges[1:], np.full(1000, 0.001), is_lattice=False)


def test_bins_are_cut_where_a_heavy_tail_spreads_and_no_further_than_they_may():
    heavy = tail(is_heavy=True)
    middle = (heavy.marginal.lower + heavy.marginal.upper) / 2
    spread = (middle - middle.mean()) ** 2
    for least in (5, 20, 40):
        bins = binned(heavy, min_group=least)
        assert (np.diff(bins) >= 0).all()
        share = np.bincount(bins) / 1000
        assert share.min() >= least / 1000 - 1e-9
        whole = binned(heavy, min_group=1000)
        assert len(np.unique(whole)) == 16
        assert (np.bincount(whole)[:14] / 1000 == share[:14]).all()  # but for the last the variance is small
        held = np.bincount(bins, weights=spread) / spread.sum()
        assert (held[share >= 2 * least / 1000 + 0.002] <= 1 / 8).all()
    light = tail(is_heavy=False)
    assert len(np.unique(binned(light, min_group=1))) == 16


def test_how_far_out_bins_lie_is_standardised_and_said_of_heavy_tails_alone():
    heavy, light = tail(is_heavy=True), tail(is_heavy=False)
    bins = binned(heavy, min_group=10)
    far, share = far_out(heavy, bins), np.bincount(bins) / 1000
    assert share @ far == pytest.approx(0, abs=1e-9)
    assert share @ far**2 == pytest.approx(1)
    middle = (heavy.marginal.lower + heavy.marginal.upper) / 2
    means = np.array([middle[bins == b].mean() for b in range(len(far))])
    assert np.corrcoef(means, far)[0, 1] == pytest.approx(1)
    assert far_out(light, binned(light, min_group=10)) is None
    many = levels("a", *range(1, 100))
    assert far_out(many, binned(many)) is None
    one = numbers("x", [5.0], [5.0], [1.0], is_lattice=False)
    assert far_out(one, np.zeros(1, dtype=np.int32)) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-290, 1.0, 1e307])
def test_tails_are_alike_in_every_unit(scale):
    plain, other = tail(is_heavy=True), tail(is_heavy=True)
    top = plain.marginal.upper.max()
    wide = replace(
        other.marginal, lower=other.marginal.lower / top * scale, upper=other.marginal.upper / top * scale
    )
    other = replace(other, marginal=wide)
    bins = binned(plain, min_group=10)
    assert (binned(other, min_group=10) == bins).all()
    assert far_out(other, bins) == pytest.approx(far_out(plain, bins))


def test_no_bin_that_is_cut_has_fewer_rows_than_a_group(monkeypatch):
    """Counted row by row: frequent values beside a heavy tail, where the masses of pieces are not their shares of rows (masses left 5 and 10 rows)."""
    fewest = {}

    def watched(latents, order, pieces, place, count, *, min_group):
        found = positions_and_bins(latents, order, pieces, place, count, min_group=min_group)
        own = pieces[order[place]]
        if len(found[1]) > 64:
            fewest[seed] = np.bincount(found[1][own[own >= 0]], minlength=found[1].max() + 1).min()
        return found

    monkeypatch.setattr(sequential_trees, "positions_and_bins", watched)
    for seed in (28, 55, 56, 58):
        rng = np.random.default_rng(seed)
        spiked = np.where(rng.random(1500) < 0.4, rng.choice(np.arange(1, 30) * 3.0, 1500), np.exp(3 * rng.normal(size=1500)))  # fmt: skip
        values = spiked * rng.choice([-1, 1], 1500)
        frame = pl.DataFrame({"g": rng.choice(["a", "b"], 1500), "v": values})
        tabsynth.fit(
            frame,
            engine="sequential_trees",
            settings={"rounds": 0},
            privacy=tabsynth.NO_PRIVACY,
            seed=seed,
        )
    assert len(fewest) == 4
    assert min(fewest.values()) >= 11


def test_values_of_one_frequent_one_and_nothing_beside_it_have_bins():
    mass = np.zeros(100)
    mass[0] = 1
    latent = numbers("x", range(100), range(100), mass)
    assert binned(latent, min_group=10)[0] != binned(latent, min_group=10)[1]


def test_positions_are_middles_of_mass():
    assert placed(levels("a", 1, 2, 1)) == pytest.approx([0.125, 0.5, 0.875])


def test_many_levels_stand_in_the_order_of_what_they_tell_most_of():
    """A hundred levels, of which the last digit says the region; a second column says nothing."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 100, 5000).astype(np.int32)
    known = {0: rng.integers(0, 10, 5000).astype(np.int32), 1: level % 10}
    latent = levels("code", *np.bincount(level, minlength=100))
    order = np.argsort(positions_of(latent, level, known, [10, 10], count_by_leaf))
    assert (order % 10).tolist() == np.repeat(range(10), 10).tolist()
    too_wide = positions_of(latent, level, known, [5000, 5000], count_by_leaf)
    assert np.argsort(too_wide).tolist() == list(range(100))
