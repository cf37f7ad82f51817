"""Junction trees: structure, and beliefs against enumeration of all joint states."""

import itertools
import math
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.models.network.junction_tree import JunctionTree, margin, margins, product, spread
from tabsynth.models.network.triangulation import cliques_of

CLOSE = {"rtol": 1e-10, "atol": 1e-14}


@st.composite
def problems(draw):
    """A tree over up to 7 variables, forests among them, and factors, some of them zero in places."""
    n = draw(st.integers(1, 7))
    every = list(itertools.combinations(range(n), 2))
    pairs = draw(st.lists(st.sampled_from(every), unique=True, max_size=9)) if every else []
    sizes = draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    tree = JunctionTree.of(cliques_of(pairs, sizes), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    zeros = draw(st.sampled_from([0.0, 0.0, 0.3]))
    factors = []
    for clique in tree.cliques:
        shape = [sizes[v] for v in clique]
        factors.append(rng.gamma(1.0, size=shape) * (rng.random(shape) >= zeros))
    return tree, factors


def joint_of(tree, factors):
    letters = string.ascii_letters
    terms = ["".join(letters[v] for v in clique) for clique in tree.cliques]
    return np.einsum(f"{','.join(terms)}->{letters[: len(tree.sizes)]}", *factors)


def marginal(joint, clique):
    summed = joint.sum(axis=tuple(v for v in range(joint.ndim) if v not in clique))
    return summed.transpose([sorted(clique).index(v) for v in clique])


@given(problems())
@settings(max_examples=60, deadline=None)
def test_cliques_run_together_parents_first(problem):
    tree, _ = problem
    met = set()
    for i, (clique, parent, separator) in enumerate(
        zip(tree.cliques, tree.parents, tree.separators, strict=True)
    ):
        assert (parent == -1) == (i == 0)
        assert parent < i
        assert set(separator) == set(clique) & met, "all that it shares with those before is in its separator"
        assert i == 0 or set(separator) <= set(tree.cliques[parent])
        assert separator == tuple(v for v in clique if v in separator)
        assert list(clique) == sorted(clique, key=lambda v: (tree.sizes[v], v))
        met |= set(clique)
    assert met == set(range(len(tree.sizes)))
    assert tree.n_cells == sum(math.prod(tree.sizes[v] for v in clique) for clique in tree.cliques)


@given(problems())
@settings(max_examples=80, deadline=None)
def test_beliefs_are_the_marginals_of_the_product_of_all_factors(problem):
    tree, factors = problem
    joint = joint_of(tree, factors)
    if joint.sum() == 0:
        with pytest.raises(FloatingPointError, match="no state"):
            tree.calibrate([factor.copy() for factor in factors])
        return
    beliefs, log_total = tree.calibrate([factor.copy() for factor in factors])
    assert log_total == pytest.approx(math.log(joint.sum()), abs=1e-10)
    for clique, belief in zip(tree.cliques, beliefs, strict=True):
        np.testing.assert_allclose(belief, marginal(joint / joint.sum(), clique), **CLOSE)


def test_columns_that_nothing_joins_are_independent():
    tree = JunctionTree.of([(0, 1), (2,)], [2, 2, 3])
    assert tree.separators[1] == ()
    beliefs, log_total = tree.calibrate([np.array([[1.0, 2], [3, 4]]), np.array([5.0, 0, 5])])
    assert log_total == pytest.approx(math.log(100))
    np.testing.assert_allclose(beliefs[1], [0.5, 0, 0.5])


def test_a_root_without_any_possible_state_is_refused():
    tree = JunctionTree.of([(0,)], [2])
    with pytest.raises(FloatingPointError, match="no state"):
        tree.calibrate([np.zeros(2)])


def test_no_cliques_have_no_beliefs():
    assert JunctionTree((), (), (), ()).calibrate([]) == ([], 0.0)


def test_small_factors_do_not_underflow():
    """200 variables in a chain, every factor scaled so that their product would be 1e-2000."""
    n = 200
    tree = JunctionTree.of([(v, v + 1) for v in range(n - 1)], [2] * n)
    step = np.array([[0.9, 0.1], [0.1, 0.9]])
    beliefs, log_total = tree.calibrate([step * 1e-10 for _ in range(n - 1)])
    assert log_total == pytest.approx(math.log(2) - 10 * (n - 1) * math.log(10))
    np.testing.assert_allclose(beliefs[0], step / 2)


def test_home_is_the_smallest_clique_that_holds_the_variables():
    tree = JunctionTree.of([(0, 1, 2), (1, 2, 3)], [5, 2, 2, 3])
    assert set(tree.cliques[tree.home((1, 2))]) == {1, 2, 3}
    assert set(tree.cliques[tree.home((0,))]) == {0, 1, 2}
    with pytest.raises(ValueError, match="no clique holds"):
        tree.home((0, 3))


def test_margins_keep_the_order_of_axes_and_share_sums():
    table = np.random.default_rng(0).random((2, 3, 4, 5))
    axes = (7, 1, 4, 2)
    np.testing.assert_allclose(margin(table, axes, (2, 7)), table.sum(axis=(1, 2)))
    np.testing.assert_allclose(margin(table, axes, ()), table.sum())
    found = margins(table, axes, [(7, 4), (1,), (7, 1, 4, 2), ()])
    wanted = [table.sum(axis=(1, 3)), table.sum(axis=(0, 2, 3)), table, table.sum()]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other)


def test_spread_and_product_multiply_onto_the_axes_of_a_clique():
    rng = np.random.default_rng(1)
    sizes = {3: 2, 0: 3, 5: 4}
    axes = (3, 0, 5)
    tables = {(3,): rng.random(2), (0, 5): rng.random((3, 4)), (3, 5): rng.random((2, 4))}
    wanted = np.einsum("a,bc,ac->abc", *tables.values())
    np.testing.assert_allclose(product(tables, axes, sizes), wanted)
    np.testing.assert_allclose(
        np.ones((2, 3, 4)) * spread(tables[3, 5], (3, 5), axes),
        np.einsum("ac,b->abc", tables[3, 5], np.ones(3)),
    )
    alone = product({}, axes, sizes)
    assert alone.shape == (2, 3, 4)
    alone *= 2.0
    assert (alone == 2).all()
    constant = product({(3,): rng.random(2)}, axes, sizes)
    assert constant.shape == (2, 3, 4)
    constant[0, 0, 0] = 9.0
    assert (constant == 9).sum() == 1, "a new array, not a view of one cell"


@given(problems(), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_the_tree_is_the_same_in_whatever_order_cliques_are_given(problem, seed):
    """So that a stored model, which keeps the cliques alone, draws the same rows as the fitted one."""
    tree, _ = problem
    shuffled = [tree.cliques[i] for i in np.random.default_rng(seed).permutation(len(tree.cliques))]
    assert JunctionTree.of([clique[::-1] for clique in shuffled], tree.sizes) == tree
