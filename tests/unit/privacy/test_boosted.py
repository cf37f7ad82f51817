"""Trees as arrays say what LightGBM, which grew them, says itself."""

import numpy as np
import pytest

from tabsynth.models.trees.forest import Forest
from tabsynth.privacy.boosted import constant, repeatable, trees_of

lightgbm = pytest.importorskip("lightgbm")


def grown(n_classes, n_steps, *, min_leaf=20, n_rows=3_000):
    rng = np.random.default_rng(5)
    codes = rng.integers(-1, 9, (n_rows, 4)).astype(np.int32)
    chance = 1 / (1 + np.exp(-(codes[:, 0] - 4.0) * (codes[:, 1] > 3)))
    labels = (rng.random(n_rows) < chance).astype(int) + (n_classes > 2) * (codes[:, 2] > 5)
    several = {"objective": "multiclass", "num_class": n_classes}
    asked = {"objective": "binary"} if n_classes == 2 else several
    settings = asked | {"num_leaves": 32, "min_data_in_leaf": min_leaf} | repeatable(0)
    table = lightgbm.Dataset(codes.astype(np.float32), labels)
    return lightgbm.train(settings, table, num_boost_round=n_steps), codes


def walked(tree, rows):
    """What a tree adds, row by row."""
    found = []
    for row in rows:
        node = 0
        while tree.column[node] >= 0:
            goes_left = row[tree.column[node]] <= tree.threshold[node]
            node = tree.left[node] if goes_left else tree.right[node]
        found.append(tree.value[node])
    return np.array(found)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_trees_add_up_to_what_lightgbm_predicts(n_classes):
    booster, codes = grown(n_classes, 40)
    each = 1 if n_classes == 2 else n_classes
    trees = trees_of(booster, codes, 33, min_group=0, each=each)
    assert len(trees) == 33 * each
    assert max(len(tree.column) for tree in trees) == 63
    raw = booster.predict(codes.astype(np.float32), raw_score=True, num_iteration=33).reshape(len(codes), -1)
    for score in range(each):
        own = trees[score::each]
        walk = np.sum([walked(tree, codes[:50]) for tree in own], axis=0)
        np.testing.assert_allclose(walk, raw[:50, score], atol=1e-5)
        together = Forest.of(own, [10] * 4).logs(list(codes.T))
        np.testing.assert_allclose(together, raw[:, score], atol=1e-5)


def test_nodes_stand_in_preorder():
    booster, codes = grown(2, 3)
    for tree in trees_of(booster, codes, 3, min_group=0):
        inner = np.flatnonzero(tree.column >= 0)
        assert (tree.left[inner] == inner + 1).all()
        assert sorted([*tree.left[inner], *tree.right[inner]]) == list(range(1, len(tree.column)))
        assert (tree.value[inner] == 0).all()


def test_trees_that_found_no_split_have_one_leaf():
    booster, codes = grown(2, 2, min_leaf=2_000)
    (tree,) = trees_of(booster, codes, 1, min_group=0)
    assert tree.column.tolist() == [-1]
    raw = booster.predict(codes[:5].astype(np.float32), raw_score=True, num_iteration=1)
    np.testing.assert_allclose(walked(tree, codes[:5]), raw, atol=1e-6)


def test_leaves_that_few_rows_reach_add_nothing():
    booster, codes = grown(2, 5)
    few = codes[:400]
    reached = booster.predict(few.astype(np.float32), pred_leaf=True, num_iteration=5)
    told = trees_of(booster, few, 5, min_group=0)
    for number, tree in enumerate(trees_of(booster, few, 5, min_group=11)):
        held = np.bincount(reached[:, number], minlength=32)[reached[:, number]]
        assert (held < 11).any()
        assert (held >= 11).any()
        whole = walked(told[number], few)
        assert (whole[held < 11] != 0).any()
        np.testing.assert_array_equal(walked(tree, few), np.where(held < 11, 0.0, whole))


def test_scale_is_of_every_leaf():
    booster, codes = grown(2, 4)
    for half, whole in zip(
        trees_of(booster, codes, 4, min_group=0, scale=0.5),
        trees_of(booster, codes, 4, min_group=0),
        strict=True,
    ):
        np.testing.assert_allclose(half.value, 0.5 * whole.value, rtol=1e-6)


def test_a_constant_is_a_tree_of_one_leaf():
    assert walked(constant(-1.5), np.zeros((2, 3))).tolist() == [-1.5, -1.5]
