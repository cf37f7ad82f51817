"""The two-sample test on tables whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import auc
from sklearn.metrics import roc_curve as sklearn_roc

from tabsynth.metrics.base import Status
from tabsynth.metrics.detection import Side, TwoSampleTest, folds_of, propensity_error, roc_curve
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, PrivacyUnit
from tests.unit.metrics.tables import (
    category,
    encoded,
    eval_data,
    integer,
    number,
    number_column,
    schema_of,
)

SCHEMA = schema_of(number("x"), category("c"), integer("k"))
QUICK = TwoSampleTest(n_rounds=30)


def make(rng, n, shift=0.0):
    return {
        "x": rng.normal(shift, 1, n).tolist(),
        "c": rng.choice(list("abc"), n).tolist(),
        "k": rng.integers(0, 50, n).tolist(),
    }


def compute(synthetic, train, holdout, schema=SCHEMA, test=QUICK, seed=0):
    return both(synthetic, train, holdout, schema, test, seed)[0]


def both(synthetic, train, holdout, schema=SCHEMA, test=QUICK, seed=0):
    """The area under the curve, and the propensity error."""
    return test.compute(eval_data(schema, synthetic, train, holdout), streams=Streams(seed))


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
    text = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    assert compute(*[{"t": ["v"] * 20}] * 3, schema=text).reason == "no column to learn from"


def test_constant_tables_are_not_told_apart():
    schema = schema_of(integer("x"), number("y", nullable=True))
    row = compute(*[{"x": [1] * 30, "y": [None] * 30}] * 3, schema=schema)
    assert (row.value, row.floor) == (0.5, 0.5)


def test_the_propensity_error_by_hand():
    # one label in four is 1: distances from .25 are .75, .25, 0 and .25
    scores, labels = np.array([1.0, 0.0, 0.25, 0.5]), np.array([1.0, 0.0, 0.0, 0.0])
    assert propensity_error(scores, labels) == pytest.approx((0.5625 + 0.0625 + 0 + 0.0625) / 4)


def test_the_propensity_error_runs_from_nothing_to_a_quarter():
    rng = np.random.default_rng(10)
    _, row = both(make(rng, 600, shift=50.0), make(rng, 600), make(rng, 600))
    assert 0.2 < row.value <= 0.25
    assert row.floor < 0.03  # 200 rows of a fold, 30 rounds: trees err by less than .17 on average
    constant = {"x": [1] * 30, "y": [None] * 30}
    _, row = both(*[constant] * 3, schema=schema_of(integer("x"), number("y", nullable=True)))
    assert (row.value, row.floor) == (pytest.approx(0.0, abs=1e-12), pytest.approx(0.0, abs=1e-12))
    _, row = both(*[make(rng, 5)] * 3)
    assert (row.metric, row.status) == ("c2st_pmse", Status.NOT_APPLICABLE)


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


def _people(rng, n_persons, first):
    """Ten rows of each person, whose `x` is the person's own."""
    x = rng.normal(size=n_persons).repeat(10)
    return {"id": np.arange(first, first + n_persons).repeat(10).tolist(), "x": x.tolist()}


def test_rows_of_a_person_share_a_fold_so_that_people_are_not_recognised():
    rng = np.random.default_rng(7)
    identifier = Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", nullable=True)
    by_row = schema_of(identifier, number("x"))
    by_person = replace(by_row, unit=PrivacyUnit(column="id", max_rows=10))
    train, holdout = _people(rng, 100, 0), _people(rng, 100, 100)
    synthetic = {"id": list(range(1000)), "x": rng.normal(size=1000).tolist()}
    rows = compute(synthetic, train, holdout, schema=by_row)
    persons = compute(synthetic, train, holdout, schema=by_person)
    assert rows.floor > 0.75  # a person's number tells on which side their other rows are
    # the area of 100 against 100 persons has a standard error of .041: five of them
    assert persons.floor == pytest.approx(0.5, abs=0.21)
    # real persons who are on both sides are in one fold, too
    shared = compute(synthetic, train, train, schema=by_person)
    assert shared.floor == pytest.approx(0.5, abs=0.21)


def test_folds_are_balanced_on_each_side_and_whole_in_persons():
    rng = np.random.default_rng(8)
    rows = encoded(n=number_column(np.zeros(40)))
    left, right = np.arange(40) // 2, np.arange(40) // 2 + 10  # persons 10 to 19 are on both sides
    folds = folds_of([Side(rows, left), Side(rows, right), Side(rows)], 3, rng)
    fold_of = dict(zip(left.tolist(), folds[:40].tolist(), strict=True))
    fold_of |= dict(zip(right.tolist(), folds[40:80].tolist(), strict=True))
    assert [fold_of[int(person)] for person in np.r_[left, right]] == folds[:80].tolist()
    assert sorted(np.bincount(folds[:40]).tolist()) == [12, 14, 14]
    assert sorted(np.bincount(folds[80:]).tolist()) == [13, 13, 14]


def test_too_few_persons():
    rng = np.random.default_rng(9)
    schema = schema_of(Column(name="id", kind=Kind.IDENTIFIER, dtype="int64"), number("x"))
    schema = replace(schema, unit=PrivacyUnit(column="id", max_rows=10))
    row = compute(_people(rng, 50, 0), _people(rng, 50, 0), _people(rng, 9, 50), schema=schema)
    assert row.status is Status.NOT_APPLICABLE
    assert row.reason == "needs 10 persons in train and in holdout, one of them has 9"
