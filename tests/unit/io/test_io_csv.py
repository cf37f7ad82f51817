"""CSV files read: fields, dialects, schema, and every way in which a file can be broken."""

import datetime as dt
import gzip
import traceback
from dataclasses import replace

import polars as pl
import pytest

from tabsynth.api import draft_schema
from tabsynth.errors import DataError, StructureError, UsageError
from tabsynth.io import read_csv, read_table, sniff_dialect, write_frame
from tabsynth.schema.types import Column, CsvDialect, Kind, TableSchema
from tabsynth.source import drafted

CANARY = "Zebedee-4711-canary"


@pytest.fixture
def csv(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def table(*columns, **more):
    made = tuple(Column(name=name, kind=Kind.TEXT, dtype=dtype, **extra) for name, dtype, extra in columns)
    return TableSchema(name="t", columns=made, **more)


def faults(error):
    return [(fault.where, fault.what) for fault in error.value.faults]


# --- what is read ---------------------------------------------------------------------------------


def test_quoted_empty_text_is_not_missing(csv):
    frame = read_csv(csv('name,n\n"",1\n,2\nx,\n'))
    assert frame.to_dict(as_series=False) == {"name": ["", None, "x"], "n": [1, 2, None]}


def test_null_marks_are_null_unless_quoted_text(csv):
    path = csv('name,n\nNA,1\n"NA",NA\n?,"NA"\n')
    frame = read_csv(path, dialect=CsvDialect(null_marks=("NA", "")))
    assert frame.to_dict(as_series=False) == {"name": [None, "NA", "?"], "n": [1, None, None]}


def test_quotes_around_everything_hide_no_number(csv):
    frame = read_csv(csv('"n","f"\n"1","1.5"\n"",""\n'))
    assert frame.to_dict(as_series=False) == {"n": [1, None], "f": [1.5, None]}


def test_quotes_delimiters_and_line_breaks_inside_fields(csv):
    frame = read_csv(csv('b,a\n1,"x""y\nz"\n2,5" pipe\n3,"p,q"\n'))
    assert frame["a"].to_list() == ['x"y\nz', '5" pipe', "p,q"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(csv, end):
    frame = read_csv(csv(end + end + end.join(["a,b", "1,2", "", "3,4"])))
    assert frame.to_dict(as_series=False) == {"a": [1, 3], "b": [2, 4]}


def test_a_blank_line_of_a_single_column_is_a_missing_cell(csv):
    assert read_csv(csv("a\n1\n\n3\n"))["a"].to_list() == [1, None, 3]


@pytest.mark.parametrize("content", ["a,b", "a,b\n", "a,b\n\n"])
def test_a_header_alone_is_a_table_of_no_rows(csv, content):
    path = csv(content)
    assert read_csv(path).schema == {"a": pl.String, "b": pl.String}
    frame, _ = read_table(path, schema=table(("b", "int64", {}), ("a", "date", {})))
    assert frame.schema == {"b": pl.Int64, "a": pl.Date}
    assert frame.height == 0


def test_one_row_without_a_line_end(csv):
    assert read_csv(csv("a,b\n1,x")).rows() == [(1, "x")]


def test_constant_and_all_null_columns(csv):
    frame = read_csv(csv("c,n\n7,\n7,\n"))
    assert frame.schema == {"c": pl.Int64, "n": pl.String}
    assert frame["n"].null_count() == 2


def test_names_with_spaces_quotes_and_emoji(csv):
    frame = read_csv(csv('first name,"the ""best""","a,b",🦊,"two\nlines"\n1,2,3,4,5\n'))
    assert frame.columns == ["first name", 'the "best"', "a,b", "🦊", "two\nlines"]
    assert frame.row(0) == (1, 2, 3, 4, 5)


def test_two_thousand_columns(csv):
    names = [f"column {i}" for i in range(2000)]
    lines = [",".join(names), *(",".join(str(i * row) for i in range(2000)) for row in range(3))]
    frame = read_csv(csv("\n".join(lines)))
    assert frame.columns == names
    assert frame.row(2) == tuple(i * 2 for i in range(2000))


def test_a_category_with_a_hundred_thousand_levels(csv):
    levels = [f"level {i}" for i in range(100_000)]
    assert read_csv(csv("\n".join(["c", *levels])))["c"].to_list() == levels


@pytest.mark.parametrize(
    ("encoding", "stated"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
    ],
)
def test_encodings(csv, encoding, stated):
    path = csv("né,b\nß,2\n".encode(encoding))
    assert read_csv(path, dialect=CsvDialect(encoding=stated)).to_dict(as_series=False) == {
        "né": ["ß"],
        "b": [2],
    }


@pytest.mark.parametrize("name", ["data.csv.gz", "data.csv"])
def test_gzip_is_seen_by_content(csv, name):
    path = csv(gzip.compress(b"a,b\n1,x\n"), name)
    assert read_csv(path).rows() == [(1, "x")]
    assert read_csv(path, dialect=CsvDialect()).rows() == [(1, "x")]


def test_types_by_the_schema(csv):
    path = csv(
        "extra,when,ok,code,age,at\nq,31.12.1999,yes,007,42.0,2020-07-01 12:00\nq,,N,> 89,,2020-07-01T12:00Z\n"
    )
    schema = table(
        ("code", "string", {"special_values": ("> 89",)}),
        ("when", "date", {"format": "%d.%m.%Y"}),
        ("ok", "bool", {}),
        ("age", "int16", {}),
        ("at", "datetime[us]", {"timezone": "Europe/Berlin"}),
    )
    frame = read_csv(path, schema=schema)
    assert frame.schema == {
        "code": pl.String,
        "when": pl.Date,
        "ok": pl.Boolean,
        "age": pl.Int16,
        "at": pl.Datetime("us", "Europe/Berlin"),
    }
    utc = [dt.datetime(2020, 7, 1, 10, tzinfo=dt.UTC), dt.datetime(2020, 7, 1, 12, tzinfo=dt.UTC)]
    assert frame["at"].to_list() == utc
    assert frame.drop("at").rows() == [("007", dt.date(1999, 12, 31), True, 42), ("> 89", None, False, None)]


def test_types_of_some_columns_may_be_forced(csv):
    frame = read_csv(csv("zip,n\n12345,1\n"), dtypes={"zip": "string"})
    assert frame.schema == {"zip": pl.String, "n": pl.Int64}


def test_the_schemas_dialect_and_the_suffix(csv):
    schema = table(("a", "int64", {}), ("b", "string", {}), csv=CsvDialect(delimiter=";", null_marks=("-",)))
    assert read_table(csv("a;b\n-;x\n"), schema=schema)[0].rows() == [(None, "x")]
    assert read_table(csv("a\tb\n1\t-\n", "data.tsv"), schema=schema)[0].rows() == [(1, None)]
    assert read_table(csv("a|b\n1|-\n"), schema=schema, dialect=CsvDialect(delimiter="|"))[0].rows() == [
        (1, "-")
    ]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\nx, y\tz\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ('a;b\n"x,y";1\n"z,w";2\n', ";"),
        ("name\nx; y\n", ","),
        ("", ","),
        ("a,b\n" + "1,2\n" * 50_000, ","),
    ],
)
def test_sniffed_delimiters(csv, content, delimiter):
    found = sniff_dialect(csv(content))
    assert (found.delimiter, found.quote, found.encoding) == (delimiter, '"', "utf-8")


