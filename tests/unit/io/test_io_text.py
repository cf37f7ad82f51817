"""Cells as text: parsed by type, inferred over the whole column, rendered by decimals and formats."""

# ruff: noqa: DTZ001 -- times without a zone are under test

import datetime as dt
import math
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.errors import SchemaError
from tabsynth.io.infer import infer
from tabsynth.io.text import parse, render, with_decimals, with_mark
from tabsynth.schema.types import Column, Kind

BERLIN = ZoneInfo("Europe/Berlin")


def number(**more):
    return Column(name="x", kind=Kind.NUMBER, dtype="float64", **more)


def parsed(cells, dtype, *, null_marks=("", "NA"), **more):
    column = Column(name="x", kind=Kind.TEXT, dtype=dtype, **more)
    series, n_failed = parse(pl.Series("x", cells, dtype=pl.String), column, null_marks=null_marks)
    assert series.name == "x"
    return series.to_list(), n_failed


def inferred(cells, *, null_marks=("",)):
    series, pattern = infer(pl.Series("x", cells, dtype=pl.String), null_marks=null_marks)
    assert series.name == "x"
    return series.dtype, series.to_list(), pattern


@pytest.mark.parametrize(
    ("cells", "dtype", "values", "n_failed"),
    [
        (["1", "007", "+5", " 5 ", "5.0", "1e+05", "-3"], "int64", [1, 7, 5, 5, 5, 100000, -3], 0),
        (["", None, "NA"], "int64", [None, None, None], 0),
        (["x", "2.5", "9223372036854775808", "1_0"], "int64", [None] * 4, 4),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)], 0),
        (["18446744073709551615", "-1"], "uint64", [2**64 - 1, None], 1),
        (["255", "256", "-1"], "uint8", [255, None, None], 2),
        (["1", " .5", "-2e3", "x"], "float64", [1.0, 0.5, -2000.0, None], 1),
        (
            ["inf", "-Infinity", "nan", "NaN", "1e400"],
            "float64",
            [float("inf"), -float("inf")] + [None] * 3,
            1,
        ),
        (["3e39", "1.5"], "float32", [None, 1.5], 1),
        (["True", "f", "YES", "0", "q"], "bool", [True, False, True, False, None], 1),
        (["", "NA", " a "], "string", ["", "NA", " a "], 0),
    ],
)
def test_cells_are_read_by_type(cells, dtype, values, n_failed):
    assert parsed(cells, dtype) == (values, n_failed)


def test_integers_beyond_2_53_never_pass_through_a_float():
    assert parsed(["9007199254740993", "9007199254740993.0"], "int64") == ([2**53 + 1] * 2, 0)


def test_dates_follow_the_format_or_iso():
    assert parsed(["31/01/2020", "2020-01-31"], "date", format="%d/%m/%Y") == (
        [dt.date(2020, 1, 31), None],
        1,
    )
    cells = [
        "2020-01-31",
        "2020-02-30",
        "2020-01-31 00:00:00",
        "2020-01-31T10:00",
        "0001-01-01",
        "9999-12-31",
    ]
    day = dt.date(2020, 1, 31)
    assert parsed(cells, "date") == ([day, None, day, None, dt.date.min, dt.date.max], 2)


def test_datetimes_in_every_iso_form():
    cells = ["2020-01-31 10:00:00", "2020-01-31T10:00:00.25", "2020-01-31 10:00", "2020-01-31"]
    ten = dt.datetime(2020, 1, 31, 10)
    expected = [ten, ten.replace(microsecond=250000), ten, ten.replace(hour=0)]
    assert parsed(cells, "datetime[us]") == (expected, 0)


def test_an_offset_without_a_timezone_in_the_schema_is_a_fault():
    assert parsed(["2020-01-31T10:00:00Z"], "datetime[us]") == ([None], 1)


