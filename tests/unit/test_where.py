"""Conditions in words as sets of cells: each against the cells that a comparison of Python or polars keeps."""

import datetime as dt
import operator
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.constraints.held import holds
from tabsynth.errors import ConditionError
from tabsynth.models.condition import any_of, both, rest_of
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.where import conditions_of

SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="id", kind=Kind.IDENTIFIER, dtype="int64"),
        Column(name="note", kind=Kind.TEXT, dtype="string", nullable=True),
        Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("f", "m"), nullable=True),
        Column(name="stage", kind=Kind.ORDINAL, dtype="int64", categories=(1, 2, 3, 5), nullable=True),
        Column(name="ill", kind=Kind.BOOLEAN, dtype="bool"),
        Column(name="age", kind=Kind.INTEGER, dtype="int8", bounds=(0, 20), special_values=(-1,), nullable=True),
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", decimals=2, bounds=(-1.0, 1.0)),
        Column(name="size", kind=Kind.NUMBER, dtype="float32", nullable=True),
        Column(name="day", kind=Kind.DATE, dtype="date", bounds=(dt.date(2020, 1, 1), dt.date(2020, 2, 29))),
        Column(name="written", kind=Kind.DATE, dtype="string", format="%d.%m.%Y"),
        Column(name="seen", kind=Kind.DATETIME, dtype="datetime[us]", resolution="minute", timezone="Europe/Vienna"),
        Column(name="stay", kind=Kind.DURATION, dtype="duration[us]", resolution="hour"),
        Column(name="lab", kind=Kind.INTEGER, dtype="string", bounds=(0, 100), special_values=("N",)),
    ),
)  # fmt: skip
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def kept(name, wanted, cells):
    """Which of the cells keep to what is asked for."""
    [condition] = conditions_of({name: wanted}, SCHEMA)
    series = pl.Series(name, cells, dtype=pl.Series([], dtype=_dtype(name)).dtype, strict=False)
    return [cell for cell, keeps in zip(cells, holds(condition, series, SCHEMA[name]), strict=True) if keeps]


def _dtype(name):
    from tabsynth.schema.dtypes import polars_dtype

    return polars_dtype(SCHEMA[name])


AGES = [*range(21), -1, None]


@settings(deadline=None)
@given(st.sampled_from(list(SIGNS)), st.one_of(st.integers(-3, 23), st.floats(-3, 23)), st.sampled_from(list(SIGNS)), st.integers(-3, 23))  # fmt: skip
def test_ranges_of_whole_numbers_are_those_of_python(one, bound, other, second):
    numbers = [
        x for x in range(21) if SIGNS[one](x, bound) and SIGNS[other](x, second if one != other else bound)
    ]
    wanted = {one: bound, other: second} if one != other else {one: bound}
    if numbers:
        assert kept("age", wanted, AGES) == numbers
    else:
        with pytest.raises(ConditionError, match="'age' never meets that"):
            conditions_of({"age": wanted}, SCHEMA)


@settings(deadline=None)
@given(st.sampled_from(list(SIGNS)), st.integers(-1100, 1100))
def test_ranges_of_decimals_are_exact(sign, thousandths):
    bound = Decimal(thousandths) / 1000
    cents = [Decimal(x) / 100 for x in range(-100, 101)]
    numbers = [float(x) for x in cents if SIGNS[sign](x, bound)]
    if numbers:
        assert kept("cost", {sign: float(bound)}, [float(x) for x in cents]) == numbers
        assert kept("cost", {sign: bound}, [float(x) for x in cents]) == numbers


@settings(deadline=None)
@given(st.sampled_from(list(SIGNS)), st.floats(-1e3, 1e3), st.integers(-3, 3))
def test_ranges_of_the_line_end_at_the_nearest_number_of_the_stored_type(sign, bound, steps):
    near = np.float32(bound)
    cells = [near]
    for _ in range(abs(steps)):
        cells.append(np.nextafter(cells[-1], np.float32(np.inf if steps > 0 else -np.inf)))
    cells = [float(x) for x in cells]
    assert kept("size", {sign: bound}, cells) == [x for x in cells if SIGNS[sign](x, bound)]


