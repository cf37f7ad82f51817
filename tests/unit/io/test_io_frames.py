"""pandas, polars and pyarrow tables in, and the same kind with the same types out."""

# ruff: noqa: DTZ001 -- times without a zone are under test

import contextlib
import datetime as dt
import decimal
import json
import traceback
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from tabsynth.errors import DataError, ModelFileError, StructureError, UsageError
from tabsynth.io import Layout, read_frame, read_table, to_layout
from tabsynth.schema.types import Column, Kind, TableSchema

BIG = 2**53 + 1
CANARY = "Zebedee-4711-canary"


def table(*columns):
    made = tuple(Column(name=name, kind=Kind.TEXT, dtype=dtype, **extra) for name, dtype, extra in columns)
    return TableSchema(name="t", columns=made)


def faults(error):
    return [(fault.where, fault.what) for fault in error.value.faults]


def back(source, schema=None):
    """Read and given back, by a layout that has been through JSON."""
    frame, layout = read_frame(source)
    again = Layout.from_dict(json.loads(json.dumps(layout.to_dict())))
    assert again == layout
    return frame, to_layout(frame, again, schema=schema)


PANDAS_COLUMNS = {
    "int8": pd.Series([1, -2], dtype="int8"),
    "int64": pd.Series([BIG, -BIG], dtype="int64"),
    "uint64": pd.Series([2**64 - 1, 0], dtype="uint64"),
    "Int64": pd.Series([BIG, None], dtype="Int64"),
    "UInt8": pd.Series([255, None], dtype="UInt8"),
    "float16": pd.Series([0.5, np.nan], dtype="float16"),
    "float32": pd.Series([0.1, np.nan], dtype="float32"),
    "float64": pd.Series([0.1, np.inf]),
    "Float64": pd.Series([0.1, None], dtype="Float64"),
    "bool": pd.Series([True, False]),
    "boolean": pd.Series([True, None], dtype="boolean"),
    "text": pd.Series(["a", ""]),
    "string": pd.Series(["a", None], dtype="string"),
    "string python": pd.Series(["a", None], dtype="string[python]"),
    "string pyarrow": pd.Series(["a", None], dtype="string[pyarrow]"),
    "object text": pd.Series(["a", None], dtype=object),
    "object int": pd.Series([BIG, None], dtype=object),
    "object big": pd.Series([2**64 - 1, 0], dtype=object),
    "object bool": pd.Series([True, None], dtype=object),
    "object float": pd.Series([0.5, None], dtype=object),
    "object date": pd.Series([dt.date(1, 1, 1), dt.date(9999, 12, 31)], dtype=object),
    "object datetime": pd.Series(
        [dt.datetime(1500, 1, 1), dt.datetime(3000, 1, 1, 0, 0, 0, 1)], dtype=object
    ),
    "object zoned": pd.Series([dt.datetime(3000, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), None], dtype=object),
    "object timedelta": pd.Series([dt.timedelta(days=1), None], dtype=object),
    "object null": pd.Series([None, None], dtype=object),
    "category": pd.Series(["b", "a"], dtype="category"),
    "category int8": pd.Series(np.array([2, 1], dtype="int8")).astype("category"),
    "category bool": pd.Series([True, False]).astype("category"),
    "category date": pd.Series([dt.date(2020, 1, 1), None]).astype("category"),
    "category zoned": pd.Series(pd.to_datetime(["2020-07-01", None], utc=True))
    .dt.as_unit("us")
    .astype("category"),
    "category int": pd.Series([2, None], dtype=pd.CategoricalDtype([2])),
    "datetime s": pd.Series(pd.to_datetime(["2020-01-01", None])).astype("datetime64[s]"),
    "datetime ns": pd.Series(pd.to_datetime(["2020-01-01 00:00:00.123456789", None])).astype(
        "datetime64[ns]"
    ),
    "datetime us": pd.Series(np.array(["1500-01-01", "3000-01-01"], dtype="datetime64[us]")),
    "datetime zoned": pd.Series(pd.to_datetime(["2020-07-01", None])).dt.tz_localize("Europe/Berlin"),
    "datetime offset": pd.Series(pd.to_datetime(["2020-07-01 00:00+02:00", None])).dt.as_unit("ns"),
    "timedelta": pd.Series(pd.to_timedelta(["1 day 00:00:00.000000001", None])),
    "timedelta s": pd.Series(np.array([1, 2], dtype="timedelta64[s]")),
    "arrow int": pd.Series([BIG, None], dtype="int64[pyarrow]"),
    "arrow text": pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
    "arrow zoned": pd.Series(
        [pd.Timestamp("2020-01-01", tz="UTC")] * 2, dtype=pd.ArrowDtype(pa.timestamp("ns", "UTC"))
    ),
    "arrow decimal": pd.Series([decimal.Decimal("1.25"), None], dtype=pd.ArrowDtype(pa.decimal128(10, 2))),
}


