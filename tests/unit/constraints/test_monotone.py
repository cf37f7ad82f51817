"""A column in order within groups beside other rules on it: what shares a rule with it goes along from row to row."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.monotone import tied_columns
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import ConstraintError
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.schema.rules import (
    Combinations,
    Conditional,
    Expression,
    Formula,
    Inequality,
    Monotone,
    Sum,
    Unique,
)
from tests.unit.constraints.tables import levels, table, whole

COLUMNS = (
    levels("g", "p", "q"),
    whole("t", 0, 99),
    whole("x", 0, 60, nullable=True),
    whole("y", 0, 61, nullable=True),
    whole("z", 0, 200, nullable=True),
    levels("c", "low", "high"),
)
ORDER = Monotone(column="x", within=("g",))


def rows(n=300):
    rng = np.random.default_rng(0)
    x = [None if rng.random() < 0.1 else int(i) for i in rng.integers(0, 50, n)]
    return pl.DataFrame(
        {
            "g": rng.choice(["p", "q"], n),
            "t": rng.integers(0, 100, n),
            "x": pl.Series(x, dtype=pl.Int64),
            "y": pl.Series([None if i is None else min(i + 1, 61) for i in x], dtype=pl.Int64),
            "z": rng.integers(0, 120, n),
            "c": ["low" if i is None or i < 25 else "high" for i in x],
        }
    )


def model_of(*rules, privacy=NO_PRIVACY):
    return fit(rows(), schema=table(*COLUMNS, rules=rules), engine="independent", privacy=privacy)


def broken(frame, *rules):
    return [one.rule for one in constraints_of(table(*COLUMNS, rules=rules)) if one.violations(frame).any()]


BESIDE = [
    (Inequality(columns=("x", "y")),),
    (Inequality(columns=("x", "y", "z")),),
    (Formula(column="y", sql="x + 1"),),
    (Sum(column="z", parts=("x", "y")),),
    (Conditional(condition="x < 25", then="c = 'low'", otherwise="c = 'high' OR x IS NULL"),),
    (Formula(column="y", sql="x + 1"), Unique(columns=("y", "t", "z"))),
    (Expression(sql="x <> 7 OR g = 'p'"), Combinations(columns=("g", "c"), rows=(("p", "low"), ("q", "high")))),
]  # fmt: skip


@pytest.mark.parametrize("privacy", [NO_PRIVACY, Budget(epsilon=20.0)], ids=["without privacy", "private"])
@pytest.mark.parametrize("rules", BESIDE)
def test_an_ordered_column_keeps_its_other_rules(rules, privacy, monkeypatch):
    """Across blocks, and every tie between its columns stays: rows are those of the same fit without the order."""
    monkeypatch.setattr("tabsynth.pipeline.sampling.BLOCK_ROWS", 128)
    found, outcomes = model_of(ORDER, *rules, privacy=privacy).sample_reported(300, seed=1)
    assert broken(found, ORDER, *rules) == []
    assert outcomes[0].n_swapped > 100
    assert outcomes[0].n_redrawn == 0  # exchanged cells are not drawn anew
    if privacy is NO_PRIVACY:
        plain = model_of(*rules).sample(300, seed=1)
        tied = ["x", *(name for name in ("y", "z") if any(name in one.columns for one in _tying(rules)))]
        assert found.select(tied).sort(tied).equals(plain.select(tied).sort(tied))


def _tying(rules):
    return [one for one in constraints_of(table(*COLUMNS, rules=rules)) if "x" in one.columns]


def test_what_is_computed_from_numbers_that_moved_apart_is_computed_again():
    """Strictly rising x: equal numbers of 30 rows move apart by steps of one, and y follows."""
    rules = (replace(ORDER, strict=True), Formula(column="y", sql="x + 1"))
    found, outcomes = model_of(*rules).sample_reported(40, seed=1)
    assert broken(found, *rules) == []
    assert outcomes[0].n_redrawn > 0


@pytest.mark.parametrize(
    "rules",
    [
        (replace(ORDER, along="z"), Inequality(columns=("x", "z"))),
        (ORDER, Monotone(column="z", within=("g",)), Expression(sql="x <= z OR x IS NULL")),
    ],
)
def test_orders_of_both_columns_keep_them_in_order_by_themselves(rules):
    """The i-th smallest of the lower column is at most the i-th smallest of the upper one, in rows where both are there."""
    frame = rows().drop_nulls()
    columns = tuple(replace(one, nullable=False) for one in COLUMNS)
    schema = table(*columns, rules=rules)
    found = fit(frame, schema=schema, engine="independent", privacy=NO_PRIVACY).sample(200, seed=2)
    assert [one.rule for one in constraints_of(schema) if one.violations(found).any()] == []


def test_which_columns_go_along():
    def tied(*rules, fixed=()):
        constraints = constraints_of(table(*COLUMNS, rules=rules))
        return tied_columns(constraints[0], constraints, fixed=fixed)

    near, far = Inequality(columns=("x", "y")), Sum(column="z", parts=("y", "t"))
    assert tied(ORDER) == ()
    assert tied(ORDER, near) == ("y",)
    assert tied(ORDER, near, far) == ("t", "y", "z")
    assert tied(ORDER, far) == ()
    assert tied(ORDER, Expression(sql="x > 3 OR g = 'p'"), Expression(sql="g = 'p' OR c = 'low'")) == ()
    assert tied(replace(ORDER, along="y"), near) == ()
    assert tied(ORDER, near, Monotone(column="y", within=("g",))) == ()
    assert tied(ORDER, near, fixed=("y",)) == ()


def test_rules_that_an_order_breaks_all_the_same_are_named_with_it():
    """x is tied to t, along which it is put in order: it cannot go along with the order itself."""
    rules = (replace(ORDER, along="t"), Expression(sql="x IS NULL OR (x + t) % 2 = 0"))
    with pytest.raises(ConstraintError) as caught:
        model_of(*rules).sample(200, seed=1)
    said = str(caught.value)
    assert "(x + t) % 2 = 0 (acceptance " in said
    assert said.endswith("They were not met together with: x never falls along t within g")