def test_dates_and_times_are_compared_with_any_moment():
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=k) for k in range(60)]
    assert kept("day", {">": dt.date(2020, 1, 30), "<=": "2020-02-02"}, days) == days[30:33]
    assert kept("day", "2020-02-02", days) == [dt.date(2020, 2, 2)]
    written = ["31.12.2019", "01.01.2020", "02.01.2020"]
    assert kept("written", {">=": dt.date(2020, 1, 1)}, written) == written[1:]
    assert kept("written", {"<": "02.01.2020"}, written) == written[:2]
    zone = ZoneInfo("Europe/Vienna")
    minutes = [dt.datetime(2020, 1, 1, 12, k, tzinfo=zone) for k in range(5)]
    assert kept("seen", {">=": dt.datetime(2020, 1, 1, 12, 1, 30)}, minutes) == minutes[2:]  # noqa: DTZ001  # local to its column
    assert kept("seen", {"<": dt.datetime(2020, 1, 1, 11, 2, tzinfo=dt.UTC)}, minutes) == minutes[:2]
    hours = [dt.timedelta(hours=k) for k in range(5)]
    assert kept("stay", {">": dt.timedelta(minutes=90), "!=": dt.timedelta(hours=3)}, hours) == [
        hours[2],
        hours[4],
    ]


def test_lists_nulls_and_exclusions():
    assert kept("age", [3, None, -1], AGES) == [3, -1, None]
    assert kept("age", (3,), AGES) == [3]
    assert kept("age", {"not in": {3, 4}}, AGES) == [*range(3), *range(5, 21), -1, None]
    assert kept("age", {"!=": None}, AGES) == [*range(21), -1]
    assert kept("age", {"!=": -1, ">": 18}, AGES) == [19, 20]
    assert kept("age", None, AGES) == [None]
    assert kept("sex", {"!=": "f"}, ["f", "m", None]) == ["m", None]
    assert kept("sex", {"in": ["f", None]}, ["f", "m", None]) == ["f", None]
    assert kept("ill", {"!=": None}, [True, False]) == [True, False]
    assert kept("ill", "true", [True, False]) == [True]
    assert kept("note", None, ["a", None]) == [None]
    assert kept("note", {"!=": None}, ["a", None]) == ["a"]
    assert kept("size", {"!=": 1.5}, [1.0, 1.5, None]) == [1.0, None]
    assert kept("lab", {">": 98}, ["97", "99", "N"]) == ["99"]
    assert kept("lab", ["N", "7"], ["97", "7", "N"]) == ["7", "N"]