@pytest.mark.parametrize(
    ("content", "decimal"),
    [
        ("a;b\n1,5;2,5\n", ","),
        ("a\tb\n-533,38\tx\n8\ty\n", ","),
        ("a;b\n0,125;x\n", ","),
        ("a;b\n8033,125;x\n", ","),
        ("a;b\n" + "1,5;x\n" * 4 + "NA;x\n", ","),
        ("a;b\n1.234,5;x\n1,000;y\n", ","),
        ("a;b\n1.234,567;x\n", ","),
        ("a;b\n1.234.567;x\n88.782;y\n988;y\n", ","),
        ("a;b\n1,234,567;x\n1,5;y\n1,5;y\n1,5;y\n1,5;y\n", ","),
        # thousands, points, words
        ("a;b\n1,234,567;x\n88,782;y\n", "."),
        ("a;b\n31.12.2024;x\n", "."),
        ("a;b\n8,583;x\n1,000;y\n", "."),
        ("a;b\n1.5;2,5\n", "."),
        ("a;b\n1,5;x\n1.5;y\n", "."),
        ("a;b\nx,5;y,5\n", "."),
        ("a;b\n", "."),
        ('a,b\n"1,5",x\n', "."),
    ],
)
def test_sniffed_decimal_marks(csv, content, decimal):
    assert sniff_dialect(csv(content)).decimal == decimal


