"""Finding and replacing tables and columns; kinds; stored types."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from tabsynth.schema import Column, Kind, Schema, TableSchema
from tabsynth.schema.dtypes import DTYPES, dtype_name, polars_dtype
from tabsynth.schema.types import DEFAULT_DTYPES
from tabsynth.schema.validate import STORAGE

A = Column(name="a", kind=Kind.INTEGER, dtype="int64")
B = Column(name="b", kind=Kind.TEXT, dtype="string")
FIRST, SECOND = TableSchema(name="first", columns=(A, B)), TableSchema(name="second", columns=(B,))


def test_columns_of_a_table():
    assert FIRST.column_names == ("a", "b")
    assert FIRST["b"] is B
    assert "a" in FIRST
    assert "a" not in SECOND
    with pytest.raises(KeyError, match="c"):
        FIRST["c"]
    wide = replace(A, dtype="int8")
    assert FIRST.with_column(wide).columns == (wide, B)


def test_tables_of_a_schema():
    schema = Schema(tables=(FIRST, SECOND))
    assert schema["second"] is SECOND
    with pytest.raises(KeyError, match="third"):
        schema["third"]
    with pytest.raises(ValueError, match="found 2: first, second"):
        _ = schema.only_table
    assert Schema(tables=(FIRST,)).only_table is FIRST
    short = replace(FIRST, columns=(A,))
    assert schema.with_table(short).tables == (short, SECOND)


def test_every_kind_is_one_of_three_sorts():
    for kind in Kind:
        assert kind.is_continuous + kind.is_discrete + (not kind.is_modelled) == 1
        assert DEFAULT_DTYPES[kind] in STORAGE[kind]


@pytest.mark.parametrize("dtype", DTYPES)
def test_stored_types_and_their_names(dtype: str):
    column = Column(name="x", kind=Kind.CATEGORICAL, dtype=dtype)
    assert dtype_name(polars_dtype(column)) == dtype


def test_timezones_are_part_of_the_polars_type():
    column = Column(name="x", kind=Kind.DATETIME, dtype="datetime[ns]", timezone="UTC")
    assert polars_dtype(column) == pl.Datetime("ns", "UTC")
    assert dtype_name(pl.List(pl.Int8())) is None
