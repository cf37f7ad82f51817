"""A stored network is read again as it was, and refused with `ModelFileError` in any other form."""

import numpy as np
import pytest

from tabsynth.errors import ModelFileError
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.randomness import Streams
from tests.unit.hostile import put
from tests.unit.models.network.brute import column, discrete, line, mixed, network


@pytest.fixture
def sound():
    model = mixed(31)
    return model.variables, dict(model.arrays()), dict(model.parameters())


def refused(sound, match, *, arrays=None, parameters=None):
    variables, known, document = sound
    with pytest.raises(ModelFileError, match=match):
        BayesianNetwork.restore(variables, {**known, **(arrays or {})}, {**document, **(parameters or {})})


def test_a_restored_network_samples_bit_for_bit_the_same_rows(sound):
    model = mixed(31)
    again = BayesianNetwork.restore(*sound)
    first, second = (one.sample_block(2, n_rows=500, streams=Streams(7)) for one in (model, again))
    for name, found in first.columns.items():
        assert np.array_equal(found.codes, second.columns[name].codes)
        assert found.values is None or np.array_equal(found.values, second.columns[name].values)
    assert np.array_equal(model.log_prob(first), again.log_prob(first))
    assert again.parameters() == model.parameters()
    assert all(np.array_equal(array, model.arrays()[name]) for name, array in again.arrays().items())


def test_no_columns_and_columns_without_any_row_are_sound():
    empty = BayesianNetwork.restore((), {}, {"cliques": [], "potentials": [], "leaves": [], "target": None})
    assert empty.sample_block(0, n_rows=4, streams=Streams(0)).n_rows == 4
    rng = np.random.default_rng(0)
    model = network([column(discrete("a", 3), rng, n_coarse=2)], [], rng)
    nobody = {**model.arrays(), "column.0.counts": np.zeros(3)}
    assert BayesianNetwork.restore(model.variables, nobody, model.parameters()).columns[0].counts.sum() == 0


@pytest.mark.parametrize("target", [-1, 10**9, True, "age", [0]])
def test_a_target_that_is_no_column_is_refused(sound, target):
    refused(sound, "'target': not a column", parameters={"target": target})


@pytest.mark.parametrize("name", ["cliques", "potentials", "leaves"])
@pytest.mark.parametrize("value", [None, 5, "ab", {}, [1], [None], ["ab"], [[0.0, 1.0]], [[True, 2]], [[0, 0]], [[-1, 0]], [[0, 7]], [[]], [[["x"]]]])  # fmt: skip
def test_lists_of_other_things_than_columns_are_refused(sound, name, value):
    refused(sound, f"'{name}': not ", parameters={name: value})


def test_unknown_and_missing_parts_are_refused(sound):
    variables, arrays, parameters = sound
    refused(sound, "parameters: 0 missing, 1 unknown", parameters={"more": 1})
    refused(sound, "arrays: 0 missing, 1 unknown", arrays={"more": np.zeros(1)})
    for name in arrays:
        with pytest.raises(ModelFileError, match=rf"arrays: 1 missing \({name}"):
            BayesianNetwork.restore(variables, {k: v for k, v in arrays.items() if k != name}, parameters)
    for name in parameters:
        with pytest.raises(ModelFileError, match="parameters: 1 missing"):
            BayesianNetwork.restore(variables, arrays, {k: v for k, v in parameters.items() if k != name})


@pytest.mark.parametrize(
    ("cliques", "fault"),
    [
        ([], "not every column"),
        ([[0, 1, 2], [0, 2, 3]], "not every column"),  # column 4 is in none
        ([[0, 1, 2], [0, 2, 3], [3, 4, 5]], "not every column"),  # a leaf is in one
        ([[0, 1], [1, 2], [2, 3], [0, 3], [3, 4]], "not those of a junction tree"),  # a loop
        ([[0, 1, 2], [0, 2, 3], [3, 4], [4], [3], [0]], "more than columns"),
    ],
)
def test_cliques_that_are_no_junction_tree_are_refused(sound, cliques, fault):
    refused(sound, f"'cliques': {fault}", parameters={"cliques": cliques})


def test_cliques_too_large_for_any_memory_are_refused():
    rng = np.random.default_rng(0)
    columns = [column(discrete(f"c{v}", 60), rng, n_coarse=60) for v in range(6)]
    model = network(columns, [(0, 1)], rng)
    parameters = {**model.parameters(), "cliques": [list(range(6))]}
    with pytest.raises(ModelFileError, match="'cliques': too many cells"):
        BayesianNetwork.restore(model.variables, model.arrays(), parameters)


def test_potentials_outside_every_clique_are_refused(sound):
    scopes = [[4, 0], *sound[2]["potentials"][1:]]
    table = np.zeros((2, 3))
    refused(
        sound,
        "'potentials': outside every clique",
        arrays={"potential.0": table},
        parameters={"potentials": scopes},
    )


