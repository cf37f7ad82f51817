"""Streams, tables, errors and the registry of engines."""

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.models.registry import DEFAULT_ENGINE, ENGINES, default_settings, engine_class, make_engine
from tabsynth.randomness import Streams, fresh_seed
from tabsynth.schema.types import Column, Kind, PrivacyUnit, Schema, TableSchema
from tabsynth.table import Table


def test_streams_are_named_and_independent():
    streams = Streams(7)
    first = streams.generator("a").random(4)
    assert (first == Streams(7).generator("a").random(4)).all()
    others = [
        streams.generator("b"),
        streams.generator("a", 0),
        streams.generator("a", 1),
        Streams(8).generator("a"),
    ]
    assert len({tuple(first), *(tuple(g.random(4)) for g in others)}) == 5


def test_fresh_seeds_differ():
    assert len({fresh_seed() for _ in range(20)}) == 20
    assert Streams.from_seed(None) != Streams.from_seed(None)
    assert Streams.from_seed(5) == Streams(5)


def test_block_streams_are_not_correlated():
    draws = np.array([Streams(1).generator("sample", block).standard_normal(10_000) for block in range(6)])
    off = np.corrcoef(draws)[~np.eye(6, dtype=bool)]
    assert np.abs(off).max() < 0.05  # five standard errors of a correlation of 10,000 draws


TABLE = TableSchema(
    name="t",
    columns=(
        Column(name="n", kind=Kind.INTEGER, dtype="int8"),
        Column(name="s", kind=Kind.CATEGORICAL, dtype="string", categories=("1",)),
    ),
)


def test_conform_orders_casts_and_leaves_the_rest_out():
    table = Table.conform(pl.DataFrame({"extra": [0], "s": ["1"], "n": [5.0]}), TABLE)
    assert table.frame.columns == ["n", "s"]
    assert table.frame.dtypes == [pl.Int8, pl.String]


@pytest.mark.parametrize(
    ("cells", "count"),
    [({"s": ["1"]}, 1), ({}, 2), ({"n": [300], "s": ["1"]}, 1), ({"n": [1.5], "s": ["1"]}, 1), ({"n": ["x"], "s": [[1]]}, 2)],
)  # fmt: skip
def test_conform_lists_every_fault_of_structure(cells, count):
    with pytest.raises(StructureError) as caught:
        Table.conform(pl.DataFrame(cells), TABLE)
    assert len(caught.value.faults) == count
    assert "300" not in str(caught.value)


def test_columns_of_nothing_take_any_type():
    assert Table.conform(pl.DataFrame({"n": [None], "s": [None]}), TABLE).frame.dtypes == [pl.Int8, pl.String]
    nothing = pl.Series([None, None], dtype=pl.Datetime("ns"))
    assert conformed(nothing, "int8").to_list() == [None, None]
    assert conformed(pl.Series([], dtype=pl.String), "date").dtype == pl.Date


NOON = dt.datetime(2020, 7, 1, 12)  # noqa: DTZ001
MIDNIGHT = dt.datetime(2020, 7, 1)  # noqa: DTZ001
DAY = dt.date(2020, 7, 1)
VIENNA = "Europe/Vienna"


def conformed(cells: pl.Series, dtype: str, timezone: str | None = None) -> pl.Series:
    column = Column(name="x", kind=Kind.CATEGORICAL, dtype=dtype, timezone=timezone)
    return Table.conform(cells.alias("x").to_frame(), TableSchema(name="t", columns=(column,))).frame["x"]


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        (pl.Series([1, None, 2**53]), "float64", [1.0, None, 9007199254740992.0]),
        (pl.Series([1.0, None, -3.0]), "int8", [1, None, -3]),
        (pl.Series([0.1]), "float32", [float(np.float32(0.1))]),  # the one loss that is allowed
        (pl.Series([float("inf"), float("nan"), None]), "float32", [float("inf"), pytest.approx(float("nan"), nan_ok=True), None]),
        (pl.Series([Decimal("1.25"), None]), "float64", [1.25, None]),
        (pl.Series([True, None]), "int8", [1, None]),
        (pl.Series([0, 1, None]), "bool", [False, True, None]),
        (pl.Series([7, None]), "string", ["7", None]),
        (pl.Series(["a", None], dtype=pl.Categorical), "string", ["a", None]),
        (pl.Series([DAY]), "string", ["2020-07-01"]),
        (pl.Series([DAY, None]), "datetime[us]", [MIDNIGHT, None]),
        (pl.Series([MIDNIGHT, None]), "date", [DAY, None]),
        (pl.Series([NOON], dtype=pl.Datetime("ns")), "datetime[ms]", [NOON]),
        (pl.Series([dt.timedelta(hours=1)]), "duration[ms]", [dt.timedelta(hours=1)]),
    ],
)  # fmt: skip
def test_casts_keep_every_cell(cells, dtype, expected):
    assert conformed(cells, dtype).to_list() == expected


def test_zoned_times_keep_their_moment():
    there = pl.Series([NOON]).dt.replace_time_zone("UTC")
    cast = conformed(there, "datetime[us]", VIENNA)
    assert cast.dtype == pl.Datetime("us", VIENNA)
    assert (cast == there.dt.convert_time_zone(VIENNA)).all()


