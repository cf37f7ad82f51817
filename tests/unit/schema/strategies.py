"""Hypothesis strategies for schemas that are right, of every kind and storage."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tabsynth.schema.types import (
    Column,
    CsvDialect,
    Domain,
    ForeignKey,
    Kind,
    Origin,
    PrivacyUnit,
    Role,
    Schema,
    TableSchema,
)
from tabsynth.schema.validate import RESOLUTIONS, STORAGE, TEXT_FORMATS
from tabsynth.schema.validate_column import CLOCK_FORMATS

TREACHEROUS = (
    *(
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "null",
        "Null",
        "~",
        "",
        " ",
        "?",
        "-",
        ":",
        "a: b",
        "a #b",
        "#",
        "&x",
    ),
    *("*x", "!x", "|", ">", "> 89", "<=50K", "%", "@", "`", "{a}", "[0-10)", "a,b", "1", "-1", "1.0", "1e3"),
    *("1_000", "0x1F", "0o7", "012", "12:30:45", "2020-01-01", "2020-01-01T00:00:00Z", ".5", ".inf", ".NaN"),
    *(
        "true",
        "FALSE",
        "=",
        "<<",
        "---",
        "...",
        "'",
        '"',
        "\\",
        "a\nb",
        "\t",
        "a\r\nb",
        " a ",
        "naïve",
        "日本",
        "🙂",
    ),
    *("\x00", "\x85", "\u2028", "\ufeff", "\x7f", "Infinity", "nan", "e3", "\U0010ffff"),
)

names = st.one_of(st.sampled_from(TREACHEROUS), st.text(max_size=12))
texts = st.one_of(st.sampled_from(TREACHEROUS), st.text(max_size=12))
zones = st.sampled_from(["UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata"])
finite = st.floats(allow_nan=False, allow_infinity=False)
# Away from the first and last day, so that no offset leads out of the years 1 to 9999.
FIRST, LAST = dt.datetime.fromisoformat("0001-01-03"), dt.datetime.fromisoformat("9999-12-29")
moments = st.datetimes(min_value=FIRST, max_value=LAST)
moments_of_nanoseconds = st.datetimes(
    min_value=dt.datetime.fromisoformat("1677-09-23"), max_value=dt.datetime.fromisoformat("2262-04-09")
)


def _integers(dtype: str) -> st.SearchStrategy[int]:
    bits = int(dtype.lstrip("uint"))
    if dtype.startswith("u"):
        return st.integers(0, 2**bits - 1)
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _stored(dtype: str, timezone: str | None) -> st.SearchStrategy[object]:
    if dtype.startswith(("int", "uint")):
        return _integers(dtype)
    if dtype.startswith("float"):
        return finite
    if dtype.startswith("datetime"):
        held = moments_of_nanoseconds if dtype.endswith("[ns]") else moments
        return held.map(lambda m: m.replace(tzinfo=ZoneInfo(timezone)) if timezone else m)
    if dtype.startswith("duration"):
        days = {"[ns]": 106_751, "[us]": 106_751_991}.get(dtype[-4:], 999_999_999)
        return st.timedeltas(dt.timedelta(-days), dt.timedelta(days))
    return {"string": texts, "bool": st.booleans(), "date": st.dates()}[dtype]


def _bound(kind: Kind, dtype: str, timezone: str | None) -> st.SearchStrategy[object]:
    if kind is Kind.INTEGER:
        return _integers(dtype) if "int" in dtype else st.integers(-(2**70), 2**70)
    by_kind = {Kind.NUMBER: "float64", Kind.DATE: "date", Kind.DATETIME: "datetime[us]"}
    return _stored(by_kind.get(kind, "duration[us]"), timezone)


domains = st.one_of(
    st.builds(Domain, st.sampled_from([Origin.DRAFT, Origin.CHARGED])),
    st.builds(
        Domain,
        st.just(Origin.PUBLIC),
        texts.map(lambda text: f"by {text}"),
        texts.map(lambda text: f"source {text}"),
        st.none() | st.dates(),
    ),
)


@st.composite
def columns(draw: st.DrawFn, name: str = "x") -> Column:
    kind = draw(st.sampled_from(Kind))
    dtype = draw(st.sampled_from(STORAGE[kind]))
    timezone = draw(st.none() | zones) if kind is Kind.DATETIME else None
    offset = "" if timezone is None else "%:z"
    levels = st.lists(_stored(dtype, timezone), unique=True, max_size=2 if kind is Kind.BOOLEAN else 5)
    bounds = categories = format_ = resolution = None
    specials: list[object] = []
    nullable = draw(st.booleans())
    if kind.is_continuous:
        bound = _bound(kind, dtype, timezone)
        bounds = draw(st.none() | st.tuples(bound, bound).map(lambda pair: tuple(sorted(pair))))
        specials = draw(levels)
    if kind.is_discrete:
        categories = tuple(draw(levels)) or None
    if kind in (Kind.DATE, Kind.DATETIME) and dtype == "string":
        format_ = draw(st.sampled_from(["%Y-%m-%d", "%d/%m/%Y"])) + offset
    elif kind is Kind.NUMBER:
        format_ = draw(st.sampled_from([None, "0", "0.0", "0.00"]))
    elif kind is Kind.DURATION:
        format_ = draw(st.none() | st.sampled_from(CLOCK_FORMATS))
    elif kind is Kind.TEXT:
        format_ = draw(st.none() | st.sampled_from(TEXT_FORMATS))
    elif kind is Kind.IDENTIFIER:
        format_ = draw(st.none() | texts)
    if kind in (Kind.DATETIME, Kind.DURATION):
        resolution = draw(st.none() | st.sampled_from(RESOLUTIONS))
    domain = draw(domains)
    if kind.is_discrete and categories is None:
        domain = Domain()
    return Column(
        name=name,
        kind=kind,
        dtype=dtype,
        role=draw(st.none() | st.sampled_from(Role)),
        nullable=nullable,
        bounds=bounds,
        categories=categories,
        special_values=tuple(specials),
        decimals=draw(st.none() | st.integers(0, 15)) if kind is Kind.NUMBER else None,
        resolution=resolution,
        timezone=timezone,
        format=format_,
        unique=draw(st.booleans()) if kind is Kind.IDENTIFIER else False,
        description=draw(st.none() | texts),
        measured_in=draw(st.none() | texts.map(lambda text: f"{text[:50]}m")),
        domain=domain,
    )


dialects = st.builds(
    CsvDialect,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    encoding=st.sampled_from(["utf-8", "latin-1", "cp1252"]),
    null_marks=st.lists(texts, min_size=1, max_size=3).map(tuple),
    decimal=st.sampled_from([".", ","]),
)


@st.composite
def tables(draw: st.DrawFn, name: str = "t") -> TableSchema:
    column_names = draw(st.lists(names, unique=True, min_size=1, max_size=4))
    some = st.lists(st.sampled_from(column_names), unique=True, max_size=2).map(tuple)
    found = tuple(draw(columns(column)) for column in column_names)
    person = draw(st.sampled_from(column_names))
    orders = [
        one.name
        for one in found
        if one.name != person and (one.kind.is_continuous or one.kind is Kind.IDENTIFIER)
    ]
    by_person = st.builds(
        PrivacyUnit,
        column=st.just(person),
        max_rows=st.integers(1, 99),
        order_by=st.sampled_from([None, *orders]),
    )
    return TableSchema(
        name=name,
        columns=found,
        primary_key=draw(some),
        unit=draw(st.just(PrivacyUnit()) | by_person),
        csv=draw(st.just(CsvDialect()) | dialects),
        description=draw(st.none() | texts),
    )


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    drawn = [draw(tables(name)) for name in draw(st.lists(names, unique=True, min_size=1, max_size=3))]
    child, parent = drawn[0], drawn[-1]
    key = ForeignKey(
        child=child.name,
        child_columns=(child.column_names[0],),
        parent=parent.name,
        parent_columns=(parent.column_names[-1],),
    )
    return Schema(tables=tuple(drawn), foreign_keys=draw(st.sampled_from([(), (key,), (key, key)])))