@pytest.mark.parametrize(
    ("leaves", "fault"),
    [
        ([[5, 1, 2], [6, 1]], "'leaves': not pairs"),
        ([[5], [6, 1]], "'leaves': not pairs"),
        ([[5, 1], [5, 1]], "'cliques': not every column"),
        ([[5, 6], [6, 1]], "'leaves': on columns outside the tree"),
        ([[5, 0], [6, 1]], r"'leaf\.0': expected float64 of shape \(4, 3\)"),
    ],
)
def test_leaves_on_anything_but_a_column_of_the_tree_are_refused(sound, leaves, fault):
    refused(sound, fault, parameters={"leaves": leaves})


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("column.1.lower", lambda a: a.astype(np.float64), "expected int64"),
        ("column.1.lower", lambda a: a[:-1], r"expected int64 of shape \(3,\)"),
        ("column.1.lower", lambda a: a[::-1].copy(), "cells out of order"),
        ("column.1.lower", lambda a: a[:, None], "expected int64 of shape"),
        ("column.1.upper", put(0, -1), "cells out of order"),
        ("column.1.upper", put(2, 5), "cells out of order"),  # reaches into the next
        ("column.2.lower", put(0, np.nan), "not finite"),
        ("column.2.upper", put(2, np.inf), "not finite"),
        ("column.2.upper", put(0, 0.5), "cells out of order"),
        ("column.2.lower", lambda a: a.astype(np.float32), "expected float64"),
        ("column.0.lower", lambda _: np.zeros(1, dtype=np.int64), r"expected int64 of shape \(0,\)"),
        ("column.0.counts", put(0, -0.1), "below what they can be"),
        ("column.0.counts", put(0, np.nan), "not finite"),
        ("column.0.counts", put(0, 1e308), "above what they can be"),
        ("column.0.counts", lambda a: a * 1.5, "not a distribution"),
        ("column.0.counts", lambda a: a[:-1], r"expected float64 of shape \(4,\)"),
        ("column.0.counts", lambda a: a.astype(np.int64), "expected float64"),
        ("column.0.coarse", lambda a: a.astype(np.int64), "expected uint16"),
        ("column.0.coarse", lambda a: np.where(a == 1, 9, a).astype(np.uint16), "numbered without gaps"),
        ("column.0.coarse", lambda a: (a + 1).astype(np.uint16), "numbered without gaps"),
        ("column.0.coarse", lambda a: a[:-1], "expected uint16 of shape"),
        ("column.0.base", put(0, 0.0), "below what they can be"),
        ("column.0.base", lambda a: a * 0 + 1, "not a distribution"),
        ("column.0.base", lambda a: a[:-1], r"expected float64 of shape \(3,\)"),
        ("column.0.base", put(0, np.inf), "not finite"),
        ("potential.0", put((0, 0), np.nan), "not finite"),
        ("potential.0", put((0, 0), 1e5), "'potentials': too large"),
        ("potential.0", put((0, 0), -1e5), "below what they can be"),
        ("potential.0", lambda a: a.ravel(), "expected float64 of shape"),
        ("potential.0", lambda a: a.astype(np.float32), "expected float64"),
        ("leaf.0", lambda a: a * 2, "not distributions"),
        ("leaf.0", put((0, 0), -1.0), "below what they can be"),
        ("leaf.0", lambda a: a[:-1], "expected float64 of shape"),
        ("leaf.0", np.zeros_like, "not distributions"),
    ],
)
def test_a_damaged_array_is_refused(sound, name, change, fault):
    refused(sound, fault, arrays={name: change(sound[1][name])})


def test_numbers_without_a_cell_are_refused():
    rng = np.random.default_rng(0)
    model = network([column(line("x", [0.0, 1.0]), rng, n_coarse=1)], [], rng)
    none = {"column.0.lower": np.zeros(0), "column.0.upper": np.zeros(0)}
    with pytest.raises(ModelFileError, match=r"'column\.0': no cells for its numbers"):
        BayesianNetwork.restore(model.variables, {**model.arrays(), **none}, model.parameters())


def test_potentials_that_leave_no_state_possible_are_refused():
    """Two potentials on one pair, each of which rules out what the other allows, as far as doubles reach."""
    rng = np.random.default_rng(0)
    columns = [column(discrete(name, 2), rng, n_coarse=2) for name in "ab"]
    model = network(columns, [(0, 1), (0, 1)], rng)
    first = np.array([[0.0, 0.0], [-5000.0, -5000.0]])
    arrays = {**model.arrays(), "potential.0": first, "potential.1": first[::-1].copy()}
    with pytest.raises(ModelFileError, match="leave no state possible"):
        BayesianNetwork.restore(model.variables, arrays, model.parameters())


def test_variables_of_another_schema_are_refused(sound):
    variables, arrays, parameters = sound
    with pytest.raises(ModelFileError, match="expected float64 of shape"):
        BayesianNetwork.restore((variables[3], *variables[1:]), arrays, parameters)
    with pytest.raises(ModelFileError):
        BayesianNetwork.restore(variables[:-1], arrays, parameters)