def test_a_table_with_decimal_commas_comes_back_as_it_was(csv, tmp_path):
    rows = [f"{v},38;{v};{'?' if v % 3 else f'{v},5'};{'x,5' if v % 2 else 'y'}" for v in range(100, 200)]
    content = "\n".join(["price;n;weight;word", *rows, ""])
    path = csv(content.replace("y", "ü").encode("cp1252"))
    known, _ = drafted(path, dialect=CsvDialect(delimiter=";", encoding="cp1252", decimal=","))
    kinds = {column.name: (column.kind, column.dtype, column.decimals) for column in known.schema.columns}
    assert kinds["price"] == (Kind.NUMBER, "float64", 2)
    assert kinds["weight"] == (Kind.NUMBER, "string", 1)
    assert known.schema["weight"].special_values == ("?",)
    assert known.frame["price"][0] == 100.38
    write_frame(known.frame, tmp_path / "made.csv", schema=known.schema)
    assert (tmp_path / "made.csv").read_bytes() == path.read_bytes()
    frame, _ = read_table(tmp_path / "made.csv", schema=known.schema)
    assert frame.equals(known.frame)


def _grouped(values, mark="."):
    return [f"{value:,}".replace(",", mark) for value in values]


_THOUSANDS = [*range(700, 1000, 30), *range(1000, 90_000, 887), 1_234_567]


def test_points_in_a_table_with_decimal_commas_group_thousands(csv, tmp_path):
    rows = [f"{n};{n},5;{'k.A.' if n[-1] in '13579' else n}" for n in _grouped(_THOUSANDS)]
    path = csv("\n".join(["people;price;beds", *rows, ""]))
    known, _ = drafted(path, dialect=CsvDialect(delimiter=";", decimal=","))
    for name in ("people", "price", "beds"):
        assert known.schema[name].kind is Kind.TEXT
        assert "amounts with separators" in known.schema[name].description
    frames = draft_schema({"t": path, "u": path})
    assert frames["t"]["people"].kind is frames["u"]["people"].kind is Kind.TEXT
    write_frame(known.frame, tmp_path / "made.csv", schema=known.schema)
    assert (tmp_path / "made.csv").read_bytes() == path.read_bytes()
    column = Column(name="people", kind=Kind.NUMBER, dtype="string", special_values=("?",))
    schema = TableSchema(name="t", columns=(column,), csv=CsvDialect(delimiter=";", decimal=","))
    frame, _ = read_table(path, schema=schema)
    assert frame["people"].to_list()[-3:-1] == [
        "88,813",
        "89,700",
    ]  # no numbers, and no others a thousandth as large
    write_frame(frame, tmp_path / "again.csv", schema=schema)
    assert (tmp_path / "again.csv").read_text().split() == ["people", *_grouped(_THOUSANDS)]
    with pytest.raises(DataError, match="cells are not float64"):
        read_table(
            path, schema=replace(schema, columns=(replace(column, dtype="float64", special_values=()),))
        )


def test_codes_with_points_stay_codes_beside_decimal_commas(csv):
    rows = [f"{code};{n},25" for n, code in enumerate(["250.83", "401.9", "428.0", "V57"] * 20)]
    known, _ = drafted(csv("\n".join(["diagnosis;price", *rows])))
    assert known.schema.csv.decimal == ","
    assert known.schema["diagnosis"].categories == ("250.83", "401.9", "428.0", "V57")
    assert known.schema["diagnosis"].description is None


