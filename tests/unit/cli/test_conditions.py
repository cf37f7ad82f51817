"""`--where` texts to values."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tabsynth.cli.conditions import read_conditions, read_shares
from tabsynth.errors import ConditionError, UsageError
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
        Column(name="quoted", kind=Kind.CATEGORICAL, dtype="string", categories=("'a'", "b", "(c)")),
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


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("age==65", "a whole number: one = is enough"),
        ("age=>65", "a whole number: >= is written that way round"),
        ("age=null", "a whole number: a null is column= and nothing"),
        ("age>=65 <80", "a whole number: give the other bound in a --where of its own"),
        ("age=''", "a whole number"),
        ("age=old", "a whole number"),
    ],
)
def test_what_is_often_meant_is_said(text: str, hint: str) -> None:
    with pytest.raises(ConditionError) as caught:
        read_conditions([text], _SCHEMA)
    assert str(caught.value) == f"--where cannot be meant so: 'age' expects {hint}"


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["age>=18", "age<65"], {"age": {">=": 18, "<": 65}}),
        (["age != 3"], {"age": {"!=": 3}}),
        (["age!="], {"age": {"!=": None}}),
        (["age in 3, 4,"], {"age": {"in": [3, 4, None]}}),
        (["age  not  in 3"], {"age": {"not in": [3]}}),
        (["two words in a,'b', \"c, d\""], {"two words": {"in": ["a", "b", "c, d"]}}),
        (["two words in ('a, b', l'Or, 's-Hof)"], {"two words": {"in": ["a, b", "l'Or", "'s-Hof"]}}),
        (["two words in (a), (b)"], {"two words": {"in": ["(a)", "(b)"]}}),
        (["quoted in (c)"], {"quoted": {"in": ["(c)"]}}),
        (["quoted in (b, 'a')"], {"quoted": {"in": ["b", "'a'"]}}),
        (["age in "], {"age": {"in": []}}),
        (["two words='it''s'"], {"two words": "it's"}),
        (["two words = 'a'"], {"two words": "a"}),
        (["two words=''"], {"two words": ""}),
        (["quoted='a'"], {"quoted": "'a'"}),
        (["quoted in 'a', b"], {"quoted": {"in": ["'a'", "b"]}}),
        (["two words='a' or 'b'"], {"two words": "'a' or 'b'"}),
        (["age='40'"], {"age": 40}),
        (["age between 18 and 65"], {"age": {">=": 18, "<=": 65}}),
        (["age BETWEEN 18 AND 65", "age<>40"], {"age": {">=": 18, "<=": 65, "!=": 40}}),
        (
            ["day between '2025-03-01' and 2025-03-02"],
            {"day": {">=": dt.date(2025, 3, 1), "<=": dt.date(2025, 3, 2)}},
        ),
        (["age is null", "day IS NOT NULL"], {"age": None, "day": {"!=": None}}),
        (["two words=x is null"], {"two words": "x is null"}),
        (["two words=died in hospital"], {"two words": "died in hospital"}),
        (["a=b<=1.5"], {"a=b": {"<=": 1.5}}),
        (["day>2025-03-01", "day=2025-03-02"], {"day": {">": dt.date(2025, 3, 1), "=": dt.date(2025, 3, 2)}}),
    ],
)
def test_comparisons_are_read(texts: list[str], wanted: object) -> None:
    assert read_conditions(texts, _SCHEMA) == wanted


def test_words_that_need_another_form_are_told_it() -> None:
    with pytest.raises(ConditionError) as caught:
        read_conditions(["age between 18", "day not between 1 and 2"], _SCHEMA)
    assert str(caught.value) == (
        "--where cannot be meant so: 'age': between is written as in age between 18 and 65; 'day': not between is two "
        "ranges, which --where cannot hold at once: draw each by itself"
    )


@pytest.mark.parametrize("text", ["age!=3:0.5", "age<>3:0.5", "age in 3, 4:0.5", "age between 1 and 2:0.5"])
def test_a_share_of_all_but_a_group_is_told_what_a_group_is(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_shares([text], _SCHEMA, option="--rebalance")
    assert str(caught.value) == (
        f"--rebalance cannot be meant so: {text!r}: a group is a value or a range, as in age=value:number; what is in no "
        "group needs none"
    )


def test_a_comparison_is_made_once() -> None:
    with pytest.raises(ConditionError, match="'age' has >= twice; 'smoker' expects true or false"):
        read_conditions(["age>=3", "age>=4", "smoker in maybe"], _SCHEMA)


def test_shares_are_read() -> None:
    texts = [
        "two words=>50K:0.5",
        "two words=:0.25",
        "age<30:0.2",
        "age>=30 <50:0.3",
        "smoker=even",
        "code=-3:1",
    ]
    assert read_shares(texts, _SCHEMA, option="--rebalance") == {
        "two words": {">50K": 0.5, None: 0.25},
        "age": {"<30": 0.2, ">=30 <50": 0.3},
        "smoker": "even",
        "code": {-3: 1.0},
    }


def test_shares_that_cannot_be_read_are_listed() -> None:
    texts = ["aeg=3:1", "age=3", "age=x:1", "age=4:y", "smoker=even", "smoker=yes:1", "code=1:1", "code=1:2"]
    named = TableSchema(name="t", columns=_SCHEMA.columns[:-1])
    with pytest.raises(UsageError) as caught:
        read_shares(texts, named, option="--rebalance")
    assert str(caught.value) == (
        "--rebalance cannot be meant so: no column 'aeg' (did you mean 'age'?); "
        "'age=3': expected column=value:number; 'age=x:1': expected column=value:number; "
        "'age=4:y': expected column=value:number; 'smoker' has a group twice; 'code' has a group twice"
    )
