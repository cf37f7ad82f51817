"""Rare cells that are handed up, leaves by bin, and log odds: by hand, by brute force and by scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tabsynth.models.trees.axes import coordinates_of_bins, tilted_bins
from tabsynth.models.trees.discounts import discounts, handed_up
from tabsynth.models.trees.drawing import draw_tilted
from tabsynth.models.trees.filling import fill_leaves
from tabsynth.models.trees.tilts import BinnedLeaves, Tilt, times_likelier
from tabsynth.models.trees.tree import Tree, stump
from tabsynth.privacy.log_odds import fit_log_odds
from tabsynth.privacy.splits import count_by_leaf
from tests.unit.models.trees.test_trees import binned, ints, levels, numbers, placed

# node 0 has children 1 and 4, node 1 has 2 and 3: leaves 2, 3 and 4
DEEP = Tree(ints(0, 0, -1, -1, -1), ints(1, 0, 0, 0, 0), ints(1, 2, -1, -1, -1), ints(4, 3, -1, -1, -1), {})


def counted(cells, n_pieces):
    """Keys and rows of {(leaf, piece): rows}."""
    keys = np.array([leaf * n_pieces + piece for leaf, piece in cells], dtype=np.int64)
    return keys, np.array(list(cells.values()), dtype=np.int64)


def test_discounts_are_those_of_chen_and_goodman():
    # 10 cells of one row, 5 of two, 4 of three, 2 of four: Y = 10 / 20; 1 - 2Y·5/10, 2 - 3Y·4/5, 3 - 4Y·2/4
    assert discounts(np.repeat([1, 2, 3, 4, 9], [10, 5, 4, 2, 7])) == pytest.approx([0.5, 0.8, 2.0])
    assert discounts(np.array([1])) == pytest.approx([1, 2, 3])
    assert discounts(np.repeat([2, 1], [1, 9])) == pytest.approx([1 - 2 * 9 / 11 / 9, 2, 3])


def test_rows_of_a_rare_cell_settle_where_enough_rows_have_the_level():
    cells = {(2, 0): 30, (2, 1): 1, (2, 3): 2, (3, 1): 12, (3, 2): 1, (4, 0): 40, (4, 2): 1}
    keys, rows = counted(cells, 4)
    stays, settled, moved, passed = handed_up(DEEP, keys, rows, np.ones(4, dtype=bool), min_group=11)
    # three cells of one row are rare, and every row of one goes; level 3 is in leaf 2 alone, so its two rows stay
    assert dict(zip(cells, stays.tolist(), strict=True)) == {**cells, (2, 1): 0, (3, 2): 0, (4, 2): 0}
    # level 1 has 13 rows at node 1; level 2 has two rows, which only the root holds both of
    assert dict(zip(settled.tolist(), moved.tolist(), strict=True)) == {1 * 4 + 1: 1, 0 * 4 + 2: 2}
    assert passed.tolist() == [0, 1, 1, 1, 1]


def test_what_is_interchangeable_with_its_neighbours_is_not_handed_up_here():
    keys, rows = counted({(2, 0): 1, (3, 0): 1}, 4)
    stays, settled, _, passed = handed_up(DEEP, keys, rows, np.zeros(4, dtype=bool), min_group=11)
    assert (stays == rows).all()
    assert not len(settled)
    assert not passed.any()


def random_leaves(seed, *, min_group=3, n_pieces=40):
    rng = np.random.default_rng(seed)
    is_single = rng.random(n_pieces) < 0.5
    pieces = np.minimum(rng.geometric(0.08, 900) - 1, n_pieces - 1).astype(np.int32)
    leaf = rng.choice([2, 3, 4], 900).astype(np.int32)
    mass = np.bincount(pieces, minlength=n_pieces) + 1.0
    keys, rows = count_by_leaf(leaf, pieces, n_pieces)
    leaves = fill_leaves(DEEP, keys, rows, is_single, mass / mass.sum(), min_group=min_group)
    return leaves, leaf, pieces, is_single


@pytest.mark.parametrize("seed", range(4))
def test_handing_up_loses_no_row_and_leaves_every_level_its_rows(seed):
    leaves, leaf, pieces, is_single = random_leaves(seed)
    for node in (2, 3, 4):
        assert leaves.own[node] + leaves.passed[node] == (leaf == node).sum()
    assert leaves.count.sum() == 900
    alone = is_single[leaves.first]
    total = np.bincount(leaves.first[alone], weights=leaves.count[alone], minlength=40)
    assert (total[is_single] == np.bincount(pieces, minlength=40)[is_single]).all()
    assert leaves.passed[[2, 3, 4]].sum() > 0


@pytest.mark.parametrize("seed", range(3))
def test_chances_of_bins_are_sums_of_chances_of_pieces(seed):
    leaves, *_ = random_leaves(seed)
    bins = (np.arange(40) // 7).astype(np.int32)
    binned = BinnedLeaves.of(DEEP, leaves, bins)
    each = np.arange(40, dtype=np.int32)
    for node in (2, 3, 4):
        chance = leaves.chance_of(DEEP, np.full(40, node, np.int32), each)
        assert binned.chance[node] == pytest.approx(np.bincount(bins, weights=chance), abs=1e-12)
        for one in range(6):
            share = (np.arange(500) + 0.5) / 500
            found, within = binned.draw(np.full(500, node, np.int32), np.full(500, one, np.int32), share)
            assert (bins[found] == one).all()
            wanted = np.where(bins == one, chance, 0) / chance[bins == one].sum()
            # shares in steps of 1/500 may miss a piece's chance by one step for each of its entries on the way up
            assert np.bincount(found, minlength=40) / 500 == pytest.approx(wanted, abs=0.012)
            assert ((within >= 0) & (within <= 1)).all()


def test_tilted_draws_follow_chance_times_odds():
    leaves, *_ = random_leaves(7)
    bins = (np.arange(40) // 7).astype(np.int32)
    binned = BinnedLeaves.of(DEEP, leaves, bins)
    odds = np.log(np.array([[1, 2, 1, 0.5, 3, 1], [4, 1, 1, 1, 1, 1]], dtype=np.float32))
    kind, leaf = np.repeat([0, 1], 10_000), np.full(20_000, 3, np.int32)
    rng = np.random.default_rng(0)
    found, _ = draw_tilted(binned, leaf, odds[kind].T, rng.random(20_000), rng)
    for k in range(2):
        wanted = binned.chance[3] * np.exp(odds[k])
        shares = np.bincount(bins[found[kind == k]], minlength=6) / 10_000
        # shares of 10,000 draws: five standard errors are below .025
        assert shares == pytest.approx(wanted / wanted.sum(), abs=0.025)


def test_log_odds_of_axes_add_up_and_the_last_row_is_for_rows_without_the_axis():
    tilt = Tilt(
        {
            0: np.array([[1, 2], [3, 4], [5, 6]], np.float32),
            2: np.array([[10, 20], [0, 0], [-1, 0]], np.float32),
        }
    )
    bins = (ints(0, 1, 1), ints(0), ints(0, 1))
    pieces = {0: ints(2, 0, -1), 2: ints(0, -1, -1)}
    assert tilt.odds(bins, pieces, None).tolist() == [[13, 0, 4], [24, 2, 6]]
    assert tilt.odds(bins, pieces, np.array([1])).tolist() == [[0], [2]]


def test_log_odds_are_those_of_logistic_regression_and_noise_is_left_out():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, (20_000, 11)).astype(np.int32)
    logit = -0.5 + 0.8 * x[:, 0] - 0.6 * x[:, 1]
    wanted = (rng.random(20_000) < 1 / (1 + np.exp(-logit))).astype(np.int32)
    share = wanted.mean()
    offset = np.log(np.array([[1 - share, share]], dtype=np.float32))
    basis, targets = np.array([[0], [1]], dtype=np.float32), np.array([[0], [1]], dtype=np.float32)
    leaf = np.zeros(20_000, dtype=np.int32)
    found = fit_log_odds(offset, leaf, wanted, list(x.T), [basis] * 11, targets, penalty=5.0)
    known = LogisticRegression(C=1e6).fit(x[:, :2], wanted)
    for k in range(2):
        odds = found[k][:, 1] - found[k][:, 0]
        assert odds[1] - odds[0] == pytest.approx(known.coef_[0, k], abs=0.01)
    # the score test at 5 nats passes by chance with probability .0016 each: .014 for nine; the seed is fixed
    assert found[2:] == [None] * 9
    logits = offset + found[0][x[:, 0]] + found[1][x[:, 1]]
    chance = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    assert chance.mean() == pytest.approx(share, abs=1e-3)


def test_log_odds_of_many_bins_are_shares_and_none_where_leaves_say_it_all():
    rng = np.random.default_rng(4)
    leaf = rng.integers(0, 3, 6000).astype(np.int32)
    wanted = ((leaf + (rng.random(6000) < 0.2)) % 3).astype(np.int32)
    table = np.array([[(wanted[leaf == k] == b).mean() for b in range(3)] for k in range(3)])
    offset = np.log(np.maximum(table, 1e-9)).astype(np.float32)
    each = np.eye(3, dtype=np.float32)
    assert fit_log_odds(offset, leaf, wanted, [leaf], [each], each, penalty=1.0) == [None]
    flat = np.zeros_like(offset)
    noise = rng.integers(0, 2, 6000).astype(np.int32)
    rows, bases = [noise, leaf], [each[:2, :1], each]
    none, found = fit_log_odds(flat, leaf, wanted, rows, bases, each, penalty=5.0)
    assert none is None
    chance = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    assert chance == pytest.approx(table, abs=0.02)


def test_log_odds_leave_every_bin_as_frequent_as_it_is():
    """Targets are one wave alone, which five bins of very different frequency cannot follow; the bins' own level is put right at the end."""
    rng = np.random.default_rng(5)
    share = np.array([0.02, 0.6, 0.03, 0.3, 0.05])
    other = rng.integers(0, 2, 20_000).astype(np.int32)
    moved = share * np.array([[1, 1, 1, 1, 1], [3, 0.5, 1, 1, 6]])
    moved /= moved.sum(axis=1, keepdims=True)
    wanted = np.where(other, rng.choice(5, 20_000, p=moved[1]), rng.choice(5, 20_000, p=moved[0])).astype(
        np.int32
    )
    seen = np.bincount(wanted) / 20_000
    offset, leaf = np.log(seen).astype(np.float32)[None], np.zeros(20_000, dtype=np.int32)
    wave = np.cos(np.pi * (np.arange(5)[:, None] + 0.5) / 5).astype(np.float32)
    basis = np.array([[0], [1]], dtype=np.float32)
    (found,) = fit_log_odds(offset, leaf, wanted, [other], [basis], wave, penalty=2.0)
    chance = np.exp(offset + found[other])
    chance /= chance.sum(axis=1, keepdims=True)
    assert np.abs(found[1] - found[0]).max() > 0.1  # it does say something
    assert chance.mean(axis=0) == pytest.approx(seen, rel=0.02)


