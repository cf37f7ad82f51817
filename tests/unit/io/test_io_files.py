"""Files written and read: formats, decimals, encodings, damage, and outputs that are whole or absent."""

# ruff: noqa: DTZ001 -- times without a zone are under test

import datetime as dt
import gzip
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from tabsynth.errors import DataError, OutputExistsError, StructureError, UsageError
from tabsynth.io import (
    Layout,
    atomic_folder,
    atomic_path,
    read_arrow,
    read_csv,
    read_parquet,
    read_table,
    sniff_dialect,
    to_layout,
    write_batches,
    write_frame,
)
from tabsynth.schema.dtypes import dtype_name
from tabsynth.schema.types import Column, CsvDialect, Kind, TableSchema

CANARY = "Zebedee-4711-canary"
SUFFIXES = [".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq", ".arrow", ".feather", ".ipc", ".PARQUET"]
BIG = 2**53 + 1

FRAME = pl.DataFrame(
    {
        "big": [BIG, -(2**63), None],
        "unsigned": pl.Series([2**64 - 1, 0, None], dtype=pl.UInt64),
        "number": [0.1, float("inf"), None],
        "first name": ["", "NA", None],
        'the "best", 🦊': ['a"b', "c,d;e\tf\r\ng", " "],
        "flag": [True, False, None],
        "day": [dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
        "far": [dt.datetime(1500, 1, 1), dt.datetime(3000, 1, 1, 0, 0, 0, 1), None],
        "zoned": pl.Series([dt.datetime(2020, 7, 1), dt.datetime(2020, 1, 1), None]).dt.replace_time_zone(
            "Asia/Tokyo"
        ),
        "span": pl.Series([dt.timedelta(days=-1, microseconds=1), dt.timedelta(0), None]),
        "nothing": pl.Series([None, None, None], dtype=pl.String),
        "constant": ["x", "x", "x"],
    }
)


def schema_of(frame, **more):
    columns = tuple(
        Column(
            name=name,
            kind=Kind.TEXT,
            dtype=dtype_name(dtype),
            timezone=getattr(dtype, "time_zone", None),
            **more.get(name, {}),
        )
        for name, dtype in frame.schema.items()
    )
    return TableSchema(name="t", columns=columns)


def faults(error):
    return [(fault.where, fault.what) for fault in error.value.faults]


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- round trips ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("n_rows", [0, 1, 3])
def test_a_frame_comes_back_from_a_file_by_its_schema(tmp_path, suffix, n_rows):
    path, frame = tmp_path / f"data{suffix}", FRAME.head(n_rows)
    schema = schema_of(frame)
    assert write_frame(frame, path, schema=schema) == n_rows
    again, layout = read_table(path, schema=schema)
    assert_frame_equal(again, frame, check_exact=True)
    assert layout.kind == "file"
    assert_frame_equal(to_layout(again, layout, schema=schema), frame)
    assert left(tmp_path) == [f"data{suffix}"]


def test_the_layout_of_a_csv_tells_its_dialect_and_formats(tmp_path):
    (tmp_path / "x.csv").write_text("a;at\n1;2020-01-01T00:00\n")
    frame, layout = read_table(tmp_path / "x.csv")
    assert frame.rows() == [(1, dt.datetime(2020, 1, 1))]
    assert layout.dialect == CsvDialect(delimiter=";")
    assert [layout.column(name).format for name in ("a", "at")] == [None, "%Y-%m-%dT%H:%M"]
    assert layout.column("b") is None
    assert Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_columnar_files_need_no_schema_to_keep_types(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    write_frame(FRAME, path)
    assert_frame_equal(read_table(path)[0], FRAME, check_exact=True)
    assert read_table(path, schema=schema_of(FRAME.select("far", "big")))[0].columns == ["far", "big"]


def test_integers_beyond_2_53_are_exact_through_every_format_and_pandas(tmp_path):
    source = pd.DataFrame({"n": pd.array([BIG, None, -BIG], dtype="Int64")})
    for suffix in SUFFIXES:
        frame, layout = read_table(source)
        write_frame(frame, tmp_path / f"x{suffix}")
        pd.testing.assert_frame_equal(to_layout(read_table(tmp_path / f"x{suffix}")[0], layout), source)


ENGINE_DTYPES = [
    *(pl.Int8, pl.Int64, pl.UInt8, pl.UInt64, pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Date),
    *(
        pl.Datetime("ms"),
        pl.Datetime("us", "Europe/Berlin"),
        pl.Datetime("ns"),
        pl.Duration("us"),
        pl.Duration("ns"),
    ),
]
SUPPRESSED = [HealthCheck.function_scoped_fixture]


@settings(max_examples=25, deadline=None, suppress_health_check=SUPPRESSED)
@given(
    dataframes(
        allowed_dtypes=ENGINE_DTYPES, allow_null=True, allow_nan=False, min_cols=1, max_cols=4, max_size=8
    ),
    st.sampled_from([".csv", ".csv.gz", ".parquet", ".arrow"]),
)
def test_any_frame_comes_back_from_a_file(tmp_path, frame, suffix):
    path, schema = tmp_path / f"data{suffix}", schema_of(frame)
    write_frame(frame, path, schema=schema, overwrite=True)
    assert_frame_equal(read_table(path, schema=schema)[0], frame, check_exact=True)


@settings(max_examples=25, deadline=None, suppress_health_check=SUPPRESSED)
@given(
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1),
    st.sampled_from(
        [CsvDialect(), CsvDialect(delimiter=";", quote="'", null_marks=("NA", ""), encoding="utf-16")]
    ),
)
def test_any_text_comes_back_from_a_csv(tmp_path, cells, dialect):
    frame = pl.DataFrame({"a": cells, "b": cells}, schema={"a": pl.String, "b": pl.String})
    write_frame(frame, tmp_path / "x.csv", dialect=dialect, overwrite=True)
    dtypes = {"a": "string", "b": "string"}
    assert_frame_equal(read_csv(tmp_path / "x.csv", dialect=dialect, dtypes=dtypes), frame)


def test_a_single_column_keeps_its_missing_cells(tmp_path):
    frame = pl.DataFrame({"a": [None, 1, None, None]})
    write_frame(frame, tmp_path / "x.csv")
    assert_frame_equal(read_csv(tmp_path / "x.csv"), frame)


def test_two_thousand_columns(tmp_path):
    frame = pl.DataFrame({f"c{i}": [i, 2] for i in range(2000)})
    for suffix in (".csv", ".parquet", ".arrow"):
        write_frame(frame, tmp_path / f"x{suffix}")
        assert_frame_equal(read_table(tmp_path / f"x{suffix}")[0], frame)


def test_pandas_reads_what_was_written(tmp_path):
    frame = FRAME.select("number", "first name", 'the "best", 🦊').head(2)
    write_frame(frame, tmp_path / "x.csv.gz")
    found = pd.read_csv(tmp_path / "x.csv.gz", keep_default_na=False)
    assert found.to_dict("list") == frame.to_dict(as_series=False)


# --- how a CSV is written -----------------------------------------------------------------------------


def test_a_csv_follows_the_schema_to_the_letter(tmp_path):
    frame = pl.DataFrame(
        {
            "price": [12.5, None],
            "count": [5.0, None],
            "code": ["", "NA"],
            "day": [dt.date(2020, 1, 31), None],
            "at": [dt.datetime(2020, 1, 31, 10), None],
        }
    )
    columns = (
        Column(name="at", kind=Kind.DATETIME, dtype="datetime[us]", format="%d,%m %H:%M"),
        Column(name="price", kind=Kind.NUMBER, dtype="float64", decimals=2),
        Column(name="count", kind=Kind.INTEGER, dtype="float64"),
        Column(name="code", kind=Kind.CATEGORICAL, dtype="string"),
        Column(name="day", kind=Kind.DATE, dtype="date", format="%d/%m/%Y"),
    )
    schema = TableSchema(name="t", columns=columns, csv=CsvDialect(null_marks=("NA", "")))
    write_frame(frame, tmp_path / "x.csv", schema=schema)
    expected = 'at,price,count,code,day\n"31,01 10:00",12.50,5,"",31/01/2020\nNA,NA,NA,"NA",NA\n'
    assert (tmp_path / "x.csv").read_text() == expected
    write_frame(frame, tmp_path / "x.tsv", schema=schema)
    assert (tmp_path / "x.tsv").read_text() == expected.replace('"31,01 10:00"', "31;01 10:00").replace(
        ",", "\t"
    ).replace(";", ",")


def test_encodings_of_a_csv(tmp_path):
    frame = pl.DataFrame({"né": ["ß", None], "b": [1, 2]})
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        path = tmp_path / f"{encoding}.csv"
        write_batches([frame, frame], path, dialect=CsvDialect(encoding=encoding))
        assert path.read_bytes() == "né,b\nß,1\n,2\nß,1\n,2\n".encode(encoding)


def test_letters_that_the_encoding_lacks_are_counted(tmp_path):
    dialect = CsvDialect(encoding="latin-1")
    frame = pl.DataFrame({"a": [CANARY + "ł", "Ω", "ü"], "b": ["x", "🦊", None], "c": [1, 2, 3]})
    with pytest.raises(DataError) as error:
        write_frame(frame, tmp_path / "x.csv", dialect=dialect)
    assert faults(error) == [
        ("column 'a'", "2 cells hold letters that latin-1 lacks"),
        ("column 'b'", "1 cells hold letters that latin-1 lacks"),
    ]
    assert CANARY not in "".join(traceback.format_exception(error.value))
    with pytest.raises(DataError, match="a name of a column cannot be written"):
        write_frame(pl.DataFrame({"🦊": [1]}), tmp_path / "x.csv", dialect=dialect)
    assert left(tmp_path) == []


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for suffix in (".csv.gz", ".parquet", ".arrow"):
        first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
        write_frame(FRAME, first)
        write_frame(FRAME, second)
        assert first.read_bytes() == second.read_bytes()


def test_nan_is_written_as_missing(tmp_path):
    frame = pl.DataFrame({"x": [1.0, float("nan")], "y": [1.0, float("nan")]})
    columns = (
        Column(name="x", kind=Kind.NUMBER, dtype="float64", decimals=1),
        Column(name="y", kind=Kind.NUMBER, dtype="float64"),
    )
    write_frame(frame, tmp_path / "x.csv", schema=TableSchema(name="t", columns=columns))
    assert (tmp_path / "x.csv").read_text() == "x,y\n1.0,1.0\n,\n"


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".arrow"])
def test_batches_stand_one_below_the_other(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    assert write_batches((FRAME for _ in range(3)), path, schema=schema_of(FRAME)) == 9
    assert_frame_equal(read_table(path, schema=schema_of(FRAME))[0], pl.concat([FRAME] * 3))


def test_batches_of_categories_with_different_levels_are_text(tmp_path):
    batches = [pl.DataFrame({"c": pl.Series([level], dtype=pl.Categorical)}) for level in "ab"]
    for suffix in (".csv", ".parquet", ".arrow"):
        write_batches(batches, tmp_path / f"x{suffix}")
        assert read_table(tmp_path / f"x{suffix}")[0]["c"].to_list() == ["a", "b"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".arrow"])