def test_offsets_and_local_times_meet_in_the_declared_timezone():
    cells = [
        "2020-01-31 10:00:00",
        "2020-01-31T10:00:00+05:30",
        "2020-01-31T10:00Z",
        "2020-10-25 02:30:00",  # comes twice: the earlier, in summer time
        "2020-03-29 02:30:00",  # never comes
    ]
    values, n_failed = parsed(cells, "datetime[us]", timezone="Europe/Berlin")
    # Python calls a time that comes twice unequal to itself in another zone: compare in UTC
    assert [value and value.astimezone(dt.UTC) for value in values] == [
        dt.datetime(2020, 1, 31, 9, tzinfo=dt.UTC),
        dt.datetime(2020, 1, 31, 4, 30, tzinfo=dt.UTC),
        dt.datetime(2020, 1, 31, 10, tzinfo=dt.UTC),
        dt.datetime(2020, 10, 25, 0, 30, tzinfo=dt.UTC),
        None,
    ]
    assert n_failed == 1


@pytest.mark.parametrize(
    ("cell", "pattern", "zone", "value"),
    [
        (
            "31.01.2020 10:00:01.250000",
            "%d.%m.%Y %H:%M:%S.%f",
            None,
            dt.datetime(2020, 1, 31, 10, 0, 1, 250000),
        ),
        ("31Jan2020", "%d%b%Y", None, dt.datetime(2020, 1, 31)),
        ("310120 1000 +0200", "%d%m%y %H%M %z", "UTC", dt.datetime(2020, 1, 31, 8, tzinfo=dt.UTC)),
        ("310120 1000 +0200", "%d%m%y %H%M %z", None, dt.datetime(2020, 1, 31, 8)),
        ("310120 1000", "%d%m%y %H%M", "Europe/Berlin", dt.datetime(2020, 1, 31, 10, tzinfo=BERLIN)),
    ],
)
def test_datetimes_in_a_format(cell, pattern, zone, value):
    assert parsed([cell], "datetime[us]", format=pattern, timezone=zone) == ([value], 0)


def test_nanoseconds_outside_1677_to_2262_are_faults_and_never_wrap():
    column = Column(name="x", kind=Kind.DATETIME, dtype="datetime[ns]")
    text = pl.Series("x", ["2300-01-01 00:00:00", "2020-01-01 00:00:00.123456789"])
    series, n_failed = parse(text, column, null_marks=())
    assert n_failed == 1
    assert series.dtype == pl.Datetime("ns")
    assert series.is_null().to_list() == [True, False]
    assert series.dt.nanosecond().to_list() == [None, 123456789]
    assert parsed(["2300-01-01 00:00:00"], "datetime[ms]") == ([dt.datetime(2300, 1, 1)], 0)


def test_durations_in_iso_pandas_and_clock_form():
    cells = [
        "PT1H",
        "P1DT2H3M4.5S",
        "-PT0.000001S",
        "1 days 02:03:04.000005",
        "-1 days +23:59:59",
        "26:00:00",
    ]
    expected = [
        dt.timedelta(hours=1),
        dt.timedelta(days=1, hours=2, minutes=3, seconds=4.5),
        dt.timedelta(microseconds=-1),
        dt.timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=5),
        dt.timedelta(seconds=-1),
        dt.timedelta(hours=26),
    ]
    assert parsed(cells, "duration[us]") == (expected, 0)
    assert parsed(["P", "PT", "P1Y", "5", "P999999999D"], "duration[us]") == ([None] * 5, 5)
    assert parsed(["PT0.000000001S", "PT1H"], "duration[ns]")[1] == 0


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        (["1", "-2", ""], pl.Int64, [1, -2, None]),
        (["1", "NaN"], pl.Int64, [1, None]),
        (["9007199254740993"], pl.Int64, [2**53 + 1]),
        (["18446744073709551615", "1"], pl.UInt64, [2**64 - 1, 1]),
        (["true", "false", ""], pl.Boolean, [True, False, None]),
        (["TRUE"], pl.Boolean, [True]),
        (["2020-01-01", ""], pl.Date, [dt.date(2020, 1, 1), None]),
        (["PT1H"], pl.Duration("us"), [dt.timedelta(hours=1)]),
        (["2020-01-01T00:00:00Z"], pl.Datetime("us", "UTC"), [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]),
    ],
)
def test_a_type_that_all_cells_share_is_taken(cells, dtype, values):
    assert inferred(cells) == (dtype, values, None)


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "007"],
        ["01.5"],
        ["+49"],
        [" 5"],
        ["1_0"],
        ["٣"],
        ["1e400"],
        ["99999999999999999999", "1"],
        ["nan", "NaN"],
        ["inf"],
        ["True", "true"],
        ["yes", "no"],
        ["2020-02-30"],
        ["0000-01-01"],
        ["2020-1-5"],
        ["01/02/2020"],
        ["2020-01-01T00:00:00+02:00", "2020-07-01T00:00:00+02:00"],
        ["2020-01-01T00:00:00+02:00", "2020-07-01T00:00:00"],
        ["8:30"],
        ["08:61"],
        ["1,5"],
        ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00"],
        ["P"],
        ["", None],
        [],
    ],
)
def test_everything_else_stays_text_as_it_stands(cells):
    assert inferred(cells) == (pl.String, cells, None)


