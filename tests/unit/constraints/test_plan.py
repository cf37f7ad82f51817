"""How rules are met, and what cannot be met or may not be followed, decided before any row is read."""

from dataclasses import replace

import pytest

from tabsynth.constraints import plan as plans
from tabsynth.constraints.plan import plan_rules
from tabsynth.errors import ConstraintError, PrivacyError
from tabsynth.schema.rules import (
    Combinations,
    Conditional,
    Dependency,
    Exactly,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    Range,
    Sum,
    Unique,
)
from tabsynth.schema.types import Domain, Kind
from tabsynth.table import Table
from tests.unit.constraints.tables import STAYS, column, flag, levels, stays, table, whole


def test_what_can_be_is_met_by_construction():
    plan = plan_rules(STAYS, is_private=True)
    assert plan.forms == (
        plans.COMBINED,
        plans.REPAIRED,
        plans.COMBINED,
        plans.COMPUTED,
        plans.COMPUTED,
        plans.COMBINED,
        plans.REPAIRED,
        plans.REPAIRED,
        plans.NARROWED,
        plans.REPAIRED,
        plans.COMBINED,
    )
    names = plan.working.column_names
    assert "cost" not in names
    assert "paid" not in names
    assert plan.working["town × region × land"].categories == (0, 1, 2, 3)
    # (True, True) and more are gone: three places for the one that is true, and none for "one" with "two"
    assert plan.working["one × two × three"].categories == (0, 1, 2)
    assert plan.working["price"].bounds == (2, 20)


def test_rows_that_keep_the_rules_come_back_as_they_were():
    plan = plan_rules(STAYS, is_private=False)
    learnt = plan.apply(Table(STAYS, stays()))
    assert learnt.frame.columns == list(plan.working.column_names)
    back = plan.invert(learnt.frame).select(STAYS.column_names)
    assert back.equals(stays())


def test_where_a_column_comes_from():
    plan = plan_rules(STAYS, is_private=False)
    assert plan.sources(["region"]) == ("town × region × land",)
    assert plan.sources(["paid"]) == ("number", "price", "tip")
    assert plan.sources(["came", "tip"]) == ("came", "tip")


def test_drafts_are_not_reparametrised_in_a_private_fit():
    """Their levels and bounds are bought, and nobody knows them before."""
    drafts = replace(STAYS, columns=tuple(replace(one, domain=Domain()) for one in STAYS.columns))
    forms = plan_rules(drafts, is_private=True).forms
    assert set(forms) == {plans.REPAIRED, plans.RECOMPUTED}
    assert plans.COMBINED in plan_rules(drafts, is_private=False).forms


def test_identifiers_are_counted_where_they_must_not_repeat():
    schema = replace(STAYS, constraints=(Unique(columns=("id",)),))
    plan = plan_rules(schema, is_private=False)
    assert plan.forms == (plans.NUMBERED,)
    assert plan.schema["id"].unique


@pytest.mark.parametrize(
    ("rule", "bounds"),
    [
        (Range(column="n", lower=3), (3, 9)),
        (Range(column="n", lower=3, upper=5, strict=True), (4, 4)),
        (Range(column="x", upper=0.3, strict=True), (0.0, 0.2)),
        (Range(column="x", lower=0.25, strict=True), (0.3, 1.0)),
    ],
)
def test_ranges_narrow_bounds(rule, bounds):
    schema = table(whole("n", 0, 9), column("x", Kind.NUMBER, bounds=(0.0, 1.0), decimals=1), rules=(rule,))
    assert plan_rules(schema, is_private=True).working[rule.column].bounds == bounds


def test_mapped_rules_and_conditions_on_the_same_columns_are_one_variable():
    schema = table(
        levels("a", "p", "q", "r"),
        levels("b", "s", "t"),
        flag("c"),
        rules=(
            Expression(sql="a <> 'r' OR c"),
            Combinations(columns=("a", "b"), rows=(("p", "s"), ("q", "t"), ("r", "t"))),
        ),
    )
    plan = plan_rules(schema, is_private=True)
    assert plan.forms == (plans.COMBINED, plans.COMBINED)
    assert sorted(plan.steps[0].rows) == [
        ("p", "s", False), ("p", "s", True), ("q", "t", False), ("q", "t", True), ("r", "t", True)
    ]  # fmt: skip


