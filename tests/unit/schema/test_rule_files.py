"""Rules in schema files: read, written, and every fault with its path."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from tabsynth.errors import SchemaError
from tabsynth.schema.files import (
    json_schema,
    read_schema,
    schema_from_dict,
    schema_from_yaml,
    schema_to_dict,
    schema_to_yaml,
)
from tabsynth.schema.rules import KINDS, Check, Combinations, Dependency, Range, Sum
from tabsynth.schema.types import Schema
from tabsynth.schema.validate import check_schema
from tests.unit.constraints.tables import STAYS, table, whole

HEAD = """version: 1
tables:
  t:
    columns:
      a: {kind: integer, bounds: [0, 9]}
      b: {kind: integer, bounds: [0, 9], nullable: true}
      c: {kind: categorical, categories: [x, w], nullable: true}
      d: {kind: date}
      g: {kind: boolean}
      i: {kind: identifier}
      m: {kind: datetime, timezone: Europe/Vienna}
      s: {kind: duration}
      e: {kind: date}
"""
EVERY = """    constraints:
      - {rule: range, column: d, lower: "2020-01-01", strict: true, name: late enough}
      - {rule: range, column: m, upper: "2020-01-01T00:00:00+01:00", note: a form}
      - {rule: range, column: s, upper: P1D, draft: true}
      - {rule: inequality, columns: [a, b]}
      - {rule: combinations, columns: [a, c], rows: [[1, x], [2, null]]}
      - {rule: hierarchy, columns: [a, c, g], rows: [[1, x, true], [2, x, true]]}
      - {rule: dependency, columns: [c], determines: [a]}
      - {rule: formula, column: a, sql: b * 2, tolerance: 0.5, decimals: 1}
      - {rule: sum, column: a, parts: [b]}
      - {rule: exactly, columns: [g, a], count: 2}
      - {rule: unique, columns: [i, d]}
      - {rule: conditional, if: "c = 'x'", then: a > 3, else: a <= 3}
      - {rule: nulls_together, columns: [b, c]}
      - {rule: exclusive, columns: [b, c]}
      - {rule: monotone, column: d, within: [i], along: m, decreasing: true}
      - {rule: expression, sql: "a < b OR g"}
