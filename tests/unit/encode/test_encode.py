"""Encoders against hand-made cells, and round trips over generated ones."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.encode import decode_table, encode_table
from tabsynth.encode.table import encoder_of, variables_of
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table


def one(column: Column, cells: list) -> tuple[Table, TableSchema]:
    from tabsynth.schema.dtypes import polars_dtype

    schema = TableSchema(name="t", columns=(column,))
    frame = pl.DataFrame({column.name: pl.Series(cells, dtype=polars_dtype(column), strict=False)})
    return Table.conform(frame, schema), schema


def test_categories_nulls_and_unknowns_have_their_codes():
    column = Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=("x", "y"), nullable=True)
    table, _ = one(column, ["y", "x", None, "z"])
    encoded = encode_table(table).columns["c"]
    assert encoded.codes.tolist() == [1, 0, 2, 3]
    assert encoded.codes.dtype == np.uint8
    assert encoded.variable.null_code == 2
    assert encoded.variable.n_levels == 3


def test_null_in_a_column_without_nulls_is_outside_the_domain():
    column = Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=("x", "y"))
    assert encode_table(one(column, ["x", None])[0]).columns["c"].codes.tolist() == [0, 2]


def test_category_column_without_categories_holds_nulls_only():
    column = Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=(), nullable=True)
    table, schema = one(column, [None, "x"])
    encoded = encode_table(table)
    assert encoded.columns["c"].codes.tolist() == [0, 1]
    assert decode_table(encoded, schema)["c"].to_list() == [None, None]


def test_special_values_stand_beside_the_numbers():
    column = Column(
        name="v",
        kind=Kind.INTEGER,
        dtype="string",
        special_values=("N", "> 89"),
        nullable=True,
        bounds=(0, 90),
    )
    table, schema = one(column, ["12", "N", None, "> 89", "abc", "7"])
    encoded = encode_table(table)
    assert encoded.columns["v"].codes.tolist() == [0, 2, 1, 3, 4, 0]
    assert encoded.columns["v"].values.tolist() == [12, 0, 0, 0, 0, 7]
    assert decode_table(encoded, schema)["v"].to_list()[:4] == ["12", "N", None, "> 89"]


def test_numeric_sentinel_is_a_level_and_not_a_number():
    column = Column(name="v", kind=Kind.INTEGER, dtype="int64", special_values=(-1,))
    table, schema = one(column, [-1, 5, 0])
    encoded = encode_table(table)
    assert encoded.columns["v"].codes.tolist() == [1, 0, 0]
    assert decode_table(encoded, schema)["v"].to_list() == [-1, 5, 0]


def test_infinities_are_outside_the_domain():
    column = Column(name="v", kind=Kind.NUMBER, dtype="float64")
    encoded = encode_table(one(column, [1.5, math.inf, -math.inf])[0]).columns["v"]
    assert encoded.codes.tolist() == [0, 1, 1]
    assert encoded.values.tolist() == [1.5, 0.0, 0.0]


def test_decimals_make_a_lattice_and_bounds_follow():
    column = Column(name="v", kind=Kind.NUMBER, dtype="float64", decimals=2, bounds=(0.1, 9.99))
    table, schema = one(column, [1.25, 0.1, 9.99])
    encoded = encode_table(table)
    assert encoded.columns["v"].values.tolist() == [125, 10, 999]
    variable = encoded.columns["v"].variable
    assert (variable.lower, variable.upper, variable.is_lattice) == (10, 999, True)
    assert decode_table(encoded, schema)["v"].to_list() == [1.25, 0.1, 9.99]


def test_integers_beyond_the_float_range_survive():
    big = 2**60 + 1
    column = Column(name="v", kind=Kind.INTEGER, dtype="int64", bounds=(0, big + 5))
    table, schema = one(column, [big, big + 2])
    assert decode_table(encode_table(table), schema)["v"].to_list() == [big, big + 2]


def test_decode_holds_values_within_the_bounds():
    column = Column(name="v", kind=Kind.INTEGER, dtype="int64", bounds=(0, 10))
    encoder = encoder_of(column)
    assert encoder.decode(np.zeros(2, np.uint8), np.array([-5, 50])).to_list() == [0, 10]


def test_times_count_in_their_resolution():
    start = dt.datetime(2020, 3, 29, 0, tzinfo=dt.UTC)
    column = Column(
        name="t", kind=Kind.DATETIME, dtype="datetime[us]", resolution="hour", timezone="Europe/Berlin"
    )
    cells = [start + dt.timedelta(hours=h) for h in range(3)]  # across the change to summer time
    table, schema = one(column, cells)
    encoded = encode_table(table)
    assert np.diff(encoded.columns["t"].values).tolist() == [1, 1]
    assert [cell.astimezone(dt.UTC) for cell in decode_table(encoded, schema)["t"]] == cells


def test_dates_far_outside_the_range_of_nanoseconds():
    column = Column(name="d", kind=Kind.DATE, dtype="date", bounds=(dt.date(1, 1, 1), dt.date(9999, 12, 31)))
    cells = [dt.date(1, 1, 1), dt.date(1600, 2, 29), dt.date(9999, 12, 31)]
    table, schema = one(column, cells)
    encoded = encode_table(table)
    assert decode_table(encoded, schema)["d"].to_list() == cells
    assert encoded.columns["d"].variable.upper == encoded.columns["d"].values[2]


def test_dates_held_as_text_keep_their_format():
    column = Column(name="d", kind=Kind.DATE, dtype="string", format="%d/%m/%Y")
    table, schema = one(column, ["01/02/2020", "29/02/2020", "30/02/2020"])
    encoded = encode_table(table)
    assert encoded.columns["d"].codes.tolist() == [0, 0, 1]
    assert decode_table(encoded, schema)["d"].to_list()[:2] == ["01/02/2020", "29/02/2020"]


def test_nullable_text_is_presence_only():
    column = Column(name="note", kind=Kind.TEXT, dtype="string", nullable=True)
    encoded = encode_table(one(column, ["secret", None])[0])
    assert encoded.columns["note"].codes.tolist() == [0, 1]
    assert encoded.columns["note"].values is None


def test_text_and_identifiers_that_are_never_missing_are_not_seen():
    column = Column(name="key", kind=Kind.IDENTIFIER, dtype="string", unique=True)
    table, schema = one(column, ["a", "b"])
    assert encode_table(table).columns == {}
    assert variables_of(schema) == ()


def test_discrete_columns_have_no_numbers():
    column = Column(name="b", kind=Kind.BOOLEAN, dtype="bool")
    encoded = encode_table(one(column, [True, False])[0]).columns["b"]
    assert encoded.codes.tolist() == [1, 0]
    with pytest.raises(TypeError, match="'b' is discrete"):
        encoded.as_float()


def test_as_float_marks_what_is_no_number():
    column = Column(name="v", kind=Kind.INTEGER, dtype="int64", nullable=True)
    assert np.isnan(encode_table(one(column, [3, None])[0]).columns["v"].as_float()).tolist() == [False, True]


_COLUMNS = st.sampled_from(
    [
        (Column(name="x", kind=Kind.INTEGER, dtype="int64", nullable=True), st.integers(-(2**62), 2**62)),
        (Column(name="x", kind=Kind.INTEGER, dtype="uint8", nullable=True), st.integers(0, 255)),
        (
            Column(name="x", kind=Kind.NUMBER, dtype="float64", nullable=True),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        (
            Column(name="x", kind=Kind.NUMBER, dtype="float64", decimals=3, nullable=True),
            st.integers(-(10**9), 10**9).map(lambda k: k / 1000),
        ),
        (Column(name="x", kind=Kind.DATE, dtype="date", nullable=True), st.dates()),
        (
            Column(name="x", kind=Kind.DATETIME, dtype="datetime[us]", nullable=True),
            st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30)),  # noqa: DTZ001 - hypothesis wants naive limits
        ),
        (
            Column(name="x", kind=Kind.DURATION, dtype="duration[us]", nullable=True),
            st.timedeltas(min_value=dt.timedelta(days=-(10**6)), max_value=dt.timedelta(days=10**6)),
        ),
        (
            Column(
                name="x", kind=Kind.ORDINAL, dtype="string", categories=("a b", "", "ü🙂", '"'), nullable=True
            ),
            st.sampled_from(["a b", "", "ü🙂", '"']),
        ),
        (
            Column(name="x", kind=Kind.CATEGORICAL, dtype="int64", categories=(3, -1, 2**55), nullable=True),
            st.sampled_from([3, -1, 2**55]),
        ),
        (Column(name="x", kind=Kind.BOOLEAN, dtype="bool", nullable=True), st.booleans()),
    ]
)


@given(data=st.data(), case=_COLUMNS)
@settings(max_examples=150, deadline=None)
def test_encode_then_decode_gives_the_cells_back(data, case):
    column, cells = case
    drawn = data.draw(st.lists(st.none() | cells, max_size=20))
    table, schema = one(column, drawn)
    encoded = encode_table(table)
    assert decode_table(encoded, schema).equals(table.frame)
    assert (encoded.columns["x"].codes < encoded.columns["x"].variable.n_levels).all()