@pytest.mark.parametrize(
    ("cells", "dtype", "n_lost"),
    [
        (pl.Series([1, 2**53 + 1, -(2**53) - 1]), "float64", 2),
        (pl.Series([2**63 - 1]), "float64", 1),
        (pl.Series([1, 2**24 + 1]), "float32", 1),
        (pl.Series([1e300, 1.0]), "float32", 1),
        (pl.Series([1.5, float("nan"), 1.0]), "int64", 2),
        (pl.Series([300, -1, 5]), "uint8", 2),
        (pl.Series([0, 1, 2]), "bool", 1),
        (pl.Series([NOON, MIDNIGHT, None]), "date", 1),
        (pl.Series([NOON + dt.timedelta(microseconds=1)]), "datetime[ms]", 1),
        (pl.Series([dt.datetime(1, 1, 1)]), "datetime[ns]", 1),  # noqa: DTZ001
        (pl.Series([dt.timedelta(microseconds=1)]), "duration[ms]", 1),
    ],
)
def test_cells_that_a_cast_would_change_are_a_fault(cells, dtype, n_lost):
    with pytest.raises(StructureError, match=f"with {n_lost} cell") as caught:
        conformed(cells, dtype)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("cells", "dtype", "timezone"),
    [
        (pl.Series([5]), "date", None),
        (pl.Series([5]), "datetime[us]", None),
        (pl.Series([5]), "duration[us]", None),
        (pl.Series([5.0]), "date", None),
        (pl.Series([DAY]), "int64", None),
        (pl.Series([NOON]), "float64", None),
        (pl.Series([dt.timedelta(1)]), "int64", None),
        (pl.Series([dt.timedelta(1)]), "string", None),
        (pl.Series(["5"]), "int64", None),
        (pl.Series(["5.0"]), "float64", None),
        (pl.Series(["true"]), "bool", None),
        (pl.Series(["2020-07-01"]), "date", None),
        (pl.Series([NOON]), "datetime[us]", VIENNA),
        (pl.Series([DAY]), "datetime[us]", VIENNA),
        (pl.Series([NOON]).dt.replace_time_zone(VIENNA), "datetime[us]", None),
        (pl.Series([MIDNIGHT]).dt.replace_time_zone(VIENNA), "date", None),
        (pl.Series([b"a"]), "string", None),
    ],
)
def test_types_of_another_meaning_are_a_fault(cells, dtype, timezone):
    with pytest.raises(StructureError, match=f"expected {re.escape(dtype)}.*, found"):
        conformed(cells, dtype, timezone)


def test_units_are_rows_or_persons_and_a_row_without_a_person_is_its_own():
    frame = pl.DataFrame({"n": [3, None, 1, 3, None, 1], "s": ["1"] * 6})
    assert Table.conform(frame, TABLE).unit_codes().tolist() == [0, 1, 2, 3, 4, 5]
    persons = replace(TABLE, unit=PrivacyUnit(column="n", max_rows=2))
    codes = Table.conform(frame, persons).unit_codes()
    assert (codes[0], codes[2]) == (codes[3], codes[5])
    assert len(set(codes.tolist())) == 4
    nobody = Table.conform(frame.with_columns(n=None), persons)
    assert len(set(nobody.unit_codes().tolist())) == 6


def test_schemas_are_looked_up_by_name():
    schema = Schema(tables=(TABLE,))
    assert schema["t"]["n"].dtype == "int8"
    assert "n" in TABLE
    assert "z" not in TABLE
    for missing in (lambda: schema["z"], lambda: TABLE["z"]):
        with pytest.raises(KeyError):
            missing()
    with pytest.raises(ValueError, match="one table"):
        _ = Schema(tables=(TABLE, TABLE)).only_table


def test_faults_read_as_sentences():
    error = DataError(
        "the summary", [Fault("column 'a'", "3 cells are null", "mend them"), Fault("", "all empty")]
    )
    assert str(error) == "the summary\n  - column 'a': 3 cells are null (mend them)\n  - all empty"


def test_the_default_engine_is_there():
    assert DEFAULT_ENGINE in ENGINES
    assert default_settings(DEFAULT_ENGINE)["min_group"] == 11


@pytest.mark.parametrize("name", ["gausian_copula", "nothing like it"])
def test_unknown_engines_are_refused_with_the_known(name):
    with pytest.raises(UsageError, match="gaussian_copula"):
        engine_class(name)


def test_settings_come_as_texts_or_values():
    assert make_engine("gaussian_copula", {"min_group": "20", "marginals": "parametric"}).min_group == 20
    assert make_engine("independent").min_group == 11


def test_every_wrong_setting_is_listed():
    wrong = {"min_grup": 1, "marginals": "sharp", "ordering_rounds": 1.5, "min_group": True}
    with pytest.raises(UsageError) as caught:
        make_engine("gaussian_copula", wrong)
    for part in (
        "did you mean 'min_group'",
        "'empirical', 'parametric'",
        "'ordering_rounds'",
        "expected int",
    ):
        assert part in str(caught.value)
