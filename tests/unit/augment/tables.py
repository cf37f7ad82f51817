"""A table with a rare class: 1 in 12, told by two numbers; persons have two rows each."""

import datetime as dt

import numpy as np
import polars as pl

from tabsynth.api import confirm
from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema
from tabsynth.table import Table

SCHEMA = confirm(
    TableSchema(
        name="claims",
        columns=(
            Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", unique=True),
            Column(name="person", kind=Kind.IDENTIFIER, dtype="string"),
            Column(name="amount", kind=Kind.NUMBER, dtype="float64", bounds=(-20.0, 20.0)),
            Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 110)),
            Column(
                name="region", kind=Kind.CATEGORICAL, dtype="string", categories=("north", "south", "west")
            ),
            Column(
                name="fraud", kind=Kind.CATEGORICAL, dtype="string", categories=("no", "yes"), nullable=True
            ),
        ),
    ),
    by="a test",
    source="this file",
    on=dt.date(2026, 1, 1),
)
BY_PERSON = TableSchema(name="claims", columns=SCHEMA.columns, unit=PrivacyUnit(column="person", max_rows=5))


def claims(n: int = 600, seed: int = 1, *, schema: TableSchema = SCHEMA, overlap: float = 1.5) -> Table:
    rng = np.random.default_rng(seed)
    fraud = np.arange(n) % 12 == 0
    frame = pl.DataFrame(
        {
            "id": np.arange(n) + 1,
            "person": [f"ID{i // 2:08d}" for i in range(n)],
            "amount": np.round(rng.normal(fraud * overlap, 1.0).clip(-20, 20), 6),
            "age": rng.integers(18, 90, n),
            "region": rng.choice(["north", "south", "west"], n, p=[0.6, 0.37, 0.03]),
            "fraud": np.where(fraud, "yes", "no"),
        }
    )
    return Table.conform(frame, schema)