@pytest.mark.parametrize("name", PANDAS_COLUMNS)
def test_a_pandas_column_comes_back_as_it_was(name):
    source = pd.DataFrame({name: PANDAS_COLUMNS[name]})
    frame, again = back(source)
    pd.testing.assert_frame_equal(again, source)
    assert frame.columns == [name]
    # without any rows the types still hold, save that no category occurs
    empty = source.iloc[:0].copy()
    if name == "category date":
        return  # levels of dtype object that are not there do not tell that they were dates
    if name.startswith("category"):
        empty[name] = empty[name].cat.remove_unused_categories()
    pd.testing.assert_frame_equal(back(empty)[1], empty)


def test_a_pandas_frame_of_all_dtypes_at_once_comes_back_without_its_index():
    source = pd.DataFrame(PANDAS_COLUMNS)
    source.index = pd.Index(["p", "q"])
    pd.testing.assert_frame_equal(back(source)[1], source.reset_index(drop=True))


@pytest.mark.skipif(pd.__version__ < "2.3", reason="pandas 2.2 has no dtype str")
def test_the_text_dtype_of_pandas_3_comes_back():
    is_default = int(pd.__version__.partition(".")[0]) >= 3
    with contextlib.nullcontext() if is_default else pd.option_context("future.infer_string", True):
        source = pd.DataFrame({"x": ["a", None], "c": pd.Categorical(["b", "a"])})
        assert str(source["x"].dtype) == "str"
        frame, again = back(source)
        pd.testing.assert_frame_equal(again, source)
        _, layout = read_frame(source)
    assert frame.rows() == [("a", "b"), (None, "a")]
    assert layout.columns[0].dtype == "str"
    # a layout saved under pandas 3 must serve pandas 2, which infers object
    again = to_layout(frame, layout)["x"]
    assert again[0] == "a"
    assert again.isna().to_list() == [False, True]


def test_what_pandas_columns_become():
    frame, _ = read_frame(pd.DataFrame(PANDAS_COLUMNS))
    assert frame.schema["object date"] == pl.Date
    assert frame.schema["object big"] == pl.UInt64
    assert frame.schema["object null"] == pl.String
    assert frame.schema["object zoned"] == pl.Datetime("us", "Asia/Tokyo")
    assert frame.schema["datetime offset"] == pl.Datetime("ns", "UTC")
    assert frame.schema["category int"] == pl.Int64
    assert frame.schema["arrow decimal"] == pl.Float64
    assert frame["Int64"].to_list() == [BIG, None]
    assert frame["float32"].null_count() == 1
    assert frame["float64"].to_list() == [0.1, float("inf")]


