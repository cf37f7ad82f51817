"""A small table with a rule of nearly every kind that it keeps, and ways to make others."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from tabsynth.schema.rules import (
    Combinations,
    Conditional,
    Exactly,
    Exclusive,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    NullsTogether,
    Range,
    Sum,
)
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
_DTYPES = {Kind.INTEGER: "int64", Kind.NUMBER: "float64", Kind.BOOLEAN: "bool", Kind.DATE: "date"}


def column(name: str, kind: Kind, **more: object) -> Column:
    more = {"dtype": _DTYPES.get(kind, "string"), "domain": PUBLIC, **more}
    return Column(name=name, kind=kind, **more)


def whole(name: str, lower: int, upper: int, **more: object) -> Column:
    return column(name, Kind.INTEGER, bounds=(lower, upper), **more)


def levels(name: str, *categories: str, **more: object) -> Column:
    return column(name, Kind.CATEGORICAL, categories=categories, **more)


def flag(name: str, **more: object) -> Column:
    return column(name, Kind.BOOLEAN, **more)


def table(*columns: Column, rules: tuple = ()) -> TableSchema:
    return TableSchema(name="t", columns=columns, constraints=rules)


START, END = dt.date(2020, 1, 1), dt.date(2021, 12, 31)
STAYS = table(
    column("id", Kind.IDENTIFIER, dtype="int64"),
    levels("town", "u", "v", "w", "x"),
    levels("region", "A", "B"),
    levels("land", "P"),
    column("came", Kind.DATE, bounds=(START, END)),
    column("left", Kind.DATE, bounds=(START, END)),
    flag("alive"),
    levels("cause", "x", "y", "z", nullable=True),
    whole("price", 1, 20),
    whole("number", 1, 20),
    whole("cost", 1, 400),
    whole("tip", 0, 50),
    whole("paid", 1, 450),
    flag("one"),
    flag("two"),
    flag("three"),
    whole("pulse", 30, 200, nullable=True),
    whole("pressure", 50, 250, nullable=True),
    whole("cash", 0, 9, nullable=True),
    whole("card", 0, 9, nullable=True),
    rules=(
        Hierarchy(
            columns=("town", "region", "land"),
            rows=(("u", "A", "P"), ("v", "A", "P"), ("w", "B", "P"), ("x", "B", "P")),
        ),
        Inequality(columns=("came", "left")),
        Conditional(condition="alive", then="cause IS NULL", otherwise="cause IS NOT NULL"),
        Formula(column="cost", sql="price * number"),
        Sum(column="paid", parts=("cost", "tip")),
        Exactly(columns=("one", "two", "three")),
        NullsTogether(columns=("pulse", "pressure")),
        Exclusive(columns=("cash", "card")),
        Range(column="price", lower=2, upper=20),
        Expression(sql="pulse IS NULL OR pulse > 30 OR alive"),
        Combinations(columns=("one", "two"), rows=((True, False), (False, True), (False, False))),
    ),
)


def stays(n: int = 800, seed: int = 0) -> pl.DataFrame:
    """Rows of `STAYS` that keep its rules."""
    rng = np.random.default_rng(seed)
    town = rng.choice(list("uvwx"), n, p=[0.4, 0.3, 0.2, 0.1])
    came = rng.integers(0, 700, n)
    alive = rng.random(n) < 0.6
    price, number, tip = rng.integers(2, 21, n), rng.integers(1, 21, n), rng.integers(0, 51, n)
    chosen = rng.integers(0, 3, n)
    pulse = [
        None if gone else int(x)
        for gone, x in zip(rng.random(n) < 0.2, rng.integers(40, 150, n), strict=True)
    ]
    how = rng.integers(0, 3, n)
    money = rng.integers(0, 10, n)
    day = np.datetime64("2020-01-01")
    return pl.DataFrame(
        {
            "id": np.arange(n),
            "town": town,
            "region": np.where(np.isin(town, ["u", "v"]), "A", "B"),
            "land": ["P"] * n,
            "came": day + came,
            "left": day + np.minimum(came + rng.integers(0, 60, n), 730),
            "alive": alive,
            "cause": [None if x else str(c) for x, c in zip(alive, rng.choice(list("xyz"), n), strict=True)],
            "price": price,
            "number": number,
            "cost": price * number,
            "tip": tip,
            "paid": price * number + tip,
            "one": chosen == 0,
            "two": chosen == 1,
            "three": chosen == 2,
            "pulse": pl.Series(pulse, dtype=pl.Int64),
            "pressure": pl.Series([None if x is None else x + 20 for x in pulse], dtype=pl.Int64),
            "cash": pl.Series(
                [int(m) if h == 0 else None for h, m in zip(how, money, strict=True)], dtype=pl.Int64
            ),
            "card": pl.Series(
                [int(m) if h == 1 else None for h, m in zip(how, money, strict=True)], dtype=pl.Int64
            ),
        }
    )