def test_no_batch_at_all(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    assert write_batches([], path, schema=schema_of(FRAME)) == 0
    assert_frame_equal(read_table(path, schema=schema_of(FRAME))[0], FRAME.clear())
    with pytest.raises(UsageError, match="no batch and no schema"):
        write_batches([], tmp_path / f"y{suffix}")
    assert left(tmp_path) == [f"x{suffix}"]


def test_batches_are_cast_to_the_schema_and_refused_where_they_cannot(tmp_path):
    schema = schema_of(pl.DataFrame(schema={"a": pl.Int16, "b": pl.Float64}))
    batches = [
        pl.DataFrame({"b": [1, 2], "a": [1.0, 2.0], "c": [0, 0]}),
        pl.DataFrame({"a": [3], "b": [None]}),
    ]
    write_batches(batches, tmp_path / "x.parquet", schema=schema)
    assert read_table(tmp_path / "x.parquet")[0].rows() == [(1, 1.0), (2, 2.0), (3, None)]
    with pytest.raises(StructureError) as error:
        write_batches([*batches, pl.DataFrame({"a": [CANARY]})], tmp_path / "y.parquet", schema=schema)
    assert len(error.value.faults) == 2
    assert CANARY not in "".join(traceback.format_exception(error.value))
    assert left(tmp_path) == ["x.parquet"]


def test_without_a_schema_batches_must_be_like_the_first(tmp_path):
    batches = [pl.DataFrame({"a": [1], "b": ["x"]}), pl.DataFrame({"a": [1.5], "c": ["x"]})]
    with pytest.raises(StructureError) as error:
        write_batches(batches, tmp_path / "x.csv")
    assert faults(error) == [
        ("column 'a'", "is missing from a later batch or of another type"),
        ("column 'b'", "is missing from a later batch or of another type"),
        ("column 'c'", "is missing from the first batch"),
    ]
    with pytest.raises(StructureError) as error:
        write_frame(pl.DataFrame({"a": [[1]], "b": [1], "c": [{"x": 1}]}), tmp_path / "x.csv")
    assert faults(error) == [
        ("column 'a'", "has the unsupported type List"),
        ("column 'c'", "has the unsupported type Struct"),
    ]
    assert left(tmp_path) == []


def test_batches_are_taken_one_at_a_time(tmp_path):
    sizes = []

    def batches():
        for _ in range(4):
            sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
            yield pl.DataFrame({"x": range(200_000)})

    write_batches(batches(), tmp_path / "x.csv")
    assert sizes[1] < sizes[2] < sizes[3]


# --- whole or absent ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".arrow"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_a_write_that_is_interrupted_leaves_nothing(tmp_path, suffix, error):
    def batches():
        yield FRAME
        raise error

    (tmp_path / "old").write_text("kept")
    with pytest.raises(error):
        write_batches(batches(), tmp_path / "new" / "folder" / f"x{suffix}")
    assert left(tmp_path) == ["old"]
    with pytest.raises(error):
        write_batches(batches(), tmp_path / f"x{suffix}")
    assert left(tmp_path) == ["old"]


SLOW_WRITE = """
import sys, time
import polars as pl
from tabsynth.io import write_batches

def batches():
    while True:
        yield pl.DataFrame({"x": range(1000)})
        print("batch", flush=True)
        time.sleep(0.01)

write_batches(batches(), sys.argv[1])
"""


@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet"])
def test_ctrl_c_leaves_nothing(tmp_path, suffix):
    command = [sys.executable, "-c", SLOW_WRITE, str(tmp_path / "out" / f"x{suffix}")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(3):
            assert process.stdout.readline() == "batch\n"
        assert len(left(tmp_path)) == 2  # the folder, and the file under its temporary name
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in stderr
    assert left(tmp_path) == []


def test_an_output_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "x.csv"
    write_frame(pl.DataFrame({"a": [1]}), path)
    with pytest.raises(OutputExistsError, match="pass overwrite"):
        write_frame(pl.DataFrame({"a": [2]}), path)
    assert path.read_text() == "a\n1\n"
    write_frame(pl.DataFrame({"a": [2]}), path, overwrite=True)
    assert path.read_text() == "a\n2\n"
    with pytest.raises(ZeroDivisionError):
        write_batches((pl.DataFrame({"a": [1 // n]}) for n in (1, 0)), path, overwrite=True)
    assert path.read_text() == "a\n2\n"
    assert left(tmp_path) == ["x.csv"]


def test_an_output_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "x.txt"
    with pytest.raises(OutputExistsError), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert left(tmp_path) == ["x.txt"]


def test_atomic_path_makes_parents_and_follows_links(tmp_path):
    with atomic_path(tmp_path / "a" / "b" / "x.txt") as temporary:
        assert temporary.parent == tmp_path / "a" / "b"
        temporary.write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b" / "x.txt")
    with atomic_path(tmp_path / "link", overwrite=True) as temporary:
        temporary.write_text("y")
    assert (tmp_path / "link").is_symlink()
    assert left(tmp_path) == ["a", "a/b", "a/b/x.txt", "link"]
    assert (tmp_path / "a" / "b" / "x.txt").read_text() == "y"


def test_atomic_path_refuses_what_is_no_file(tmp_path):
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    cases = [
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "no regular file"),
        (tmp_path / "file" / "x", "is a file"),
    ]
    for path, message in cases:
        with pytest.raises(UsageError, match=message), atomic_path(path, overwrite=True):
            pytest.fail("the block must not run")
    with pytest.raises(UsageError, match="nothing was written"), atomic_path(tmp_path / "x"):
        pass
    assert left(tmp_path) == ["file", "pipe"]


def test_parents_that_were_made_stay_where_others_have_used_them(tmp_path):
    with pytest.raises(KeyError), atomic_path(tmp_path / "a" / "b" / "x"):  # noqa: PT012
        (tmp_path / "a" / "theirs").write_text("x")
        raise KeyError
    assert left(tmp_path) == ["a", "a/theirs"]


def test_atomic_folder_replaces_as_a_whole(tmp_path):
    target = tmp_path / "out" / "model"
    with atomic_folder(target) as folder:
        (folder / "old").write_text("1")
    with pytest.raises(OutputExistsError), atomic_folder(target):
        pytest.fail("the block must not run")
    with atomic_folder(target, overwrite=True) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "new").write_text("2")
    assert left(tmp_path) == ["out", "out/model", "out/model/sub", "out/model/sub/new"]


def test_an_empty_folder_counts_as_free(tmp_path):
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "x").write_text("1")
    assert left(tmp_path) == ["out", "out/x"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_folder_that_is_interrupted_leaves_the_old_one(tmp_path, error):
    with atomic_folder(tmp_path / "model") as folder:
        (folder / "old").write_text("1")
    with pytest.raises(error), atomic_folder(tmp_path / "model", overwrite=True) as folder:  # noqa: PT012
        (folder / "new").write_text("2")
        raise error
    with pytest.raises(error), atomic_folder(tmp_path / "a" / "b") as folder:
        raise error
    assert left(tmp_path) == ["model", "model/old"]


def test_the_old_folder_returns_where_the_new_one_cannot_take_its_place(tmp_path):
    with atomic_folder(tmp_path / "model") as folder:
        (folder / "old").write_text("1")
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "model", overwrite=True) as folder:
        folder.rmdir()
    assert left(tmp_path) == ["model", "model/old"]


def test_a_folder_that_appears_meanwhile_is_kept(tmp_path):
    with pytest.raises(OutputExistsError), atomic_folder(tmp_path / "out"):  # noqa: PT012
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_text("x")
    assert left(tmp_path) == ["out", "out/theirs"]


def test_atomic_folder_refuses_files_and_the_folders_one_stands_in(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"), atomic_folder(tmp_path / "file", overwrite=True):
        pytest.fail("the block must not run")
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    for path in (".", "..", Path.home()):
        with pytest.raises((UsageError, OutputExistsError)), atomic_folder(path):
            (inner / "x").write_text("so that it is not empty")
    for path in (".", "..", Path.home()):
        with pytest.raises(UsageError, match="would be deleted"), atomic_folder(path, overwrite=True):
            pytest.fail("the block must not run")
    assert left(tmp_path) == ["file", "inner", "inner/x"]


# --- what cannot be read ----------------------------------------------------------------------------


def test_unknown_kinds_of_file(tmp_path):
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    for call in (
        lambda: read_table(tmp_path / "x.xlsx"),
        lambda: write_frame(FRAME, tmp_path / "y.sas7bdat"),
        lambda: read_table(tmp_path / "csv"),
    ):
        with pytest.raises(UsageError, match=r"known are \.csv, \.csv\.gz, .*\.parquet"):
            call()
    assert left(tmp_path) == ["x.xlsx"]


def test_a_missing_file_and_a_folder(tmp_path):
    (tmp_path / "adult_train.csv").write_text("a\n")
    with pytest.raises(StructureError, match=r"did you mean adult_train\.csv\?"):
        read_table(tmp_path / "adult_trian.csv")
    with pytest.raises(StructureError, match="check the path"):
        read_table(tmp_path / "none" / "x.parquet")
    for read in (read_csv, read_parquet, read_arrow, sniff_dialect):
        with pytest.raises(StructureError, match="no such file"):
            read(tmp_path / "nothing")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(StructureError, match="is a folder"):
        read_table(str(tmp_path / "folder.parquet"))


@pytest.mark.parametrize(("suffix", "read"), [(".parquet", read_parquet), (".arrow", read_arrow)])
def test_damaged_files_end_in_one_error(tmp_path, suffix, read):
    path = tmp_path / f"x{suffix}"
    write_frame(pl.DataFrame({"a": [CANARY] * 50, "b": range(50)}), path)
    whole = path.read_bytes()
    refusals = []
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        for content in (whole[:position], bytes(flipped)):
            path.write_bytes(content)
            try:
                read(path)
            except StructureError as error:
                refusals.append(error)
    assert len(refusals) > 60  # every truncation, and most of the flipped bytes
    assert CANARY not in "".join("".join(traceback.format_exception(error)) for error in refusals)
    assert all(error.__context__ is None for error in refusals)


def test_text_that_is_not_utf_8_inside_a_columnar_file(tmp_path):
    bad = pa.StringArray.from_buffers(
        2, pa.array([0, 1, 3], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff\xfe")
    )
    pq.write_table(pa.table({"a": bad}), tmp_path / "x.parquet")
    with pytest.raises(StructureError, match="cannot be read as a Parquet file"):
        read_table(tmp_path / "x.parquet")


def test_nested_columns_of_a_file_are_refused_unless_the_schema_leaves_them_out(tmp_path):
    pq.write_table(pa.table({"a": [1], "list": [[1]], "map": [{"k": 1}]}), tmp_path / "x.parquet")
    with pytest.raises(StructureError) as error:
        read_table(tmp_path / "x.parquet")
    assert [where for where, _ in faults(error)] == ["column 'list'", "column 'map'"]
    schema = schema_of(pl.DataFrame({"a": [1]}))
    assert read_table(tmp_path / "x.parquet", schema=schema)[0].rows() == [(1,)]


def test_an_index_without_a_name_is_no_column(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz"), "__index_level_7__": [7, 8, 9]})
    chosen = frame[frame["a"] > 1]
    several = chosen.set_axis(pd.MultiIndex.from_product([[1], [4, 5]]), axis=0)
    named = chosen.set_axis(pd.Index([4, 5], name="row"), axis=0)
    for one, columns in ((chosen, frame.columns), (several, frame.columns), (named, [*frame.columns, "row"])):
        one.to_parquet(tmp_path / "t.parquet")
        for source in (tmp_path / "t.parquet", pa.Table.from_pandas(one)):
            read, layout = read_table(source)
            assert read.columns == [column.name for column in layout.columns] == list(columns)
        if one is not named:
            schema = TableSchema(
                name="t", columns=(Column(name="__index_level_0__", kind=Kind.INTEGER, dtype="int64"),)
            )
            assert read_table(tmp_path / "t.parquet", schema=schema)[0].height == 2
    table = pa.Table.from_pandas(chosen)
    for claim in (b"{", b"[1]", b'{"index_columns": 5}', b'{"index_columns": [{"kind": "range"}, "a"]}'):
        read, _ = read_table(table.replace_schema_metadata({b"pandas": claim}))
        assert read.columns == [
            *frame.columns,
            "__index_level_0__",
        ]  # nothing else that it could claim hides a column


def test_arrow_streams_are_read_too(tmp_path):
    table = pa.table({"a": [1, 2]})
    with pa.ipc.new_stream(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    assert read_table(tmp_path / "x.arrow")[0].rows() == [(1,), (2,)]


def test_files_of_pandas_and_polars_are_read(tmp_path):
    source = pd.DataFrame(
        {"c": pd.Categorical(["a", None]), "t": pd.to_datetime(["2020-01-01", None], utc=True)}
    )
    source.to_parquet(tmp_path / "x.parquet")
    source.to_feather(tmp_path / "x.feather")
    pl.from_pandas(source).write_ipc(tmp_path / "x.ipc", compression="zstd")
    for name in ("x.parquet", "x.feather", "x.ipc"):
        frame, _ = read_table(tmp_path / name)
        assert frame["c"].to_list() == ["a", None]
        assert frame["t"].to_list() == [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None]


def test_a_gzip_of_text_has_no_time_in_it(tmp_path):
    write_frame(pl.DataFrame({"a": [1]}), tmp_path / "x.csv.gz")
    assert gzip.decompress((tmp_path / "x.csv.gz").read_bytes()) == b"a\n1\n"
    assert (tmp_path / "x.csv.gz").read_bytes()[4:8] == bytes(4)
