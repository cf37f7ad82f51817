"""What a draft proposes, column by column, and that no data makes it fail."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

from tabsynth.check import check_table
from tabsynth.encode.table import decode_table, encode_table
from tabsynth.errors import StructureError
from tabsynth.schema.draft import draft_schema, draft_table, with_formats
from tabsynth.schema.files import schema_from_yaml, schema_to_yaml
from tabsynth.schema.types import Column, CsvDialect, ForeignKey, Kind, Origin, Role, Schema
from tabsynth.schema.validate import check_schema
from tabsynth.table import Table

RNG = np.random.default_rng(20)


def drafted(name: str, values: object, dtype: pl.DataType | None = None) -> Column:
    frame = pl.DataFrame({name: pl.Series(name, values, dtype=dtype)})
    table = draft_table(frame, name="t")
    check_schema(Schema(tables=(table,)))
    (column,) = table.columns
    assert column.name == name
    assert column.domain.origin is Origin.DRAFT
    return column


def summary(column: Column) -> tuple[str, str]:
    return column.kind.value, column.dtype


def shuffled(*values: object, times: int = 1) -> list[object]:
    """Each value `times` times, in a fixed disorder."""
    return [values[i % len(values)] for i in RNG.permutation(len(values) * times)]


SPREAD = [int(x) for x in RNG.permutation(np.arange(100, 5000, 7))]  # 700 whole numbers, none repeated


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("x", shuffled(0, 1, times=9), ("categorical", "int64")),
        ("x", [5] * 30, ("categorical", "int64")),
        ("x", shuffled(1, 2, 3, times=9), ("integer", "int64")),
        ("x", shuffled(1, 2, 3, times=10), ("categorical", "int64")),
        ("OWN_RENT", shuffled(0, 1, 2, times=30), ("categorical", "int64")),
        ("x", shuffled(1.0, 2.0, 3.0, times=10), ("categorical", "float64")),
        ("num.co", shuffled(*range(6), times=30), ("integer", "int64")),
        ("x", shuffled(*range(7), times=30), ("integer", "int64")),
        ("x", shuffled(1, 2, 10, times=30), ("integer", "int64")),
        ("x", shuffled(-1, 0, 1, times=30), ("integer", "int64")),
        ("sex", shuffled(1, 2, 3, times=9), ("categorical", "int64")),
        ("admission_type_id", shuffled(*range(1, 9), times=9), ("categorical", "int64")),
        ("TrafficType", shuffled(*range(20), times=9), ("categorical", "int64")),
        ("detailed_industry_recode", shuffled(*range(52), times=9), ("categorical", "int64")),
        ("education", shuffled(*range(7), times=9), ("categorical", "int64")),
        ("education_num", shuffled(*range(16), times=9), ("integer", "int64")),
        ("number_inpatient", shuffled(*range(16), times=9), ("integer", "int64")),
        ("type_count", shuffled(*range(150), times=3), ("integer", "int64")),
        ("zip", shuffled(*range(10_000, 10_300), times=2), ("categorical", "int64")),
        ("itemid", shuffled(*range(50_000, 50_200), times=12), ("categorical", "int64")),
        ("itemid", SPREAD, ("identifier", "int64")),
        ("patient_nbr", [*SPREAD, *SPREAD[:200]], ("identifier", "int64")),
        ("subject_id", shuffled(*range(40), times=9), ("identifier", "int64")),
        ("id", shuffled(3, 4, 8, times=9), ("identifier", "int64")),
        ("claim_nb", shuffled(0, 1, 2, 3, times=90), ("integer", "int64")),
        ("hadm_id", [*SPREAD, *SPREAD], ("identifier", "int64")),
        ("order_id", shuffled(*range(50), times=9), ("categorical", "int64")),
        ("lines", list(range(1, 31)), ("identifier", "int64")),
        ("lines", shuffled(*range(30)), ("identifier", "int64")),
        ("lines", list(range(1, 11)), ("integer", "int64")),
        ("lines", list(range(2, 40)), ("integer", "int64")),
        ("__index_level_0__", SPREAD, ("identifier", "int64")),
        ("Unnamed: 0", SPREAD, ("identifier", "int64")),
        ("amount_paid", SPREAD, ("integer", "int64")),
        ("humid", SPREAD, ("integer", "int64")),
        ("x", SPREAD, ("integer", "int64")),
        ("x", [float(v) for v in SPREAD], ("number", "float64")),
        ("x", shuffled(0.0, 1.0, times=9), ("categorical", "float64")),
        ("case.id", [float(v) for v in SPREAD], ("identifier", "float64")),
        ("x", [0.5, 0.25, 3.0], ("number", "float64")),
        ("x", shuffled("a", "b", times=9), ("categorical", "string")),
        ("x", shuffled("TRUE", "False", times=9), ("boolean", "string")),
        ("x", ["true"] * 9, ("categorical", "string")),
        ("x", shuffled("true", "false", "maybe", times=9), ("categorical", "string")),
        ("x", shuffled("2020-01-31", "1999-12-01", times=9), ("date", "string")),
        ("x", [f"2020-01-01 {h:02}:30" for h in range(24)], ("datetime", "string")),
        ("x", [str(v) for v in SPREAD], ("integer", "string")),
        ("x", [f"{v}.5" for v in SPREAD], ("number", "string")),
        ("x", [f"{v:06}" for v in SPREAD], ("identifier", "string")),
        ("diag_code", shuffled(*map(str, range(100, 400)), times=3), ("categorical", "string")),
        ("x", shuffled(*map(str, range(12)), times=9), ("categorical", "string")),
        ("x", [f"K{v}-{v % 7}" for v in SPREAD], ("identifier", "string")),
        ("x", [f"K{v}" for v in SPREAD] + [f"K{v}" for v in SPREAD[:30]], ("identifier", "string")),
        ("x", [f"K{v}" for v in SPREAD] * 2, ("categorical", "string")),
        ("x", [f"number {v} of many" for v in SPREAD], ("text", "string")),
        ("x", [f"number {v} of many" for v in SPREAD] * 2, ("categorical", "string")),
        ("x", [f"number {v} of many" for v in range(1100)] * 2, ("text", "string")),
        ("job", shuffled(*[f"job {v} of many" for v in range(400)], times=3), ("categorical", "string")),
        ("ip_address", [f"10.0.{v // 256}.{v % 256}" for v in SPREAD], ("identifier", "string")),
        ("x", [f"{v}.5" for v in range(1, 1100)] + list("abcdef"), ("identifier", "string")),
        ("x", shuffled(*map(str, range(18)), "a", "b", "c", times=9), ("categorical", "string")),
        ("first_name", shuffled(*"abcdefghijkl", times=9), ("text", "string")),
        ("LastName", shuffled(*"abcdefghijkl", times=9), ("text", "string")),
        ("last_name", shuffled("a", "b", times=9), ("categorical", "string")),
        ("telephone", shuffled("none", "yes, registered", times=9), ("categorical", "string")),
        ("telephone", [f"+43 1 {v:07}" for v in SPREAD], ("text", "string")),
        ("x", [f"p{v}@example.org" for v in SPREAD], ("text", "string")),
        ("patient name", [f"Name{v} X" for v in SPREAD], ("text", "string")),
        ("clinic_name", shuffled(*[f"clinic {v}" for v in range(88)], times=9), ("categorical", "string")),
        ("remarks", [f"came back {v} times" for v in SPREAD], ("text", "string")),
        ("client_id", shuffled("A1", "A2", times=9), ("identifier", "string")),
        ("id_vehicle", shuffled("V01", "V02", "V03", times=9), ("categorical", "string")),
        ("x", shuffled("[0-10)", "[10-20)", "[20-30)", times=9), ("ordinal", "string")),
        ("x", shuffled("low", "high", "medium", times=9), ("ordinal", "string")),
        ("x", shuffled("<30", ">30", "NO", times=9), ("categorical", "string")),
    ],
)
def test_kinds(name: str, values: list[object], expected: tuple[str, str]):
    assert summary(drafted(name, values)) == expected


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pl.Series([True, False, None]), ("boolean", "bool")),
        (pl.Series([3, 4, 9], dtype=pl.UInt8), ("integer", "uint8")),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ("categorical", "string")),
        (pl.Series([dt.date(2020, 1, 1)]), ("date", "date")),
        (pl.Series([dt.timedelta(1)]), ("duration", "duration[us]")),
        (pl.Series([1], dtype=pl.Int64).cast(pl.Datetime("ns")), ("datetime", "datetime[ns]")),
        (pl.Series([0.25, 1.5], dtype=pl.Float32), ("number", "float32")),
        (pl.Series([Decimal("1.50"), Decimal("2.25")]), ("number", "float64")),
        (pl.Series([None, None]), ("categorical", "string")),
        (pl.Series([None], dtype=pl.Int16), ("categorical", "int16")),
        (pl.Series([], dtype=pl.Float64), ("categorical", "float64")),
        (pl.Series([None], dtype=pl.Boolean), ("boolean", "bool")),
        (pl.Series([None], dtype=pl.Date), ("date", "date")),
        (pl.Series([2**64 - 1, 2, 3], dtype=pl.UInt64), ("categorical", "uint64")),
        (pl.Series([2**63 + i for i in range(200)], dtype=pl.UInt64), ("identifier", "uint64")),
    ],
)
def test_storage(series: pl.Series, expected: tuple[str, str]):
    assert summary(drafted("x", series)) == expected


@pytest.mark.skipif(not hasattr(pl, "Float16"), reason="this polars has no half floats")
def test_half_floats_are_stored_as_single():
    column = drafted("x", pl.Series([0.1, 0.25], dtype=pl.Float32).cast(pl.Float16))
    assert summary(column) == ("number", "float32")


def test_bounds_and_levels_are_those_of_the_data():
    assert drafted("x", SPREAD).bounds == (min(SPREAD), max(SPREAD))
    assert drafted("x", [2.5, None, float("nan"), float("inf"), -1.25]).bounds == (-1.25, 2.5)
    assert drafted("x", [2**53 + 1, -(2**62), 5]).bounds == (-(2**62), 2**53 + 1)
    assert drafted("x", ["b", "", "a", None]).categories == ("", "a", "b")
    assert drafted("x", ["b", "a"], pl.Enum(["c", "b", "a"])).categories == ("c", "b", "a")
    assert drafted("x", [True, False]).categories is None
    assert drafted("x", shuffled("TRUE", "false", times=9)).categories == ("false", "TRUE")
    assert drafted("x", [float("inf"), float("-inf")]).bounds is None
    beyond_python = pl.Series([10_000_000, 0], dtype=pl.Int32).cast(pl.Date)
    assert drafted("x", beyond_python).bounds is None
    assert drafted("x", [dt.date(1600, 1, 1), dt.date(9999, 12, 31)]).bounds == (
        dt.date(1600, 1, 1),
        dt.date.max,
    )
    nanoseconds = pl.Series([1, 1001]).cast(pl.Datetime("ns"))
    assert drafted("x", nanoseconds).bounds == (EPOCH, EPOCH + dt.timedelta(microseconds=2))


EPOCH = dt.datetime.fromisoformat("1970-01-01")


def test_nullable():
    assert not drafted("x", [1, 2, 3]).nullable
    assert drafted("x", [1, 2, None]).nullable
    assert drafted("x", [1.5, 2.25, float("nan")]).nullable
    assert drafted("x", []).nullable
    assert drafted("x", [None, float("nan")]).categories == ()


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([0.1, 0.25, 3.0], 2),
        ([1e-6, 5.0], 6),
        ([1e-7, 5.0], None),
        ([1 / 3, 0.5], None),
        ([3.0, 4.0, 5.0], 0),
        ([1e14 + 0.5, 1.5], 1),
        ([1e15 + 0.5, 1.5], None),
        ([9e15, 1.0, 2.0], 0),
        ([1e300, 0.5], None),
        ([1.1 + 2.2, 0.5], 1),
        ([0.5, float("inf")], 1),
    ],
)
def test_decimals(values: list[float], decimals: int | None):
    assert drafted("x", values).decimals == decimals


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.lists(st.integers(-(10**8), 10**8), min_size=3, max_size=40, unique=True))
def test_decimals_are_the_fewest_digits_that_write_all_values(places: int, units: list[int]):
    values = [float(Decimal(unit).scaleb(-places)) for unit in units]
    fewest = max(max(0, -Decimal(unit).scaleb(-places).normalize().as_tuple().exponent) for unit in units)
    assert drafted("x", values).decimals == fewest


def test_decimals_of_float32_and_of_fixed_point():
    assert drafted("x", [0.1, 0.25, 12.0], pl.Float32()).decimals == 2
    assert drafted("x", [1234.567, 8.1], pl.Float32()).decimals == 3
    assert drafted("x", [123456.78, 0.1], pl.Float32()).decimals is None
    assert drafted("x", [Decimal("1.00"), Decimal("2.00"), Decimal("5.00")]).decimals == 2
    assert drafted("x", [Decimal("1" * 25 + ".5"), Decimal("0.1")]).decimals is None


@pytest.mark.parametrize(
    ("values", "special", "bounds"),
    [
        ([-1] * 50 + [*range(1, 90)], (-1,), (1, 89)),
        ([-9] * 50 + [-8] * 50 + [*range(90)], (-9, -8), (0, 89)),
        ([-99] * 50 + [999] * 50 + [*range(90)], (-99, 999), (0, 89)),
        ([99999] * 50 + [*range(0, 40000, 100)], (99999,), (0, 39900)),
        ([998] * 5 + [999] * 5 + [*range(90)], (998, 999), (0, 89)),
        ([0] * 50 + [*range(2000, 2020)], (0,), (2000, 2019)),
        ([0] * 50 + [2011, 2012, 2013, 2014], (0,), (2011, 2014)),
        # once is an outlier, not a mark
        ([-1, *range(1, 90)], (), (-1, 89)),
        ([0] * 4 + [*range(2000, 2020)], (), (0, 2019)),
        # numbers that cross zero, or come near
        ([-1] * 9 + [-2] * 9 + [*range(90)], (), (-2, 89)),
        ([-40] * 9 + [*range(90)], (), (-40, 89)),
        ([99] * 50 + [*range(90)], (), (0, 99)),
        ([0] * 50 + [*range(20, 90)], (), (0, 89)),
        # too few others to stand apart from
        ([99] * 9 + [40, 55, 60, 70] * 9, (), (40, 99)),
        ([-1] * 9 + [1, 2, 3, 4] * 9, (), (-1, 4)),
    ],
)
def test_special_values(values: list[int], special: tuple[int, ...], bounds: tuple[int, int]):
    for typed in (values, [float(value) for value in values]):
        column = drafted("x", typed)
        assert (column.special_values, column.bounds) == (special, bounds)
    days = drafted(
        "x",
        [dt.date(2000, 1, 1) + dt.timedelta(days=value % 100_000) for value in range(100)]
        + [dt.date.max] * 50,
    )
    assert days.special_values == (dt.date.max,)


def test_numbers_with_words_among_them():
    ages = drafted("x", [str(age) for age in range(20, 89)] + ["> 89"] * 9 + [None])
    assert (ages.kind, ages.dtype, ages.bounds, ages.special_values) == (
        Kind.INTEGER,
        "string",
        (20, 88),
        ("> 89",),
    )
    assert ages.nullable
    income = drafted("x", [f"{v}.25" for v in SPREAD] + ["N"] * 50 + ["?"])
    assert (income.special_values, income.decimals, income.kind) == (("?", "N"), 2, Kind.NUMBER)
    many_words = drafted("x", [str(v) for v in SPREAD] + list("abcdef"))
    assert many_words.kind is Kind.IDENTIFIER
    mostly_words = drafted("x", [str(v) for v in range(30)] + ["N"] * 31)
    assert (mostly_words.kind, mostly_words.special_values) == (Kind.INTEGER, ("N",))
    assert drafted("x", [f"{v}e5" for v in SPREAD]).decimals is None
    beyond_int64 = drafted("x", [str(10**30 + v) for v in range(30)] * 2)
    assert beyond_int64.kind is Kind.CATEGORICAL
    assert drafted("x", [f"+{v}" for v in SPREAD]).bounds == (min(SPREAD), max(SPREAD))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_amounts_that_are_mostly_missing_are_numbers(share: float):
    n_marks = int(len(SPREAD) * share / (1 - share))
    column = drafted("amount", [f"{v}.25" for v in SPREAD] + ["NA", "?"] * (n_marks // 2))
    assert (column.kind, column.special_values, column.bounds) == (
        Kind.NUMBER,
        ("?", "NA"),
        (min(SPREAD) + 0.25, max(SPREAD) + 0.25),
    )
    few = drafted("amount", [f"{v}.25" for v in range(19)] * 9 + ["NA"] * 9)
    assert few.kind is Kind.CATEGORICAL


@pytest.mark.parametrize(
    "cells",
    [
        [f"{v},38" for v in SPREAD],
        [f"{v:,}.00" for v in range(8000, 8400)],
        [f"{v:,}.00".translate(str.maketrans(",.", ".,")) for v in range(8000, 8400)],
        [f"$ {v}" for v in SPREAD] + ["n/a"],
        [f"({v} EUR)" for v in SPREAD],
        [f"{v}%" for v in SPREAD],
        [f"{v % 24}:{v % 60:02}:{v % 59:02}" for v in SPREAD],
        [f"{v % 12}:{v % 60:02} PM" for v in SPREAD],
        [f"2020-01-{1 + v % 28:02}T10:{v % 60:02}:00{('Z', '+02:00')[v % 2]}" for v in SPREAD],
        [f"{1 + v % 12:02}/{1 + v % 11:02}/2020 10:{v % 60:02}" for v in SPREAD],
    ],
)
def test_amounts_and_times_that_cannot_be_read_are_no_identifiers(cells: list[str]):
    once = list(dict.fromkeys(cells))
    for column in (drafted("x", once), drafted("x", cells[:3]), drafted("x", cells[:30] * 9)):
        assert column.kind in (Kind.TEXT, Kind.CATEGORICAL)
        assert column.format in (None, "sentence")
        assert (column.description or "").startswith("Draft: ")
    assert len(once) < 50 or drafted("x", once).kind is Kind.TEXT
    assert drafted("x", cells[:30] * 9).kind is Kind.CATEGORICAL


def test_codes_that_look_like_amounts_stay_codes():
    assert drafted("x", [f"ABC{v}" for v in SPREAD]).kind is Kind.IDENTIFIER
    assert drafted("x", [f"10.0.{v // 256}.{v % 256}" for v in SPREAD]).kind is Kind.IDENTIFIER
    assert drafted("account_id", [f"{v},38" for v in SPREAD]).kind is Kind.IDENTIFIER


def test_codes_of_diseases_are_no_numbers():
    """ICD-9: three digits and up to two decimals; V and E codes are rare, so that few rows may show none."""
    numbers = [f"{v}" for v in range(100, 180)] + [f"250.{v:02}" for v in range(20)]
    assert drafted("x", [*numbers, "V57", "E934"] * 9).kind is Kind.CATEGORICAL
    assert drafted("x", [*numbers, "?", "N"] * 9).kind is Kind.NUMBER
    for name in ("diag_1", "PrimaryDx", "icd9"):
        assert drafted(name, numbers * 9).kind is Kind.CATEGORICAL
        assert drafted(name, [float(cell) for cell in numbers] * 9).kind is Kind.CATEGORICAL
        assert drafted(name, list(range(100, 400)) * 9).kind is Kind.CATEGORICAL
    for name in ("age_at_diagnosis", "number_diagnoses", "diagnosis_date"):
        assert drafted(name, [float(cell) for cell in numbers] * 9).kind is Kind.NUMBER


def test_levels_that_are_numbers_are_in_their_order():
    assert drafted("x", shuffled("1", "10", "2", "-3", times=9)).categories == ("-3", "1", "2", "10")
    assert drafted("x", shuffled("1", "1.0", "01", "0.5", times=9)).categories == ("0.5", "01", "1", "1.0")
    assert drafted("x", shuffled("1", "10", "2", "?", times=9)).categories == ("1", "10", "2", "?")


def test_a_few_odd_cells_do_not_set_the_decimals():
    prices = [round(v / 100, 2) for v in SPREAD]
    odd = drafted("x", prices * 2 + [1.23456789012])
    assert (odd.decimals, odd.bounds) == (2, (min(prices), max(prices)))
    assert drafted("x", [*prices, 1.2345]).decimals == 4  # one in 701 is no oddity
    assert drafted("x", [*prices * 2, *[1.2345] * 2]).decimals == 4
    # of the amounts that are not zero all have cents
    assert drafted("x", [0.0] * 5000 + [12.34, 5.25, 6.75]).decimals == 2
    assert drafted("x", [*shuffled(*map(float, range(60)), times=90), 2.333333, 3.666667]).decimals == 0
    low = drafted("x", prices * 2 + [0.0049])
    assert (low.decimals, low.bounds) == (2, (0.0, max(prices)))
    whole = drafted("x", [float(v) for v in SPREAD] * 2 + [2.5])
    assert (whole.kind, whole.decimals, whole.bounds) == (Kind.NUMBER, 0, (2.0, float(max(SPREAD))))
    assert drafted("year_id", [float(v) for v in SPREAD] * 2 + [2.5]).kind is Kind.NUMBER


def test_odd_cells_are_rounded_by_check_and_fit():
    frame = pl.DataFrame({"x": [round(v / 100, 2) for v in SPREAD] * 3 + [0.0049, 99.999]})
    table = Table.conform(frame, draft_table(frame, name="t"))
    assert (table.schema["x"].decimals, table.schema["x"].bounds) == (2, (0.0, 100.0))
    assert check_table(table) == ()
    decoded = decode_table(encode_table(table), table.schema)["x"]
    assert decoded.to_list() == [*frame["x"][:-2], 0.0, 100.0]


def test_formats_of_a_csv_go_to_what_is_held_as_such():
    frame = pl.DataFrame(
        {
            "pay": [8033.0, 7459.0, 12.0],
            "rate": [0.5, 0.25, 0.75],
            "long": [1 / 3, 2.0, 5.5],
            "id": [8033.0, 7459.0, 12.0],
            "day": [dt.datetime.fromisoformat("2020-01-01")] * 3,
            "text": [f"2020-01-0{i}" for i in range(1, 4)],
        }
    )
    table = draft_table(frame, name="t")
    assert with_formats(table, {"pay": "0", "rate": "0.00", "long": "0.0", "id": "0.0"}) == table
    formats = {"pay": "0.0", "rate": "0", "long": "0", "day": "%d %Y.%f", "text": "%Y"}
    made = with_formats(table, formats)
    assert [column.format for column in made.columns] == ["0.0", "0", "0", None, "%d %Y%.f", "%Y-%m-%d"]
    check_schema(Schema(tables=(made,)))


def test_a_table_without_rows_says_that_nothing_is_known():
    empty = draft_table(pl.DataFrame({"a": []}), name="t")
    assert "nothing can be learnt" in (empty.description or "")
    assert draft_table(pl.DataFrame({"a": [1]}), name="t").description is None


MOMENTS = [
    dt.datetime.fromisoformat(f"20{m:02}-{m:02}-{2 * m:02}T{m + 8:02}:{5 * m - 5:02}:{m:02}")
    for m in range(1, 13)
]


@pytest.mark.parametrize(
    ("pattern", "form", "resolution"),
    [
        ("%Y-%m-%d", "%Y-%m-%d", None),
        ("%Y/%m/%d", "%Y/%m/%d", None),
        ("%d/%m/%Y", "%d/%m/%Y", None),
        ("%m/%d/%Y", "%m/%d/%Y", None),
        ("%-m/%-d/%Y", "%-m/%-d/%Y", None),
        ("%d.%m.%Y", "%d.%m.%Y", None),
        ("%d-%m-%y", "%d-%m-%y", None),
        ("%d %b %Y", "%d %b %Y", None),
        ("%d-%b-%y", "%d-%b-%y", None),
        ("%B %d, %Y", "%B %d, %Y", None),
        ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S", "second"),
        ("%Y-%m-%dT%H:%M:%S.250", "%Y-%m-%dT%H:%M:%S%.3f", "millisecond"),
        ("%Y-%m-%dT%H:%M:%S.000001", "%Y-%m-%dT%H:%M:%S%.6f", "microsecond"),
        ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%SZ", "second"),
        ("%Y-%m-%dT%H:%M+02:00", "%Y-%m-%dT%H:%M+02:00", "minute"),
        ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M", "minute"),
        ("%-m/%-d/%Y %-I:%M %p", "%-m/%-d/%Y %-I:%M %p", "minute"),
        ("%Y-%m-%d %H:00", "%Y-%m-%d %H:%M", "hour"),
    ],
)
def test_dates_held_as_text(pattern: str, form: str, resolution: str | None):
    texts = [moment.strftime(pattern) for moment in MOMENTS]
    column = drafted("x", texts)
    assert (column.dtype, column.format, column.resolution) == ("string", form, resolution)
    assert column.bounds is not None
    wanted = MOMENTS[0].date() if column.kind is Kind.DATE else MOMENTS[0].replace(second=0, microsecond=0)
    assert column.bounds[0] == wanted or str(column.bounds[0]).startswith(str(wanted)[:13])
    table = Table.conform(pl.DataFrame({"x": texts}), draft_table(pl.DataFrame({"x": texts}), name="t"))
    assert decode_table(encode_table(table), table.schema)["x"].to_list() == texts


@pytest.mark.parametrize(
    "texts",
    [
        ["01/02/2020", "03/04/2021"],  # day or month first?
        ["13/02/2020", "02/13/2020"],
        ["2020-01-31", "2020-02-31"],
        ["2020-01-31", "unknown"],
        ["2020-01-31", "2020-1-1"],
        ["20200131", "20200201"],
        ["0020-01-31", "0021-01-31"],
        ["2020-01-31T10:00:00.5", "2020-01-31T10:00:00.25"],
        ["2020-03-29T01:00:00+01:00", "2020-02-31T03:00:00+02:00"],
    ],
)
def test_text_that_is_no_date_for_sure(texts: list[str]):
    assert drafted("x", texts * 9).kind is Kind.CATEGORICAL


def test_eight_digits_are_a_date_where_the_name_says_so():
    column = drafted("birth_date", ["20200131", "19991201"])
    assert (column.kind, column.format, column.role) == (Kind.DATE, "%Y%m%d", Role.QUASI_IDENTIFIER)


def test_dates_that_read_the_same_either_way():
    assert drafted("x", ["01/01/2020", "02/02/2021"]).format == "%d/%m/%Y"
    assert drafted("x", ["03 May 2020", "04 May 2020"]).format == "%d %b %Y"


def test_offsets_that_differ_are_read_as_utc_and_written_so():
    texts = ["2020-03-29T01:00:00+01:00", "2020-03-29T03:00:00+02:00"]
    column = drafted("x", texts)
    assert (column.timezone, column.format, column.resolution) == ("UTC", "%Y-%m-%dT%H:%M:%S%.f%:z", "hour")
    table = Table.conform(pl.DataFrame({"x": texts}), draft_table(pl.DataFrame({"x": texts}), name="t"))
    written = decode_table(encode_table(table), table.schema)["x"].to_list()
    assert [dt.datetime.fromisoformat(text) for text in written] == [
        dt.datetime.fromisoformat(text) for text in texts
    ]


def test_timezone_and_resolution_of_stored_datetimes():
    hours = pl.Series(MOMENTS).dt.truncate("1h").dt.replace_time_zone("Asia/Kolkata")
    column = drafted("x", hours)
    assert (column.timezone, column.resolution) == ("Asia/Kolkata", "minute")  # half past the hour in UTC
    assert column.bounds == (hours.min(), hours.max())
    assert drafted("x", pl.Series(MOMENTS).dt.truncate("1d")).resolution == "day"
    assert drafted("x", [dt.timedelta(minutes=90)]).resolution == "minute"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[
            (name, Role.QUASI_IDENTIFIER)
            for name in ("age", "AGEP", "drv_sex1", "Place of birth", "native-country")
        ],
        *[(name, Role.SENSITIVE) for name in ("diagnosis", "HIV_status", "Income", "icd9_code")],
        *[(name, None) for name in ("vh_age", "hours", "storage", "balance")],
    ],
)
def test_roles(name: str, role: Role | None):
    assert drafted(name, shuffled("a", "b", "c", times=9)).role is role


def test_masks_of_identifiers():
    assert drafted("x", [f"A{v:08}-V{v % 7}" for v in SPREAD]).format == "A########-V#"
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    codes = [f"{letters[v % 26]}{letters[v // 26 % 26]}{v:05}" for v in SPREAD]
    assert drafted("x", codes).format == "??#####"
    for odd in ([f"K{v}" for v in SPREAD], [f"#{v:05}" for v in SPREAD], [f"é{v:05}" for v in SPREAD]):
        assert drafted("x", odd).format is None
    assert drafted("x", [f"A{v:02}" for v in range(60)]).format is None  # room for 1000 only


def test_keys_within_and_between_tables():
    people = pl.DataFrame({"person_id": SPREAD, "age": [v % 90 for v in SPREAD]})
    visits = pl.DataFrame(
        {"visit_id": SPREAD, "person_id": SPREAD[:350] * 2, "day": [v % 365 for v in SPREAD]}
    )
    strangers = pl.DataFrame({"person_id": [*SPREAD, 1, 1], "x": [*SPREAD, 1, 1]})
    schema = draft_schema({"people": people, "visits": visits, "strangers": strangers})
    assert [table.primary_key for table in schema.tables] == [("person_id",), ("visit_id",), ()]
    assert schema.foreign_keys == (
        ForeignKey(
            child="visits", child_columns=("person_id",), parent="people", parent_columns=("person_id",)
        ),
    )
    numbered = people.with_columns(row_id=pl.Series(range(1, len(SPREAD) + 1))).select("row_id", "person_id")
    pair = draft_schema({"one": numbered, "two": numbered.head(30)})
    assert [table.primary_key for table in pair.tables] == [("person_id",), ("person_id",)]
    assert {key.child_columns for key in pair.foreign_keys} == {("person_id",)}
    only = draft_schema({"one": numbered.select("row_id"), "two": numbered.select("row_id").head(30)})
    assert (only.tables[0].primary_key, only.foreign_keys) == (("row_id",), ())
    missing = draft_table(pl.DataFrame({"id": [*SPREAD, None]}), name="t")
    assert missing["id"].unique
    assert missing.primary_key == ()


def test_the_dialect_is_kept():
    dialect = CsvDialect(delimiter=";")
    assert draft_table(pl.DataFrame({"a": [1]}), name="t", csv=dialect).csv is dialect


def test_types_that_a_schema_cannot_store_are_listed_together():
    frame = pl.DataFrame(
        {
            "fine": [1],
            "list": [[1]],
            "struct": [{"a": 1}],
            "time": [dt.time(1)],
            "bytes": [b"x"],
            "wide": pl.Series([1], dtype=pl.Int128),
        }
    )
    with pytest.raises(StructureError) as caught:
        draft_table(frame, name="odd")
    assert [fault.where for fault in caught.value.faults] == [
        f"column {name!r}" for name in ("list", "struct", "time", "bytes", "wide")
    ]
    assert all(fault.hint for fault in caught.value.faults)
    with pytest.raises(StructureError) as caught:
        draft_schema({"odd": frame, "none": pl.DataFrame(), "good": pl.DataFrame({"a": [1]})})
    assert len(caught.value.faults) == 6
    assert str(caught.value.faults[0]).startswith(
        "table 'odd', column 'list': type List(Int64) is not supported"
    )
    assert str(caught.value.faults[-1]) == "table 'none': has no columns"
    with pytest.raises(StructureError, match="table 'none' has no columns"):
        draft_table(pl.DataFrame(), name="none")


DTYPES = [
    *(
        pl.Int8,
        pl.Int64,
        pl.UInt16,
        pl.UInt64,
        pl.Float32,
        pl.Float64,
        pl.String,
        pl.Boolean,
        pl.Date,
        pl.Null,
    ),
    *(
        pl.Datetime("us"),
        pl.Datetime("ms", "Europe/Vienna"),
        pl.Duration("us"),
        pl.Categorical,
        pl.Decimal(20, 3),
    ),
]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(dataframes(allowed_dtypes=DTYPES, min_cols=1, max_cols=4, max_size=30, allow_null=True))
def test_no_data_makes_a_draft_fail_and_every_cell_is_in_its_domain(frame: pl.DataFrame):
    table = draft_table(frame, name="t")
    schema = Schema(tables=(table,))
    assert schema_from_yaml(schema_to_yaml(schema)) == schema
    encoded = encode_table(Table.conform(frame, table))
    for name, column in encoded.columns.items():
        cells = frame[name]
        is_odd = ~cells.is_finite() if cells.dtype.is_float() else pl.Series([False] * len(cells))
        outside = column.codes == column.variable.n_levels
        assert not (outside & ~is_odd.fill_null(value=False).to_numpy()).any(), table[name]


def test_wide_and_high_cardinality_tables():
    wide = pl.DataFrame({f"🙂 {i}": [i, i + 1, None] for i in range(2000)})
    assert len(draft_table(wide, name="wide").columns) == 2000
    levels = pl.DataFrame({"code": [f"c{i}" for i in range(100_000)] * 2})
    (column,) = draft_table(levels, name="many").columns
    assert (column.kind, len(column.categories or ())) == (Kind.CATEGORICAL, 100_000)