def test_nan_becomes_null_wherever_it_comes_from():
    nan = float("nan")
    sources = [
        pl.DataFrame({"x": [1.0, nan, None]}),
        pl.LazyFrame({"x": [1.0, nan, None]}),
        pa.table({"x": [1.0, nan, None]}),
        pd.DataFrame({"x": [1.0, nan, None]}),
        pd.DataFrame({"x": pd.Series([1.0, nan, None], dtype="double[pyarrow]")}),
    ]
    for source in sources:
        assert read_frame(source)[0]["x"].to_list() == [1.0, None, None]


def test_mixed_and_unsupported_pandas_columns_are_listed_at_once():
    source = pd.DataFrame(
        {
            "ok": [1, 2],
            "int and str": pd.Series([1, CANARY], dtype=object),
            "int and float": pd.Series([1, 2.5], dtype=object),
            "bool and int": pd.Series([True, 1], dtype=object),
            "date and datetime": pd.Series([dt.date(2020, 1, 1), dt.datetime(2020, 1, 1)], dtype=object),
            "lists": pd.Series([[1], [2]], dtype=object),
            "bytes": pd.Series([b"a", b"b"], dtype=object),
            "period": pd.period_range("2020", periods=2, freq="Y"),
            "complex": [1j, 2j],
            "huge": pd.Series([2**64, None], dtype=object),
            "surrogate": pd.Series(["\ud800", None], dtype=object),
            "interval": pd.cut(pd.Series([1, 2]), 2),
        }
    )
    with pytest.raises(StructureError) as error:
        read_frame(source)
    assert faults(error) == [
        ("column 'int and str'", "holds values of several Python types: int, str"),
        ("column 'int and float'", "holds values of several Python types: float, int"),
        ("column 'bool and int'", "holds values of several Python types: bool, int"),
        ("column 'date and datetime'", "holds values of several Python types: date, datetime"),
        ("column 'lists'", "has the unsupported type object of list"),
        ("column 'bytes'", "has the unsupported type object of bytes"),
        ("column 'period'", f"has the unsupported type {source['period'].dtype}"),
        ("column 'complex'", "has the unsupported type complex128"),
        ("column 'huge'", "holds integers beyond 64 bits"),
        ("column 'surrogate'", "holds text that is not valid Unicode"),
        ("column 'interval'", "has the unsupported type interval[float64, right]"),
    ]
    assert CANARY not in "".join(traceback.format_exception(error.value))


def test_mixed_timezones_in_a_pandas_column():
    moment = dt.datetime(2020, 1, 1)
    zoned = [moment.replace(tzinfo=ZoneInfo("Asia/Tokyo")), moment.replace(tzinfo=dt.UTC)]
    source = pd.DataFrame(
        {"two": pd.Series(zoned, dtype=object), "naive": pd.Series([moment, zoned[0]], dtype=object)}
    )
    with pytest.raises(StructureError) as error:
        read_frame(source)
    assert faults(error) == [
        ("column 'two'", "holds datetimes in several timezones: Asia/Tokyo, UTC"),
        ("column 'naive'", "holds datetimes in several timezones: Asia/Tokyo, none"),
    ]


def test_labels_that_are_not_text_or_not_unique():
    source = pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", 7, ("b", "c")])
    with pytest.raises(StructureError) as error:
        read_frame(source)
    assert faults(error) == [
        ("column 2", "its label is of type int, expected str"),
        ("column 3", "its label is of type tuple, expected str"),
        ("column 'a'", "appears 2 times"),
    ]
    frame, _ = read_table(source.set_axis(["x", "x", 7, "b"], axis=1), schema=table(("b", "int64", {})))
    assert frame.rows() == [(4,)]


