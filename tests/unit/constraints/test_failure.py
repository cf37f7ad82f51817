"""Errors about rules that are not met: they name what excludes one another and nothing else, or do not say that anything does."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.conflict import Claim, claim_of, every_row, judged
from tabsynth.constraints.failure import Beside, failure
from tabsynth.constraints.rules import constraint_of
from tabsynth.errors import ConditionError, ConstraintError
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema.rules import (
    Combinations,
    Conditional,
    Expression,
    Formula,
    Inequality,
    Monotone,
    Range,
)
from tabsynth.schema.types import Kind
from tests.unit.constraints.tables import column, levels, table, whole

COLUMNS = (
    whole("x", 0, 49),
    whole("y", 0, 49),
    levels("status", "alive", "dead"),
    whole("dd", 0, 8, nullable=True),
    column("u", Kind.NUMBER, bounds=(0.0, 1.0)),
    column("v", Kind.NUMBER, bounds=(0.0, 1.0)),
    levels("ward", "eye", "ear"),
)
DEATH = Conditional(condition="status = 'alive'", then="dd IS NULL", otherwise="dd IS NOT NULL")
FEWER = "In the domains of their columns no row meets all of these, whereas some meet any fewer of them: "


def rows(n=400):
    rng = np.random.default_rng(0)
    alive = rng.random(n) < 0.7
    died = rng.integers(0, 9, n)
    return pl.DataFrame(
        {
            "x": rng.integers(0, 50, n),
            "y": rng.integers(0, 50, n),
            "status": np.where(alive, "alive", "dead"),
            "dd": pl.Series(
                [None if a else int(d) for a, d in zip(alive, died, strict=True)], dtype=pl.Int64
            ),
            "u": rng.random(n),
            "v": rng.random(n),
            "ward": rng.choice(["eye", "ear"], n),
        }
    )


def model_of(*rules, frame=None):
    frame = rows() if frame is None else frame
    return fit(frame, schema=table(*COLUMNS, rules=rules), engine="independent", privacy=NO_PRIVACY)


def said_by(*rules, where=None, monkeypatch, frame=None):
    monkeypatch.setattr("tabsynth.constraints.enforce.MOST_TRIES", 3)
    model = model_of(*rules, frame=frame)
    with pytest.raises(ConstraintError) as caught:
        model.sample(60, seed=1, where=where)
    return str(caught.value)


@pytest.mark.parametrize(
    ("rules", "where", "named"),
    [
        (
            (DEATH, Expression(sql="status = 'alive'"), Expression(sql="dd IS NOT NULL"), Range(column="x", lower=1)),
            None,
            ["status = 'alive'", "if status = 'alive' then dd IS NULL else dd IS NOT NULL", "dd IS NOT NULL"],
        ),
        ((Formula(column="x", sql="y"), Expression(sql="x < y")), None, ["x = y", "x < y"]),
        (
            (Range(column="x", lower=40), Expression(sql="x + y < 45"), Range(column="y", lower=10)),
            None,
            ["40 ≤ x", "10 ≤ y", "x + y < 45"],
        ),
        (
            (Formula(column="x", sql="y * 2"), Range(column="x", lower=40), Range(column="y", upper=15)),
            None,
            ["x = y * 2", "y ≤ 15", "40 ≤ x"],
        ),
        ((Inequality(columns=("x", "y")),), {"x": {">": 30}, "y": {"<": 20}}, ["the condition on 'x'", "the condition on 'y'", "x ≤ y"]),
        ((Formula(column="x", sql="y * 2"),), {"x": 7, "ward": "eye"}, ["x = y * 2", "the condition on 'x'"]),
    ],
)  # fmt: skip
def test_the_smallest_set_is_named_with_what_is_met_by_construction_and_asked(
    rules, where, named, monkeypatch
):
    said = said_by(*rules, where=where, monkeypatch=monkeypatch)
    assert f"0 did. {FEWER}" in said
    assert sorted(said.partition(FEWER)[2].split("; ")) == sorted(named)


def test_each_of_the_examples_sets_without_one_rule_is_met():
    """What the errors above leave out is left out rightly: any two of three rules have rows."""
    for rules in [
        (DEATH, Expression(sql="dd IS NOT NULL")),
        (Expression(sql="x + y < 45"), Range(column="x", lower=40)),
        (Formula(column="x", sql="y * 2"), Range(column="x", lower=40)),
    ]:
        assert model_of(*rules).sample(50, seed=1).height == 50


def test_a_rule_that_no_row_at_all_meets_is_said_to_be_so(monkeypatch):
    said = said_by(Expression(sql="x > 49"), Range(column="y", lower=3), monkeypatch=monkeypatch)
    assert said.endswith("0 did. No row in the domains of its columns meets 'x > 49'")


def test_where_rows_cannot_be_listed_nothing_is_said_to_exclude_anything(monkeypatch):
    said = said_by(Range(column="u", lower=0.6), Expression(sql="u + v < 0.5"), monkeypatch=monkeypatch)
    assert "None of them meets u + v < 0.5 together with what all of them keep: 0.6 ≤ u. Whether some" in said
    assert said.endswith("is not decided")


def test_rows_that_the_model_alone_lacks_are_no_conflict(monkeypatch):
    """x is 5 in every row that was learnt; with y from 3 on some row has x = 9 all the same."""
    frame = rows().with_columns(x=pl.lit(5, dtype=pl.Int64))
    rules = (Expression(sql="x + y = 1"), Range(column="y", upper=3))
    said = said_by(*rules, monkeypatch=monkeypatch, frame=frame)
    assert (
        "None of them meets x + y = 1 together with what all of them keep: y ≤ 3. These do not exclude"
        in said
    )
    said = said_by(Expression(sql="x = 9"), monkeypatch=monkeypatch, frame=frame)
    assert said.endswith("The model never meets 'x = 9': acceptance 0 % in the domains of its columns")
    said = said_by(Expression(sql="x = 9"), where={"ward": "eye"}, monkeypatch=monkeypatch, frame=frame)
    assert "meets x = 9 together with what all of them keep: the condition on 'ward'. These do not" in said


def test_given_cells_are_named_beside_the_rule_that_they_keep_from_being_met(monkeypatch):
    monkeypatch.setattr("tabsynth.constraints.enforce.MOST_TRIES", 3)
    model = model_of(Expression(sql="x + y > 60"))
    with pytest.raises(ConstraintError, match=r"meets x \+ y > 60 together with .*: the given cells of x\."):
        model.complete(pl.DataFrame({"x": [40, 3, 45]}), seed=1)


def test_conditions_that_fail_more_often_than_any_rule_are_said_to():
    """Of four rows drawn one breaks the rule, and three miss what is asked of each row by itself."""
    rule = constraint_of(Expression(sql="x > 3"), table(*COLUMNS))
    broken = np.array([[1, 0, 0, 0], [0, 1, 1, 1]], dtype=np.bool_)[:, [0, 1, 2, 3, 3]]
    broken[:, 4] = False
    beside = Beside(schema=table(*COLUMNS), own="the conditions on y")
    said = failure([rule], broken, beside, n_left=2, n_drawn=5)
    assert said.endswith("of 5 drawn anew, 1 did. What fails most is the conditions on y: acceptance 40 %")
    assert failure([rule], broken[::-1], beside, n_left=2, n_drawn=5).endswith("is 'x > 3': acceptance 40 %")


def test_conditions_on_one_variable_of_several_columns_name_the_rules():
    pairs = Combinations(
        columns=("status", "ward"), rows=(("alive", "eye"), ("dead", "ear"), ("dead", "eye"))
    )
    model = model_of(pairs, Range(column="x", lower=3))
    with pytest.raises(ConditionError) as caught:
        model.sample(5, where={"status": ["alive"], "ward": {"!=": "eye"}})
    assert "combinations of status, ward" in str(caught.value)


def test_rows_that_rules_of_all_rows_break_are_counted_with_both_names():
    """Two orders of one column in crossed groups: 60 rows have a rise and a fall, and cannot keep both."""
    rules = (Monotone(column="x", within=("ward",)), Monotone(column="x", within=("status",)))
    with pytest.raises(ConstraintError) as caught:
        model_of(*rules).sample(60, seed=1)
    said = str(caught.value)
    assert "x never falls within ward (acceptance " in said
    assert said.endswith("They were not met together with: x never falls within status")


def test_every_row_is_listed_once():
    schema = table(
        whole("n", 1, 3, nullable=True, special_values=(-9,)),
        column("day", Kind.DATE, bounds=(dt.date(2024, 2, 28), dt.date(2024, 3, 1))),
        column("share", Kind.NUMBER, bounds=(0.1, 0.3), decimals=1),
        column("line", Kind.NUMBER, bounds=(0.0, 1.0)),
        column("id", Kind.IDENTIFIER, dtype="int64"),
        whole("far", 0, 10**9),
        levels("c", "p"),
    )
    found = every_row(("n", "day", "share", "c"), schema)
    assert found is not None
    assert found.is_unique().all()
    assert found["n"].unique().sort().to_list() == [None, -9, 1, 2, 3]
    assert found["day"].n_unique() == 3
    assert found["share"].unique().sort().to_list() == [0.1, 0.2, 0.3]
    assert found.height == 5 * 3 * 3
    for name in ("line", "id", "far"):
        assert every_row(("c", name), schema) is None
    assert every_row(("n", "m", "o", "p"), table(*(whole(name, 0, 99) for name in "nmop"))) is None


def test_a_conflict_of_few_columns_is_found_beside_columns_that_cannot_be_listed():
    schema = table(*COLUMNS)
    rules = [Expression(sql="x < 3"), Range(column="x", lower=5), Expression(sql="x + u > 4")]
    core, *kept = [claim_of(constraint_of(rule, schema)) for rule in rules]
    assert judged([core], kept, schema) == ("5 ≤ x", "x < 3")
    assert judged([kept[1]], [core], schema) is None
    apart = Claim("apart", ("y",), lambda frame: np.ones(frame.height, dtype=np.bool_))
    assert judged([core], [apart], schema) == ()