@pytest.mark.parametrize(
    ("cells", "other", "delimiter", "is_open"),
    [
        (_grouped(_THOUSANDS[:-1]), "x", ";", True),
        (_grouped(_THOUSANDS[30:-1]), "x", "\t", True),
        (["88.782", "", "-1.000"], "7", "|", True),
        (_grouped(_THOUSANDS[:-1]), "x", ",", False),  # of places where a point stands before decimals
        (_grouped(_THOUSANDS[:-1]), "2.50", ";", False),  # which says what a point is
        ([*_grouped(_THOUSANDS[:-1]), "0.125"], "x", ";", False),
        ([*_grouped(_THOUSANDS[:-1]), "1000"], "x", ";", False),
        ([*_grouped(_THOUSANDS[:-1]), "1.25"], "x", ";", False),
        (["7", "8"], "x", ";", False),
    ],
)
def test_a_draft_asks_where_points_may_group_thousands(csv, cells, other, delimiter, is_open):
    path = csv("\n".join([f"people{delimiter}other", *(f"{cell}{delimiter}{other}" for cell in cells)]))
    for schema in (drafted(path)[0].schema, draft_schema({"t": path})["t"]):
        assert schema["people"].kind in (Kind.NUMBER, Kind.CATEGORICAL, Kind.INTEGER)
        assert ("between thousands" in (schema["people"].review or "")) == is_open
        assert schema["other"].review is None


def test_numbers_with_a_decimal_comma_are_quoted_between_commas(tmp_path):
    dialect = CsvDialect(decimal=",")
    write_frame(pl.DataFrame({"a": [1.5, -1e-20, None], "b": [1, 2, 3]}), tmp_path / "x.csv", dialect=dialect)
    assert (tmp_path / "x.csv").read_text() == 'a,b\n"1,5",1\n-1e-20,2\n,3\n'
    assert read_csv(tmp_path / "x.csv", dialect=dialect).rows() == [(1.5, 1), (-1e-20, 2), (None, 3)]


def test_sniffed_marks(csv):
    assert sniff_dialect(csv("a;b\n".encode("utf-8-sig"))) == CsvDialect(delimiter=";", encoding="utf-8-sig")
    assert sniff_dialect(csv("a|b\n".encode("utf-16"))) == CsvDialect(delimiter="|", encoding="utf-16")
    assert sniff_dialect(csv("name\n1\n", "x.tsv")).delimiter == "\t"
    assert read_csv(csv("é|b\n1|2\n".encode("utf-16"))).columns == ["é", "b"]


# --- what is refused ------------------------------------------------------------------------------


def test_an_empty_file(csv):
    for content in ("", "\n\n"):
        with pytest.raises(StructureError, match="is empty"):
            read_csv(csv(content))


def test_ragged_rows_are_counted_by_their_length(csv):
    path = csv("a,b,c\n1,2,3\n1,2\n1,2,3,4\n1,2\n")
    with pytest.raises(StructureError) as error:
        read_csv(path)
    assert faults(error) == [
        ("rows", "2 with 2 fields, expected 3 as in the header; rows 3, 5"),
        ("rows", "1 with 4 fields, expected 3 as in the header; row 4"),
    ]
    many = csv("a,b\n" + "1,2\n" * 1500 + "1\n" * 9)
    with pytest.raises(StructureError) as error:
        read_csv(many)
    assert faults(error) == [
        (
            "rows",
            "9 with 1 fields, expected 2 as in the header; rows 1,502, 1,503, 1,504, 1,505, 1,506 and others",
        )
    ]


def test_names_twice_and_names_missing(csv):
    path = csv("a,b,a,,a,b\n1,2,3,4,5,6\n")
    with pytest.raises(StructureError) as error:
        read_csv(path)
    assert faults(error) == [
        ("column 'a'", "appears 3 times"),
        ("column 'b'", "appears 2 times"),
        ("column 4 of the file", "has no name"),
    ]