def test_levels_come_from_the_schema_and_never_from_the_layout():
    levels = ["low", "mid", "high"]
    source = pd.DataFrame(
        {
            "ordered": pd.Categorical(["mid", "low"], categories=levels, ordered=True),
            "loose": pd.Categorical(["mid", "low"], categories=[*levels, CANARY]),
        }
    )
    column = Column(name="ordered", kind=Kind.ORDINAL, dtype="string", categories=tuple(levels))
    schema = TableSchema(name="t", columns=(column,))
    frame, again = back(source, schema)
    assert again["ordered"].dtype == source["ordered"].dtype
    assert again["loose"].dtype == pd.CategoricalDtype(["low", "mid"])
    _, layout = read_frame(source)
    assert CANARY not in json.dumps(layout.to_dict())
    undeclared = to_layout(frame, layout)["ordered"].dtype
    assert undeclared == pd.CategoricalDtype(["low", "mid"], ordered=False)


def test_a_category_of_a_hundred_thousand_levels():
    texts = [f"level {i:06d}" for i in range(100_000)]
    source = pd.DataFrame({"c": pd.Categorical(texts, categories=texts)})
    pd.testing.assert_frame_equal(back(source)[1], source)
    arrow = pa.table({"c": pa.array(texts).dictionary_encode()})
    assert back(arrow)[1].equals(arrow)


def test_two_thousand_columns():
    source = pd.DataFrame({f"c{i}": [i, 2] for i in range(2000)})
    pd.testing.assert_frame_equal(back(source)[1], source)


def test_integers_that_have_become_nullable_take_the_masked_dtype():
    _, layout = read_frame(pd.DataFrame({"i": [1], "b": [True]}))
    again = to_layout(pl.DataFrame({"i": [BIG, None], "b": [None, False]}), layout)
    expected = {"i": pd.array([BIG, None], dtype="Int64"), "b": pd.array([None, False], dtype="boolean")}
    pd.testing.assert_frame_equal(again, pd.DataFrame(expected))


def test_values_that_do_not_fit_the_old_dtype_are_counted():
    source = pd.DataFrame(
        {"i": pd.Series([1], dtype="int8"), "t": pd.to_datetime(["2020"]).astype("datetime64[ns]")}
    )
    _, layout = read_frame(
        source.assign(m=pd.Series([1], dtype="Int8"), a=pd.Series([1], dtype="int8[pyarrow]"))
    )
    moments = pl.Series([dt.datetime(3000, 1, 1), None, None], dtype=pl.Datetime("us"))
    with pytest.raises(StructureError) as error:
        to_layout(
            pl.DataFrame({"i": [1, 300, 301], "t": moments, "m": [1, 2, 300], "a": [1, 2, 300]}), layout
        )
    assert faults(error) == [
        ("column 'i'", "2 values do not fit from Int64 into Int8"),
        (
            "column 't'",
            "1 values do not fit from Datetime(time_unit='us', time_zone=None) into Datetime(time_unit='ns', time_zone=None)",
        ),
        ("column 'm'", "1 values do not fit from Int64 into Int8"),
        ("column 'a'", "1 values do not fit from Int64 into Int8"),
    ]


def test_values_beyond_float16_and_a_decimal_are_counted():
    _, layout = read_frame(pd.DataFrame({"x": np.array([1], dtype="float16")}))
    with pytest.raises(StructureError, match="column 'x': 2 values do not fit into float16"):
        to_layout(pl.DataFrame({"x": [1e6, -1e6, float("inf"), 1.0]}), layout)
    _, layout = read_frame(pl.DataFrame({"x": [decimal.Decimal("1.00")]}, schema={"x": pl.Decimal(3, 2)}))
    with pytest.raises(StructureError, match=r"column 'x': 2 values do not fit into decimal\[3, 2\]"):
        to_layout(pl.DataFrame({"x": [1e6, float("inf"), 9.99]}), layout)


def test_text_that_the_schema_reads_as_dates_is_text_again():
    source = pd.DataFrame(
        {"d": pd.Series(["31/01/2020", None], dtype=object), "n": pd.Series(["7", "8"], dtype="string")}
    )
    schema = table(("n", "int64", {}), ("d", "date", {"format": "%d/%m/%Y"}))
    frame, layout = read_table(source, schema=schema)
    assert frame.rows() == [(7, dt.date(2020, 1, 31)), (8, None)]
    pd.testing.assert_frame_equal(to_layout(frame, layout, schema=schema), source[["n", "d"]])


