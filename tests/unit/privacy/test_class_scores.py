"""Boosted scores of classes: against known chances, by hand, and where there is nothing to learn."""

import numpy as np
import pytest

from tabsynth.privacy.boosted import MOST_LEAVES
from tabsynth.privacy.class_scores import fit_class_scores, n_scores, order_of_codes
from tests.unit.privacy.test_density_ratio import total, walked

SETTINGS = {"min_leaf": 30, "seed": 0, "n_steps": 80}


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
    assert len(trees) == 80 * n_scores(n_classes)
    # 1,000 rows of each cell: four standard errors of a share are below .064
    assert np.abs(chances(trees, every, n_classes).T - true).max() < 0.075
    frequencies = np.bincount(classes, minlength=n_classes) / len(classes)
    assert np.abs(frequencies - true).max() > 0.2  # which frequencies alone are not


def test_a_leaf_has_as_many_rows_as_are_asked():
    rows, classes, *_ = classed(3000, 3)
    trees = fit_class_scores(rows, classes, n_classes=3, min_leaf=200, seed=1, n_steps=20)
    for tree in trees:
        leaves = np.flatnonzero(tree.column == -1)
        assert len(leaves) <= MOST_LEAVES
        held = np.bincount(walked(tree, rows), minlength=len(tree.column))
        assert held[leaves].min() >= 200
    assert max(len(tree.column) for tree in trees) > 1


def test_rows_held_out_decide_how_far_to_go_and_whether():
    """Beside the two columns eight that say nothing: 300 steps learn the rows by heart, which others do not bear out."""

    def beside(n, seed):
        rows, classes, *_ = classed(n, 3, seed)
        return np.c_[rows, np.random.default_rng(seed).integers(0, 9, (n, 8), dtype=np.int32)], classes

    rows, classes = beside(2000, 5)
    settings = {"n_classes": 3, "min_leaf": 30, "seed": 0, "n_steps": 300}
    judged = fit_class_scores(rows, classes, judged_by=beside(1000, 6), **settings)
    through = fit_class_scores(rows, classes, **settings)
    assert len(through) == 900
    assert 0 < len(judged) < 450
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
    # one step is at best worth nothing: a gain of two standard errors has a probability below .03
    for seed in range(3):
        found = fit_class_scores(
            nothing[:4000], free[:4000], n_classes=3, min_leaf=30, seed=seed, n_steps=50, judged_by=apart
        )
        assert found == []
    assert len(fit_class_scores(nothing, free, n_classes=3, **SETTINGS)) == 240


def test_the_same_rows_and_seed_give_the_same_trees_in_silence(capfd):
    rows, classes, *_ = classed(3000, 4)
    found = [fit_class_scores(rows, classes, n_classes=4, **SETTINGS) for _ in range(2)]
    for left, right in zip(*found, strict=True):
        for part in ("column", "threshold", "left", "right", "value"):
            assert np.array_equal(getattr(left, part), getattr(right, part)), part
    assert capfd.readouterr() == ("", "")


def test_codes_stand_beside_those_of_like_shares_and_rare_ones_where_the_table_does():
    """Shares of the second class of .9, .1, .5 and .7, and two codes of ten rows, all of one class or the other."""
    sizes, shares = [500, 500, 800, 500, 10, 10], [0.9, 0.1, 0.5, 0.7, 1.0, 0.0]
    codes = np.repeat(np.arange(6), sizes)
    classes = np.concatenate(
        [np.arange(size) < round(size * share) for size, share in zip(sizes, shares, strict=True)]
    ).astype(np.intp)
    settings = {"n_codes": 6, "n_classes": 2}
    place = order_of_codes(codes, classes, min_group=11, **settings)
    assert sorted(place) == list(range(6))
    order = np.argsort(place)
    order = order if order[0] == 1 else order[::-1]
    # the table has .55: the two stand together between the codes of .5 and .7, whatever their classes are
    assert order[[0, 1, 4, 5]].tolist() == [1, 2, 3, 0]
    assert sorted(order[[2, 3]]) == [4, 5]
    swapped = np.where(codes >= 4, 1 - classes, classes)
    assert np.array_equal(order_of_codes(codes, swapped, min_group=11, **settings), place)
    seen = np.argsort(order_of_codes(codes, classes, min_group=1, **settings))
    seen = (seen if seen[0] == 1 else seen[::-1]).tolist()
    assert (
        seen.index(5) < seen.index(2) < seen.index(4)
    )  # ten rows count: .41 and .66 of them, drawn to the table's
