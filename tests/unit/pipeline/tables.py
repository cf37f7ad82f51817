"""Visits of persons, whose state goes on as it may, and their schema."""

import datetime as dt

import numpy as np
import polars as pl

from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema

DAY = dt.date(2020, 1, 1)
NEXT = {"new": ("open",), "open": ("open", "held", "shut"), "held": ("open", "shut"), "shut": ("shut",)}
PERSON = Column(name="pid", kind=Kind.IDENTIFIER, dtype="string", format="P#####")
WHEN = Column(name="day", kind=Kind.DATE, dtype="date")
SITE = Column(name="site", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c"))
STATE = Column(name="state", kind=Kind.CATEGORICAL, dtype="string", categories=tuple(NEXT))
SCORE = Column(name="score", kind=Kind.INTEGER, dtype="int64", bounds=(0, 49))


def schema_of(*columns, order_by, max_rows=9, person="pid", **more):
    unit = PrivacyUnit(column=person, max_rows=max_rows, order_by=order_by)
    return TableSchema(name="visits", unit=unit, columns=columns, **more)


VISITS = schema_of(PERSON, WHEN, SITE, STATE, SCORE, order_by="day")


def visits(n_persons=400, seed=0):
    """One to five visits of each person, days apart; all rows in random order."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_persons):
        site, state, day = str(rng.choice(["a", "b", "c"])), "new", int(rng.integers(300))
        for _ in range(rng.integers(1, 6)):
            rows.append((f"P{person:05}", DAY + dt.timedelta(day), site, state, int(rng.integers(50))))
            state, day = str(rng.choice(NEXT[state])), day + int(rng.integers(1, 9))
    frame = pl.DataFrame(rows, schema=list(VISITS.column_names), orient="row")
    return frame[rng.permutation(frame.height)]
