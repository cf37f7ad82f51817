"""Casts and functions that some cells do not take: one error that names the rule and shows no cell."""

import polars as pl
import pytest

import tabsynth
from tabsynth.constraints.base import masks_of
from tabsynth.constraints.rules import constraint_of
from tabsynth.errors import ConstraintError
from tabsynth.schema.rules import Expression, Formula
from tests.unit.constraints.tables import levels, table, whole

SCHEMA = table(levels("c", "1", "2", "secret"), whole("x", 0, 9), whole("n", 0, 9, dtype="int8"))
ROWS = pl.DataFrame({"c": ["1", "2", "secret"] * 40, "x": [1, 2, 3] * 40, "n": [1, 2, 3] * 40})
ROWS = ROWS.cast({"n": pl.Int8})
CAST = Expression(sql="CAST(c AS INTEGER) <= x", name="no more than x")
PLAIN = Expression(sql="x >= 0")


@pytest.mark.parametrize(
    "rule",
    [
        CAST,
        Expression(sql="CAST(c AS INTEGER) <= n"),
        Expression(sql="STRPTIME(c, '%Y') IS NULL"),
        Expression(sql="CAST(c AS DATE) IS NULL"),
    ],
)
def test_a_cell_that_a_cast_does_not_take_is_not_shown(rule):
    with pytest.raises(ConstraintError, match="cannot be computed for every row") as one:
        constraint_of(rule, SCHEMA).violations(ROWS)
    with pytest.raises(ConstraintError, match="cannot be computed for every row") as several:
        masks_of([constraint_of(PLAIN, SCHEMA), constraint_of(rule, SCHEMA)], ROWS)
    for error in (one, several):
        assert "secret" not in str(error.value)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__
    assert ("no more than x" in str(one.value)) == (rule is CAST)


def test_the_same_where_a_column_is_computed():
    """From cells of a sample; with TRY_CAST there is nothing to refuse."""
    computed = Formula(column="x", sql="CAST(c AS INTEGER) + 1")
    fitted = tabsynth.fit(
        ROWS.with_columns(pl.lit(0).alias("x")),
        schema=SCHEMA.with_constraints(computed),
        engine="independent",
        privacy=tabsynth.NO_PRIVACY,
    )
    with pytest.raises(ConstraintError, match="what gives 'x' cannot be computed for every row") as error:
        fitted.sample(100, seed=1)
    assert "secret" not in str(error.value)
    tried = constraint_of(Expression(sql="TRY_CAST(c AS INTEGER) <= x"), SCHEMA)
    assert not tried.violations(ROWS).any()
