"""Sampling given cells of some columns: exact, whatever hangs on what."""

import itertools

import numpy as np
import pytest
from scipy.stats import chi2

from tabsynth.errors import ConditionError
from tabsynth.models.condition import Condition
from tabsynth.models.network.leaves import given_cells
from tabsynth.randomness import Streams
from tests.unit.models.network.brute import cells_in, fine_joint, mixed, rows_at

NAMES = ("colour", "age", "weight", "sex", "visits", "group", "score")


def condition(model, v, cell):
    """The condition that holds column v at the (lower end of the) fine cell."""
    cells = model.columns[v].cells
    if not cells.variable.is_continuous:
        return Condition.at(NAMES[v], cell)
    if cell >= cells.n_numbers:
        return Condition.at(NAMES[v], cell - cells.n_numbers + 1)
    middle = (cells.lower[cell] + cells.upper[cell]) / 2
    return Condition.at(NAMES[v], 0, cells.lower[cell].item() if cells.variable.is_lattice else middle)


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
            rows = model.conditional_block(
                block, n_rows=6000, streams=Streams(seed), conditions=conditions
            ).rows
            np.add.at(counts, tuple(cells_in(model, rows).T), 1)
        assert counts[given == 0].sum() == 0
        expected = given.ravel() * counts.sum()
        large = expected >= 5
        observed = np.r_[counts.ravel()[large], counts.ravel()[~large].sum()]
        wanted = np.r_[expected[large], expected[~large].sum()]
        statistic = ((observed - wanted) ** 2 / np.maximum(wanted, 1.0)).sum()
        assert chi2.sf(statistic, max(len(wanted) - 1, 1)) > 1e-6


@pytest.mark.parametrize("which", [*HELD, (3, 4), (1, 4), (0, 1, 2), (4, 6), (0, 1, 2, 3, 4, 5)])
def test_rows_with_cells_of_their_own_follow_the_posterior_of_each(which):
    """Three kinds of rows mixed, each by a chi-square test at 1e-6 on each column and on all pairs; 45 tests.

    Cells are drawn from the whole distribution, so that all evidence is possible."""
    model = mixed(28)
    joint = fine_joint(model)
    rng = np.random.default_rng(28)
    at = np.array(
        [np.unravel_index(cell, joint.shape) for cell in rng.choice(joint.size, 3, p=joint.ravel())]
    )
    kind = rng.integers(0, 3, 18_000)
    given = {NAMES[v]: rows_at(model, at[kind]).columns[NAMES[v]] for v in which}
    found = model.conditional_block(0, n_rows=18_000, streams=Streams(4), given=given)
    assert found.effective == 18_000
    assert found.n_moved == 0
    cells = cells_in(model, found.rows)
    for k in range(3):
        rows = cells[kind == k]
        wanted = posterior(joint, {v: int(at[k, v]) for v in which})
        for pair in itertools.combinations(range(7), 2):
            others = tuple(v for v in range(7) if v not in pair)
            expected = wanted.sum(axis=others) * len(rows)
            counts = np.zeros(expected.shape)
            np.add.at(counts, tuple(rows[:, list(pair)].T), 1)
            assert counts[expected == 0].sum() == 0
            large = expected >= 5
            seen = np.r_[counts[large], counts[~large].sum()]
            hoped = np.r_[expected[large], expected[~large].sum()]
            statistic = ((seen - hoped) ** 2 / np.maximum(hoped, 1.0)).sum()
            assert chi2.sf(statistic, max(len(hoped) - 1, 1)) > 1e-9, pair


def test_given_cells_that_leaves_never_take_say_nothing_and_are_counted():
    model = mixed(26)
    joint = fine_joint(model)
    never = np.argwhere(joint.sum(axis=(0, 2, 3, 4)) == 0)[0]
    at = np.zeros((50, 7), dtype=int)
    at[:, [1, 5, 6]] = never
    rows = rows_at(model, at)
    given = {name: rows.columns[name] for name in ("age", "group", "score")}
    found = model.conditional_block(0, n_rows=50, streams=Streams(0), given=given)
    assert found.n_moved == 50
    for name, column in given.items():
        assert (found.rows.columns[name].codes == column.codes).all()


@pytest.mark.parametrize("which", [*HELD, (0, 1, 2, 3, 4, 5, 6)])
def test_what_cells_leave_is_bayes_rule(which):
    """Beliefs and fine cells given evidence, multiplied together, are the posterior of the tree's columns."""
    model = mixed(23)
    joint = fine_joint(model)
    at = np.unravel_index(joint.argmax(), joint.shape)
    held = {v: int(at[v]) for v in which}
    wanted = posterior(joint, held).sum(axis=(5, 6))
    likelihoods = {
        v: (np.arange(model.columns[v].cells.n_cells) == cell).astype(float) for v, cell in held.items()
    }
    told = given_cells(model.columns, model.leaves, likelihoods)
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
    held = (Condition.at("age", 0, 7), Condition.at("weight", 0, 1.25))
    rows = model.conditional_block(0, n_rows=50, streams=Streams(0), conditions=held).rows
    assert set(rows.columns["age"].values.tolist()) == {7}
    assert set(rows.columns["weight"].values.tolist()) == {1.25}
    nulls = (Condition.at("age", 1),)
    rows = model.conditional_block(0, n_rows=50, streams=Streams(0), conditions=nulls).rows
    assert set(rows.columns["age"].codes.tolist()) == {1}
    assert set(rows.columns["age"].values.tolist()) == {0}


def test_a_value_that_no_cell_holds_or_the_model_never_takes_is_refused():
    model = mixed(25)
    with pytest.raises(ConditionError, match="'age': the condition has probability zero under the model"):
        model.conditional_block(0, n_rows=5, streams=Streams(0), conditions=(Condition.at("age", 0, 99),))
    never = (Condition.at("age", 0, 1),)  # fine cell 1 has no share
    with pytest.raises(ConditionError, match="'age': the condition has probability zero under the model"):
        model.conditional_block(0, n_rows=5, streams=Streams(0), conditions=never)


def test_values_that_exclude_each_other_are_refused_and_all_others_drawn():
    model = mixed(26)
    joint = fine_joint(model).sum(axis=(0, 2, 3, 4))
    for age, group, score in itertools.product(range(6), range(3), range(2)):
        held = tuple(condition(model, v, cell) for v, cell in ((1, age), (5, group), (6, score)))
        if joint[age, group, score] > 0:
            assert model.conditional_block(0, n_rows=2, streams=Streams(0), conditions=held).rows.n_rows == 2
        else:
            with pytest.raises(
                ConditionError,
                match=r"'age', 'group', 'score' together have probability zero|'age': the condition has probability zero",
            ):
                model.conditional_block(0, n_rows=2, streams=Streams(0), conditions=held)
    assert (joint == 0).any()


def test_log_probabilities_of_rows_given_conditions_are_finite():
    model = mixed(27)
    rows = model.conditional_block(
        0, n_rows=400, streams=Streams(0), conditions=(Condition.at("group", 1),)
    ).rows
    assert np.isfinite(model.log_prob(rows)).all()
    assert rows_at(model, cells_in(model, rows)).n_rows == 400
