"""TSTR on targets whose answer is known, and every way in which a target cannot be scored."""

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.utility import Utility
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import category, eval_data, integer, number, rows_of, schema_of

QUICK = Utility(n_rounds=30)
SCHEMA = schema_of(
    number("x"),
    category("noise"),
    category("two", "pq", nullable=True),
    category("three"),
    integer("amount", nullable=True),
    Column(name="id", kind=Kind.IDENTIFIER, dtype="string"),
)


def make(rng, n, link=1.0):
    """Two classes, three classes and an amount that follow x as closely as `link` says."""
    x = rng.normal(size=n)
    hidden = link * x + np.sqrt(1 - link**2) * rng.normal(size=n)
    return {
        "x": x.tolist(),
        "noise": rng.choice(list("abc"), n).tolist(),
        "two": np.where(hidden > 0, "p", "q").tolist(),
        "three": np.array(list("abc"))[np.digitize(hidden, [-0.4, 0.4])].tolist(),
        "amount": np.rint(1000 * hidden).astype(int).tolist(),
        "id": [f"id{k}" for k in range(n)],
    }


def compute(synthetic, train, holdout, target, schema=SCHEMA, utility=QUICK, seed=0):
    data = eval_data(schema, synthetic, train, holdout, target)
    return rows_of(utility.compute(data, streams=Streams(seed)))


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    return make(rng, 1500), make(rng, 1200), make(rng, 1000)


@pytest.mark.parametrize(
    ("target", "metrics"),
    [("two", {"tstr_auc"}), ("three", {"tstr_auc", "tstr_f1"}), ("amount", {"tstr_r2"})],
)
def test_a_target_that_follows_from_a_column_is_learnt(tables, target, metrics):
    rows = compute(*tables, target)
    assert {key[0] for key in rows} == metrics
    for row in rows.values():
        assert row.status is Status.OK
        assert row.value > 0.95
        assert row.floor > 0.95
        assert row.interval[0] <= row.value <= row.interval[1]
        # as many synthetic rows as train has
        assert row.reason == "learnt from 1,200 rows of each table"


def test_a_synthetic_table_without_the_link_is_worth_nothing(tables):
    synthetic, train, holdout = tables
    rng = np.random.default_rng(1)
    shuffled = {name: rng.permutation(synthetic[name]).tolist() for name in ("two", "amount")}
    auc = compute(synthetic | {"two": shuffled["two"]}, train, holdout, "two")[("tstr_auc",)]
    assert auc.floor > 0.95
    # a rule learnt from noise may point either way, yet stays far from the floor
    assert auc.value < 0.8
    r2 = compute(synthetic | {"amount": shuffled["amount"]}, train, holdout, "amount")[("tstr_r2",)]
    assert r2.value < 0.1


def test_the_same_seed_gives_the_same_figures(tables):
    assert compute(*tables, "three", seed=3) == compute(*tables, "three", seed=3)


def test_rows_without_a_target_are_left_out(tables):
    synthetic, train, holdout = tables
    gaps = train | {
        "two": [None, *train["two"][1:-1], "z"],
        "amount": [None, *train["amount"][1:]],
    }
    assert compute(synthetic, gaps, holdout, "two")[("tstr_auc",)].reason.startswith("learnt from 1,198 rows")
    assert compute(synthetic, gaps, holdout, "amount")[("tstr_r2",)].reason.startswith(
        "learnt from 1,199 rows"
    )


def only(row_set):
    ((_, row),) = row_set.items()
    return row.metric, row.status, row.reason


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (None, "no target was named"),
        ("id", "the target is of kind identifier, which is not modelled"),
    ],
)
def test_targets_that_cannot_be_meant(tables, target, reason):
    assert only(compute(*tables, target)) == ("tstr_auc", Status.NOT_APPLICABLE, reason)


def test_no_column_to_learn_from():
    cells = {"two": ["p", "q"] * 20}
    rows = compute(cells, cells, cells, "two", schema=schema_of(category("two", "pq")))
    assert only(rows)[2] == "there is no column to predict the target from"


def test_a_target_of_one_class_or_of_too_many(tables):
    synthetic, train, holdout = tables
    rows = compute(synthetic, train | {"two": ["p"] * 1200}, holdout, "two")
    assert only(rows)[2] == "the target has 1 classes in train; from 2 to 50 can be scored"
    rows = compute(synthetic, train, holdout | {"two": ["p"] * 1000}, "two")
    assert only(rows)[2] == "the target has one class in holdout"
    levels = [chr(200 + k) for k in range(60)]
    many = {"x": [0.0] * 120, "t": levels * 2}
    rows = compute(many, many, many, "t", schema=schema_of(number("x"), category("t", "".join(levels))))
    assert only(rows)[2] == "the target has 60 classes in train; from 2 to 50 can be scored"


def test_a_target_that_does_not_vary_in_the_synthetic_table_fails_beside_its_floor(tables):
    synthetic, train, holdout = tables
    for target, constant, metric in (
        ("two", "p", "tstr_auc"),
        ("three", "a", "tstr_f1"),
        ("amount", 4, "tstr_r2"),
    ):
        rows = compute(synthetic | {target: [constant] * 1500}, train, holdout, target)
        row = rows[(metric,)]
        assert (row.status, row.value) == (Status.FAILED, None)
        assert row.floor > 0.95
        assert row.reason == "the target does not vary in the synthetic table"


def test_a_class_that_synthetic_lacks_costs_but_does_not_fail(tables):
    synthetic, train, holdout = tables
    merged = synthetic | {"three": ["a" if cell == "c" else cell for cell in synthetic["three"]]}
    row = compute(merged, train, holdout, "three")[("tstr_f1",)]
    assert row.status is Status.OK
    assert row.value < 0.7 < row.floor


def test_a_number_that_does_not_vary_cannot_be_scored(tables):
    synthetic, train, holdout = tables
    rows = compute(synthetic, train, holdout | {"amount": [3] * 1000}, "amount")
    assert only(rows) == (
        "tstr_r2",
        Status.NOT_APPLICABLE,
        "the target does not vary, or beyond all scale, in train or in the holdout",
    )


@pytest.mark.parametrize(("side", "name"), [(0, "synthetic"), (1, "train"), (2, "holdout")])
@pytest.mark.parametrize(("target", "metric"), [("two", "tstr_auc"), ("amount", "tstr_r2")])
def test_too_few_rows_with_a_usable_target(tables, side, name, target, metric):
    few = [dict(cells) for cells in tables]
    kept = 9
    few[side][target] = few[side][target][:kept] + [None] * (len(few[side]["x"]) - kept)
    found = only(compute(*few, target))
    assert found == (metric, Status.NOT_APPLICABLE, f"needs 10 rows with a usable target, {name} has 9")
