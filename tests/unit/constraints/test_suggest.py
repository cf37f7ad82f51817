"""Which rules are proposed of a table that keeps some, and which are not."""

from dataclasses import replace

import numpy as np
import polars as pl

from tabsynth.constraints.suggest import suggest_rules, with_suggestions
from tabsynth.schema.rules import Dependency, Exactly, Hierarchy, Inequality, title_of
from tabsynth.schema.types import Kind
from tabsynth.table import Table
from tests.unit.constraints.tables import STAYS, column, flag, levels, stays, table, whole


def test_the_rules_of_a_table_are_found_and_nothing_that_is_so_by_chance_alone():
    free = replace(STAYS, constraints=())
    found = {title_of(one.rule): one for one in suggest_rules(Table(free, stays(1500)))}
    for name in (
        "came ≤ left",
        "town → region",
        'if "alive" = TRUE then "cause" IS NULL else "cause" IS NOT NULL',
        'cost = "price" * "number"',
        "paid = cost + tip",
        "null together: pulse, pressure",
        "unique id",
    ):
        assert found[name].exceptions == 0
        assert found[name].rule.draft
    assert "price ≤ number" not in found
    assert not any(title.startswith("tip ≤") for title in found)


def test_exceptions_are_counted_and_too_many_are_no_rule():
    schema = table(whole("a", 0, 99), whole("b", 0, 99))
    rng = np.random.default_rng(0)
    low, high = np.sort(rng.integers(0, 100, (2, 1000)), axis=0)
    for n_wrong, is_rule in ((0, True), (8, True), (30, False)):
        a, b = low.copy(), high.copy()
        a[:n_wrong], b[:n_wrong] = 90, 10
        found = suggest_rules(Table(schema, pl.DataFrame({"a": a, "b": b})))
        orders = [one for one in found if isinstance(one.rule, Inequality)]
        assert [one.exceptions for one in orders] == ([n_wrong] if is_rule else [])


def test_chains_are_hierarchies_and_codes_are_codes():
    rng = np.random.default_rng(0)
    town = rng.integers(0, 8, 600)
    one = rng.integers(0, 3, 600)
    frame = pl.DataFrame(
        {
            "town": [f"t{i}" for i in town],
            "region": [f"r{i // 2}" for i in town],
            "land": [f"l{i // 4}" for i in town],
            **{f"f{i}": one == i for i in range(3)},
            "zeros": np.where(one == 0, 0, rng.integers(1, 9, 600)),
            "others": np.where(one == 0, 0, rng.integers(1, 9, 600)),
        }
    )
    schema = table(
        *(levels(name, *sorted(set(frame[name]))) for name in ("town", "region", "land")),
        *(flag(f"f{i}") for i in range(3)),
        whole("zeros", 0, 9),
        whole("others", 0, 9),
    )
    rules = [one.rule for one in suggest_rules(Table(schema, frame))]
    assert ("town", "region", "land") in [rule.columns for rule in rules if isinstance(rule, Hierarchy)]
    assert not any(isinstance(rule, Dependency) and rule.columns == ("town",) for rule in rules)
    assert ("f0", "f1", "f2") in [rule.columns for rule in rules if isinstance(rule, Exactly)]
    assert 'if "zeros" = 0 then "others" = 0 else "others" <> 0' in map(title_of, rules)


def test_what_a_schema_holds_already_is_not_added():
    found = suggest_rules(Table(STAYS, stays(1500)))
    more = with_suggestions(STAYS, found)
    assert len(more.constraints) < len(STAYS.constraints) + len(found)
    assert (
        sum(rule.kind == "inequality" and rule.columns == ("came", "left") for rule in more.constraints) == 1
    )


def test_few_rows_and_constants_suggest_nothing():
    schema = table(whole("a", 0, 9), column("x", Kind.NUMBER, bounds=(0.0, 1.0)), levels("c", "p", "q"))
    few = pl.DataFrame({"a": [1, 2, 3], "x": [0.1, 0.2, 0.3], "c": ["p", "p", "q"]})
    assert suggest_rules(Table(schema, few)) == ()
    same = pl.DataFrame({"a": [1] * 300, "x": [0.5] * 300, "c": ["p"] * 300})
    assert suggest_rules(Table(schema, same)) == ()
