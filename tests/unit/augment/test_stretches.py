"""Stretches: what a cell says of itself is met by its rows and no others, and its ends are nobody's cell."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tabsynth.augment.stretches import COARSE, FINE, Axis, axis_of
from tabsynth.cli.conditions import read_conditions
from tabsynth.encode import encode_table
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table
from tabsynth.where import conditions_of

N = 2_000
FIRST = dt.date(2024, 1, 1)


def number(values, **named) -> tuple[Column, pl.Series]:
    said = {"kind": Kind.NUMBER, "dtype": "float64", **named}
    return Column(name="a=b", **said), pl.Series("a=b", values)


def columns() -> dict[str, tuple[Column, pl.Series]]:
    rng = np.random.default_rng(5)
    normal, days = rng.normal(size=N), rng.integers(0, 2_000, N)
    moments = (pl.Series(1_704_067_200 + rng.integers(0, 10**7, N)) * 10**6).cast(pl.Datetime("us"))
    dates = [FIRST + dt.timedelta(days=int(day)) for day in days]
    missing = [None if i % 7 == 0 else float(x) for i, x in enumerate(normal)]
    whole = {"kind": Kind.INTEGER, "dtype": "int64"}
    return {
        "line": number(normal),
        "float32": number(normal.astype(np.float32), dtype="float32"),
        "cents": number(rng.lognormal(5, 1, N).round(2), decimals=2),
        "zeros": number(np.where(rng.random(N) < 0.4, 0.0, rng.lognormal(8, 2, N))),
        "nulls": number(missing, nullable=True),
        "special": number(rng.integers(18, 90, N), nullable=True, special_values=(-9, -8), **whole),
        "few": number(rng.integers(0, 6, N), **whole),
        "bounds": number(rng.integers(0, 200, N), bounds=(0, 150), **whole),
        "large": number(rng.integers(-(2**62), 2**62, N), **whole),
        "date": number(dates, kind=Kind.DATE, dtype="date"),
        "text date": number(
            [f"{day:%d.%m.%Y}" for day in dates], kind=Kind.DATE, dtype="string", format="%d.%m.%Y"
        ),
        "moment": number(moments, kind=Kind.DATETIME, dtype="datetime[us]"),
        "milliseconds": number(
            moments.cast(pl.Datetime("ms")), kind=Kind.DATETIME, dtype="datetime[ms]", resolution="minute"
        ),
        "zone": number(
            moments.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"),
            kind=Kind.DATETIME, dtype="datetime[us]", timezone="Asia/Tokyo",
        ),
        "yes": number(rng.random(N) < 0.4, kind=Kind.BOOLEAN, dtype="bool"),
        "level": number(
            rng.choice(["", ">50K", '"x"', "a, b"], N), kind=Kind.CATEGORICAL, dtype="string",
            categories=("", ">50K", '"x"', "a, b"),
        ),
    }  # fmt: skip


def axis(name: str, at: tuple[float, ...] = FINE) -> tuple[Axis, TableSchema]:
    column, series = columns()[name]
    schema = TableSchema(name="t", columns=(column,))
    table = Table.conform(series.to_frame(), schema)
    return axis_of(column, encode_table(table).columns[column.name], at=at), schema


def asked_of(found: Axis) -> list[tuple[int, object]]:
    """Every cell that is a slice, and what it says."""
    return [(cell, found.text(cell, cell)) for cell in np.flatnonzero(found.is_slice).tolist()]


@pytest.mark.parametrize("at", [FINE, COARSE], ids=["fine", "coarse"])
@pytest.mark.parametrize("name", columns())
def test_what_a_cell_says_is_met_by_its_rows_alone(name, at):
    found, schema = axis(name, at)
    for cell, text in asked_of(found):
        if not (found.codes == cell).any() and isinstance(text, dict):
            continue
        [condition] = conditions_of({"a=b": text}, schema)
        assert np.array_equal(condition.holds(found.encoded), found.codes == cell), text


@pytest.mark.parametrize("name", columns())
def test_a_command_line_reads_a_stretch_as_it_is_meant(name):
    found, schema = axis(name)
    for cell, text in asked_of(found):
        if isinstance(text, dict) and (found.codes == cell).any():
            asked = read_conditions([f"a=b{sign}{value}" for sign, value in text.items()], schema)
            assert conditions_of(asked, schema) == conditions_of({"a=b": text}, schema)


def test_ends_are_round_numbers_near_the_quantiles():
    """Of 2,000 standard normal numbers, quantiles are known to ± .07 at the ends and less within."""
    from scipy.stats import norm

    found, _ = axis("line")
    ends = np.array([cut.value for cut in found.cuts])
    assert np.array_equal(ends, ends.round(1))
    near = norm.ppf(FINE)
    assert len(ends) == len(FINE)
    assert np.abs(ends - near).max() < 0.2
    first, last = found.text(0, 0), found.text(len(ends), len(ends))
    assert (list(first), list(last)) == (["<"], [">="])  # open ends
    dates, _ = axis("date")
    assert all(str(text).count("-01'") for _, text in asked_of(dates))  # firsts of months


def test_numbers_that_many_rows_share_stand_by_themselves():
    zeros, _ = axis("zeros")
    texts = [text for cell, text in asked_of(zeros) if (zeros.codes == cell).any()]
    assert texts[0] == "0.0"
    assert list(texts[1]) == [">", "<"]
    few, _ = axis("few")
    assert [text for cell, text in asked_of(few) if (few.codes == cell).any()] == list("012345")


def test_no_end_is_one_rows_own_cell():
    """Numbers of 15 decimals, each of them in one row: no end is among them."""
    for seed in range(20):
        values = np.random.default_rng(seed).normal(size=60)
        column, series = number(values)
        table = Table.conform(series.to_frame(), TableSchema(name="t", columns=(column,)))
        found = axis_of(column, encode_table(table).columns["a=b"], at=FINE)
        assert found.cuts
        assert not {cut.value for cut in found.cuts} & set(values)


@pytest.mark.parametrize("values", [[], [None] * 40, [3.0] * 40, [1.0, 2.0, 3.0]])
def test_columns_that_cannot_be_cut_are_left_whole(values):
    column, series = number(pl.Series(values, dtype=pl.Float64), nullable=True)
    table = Table.conform(series.to_frame(), TableSchema(name="t", columns=(column,)))
    found = axis_of(column, encode_table(table).columns["a=b"], at=FINE)
    texts = [text for _, text in asked_of(found) if not isinstance(text, dict)]
    assert texts == ([None] if 3.0 not in values or len(values) == 3 else ["3.0", None])
