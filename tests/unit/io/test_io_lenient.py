"""Reading for private fits: no cell is an error, and none changes how another is read."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tabsynth.errors import DataError, StructureError
from tabsynth.io import read_table, schema_layout, to_layout
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.source import as_table
from tabsynth.table import Table

KINDS = {
    "int64": Kind.INTEGER,
    "float64": Kind.NUMBER,
    "string": Kind.CATEGORICAL,
    "bool": Kind.BOOLEAN,
    "date": Kind.DATE,
    "datetime[us]": Kind.DATETIME,
    "duration[us]": Kind.DURATION,
}


def schema(dtype: str, *more: str) -> TableSchema:
    return TableSchema(
        name="t",
        columns=tuple(
            Column(name=name, kind=KINDS[stored], dtype=stored, nullable=True)
            for name, stored in zip("xyz", (dtype, *more), strict=False)
        ),
    )


@pytest.mark.parametrize(
    ("dtype", "cells", "kept"),
    [
        ("int64", ["1", "x", "2.5", "9" * 30, ""], [1, None, None, None, None]),
        ("float64", ["1.5", "x", "nan", "1e400"], [1.5, None, None, None]),
        ("date", ["2020-01-31", "2020-02-30", "soon"], [dt.date(2020, 1, 31), None, None]),
        ("bool", ["true", "maybe", "0"], [True, None, False]),
    ],
)
def test_text_of_another_type_is_null(tmp_path, dtype, cells, kept):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{cell},z\n" for cell in cells))
    with pytest.raises(DataError):
        read_table(path, schema=schema(dtype))
    frame, _ = read_table(path, schema=schema(dtype), strict=False)
    assert frame["x"].to_list() == kept
    held = pd.DataFrame({"x": pd.Series(cells, dtype=object)})
    with pytest.raises(DataError):
        as_table(held, schema(dtype))
    assert as_table(held, schema(dtype), strict=False)[0].frame["x"].to_list() == kept


def _text_tables(cells):
    text = pl.Series("x", cells, dtype=pl.String)
    for dtype in (pl.String(), pl.Categorical(), pl.Enum([cell for cell in cells if cell])):
        yield text.cast(dtype).to_frame()
    yield text.to_frame().lazy()
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        yield pa.table({"x": pa.array(cells, kind)})
    yield pa.table({"x": pa.array(cells, pa.string()).dictionary_encode()})
    for kind in ("string[python]", "string[pyarrow]", pd.ArrowDtype(pa.string())):
        yield pd.DataFrame({"x": pd.Series(cells, dtype=kind)})


@pytest.mark.parametrize("cells", [["12,5", None], ["1", "2"]])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_text_by_its_type_is_no_number_whatever_its_cells(tmp_path, dtype, cells):
    sources = list(_text_tables(cells))
    pl.DataFrame({"x": cells}).write_parquet(tmp_path / "t.parquet")
    pl.DataFrame({"x": cells}).write_ipc(tmp_path / "t.arrow")
    for source in (*sources, tmp_path / "t.parquet", tmp_path / "t.arrow"):
        with pytest.raises(StructureError) as error:
            read_table(source, schema=schema(dtype), strict=False)
        assert [(fault.where, fault.what) for fault in error.value.faults] == [
            ("column 'x'", f"is text, expected {dtype}")
        ]
        held = TableSchema(
            name="t", columns=(Column(name="x", kind=Kind.NUMBER, dtype="string", nullable=True),)
        )
        assert read_table(source, schema=held, strict=False)[0]["x"].to_list() == cells
    nothing = pl.DataFrame({"x": [None, None]}, schema={"x": pl.Null})
    for source in (nothing, nothing.to_arrow()):
        assert read_table(source, schema=schema(dtype), strict=False)[0].height == 2


def test_cells_that_a_cast_would_change_are_null():
    cells = pl.DataFrame({"x": [1.0, 2.5, None, 1e30]})
    with pytest.raises(StructureError, match="2 cells"):
        Table.conform(cells, schema("int64"))
    assert Table.conform(cells, schema("int64"), strict=False).frame["x"].to_list() == [1, None, None, None]


def test_types_alone_decide_on_the_structure():
    """Strictly, nulls alone fit any type: which of the two errors comes would tell that there is a cell."""
    for cells in ([None, None], [1.5, None]):
        frame = pl.DataFrame({"x": pl.Series(cells, dtype=pl.Float64)})
        with pytest.raises(StructureError, match="expected date, found float64 \\("):
            Table.conform(frame, schema("date"), strict=False)
    with pytest.raises(StructureError, match="missing"):
        as_table(pl.DataFrame({"y": [1]}), schema("int64"), strict=False)


OBJECTS = [
    "1",
    1,
    1.0,
    np.int8(1),
    np.float32(1),
    Decimal(1),
    True,
    np.True_,
    2**70,
    dt.datetime(2020, 1, 31, 12, 30, 0, 5),  # noqa: DTZ001
    dt.datetime(2020, 1, 31, tzinfo=dt.UTC),
    dt.date(2020, 1, 31),
    dt.timedelta(days=-1, seconds=5),
    dt.timedelta(days=3, microseconds=7),
    None,
    pd.NaT,
    [1],
    {"a": 1},
    object(),
    "\ud800",
]


@pytest.mark.parametrize("dtype", KINDS)
def test_what_an_object_says_does_not_depend_on_the_others(dtype):
    together = pd.DataFrame({"x": pd.Series(OBJECTS, dtype=object)})
    frame, _ = read_table(together, schema=schema(dtype), strict=False)
    for value, read in zip(OBJECTS, frame["x"], strict=True):
        alone = pd.DataFrame({"x": pd.Series([value], dtype=object)})
        assert read_table(alone, schema=schema(dtype), strict=False)[0]["x"][0] == read


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("int64", [1, -5, None]),
        ("float64", [0.1, -1e300, None]),
        ("bool", [True, False, None]),
        ("date", [dt.date(2020, 1, 31), None]),
        ("datetime[us]", [dt.datetime(2020, 1, 31, 12, 0, 0, 7), None]),  # noqa: DTZ001
        ("duration[us]", [dt.timedelta(days=-3, microseconds=1), dt.timedelta(0), None]),
        ("string", ["a", "ü", None]),
    ],
)
def test_objects_of_one_type_are_read_as_ever(dtype, values):
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert as_table(frame, schema(dtype), strict=False)[0].frame["x"].to_list() == values


def test_without_a_schema_objects_of_several_types_are_text():
    mixed = pd.DataFrame({"x": pd.Series([1, "a"], dtype=object), "y": pd.Series([1, 2], dtype=object)})
    with pytest.raises(StructureError, match="several Python types"):
        read_table(mixed)
    frame, _ = read_table(mixed, strict=False)
    assert frame["x"].to_list() == ["1", "a"]
    assert frame["y"].to_list() == [1, 2]


def test_categories_of_objects_and_values_beyond_the_types():
    levels = pd.DataFrame({"x": pd.Categorical([1, "a", None])})
    assert read_table(levels, schema=schema("string"), strict=False)[0]["x"].to_list() == ["1", "a", None]
    far = pa.table({"x": pa.array([2**60], pa.timestamp("s"))})
    with pytest.raises(StructureError, match="do not fit"):
        read_table(far, schema=schema("datetime[us]"))
    assert read_table(far, schema=schema("datetime[us]"), strict=False)[0].height == 1
    arrow = far.to_pandas(types_mapper=pd.ArrowDtype)
    assert read_table(arrow, schema=schema("datetime[us]"), strict=False)[0].height == 1


class TestLayout:
    """What a source's own types tell of its cells is not kept."""

    COLUMNS = schema("int64", "float64", "string")

    def rows(self) -> pl.DataFrame:
        return pl.DataFrame({"x": [1, None], "y": [0.5, None], "z": ["a", None]})

    def given(self, source: object) -> object:
        _, layout = read_table(source, strict=False)
        return to_layout(self.rows(), schema_layout(layout, self.COLUMNS), schema=self.COLUMNS)

    @pytest.mark.parametrize(
        "cells",
        [
            {"x": [1, 2], "y": [0.5, 1], "z": ["a", "b"]},
            {"x": [1, np.nan], "y": [0.5, 1], "z": ["a", None]},
            {"x": [1, "a"], "y": [1, 2], "z": [None, None]},
        ],
    )
    def test_pandas_types_that_cells_decide(self, cells):
        expected = pd.DataFrame({"x": [1, 2], "y": [0.5, 1], "z": ["a", "b"]})
        found = self.given(pd.DataFrame(cells))
        assert str(found["x"].dtype) == "Int64"  # since one is missing in the rows
        assert str(found["y"].dtype) == "float64"
        assert found["z"].dtype == expected["z"].dtype

    def test_pandas_types_that_people_choose(self):
        source = pd.DataFrame({"x": [1, 2], "y": [0.5, 1], "z": ["a", "b"]})
        chosen = source.astype({"x": "Int64", "y": "Float64", "z": "category"})
        assert [str(kind) for kind in self.given(chosen).dtypes] == ["Int64", "Float64", "category"]
        text = self.given(source.astype({"z": "string[python]"}))
        assert text["z"].dtype == pd.StringDtype("python")
        arrow = self.given(source.convert_dtypes(dtype_backend="pyarrow"))
        assert [str(kind.pyarrow_dtype) for kind in arrow.dtypes] == ["int64", "double", "string"]

    def test_arrow(self):
        source = pa.table(
            {
                "x": pa.array([Decimal("1.25")]),
                "y": pa.nulls(1),
                "z": pa.array(["a"]).dictionary_encode(),
            }
        )
        found = self.given(source)
        assert [str(kind) for kind in found.schema.types] == [
            "int64",
            "double",
            "dictionary<values=string, indices=int32, ordered=0>",
        ]
        assert (
            str(self.given(pa.table({"z": pa.array(["a"], pa.large_string())}))["z"].type) == "large_string"
        )

    def test_polars(self):
        levels = pl.DataFrame({"x": [None], "z": ["a"]}, schema={"x": pl.Null, "z": pl.Categorical})
        assert self.given(levels).schema == {"x": pl.Int64, "y": pl.Float64, "z": pl.Categorical()}

    def test_times_and_files(self, tmp_path):
        columns = TableSchema(
            name="t",
            columns=(
                Column(name="d", kind=Kind.DATE, dtype="date", format="%d.%m.%Y"),
                Column(name="m", kind=Kind.DATETIME, dtype="datetime[us]", timezone="UTC"),
                Column(name="s", kind=Kind.DURATION, dtype="duration[us]"),
            ),
        )
        rows = pl.DataFrame(
            {
                "d": [dt.date(2020, 1, 1)],
                "m": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
                "s": [dt.timedelta(1)],
            }
        )
        _, layout = read_table(rows.to_pandas())
        found = to_layout(rows, schema_layout(layout, columns), schema=columns)
        assert [str(kind) for kind in found.dtypes] == ["object", "datetime64[us, UTC]", "timedelta64[us]"]
        path = tmp_path / "t.csv"
        path.write_text("d,m,s\n2020-01-01,2020-01-01,1:00:00\n")
        layout = schema_layout(read_table(path)[1], columns)
        assert [column.format for column in layout.columns] == ["%d.%m.%Y", None, None]
        assert to_layout(rows, layout, schema=columns).equals(rows)
