"""Cells brought into their domain, each by itself."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tabsynth.encode import EncodedColumn, EncodedTable, Variable, encode_table, settle
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table
from tests.privacy.drafts import as_series, cells
from tests.unit.schema.strategies import columns

LEVEL = Variable(name="level", is_continuous=False, n_levels=4)
COUNT = Variable(name="count", is_continuous=True, n_levels=3, is_lattice=True, lower=-2, upper=5)
AMOUNT = Variable(name="amount", is_continuous=True, n_levels=1, lower=-0.5, upper=1.5)


def settled(variable: Variable, codes: list[int], values: np.ndarray | None = None) -> EncodedColumn:
    column = EncodedColumn(variable, np.array(codes, dtype=np.uint8), values)
    return settle(EncodedTable(len(codes), {variable.name: column})).columns[variable.name]


def test_cells_of_the_domain_stay():
    assert settled(LEVEL, [0, 3, 1]).codes.tolist() == [0, 3, 1]
    count = settled(COUNT, [0, 1, 2, 0], np.array([-2, 0, 0, 5]))
    assert (count.codes.tolist(), count.values.tolist()) == ([0, 1, 2, 0], [-2, 0, 0, 5])


def test_levels_of_no_domain_become_any_level_evenly():
    n = 40_000
    column = settled(LEVEL, [4] * n)
    assert column.codes.dtype == np.uint8
    # each share has a standard error of 0.0022: beyond 0.013 once in 10^8 tests
    assert np.bincount(column.codes, minlength=5) / n == pytest.approx([0.25] * 4 + [0], abs=0.013)


def test_what_is_no_number_becomes_any_number_evenly_and_never_a_level():
    n = 40_000
    column = settled(COUNT, [3] * n, np.zeros(n, dtype=np.int64))
    assert not column.codes.any()
    assert column.values.dtype == np.int64
    assert np.bincount(column.values + 2, minlength=9) / n == pytest.approx([1 / 8] * 8 + [0], abs=0.01)
    line = settled(AMOUNT, [1] * n, np.zeros(n))
    assert line.values.dtype == np.float64
    assert line.values.min() >= -0.5
    assert line.values.max() <= 1.5
    assert np.histogram(line.values, bins=4)[0] / n == pytest.approx([0.25] * 4, abs=0.013)


def test_numbers_beyond_the_bounds_are_clipped():
    column = settled(COUNT, [0, 0, 0, 1], np.array([-9, 99, 2**62, 0]))
    assert column.values.tolist() == [-2, 5, 5, 0]  # beside a level stands 0
    assert settled(AMOUNT, [0, 0], np.array([-1e308, 1e308])).values.tolist() == [-0.5, 1.5]


def test_bounds_as_far_apart_as_there_are_numbers():
    widest = Variable(name="x", is_continuous=True, n_levels=1, lower=-1.7e308, upper=1.7e308)
    assert np.isfinite(settled(widest, [1] * 100, np.zeros(100)).values).all()
    whole = Variable(
        name="x", is_continuous=True, n_levels=1, is_lattice=True, lower=-(2**63), upper=2**63 - 1
    )
    assert len(np.unique(settled(whole, [1] * 100, np.zeros(100, dtype=np.int64)).values)) == 100


def test_no_rows():
    assert settled(LEVEL, []).codes.tolist() == []
    assert settled(COUNT, [], np.zeros(0, dtype=np.int64)).values.tolist() == []


def test_what_is_drawn_is_fresh_every_time():
    draws = {tuple(settled(LEVEL, [4] * 40).codes.tolist()) for _ in range(3)}
    assert len(draws) == 3  # two alike: once in 4^40


def test_the_table_that_was_encoded_is_left_as_it_was():
    codes, values = np.array([4, 0], dtype=np.uint8), np.array([99, 7])
    settle(
        EncodedTable(2, {"level": EncodedColumn(LEVEL, codes), "count": EncodedColumn(COUNT, codes, values)})
    )
    assert (codes.tolist(), values.tolist()) == ([4, 0], [99, 7])


def test_one_row_more_changes_no_other():
    cells = pl.DataFrame({"x": [1.0, 7.0, None, 1e300], "c": ["a", "b", "zz", None]})
    schema = TableSchema(
        name="t",
        columns=(
            Column(name="x", kind=Kind.NUMBER, dtype="float64", decimals=2, bounds=(0, 5), nullable=True),
            Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b")),
        ),
    )
    whole = settle(encode_table(Table.conform(cells, schema))).columns
    part = settle(encode_table(Table.conform(cells.head(2), schema))).columns
    for name in ("x", "c"):
        assert whole[name].codes[:2].tolist() == part[name].codes.tolist()
    assert whole["x"].values[:2].tolist() == part["x"].values.tolist() == [100, 500]
    assert whole["x"].codes[2] == 1
    assert (whole["c"].codes < 2).all()


def test_a_domain_of_nothing_is_refused():
    with pytest.raises(ValueError, match="'level' has no level"):
        settled(Variable(name="level", is_continuous=False, n_levels=0), [0])
    with pytest.raises(ValueError, match="'x' has no bounds"):
        settled(Variable(name="x", is_continuous=True, n_levels=1), [0], np.zeros(1))


def _is_plain(column):
    """Whether every level and bound that the strategy draws has a place of its own in the column's storage."""
    is_level = column.kind.is_discrete or column.special_values
    return not column.dtype.endswith("[ns]") and not (
        is_level and column.dtype.startswith(("float32", "dur"))
    )


@st.composite
def stated_columns(draw):
    """A column of whatever kind whose domain is whole, and cells of its type, few of them in it."""
    column = draw(columns("x").filter(_is_plain))
    has_levels = column.categories or (column.kind is Kind.BOOLEAN and column.dtype == "bool")
    assume(not column.kind.is_discrete or has_levels or column.nullable)
    assume(not column.kind.is_continuous or column.bounds is not None)
    return column, as_series(column, draw(st.lists(cells(column), max_size=12)))


@given(stated_columns())
@settings(max_examples=300, deadline=None)
def test_any_cell_is_brought_into_any_domain(drawn):
    """Without an error and, as everywhere in these tests, without a warning."""
    column, series = drawn
    schema = TableSchema(name="t", columns=(column,))
    whole = settle(encode_table(Table(schema, pl.DataFrame([series])))).columns
    for found in whole.values():
        variable = found.variable
        assert (found.codes < variable.n_levels).all()
        if found.values is not None:
            numbers = found.values[found.codes == 0]
            assert (numbers >= variable.lower).all()
            assert (numbers <= variable.upper).all()
            assert not found.values[found.codes > 0].any()
