"""`--where` texts to values."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tabsynth.cli.conditions import read_conditions
from tabsynth.errors import ConditionError
from tabsynth.schema.types import Column, Kind, TableSchema

_SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="age", kind=Kind.INTEGER, dtype="int64"),
        Column(name="a=b", kind=Kind.NUMBER, dtype="float64"),
        Column(name="two words", kind=Kind.CATEGORICAL, dtype="string"),
        Column(name=" padded", kind=Kind.CATEGORICAL, dtype="string"),
        Column(name="smoker", kind=Kind.BOOLEAN, dtype="bool"),
        Column(name="day", kind=Kind.DATE, dtype="date"),
        Column(name="written", kind=Kind.DATE, dtype="date", format="%d.%m.%Y"),
        Column(name="moment", kind=Kind.DATETIME, dtype="datetime[us]", timezone="Europe/Vienna"),
        Column(name="stay", kind=Kind.DURATION, dtype="duration[us]"),
        Column(name="code", kind=Kind.CATEGORICAL, dtype="int8"),
        Column(name="", kind=Kind.CATEGORICAL, dtype="string"),
    ),
)


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("age=40", "age", 40),
        ("age = 40", "age", 40),
        ("age=", "age", None),
        ("a=b=1.5", "a=b", 1.5),
        ("two words=x=y", "two words", "x=y"),
        ("two words= x", "two words", " x"),
        (" padded=x", " padded", "x"),
        ("smoker=yes", "smoker", True),
        ("smoker=False", "smoker", False),
        ("day=2025-03-01", "day", dt.date(2025, 3, 1)),
        ("written=01.03.2025", "written", dt.date(2025, 3, 1)),
        (
            "moment=2025-03-01 12:00:00",
            "moment",
            dt.datetime(2025, 3, 1, 12, tzinfo=ZoneInfo("Europe/Vienna")),
        ),
        ("stay=P2D", "stay", dt.timedelta(days=2)),
        ("code=-3", "code", -3),
        ("=x", "", "x"),
    ],
)
def test_values_have_the_type_of_their_column(text: str, column: str, value: object) -> None:
    assert read_conditions([text], _SCHEMA) == {column: value}


def test_several_hold_together() -> None:
    assert read_conditions(["age=40", "smoker=true"], _SCHEMA) == {"age": 40, "smoker": True}
    assert read_conditions([], _SCHEMA) == {}


def test_everything_that_is_wrong_is_listed() -> None:
    texts = [
        "aeg=4",
        "age",
        "age=old",
        "smoker=maybe",
        "smoker=true",
        "day=tomorrow",
        "moment=noon",
        "a=b=x",
        "code=400",
    ]
    named = TableSchema(name="t", columns=_SCHEMA.columns[:-1])
    with pytest.raises(ConditionError) as caught:
        read_conditions(texts, named)
    assert str(caught.value) == (
        "--where cannot be meant so: no column 'aeg' (did you mean 'age'?); "
        "expected column=value (column= for null), found no =; "
        "'age' expects a whole number; 'smoker' expects true or false; 'smoker' is held at two values; "
        "'day' expects a date such as 2020-01-31; 'moment' expects a time such as 2020-01-31 12:30:00; "
        "'a=b' expects a number; 'code' expects a whole number"
    )