A, B, C = whole("a", 0, 9), whole("b", 0, 9), whole("c", 0, 9)
UP = Inequality(columns=("a", "b"))
CONTRADICTIONS = [
    ((UP, Range(column="a", lower=7), Range(column="b", upper=5), Range(column="c", lower=1)), "a ≤ b; 7 ≤ a; b ≤ 5"),
    ((Inequality(columns=("a", "b"), strict=True), Inequality(columns=("b", "c")), Inequality(columns=("c", "a"))), "a < b; b ≤ c; c ≤ a"),
    ((Range(column="a", lower=10),), "10 ≤ a"),
    ((Range(column="a", lower=5, strict=True), Range(column="a", upper=5)), "5 < a; a ≤ 5"),
    ((Inequality(columns=("a", "b"), strict=True), Range(column="a", lower=9)), "a < b; 9 ≤ a"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "named"), CONTRADICTIONS)
def test_a_smallest_set_of_contradicting_rules_is_named(rules, named):
    with pytest.raises(ConstraintError) as caught:
        plan_rules(table(A, B, C, rules=rules), is_private=False)
    assert str(caught.value).endswith(named)


def test_rules_of_levels_that_leave_nothing_are_named():
    rules = (
        Expression(sql="a = 'p' OR b = 's'"),
        Conditional(condition="c", then="a = 'p'", otherwise="a = 'q'"),
        Expression(sql="NOT c"),
        Expression(sql="b = 't'"),
    )
    schema = table(levels("a", "p", "q"), levels("b", "s", "t"), flag("c"), rules=rules)
    with pytest.raises(ConstraintError) as caught:
        plan_rules(schema, is_private=True)
    for rule in rules:  # all four are needed: without any of them some row is left
        assert (rule.sql if isinstance(rule, Expression) else "if c") in str(caught.value)


def test_nullable_columns_and_equal_ends_contradict_nothing():
    loose = replace(A, nullable=True)
    plan_rules(table(loose, B, rules=(Range(column="a", lower=10), UP)), is_private=False)
    plan_rules(table(A, B, rules=(Range(column="a", lower=9), UP)), is_private=False)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Dependency(columns=("town",), determines=("region",)), "name a CSV of them as `file`"),
        (
            Hierarchy(columns=("town", "region")),
            "mappings whose rows would be read off the data: town → region",
        ),
        (
            Inequality(columns=("came", "left"), draft=True),
            "remove `draft` from those that are public knowledge",
        ),
    ],
)
def test_a_private_fit_reads_no_mapping_and_follows_no_draft(rule, words):
    schema = replace(STAYS, constraints=(rule,))
    with pytest.raises(PrivacyError, match="nothing was read") as caught:
        plan_rules(schema, is_private=True)
    assert words in str(caught.value)
    plan_rules(schema, is_private=False)


def test_long_lists_are_made_of_levels_only_where_noise_does_not_drown_them():
    names = [levels(name, *map(str, range(20))) for name in "ab"]
    schema = table(*names, rules=(Expression(sql="a <= b"),))
    assert plan_rules(schema, is_private=False).forms == (plans.COMBINED,)
    assert plan_rules(schema, is_private=True).forms == (plans.REPAIRED,)  # 400 rows of levels


def test_a_wide_one_hot_code_is_as_many_levels_as_columns():
    names = [f"f{i}" for i in range(40)]
    schema = table(*map(flag, names), rules=(Exactly(columns=tuple(names)),))
    plan = plan_rules(schema, is_private=True)
    assert len(plan.working.columns) == 1
    assert len(plan.working.columns[0].categories) == 40


def test_columns_that_compute_one_another_are_computed_in_turn():
    schema = table(
        *(whole(name, 0, 999) for name in "abcd"),
        rules=(
            Sum(column="d", parts=("c", "a")),
            Formula(column="c", sql="a * b"),
            Formula(column="a", sql="d - 1"),  # would close a circle
        ),
    )
    plan = plan_rules(schema, is_private=True)
    assert plan.forms == (plans.COMPUTED, plans.COMPUTED, plans.REPAIRED)
    assert plan.working.column_names == ("a", "b")


def test_what_a_fit_buys_comes_back_in_the_columns_of_the_schema():
    """Stated domains stay, narrowed bounds too; a key of combined columns stays declared."""
    drafts = tuple(replace(one, domain=Domain()) if one.name == "tip" else one for one in STAYS.columns)
    schema = replace(STAYS, columns=drafts, primary_key=("town", "id"), description="stays")
    plan = plan_rules(schema, is_private=True)
    learnt = plan.working.with_column(replace(plan.working["tip"], bounds=(3, 30)))
    bought = plan.bought(replace(learnt, description=None))
    assert bought["tip"].bounds == (3, 30)
    assert bought["price"].bounds == (1, 20)
    assert bought.primary_key == ("town", "id")
    assert bought.description is None
    assert bought.column_names == STAYS.column_names