@pytest.mark.parametrize(
    ("cells", "values", "fewest"),
    [
        (["1.5", "nan", "2"], [1.5, None, 2.0], "0"),
        (["1.0", ".5", "1e5", "-0"], [1.0, 0.5, 1e5, -0.0], "0"),
        (["inf", "1"], [float("inf"), 1.0], "0"),
        (["8033.0", "", "7.25"], [8033.0, None, 7.25], "0.0"),
        (["8033.00", "7.25"], [8033.0, 7.25], "0.00"),
        (["1e5", "1.5e-3"], [1e5, 1.5e-3], None),
        (["0.1234567890123456789"], [0.1234567890123456789], "0.000000000000000"),
    ],
)
def test_floats_tell_the_fewest_decimals_of_a_cell(cells, values, fewest):
    assert inferred(cells) == (pl.Float64, values, fewest)


@pytest.mark.parametrize("mark", ["Z", "+00:00", "-0500"])
def test_datetimes_whose_offsets_differ_are_in_utc(mark):
    dtype, values, form = inferred(["2020-01-01T00:30:00+01:00", f"2020-07-01 12:00{mark}", ""])
    hour = 17 if mark == "-0500" else 12
    assert (dtype, form) == (pl.Datetime("us", "UTC"), None)
    assert values == [
        dt.datetime(2019, 12, 31, 23, 30, tzinfo=dt.UTC),
        dt.datetime(2020, 7, 1, hour, tzinfo=dt.UTC),
        None,
    ]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["08:30", "", "23:59"], "%H:%M"),
        (["08:30:00", "23:59:07"], "%H:%M:%S"),
        (["08:30:00.25", "23:59:07", "00:00:00.000001"], "%H:%M:%S%.f"),
    ],
)
def test_times_of_day_are_durations_and_are_written_as_they_were(cells, form):
    dtype, values, found = inferred(cells)
    assert (dtype, found) == (pl.Duration("us"), form)
    parts = [int(part) for part in cells[0].replace(".", ":").split(":")[:2]]
    assert values[0] == dt.timedelta(hours=parts[0], minutes=parts[1], seconds=0.25 if "." in cells[0] else 0)
    column = Column(name="x", kind=Kind.DURATION, dtype="duration[us]", format=form)
    written = render(pl.Series("x", values, dtype=dtype), column)
    assert written.to_list() == [cell or None for cell in cells]
    assert parse(written, column, null_marks=())[0].to_list() == values


def test_a_decimal_comma_is_read_where_it_is_stated():
    text = pl.Series("x", ["533,38", "", "-7", "1,5"])
    assert infer(text, null_marks=(), decimal=",")[0].to_list() == [533.38, None, -7.0, 1.5]
    assert infer(text, null_marks=(), decimal=".")[0].dtype == pl.String
    column = Column(name="x", kind=Kind.NUMBER, dtype="float64")
    # a point is then no decimal mark: 1.234 may mean 1234
    mixed = parse(pl.Series("x", ["1,5", "1.234"]), column, null_marks=(), decimal=",")
    assert (mixed[0].to_list(), mixed[1]) == ([1.5, None], 1)
    dates = pl.Series("x", ["2020-01-31"])
    assert infer(dates, null_marks=(), decimal=",")[0].dtype == pl.Date