"""


def test_rules_of_every_kind_are_read_and_written():
    schema = schema_from_yaml(HEAD + EVERY)
    assert {rule.kind for rule in schema.only_table.constraints} == set(KINDS)
    assert schema_from_yaml(schema_to_yaml(schema)) == schema
    assert schema_from_dict(schema_to_dict(schema)) == schema
    known = Schema(tables=(STAYS,))
    assert schema_from_yaml(schema_to_yaml(known)) == known


def test_the_json_schema_knows_which_keys_go_with_which_rule():
    document = yaml.safe_load(HEAD + EVERY)
    validator = jsonschema.Draft202012Validator(json_schema())
    assert list(validator.iter_errors(document)) == []
    for wrong in (
        {"rule": "range", "columns": ["a"]},
        {"rule": "sum", "column": "a"},
        {"rule": "no"},
        {"name": "x"},
    ):
        document["tables"]["t"]["constraints"] = [wrong]
        assert list(validator.iter_errors(document))


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        ("{rule: rnge, column: a}", ".rule", "unknown rule 'rnge' (did you mean 'range'?)"),
        ("{rule: 3}", ".rule", "expected text, found a whole number"),
        ("3", "", "expected a mapping, found a whole number"),
        ("{column: a}", ".rule", "required key is missing"),
        ("{rule: range, colum: a}", ".colum", "unknown key (did you mean 'column'?)"),
        ("{rule: range, column: a, columns: [a]}", ".columns", "rule range has no such key (it has: name, note, draft, column"),
        ("{rule: range, lower: 1}", ".column", "required for rule range and missing"),
        ("{rule: range, column: a}", "", "a range needs lower, upper or both"),
        ("{rule: range, column: z, lower: 1}", ".column", "no column 'z' in this table"),
        ("{rule: range, column: c, lower: 1}", ".column", "'c' is of kind categorical, which has no order here"),
        ("{rule: range, column: d, lower: 1}", ".lower", "expected a date such as 2020-01-31, found a whole number"),
        ("{rule: range, column: a, lower: 5, upper: 3}", "", "no value lies in this range"),
        ("{rule: range, column: a, lower: 5, upper: 5, strict: true}", "", "no value lies in this range"),
        ("{rule: inequality, columns: [a]}", ".columns", "needs at least 2 columns"),
        ("{rule: inequality, columns: [a, a]}", ".columns", "column 'a' stands here twice"),
        ("{rule: inequality, columns: [a, d]}", ".columns", "compares date with number"),
        ("{rule: unique, columns: []}", ".columns", "needs at least one column"),
        ("{rule: expression, sql: 'a <'}", ".sql", "is not SQL that polars reads"),
        ("{rule: expression, sql: 'z > 1'}", ".sql", "no column 'z'"),
        ("{rule: expression, sql: 'a + 1'}", ".sql", "is not true or false"),
        ("{rule: expression, sql: '1 < 2'}", ".sql", "names no column"),
        ("{rule: expression, sql: 'c < d'}", ".sql", "cannot be computed from columns of these types"),
        ("{rule: conditional, if: 'a', then: 'a > 1'}", ".if", "is not true or false"),
        ("{rule: conditional, if: 'g', then: 'a > 1', else: 'a'}", ".else", "is not true or false"),
        ("{rule: formula, column: a, sql: 'a * 2'}", ".sql", "computes 'a' from itself"),
        ("{rule: formula, column: a, sql: 'c'}", ".sql", "gives no number"),
        ("{rule: formula, column: d, sql: 'a * 2'}", ".column", "kind date cannot be computed"),
        ("{rule: formula, column: a, sql: b, tolerance: -1.0}", ".tolerance", "must be a finite number, 0 or more"),
        ("{rule: formula, column: a, sql: b, decimals: 16}", ".decimals", "must lie in 0 to 15"),
        ("{rule: sum, column: a, parts: [a, b]}", ".parts", "the total is one of its own parts"),
        ("{rule: sum, column: d, parts: [e]}", ".column", "dates cannot be added"),
        ("{rule: exactly, columns: [g, a], count: 3}", ".count", "must lie in 0 to 2"),
        ("{rule: exactly, columns: [c]}", ".columns", "'c' is neither true or false nor 0 or 1"),
        ("{rule: monotone, column: d, along: d}", ".column", "cannot be its own group or order"),
        ("{rule: monotone, column: d, along: z}", ".along", "no column 'z'"),
        ("{rule: combinations, columns: [a]}", ".columns", "a mapping needs at least 2 columns"),
        ("{rule: combinations, columns: [a, i]}", ".columns", "'i' is identifier, which is made anew"),
        ("{rule: combinations, columns: [a, c], rows: []}", ".rows", "holds no row at all"),
        ("{rule: combinations, columns: [a, c], rows: [[1, x], [2]]}", ".rows[1]", "expected 2 cells"),
        ("{rule: combinations, columns: [a, c], rows: [[1, x], [v, x]]}", ".rows[1]", "expected a whole number, found text"),
        ("{rule: combinations, columns: [a, c], rows: [[1, z]]}", ".rows[0]", "not a declared category of 'c'"),
        ("{rule: combinations, columns: [a, c], rows: [[null, x]]}", ".rows[0]", "a null for 'a', which is never null"),
        ("{rule: combinations, columns: [a, c], rows: [[1, x], [1, x]]}", ".rows", "1 repeated"),
        ("{rule: combinations, columns: [a, c], rows: [[1, x]], file: f.csv}", ".file", "rows stand here already"),
        ("{rule: hierarchy, columns: [a, c, g], rows: [[1, x, true], [2, x, false]]}", ".rows[1]", "c does not determine g"),
        ("{rule: dependency, columns: [a], determines: [c], rows: [[1, x], [1, w]]}", ".rows[1]", "a does not determine c"),
        ("{rule: dependency, columns: [a], determines: [a]}", ".determines", "names other columns"),
    ],
)  # fmt: skip
def test_one_fault_of_a_rule(rule, path, words):
    text = f"{HEAD}    constraints:\n      - {rule}\n"
    with pytest.raises(SchemaError) as caught:
        schema_from_yaml(text)
    (fault,) = caught.value.faults
    assert fault.where == f"tables.t.constraints[0]{path}"
    assert "line 15: " in fault.what
    assert words in str(fault)


def test_all_faults_are_told_at_once_and_in_their_places():
    rules = (
        "{rule: nope}",
        "{rule: unique, columns: [a]}",
        "{rule: range, colum: a}",
        "{rule: unique, columns: [z]}",
    )
    text = HEAD + "    constraints:\n" + "".join(f"      - {rule}\n" for rule in rules)
    with pytest.raises(SchemaError) as caught:
        schema_from_yaml(text.replace("a: {kind: integer, ", "a: {kind: integer, nullable: 3, "))
    assert [fault.where for fault in caught.value.faults] == [
        "tables.t.columns.a.nullable",
        "tables.t.constraints[0].rule",
        "tables.t.constraints[2].colum",
        "tables.t.constraints[3].columns",
    ]


def test_a_mapping_may_stand_in_a_file_beside_the_schema(tmp_path: Path):
    (tmp_path / "map.csv").write_text("c,more,a\nx,1,1\n,2,2\n", encoding="utf-8")
    (tmp_path / "s.yaml").write_text(
        HEAD + "    constraints:\n      - {rule: combinations, columns: [a, c], file: map.csv}\n",
        encoding="utf-8",
    )
    (rule,) = read_schema(tmp_path / "s.yaml").only_table.constraints
    assert rule == Combinations(columns=("a", "c"), rows=((1, "x"), (2, None)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read as CSV"),
        ("", "has no column 'a'"),
        ("a,b\n1,2\n", "has no column 'c'"),
        ("a,c\n1\n", "has lines of different lengths"),
        ("a,c\n1.5,x\n", "expected a whole number"),
    ],
)
def test_a_file_that_holds_no_mapping(tmp_path: Path, text: str | None, words: str):
    if text is not None:
        (tmp_path / "map.csv").write_text(text, encoding="utf-8")
    rule = "{rule: dependency, columns: [a], determines: [c], file: map.csv}"
    with pytest.raises(SchemaError, match=words):
        schema_from_yaml(f"{HEAD}    constraints:\n      - {rule}\n", folder=tmp_path)


def test_a_schema_that_is_not_a_file_reads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that came in a bundle or a model must not reach for files of whoever reads it."""
    (tmp_path / "map.csv").write_text("a,c\n1,x\n", encoding="utf-8")
    rule = "{rule: dependency, columns: [a], determines: [c], file: map.csv}"
    text = f"{HEAD}    constraints:\n      - {rule}\n"
    monkeypatch.chdir(tmp_path)
    for name in ("map.csv", str(tmp_path / "map.csv"), "/dev/zero"):
        with pytest.raises(SchemaError, match="no file is read for a schema that is not a file itself"):
            schema_from_yaml(text.replace("map.csv", name))
    assert schema_from_yaml(text, folder=tmp_path).only_table.constraints


