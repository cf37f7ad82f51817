"""Column figures of tables small enough to work out by hand."""

import numpy as np
import pytest

from tabsynth.metrics.base import MetricResult, Status
from tabsynth.metrics.fidelity_columns import ColumnFidelity, table_mean
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, integer, number, rows_of, schema_of


def compute(schema, synthetic, train, holdout):
    data = eval_data(schema, synthetic, train, holdout)
    return rows_of(ColumnFidelity().compute(data, streams=Streams(0)))


def test_a_discrete_column():
    schema = schema_of(category("c", "abcd", nullable=True))
    rows = compute(
        schema, {"c": ["a", "a", "d", "d"]}, {"c": ["a", "b", "c", None]}, {"c": ["a", "b", "b", None]}
    )
    shape = rows["shape_error", "c"]
    # train has a quarter each of a, b, c, null
    assert (shape.value, shape.floor) == (pytest.approx(0.75), pytest.approx(0.25))
    assert (rows["null_rate_error", "c"].value, rows["null_rate_error", "c"].floor) == (0.25, 0.0)
    coverage = rows["category_coverage", "c"]
    assert (coverage.value, coverage.floor) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert ("wasserstein", "c") not in rows


def test_a_number_column_with_nulls():
    schema = schema_of(integer("x", nullable=True))
    train = {"x": [*range(101), None]}
    synthetic = {"x": [*range(5, 106), None, None]}
    rows = compute(schema, synthetic, train, train)
    spread = 98.0  # of 0 … 100, from quantile .01 to .99
    assert rows["wasserstein", "x"].value == pytest.approx(5 / spread)
    assert rows["range_coverage", "x"].value == pytest.approx(0.95)
    tail = rows["tail_error", "x"]
    outer = 99.8  # of 0 … 100, from quantile .001 to .999
    assert tail.value == pytest.approx(5 / outer)
    assert [part.label for part in tail.details] == [f"quantile {q}" for q in (0.001, 0.01, 0.99, 0.999)]
    assert [part.value for part in tail.details] == pytest.approx([5 / outer] * 4)
    assert rows["null_rate_error", "x"].value == pytest.approx(2 / 103 - 1 / 102)
    # at most 100: all 101 numbers of train's 102 rows, and 96 numbers of 103 rows
    assert rows["shape_error", "x"].value == pytest.approx(101 / 102 - 96 / 103)
    for metric in ("shape_error", "wasserstein", "tail_error", "null_rate_error"):
        assert rows[metric, "x"].floor == 0.0


def test_disjoint_ranges_cover_nothing():
    rows = compute(schema_of(integer("x")), {"x": [50, 60]}, {"x": [0, 10]}, {"x": [0, 5]})
    assert rows["range_coverage", "x"].value == 0.0
    assert rows["range_coverage", "x"].floor == 0.5
    assert rows["shape_error", "x"].value == 1.0


def test_special_values_are_levels_beside_the_numbers():
    schema = schema_of(integer("x", special_values=(-1,)))
    rows = compute(schema, {"x": [-1, 1, 2, 3]}, {"x": [1, 2, 3, 4]}, {"x": [1, 2, 3, 4]})
    assert rows["shape_error", "x"].value == pytest.approx(0.25)
    assert rows["range_coverage", "x"].value == pytest.approx(2 / 3)


def test_cells_outside_the_domain_count_as_one_level():
    rows = compute(schema_of(category("c", "ab")), {"c": ["a", "z"]}, {"c": ["a", "b"]}, {"c": ["q", "z"]})
    assert rows["shape_error", "c"].value == pytest.approx(0.5)
    assert rows["shape_error", "c"].floor == 1.0
    assert rows["category_coverage", "c"].floor == 0.0


def test_means_over_columns_say_what_they_leave_out():
    schema = schema_of(integer("x"), integer("constant"), category("c", "ab"))
    cells = {"x": [0, 1, 2], "constant": [3, 3, 3], "c": ["a", "b", "b"]}
    rows = compute(schema, cells | {"x": [1, 2, 3]}, cells, cells)
    constant = rows["wasserstein", "constant"]
    assert constant.status is Status.NOT_APPLICABLE
    assert "all numbers of train are equal" in constant.reason
    mean = rows[("wasserstein",)]
    assert mean.value == rows["wasserstein", "x"].value
    assert mean.reason == "mean of 1 columns; 1 more could not be computed"
    assert rows[("shape_error",)].value == pytest.approx(rows["shape_error", "x"].value / 3)
    assert rows[("null_rate_error",)].status is Status.NOT_APPLICABLE
    assert rows[("null_rate_error",)].reason == "no columns it applies to"


def test_a_column_without_numbers_on_one_side():
    schema = schema_of(number("x", nullable=True))
    full, empty = {"x": [1.0, 2.0]}, {"x": [None, None]}
    rows = compute(schema, empty, full, full)
    assert rows["shape_error", "x"].value == 1.0
    assert rows["wasserstein", "x"].reason == "the compared table has no numbers in this column"
    assert rows["wasserstein", "x"].floor == 0.0
    rows = compute(schema, full, empty, empty)
    assert rows["wasserstein", "x"].reason == "train has no numbers in this column"
    assert rows[("wasserstein",)].reason == "none of the 1 columns has a value"


def test_no_category_in_train():
    schema = schema_of(category("c", "ab", nullable=True))
    rows = compute(schema, {"c": ["a"]}, {"c": [None]}, {"c": ["a"]})
    assert rows["category_coverage", "c"].reason == "train has no category in this column"


@pytest.mark.parametrize(("empty", "name"), [(0, "synthetic"), (1, "train")])
def test_no_rows(empty, name):
    tables = [{"x": [1, 2]}, {"x": [1, 2]}, {"x": [1, 2]}]
    tables[empty] = {"x": []}
    rows = compute(schema_of(integer("x")), *tables)
    assert {row.reason for row in rows.values()} == {f"the {name} table has no rows"}


def test_no_holdout_leaves_figures_without_floors():
    rows = compute(schema_of(integer("x")), {"x": [1, 2]}, {"x": [1, 2]}, {"x": []})
    assert rows["shape_error", "x"].value == 0.0
    assert {row.floor for row in rows.values()} == {None}


def test_table_mean_counts_notes():
    row = MetricResult(metric="m", columns=("a",), value=2.0)
    mean = table_mean("m", [row], of="pairs", note="a sample")
    assert (mean.value, mean.floor, mean.reason) == (2.0, None, "a sample")


def test_figures_agree_with_a_table_a_hundred_times_as_long():
    rng = np.random.default_rng(0)
    cells = [{"x": rng.normal(size=60).round(1).tolist()} for _ in range(3)]
    schema = schema_of(number("x"))
    once = compute(schema, *cells)
    many = compute(schema, *[{"x": side["x"] * 100} for side in cells])
    for metric in ("shape_error", "range_coverage"):
        assert many[metric, "x"].value == pytest.approx(once[metric, "x"].value)
