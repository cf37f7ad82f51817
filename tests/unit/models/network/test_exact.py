"""Probabilities of rows and marginals without sampling, against enumeration of all joint states."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.errors import UsageError
from tabsynth.models.network import exact, likelihood
from tabsynth.randomness import Streams
from tests.unit.models.network.brute import (
    cells_in,
    column,
    discrete,
    fine_joint,
    lattice,
    line,
    mixed,
    network,
    rows_at,
)

CLOSE = {"rtol": 1e-9, "atol": 1e-13}
WIDTHS = {1: [1, 1, 3, 4, 1, 1], 2: [1.0, 1.0, 2.5], 4: [1, 1, 1], 6: [2, 2]}  # of the cells of `mixed`


def grouped(joint, axes, groups):
    """Summed over all axes but `axes`, in that order, and over cells of the same group."""
    joint = joint.sum(axis=tuple(v for v in range(joint.ndim) if v not in axes))
    joint = joint.transpose(np.argsort(np.argsort(axes)))  # from ascending order to that of `axes`
    for k, group in enumerate(groups):
        joint = np.stack(
            [joint.take(np.flatnonzero(group == g), axis=k).sum(axis=k) for g in range(group.max() + 1)],
            axis=k,
        )
    return joint


@pytest.mark.parametrize("coarse", [False, True])
def test_every_marginal_of_up_to_three_columns_is_that_of_the_joint(coarse):
    model = mixed(1)
    joint = fine_joint(model)
    for n in (1, 2, 3):
        for wanted in itertools.permutations(range(7), n):
            found = model.marginal(wanted, coarse=coarse)
            cells = [model.columns[v].cells.n_cells for v in wanted]
            groups = [
                model.columns[v].coarse if coarse else np.arange(k)
                for v, k in zip(wanted, cells, strict=True)
            ]
            assert [axis.cells for axis in found.axes] == [model.columns[v].cells for v in wanted]
            assert all((axis.group == group).all() for axis, group in zip(found.axes, groups, strict=True))
            np.testing.assert_allclose(found.probabilities, grouped(joint, list(wanted), groups), **CLOSE)


@given(st.integers(0, 10**6), st.integers(2, 7), st.floats(0.0, 0.7))
@settings(max_examples=40, deadline=None)
def test_joint_of_any_variables_of_any_tree(seed, n, density):
    rng = np.random.default_rng(seed)
    columns = [column(discrete(f"c{v}", int(rng.integers(2, 4))), rng, n_coarse=2) for v in range(n)]
    pairs = [pair for pair in itertools.combinations(range(n), 2) if rng.random() < density]
    model = network(columns, pairs, rng)
    joint = fine_joint(model)
    wanted = tuple(rng.permutation(n)[: rng.integers(1, n + 1)].tolist())
    found = exact.joint_of(model.model.tree, model.model.beliefs, wanted)
    groups = [columns[v].coarse for v in wanted]
    np.testing.assert_allclose(found, grouped(joint, list(wanted), groups), **CLOSE)


def test_no_variables_have_a_joint_of_one():
    model = mixed(2)
    assert exact.joint_of(model.model.tree, model.model.beliefs, ()) == pytest.approx(1.0)


def test_too_many_cells_are_refused_with_what_to_do(monkeypatch):
    model = mixed(1)
    monkeypatch.setattr(exact, "MOST_CELLS", 24)
    assert model.marginal((0, 1), coarse=False).probabilities.shape == (4, 6)
    with pytest.raises(
        UsageError, match="48 cells, more than 24: ask for fewer columns, or for coarse cells"
    ):
        model.marginal((0, 1, 3), coarse=False)
    monkeypatch.setattr(exact, "MOST_CELLS", 1)
    with pytest.raises(UsageError, match=r"6 cells, more than 1: ask for fewer columns$"):
        model.marginal((0, 3), coarse=True)


def test_rows_have_the_probability_of_their_cells_spread_over_them():
    model = mixed(3)
    joint = fine_joint(model)
    cells = np.array(list(itertools.product(*map(range, joint.shape))))
    found = model.log_prob(rows_at(model, cells))
    share = np.ones(len(cells))
    for v, width in WIDTHS.items():
        share /= np.array(width)[cells[:, v]]
    np.testing.assert_allclose(np.exp(found), joint.ravel() * share, **CLOSE)


def test_probabilities_of_all_rows_of_a_lattice_sum_to_one():
    rng = np.random.default_rng(5)
    columns = [
        column(discrete("a", 3), rng, n_coarse=2),
        column(lattice("b", [-4, -1, 0, 5], n_beside=1), rng, n_coarse=2),
        column(lattice("c", [10, 11, 12, 30]), rng, n_coarse=3),
    ]
    model = network(
        [*columns, column(lattice("d", [0, 3, 5]), rng, n_coarse=2)],
        [(0, 1), (1, 2)],
        rng,
        functions=[(3, 2)],
    )
    a, b, c, d = (
        x.ravel() for x in np.meshgrid(range(3), range(-4, 6), range(10, 30), range(5), indexing="ij")
    )
    is_null = b == 5
    rows = EncodedTable(
        len(a),
        {
            "a": EncodedColumn(columns[0].variable, a.astype(np.uint8)),
            "b": EncodedColumn(columns[1].variable, is_null.astype(np.uint8), np.where(is_null, 0, b)),
            "c": EncodedColumn(columns[2].variable, np.zeros(len(c), np.uint8), c),
            "d": EncodedColumn(model.columns[3].variable, np.zeros(len(d), np.uint8), d),
        },
    )
    assert np.exp(model.log_prob(rows)).sum() == pytest.approx(1.0, abs=1e-12)


def test_density_integrates_to_one_and_its_atom_is_a_probability():
    rng = np.random.default_rng(6)
    model = network([column(line("x", [-2.0, 0.0, 0.0, 1.0, 4.0]), rng, n_coarse=2)], [], rng)
    fine = fine_joint(model)

    def density(values):
        values = np.asarray(values, dtype=np.float64)
        codes = np.zeros(len(values), dtype=np.uint8)
        return np.exp(
            model.log_prob(
                EncodedTable(len(values), {"x": EncodedColumn(model.columns[0].variable, codes, values)})
            )
        )

    assert density([0.0]) == pytest.approx(fine[1])
    np.testing.assert_allclose(density([-1.3, 0.2, 2.0]), [fine[0] / 2, fine[2], fine[3] / 3], **CLOSE)
    middles = np.arange(-2 + 0.005, 4, 0.01)
    assert density(middles).sum() * 0.01 + density([0.0])[0] == pytest.approx(1.0, abs=1e-9)


def test_what_the_model_never_makes_has_no_probability():
    model = mixed(4)
    rows = rows_at(model, np.zeros((6, 7), dtype=np.intp))
    columns = dict(rows.columns)
    assert np.isfinite(model.log_prob(rows)).sum() in (0, 6)

    def with_column(name, codes, values):
        old = columns[name]
        return EncodedTable(
            6, {**columns, name: EncodedColumn(old.variable, np.asarray(codes, dtype=np.uint8), values)}
        )

    beyond = with_column("age", [0, 0, 0, 3, 0, 1], np.array([-1, 9, 1, 0, 0, 0]))
    found = model.log_prob(beyond)
    # Below the bounds, beyond them, in a cell without probability, outside the domain; then two that may be.
    assert np.isneginf(found[:4]).all()
    outside = with_column("weight", [0] * 6, np.array([-1.1, 2.6, np.nextafter(2.5, 3), -0.5, 1.0, 2.5]))
    assert np.isneginf(model.log_prob(outside)[:3]).all()
    assert np.isneginf(model.log_prob(with_column("colour", [4] * 6, None))).all()


def test_sampled_rows_have_the_probability_of_their_cells():
    model = mixed(7)
    rows = model.sample_block(0, n_rows=8192, streams=Streams(1))
    cells = cells_in(model, rows)
    joint = fine_joint(model)
    expected = np.log(joint[tuple(cells.T)])
    for v, width in WIDTHS.items():
        expected -= np.log(np.array(width)[cells[:, v]])
    np.testing.assert_allclose(model.log_prob(rows), expected, rtol=1e-9)


def test_rows_are_taken_in_batches_of_any_size(monkeypatch):
    model = mixed(3)
    rows = rows_at(model, np.random.default_rng(0).integers(0, [4, 6, 3, 2, 3, 3, 2], (100, 7)))
    whole = model.log_prob(rows)
    monkeypatch.setattr(likelihood, "_BATCH_ROWS", 7)
    assert np.array_equal(model.log_prob(rows), whole)
    assert model.log_prob(rows_at(model, np.zeros((0, 7), dtype=np.intp))).shape == (0,)


def test_edges_are_the_pairs_measured_and_the_functions_by_their_mutual_information():
    model = mixed(8)
    joint = fine_joint(model)
    edges = {edge.columns: edge for edge in model.edges()}
    names = [c.variable.name for c in model.columns]
    assert set(edges) == {
        (names[a], names[b]) for a, b in [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (1, 5), (1, 6)]
    }
    for (first, second), edge in edges.items():
        pair = [names.index(first), names.index(second)]
        table = grouped(joint, pair, [model.columns[v].coarse for v in pair])
        rows, cols = table.sum(axis=1), table.sum(axis=0)
        information = sum(p * np.log(p / (rows[i] * cols[j])) for (i, j), p in np.ndenumerate(table) if p > 0)
        smaller = min(-(m * np.log(m)).sum() for m in (rows, cols))
        assert edge.information == pytest.approx(information, abs=1e-12)
        assert edge.share == pytest.approx(information / smaller, abs=1e-9)
        assert edge.is_function == (second in ("group", "score"))
    shares = [edge.share for edge in model.edges()]
    assert shares == sorted(shares, reverse=True)


def test_an_edge_to_a_constant_has_no_strength():
    rng = np.random.default_rng(0)
    model = network(
        [column(discrete("a", 3), rng, n_coarse=1), column(discrete("b", 2), rng, n_coarse=2)], [(0, 1)], rng
    )
    (edge,) = model.edges()
    assert (edge.information, edge.share) == (0.0, 0.0)