def test_cells_of_a_file_are_read_as_their_columns_are_stored(tmp_path: Path):
    (tmp_path / "m.csv").write_text("g,x,c\ntrue,1.5,w\nFALSE,2,x\n", encoding="utf-8")
    head = HEAD.replace("s: {kind: duration}", "x: {kind: number}")
    text = head + "    constraints:\n      - {rule: combinations, columns: [c, g, x], file: m.csv}\n"
    (rule,) = schema_from_yaml(text, folder=tmp_path).only_table.constraints
    assert rule.rows == (("w", True, 1.5), ("x", False, 2.0))


def test_rules_made_in_python_are_held_to_the_same():
    for rule, words in (
        (Range(column="a", lower="x"), "expected a whole number"),
        (Sum(column="a", parts=()), "needs at least one column"),
        (Dependency(columns=("a",), determines=()), "at least one"),
    ):
        with pytest.raises(SchemaError, match=words):
            check_schema(Schema(tables=(table(whole("a", 0, 9), whole("b", 0, 9), rules=(rule,)),)))


def test_a_function_of_python_has_no_place_in_a_file():
    rule = Check(columns=("a",), function=lambda frame: frame["a"] > 1)
    schema = Schema(tables=(table(whole("a", 0, 9), rules=(rule,)),))
    check_schema(schema)
    with pytest.raises(SchemaError, match="a function of Python"):
        schema_to_yaml(schema)