def test_ordered_categories_are_compared_by_their_order():
    cells = [1, 2, 3, 5, None]
    assert kept("stage", {">=": 3}, cells) == [3, 5]
    assert kept("stage", {">": 3}, cells) == [5]
    assert kept("stage", {"<": 2}, cells) == [1]
    assert kept("stage", {"<=": 2, "!=": 1}, cells) == [2]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"aeg": 3}, "no column 'aeg' .did you mean 'age'"),
        ({"id": 3}, "'id' is not modelled: a column of kind identifier is made anew"),
        ({"note": "x"}, "'note' is not modelled: a column of kind text"),
        ({"ill": "maybe"}, "'ill' cannot hold a value of this type"),
        ({"age": {"=>": 3}}, "'age' expects comparisons by = != < <= > >= in not in, found =>"),
        ({"age": {}}, "'age' expects comparisons by .* found none"),
        ({"age": {"in": 3}}, "'age' expects a list of values after 'in'"),
        ({"age": []}, "'age' never meets that: no cell of its declared domain does"),
        ({"age": {"<": 5, ">": 5}}, "'age' never meets that"),
        ({"age": {">": 20}}, "'age' never meets that"),
        ({"sex": {"<": "m"}}, "'sex' has no order, which '<' needs: name the values instead"),
        ({"ill": {">": False}}, "'ill' has no order"),
        ({"stage": {">": None}}, "'stage' cannot be compared with null by '>'"),
        ({"stage": {">": 4}}, "'stage' never holds that value: it is outside the declared domain"),
        ({"age": {">": None}}, "'age' cannot be compared with null by '>'"),
        ({"age": (3, 5)}, "'age' expects a list for any of two values, or .*found a tuple"),
        ({"age": {">": "old"}}, "'age' cannot be compared with a value of this type"),
        ({"age": {">": True}}, "'age' cannot be compared"),
        ({"age": {">": float("inf")}}, "'age' cannot be compared"),
        ({"size": {">": float("nan")}}, "'size' cannot be compared"),
        ({"size": {">": 1e999}}, "'size' cannot be compared"),
        ({"day": {">": None}}, "'day' cannot be compared"),
        ({"written": {">": "2020-01-01"}}, "'written' cannot be compared"),
        ({"cost": 0.123}, "finer than the column's decimals"),
        (
            {"age": "old", "sex": "x"},
            "'age' cannot hold a value of this type.*; 'sex' never holds that value",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_by_column(where, words):
    with pytest.raises(ConditionError, match=words):
        conditions_of(where, SCHEMA)


def _cells_of(wanted):
    return set(map(str, kept("age", wanted, AGES)))


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True), st.integers(1, 19), st.booleans())
def test_groups_and_what_is_left_of_them_are_sets(points, bound, has_null):
    [one] = conditions_of({"age": [*points, *([None] if has_null else [])]}, SCHEMA)
    [two] = conditions_of({"age": {">=": bound}}, SCHEMA)
    [whole] = conditions_of({"age": {"not in": []}}, SCHEMA)
    series = pl.Series("age", AGES, dtype=pl.Int8)
    mask = lambda condition: holds(condition, series, SCHEMA["age"])  # noqa: E731
    met = both(one, two)
    expected = mask(one) & mask(two)
    assert (met is None and not expected.any()) or (mask(met) == expected).all()
    rest = rest_of([one], whole)
    assert (mask(rest) == ~mask(one)).all()
    assert rest_of([two, rest_of([two], whole)], whole) is None
    assert mask(any_of([one, rest])).all()


@pytest.mark.parametrize(
    "null", [float("nan"), np.nan, np.float32("nan"), np.datetime64("NaT"), pd.NA, pd.NaT]
)
def test_what_pandas_holds_for_null_is_null(null):
    """Exhausted by cells of one column that may be null: what None keeps, each of these keeps."""
    assert kept("age", null, AGES) == kept("age", None, AGES) == [None]
    assert kept("sex", null, ["f", "m", None]) == [None]
    assert kept("age", {"!=": null}, AGES) == [*range(21), -1]
    assert kept("age", [3, null], AGES) == [3, None]
    with pytest.raises(ConditionError, match="'age' cannot be compared with null by '<'"):
        conditions_of({"age": {"<": null}}, SCHEMA)


@pytest.mark.parametrize(
    "several",
    [
        np.array([2, 7]),
        pd.Series([2, 7], index=["a", "b"]),
        pd.Index([2, 7]),
        pl.Series([2, 7]),
        {2, 7},
        (2, 7, 7),
    ],
)
def test_any_kind_of_list_is_a_list(several):
    assert kept("age", several, AGES) == [2, 7]
    assert kept("age", {"not in": several}, AGES) == [age for age in AGES if age not in (2, 7)]


def test_a_pair_of_levels_is_no_range():
    assert kept("sex", ("f", "m"), ["f", "m", None]) == ["f", "m"]
