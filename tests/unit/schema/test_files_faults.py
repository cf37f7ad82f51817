"""Every fault of a file, at once, with its path, its line and a hint, and without a cell's value."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from tabsynth.errors import SchemaError
from tabsynth.schema.files import (
    read_schema,
    schema_from_dict,
    schema_from_yaml,
    schema_to_dict,
    schema_to_yaml,
    write_schema,
)
from tabsynth.schema.generators import WAYS
from tabsynth.schema.types import Column, Kind, Schema, TableSchema
from tabsynth.schema.validate import TEXT_FORMATS, check_schema


def column_faults(column: str) -> dict[str, str]:
    """The faults of a file with one column `x`, by path below the column."""
    text = f"version: 1\ntables:\n  t:\n    columns:\n      x: {column}\n"
    with pytest.raises(SchemaError) as caught:
        schema_from_yaml(text)
    assert all("line 5: " in fault.what for fault in caught.value.faults)
    return {fault.where.removeprefix("tables.t.columns.x"): str(fault) for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("column", "path", "words"),
    [
        ("{kind: intger}", ".kind", "unknown kind 'intger' (did you mean 'integer'?)"),
        ("{kind: 3}", ".kind", "expected text, found a whole number (one of: integer,"),
        ("{}", ".kind", "required key is missing"),
        ("3", "", "expected a mapping, found a whole number"),
        ("{kind: integer, bouds: [1, 2]}", ".bouds", "unknown key (did you mean 'bounds'?)"),
        ("{kind: integer, dtype: in64}", ".dtype", "unknown dtype 'in64' (did you mean 'int64'?)"),
        (
            "{kind: boolean, dtype: float64}",
            ".dtype",
            "float64 cannot store kind boolean (one of: bool, string",
        ),
        ("{kind: integer, role: quasi}", ".role", "unknown role 'quasi' (did you mean 'quasi_identifier'?)"),
        ("{kind: integer, nullable: maybe}", ".nullable", "expected true or false, found text"),
        ("{kind: integer, bounds: [2, 1]}", ".bounds", "lower bound is above the upper bound"),
        ("{kind: integer, bounds: [1]}", ".bounds", "expected [lower, upper], found 1 values"),
        ("{kind: integer, bounds: [1, 2, 3]}", ".bounds", "found 3 values"),
        ("{kind: integer, bounds: [1, [2]]}", ".bounds[1]", "expected a single value, found a list"),
        ("{kind: integer, bounds: 5}", ".bounds", "expected a list, found a whole number"),
        ("{kind: integer, bounds: [1, 2.5]}", ".bounds[1]", "expected a whole number, found a number"),
        ("{kind: integer, bounds: [true, 2]}", ".bounds[0]", "expected a whole number, found true or false"),
        ("{kind: integer, dtype: uint8, bounds: [0, 256]}", ".bounds[1]", "does not fit uint8"),
        ("{kind: integer, dtype: int8, bounds: [-129, 0]}", ".bounds[0]", "does not fit int8"),
        ("{kind: number, bounds: [0, .inf]}", ".bounds[1]", "expected a finite number"),
        ("{kind: number, bounds: [0, 1" + "0" * 400 + "]}", ".bounds[1]", "expected a finite number"),
        (
            "{kind: date, bounds: [2020-01-01, 2020-13-01]}",
            ".bounds[1]",
            "expected a date such as 2020-01-31",
        ),
        ("{kind: duration, bounds: [PT1H, 1 hour]}", ".bounds[1]", "expected an ISO 8601 duration"),
        ("{kind: duration, bounds: [P, PT1H]}", ".bounds[0]", "expected an ISO 8601 duration"),
        ("{kind: datetime, bounds: [2020-01-01, '2021-01-01T00:00Z']}", ".bounds[1]", "without UTC offset"),
        (
            "{kind: datetime, timezone: UTC, bounds: [2020-01-01, 2021-01-01T00:00Z]}",
            ".bounds[0]",
            "with UTC offset",
        ),
        (
            "{kind: datetime, timezone: Asia/Tokyo, bounds: [2020-01-01T00Z, 9999-12-31T23:00Z]}",
            ".bounds[1]",
            "within the years 1 to 9999",
        ),
        ("{kind: categorical, bounds: [1, 2]}", ".bounds", "kind categorical has no bounds"),
        ("{kind: integer, categories: [1]}", ".categories", "kind integer has no categories"),
        (
            "{kind: categorical, categories: [a, 1, 2]}",
            ".categories[1]",
            "found a whole number, and so 1 more value",
        ),
        (
            "{kind: categorical, categories: [a, null]}",
            ".categories[1]",
            "expected a single value, found nothing",
        ),
        ("{kind: categorical, dtype: int8, categories: [1, 200]}", ".categories[1]", "does not fit int8"),
        (
            "{kind: ordinal, dtype: 'datetime[ns]', categories: ['1677-09-21 00:12:43.145224', '2000-01-01']}",
            ".categories[0]",
            "does not fit datetime[ns]",
        ),
        (
            "{kind: categorical, dtype: 'duration[ns]', categories: ['P1D', 'P106752D']}",
            ".categories[1]",
            "does not fit duration[ns]",
        ),
        ("{kind: categorical, categories: [a, b, a]}", ".categories", "1 value repeated"),
        ("{kind: categorical, categories: []}", ".categories", "no level at all"),
        ("{kind: boolean, dtype: string, categories: [a, b, c]}", ".categories", "two levels, found 3"),
        ("{kind: ordinal, domain: {origin: charged}}", ".categories", "required for kind ordinal"),
        ("{kind: integer, special_values: [N]}", ".special_values[0]", "expected a whole number, found text"),
        (
            "{kind: integer, dtype: string, special_values: [-1]}",
            ".special_values[0]",
            "(write it in quotes)",
        ),
        ("{kind: text, special_values: [a]}", ".special_values", "kind text has no special values"),
        ("{kind: integer, decimals: 2}", ".decimals", "kind integer has no decimals"),
        ("{kind: number, decimals: 16}", ".decimals", "must lie in 0 to 15"),
        ("{kind: number, decimals: 1.5}", ".decimals", "expected a whole number, found a number"),
        ("{kind: date, resolution: day}", ".resolution", "kind date has no resolution"),
        ("{kind: datetime, resolution: hours}", ".resolution", "did you mean 'hour'?"),
        ("{kind: date, timezone: UTC}", ".timezone", "kind date has no timezone"),
        ("{kind: datetime, timezone: Europe/Wien}", ".timezone", "no time zone 'Europe/Wien'"),
        ("{kind: datetime, timezone: ../../etc/passwd}", ".timezone", "no time zone"),
        ("{kind: date, dtype: string}", ".format", "required for a date held as text"),
        ("{kind: date, dtype: string, format: YYYY}", ".format", "is not a strftime pattern"),
        ("{kind: date, dtype: string, format: '%Y-%Q'}", ".format", "is not a strftime pattern"),
        ("{kind: datetime, dtype: string, format: '%H:%M:%S.%f'}", ".format", "fractions of seconds are %.f"),
        ("{kind: datetime, dtype: string, format: '%F %R%z'}", ".timezone", "exactly when its format has %z"),
        (
            "{kind: datetime, dtype: string, format: '%F', timezone: UTC}",
            ".timezone",
            "exactly when its format",
        ),
        ("{kind: text, format: emial}", ".format", "did you mean 'email'?"),
        ("{kind: number, format: '0.##'}", ".format", "the fewest decimals: 0, 0.0, 0.00"),
        ("{kind: duration, format: '%S'}", ".format", "one of: %H:%M, %H:%M:%S, %H:%M:%S%.f"),
        ("{kind: integer, format: '###'}", ".format", "kind integer has no format"),
        ("{kind: integer, unique: true}", ".unique", "only identifiers are unique"),
        ("{kind: integer, domain: {origin: public}}", ".domain", "public without by and source"),
        ("{kind: integer, domain: {origin: public, by: A, source: ' '}}", ".domain", "public without source"),
        ("{kind: integer, domain: {origin: publc}}", ".domain.origin", "did you mean 'public'?"),
        ("{kind: integer, domain: {on: soon}}", ".domain.on", "expected a date such as 2020-01-31"),
        (
            "{kind: integer, domain: {zzz: soon}}",
            ".domain.zzz",
            "unknown key (one of: origin, by, source, on)",
        ),
        (
            "{kind: integer, description: 3}",
            ".description",
            "expected text, found a whole number (write it in quotes)",
        ),
    ],
)
def test_one_fault(column: str, path: str, words: str):
    faults = column_faults(column)
    assert list(faults) == [path]
    assert words in faults[path]


def table_faults(keys: str, *, rest: str = "") -> dict[str, str]:
    text = (
        f"version: 1\ntables:\n  t:\n{keys}    columns: {{a: {{kind: integer}}, b: {{kind: text}}}}\n{rest}"
    )
    with pytest.raises(SchemaError) as caught:
        schema_from_yaml(text)
    return {fault.where: str(fault) for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("keys", "path", "words"),
    [
        ("    primary_key: [c]\n", "tables.t.primary_key", "no column 'c' in this table (one of: a, b)"),
        ("    primary_key: [a, a]\n", "tables.t.primary_key.a", "stands here twice"),
        ("    primary_key: a\n", "tables.t.primary_key", "expected a list, found text"),
        ("    unit: {column: c, max_rows: 1}\n", "tables.t.unit.column", "no column 'c'"),
        ("    unit: {column: a}\n", "tables.t.unit.max_rows", "required where a column names the person"),
        ("    unit: {max_rows: 3}\n", "tables.t.unit.max_rows", "no column names the person"),
        ("    unit: {column: a, max_rows: 0}\n", "tables.t.unit.max_rows", "at least 1"),
        ("    unit: {order_by: a}\n", "tables.t.unit.order_by", "no column names the person"),
        ("    unit: {column: a, max_rows: 2, order_by: c}\n", "tables.t.unit.order_by", "no column 'c'"),
        ("    unit: {column: a, max_rows: 2, order_by: a}\n", "tables.t.unit.order_by", "names the person"),
        (
            "    unit: {column: a, max_rows: 2, order_by: b}\n",
            "tables.t.unit.order_by",
            "has no order in time",
        ),
        ("    unit: {colum: a}\n", "tables.t.unit.colum", "did you mean 'column'?"),
        ("    csv: {delimiter: ab}\n", "tables.t.csv.delimiter", "one ASCII character"),
        ("    csv: {delimiter: '\"'}\n", "tables.t.csv.quote", "same character as the delimiter"),
        ("    csv: {encoding: utf-88}\n", "tables.t.csv.encoding", "is not an encoding"),
        ("    csv: {decimal: ';'}\n", "tables.t.csv.decimal", "a point or a comma"),
        ("    csv: {null_marks: []}\n", "tables.t.csv.null_marks", "needs at least one mark"),
        ("    csv: {null_marks: [1]}\n", "tables.t.csv.null_marks[0]", "expected text, found a whole number"),
        ("    csv: {enc: utf-8}\n", "tables.t.csv.enc", "did you mean 'encoding'?"),
        ("    primarykey: [a]\n", "tables.t.primarykey", "did you mean 'primary_key'?"),
    ],
)
def test_one_fault_of_a_table(keys: str, path: str, words: str):
    faults = table_faults(keys)
    assert list(faults) == [path]
    assert words in faults[path]


def test_faults_of_foreign_keys_are_counted_as_in_the_file():
    keys = [
        "foreign_keys:",
        "  - {child: t, child_columns: [a], parent: t, parent_columns: [b]}",
        "  - {child: t, child_columns: 3, parent: t, parent_columns: [b]}",
        "  - {child: t, child_columns: [a], parent: u, parent_columns: [b]}",
        "  - 4",
        "  - {child: t, child_columns: [c, a], parent: t, parent_columns: [b]}",
        "  - {chlid: t, child: t, child_columns: [a], parent: t, parent_columns: [b]}",
    ]
    faults = table_faults("", rest="\n".join(keys))
    assert {path: re.sub(r".*line (\d+).*", r"\1", text) for path, text in faults.items()} == {
        "foreign_keys[1].child_columns": "7",
        "foreign_keys[2].parent": "8",
        "foreign_keys[3]": "9",
        "foreign_keys[4].child_columns": "10",
        "foreign_keys[4]": "10",
        "foreign_keys[5].chlid": "11",
    }


def test_all_faults_at_once():
    faults = table_faults(
        "    primary_key: [c]\n    unit: {colum: a, max_rows: 2}\n    csv: {delimiter: ab, enc: x}\n"
    )
    assert len(faults) == 5
    both = column_faults(
        "{kind: number, bounds: [2, 1], decimals: -1, nullable: x, domain: {origin: public, bye: A}}"
    )
    assert list(both) == [".nullable", ".domain.bye", ".bounds", ".decimals", ".domain"]


def test_a_column_that_cannot_be_read_still_counts_as_a_column():
    text = "version: 1\ntables: {t: {primary_key: [x], columns: {x: {kind: intger, bounds: [2, 1]}}}}"
    with pytest.raises(SchemaError) as caught:
        schema_from_yaml(text)
    assert [fault.where for fault in caught.value.faults] == ["tables.t.columns.x.kind"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "schema is empty"),
        ("# only a comment\n", "schema is empty"),
        ("- 1", "expected a mapping with the keys version and tables, found a list"),
        ("a: [", "schema is not YAML: line 2"),
        ("\tversion: 1", "schema is not YAML: line 1"),
        ("version: 1\x00", "schema is not YAML: position 10"),
        ("version: 2\ntables: {}\nwhatever: 1", "version 2 is not known (this release reads version 1)"),
        ("version: one", "version: line 1: expected 1"),
        ("version: true", "version: line 1: expected 1"),
        ("tables: {t: {columns: {a: {kind: integer}}}}", "version: line 1: required key is missing"),
        ("version: 1", "tables: line 1: required key is missing"),
        ("version: 1\ntables: {}", "tables: line 2: a schema needs at least one table"),
        ("version: 1\ntables: 3", "tables: line 2: expected a mapping, found a whole number"),
        ("version: 1\ntables: {t: 3}", "tables.t: line 2: expected a mapping, found a whole number"),
        (
            "version: 1\ntables: {t: {columns: {}}}",
            "tables.t.columns: line 2: a table needs at least one column",
        ),
        ("version: 1\ntables: {t: {columns: 3}}", "tables.t.columns: line 2: expected a mapping"),
        ("version: 1\ntables: {t: {}}", "tables.t.columns: line 2: required key is missing"),
        ("version: 1\nversion: 1\ntables: {}", "version: line 2: stands here twice"),
        ("version: 1\n--- \nversion: 1", "holds 2 YAML documents"),
        ("version: 1\n? [a]\n: 3", "a key must be a single name"),
        ("version: 1\nn: " + "1" * 5000, "n: line 2: a number of more than 4000 digits"),
        ("version: 1\ntables: !!python/object:os.system {}", "tables: line 2: tags (!name) are not allowed"),
        ("[" * 900, "nested more than 12 levels deep"),
        ("[" * 100_000, "nested more than 12 levels deep"),
        ("version: 1\n" + "".join(f"{'  ' * n}a:\n" for n in range(20)), "nested more than 12 levels deep"),
    ],
)
def test_files_that_are_no_schemas(text: str, words: str):
    with pytest.raises(SchemaError, match=re.escape(words)):
        schema_from_yaml(text)


def test_aliases_are_refused_so_that_no_file_explodes():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(SchemaError, match=re.escape("aliases (*name) are not allowed")):
        schema_from_yaml("version: 1\n" + bomb)


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_either_parser_reads_the_same(loader: str, monkeypatch: pytest.MonkeyPatch):
    if loader == "SafeLoader":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    text = "version: 1\ntables:\n  t:\n    columns:\n      a: {kind: categorical, categories: [yes, '1', \"\\u2028\"]}\n"
    assert schema_from_yaml(text).only_table["a"].categories == ("yes", "1", "\u2028")


def test_no_message_shows_a_value():
    secret = "Zaphod-4711"
    for column in (
        f"{{kind: integer, bounds: [{secret}, 2]}}",
        f"{{kind: date, bounds: [{secret}, {secret}]}}",
        f"{{kind: categorical, dtype: int8, categories: [{secret}]}}",
        f"{{kind: categorical, categories: [{secret}, {secret}]}}",
        f"{{kind: number, special_values: [{secret}]}}",
        f"{{kind: number, bounds: {secret}}}",
    ):
        assert not [text for text in column_faults(column).values() if "Zaphod" in text]


def test_names_with_dots_and_quotes_are_quoted_in_paths():
    text = "version: 1\ntables: {my table: {columns: {d.time: {kind: x}, 'a\"b': {kind: x}}}}"
    with pytest.raises(SchemaError) as caught:
        schema_from_yaml(text)
    assert [fault.where for fault in caught.value.faults] == [
        'tables."my table".columns."d.time".kind',
        'tables."my table".columns."a\\"b".kind',
    ]


def table(*columns: Column, name: str = "t") -> TableSchema:
    return TableSchema(name=name, columns=columns)


def test_schemas_made_in_python_are_checked_before_they_are_written():
    a = Column(name="a", kind=Kind.INTEGER, dtype="int64")
    twice = Schema(
        tables=(table(a, a), table(a), table(Column(name="d", kind=Kind.DATE, dtype="date", bounds=(1, 2))))
    )
    for write in (schema_to_yaml, schema_to_dict, check_schema):
        with pytest.raises(SchemaError) as caught:
            write(twice)
        assert [str(fault) for fault in caught.value.faults] == [
            "tables.t: a table of this name stands here twice",
            "tables.t.columns.a: a column of this name stands here twice",
            "tables.t.columns.d.bounds[0]: expected a date such as 2020-01-31, found a whole number",
            "tables.t.columns.d.bounds[1]: expected a date such as 2020-01-31, found a whole number",
        ]
    with pytest.raises(SchemaError, match="at least one table"):
        schema_to_yaml(Schema(tables=()))
    levels = Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=(1, "b", 2))
    with pytest.raises(
        SchemaError, match=r"categories\[0\]: expected text, found a whole number, and so 1 more"
    ):
        schema_to_dict(Schema(tables=(table(levels),)))


def test_plain_data_with_keys_that_are_not_text():
    with pytest.raises(SchemaError, match="expected text"):
        schema_from_dict({"version": 1, "tables": {"t": {"columns": {1: {"kind": "integer"}}}}})


SCHEMA = Schema(tables=(table(Column(name="a", kind=Kind.INTEGER, dtype="int64")),))


def test_written_whole_or_not_at_all(tmp_path: pathlib.Path):
    path = tmp_path / "schema.yaml"
    write_schema(SCHEMA, path, private_note=True, json_schema_path="schema.json")
    text = path.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n# PRIVATE: ")
    assert read_schema(path) == SCHEMA
    write_schema(SCHEMA, path, private_note=False)
    assert path.read_text("utf-8").startswith("version: 1\n")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(SchemaError):
        write_schema(Schema(tables=()), path, private_note=False)
    assert read_schema(path) == SCHEMA


def test_a_failed_write_leaves_nothing_behind(tmp_path: pathlib.Path):
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(OSError, match="taken"):
        write_schema(SCHEMA, target, private_note=False)
    assert list(tmp_path.iterdir()) == [target]


def test_files_that_cannot_be_read(tmp_path: pathlib.Path):
    path = tmp_path / "schema.yaml"
    with pytest.raises(SchemaError, match="cannot be read: No such file"):
        read_schema(path)
    path.write_bytes(b"version: 1\n# \xff")
    with pytest.raises(SchemaError, match=r"schema\.yaml is not UTF-8: byte 13"):
        read_schema(path)
    path.write_text("version: 1", "utf-8")
    with pytest.raises(SchemaError, match=r"^schema\.yaml has 1 fault"):
        read_schema(path)
    path.write_text(schema_to_yaml(SCHEMA), "utf-8-sig")
    assert read_schema(path) == SCHEMA


def test_text_formats_are_those_that_can_be_made():
    assert set(TEXT_FORMATS) <= set(WAYS)
