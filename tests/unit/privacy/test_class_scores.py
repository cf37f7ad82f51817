"""Boosted scores of classes: against known chances, by hand, and where there is nothing to learn."""

import numpy as np
import pytest

from tabsynth.privacy.boosted import MOST_LEAVES
from tabsynth.privacy.class_scores import MOST_PLACES, fit_class_scores, n_scores, places_of_codes
from tests.unit.privacy.test_density_ratio import total, walked

SETTINGS = {"min_leaf": 30, "min_group": 11, "seed": 0, "n_steps": 80}


def scores(trees, rows, n_classes):
    """Of every class, (n_classes, n_rows): of two classes the first has none."""
    n = n_scores(n_classes)
    found = np.stack([total(trees[score::n], rows) for score in range(n)])
    return np.concatenate([np.zeros((1, len(rows))), found]) if n_classes == 2 else found


def chances(trees, rows, n_classes):
    found = np.exp(scores(trees, rows, n_classes))
    return found / found.sum(axis=0)


def classed(n, n_classes, seed=5):
    """Two columns of four and six codes, and a class whose chances are another for each of the 24 cells."""
    rng = np.random.default_rng(seed)
    every = np.stack([np.repeat(np.arange(-1, 3), 6), np.tile(np.arange(6), 4)], axis=1)
    true = np.random.default_rng(0).dirichlet(np.full(n_classes, 2.0), 24)
    cells = rng.integers(0, 24, n)
    classes = (rng.random(n)[:, None] > true[cells].cumsum(axis=1)).sum(axis=1)
    return every[cells].astype(np.int32), classes, every, true


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_chances_are_those_that_the_classes_were_drawn_with(n_classes):
    rows, classes, every, true = classed(24_000, n_classes)
    trees = fit_class_scores(rows, classes, n_classes=n_classes, **SETTINGS)
    assert len(trees) == 81 * n_scores(n_classes)
    # 1,000 rows of each cell: four standard errors of a share are below .064
    assert np.abs(chances(trees, every, n_classes).T - true).max() < 0.075
    frequencies = np.bincount(classes, minlength=n_classes) / len(classes)
    assert np.abs(frequencies - true).max() > 0.2  # which frequencies alone are not


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_leaf_that_few_rows_reach_adds_nothing(n_classes):
    """Of classes that are rare in most cells LightGBM counts rows wrongly, as it does so by their weight."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 12, (4000, 4), dtype=np.int32)
    rare = rng.random(4000) < np.where(rows[:, 0] == 0, 0.6, 0.004)
    classes = np.where(rare, rng.integers(1, n_classes, 4000), 0)
    settings = {"n_classes": n_classes, "min_leaf": 30, "seed": 1, "n_steps": 100}
    spoken, silent = (fit_class_scores(rows, classes, min_group=group, **settings) for group in (1, 11))
    n_few = 0
    for loud, tree in zip(spoken, silent, strict=True):
        assert (tree.column == -1).sum() <= MOST_LEAVES
        held = np.bincount(walked(tree, rows), minlength=len(tree.column))
        few = (tree.column == -1) & (held < 11)
        n_few += int((loud.value[few] != 0).sum())
        assert (tree.value[few] == 0).all()
        assert np.array_equal(tree.value[~few], loud.value[~few])
    assert n_few > 5


def test_scores_of_rare_classes_stay_small():
    """Where a class is all but excluded Newton's step has hardly a denominator; what is stored must be read again."""
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 12, (20_000, 5), dtype=np.int32)
    classes = np.repeat(np.arange(5), [14_000, 5900, 40, 30, 30])[rng.permutation(20_000)]
    trees = fit_class_scores(rows, classes, n_classes=5, **SETTINGS | {"n_steps": 300})
    assert max(float(np.abs(tree.value).max()) for tree in trees) < 10