def test_types_that_the_schema_holds_as_text_return():
    _, layout = read_frame(pl.DataFrame({"n": [1, 2]}))
    assert_frame_equal(to_layout(pl.DataFrame({"n": ["7", None]}), layout), pl.DataFrame({"n": [7, None]}))
    with pytest.raises(StructureError, match="1 values do not fit from String into Int64"):
        to_layout(pl.DataFrame({"n": [CANARY]}), layout)


def test_columns_unknown_to_the_layout_keep_their_type():
    added = pl.DataFrame({"n": [1], "w": [0.5]})
    for source in (pd.DataFrame({"n": [1]}), pa.table({"n": [1]}), pl.DataFrame({"n": [1]})):
        again = to_layout(added, read_frame(source)[1])
        assert type(again) is type(source)
        assert read_frame(again)[0].equals(added)


POLARS = pl.DataFrame(
    {
        "enum": pl.Series(["b", "a", None], dtype=pl.Enum(["a", "b"])),
        "category": pl.Series(["b", "a", None], dtype=pl.Categorical),
        "decimal": pl.Series(
            [decimal.Decimal("0.29"), decimal.Decimal("-1.10"), None], dtype=pl.Decimal(12, 2)
        ),
        "null": [None, None, None],
        "zoned": pl.Series([dt.datetime(2020, 7, 1)] * 3).dt.replace_time_zone("Europe/Berlin"),
        "far": [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31), None],
        "big": [BIG, 2**63 - 1, None],
        "time": pl.Series([1, 2, None], dtype=pl.Duration("ns")),
    }
)


def test_polars_dtypes_come_back():
    frame, again = back(POLARS)
    assert frame.schema["decimal"] == pl.Float64
    assert frame.schema["enum"] == frame.schema["category"] == frame.schema["null"] == pl.String
    assert_frame_equal(again, POLARS)
    lazy = back(POLARS.lazy())[1]
    assert isinstance(lazy, pl.LazyFrame)
    assert_frame_equal(lazy.collect(), POLARS)


def test_enum_levels_come_from_the_schema():
    column = Column(name="enum", kind=Kind.CATEGORICAL, dtype="string", categories=("b", "c", "a"))
    again = back(POLARS.select("enum"), TableSchema(name="t", columns=(column,)))[1]
    assert again.schema["enum"] == pl.Enum(["b", "c", "a"])


def test_a_null_column_that_has_values_keeps_their_type():
    _, layout = read_frame(pl.DataFrame({"x": [None]}))
    assert to_layout(pl.DataFrame({"x": ["a"]}), layout).schema == {"x": pl.String}


def test_unsupported_polars_columns_are_listed_at_once_without_their_levels():
    source = pl.DataFrame(
        {
            "list": pl.Series([[CANARY]], dtype=pl.List(pl.Enum([CANARY]))),
            "ok": [1],
            "struct": [{"a": 1}],
            "binary": [b"x"],
            "time": [dt.time(1)],
            "object": pl.Series([object()], dtype=pl.Object),
        }
    )
    with pytest.raises(StructureError) as error:
        read_frame(source)
    kinds = {"list": "List", "struct": "Struct", "binary": "Binary", "time": "Time", "object": "Object"}
    assert faults(error) == [
        (f"column {name!r}", f"has the unsupported type {kind}") for name, kind in kinds.items()
    ]
    assert CANARY not in str(error.value)


def test_a_lazy_frame_that_fails_shows_no_cell(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"a\n{CANARY}\n")
    with pytest.raises(StructureError, match="cannot be collected") as error:
        read_frame(pl.scan_csv(path, schema={"a": pl.Int64}))
    assert CANARY not in "".join(traceback.format_exception(error.value))


