"""Which rows break a rule: every kind, counted by hand."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.check import check_rules
from tabsynth.constraints.rules import computed_value, constraint_of, is_per_row
from tabsynth.errors import UsageError
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import (
    Check,
    Combinations,
    Conditional,
    Dependency,
    Exactly,
    Exclusive,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    Monotone,
    NullsTogether,
    Range,
    Sum,
    Unique,
    title_of,
)
from tabsynth.schema.types import Kind
from tests.unit.constraints.tables import STAYS, column, flag, levels, stays, table, whole

SCHEMA = table(
    whole("a", 0, 9, nullable=True),
    whole("b", 0, 9),
    levels("c", "x", "y", nullable=True),
    column("d", Kind.NUMBER, bounds=(0.0, 99.0), decimals=1),
    column("e", Kind.DATE, dtype="string", format="%d.%m.%Y"),
    column("f", Kind.DATE, dtype="string", format="%d.%m.%Y"),
    column("p", Kind.INTEGER, dtype="string", special_values=("N",)),
    flag("g"),
    flag("h"),
    column("s", Kind.DURATION, dtype="duration[us]"),
    column("m", Kind.DATETIME, dtype="string", format="%Y-%m-%d %H:%M"),
)
FRAME = pl.DataFrame(
    {
        "a": [1, 2, None, 5],
        "b": [2, 1, 3, 5],
        "c": ["x", "y", None, "x"],
        "d": [2.0, 2.0, 9.0, 25.04],
        "e": ["01.02.2020", "01.02.2020", "01.02.2020", "28.02.2020"],
        "f": ["02.01.2020", "01.02.2020", "03.03.2021", "01.01.2019"],
        "p": ["N", "3", "1", "0"],
        "g": [True, False, True, False],
        "h": [True, True, False, False],
        "s": [dt.timedelta(hours=n) for n in (1, 2, 3, 4)],
        "m": ["2020-01-01 10:00", "2020-01-01 09:00", "2020-01-02 00:00", "2020-01-03 00:00"],
    }
)
CASES = [
    (Range(column="p", lower=1), [3]),  # N is no number
    (Range(column="b", lower=2, upper=5, strict=True), [0, 1, 3]),
    (Range(column="a", upper=4), [3]),  # a null breaks nothing
    (Inequality(columns=("a", "b")), [1]),
    (Inequality(columns=("a", "b"), strict=True), [1, 3]),
    (Inequality(columns=("e", "f")), [0, 3]),  # as dates, not as text
    (Combinations(columns=("c", "b"), rows=(("x", 2), (None, 3))), [1, 3]),
    (Combinations(columns=("c", "b")), []),  # nothing is declared
    (Dependency(columns=("c",), determines=("b",), rows=(("x", 2), ("y", 1), (None, 3))), [3]),
    (Dependency(columns=("e",), determines=("g",)), [1]),  # two of three say true
    (Hierarchy(columns=("b", "c"), rows=((2, "x"), (1, "y"), (3, None), (5, "y"))), [3]),
    (Hierarchy(columns=("e", "g")), [1]),
    (Formula(column="d", sql="a * b"), [3]),  # 25.04 is .04 off
    (Formula(column="d", sql="a * b", tolerance=0.1), []),
    (Formula(column="d", sql="b / (b - 5)"), [0, 1, 2, 3]),  # a division by zero is no number
    (Sum(column="d", parts=("a", "b")), [0, 1, 3]),
    (Sum(column="d", parts=("a", "b"), tolerance=1.0), [3]),
    (Exactly(columns=("g", "h")), [0, 3]),
    (Exactly(columns=("g", "h"), count=2), [1, 2, 3]),
    (Unique(columns=("e",)), [1, 2]),
    (Unique(columns=("a", "c")), []),
    (Conditional(condition="c = 'x'", then="a < 5", otherwise="b > 2"), [1, 3]),
    (Conditional(condition="c = 'x'", then="a < 5"), [3]),
    (NullsTogether(columns=("a", "c")), []),
    (NullsTogether(columns=("a", "b")), [2]),
    (Exclusive(columns=("a", "c")), [0, 1, 3]),
    (Monotone(column="b"), [1]),
    (Monotone(column="b", decreasing=True), [2, 3]),
    (Monotone(column="b", within=("g",)), []),
    (Monotone(column="b", along="m", within=("h",)), []),
    (Monotone(column="b", along="m", within=("h",), decreasing=True), [0, 3]),
    (Monotone(column="d", strict=True), [1]),
    (Monotone(column="a"), []),
    (Expression(sql="a < b"), [1, 3]),
    (Check(columns=("b",), function=lambda frame: (frame["b"] > 2).to_numpy()), [0, 1]),
]


@pytest.mark.parametrize(("rule", "broken"), CASES)
def test_rows_that_break_a_rule(rule, broken):
    assert np.flatnonzero(constraint_of(rule, SCHEMA).violations(FRAME)).tolist() == broken


def test_lengths_of_time_add_up():
    schema = table(*(column(name, Kind.DURATION, dtype="duration[us]") for name in "xyz"))
    hours = [dt.timedelta(hours=n) for n in (1, 2, 3)]
    frame = pl.DataFrame({"x": hours, "y": hours, "z": [2 * hours[0], 2 * hours[1], hours[0]]})
    for tolerance, broken in ((None, [2]), (5 * 3600.0, [])):
        rule = Sum(column="z", parts=("x", "y"), tolerance=tolerance)
        assert np.flatnonzero(constraint_of(rule, schema).violations(frame)).tolist() == broken


def test_sums_of_narrow_types_do_not_wrap():
    """100 + 100 is 200, though an int8 of it is -56."""
    parts = [whole(name, 0, 127, dtype="int8") for name in "ab"]
    rule = Sum(column="c", parts=("a", "b"))
    frame = pl.DataFrame({"a": [100, 100], "b": [100, 100], "c": [200, -56]})
    frame = frame.cast({"a": pl.Int8, "b": pl.Int8})
    broken = constraint_of(rule, table(*parts, whole("c", -200, 254))).violations(frame)
    assert broken.tolist() == [False, True]


@pytest.mark.parametrize(
    ("dtype", "sql", "given", "told"),
    [
        ("int8", "a * b", (100, 3), 300),
        ("int16", "a * b + 1", (300, 300), 90_001),
        ("int32", "a * b", (100_000, 100_000), 10**10),
        ("uint8", "a - b", (1, 2), -1),
        ("uint16", "a * b", (300, 300), 90_000),
        ("uint32", "b - a", (7, 2), -5),
        ("uint64", "a - b", (1, 2), -1),
        ("uint64", "a / b", (2**63 + 2**20, 2), 2**62 + 2**19),
    ],
)
def test_expressions_of_narrow_types_do_not_wrap(dtype, sql, given, told):
    """What they compute is checked, computed and asked for in the same width."""
    schema = table(*(whole(name, 0, 9, dtype=dtype) for name in "ab"), whole("c", -(2**60), 2**60))
    cells = zip(schema.columns, (*given, told), strict=True)
    frame = pl.DataFrame([pl.Series(own.name, [cell], dtype=polars_dtype(own)) for own, cell in cells])
    assert frame.select(computed_value(Formula(column="c", sql=sql), schema)).item() == told
    for rule in (
        Formula(column="c", sql=sql),
        Expression(sql=f"{sql} = c"),
        Conditional(condition=f"{sql} = c", then=f"{sql} = {told}", otherwise="a < 0"),
    ):
        assert not constraint_of(rule, schema).violations(frame).any()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("EXTRACT(MONTH FROM d) * 30", 360),
        ("extract(day FROM d) * 10 + n", 320),
        ("DATE_PART('year', d) * 10000000", 20_240_000_000),
        ("LENGTH(s) - 5", -1),
        ("LENGTH(CONCAT(s, ' (LENGTH(')) - 20", -7),
        ("(LENGTH(s) - OCTET_LENGTH(s)) * n", -10),
        ("\"length (x)\" * 100 + LENGTH(REPLACE(s, 'it''s )', ''))", 704),
        ("STRPOS(s, 'x') - 3", -3),
    ],
)
def test_functions_that_give_narrow_numbers_do_not_wrap(sql, told):
    """December is an int8, and lengths are uint32; what stands in quotes is left alone."""
    schema = table(
        column("d", Kind.DATE, dtype="date"),
        levels("s", "abcé"),
        whole("n", 0, 99, dtype="int8"),
        whole("length (x)", 0, 99, dtype="int8"),
        whole("c", -(2**40), 2**40),
    )
    cells = {"d": [dt.date(2024, 12, 31)], "s": ["abcé"], "n": [10], "length (x)": [7], "c": [told]}
    types = {"n": pl.Int8, "length (x)": pl.Int8}
    frame = pl.DataFrame(cells).cast(types)
    assert frame.select(computed_value(Formula(column="c", sql=sql), schema)).item() == told
    assert not constraint_of(Expression(sql=f"{sql} = c"), schema).violations(frame).any()


def test_a_null_between_hides_nothing():
    schema = table(whole("x", 0, 9), whole("y", 0, 9, nullable=True), whole("z", 0, 9))
    frame = pl.DataFrame({"x": [5, 1], "y": pl.Series([None, None], dtype=pl.Int64), "z": [3, 3]})
    rule = Inequality(columns=("x", "y", "z"))
    assert constraint_of(rule, schema).violations(frame).tolist() == [True, False]


def test_what_is_of_one_row():
    """All but keys, columns that never fall, and mappings whose rows nobody has said."""
    for rule, _ in CASES:
        is_listed = getattr(rule, "rows", ()) is not None
        assert is_per_row(rule) == (rule.kind not in ("unique", "monotone") and is_listed), title_of(rule)


@pytest.mark.parametrize("given", [lambda frame: [1] * frame.height, lambda _: np.array([True])])
def test_a_function_gives_a_truth_for_every_row(given):
    rule = Check(columns=("b",), function=given)
    with pytest.raises(UsageError, match="expected 4 booleans"):
        constraint_of(rule, SCHEMA).violations(FRAME)


def test_a_table_is_held_against_all_of_its_rules():
    assert [one.n_violations for one in check_rules(stays(), STAYS)] == [0] * len(STAYS.constraints)
    worse = stays().with_columns(came=pl.col("left"), left=pl.col("came"))
    found = check_rules(worse, STAYS)
    assert found[1].n_violations == int((worse["came"] > worse["left"]).sum()) > 0
    assert {one.n_rows for one in found} == {800}
