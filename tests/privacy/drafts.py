"""Tables of draft columns of every kind and storage, with cells that are as awkward as they come."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl
from hypothesis import strategies as st

from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.domains import domain_parts
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, PlannedPart
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import Column, Domain, Kind, TableSchema
from tests.unit.schema.strategies import columns, texts

_NUMBERS = ("1", "-3", "2.5", "1e5", "1e400", "inf", "nan", "0007", "9223372036854775808", "N", "> 89", "")
_DAYS = ("2020-01-31", "31/01/2020", "0001-01-01", "9999-12-31", "2020-02-30", "12020-01-01", "soon", "")


def cells(column: Column) -> st.SearchStrategy[object]:
    """What a column of that kind and storage may hold, null among it."""
    dtype = column.dtype
    if dtype.startswith(("int", "uint")):
        bits, is_signed = int(dtype.lstrip("uint")), dtype.startswith("i")
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
        some = st.integers(low, high) | st.integers(0, 3)
    elif dtype.startswith("float"):
        some = st.floats(width=int(dtype.removeprefix("float"))) | st.sampled_from([0.0, -0.0, 0.25, 1e-300])
    elif dtype == "bool":
        some = st.booleans()
    elif dtype == "string" and column.kind in (Kind.INTEGER, Kind.NUMBER):
        some = st.sampled_from(_NUMBERS) | st.integers(-999, 999).map(str)
    elif dtype == "string" and column.kind in (Kind.DATE, Kind.DATETIME):
        some = st.sampled_from(_DAYS) | st.dates().map(dt.date.isoformat)
    elif dtype == "string":
        some = texts
    elif dtype == "date":
        some = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 20_000)
    else:
        some = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**15)
    return st.none() | some


def as_series(column: Column, values: list[object]) -> pl.Series:
    """Cells in the column's type; times are given as physical integers."""
    wanted = polars_dtype(column)
    if wanted == pl.Date:
        return pl.Series(column.name, values, dtype=pl.Int32).cast(wanted)
    if wanted.is_temporal():
        return pl.Series(column.name, values, dtype=pl.Int64).cast(wanted)
    return pl.Series(column.name, values, dtype=wanted)


def quiet(schema: TableSchema, *, scale: float, threshold: int = 2) -> NoisyQueries:
    """Queries whose noise is small beside a few rows, so that domains are found in small tables."""
    planned = [
        PlannedPart(
            part=part,
            mechanism=ThresholdedDiscreteGaussian(scale=scale, threshold=threshold, count=part.count)
            if part.is_thresholded
            else DiscreteGaussian(scale=scale, count=part.count),
        )
        for part in domain_parts(schema)
    ]
    return NoisyQueries(Ledger(), BudgetPlan(budget=Budget(epsilon=1), sensitivity=1, parts=tuple(planned)))


@st.composite
def drafted_columns(draw: st.DrawFn, name: str = "x") -> Column:
    """A right column, of whatever kind, whose domain is a draft."""
    return replace(draw(columns(name)), domain=Domain())


@st.composite
def drafted_tables(
    draw: st.DrawFn, *, max_rows: int = 8, repeats: int = 1
) -> tuple[TableSchema, pl.DataFrame]:
    """A schema of draft columns, and a frame in its types; each row stands there `repeats` times."""
    drawn = tuple(draw(drafted_columns(name)) for name in "xyz"[: draw(st.integers(1, 3))])
    n_rows = draw(st.integers(0, max_rows))
    frame = pl.DataFrame(
        [
            as_series(column, draw(st.lists(cells(column), min_size=n_rows, max_size=n_rows)) * repeats)
            for column in drawn
        ]
    )
    key = draw(st.sampled_from([(), (drawn[0].name,), tuple(column.name for column in drawn)]))
    return TableSchema(name="t", columns=drawn, primary_key=key), frame