def test_numbers_held_as_text_have_points_inside_whatever_the_file_has():
    cells = [*(f"{v},25" for v in range(1, 30)), "NA"]
    points = [cell.replace(",", ".") for cell in cells]
    assert infer(pl.Series("x", cells), null_marks=(), decimal=",")[0].to_list() == points
    assert infer(pl.Series("type_code", cells), null_marks=(), decimal=",")[0].to_list() == cells
    words = ["a,5", "b,5"] * 20
    assert infer(pl.Series("x", words), null_marks=(), decimal=",")[0].to_list() == words
    column = Column(name="x", kind=Kind.NUMBER, dtype="string", special_values=("NA",))
    assert parse(pl.Series("x", cells), column, null_marks=(), decimal=",")[0].to_list() == points
    assert with_mark(pl.Series("x", points), decimal=",").to_list() == cells


@pytest.mark.parametrize(("last", "dtype"), [("x", pl.String), ("007", pl.String), ("0.5", pl.Float64)])
def test_the_last_of_many_rows_counts_as_much_as_the_first(last, dtype):
    assert inferred(["7"] * 20_000 + [last])[0] == dtype


def test_a_type_may_begin_after_thousands_of_nulls():
    assert inferred([None] * 5000 + ["7"])[:1] == (pl.Int64,)


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (["2020-01-01 00:00:00", "2020-01-01 00:00:00.5"], None),
        (["2020-01-01T00:00:00"], "%Y-%m-%dT%H:%M:%S"),
        (["2020-01-01T00:00:00", "2020-01-01T00:00:00.123456"], "%Y-%m-%dT%H:%M:%S.%f"),
        (["2020-01-01 00:00"], "%Y-%m-%d %H:%M"),
        (["2020-01-01T00:00"], "%Y-%m-%dT%H:%M"),
    ],
)
def test_the_form_of_datetimes_is_told(cells, pattern):
    dtype, values, found = inferred(cells)
    assert (dtype, found) == (pl.Datetime("us"), pattern)
    assert values[0] == dt.datetime(2020, 1, 1)


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1).filter(any))
def test_integers_come_back_from_their_text(values):
    cells = [None if value is None else str(value) for value in values]
    assert inferred(cells) == (pl.Int64, values, None)


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_floats_come_back_from_their_text_bit_for_bit(values):
    text = render(pl.Series("x", values, dtype=pl.Float64), None)
    assert parsed(text.to_list(), "float64") == (values, 0)


@settings(deadline=None)
@given(
    st.lists(st.none() | st.integers(-(10**12), 10**12), min_size=1),
    st.integers(0, 4),
)
def test_exact_decimals_agree_with_the_decimal_module(units, decimals):
    # k / 10**d is the float nearest to the decimal k·10**-d, whose text is known by integers alone
    def expected(unit):
        digits = str(abs(unit)).zfill(decimals + 1)
        whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
        return ("-" if unit < 0 else "") + whole + ("." + fraction if decimals else "")

    values = [None if unit is None else unit / 10**decimals for unit in units]
    rendered = with_decimals(pl.Series(values, dtype=pl.Float64), decimals).to_list()
    assert rendered == [None if unit is None else expected(unit) for unit in units]


def test_decimals_at_the_edges():
    series = pl.Series([12.5, -0.004, 1e20, float("inf"), -float("inf"), None])
    assert with_decimals(series, 2).to_list() == [
        "12.50",
        "0.00",
        "1" + "0" * 20 + ".00",
        "inf",
        "-inf",
        None,
    ]
    assert with_decimals(pl.Series([12.6]), 0).to_list() == ["13"]