def test_held_log_odds_stay_as_they_are_and_frequencies_are_right_with_them():
    """By hand: bin 2 is excluded where the column is 1, so the others share what it had there; nothing else is to be learnt."""
    rng = np.random.default_rng(5)
    other = rng.integers(0, 2, 20_000).astype(np.int32)
    wanted = np.where(other == 1, rng.choice(2, 20_000), rng.choice(3, 20_000, p=[0.3, 0.2, 0.5])).astype(
        np.int32
    )
    seen = np.bincount(wanted) / 20_000
    offset, leaf = np.log(seen).astype(np.float32)[None], np.zeros(20_000, dtype=np.int32)
    each, own = np.eye(3, dtype=np.float32), np.eye(2, dtype=np.float32)
    held = np.array([[0, 0, 0], [0, 0, -12]], dtype=np.float32)
    for basis in (
        own,
        np.zeros((2, 1), dtype=np.float32),
    ):  # with parameters of its own, and with none that could be
        (found,) = fit_log_odds(offset, leaf, wanted, [other], [basis], each, penalty=2.0, held=[held])
        chance = np.exp(offset + found[other])
        chance /= chance.sum(axis=1, keepdims=True)
        assert chance[other == 1, 2].max() < 1e-4
        assert chance.mean(axis=0) == pytest.approx(seen, rel=0.05)


