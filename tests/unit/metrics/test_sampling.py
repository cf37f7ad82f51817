import numpy as np

from tabsynth.metrics.sampling import affordable_rows, draw_rows, join_rows, take_columns, take_rows
from tests.unit.metrics.tables import discrete_column, encoded, number_column


def test_rows_are_taken_in_every_column_alike():
    table = encoded(a=number_column(np.arange(50)), b=discrete_column(np.arange(50), 50))
    drawn = draw_rows(table, 20, np.random.default_rng(0))
    values, codes = drawn.columns["a"].values, drawn.columns["b"].codes
    assert drawn.n_rows == 20
    assert len(set(values.tolist())) == 20
    assert values.tolist() == codes.tolist()
    assert draw_rows(table, 50, np.random.default_rng(0)) is table
    assert take_rows(table, np.array([3, 1])).columns["a"].values.tolist() == [3, 1]


def test_columns_are_taken_in_the_order_asked_for():
    table = encoded(a=number_column([1]), b=number_column([2]), c=number_column([3]))
    assert list(take_columns(table, ["c", "a"]).columns) == ["c", "a"]


def test_wide_tables_are_read_for_fewer_rows_but_never_too_few():
    assert affordable_rows(10, most=5_000, cells=10_000_000) == 5_000
    assert affordable_rows(1_000, most=50_000, cells=10_000_000) == 10_000
    assert affordable_rows(10**6, most=50_000, cells=10_000_000) == 1_000
    assert affordable_rows(0, most=50_000, cells=10_000_000) == 50_000


def test_joined_tables_hold_the_rows_of_both_in_order():
    first = encoded(a=number_column([1, 2]), b=discrete_column([0, 1], 3))
    second = encoded(a=number_column([3], codes=[1]), b=discrete_column([2], 3))
    both = join_rows(first, second)
    assert both.n_rows == 3
    assert both.columns["a"].values.tolist() == [1, 2, 0]
    assert both.columns["a"].codes.tolist() == [0, 0, 1]
    assert both.columns["b"].codes.tolist() == [0, 1, 2]
    assert both.columns["b"].values is None
