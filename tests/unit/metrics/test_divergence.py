"""Divergences by hand and against scipy."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from tabsynth.metrics.base import Status
from tabsynth.metrics.divergence import ColumnDivergence, jensen_shannon, kullback_leibler
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, integer, number, rows_of, schema_of


def compute(schema, synthetic, train, holdout):
    return rows_of(
        ColumnDivergence().compute(eval_data(schema, synthetic, train, holdout), streams=Streams(0))
    )


def test_jensen_shannon_by_hand():
    # p = (1, 0), q = (1/2, 1/2), middle (3/4, 1/4):
    # [log2(4/3) + 1/2 log2(2/3) + 1/2 log2(2)] / 2
    expected = (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5) / 2
    assert jensen_shannon(np.array([4, 0]), np.array([3, 3])) == pytest.approx(expected)
    assert jensen_shannon(np.array([4, 0]), np.array([0, 9])) == 1.0
    assert jensen_shannon(np.array([1, 2]), np.array([10, 20])) == pytest.approx(0.0, abs=1e-15)


def test_kullback_leibler_by_hand():
    # half a row more in both occupied cells, none in the third: (4.5, .5)/5 against (3.5, 3.5)/7
    expected = 0.9 * np.log2(0.9 / 0.5) + 0.1 * np.log2(0.1 / 0.5)
    assert kullback_leibler(np.array([4, 0, 0]), np.array([3, 3, 0])) == pytest.approx(expected)
    assert kullback_leibler(np.array([5, 5]), np.array([5, 5])) == 0.0


def test_both_are_those_of_scipy():
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 20, (2, 12))
    assert jensen_shannon(left, right) == pytest.approx(jensenshannon(left, right, base=2) ** 2)
    assert kullback_leibler(left, right) == pytest.approx(entropy(left + 0.5, right + 0.5, base=2))


@pytest.mark.parametrize("divergence", [jensen_shannon, kullback_leibler])
@pytest.mark.parametrize("counts", [([0, 0], [1, 2]), ([1, 2], [0, 0])])
def test_rows_are_needed_on_both_sides(divergence, counts):
    with pytest.raises(ValueError, match="rows on both sides"):
        divergence(*map(np.array, counts))


def test_nulls_are_a_cell_and_numbers_fall_into_deciles_of_train():
    schema = schema_of(number("x", nullable=True), category("c"))
    train = {"x": [1.0, 1.0, 1.0, None], "c": ["a", "a", "a", "b"]}
    synthetic = {"x": [1.0, 1.0, None, None], "c": ["a", "a", "a", "b"]}
    found = compute(schema, synthetic, train, train)
    assert found["js_divergence", "x"].value == pytest.approx(jensenshannon([3, 1], [2, 2], base=2) ** 2)
    assert found["kl_divergence", "x"].value == pytest.approx(entropy([3.5, 1.5], [2.5, 2.5], base=2))
    assert found["js_divergence", "c"].value == found["js_divergence", "c"].floor == 0.0
    assert found[("js_divergence",)].value == pytest.approx(found["js_divergence", "x"].value / 2)
    assert found[("js_divergence",)].floor == 0.0


def test_special_values_have_cells_of_their_own():
    schema = schema_of(integer("k", special_values=(-9,)))
    train = {"k": [*range(10), -9, -9]}
    found = compute(schema, {"k": [*range(10), 0, 0]}, train, train)
    cells = jensenshannon([1] * 10 + [2], [3, *[1] * 9, 0], base=2) ** 2
    assert found["js_divergence", "k"].value == pytest.approx(cells)


def test_empty_tables_are_reasons_and_without_a_holdout_there_is_no_floor():
    schema, cells, none = schema_of(category("c")), {"c": ["a", "b"]}, {"c": []}
    assert compute(schema, cells, cells, none)["js_divergence", "c"].floor is None
    for tables, which in (((none, cells, cells), "synthetic"), ((cells, none, cells), "train")):
        found = compute(schema, *tables)
        assert {row.status for row in found.values()} == {Status.NOT_APPLICABLE}
        assert found[("kl_divergence",)].reason == f"the {which} table has no rows"
