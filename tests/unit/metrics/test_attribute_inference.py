"""Attribute inference where the answer is known: a rule, noise, and a table learnt by heart."""

from dataclasses import replace

import numpy as np
import pytest

from tabsynth.metrics.attribute_inference import (
    AttributeInference,
    Labels,
    gap_interval,
    gap_p_value,
)
from tabsynth.metrics.base import Status
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, number, number_column, rows_of, schema_of

SCHEMA = schema_of(number("x"), number("y"), category("s", "abc"))


def make(rng, n):
    """y follows from x; s is a coin that nothing tells."""
    x = rng.normal(size=n)
    return {"x": x.tolist(), "y": (2 * x).tolist(), "s": rng.choice(["a", "b"], n).tolist()}


def compute(synthetic, train, holdout, sensitive=("s",), target=None, schema=SCHEMA):
    data = replace(eval_data(schema, synthetic, train, holdout, target), sensitive=sensitive)
    return rows_of(AttributeInference(n_rounds=40).compute(data, streams=Streams(0)))


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(5)
    return make(rng, 600), make(rng, 600), make(rng, 1200)


def test_a_copy_of_train_is_caught_and_fresh_rows_are_not(tables):
    fresh, train, holdout = tables
    copied = compute(train, train, holdout)["attribute_gap", "s"]
    assert copied.value > 0.1
    assert copied.interval[0] > 0
    assert float(copied.reason.rsplit("p = ", 1)[1]) < 0.01
    honest = compute(fresh, train, holdout)["attribute_gap", "s"]
    # both accuracies are those of a coin: the difference has a standard error of 0.029, so this fails once
    # in 20,000 seeds, and the seed is fixed
    assert abs(honest.value) < 0.12
    assert abs(honest.floor) < 0.12


def test_a_rule_of_the_population_is_inferred_without_a_gap(tables):
    rows = compute(*tables, sensitive=("y", "s"))
    accuracy, gap = rows["attribute_accuracy", "y"], rows["attribute_gap", "y"]
    assert accuracy.value > 0.95
    assert accuracy.floor > 0.95
    assert abs(gap.value) < 0.03
    # the column with the largest gap speaks for the table
    worst = max(("y", "s"), key=lambda name: rows["attribute_gap", name].value)
    assert rows["attribute_gap",].value == rows["attribute_gap", worst].value
    assert rows["attribute_accuracy",].value == rows["attribute_accuracy", worst].value
    assert rows["attribute_gap",].reason.startswith(f"{worst}: 600 train rows against 600 others")
    assert rows["attribute_gap",].reason.endswith("; the largest of 2 gaps, so p counts 2 times")
    assert "p counts" not in gap.reason


def test_the_target_stands_in(tables):
    assert ("attribute_gap", "y") in compute(*tables, sensitive=(), target="y")
    rows = compute(*tables, sensitive=())
    assert all(row.status is Status.NOT_APPLICABLE for row in rows.values())
    assert "neither a sensitive column nor a target" in rows["attribute_gap",].reason


def test_a_synthetic_table_with_one_class_guesses_that(tables):
    synthetic, train, holdout = tables
    rows = compute(synthetic | {"s": ["a"] * 600}, train, holdout)
    assert rows["attribute_accuracy", "s"].value == train["s"].count("a") / 600


def test_what_cannot_be_attacked_is_said(tables):
    synthetic, train, holdout = tables
    few = {name: found[:30] for name, found in holdout.items()}
    assert "found 15" in compute(synthetic, train, few)["attribute_gap",].reason
    constant = [side | {"s": ["a"] * len(side["x"])} for side in tables]
    row = compute(*constant)["attribute_gap",]
    assert "1 classes" in row.reason
    assert row.status is Status.NOT_APPLICABLE
    alone = schema_of(category("s"))
    sides = [{"s": ["a", "b"] * 50}] * 3
    assert "no other column" in compute(*sides, schema=alone)["attribute_gap",].reason


def test_at_most_five_columns_are_attacked():
    schema = schema_of(number("x"), *(category(f"s{k}", "ab") for k in range(6)))
    rng = np.random.default_rng(0)
    sides = [
        {"x": rng.normal(size=60).tolist()} | {f"s{k}": rng.choice(["a", "b"], 60).tolist() for k in range(6)}
        for _ in range(3)
    ]
    rows = compute(*sides, sensitive=tuple(f"s{k}" for k in range(6)), schema=schema)
    assert ("attribute_gap", "s4") in rows
    assert ("attribute_gap", "s5") not in rows
    assert rows["attribute_gap",].reason.endswith("; the first 5 of 6 are attacked")


def test_numbers_are_cut_at_the_quartiles_of_train():
    column = number_column(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.0]), [0, 0, 0, 0, 0, 1])
    labels = Labels.of(column).labels(column)
    # quartiles 2, 3, 4, closed on the left; the null is a class of its own
    assert labels.tolist() == [3, 4, 5, 6, 6, 1]


def test_interval_and_p_value_of_two_rates():
    # Newcombe 1998, table II, example (a), method 10: 56/70 against 48/80 is 0.0524 to 0.3339
    assert gap_interval(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    # pooled rate 104/150, z = 2.6551
    z = 0.2 / np.sqrt(104 / 150 * 46 / 150 * (1 / 70 + 1 / 80))
    from scipy.stats import norm

    assert gap_p_value(56 / 70, 70, 48 / 80, 80) == pytest.approx(2 * norm.sf(z))
    assert gap_p_value(1.0, 5, 1.0, 9) == 1.0