def test_many_levels_are_tilted_by_the_most_frequent_ones_and_neighbours_of_the_others():
    few = levels("a", *range(1, 60))
    assert (tilted_bins(few, binned(few)) == np.arange(59)).all()
    shares = np.random.default_rng(3).permutation(np.arange(1, 201))
    many = levels("a", *shares.tolist())
    bins = binned(many)
    found = tilted_bins(many, bins)
    assert found.max() == 63
    size = np.bincount(found)
    assert (size[found[shares > 152]] == 1).all()  # the 48 most frequent
    for bin_ in np.flatnonzero(size > 1):
        members = np.flatnonzero(found == bin_)
        between = (bins >= bins[members].min()) & (bins <= bins[members].max()) & (shares <= 152)
        assert np.isin(np.flatnonzero(between), members).mean() > 0.8  # but where two share a bin at its end
    mass = np.bincount(found, weights=shares)[size > 1]
    assert mass.max() < 2 * mass.min()


def test_log_odds_that_exclude_everything_leave_a_choice():
    odds = np.array([[-12.0 * 60, 0], [-12.0 * 100, -5]], dtype=np.float32)
    likelier = times_likelier(odds)
    assert likelier[:, 1] == pytest.approx([1, np.exp(-5)])
    assert (likelier > 0).all()
    assert likelier[0, 0] == 1


def test_coordinates_of_bins_are_waves_and_own_levels():
    few = levels("a", 500, 499, 1)
    found = coordinates_of_bins(few, binned(few), placed(few))
    assert found.tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]  # the third has .1 % of the rows, and the last is empty
    two = levels("b", 3, 1)
    assert coordinates_of_bins(two, binned(two), placed(two)).tolist() == [
        [1, 0],
        [0, 0],
    ]
    smooth = numbers("c", range(0, 640, 10), range(9, 649, 10), [1 / 64] * 64)
    bins = binned(smooth)
    found = coordinates_of_bins(smooth, bins, placed(smooth))
    assert found.shape == (len(np.unique(bins)), 7)
    middle = np.array([placed(smooth)[bins == b].mean() for b in range(len(found))])
    assert found[:, 0] == pytest.approx(np.sqrt(2) * np.cos(np.pi * middle), abs=1e-6)


def test_a_stump_has_bins_too():
    levels, mass = np.ones(2, dtype=bool), np.array([0.75, 0.25])
    leaves = fill_leaves(stump(), np.array([0, 1]), np.array([3, 1]), levels, mass, min_group=2)
    binned = BinnedLeaves.of(stump(), leaves, ints(0, 1))
    assert binned.chance.tolist() == [[0.75, 0.25]]