@pytest.mark.parametrize(
    ("values", "column", "texts"),
    [
        ([5.0, float("nan")], Column(name="x", kind=Kind.INTEGER, dtype="float64"), ["5", None]),
        ([5.0], Column(name="x", kind=Kind.NUMBER, dtype="float64"), ["5.0"]),
        ([12.5], Column(name="x", kind=Kind.NUMBER, dtype="float64", decimals=2), ["12.50"]),
        ([12.5, 3.0, None, -0.25], number(decimals=2, format="0"), ["12.5", "3", None, "-0.25"]),
        ([12.5, 3.0, 100.0, -0.25], number(decimals=2, format="0.0"), ["12.5", "3.0", "100.0", "-0.25"]),
        ([7459.0, 10.0], number(decimals=0, format="0.0"), ["7459.0", "10.0"]),
        ([7459.0, 10.0], number(decimals=0, format="0"), ["7459", "10"]),
        ([0.1234567, 20.0], number(format="0"), ["0.1234567", "20"]),
        ([0.1234567, 20.0, math.inf], number(format="0.00"), ["0.1234567", "20.00", "inf"]),
        ([1e-20], number(format="0.00"), ["1e-20"]),
        ([True, None], None, ["true", None]),
        (
            [dt.date(2020, 1, 31)],
            Column(name="x", kind=Kind.DATE, dtype="date", format="%d/%m/%Y"),
            ["31/01/2020"],
        ),
        ([dt.date(1, 1, 1)], None, ["0001-01-01"]),
        (
            [dt.datetime(2020, 1, 31), dt.datetime(2020, 1, 31, 0, 0, 0, 500000)],
            None,
            ["2020-01-31 00:00:00", "2020-01-31 00:00:00.500"],
        ),
        ([dt.datetime(2020, 1, 31, tzinfo=BERLIN)], None, ["2020-01-31 00:00:00+01:00"]),
        (
            [dt.datetime(2020, 1, 31, 1, 2, 3, 4)],
            Column(name="x", kind=Kind.DATETIME, dtype="datetime[us]", format="%H%M%S.%f"),
            ["010203.000004"],
        ),
        ([dt.timedelta(days=1, seconds=1.5)], None, ["P1DT1.5S"]),
        (
            [dt.timedelta(hours=-1, minutes=-5), dt.timedelta(hours=100, seconds=59)],
            Column(name="x", kind=Kind.DURATION, dtype="duration[us]", format="%H:%M"),
            ["-01:05", "100:00"],
        ),
    ],
)
def test_cells_are_written_by_the_schema(values, column, texts):
    assert render(pl.Series("x", values), column).to_list() == texts


def test_a_format_that_cannot_be_written():
    column = Column(name="x", kind=Kind.DATE, dtype="date", format="%Q")
    with pytest.raises(SchemaError, match="column 'x': '%Q' is no strftime pattern"):
        render(pl.Series("x", [dt.date(2020, 1, 1)]), column)


def test_local_mean_time_is_written_as_utc():
    moments = pl.Series("x", [dt.datetime(1893, 1, 1), dt.datetime(1950, 1, 1)]).dt.replace_time_zone(
        "Europe/Berlin"
    )
    # Berlin was 53 minutes and 28 seconds ahead until April 1893
    assert render(moments, None).to_list() == ["1892-12-31 23:06:32+00:00", "1950-01-01 00:00:00+01:00"]


@settings(deadline=None)
@given(st.lists(st.none() | st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)), min_size=1))
def test_datetimes_come_back_from_their_text(values):
    text = render(pl.Series("x", values, dtype=pl.Datetime("us")), None)
    assert parsed(text.to_list(), "datetime[us]") == (values, 0)


@settings(deadline=None)
@given(st.lists(st.none() | st.timedeltas(dt.timedelta(days=-(10**6)), dt.timedelta(days=10**6)), min_size=1))
def test_durations_come_back_from_their_text(values):
    text = render(pl.Series("x", values, dtype=pl.Duration("us")), None)
    assert parsed(text.to_list(), "duration[us]") == (values, 0)