def test_rows_held_out_decide_how_far_to_go_and_whether():
    """Beside the two columns eight that say nothing: 300 steps learn the rows by heart, which others do not bear out."""

    def beside(n, seed):
        rows, classes, *_ = classed(n, 3, seed)
        return np.c_[rows, np.random.default_rng(seed).integers(0, 9, (n, 8), dtype=np.int32)], classes

    rows, classes = beside(2000, 5)
    settings = {"n_classes": 3, "min_leaf": 30, "min_group": 11, "seed": 0, "n_steps": 300}
    judged = fit_class_scores(rows, classes, judged_by=beside(1000, 6), **settings)
    through = fit_class_scores(rows, classes, **settings)
    assert len(through) == 903
    assert 3 < len(judged) < 450
    assert len(judged) % 3 == 0
    new, their = beside(2000, 7)
    judged_loss, loss, alone = (
        -np.log(found[their, np.arange(2000)]).mean()
        for found in (chances(judged, new, 3), chances(through, new, 3), np.full((3, 2000), 1 / 3))
    )
    assert judged_loss < loss - 0.01  # measured: by .05
    assert judged_loss < alone - 0.05
    rng = np.random.default_rng(2)
    nothing = rng.integers(0, 6, (5000, 8), dtype=np.int32)
    free = rng.integers(0, 3, 5000)
    apart = (nothing[4000:], free[4000:])
    # one step is at best worth nothing: a gain of three standard errors has a probability below .005
    for seed in range(3):
        found = fit_class_scores(
            nothing[:4000],
            free[:4000],
            n_classes=3,
            min_leaf=30,
            min_group=11,
            seed=seed,
            n_steps=50,
            judged_by=apart,
        )
        assert found == []
    same = np.zeros_like(nothing)  # every column has one value
    judges = (same[4000:], free[4000:])
    assert fit_class_scores(same[:4000], free[:4000], n_classes=3, judged_by=judges, **SETTINGS) == []
    assert len(fit_class_scores(nothing, free, n_classes=3, **SETTINGS)) == 243


def test_the_same_rows_and_seed_give_the_same_trees_in_silence(capfd):
    rows, classes, *_ = classed(3000, 4)
    found = [fit_class_scores(rows, classes, n_classes=4, **SETTINGS) for _ in range(2)]
    for left, right in zip(*found, strict=True):
        for part in ("column", "threshold", "left", "right", "value"):
            assert np.array_equal(getattr(left, part), getattr(right, part)), part
    assert capfd.readouterr() == ("", "")


def table_of(sizes, shares):
    """Codes with so many rows each, and so many of them of the second class."""
    codes = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    ones = [np.arange(size) < round(size * share) for size, share in zip(sizes, shares, strict=True)]
    return codes, np.concatenate(ones).astype(np.intp)


def test_codes_stand_beside_those_of_like_shares_and_rare_ones_where_the_table_does():
    """Shares of .9, .1, .4, .7 and .4 again, and two codes of ten rows, all of one class or the other."""
    codes, classes = table_of([500, 500, 800, 500, 800, 10, 10], [0.9, 0.1, 0.4, 0.7, 0.4, 1.0, 0.0])
    settings = {"n_codes": 7, "n_classes": 2}
    place = upwards(places_of_codes(codes, classes, min_group=11, **settings))
    # the table has .48: the two rare ones have one place, after those of .4, whatever their classes are
    assert place.tolist() == [4, 0, 1, 3, 1, 2, 2]
    swapped = np.where(codes >= 5, 1 - classes, classes)
    assert upwards(places_of_codes(codes, swapped, min_group=11, **settings)).tolist() == place.tolist()
    seen = upwards(places_of_codes(codes, classes, min_group=1, **settings))
    assert seen[6] < seen[2] < seen[5]  # ten rows count: .36 and .61 of them, drawn to the table's


def upwards(place):
    """Which end is the first is free: here that of the second code."""
    return place if place[1] < place[0] else place.max() - place


def test_codes_that_differ_by_chance_alone_have_one_place():
    """By brute force: of 150 codes without a difference one or more get a place with a probability of .1; those that differ have theirs."""
    rng = np.random.default_rng(2)
    settings = {"n_codes": 150, "n_classes": 3, "min_group": 11}
    n_free = 0
    for _ in range(40):
        codes, classes = rng.integers(0, 150, 6000).astype(np.int32), rng.integers(0, 3, 6000)
        n_free += len(np.unique(places_of_codes(codes, classes, **settings))) == 1
    # at least 28 of 40 at .9 each but with a probability of .0002
    assert n_free >= 28
    classes = np.where((codes < 30) & (rng.random(6000) < 0.6), codes % 3, classes)
    place = places_of_codes(codes, classes, **settings)
    _, n_of = np.unique(place[30:], return_counts=True)
    assert n_of.max() >= 110  # one place for nearly all of the 120 that do not
    alone = np.bincount(place[30:], minlength=place.max() + 1).argmax()
    assert (place[:30] != alone).sum() >= 25


def test_many_codes_have_no_more_places_than_trees_see():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 400, 40_000).astype(np.int32)
    classes = (rng.random(40_000) < codes / 400).astype(np.intp)
    place = places_of_codes(codes, classes, n_codes=400, n_classes=2, min_group=11)
    assert 40 < place.max() < MOST_PLACES
