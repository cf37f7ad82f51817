"""The two-sample test on tables whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import auc
from sklearn.metrics import roc_curve as sklearn_roc

from tabsynth.metrics.base import Status
from tabsynth.metrics.detection import TwoSampleTest, roc_curve
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, integer, number, schema_of

SCHEMA = schema_of(number("x"), category("c"), integer("k"))
QUICK = TwoSampleTest(n_rounds=30)


def make(rng, n, shift=0.0):
    return {
        "x": rng.normal(shift, 1, n).tolist(),
        "c": rng.choice(list("abc"), n).tolist(),
        "k": rng.integers(0, 50, n).tolist(),
    }


def compute(synthetic, train, holdout, schema=SCHEMA, test=QUICK, seed=0):
    (row,) = test.compute(eval_data(schema, synthetic, train, holdout), streams=Streams(seed))
    return row


def test_tables_of_one_distribution_cannot_be_told_apart():
    rng = np.random.default_rng(0)
    row = compute(make(rng, 2000), make(rng, 2000), make(rng, 2000))
    # the area of 2,000 against 2,000 rows has a standard error of .009: five of them
    assert row.value == pytest.approx(0.5, abs=0.045)
    assert row.floor == pytest.approx(0.5, abs=0.045)
    assert row.interval[0] < row.value < row.interval[1]
    assert row.reason == "2,000 rows of each table"


def test_a_shift_is_found_with_its_column_and_its_size():
    rng = np.random.default_rng(1)
    row = compute(make(rng, 3000, shift=1.5), make(rng, 3000), make(rng, 3000))
    # the best possible area is Φ(1.5 / √2) = .856; a learner stays below it, and errs by .005 here
    assert 0.80 < row.value < 0.88
    assert row.details[0].label == "x"
    assert row.details[0].value > 0.6
    assert row.details[0].floor < row.details[0].value
    assert [curve.name for curve in row.roc] == ["synthetic against holdout", "train against holdout"]
    assert row.roc[0].auc == row.value
    area = auc(row.roc[0].false_positive_rate, row.roc[0].true_positive_rate)
    assert area == pytest.approx(row.value, abs=0.002)


def test_the_same_seed_gives_the_same_figure():
    rng = np.random.default_rng(2)
    tables = [make(rng, 300) for _ in range(3)]
    assert compute(*tables, seed=4) == compute(*tables, seed=4)
    assert compute(*tables, seed=4).value != compute(*tables, seed=5).value


def test_both_trials_read_as_many_rows_as_the_smallest_table_and_the_cap_allow():
    rng = np.random.default_rng(3)
    tables = [make(rng, n) for n in (400, 90, 300)]
    assert compute(*tables).reason == "90 rows of each table"
    assert compute(*tables, test=TwoSampleTest(n_rounds=5, max_rows=50)).reason == "50 rows of each table"


def test_too_few_rows_or_columns():
    rng = np.random.default_rng(4)
    row = compute(make(rng, 100), make(rng, 100), make(rng, 9))
    assert (row.status, row.reason) == (
        Status.NOT_APPLICABLE,
        "needs 10 rows of each table, the smallest has 9",
    )
    from tabsynth.schema.types import Column, Kind

    text = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    assert compute(*[{"t": ["v"] * 20}] * 3, schema=text).reason == "no column to learn from"


def test_constant_tables_are_not_told_apart():
    schema = schema_of(integer("x"), number("y", nullable=True))
    row = compute(*[{"x": [1] * 30, "y": [None] * 30}] * 3, schema=schema)
    assert (row.value, row.floor) == (0.5, 0.5)


def test_roc_points_are_scikit_learns():
    rng = np.random.default_rng(5)
    positive, negative = rng.integers(0, 9, 40) / 9, rng.integers(0, 7, 60) / 9
    curve = roc_curve(positive, negative, name="n", auc=0.5)
    labels = np.r_[np.ones(40), np.zeros(60)]
    false, true, _ = sklearn_roc(labels, np.r_[positive, negative], drop_intermediate=False)
    assert curve.false_positive_rate == pytest.approx(false.tolist())
    assert curve.true_positive_rate == pytest.approx(true.tolist())


def test_long_roc_curves_are_thinned_and_keep_their_ends():
    rng = np.random.default_rng(6)
    curve = roc_curve(rng.normal(1, 1, 5000), rng.normal(size=5000), name="n", auc=0.76)
    false, true = np.array(curve.false_positive_rate), np.array(curve.true_positive_rate)
    assert len(false) == len(true) <= 200
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()
    # Φ(1/√2) = .760, with a standard error of .005: five of them
    assert auc(false, true) == pytest.approx(0.760, abs=0.025)