ARROW_TYPES = [
    *(pa.int8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null()),
    *(pa.string(), pa.large_string(), pa.date32(), pa.date64()),
    *(
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.timestamp("us", "Europe/Berlin"),
        pa.timestamp("us", "+02:00"),
    ),
    *(pa.duration("s"), pa.duration("us"), pa.decimal128(10, 2), pa.decimal256(50, 2)),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64())),
    *((pa.string_view(), pa.dictionary(pa.uint32(), pa.string_view())) if hasattr(pa, "string_view") else ()),
]


@pytest.mark.parametrize("dtype", ARROW_TYPES, ids=str)
def test_an_arrow_column_comes_back_as_it_was(dtype):
    is_text = "string" in str(dtype)
    cell = {pa.null(): None, pa.bool_(): True}.get(dtype, "a" if is_text else 1)
    if pa.types.is_float16(dtype):
        cell = np.float16(1)
    if pa.types.is_date64(dtype):
        cell = dt.date(2020, 1, 1)
    if pa.types.is_dictionary(dtype):
        source = pa.table(
            {
                "x": pa.DictionaryArray.from_arrays(
                    pa.array([0, None], dtype.index_type), pa.array([cell], dtype.value_type)
                )
            }
        )
    else:
        source = pa.table({"x": pa.array([cell, None], type=dtype)})
    _, again = back(source)
    assert again.schema == source.schema
    assert again.equals(source)
    assert back(source.slice(0, 0))[1].schema == source.schema


def test_an_ordered_dictionary_has_the_schemas_order_or_none():
    levels = ("low", "mid", "high")
    dtype = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    source = pa.table(
        {"x": pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int8()), levels, ordered=True)}
    )
    column = Column(name="x", kind=Kind.ORDINAL, dtype="string", categories=levels)
    again = back(source, TableSchema(name="t", columns=(column,)))[1]
    assert again.schema.field("x").type == dtype
    assert again["x"].chunk(0).dictionary.to_pylist() == list(levels)
    assert not back(source)[1].schema.field("x").type.ordered


def test_a_dictionary_that_outgrows_its_index_type():
    _, layout = read_frame(
        pa.table({"x": pa.array(["a"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))})
    )
    texts = [f"{i:04d}" for i in range(1000)]
    assert to_layout(pl.DataFrame({"x": texts}), layout)["x"].to_pylist() == texts


def test_a_column_without_a_name_is_refused_as_in_a_file():
    frame = pd.DataFrame({"a": [1], "": [2]})
    for source in (frame, pl.DataFrame({"a": [1], "": [2]}), pa.table({"a": [1], "": [2]})):
        with pytest.raises(StructureError) as error:
            read_table(source)
        assert [(fault.where, fault.what) for fault in error.value.faults] == [("column 2", "has no name")]
        schema = TableSchema(name="t", columns=(Column(name="a", kind=Kind.INTEGER, dtype="int64"),))
        assert read_table(source, schema=schema)[0].columns == ["a"]


def test_unsupported_arrow_columns_and_duplicate_names_are_listed_at_once():
    arrays = [pa.array([[1]]), pa.array([1]), pa.array([b"x"]), pa.array([1]), pa.array([dt.time(1)])]
    arrays.append(pa.array([2**62], pa.timestamp("s")))
    source = pa.Table.from_arrays(arrays, names=["list", "a", "binary", "a", "time", "far"])
    with pytest.raises(StructureError) as error:
        read_frame(source)
    assert faults(error) == [
        ("column 'a'", "appears 2 times"),
        ("column 'list'", "has the unsupported type list<item: int64>"),
        ("column 'binary'", "has the unsupported type binary"),
        ("column 'time'", "has the unsupported type time64[us]"),
        ("column 'far'", "has values of timestamp[s] that do not fit into timestamp[ms]"),
    ]