def test_columns_that_the_schema_does_not_name_may_repeat(csv):
    path = csv("x,,a,x,\n1,2,3,4,5\n")
    assert read_csv(path, schema=table(("a", "int64", {}))).rows() == [(3,)]
    with pytest.raises(StructureError) as error:
        read_csv(path, schema=table(("a", "int64", {}), ("x", "int64", {})))
    assert faults(error) == [("column 'x'", "appears 2 times")]


def test_everything_wrong_with_the_structure_comes_at_once(csv):
    path = csv("a,a,b\n1,2,3\n1,2\n")
    with pytest.raises(StructureError) as error:
        read_csv(path, schema=table(("a", "int64", {}), ("c", "date", {}), ("d", "date", {})))
    assert faults(error) == [
        ("column 'a'", "appears 2 times"),
        ("column 'c'", "missing from the file"),
        ("column 'd'", "missing from the file"),
        ("rows", "1 with 2 fields, expected 3 as in the header; row 3"),
    ]


def test_a_wrong_delimiter_is_guessed_in_the_hint(csv):
    with pytest.raises(StructureError, match="seems to be delimited by ';', not ','"):
        read_csv(csv("a;b\n1;2\n"), schema=table(("a", "int64", {})))


def test_cells_of_another_type_are_counted_by_column(csv):
    path = csv("a,b,c\n1,x,31/12/1999\nq,y,1999-12-31\nr,1.5,z\n")
    schema = table(("a", "int64", {}), ("b", "float64", {}), ("c", "date", {"format": "%d/%m/%Y"}))
    with pytest.raises(DataError) as error:
        read_csv(path, schema=schema)
    assert faults(error) == [
        ("column 'a'", "2 of 3 cells are not int64"),
        ("column 'b'", "2 of 3 cells are not float64"),
        ("column 'c'", "2 of 3 cells are not date in the format '%d/%m/%Y'"),
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_rows_of_another_length_are_named_in_another_encoding_too(csv, capfd, pack):
    rows = ["a;b", "Müller;1", "ü;2;3", "Bär;4", *["x;5"] * 9, "ü;6;ä;ö"]
    path = csv(pack("\n".join(rows).encode("cp1252")), "data.csv.gz")
    with pytest.raises(StructureError) as error:
        read_csv(path)
    assert faults(error) == [
        ("column 'a'", "2 of 11 cells are not utf-8"),
        ("rows", "1 with 3 fields, expected 2 as in the header; row 3"),
        ("rows", "1 with 4 fields, expected 2 as in the header; row 14"),
    ]
    with pytest.raises(StructureError) as error:
        read_csv(csv("\n".join([*rows[:1], *rows[2:3], *rows[4:5]]).encode("cp1252")))
    assert faults(error) == [("rows", "1 with 3 fields, expected 2 as in the header; row 2")]
    assert capfd.readouterr() == ("", "")  # what pyarrow cannot hand over, it prints


def test_files_of_other_formats_under_the_name_of_a_csv_are_told(csv, tmp_path):
    frame = pl.DataFrame({"a": [f"ü{at}" for at in range(999)]})
    frame.write_parquet(tmp_path / "p")
    frame.write_ipc(tmp_path / "i")
    for name, what in (("p", "it is a Parquet file"), ("i", "it is an Arrow file")):
        with pytest.raises(StructureError) as error:
            read_csv(csv((tmp_path / name).read_bytes()))
        assert faults(error) == [("", what)]
    assert read_csv(csv("PAR1,b\n1,xPAR2\n")).columns == ["PAR1", "b"]


def test_bytes_that_are_not_utf_8_are_counted_by_column(csv):
    path = csv("a,b\né,x\nü,y\nz,ß\nq\n".encode("latin-1"))
    with pytest.raises(StructureError) as error:
        read_csv(path)
    assert faults(error) == [
        ("column 'a'", "2 of 3 cells are not utf-8"),
        ("column 'b'", "1 of 3 cells are not utf-8"),
        ("rows", "1 with 1 fields, expected 2 as in the header; row 5"),
    ]
    assert all("--encoding" in fault.hint for fault in error.value.faults[:2])


def test_the_last_field_may_hold_a_line_break(csv):
    assert read_csv(csv('a,b\n1,"x\n"\n'))["b"].to_list() == ["x\n"]


def test_a_header_that_is_not_utf_8(csv):
    with pytest.raises(StructureError, match="header: is not utf-8"):
        read_csv(csv("né,b\n1,2\n".encode("latin-1")))


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (b"a,b\n\x81,1\n", CsvDialect(encoding="cp1252")),
        (b"\xff", CsvDialect(encoding="utf-16")),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:40], CsvDialect()),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 100_000, mtime=0)[:-100], CsvDialect()),
        (b'a,b\n1,"x,y\nx,y\n', CsvDialect()),
        (gzip.compress(b'a,b\n1,"x,y\nx,y\n', mtime=0), CsvDialect()),
        (b'a,b\n1,"' + b"x,y\n" * 5_000_000, CsvDialect()),
        (b'"' + b"x" * 200_000, CsvDialect()),
    ],
)
def test_a_file_that_cannot_be_read_at_all(csv, content, dialect):
    with pytest.raises(StructureError, match="cannot be read"):
        read_csv(csv(content), dialect=dialect)


