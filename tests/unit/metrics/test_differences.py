"""What lies between two columns, by hand and against scipy."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from tabsynth.metrics.base import Status
from tabsynth.metrics.differences import MAX_PAIRS, ColumnDifferences, difference_of, pairs_of
from tabsynth.randomness import Streams
from tabsynth.schema.rules import Inequality
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import eval_data, integer, number, rows_of, schema_of

STAYS = schema_of(
    Column(name="came", kind=Kind.DATE, dtype="date", nullable=True),
    Column(name="left", kind=Kind.DATE, dtype="date", nullable=True),
)
DAY = dt.date(2024, 2, 27)
MOMENT = dt.datetime.combine(DAY, dt.time())


def stays(*days):
    """Stays of so many days each, from one day on; None for somebody who is still there."""
    return {
        "came": [DAY] * len(days),
        "left": [None if n is None else DAY + dt.timedelta(n) for n in days],
    }


def compute(schema, synthetic, train, holdout):
    return rows_of(
        ColumnDifferences().compute(eval_data(schema, synthetic, train, holdout), streams=Streams(0))
    )


def test_stays_that_no_single_column_gives_away():
    """Both columns hold the same cells in both tables, but every stay is of another length."""
    first, last = [DAY, DAY + dt.timedelta(10)], [DAY + dt.timedelta(1), DAY + dt.timedelta(11)]
    train = {"came": first, "left": last}
    made = {"came": first, "left": last[::-1]}  # 11 days, and one that left nine days before it came
    row = compute(STAYS, made, train, train)["difference_error", "came", "left"]
    assert row.value == pytest.approx(0.5)
    assert row.floor == 0.0
    parts = {part.label: (part.value, part.floor) for part in row.details}
    assert parts == {"came > left": (0.5, 0.0), "came < left": (0.5, 0.0)}


def test_by_hand_with_cells_that_are_missing():
    """Train has 0, 1, 2 days and one unknown; synthetic 0, 0 and two unknown: below 1 day 2/4 for 1/4, unknown 2/4 for 1/4."""
    row = compute(STAYS, stays(0, 0, None, None), stays(0, 1, 2, None), stays(0, 1, 2, None))[
        "difference_error", "came", "left"
    ]
    assert row.value == pytest.approx(0.5)  # "left at once, or is still there": 4/4 for 2/4
    assert {part.label: part.value for part in row.details} == pytest.approx(
        {"came = left": 0.25, "came < left": 0.5, "either is missing": 0.25}
    )
    assert row.floor == 0.0


def test_against_scipy_with_decimals_of_two_kinds():
    rng = np.random.default_rng(1)
    schema = schema_of(number("cost", decimals=2), number("price", decimals=1)).with_constraints(
        Inequality(columns=("cost", "price"))
    )

    def table(n, margin):
        cost = np.round(rng.gamma(2, 10, n), 2)
        return {"cost": cost.tolist(), "price": np.round(cost + rng.gamma(2, margin, n), 1).tolist()}

    train, made, holdout = table(700, 3), table(500, 4), table(600, 3)
    row = compute(schema, made, train, holdout)["difference_error", "cost", "price"]
    # in hundredths, so that ties are ties
    gaps = [
        np.rint(100 * np.array(t["price"])) - np.rint(100 * np.array(t["cost"]))
        for t in (train, made, holdout)
    ]
    assert row.value == pytest.approx(ks_2samp(gaps[0], gaps[1]).statistic, abs=1e-12)
    assert row.floor == pytest.approx(ks_2samp(gaps[0], gaps[2]).statistic, abs=1e-12)


def test_a_time_and_a_time_of_another_resolution():
    schema = schema_of(
        Column(name="a", kind=Kind.DATETIME, dtype="datetime[us]", resolution="hour"),
        Column(name="b", kind=Kind.DATETIME, dtype="datetime[ms]", resolution="minute"),
    )
    cells = {"a": [MOMENT + dt.timedelta(hours=5)], "b": [MOMENT + dt.timedelta(hours=6.5)]}
    found = difference_of(("a", "b"), eval_data(schema, cells, cells, cells))
    assert (found.column.kind, found.column.resolution) == (Kind.DURATION, "minute")
    assert [one.values.tolist() for one in found.tables] == [[90], [90], [90]]


def ordered(n, seed=0):
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 50, n)
    return {
        "low": low.tolist(),
        "high": (low + rng.integers(0, 20, n)).tolist(),
        "other": rng.integers(90, 99, n).tolist(),
    }


NUMBERS = schema_of(integer("high"), integer("low"), integer("other"))


def test_numbers_are_asked_of_where_train_has_them_in_order_and_chance_would_not():
    """`other` is above both in every row, however rows are paired: that says nothing."""
    data = eval_data(NUMBERS, ordered(300, 1), ordered(300), ordered(300, 2))
    assert pairs_of(data, Streams(0)) == ([("low", "high")], "")
    one_off = ordered(300)
    one_off["high"][250] = one_off["low"][250] - 1
    assert pairs_of(eval_data(NUMBERS, one_off, one_off, one_off), Streams(0)) == ([], "")
    assert pairs_of(eval_data(NUMBERS, *[ordered(99)] * 3), Streams(0)) == ([], "")  # too few say so


def test_a_rule_names_the_pair_as_it_stands_there():
    schema = NUMBERS.with_constraints(Inequality(columns=("low", "other", "high")))
    data = eval_data(schema, *[ordered(300)] * 3)
    assert pairs_of(data, Streams(0))[0] == [("low", "other"), ("other", "high"), ("low", "high")]


def test_of_many_pairs_some_are_drawn_after_those_of_rules():
    names = [f"d{k:02}" for k in range(12)]
    schema = schema_of(*(Column(name=name, kind=Kind.DATE, dtype="date") for name in names))
    schema = schema.with_constraints(Inequality(columns=("d11", "d00")))
    cells = {name: [DAY] for name in names}
    data = eval_data(schema, cells, cells, cells)
    pairs, note = pairs_of(data, Streams(0))
    assert pairs[0] == ("d11", "d00")
    assert len(set(map(frozenset, pairs))) == len(pairs) == MAX_PAIRS
    assert note == "50 of 66 pairs, drawn at random"
    assert pairs_of(data, Streams(1))[0] != pairs
    assert compute(schema, cells, cells, cells)[("difference_error",)].reason == note


def test_times_with_a_zone_and_without_are_not_compared():
    schema = schema_of(
        Column(name="a", kind=Kind.DATETIME, dtype="datetime[us]"),
        Column(name="b", kind=Kind.DATETIME, dtype="datetime[us]", timezone="UTC"),
    )
    moments = {"a": [MOMENT], "b": [MOMENT.replace(tzinfo=dt.UTC)]}
    assert pairs_of(eval_data(schema, moments, moments, moments), Streams(0)) == ([], "")


def test_nothing_to_ask_of_and_no_rows_are_said():
    schema = schema_of(integer("a"), integer("b"))
    cells = {"a": [1, 2], "b": [2, 1]}
    row = compute(schema, cells, cells, cells)[("difference_error",)]
    assert row.status is Status.NOT_APPLICABLE
    assert "no two are dates or times" in row.reason
    nobody = {"came": [], "left": []}
    row = compute(STAYS, nobody, stays(1), stays(1))[("difference_error",)]
    assert row.reason == "the synthetic table has no rows"
    assert compute(STAYS, stays(1), stays(1), nobody)["difference_error", "came", "left"].floor is None


def test_differences_that_no_integer_holds():
    schema = schema_of(integer("a"), integer("b")).with_constraints(Inequality(columns=("a", "b")))
    far = {"a": [-(2**63) + 1, 0], "b": [2**63 - 1, 0]}
    data = eval_data(schema, far, far, far)
    found = difference_of(("a", "b"), data)
    assert not found.tables[0].variable.is_lattice
    assert found.tables[0].values.tolist() == [2.0**64, 0.0]
    assert compute(schema, far, far, far)["difference_error", "a", "b"].value == 0.0
    infinite = schema_of(number("a"), number("b")).with_constraints(Inequality(columns=("a", "b")))
    widest = {"a": [-1.7e308], "b": [1.7e308]}
    row = compute(infinite, widest, {"a": [0.0], "b": [1.0]}, widest)["difference_error", "a", "b"]
    assert row.value == 1.0


@pytest.mark.parametrize("special", [(), (-1,)])
def test_special_values_are_no_numbers(special):
    schema = schema_of(integer("a", special_values=special), integer("b"))
    schema = schema.with_constraints(Inequality(columns=("a", "b")))
    train = {"a": [1, 2], "b": [5, 6]}
    row = compute(schema, {"a": [1, -1], "b": [5, 3]}, train, train)["difference_error", "a", "b"]
    assert row.value == (0.5 if special else 0.0)  # 4 and 4, or 4 and missing


def test_drafts_of_rules_count_too():
    rule = replace(Inequality(columns=("other", "low")), draft=True)
    data = eval_data(NUMBERS.with_constraints(rule), *[ordered(300)] * 3)
    assert pairs_of(data, Streams(0))[0][0] == ("other", "low")
