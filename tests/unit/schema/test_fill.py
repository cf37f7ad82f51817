"""What a declared table leaves open is read off data; what it declares stays."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl
import pytest

from tabsynth.check import check_table
from tabsynth.schema import fill_domains, from_sdv_metadata
from tabsynth.schema.types import Column, Domain, Kind, Origin, Schema, TableSchema
from tabsynth.schema.validate import check_schema
from tabsynth.table import Table

PUBLIC = Domain(Origin.PUBLIC, by="A", source="codebook")


def filled(column: Column, cells: list[object], dtype: pl.DataType | None = None) -> Column:
    frame = pl.DataFrame({"x": pl.Series("x", cells, dtype=dtype), "more": cells})
    schema = TableSchema(name="t", columns=(replace(column, name="x"),))
    table = fill_domains(schema, Table.conform(frame, schema).frame)
    check_schema(Schema(tables=(table,)))
    return table.columns[0]


def column(kind: Kind, dtype: str, **more: object) -> Column:
    return Column(name="x", kind=kind, dtype=dtype, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "cells", "added"),
    [
        (column(Kind.CATEGORICAL, "string"), ["10", "9", "9"], {"categories": ("9", "10")}),
        (column(Kind.CATEGORICAL, "int64"), [3, 1], {"categories": (1, 3)}),
        (
            column(Kind.ORDINAL, "string"),
            ["high", "low", "medium"],
            {"categories": ("low", "medium", "high")},
        ),
        (column(Kind.BOOLEAN, "string"), ["y", "n"], {"categories": ("n", "y")}),
        (column(Kind.BOOLEAN, "string"), ["y", "n", "?"], {}),
        (column(Kind.BOOLEAN, "bool"), [True], {}),
        (column(Kind.INTEGER, "int64"), [5, -2], {"bounds": (-2, 5)}),
        (column(Kind.INTEGER, "float64"), [5.0, -2.0, 0.5], {"bounds": (-2, 5)}),
        (column(Kind.NUMBER, "float64"), [1.25, 7.5], {"bounds": (1.25, 7.5), "decimals": 2}),
        (column(Kind.NUMBER, "float64", decimals=1), [1.25, 7.5], {"bounds": (1.2, 7.5)}),
        (column(Kind.NUMBER, "float64", bounds=(0.0, 9.0)), [1.25, 70.5], {"decimals": 2}),
        (
            column(Kind.INTEGER, "int64"),
            [-1] * 50 + list(range(1, 90)),
            {"bounds": (1, 89), "special_values": (-1,)},
        ),
        (column(Kind.INTEGER, "int64", special_values=(-9,)), [-9, 4, 6], {"bounds": (4, 6)}),
        (
            column(Kind.NUMBER, "string", decimals=1),
            [f"{v}.5" for v in range(30)] + ["N"],
            {"bounds": (0.5, 29.5), "special_values": ("N",)},
        ),
        (
            column(Kind.NUMBER, "string", special_values=("N",)),
            [f"{v}.5" for v in range(30)] + ["N", "?"],
            {"bounds": (0.5, 29.5), "decimals": 1, "special_values": ("N", "?")},
        ),
        (column(Kind.NUMBER, "string"), ["a", "b"], {}),
        (
            column(Kind.DATE, "string", format="%d/%m/%Y"),
            ["31/01/2020", "01/02/2019"],
            {"bounds": (dt.date(2019, 2, 1), dt.date(2020, 1, 31))},
        ),
        (
            column(Kind.DURATION, "duration[us]"),
            [dt.timedelta(hours=1), dt.timedelta(hours=3)],
            {"bounds": (dt.timedelta(hours=1), dt.timedelta(hours=3)), "resolution": "hour"},
        ),
        (
            column(Kind.DATE, "date"),
            [dt.date.max] * 50 + [dt.date(2000, 1, 1) + dt.timedelta(days=i) for i in range(50)],
            {"special_values": (dt.date.max,), "bounds": (dt.date(2000, 1, 1), dt.date(2000, 2, 19))},
        ),
        (column(Kind.IDENTIFIER, "string"), ["AB12", "AB34"], {"format": "AB##"}),
        (column(Kind.IDENTIFIER, "string", format="##"), ["AB12", "AB34"], {}),
        (column(Kind.IDENTIFIER, "int64"), [4, 5], {}),
        (column(Kind.TEXT, "string", format="email"), ["a"], {}),
        (column(Kind.TEXT, "string"), [None, "a"], {"nullable": True}),
        (column(Kind.CATEGORICAL, "string"), ["b", None], {"categories": ("b",), "nullable": True}),
        (column(Kind.CATEGORICAL, "string", categories=("a",)), ["b"], {}),
        (column(Kind.NUMBER, "float64", domain=PUBLIC), [1.5, None], {}),
        (column(Kind.NUMBER, "float64"), [float("inf"), 0.5], {"bounds": (0.5, 0.5), "decimals": 1}),
        (column(Kind.NUMBER, "float64"), [None, None], {"nullable": True}),
        (column(Kind.IDENTIFIER, "string", unique=True, format="#"), ["1", None], {}),
    ],
)
def test_what_is_open_is_added_and_what_is_declared_stays(given, cells, added):
    assert filled(given, cells) == replace(given, **added)


def test_sdv_metadata_and_data_make_a_schema_that_the_data_satisfies():
    metadata = {
        "METADATA_SPEC_VERSION": "V1",
        "primary_key": "id",
        "columns": {
            "id": {"sdtype": "id"},
            "level": {"sdtype": "categorical"},
            "amount": {"sdtype": "numerical"},
            "on": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
            "is": {"sdtype": "boolean"},
        },
    }
    imported = from_sdv_metadata(metadata).only_table
    frame = pl.DataFrame(
        {
            "id": ["K1", "K2", "K3"],
            "level": ["b", "a", None],
            "amount": [1.5, None, 2.25],
            "on": ["2020-01-31", "2020-02-01", "2020-02-02"],
            "is": [True, False, None],
        }
    )
    assert check_table(Table.conform(frame, imported)) != ()
    table = fill_domains(imported, Table.conform(frame, imported).frame)
    assert check_table(Table.conform(frame, table)) == ()
    assert table["level"].categories == ("a", "b")
    assert (table["amount"].bounds, table["amount"].decimals) == ((1.5, 2.25), 2)
    assert {column.domain.origin for column in table.columns} == {Origin.DRAFT}
    assert table.primary_key == ("id",)
