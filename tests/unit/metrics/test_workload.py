"""Random counts and group means, by hand and on tables whose answer is known."""

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.samples import Sample, numbers_of
from tabsynth.metrics.workload import Condition, Scale, Workload, count_share, draw_query, relative_error
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import (
    category,
    discrete_column,
    encoded,
    eval_data,
    number,
    number_column,
    rows_of,
    schema_of,
)

SCHEMA = schema_of(number("x", nullable=True), category("c"))


def compute(synthetic, train, holdout, schema=SCHEMA, **options):
    return rows_of(
        Workload(**options).compute(eval_data(schema, synthetic, train, holdout), streams=Streams(0))
    )


def draw(rng, n, levels="abc"):
    code = rng.integers(0, len(levels), n)
    return {"x": (code + rng.normal(size=n)).tolist(), "c": np.array(list(levels))[code].tolist()}


def test_counts_by_hand():
    table = encoded(
        x=number_column([1.0, 2.0, 3.0, 0.0], codes=[0, 0, 0, 1]), c=discrete_column([0, 1, 2, 0], 3)
    )
    between = Condition("x", 1.5, 3.0, None)
    among = Condition("c", 0.0, 0.0, np.array([True, False, True, False]))
    assert count_share([between], table) == 2 / 4  # a cell that is no number is in no range
    assert count_share([among], table) == 3 / 4
    assert count_share([between, among], table) == 1 / 4


def test_relative_errors_have_a_sanity_bound():
    assert relative_error(0.5, 0.4) == pytest.approx(0.2)
    assert relative_error(0.0, 0.002) == pytest.approx(0.2)  # over 1 %, not over nothing


def test_group_means_by_hand():
    # group 0: 20 rows of 0 in train, 1 in the other; group 1: 60 rows of 2 in both; group 2: missing, 20 rows
    train = number_column(np.repeat([0.0, 2.0, 4.0], [20, 60, 20]))
    other = number_column(np.repeat([1.0, 2.0], [5, 5]))
    scale = Scale.of(train)
    deviation = np.repeat([0.0, 2.0, 4.0], [20, 60, 20]).std()
    groups = np.repeat([0, 1, 2], [20, 60, 20]).astype(np.uint16), np.repeat([0, 1], 5).astype(np.uint16)
    wanted = 0.2 * min(1.0, 1 / deviation) + 0.6 * 0 + 0.2 * 1
    assert scale.error(groups, (train, other)) == pytest.approx(wanted)
    assert Scale.of(number_column([3.0, 3.0])) is None
    assert Scale.of(discrete_column([0, 1], 2)) is None
    few = np.arange(100).astype(np.uint16), np.arange(10).astype(np.uint16)
    assert np.isnan(scale.error(few, (train, other)))  # no group has 20 rows


def test_queries_have_one_to_three_conditions_on_different_columns():
    rng = np.random.default_rng(0)
    columns = {f"n{k}": number_column(rng.normal(size=50)) for k in range(3)}
    columns["d"] = discrete_column(rng.integers(0, 3, 50), 4)
    columns["o"] = discrete_column(rng.integers(0, 4, 50), 4, is_ordered=True)
    table = encoded(**columns)
    samples = {
        name: Sample.of(numbers_of(column)) if column.variable.is_continuous else None
        for name, column in columns.items()
    }
    queries = [draw_query(table, samples, rng) for _ in range(300)]
    assert {len(query) for query in queries} == {1, 2, 3}
    for query in queries:
        names = [condition.column for condition in query]
        assert len(set(names)) == len(names)
        for condition in query:
            if condition.levels is None:
                assert condition.low <= condition.high
            elif condition.column == "o":  # ordered levels: a range of codes
                assert set(np.diff(np.flatnonzero(condition.levels))) <= {1}
                assert condition.levels.any()
            else:  # some of the levels of train, and not all
                assert 1 <= condition.levels.sum() <= 2
                assert not condition.levels[[3, 4]].any()


def test_a_copy_answers_exactly_and_a_fresh_table_near_the_floor():
    rng = np.random.default_rng(1)
    train, holdout = draw(rng, 2_000), draw(rng, 2_000)
    assert {row.value for row in compute(train, train, holdout).values()} == {0.0}
    for name, row in compute(draw(rng, 2_000), train, holdout).items():
        assert row.value < 3 * row.floor, name  # both are the errors of 2,000 fresh rows


def test_a_broken_column_shows_among_the_parts():
    rng = np.random.default_rng(2)
    train, holdout = draw(rng, 2_000), draw(rng, 2_000)
    found = compute(draw(rng, 2_000, levels="a") | {"x": train["x"]}, train, holdout)
    row = found[("count_query_error",)]
    assert row.value > 5 * row.floor
    assert row.details[0].label == "c"
    assert row.details[0].value > row.details[0].floor
    assert found[("count_query_error_95",)].value > row.value
    # two of three groups are gone: the mean by c misses them whole, in two thirds of the rows
    assert found[("group_query_error",)].value > 0.6


def test_what_cannot_be_asked_is_a_reason():
    schema = schema_of(category("c"), category("d"))
    cells = {"c": ["a", "b"] * 30, "d": ["a", "a"] * 30}
    found = compute(cells, cells, cells, schema)
    assert (
        found[("group_query_error",)].reason
        == "needs a number that varies, and another column to group it by"
    )
    assert found[("count_query_error",)].status is Status.OK
    few = {"x": [1.0, 2.0, 3.0], "c": ["a", "b", "c"]}
    assert compute(few, few, few)[("group_query_error_95",)].reason == "no group has 20 rows of train"
    found = compute(few, few, {"x": [], "c": []})
    assert found[("count_query_error",)].floor is None
    found = compute({"x": [], "c": []}, few, few)
    assert {row.reason for row in found.values()} == {"the synthetic table has no rows"}
    schema = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    cells = {"t": ["u"] * 10}
    (row, *_) = Workload().compute(eval_data(schema, cells, cells, cells), streams=Streams(0))
    assert row.reason == "no column is modelled"


def test_at_most_so_many_groupings_are_asked():
    rng = np.random.default_rng(3)
    schema = schema_of(*(number(f"x{k}") for k in range(4)))
    cells = {f"x{k}": rng.normal(size=300).tolist() for k in range(4)}
    found = compute(cells, cells, cells, schema, n_groupings=5)
    assert found[("group_query_error",)].reason == "5 of 12 queries"