def test_a_damaged_gzip_cannot_be_sniffed(csv):
    with pytest.raises(StructureError, match="cannot be read"):
        sniff_dialect(csv(gzip.compress(b"a,b\n")[:12]))


def test_an_impossible_dialect_lists_what_is_wrong(csv):
    path = csv("a,b\n1,2\n")
    with pytest.raises(UsageError) as error:
        read_csv(path, dialect=CsvDialect(delimiter=";;", quote="", encoding="utf-99"))
    assert all(part in str(error.value) for part in ("the delimiter must", "the quote must", "'utf-99'"))
    for mark in (".", "-", "1", "x", "\n", "§"):
        with pytest.raises(UsageError, match="the delimiter must"):
            read_csv(path, dialect=CsvDialect(delimiter=mark))
    with pytest.raises(UsageError, match="a point or a comma"):
        read_csv(path, dialect=CsvDialect(decimal="'"))
    with pytest.raises(UsageError, match="must differ"):
        read_csv(path, dialect=CsvDialect(delimiter='"'))


def test_unknown_types(csv):
    with pytest.raises(UsageError, match="unknown types decimal, int65"):
        read_csv(csv("a\n1\n"), dtypes={"a": "int65", "b": "decimal"})


# --- no cell in any message -------------------------------------------------------------------------

BROKEN = {
    "type": f"a,b\n1,2\n{CANARY},3\n",
    "ragged": f"a,b\n1,2\n{CANARY}\n{CANARY},2,3\n",
    "quote": f'a,b\n1,"{CANARY}\n',
    "encoding": f"a,b\n1,2\n{CANARY}é,3\n".encode("latin-1"),
    "encoding of b": f"a,b\n1,2\n1,{CANARY}é\n".encode("latin-1"),
    "gzip": gzip.compress(f"a,b\n{CANARY},1\n".encode())[:-4],
    "duplicate": f"a,b,a\n{CANARY},2,3\n",
    "missing": f"a,c\n{CANARY},{CANARY}\n",
    "headless": f"{CANARY},{CANARY},1\n{CANARY},{CANARY},2\n",
    "delimiter": f"{CANARY};b\n{CANARY};2\n",
}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("dtype", ["int64", "float64", "bool", "date", "datetime[ns]", "duration[us]"])
def test_no_cell_is_quoted_in_any_error(csv, fault, dtype):
    schema = table(("a", dtype, {}), ("b", "int64", {}))
    with pytest.raises((StructureError, DataError)) as error:
        read_table(csv(BROKEN[fault]), schema=schema, dialect=CsvDialect())
    shown = "".join(traceback.format_exception(error.value))
    assert CANARY not in shown
    assert error.value.__cause__ is None
    assert error.value.__context__ is None
