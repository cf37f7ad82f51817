"""Near-functions: their tables of fine cells speak for both columns, and leaves meet what columns say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from tabsynth.models.network.choice import Function
from tabsynth.models.network.exact import leaves_meeting
from tabsynth.models.network.functions import with_functions
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.public import Blend
from tabsynth.privacy.marginals import Measurement
from tests.unit.models.network.brute import column, discrete, mixed

FUNCTION = Function(child=1, parent=0)


def hierarchy(n_parent=40, n_child=8, n=50_000, seed=0):
    """Counts of a child that is a function of its parent but for one row in fifty."""
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.full(n_parent, 0.5))
    table = np.zeros((n_parent, n_child))
    table[np.arange(n_parent), rng.integers(0, n_child, n_parent)] = 0.98
    table += 0.02 * rng.dirichlet(np.full(n_child, 0.2), n_parent)
    return np.rint(n * share[:, None] * table)


def measured(exact, *, of_columns, of_cells, seed):
    """What is known after noise of these deviations: columns, their own counts, the table."""
    rng = np.random.default_rng(seed)
    n_parent, n_child = exact.shape
    columns = [
        column(discrete(name, size), rng, n_coarse=size)
        for name, size in (("parent", n_parent), ("child", n_child))
    ]
    own = [
        Blend(exact.sum(axis=axis) + rng.normal(0, of_columns, size), of_columns**2)
        for axis, size in ((1, n_parent), (0, n_child))
    ]
    table = Measurement(exact + rng.normal(0, of_cells, exact.shape), variance=of_cells**2)
    return columns, own, {FUNCTION: table}, float(exact.sum())


def off(counts, exact):
    """Half the sum of absolute errors in shares."""
    return 0.5 * float(np.abs(counts / counts.sum() - exact / exact.sum()).sum())


def test_a_table_is_surer_of_both_columns_than_they_are():
    """Mean over 20 draws of noise, from a table with a third of the noise: .40 and .66 of the errors, measured."""
    exact, found = hierarchy(), []
    for seed in range(20):
        columns, own, tables, total = measured(exact, of_columns=150.0, of_cells=50.0, seed=seed)
        better, _ = with_functions(columns, own, tables, total)
        alone, _ = with_functions(columns, own, {}, total)
        sums = [exact.sum(axis=1), exact.sum(axis=0)]
        found.append(
            [[off(c.counts, s) for c, s in zip(each, sums, strict=True)] for each in (better, alone)]
        )
    better, alone = np.mean(found, axis=0)
    assert (better < np.array([0.5, 0.8]) * alone).all()


def test_a_table_that_says_something_else_is_not_believed():
    """The prior takes most cells of a table to be empty; of one without any the sums are far off, and the columns' own stand."""
    rng = np.random.default_rng(1)
    exact = np.rint(rng.uniform(20, 60, (30, 6)))
    columns, own, tables, total = measured(exact, of_columns=5.0, of_cells=40.0, seed=2)
    (parent, child), _ = with_functions(columns, own, tables, total)
    for each, axis in ((parent, 1), (child, 0)):
        alone = off(own[axis == 0].counts, exact.sum(axis=axis))
        assert off(each.counts, exact.sum(axis=axis)) < 2 * alone + 0.002


def test_conditionals_and_columns_are_distributions_of_the_total():
    columns, own, tables, total = measured(hierarchy(), of_columns=150.0, of_cells=300.0, seed=3)
    better, (leaf,) = with_functions(columns, own, tables, total)
    for each in better:
        assert (each.counts >= 0).all()
        assert each.counts.sum() == pytest.approx(total)
    assert leaf.function == FUNCTION
    assert leaf.conditional.shape == (40, 8)
    assert (leaf.conditional >= 0).all()
    np.testing.assert_allclose(leaf.conditional.sum(axis=1), 1)


def test_exact_counts_stay_what_they_are():
    exact = hierarchy()
    columns, own, tables, total = measured(exact, of_columns=0.0, of_cells=0.0, seed=4)
    better, (leaf,) = with_functions(columns, own, tables, total)
    np.testing.assert_allclose(better[0].counts, exact.sum(axis=1))
    np.testing.assert_allclose(better[1].counts, exact.sum(axis=0))
    some = exact.sum(axis=1) > 0
    np.testing.assert_allclose(leaf.conditional[some], (exact / exact.sum(axis=1, keepdims=True))[some])


def test_no_rows_at_all():
    columns, own, tables, _ = measured(np.zeros((5, 3)), of_columns=20.0, of_cells=20.0, seed=5)
    better, (leaf,) = with_functions(columns, own, tables, 0.0)
    assert all((each.counts == 0).all() for each in better)
    np.testing.assert_allclose(leaf.conditional, 1 / 3)


def test_a_leaf_meets_its_child_with_the_least_change():
    """Of all tables with these sums, the one of least relative entropy to what it was (Csiszár 1975), found by an optimiser."""
    rng = np.random.default_rng(6)
    conditional, parent = rng.dirichlet(np.ones(3), size=4), rng.dirichlet(np.ones(4))
    child = np.array([0.2, 0.5, 0.3])
    met = Leaf(FUNCTION, conditional).met(5 * parent, 7 * child).conditional
    np.testing.assert_allclose(parent @ met, child, atol=1e-6)
    np.testing.assert_allclose(met.sum(axis=1), 1)

    def dual(tilt):
        """Its minimum gives the tilt of each child cell."""
        return parent @ np.log(conditional @ np.exp(tilt)) - child @ tilt

    tilt = minimize(dual, np.zeros(3), tol=1e-12).x
    by_hand = conditional * np.exp(tilt)
    np.testing.assert_allclose(met, by_hand / by_hand.sum(axis=1, keepdims=True), atol=1e-5)


def test_a_child_that_no_parent_leads_to_stays_out():
    conditional = np.array([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0]])
    met = Leaf(FUNCTION, conditional).met(np.array([0.5, 0.5]), np.array([0.5, 0.25, 0.25])).conditional
    np.testing.assert_allclose(met[:, 2], 0)
    np.testing.assert_allclose(np.array([0.5, 0.5]) @ met, [2 / 3, 1 / 3, 0], atol=1e-5)
    nothing = Leaf(FUNCTION, conditional).met(np.array([0.5, 0.5]), np.array([0.0, 0.0, 1.0])).conditional
    np.testing.assert_array_equal(nothing, conditional)


def test_a_parent_of_hardly_any_row_is_tilted_without_an_overflow():
    apart = Leaf(FUNCTION, np.eye(2)).met(np.array([1.0, 1e-310]), np.array([0.5, 0.5])).conditional
    np.testing.assert_array_equal(apart, np.eye(2))
    hardly = np.array([[1.0, 1e-12], [0.5, 0.5]])
    np.testing.assert_allclose(
        Leaf(FUNCTION, hardly).met(np.array([1.0, 0.0]), np.array([0.4, 0.6])).conditional, hardly
    )


def test_leaves_of_a_model_meet_their_columns():
    """Through the tree's own distribution of the parent, whatever that is."""
    model = mixed(3)
    full = [
        Leaf(leaf.function, 0.9 * leaf.conditional + 0.1 / leaf.conditional.shape[1]) for leaf in model.leaves
    ]
    leaves = leaves_meeting(model.columns, full, model.model.tree, model.model.beliefs)
    assert leaves
    met = replace(model, leaves=leaves)
    for leaf in leaves:
        v = leaf.function.child
        wanted = model.columns[v].counts
        found = met.marginal((v,), coarse=False).probabilities
        np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-5)
