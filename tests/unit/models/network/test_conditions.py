"""Sampling given cells of some columns: exact, whatever hangs on what."""

import itertools

import numpy as np
import pytest
from scipy.stats import chi2

from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.models.network.leaves import given_cells
from tabsynth.randomness import Streams
from tests.unit.models.network.brute import cells_in, fine_joint, mixed, rows_at

NAMES = ("colour", "age", "weight", "sex", "visits", "group", "score")


def condition(model, v, cell):
    """The condition that holds column v at the (lower end of the) fine cell."""
    cells = model.columns[v].cells
    if not cells.variable.is_continuous:
        return Condition(column=NAMES[v], code=cell)
    if cell >= cells.n_numbers:
        return Condition(column=NAMES[v], code=cell - cells.n_numbers + 1)
    middle = (cells.lower[cell] + cells.upper[cell]) / 2
    return Condition(
        column=NAMES[v], code=0, value=cells.lower[cell].item() if cells.variable.is_lattice else middle
    )


def posterior(joint, held):
    given = joint
    for v, cell in held.items():
        given = given * (np.arange(joint.shape[v]) == cell).reshape(
            [-1 if k == v else 1 for k in range(joint.ndim)]
        )
    return given / given.sum()


# Tree columns, a leaf, both leaves of one parent, a leaf and its parent, and mixtures of these.
HELD = [(0,), (2, 4), (5,), (6,), (5, 6), (1, 5), (0, 5), (1, 5, 6), (3, 6), (0, 2, 5, 6)]


@pytest.mark.parametrize("which", HELD)
def test_rows_follow_the_posterior(which):
    """Each posterior by a one-sided chi-square test at 1e-6 (even positions make it conservative); 20 tests."""
    for seed in (21, 22):
        model = mixed(seed)
        joint = fine_joint(model)
        rng = np.random.default_rng(seed)
        possible = np.argwhere(joint > 1e-6)
        at = possible[rng.integers(len(possible))]
        held = {v: int(at[v]) for v in which}
        given = posterior(joint, held)
        conditions = tuple(condition(model, v, cell) for v, cell in held.items())
        counts = np.zeros(joint.shape)
        for block in range(2):
            rows = model.sample_block(block, n_rows=6000, streams=Streams(seed), conditions=conditions)
            np.add.at(counts, tuple(cells_in(model, rows).T), 1)
        assert counts[given == 0].sum() == 0
        expected = given.ravel() * counts.sum()
        large = expected >= 5
        observed = np.r_[counts.ravel()[large], counts.ravel()[~large].sum()]
        wanted = np.r_[expected[large], expected[~large].sum()]
        statistic = ((observed - wanted) ** 2 / np.maximum(wanted, 1.0)).sum()
        assert chi2.sf(statistic, max(len(wanted) - 1, 1)) > 1e-6


@pytest.mark.parametrize("which", [*HELD, (0, 1, 2, 3, 4, 5, 6)])
def test_what_cells_leave_is_bayes_rule(which):
    """Beliefs and fine cells given evidence, multiplied together, are the posterior of the tree's columns."""
    model = mixed(23)
    joint = fine_joint(model)
    at = np.unravel_index(joint.argmax(), joint.shape)
    held = {v: int(at[v]) for v in which}
    wanted = posterior(joint, held).sum(axis=(5, 6))
    told = given_cells(model.columns, model.leaves, held)
    assert set(told) == {1 if v >= 5 else v for v in which}
    evidence = {v: column.coarse_counts for v, column in told.items()}
    beliefs = model.model.given(evidence)
    columns = [told.get(v, column) for v, column in enumerate(model.columns)]
    for clique, belief in zip(model.model.tree.cliques, beliefs, strict=True):
        fine = belief
        for k, v in enumerate(clique):
            fine = np.take(fine, columns[v].coarse, axis=k)
            fine = fine * columns[v].shares.reshape([-1 if j == k else 1 for j in range(len(clique))])
        others = tuple(v for v in range(5) if v not in clique)
        summed = wanted.sum(axis=others).transpose(np.argsort(np.argsort(clique)))
        np.testing.assert_allclose(fine, summed, rtol=1e-9, atol=1e-14)


def test_held_numbers_are_written_as_they_were_asked_for():
    model = mixed(24)
    held = (Condition(column="age", code=0, value=7), Condition(column="weight", code=0, value=1.25))
    rows = model.sample_block(0, n_rows=50, streams=Streams(0), conditions=held)
    assert set(rows.columns["age"].values.tolist()) == {7}
    assert set(rows.columns["weight"].values.tolist()) == {1.25}
    nulls = (Condition(column="age", code=1),)
    rows = model.sample_block(0, n_rows=50, streams=Streams(0), conditions=nulls)
    assert set(rows.columns["age"].codes.tolist()) == {1}
    assert set(rows.columns["age"].values.tolist()) == {0}


def test_a_value_that_no_cell_holds_or_the_model_never_takes_is_refused():
    model = mixed(25)
    with pytest.raises(ConditionError, match="'age': the value asked for has no probability"):
        model.sample_block(
            0, n_rows=5, streams=Streams(0), conditions=(Condition(column="age", code=0, value=99),)
        )
    never = (Condition(column="age", code=0, value=1),)  # fine cell 1 has no share
    with pytest.raises(ConditionError, match="no row can have the values asked for in 'age' at once"):
        model.sample_block(0, n_rows=5, streams=Streams(0), conditions=never)


def test_values_that_exclude_each_other_are_refused_and_all_others_drawn():
    model = mixed(26)
    joint = fine_joint(model).sum(axis=(0, 2, 3, 4))
    for age, group, score in itertools.product(range(6), range(3), range(2)):
        held = tuple(condition(model, v, cell) for v, cell in ((1, age), (5, group), (6, score)))
        if joint[age, group, score] > 0:
            assert model.sample_block(0, n_rows=2, streams=Streams(0), conditions=held).n_rows == 2
        else:
            with pytest.raises(ConditionError, match="'age', 'group', 'score' at once"):
                model.sample_block(0, n_rows=2, streams=Streams(0), conditions=held)
    assert (joint == 0).any()


def test_log_probabilities_of_rows_given_conditions_are_finite():
    model = mixed(27)
    rows = model.sample_block(
        0, n_rows=400, streams=Streams(0), conditions=(Condition(column="group", code=1),)
    )
    assert np.isfinite(model.log_prob(rows)).all()
    assert rows_at(model, cells_in(model, rows)).n_rows == 400