def test_arrow_values_that_do_not_fit():
    _, layout = read_frame(pa.table({"x": pa.array([decimal.Decimal("1.00")], pa.decimal128(3, 2))}))
    with pytest.raises(StructureError, match=r"Float64 that do not fit into decimal128\(3, 2\)"):
        to_layout(pl.DataFrame({"x": [1e9]}), layout)


def test_a_frame_is_held_against_the_schema():
    schema = table(("a", "int64", {}), ("b", "date", {}), ("c", "bool", {}))
    for source in (pl.DataFrame({"a": ["1"]}), pd.DataFrame({"a": ["1"]}), pa.table({"a": ["1"]})):
        with pytest.raises(StructureError) as error:
            read_table(source, schema=schema)
        assert faults(error) == [
            ("column 'b'", "missing from the data"),
            ("column 'c'", "missing from the data"),
        ]
    cells = {"a": ["1", CANARY], "b": [CANARY, "2020-01-01"], "c": ["true", "no"], "extra": [[1], [2]]}
    with pytest.raises(DataError) as error:
        read_table(pl.DataFrame(cells), schema=schema)
    assert faults(error) == [
        ("column 'a'", "1 of 2 cells are not int64"),
        ("column 'b'", "1 of 2 cells are not date"),
    ]
    assert CANARY not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("source", [{"a": [1]}, [1], None, 7])
def test_another_kind_of_source(source):
    with pytest.raises(UsageError, match=f"found {type(source).__name__}"):
        read_frame(source)


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"kind": "excel", "columns": [], "lazy": False, "dialect": None},
        {"kind": "polars", "columns": [{"name": "a"}], "lazy": False, "dialect": None},
        {
            "kind": "polars",
            "columns": [{"name": "a", "dtype": "x", "stored": "int65"}],
            "lazy": False,
            "dialect": None,
        },
    ],
)
def test_a_damaged_layout_is_refused(plain):
    with pytest.raises(ModelFileError, match="damaged"):
        Layout.from_dict(plain)


ENGINE_DTYPES = [
    *(
        pl.Int8,
        pl.Int16,
        pl.Int32,
        pl.Int64,
        pl.UInt8,
        pl.UInt16,
        pl.UInt32,
        pl.UInt64,
        pl.Float32,
        pl.Float64,
    ),
    *(pl.Boolean, pl.String, pl.Date, pl.Datetime("ms"), pl.Datetime("us", "Asia/Tokyo"), pl.Datetime("ns")),
    *(pl.Duration("ms"), pl.Duration("us"), pl.Duration("ns")),
]


@settings(max_examples=30, deadline=None)
@given(dataframes(allowed_dtypes=ENGINE_DTYPES, allow_null=True, max_cols=4, max_size=8))
def test_any_polars_frame_comes_back(source):
    expected = source.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    assert_frame_equal(back(source)[1], expected, check_exact=True)


PANDAS_CELLS = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "UInt32": st.none() | st.integers(0, 2**32 - 1),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=True),
    "boolean": st.none() | st.booleans(),
    "string": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    "object": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    "datetime64[us]": st.datetimes(),
    "datetime64[ns, Europe/Berlin]": st.integers(-(2**60), 2**60).map(lambda ns: pd.Timestamp(ns, tz="UTC")),
    "timedelta64[ns]": st.integers(-(2**62), 2**62).map(lambda ns: np.timedelta64(ns, "ns")),
}


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(0, 5))
def test_any_pandas_frame_comes_back(data, n_rows):
    cells = {
        dtype: data.draw(st.lists(one, min_size=n_rows, max_size=n_rows))
        for dtype, one in PANDAS_CELLS.items()
    }
    source = pd.DataFrame({dtype: pd.Series(values, dtype=dtype) for dtype, values in cells.items()})
    pd.testing.assert_frame_equal(back(source)[1], source, check_exact=True)
