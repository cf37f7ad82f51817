"""Schemas from SDV metadata and Frictionless descriptors, and files told apart by their keys."""

from __future__ import annotations

import datetime as dt
import json
import pathlib

import pytest

from tabsynth.errors import SchemaError
from tabsynth.schema import (
    Column,
    CsvDialect,
    ForeignKey,
    Kind,
    Origin,
    Role,
    Schema,
    from_frictionless,
    from_sdv_metadata,
    read_any_schema,
    schema_from_yaml,
    schema_to_dict,
    schema_to_yaml,
)
from tabsynth.schema.foreign import mask_of_pattern, read_value

HOTELS = {
    "METADATA_SPEC_VERSION": "V1",
    "tables": {
        "hotels": {
            "primary_key": "hotel_id",
            "columns": {
                "hotel_id": {"sdtype": "id", "regex_format": "HID_[0-9]{3}"},
                "city": {"sdtype": "categorical"},
                "rating": {"sdtype": "numerical"},
                "stars": {"sdtype": "numerical", "computer_representation": "Int8"},
                "class": {"sdtype": "categorical", "order": ["budget", "luxury"]},
            },
            "column_relationships": [],
        },
        "guests": {
            "primary_key": "guest_email",
            "alternate_keys": ["card", ["member"]],
            "columns": {
                "guest_email": {"sdtype": "email", "pii": True},
                "hotel_id": {"sdtype": "id", "regex_format": "HID_[0-9]{3}"},
                "has_rewards": {"sdtype": "boolean"},
                "checkin_date": {"sdtype": "datetime", "datetime_format": "%d %b %Y"},
                "seen": {"sdtype": "datetime", "datetime_format": "%Y-%m-%dT%H:%M:%S.%f"},
                "stored": {"sdtype": "datetime"},
                "billing_address": {"sdtype": "address", "pii": True},
                "home_town": {"sdtype": "city", "pii": False},
                "zip": {"sdtype": "postcode"},
                "card": {"sdtype": "credit_card_number"},
                "member": {"sdtype": "id"},
                "thing": {"sdtype": "unknown"},
            },
        },
    },
    "relationships": [
        {
            "parent_table_name": "hotels",
            "parent_primary_key": "hotel_id",
            "child_table_name": "guests",
            "child_foreign_key": "hotel_id",
        }
    ],
}


def kinds(columns: tuple[Column, ...]) -> dict[str, tuple[str, str, str | None]]:
    return {column.name: (column.kind.value, column.dtype, column.format) for column in columns}


def test_sdv_version_1():
    schema = from_sdv_metadata(HOTELS)
    hotels, guests = schema.tables
    assert kinds(hotels.columns) == {
        "hotel_id": ("identifier", "string", "HID_###"),
        "city": ("categorical", "string", None),
        "rating": ("number", "float64", None),
        "stars": ("integer", "int8", None),
        "class": ("ordinal", "string", None),
    }
    assert hotels["class"].categories == ("budget", "luxury")
    assert kinds(guests.columns) == {
        "guest_email": ("identifier", "string", None),
        "hotel_id": ("identifier", "string", "HID_###"),
        "has_rewards": ("boolean", "bool", None),
        "checkin_date": ("date", "string", "%d %b %Y"),
        "seen": ("datetime", "string", "%Y-%m-%dT%H:%M:%S%.f"),
        "stored": ("datetime", "datetime[us]", None),
        "billing_address": ("text", "string", "address"),
        "home_town": ("categorical", "string", None),
        "zip": ("identifier", "string", None),
        "card": ("identifier", "string", None),
        "member": ("identifier", "string", None),
        "thing": ("identifier", "string", None),
    }
    assert {column.name for column in guests.columns if column.unique} == {"guest_email", "card", "member"}
    assert {column.name for column in guests.columns if not column.nullable} == {
        "guest_email",
        "card",
        "member",
    }
    assert guests["home_town"].role is Role.QUASI_IDENTIFIER
    assert all(column.domain.origin is Origin.DRAFT for table in schema.tables for column in table.columns)
    assert schema.foreign_keys == (
        ForeignKey(
            child="guests", child_columns=("hotel_id",), parent="hotels", parent_columns=("hotel_id",)
        ),
    )
    assert schema_from_yaml(schema_to_yaml(schema)) == schema


def test_sdv_version_2_states_domains():
    metadata = {
        "METADATA_SPEC_VERSION": "V2",
        "tables": {
            "visits": {
                "primary_key": ["patient", "day"],
                "columns": {
                    "patient": {"sdtype": "id", "range_is_nullable": False},
                    "day": {
                        "sdtype": "datetime",
                        "datetime_format": "%d/%m/%Y",
                        "range_min": "01/02/2020",
                        "range_max": "31/12/2021",
                        "range_is_nullable": False,
                    },
                    "age": {"sdtype": "numerical", "range_min": 0.0, "range_max": 120, "decimal_places": 0},
                    "cost": {"sdtype": "numerical", "range_min": 0, "range_max": 10, "decimal_places": 2},
                    "level": {"sdtype": "ordinal", "range_values": [2, 0, 1], "high_cardinality": False},
                    "share": {"sdtype": "ordinal", "range_values": [0.5, 0]},
                    "sex": {"sdtype": "categorical", "range_values": ["m", "f"], "range_is_nullable": False},
                    "ok": {"sdtype": "categorical", "range_values": [True, False]},
                    "at": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d %H:%M%z"},
                    "was": {
                        "sdtype": "datetime",
                        "range_min": "2020-01-01",
                        "range_max": "2021-01-01T12:00:00",
                    },
                },
            }
        },
        "relationships": [],
    }
    (table,) = from_sdv_metadata(metadata).tables
    assert table.primary_key == ("patient", "day")
    assert not table["patient"].unique
    assert table["day"].bounds == (dt.date(2020, 2, 1), dt.date(2021, 12, 31))
    assert (table["age"].kind, table["age"].bounds, table["age"].dtype) == (Kind.INTEGER, (0, 120), "int64")
    assert (table["cost"].kind, table["cost"].bounds, table["cost"].decimals) == (Kind.NUMBER, (0.0, 10.0), 2)
    assert (table["level"].kind, table["level"].categories, table["level"].dtype) == (
        Kind.ORDINAL,
        (0, 1, 2),
        "int64",
    )
    assert (table["share"].categories, table["share"].dtype) == ((0.0, 0.5), "float64")
    assert (table["sex"].categories, table["sex"].nullable, table["sex"].role) == (
        ("m", "f"),
        False,
        Role.QUASI_IDENTIFIER,
    )
    assert table["ok"].dtype == "bool"
    assert table["at"].timezone == "UTC"
    assert table["was"].bounds is not None
    assert table["age"].nullable


def test_sdv_single_table():
    single = {
        "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
        "columns": {"a": {"sdtype": "id"}},
        "primary_key": "a",
    }
    schema = from_sdv_metadata(single, table_name="guests")
    assert schema.only_table.name == "guests"
    assert schema.only_table["a"].unique


def faults_of(call: object, data: object) -> dict[str, str]:
    with pytest.raises(SchemaError) as caught:
        call(data)
    return {fault.where: str(fault) for fault in caught.value.faults}


def test_sdv_faults_are_listed_together():
    columns = {
        "a": {"sdtype": "numercial"},
        "b": {},
        "c": 3,
        "d": {"sdtype": "numerical", "range_min": 0},
        "e": {"sdtype": "numerical", "computer_representation": "Int65", "decimal_places": "two"},
        "f": {"sdtype": "id", "regex_format": "(a|b)+"},
        "g": {"sdtype": "categorical", "range_values": [1, "x"]},
        "h": {"sdtype": "boolean", "pii": True},
        "i": {"sdtype": "datetime", "datetime_format": "%Y", "range_min": "Secret", "range_max": "2020"},
        "j": {"sdtype": 3},
        "k": {"sdtype": "categorical", "range_values": ["a", "a"]},
    }
    faults = faults_of(
        from_sdv_metadata,
        {
            "METADATA_SPEC_VERSION": "V9",
            "columns": columns,
            "primary_key": {"a": 1},
            "alternate_keys": [["a", "b"], "zz", "k"],
            "sequence_key": "a",
            "sequence_index": "d",
            "column_relationships": [{"type": "gps"}],
            "constraints": [],
        },
    )
    words = {
        "METADATA_SPEC_VERSION": "not a known version",
        "columns.a.sdtype": "did you mean 'numerical'?",
        "columns.b.sdtype": "required key is missing",
        "columns.c": "expected a mapping",
        "columns.d.range_min": "open on one side",
        "columns.e.computer_representation": "unknown representation 'Int65'",
        "columns.e.decimal_places": "expected a whole number, found text",
        "columns.f.regex_format": "not a pattern that a mask can hold",
        "columns.g.range_values": "values of one type",
        "columns.h.pii": "is not supported",
        "columns.i.range_min": "is not of kind date in the column's format",
        "columns.j.sdtype": "expected text, found a whole number",
        "primary_key": "expected a name or a list of names",
        "alternate_keys[0]": "of several columns are not supported",
        "alternate_keys[1]": "no column 'zz'",
        "alternate_keys[2]": "only identifiers are unique",
        "sequence_key": "sequences are not supported",
        "sequence_index": "sequences are not supported",
        "column_relationships": "is not supported",
        "constraints": "is not supported",
        "tables.table.columns.k.categories": "1 value repeated",
    }
    assert faults.keys() == words.keys()
    assert all(words[path] in text for path, text in faults.items())
    assert "Secret" not in str(faults)


def test_sdv_faults_of_shape():
    assert list(faults_of(from_sdv_metadata, {"columns": 3})) == ["columns", "tables.table.columns"]
    assert "columns" in faults_of(from_sdv_metadata, {"METADATA_SPEC_VERSION": "V1"})
    assert "tables.t" in faults_of(from_sdv_metadata, {"tables": {"t": 3}})
    relationships = faults_of(from_sdv_metadata, {**HOTELS, "relationships": [3, {"x": 1}]})
    assert {path.split(".")[-1] for path in relationships} >= {"relationships[0]", "x", "parent_table_name"}
    unknown = faults_of(
        from_sdv_metadata,
        {**HOTELS, "relationships": [{**HOTELS["relationships"][0], "child_foreign_key": "zz"}]},
    )
    assert list(unknown) == ["foreign_keys[0].child_columns"]
    missing = {"columns": {"a": {"sdtype": "id"}}, "primary_key": "b"}
    assert list(faults_of(from_sdv_metadata, missing)) == ["tables.table.primary_key"]


FIELDS = [
    {"name": "id", "type": "integer"},
    {"name": "code", "type": "string", "constraints": {"unique": True, "pattern": "[A-Z]{2}[0-9]{4}"}},
    {"name": "country", "type": "string", "constraints": {"enum": ["at", "de"], "required": True}},
    {
        "name": "level",
        "categories": [{"value": "low", "label": "Low"}, {"value": "high"}],
        "categoriesOrdered": True,
    },
    {"name": "class", "type": "integer", "constraints": {"enum": ["1", 2]}},
    {"name": "age", "type": "integer", "constraints": {"minimum": 0, "maximum": "120"}},
    {"name": "children", "type": "integer", "constraints": {"exclusiveMinimum": -1, "exclusiveMaximum": 21}},
    {
        "name": "weight",
        "type": "number",
        "constraints": {"minimum": 0, "maximum": 500},
        "description": "in kg",
    },
    {"name": "alive", "type": "boolean"},
    {"name": "known", "type": "boolean", "constraints": {"enum": ["true"]}},
    {"name": "smoker", "type": "boolean", "trueValues": ["yes"], "falseValues": ["no"]},
    {
        "name": "born",
        "type": "date",
        "format": "%d/%m/%Y",
        "constraints": {"minimum": "01/02/1900", "maximum": "2024-01-01"},
    },
    {
        "name": "seen",
        "type": "datetime",
        "constraints": {"minimum": "2020-01-01T00:00:00Z", "maximum": "2021-01-01T00:00:00Z"},
    },
    {"name": "sent", "type": "datetime", "format": "fmt:%Y-%m-%d %H:%M"},
    {"name": "since", "type": "year", "constraints": {"minimum": 1990, "maximum": 2024}},
    {"name": "mail", "type": "string", "format": "email"},
    {"name": "link", "type": "string", "format": "uri"},
    {"name": "first_name", "type": "string"},
    {"name": "patient_id", "type": "string"},
    {"name": "ward", "type": "string"},
    {"name": "account_id", "type": "integer"},
    {"name": "seat", "type": "integer"},
]
PACKAGE = {
    "name": "hospital",
    "resources": [
        {
            "name": "patients",
            "path": "patients.csv",
            "encoding": "latin-1",
            "dialect": {"delimiter": ";", "quoteChar": "'"},
            "schema": {
                "fields": FIELDS,
                "primaryKey": "id",
                "uniqueKeys": [["seat"]],
                "missingValues": ["", {"value": "NA", "label": "not known"}],
                "foreignKeys": [{"fields": ["ward"], "reference": {"resource": "wards", "fields": ["ward"]}}],
            },
        },
        {
            "name": "wards",
            "schema": {
                "fields": [{"name": "ward"}, {"name": "parent"}],
                "primaryKey": ["ward"],
                "foreignKeys": [{"fields": "parent", "reference": {"resource": "", "fields": "ward"}}],
            },
        },
        {"name": "readme", "path": "README.md"},
    ],
}


def test_a_data_package():
    schema = from_frictionless(PACKAGE)
    patients, wards = schema.tables
    assert kinds(patients.columns) == {
        "id": ("identifier", "int64", None),
        "code": ("identifier", "string", "??####"),
        "country": ("categorical", "string", None),
        "level": ("ordinal", "string", None),
        "class": ("categorical", "int64", None),
        "age": ("integer", "int64", None),
        "children": ("integer", "int64", None),
        "weight": ("number", "float64", None),
        "alive": ("boolean", "bool", None),
        "smoker": ("boolean", "string", None),
        "known": ("boolean", "bool", None),
        "born": ("date", "string", "%d/%m/%Y"),
        "seen": ("datetime", "datetime[us]", None),
        "sent": ("datetime", "string", "%Y-%m-%d %H:%M"),
        "since": ("integer", "int64", None),
        "mail": ("text", "string", "email"),
        "link": ("identifier", "string", None),
        "first_name": ("text", "string", "first_name"),
        "patient_id": ("identifier", "string", None),
        "ward": ("identifier", "string", None),
        "account_id": ("identifier", "int64", None),
        "seat": ("identifier", "int64", None),
    }
    assert {column.name for column in patients.columns if column.unique} == {"id", "code", "seat"}
    assert {column.name for column in patients.columns if not column.nullable} >= {"id", "country"}
    assert patients["age"].nullable
    assert [patients[name].bounds for name in ("age", "children", "weight", "since")] == [
        (0, 120),
        (0, 20),
        (0.0, 500.0),
        (1990, 2024),
    ]
    assert patients["born"].bounds == (dt.date(1900, 2, 1), dt.date(2024, 1, 1))
    assert patients["seen"].bounds == tuple(map(dt.datetime.fromisoformat, ("2020-01-01", "2021-01-01")))
    assert [patients[name].categories for name in ("country", "level", "class", "smoker", "known")] == [
        ("at", "de"),
        ("low", "high"),
        (1, 2),
        ("no", "yes"),
        (True,),
    ]
    assert patients["weight"].description == "in kg"
    assert patients.csv == CsvDialect(delimiter=";", quote="'", encoding="latin-1", null_marks=("", "NA"))
    assert (patients.primary_key, wards.primary_key) == (("id",), ("ward",))
    assert schema.foreign_keys == (
        ForeignKey(child="patients", child_columns=("ward",), parent="wards", parent_columns=("ward",)),
        ForeignKey(child="wards", child_columns=("parent",), parent="wards", parent_columns=("ward",)),
    )
    assert all(column.domain.origin is Origin.DRAFT for column in patients.columns)
    assert schema_from_yaml(schema_to_yaml(schema)) == schema


def test_a_resource_and_a_table_schema():
    bare = {"fields": [{"name": "a", "type": "integer"}]}
    assert from_frictionless(bare, table_name="x").only_table.name == "x"
    assert from_frictionless({"name": "y", "schema": bare}).only_table.name == "y"


def test_units_of_measurement_are_read_and_kept():
    fields = [
        {"name": "a", "type": "number", "unit": " mm Hg "},
        {"name": "b", "type": "string", "constraints": {"enum": ["1", "2"]}, "unit": "grade"},
        {"name": "c", "type": "integer"},
    ]
    schema = from_frictionless({"fields": fields}, table_name="t")
    assert [column.measured_in for column in schema.only_table.columns] == ["mm Hg", "grade", None]
    assert schema_from_yaml(schema_to_yaml(schema)) == schema
    for text in ('""', '" "', f'"{"x" * 101}"', "7"):
        with pytest.raises(SchemaError, match="measured_in"):
            schema_from_yaml(
                f"version: 1\ntables: {{t: {{columns: {{a: {{kind: number, measured_in: {text}}}}}}}}}\n"
            )


def test_frictionless_faults_are_listed_together():
    fields = [
        {"name": "a", "type": "geopoint"},
        {"name": "b", "type": "intger"},
        {"name": "c", "type": "integer", "constraints": {"minimum": 0}},
        {"name": "d", "type": "number", "constraints": {"exclusiveMinimum": 0, "maximum": 9, "minimum": 1}},
        {"name": "e", "type": "number", "decimalChar": ",", "groupChar": ".", "bareNumber": False},
        {"name": "f", "constraints": {"minLength": 3, "maxLength": 4, "jsonSchema": {}}},
        {"name": "g", "constraints": {"pattern": "[a-z]+"}},
        {"name": "h", "constraints": {"pattern": "[a-z]+", "unique": True}},
        {"name": "i", "type": "number", "constraints": {"unique": True}},
        {"name": "j", "type": "integer", "constraints": {"enum": ["Secret"]}},
        {"name": "k", "type": "integer", "constraints": {"minimum": "Secret", "maximum": 3}},
        {"name": "l", "type": "date", "format": "any"},
        {"name": "m", "format": "binary"},
        {"name": "n", "type": "boolean", "trueValues": ["y", "Y"]},
        {"name": "o", "missingValues": ["-"]},
        {"name": "p", "colour": "red"},
        {"name": "q", "constraints": {"requierd": True}},
        {"type": "string"},
        "r",
        {"name": "s", "constraints": 3},
    ]
    faults = faults_of(from_frictionless, {"fields": fields, "missingValues": [""]})
    words = {
        "schema.fields[0].type": "type 'geopoint' is not supported",
        "schema.fields[1].type": "is not a type that Table Schema knows",
        "schema.fields[2].constraints.minimum": "open on one side",
        "schema.fields[3].constraints.exclusiveMinimum": "whole numbers only (use minimum)",
        "schema.fields[4].decimalChar": "is not supported",
        "schema.fields[4].groupChar": "is not supported",
        "schema.fields[4].bareNumber": "is not supported",
        "schema.fields[5].constraints.minLength": "is not supported",
        "schema.fields[5].constraints.maxLength": "is not supported",
        "schema.fields[5].constraints.jsonSchema": "is not supported",
        "schema.fields[6].constraints.pattern": "for identifiers only",
        "schema.fields[7].constraints.pattern": "not a pattern that a mask can hold",
        "schema.fields[8].constraints.unique": "for identifiers only",
        "schema.fields[9].constraints.enum": "expected a whole number, found text",
        "schema.fields[10].constraints.minimum": "is not of kind integer",
        "schema.fields[10].constraints.maximum": "open on one side",
        "schema.fields[11].format": "format 'any' is not supported",
        "schema.fields[12].format": "format 'binary' is not supported",
        "schema.fields[13]": "several spellings of true or false",
        "schema.fields[14].missingValues": "must be those of the whole table",
        "schema.fields[15].colour": "is not supported",
        "schema.fields[16].constraints.requierd": "did you mean 'required'?",
        "schema.fields[17].name": "required key is missing",
        "schema.fields[18]": "expected a mapping, found text",
        "schema.fields[19].constraints": "expected a mapping, found a whole number",
    }
    assert faults.keys() == words.keys()
    assert all(words[path] in text for path, text in faults.items()), faults
    assert "Secret" not in str(faults)


@pytest.mark.parametrize(
    ("descriptor", "path"),
    [
        ({"resources": []}, "resources"),
        ({"resources": [{"name": "a"}]}, "resources"),
        ({"resources": [{"name": "a", "schema": "schema.json"}]}, "resources[0].schema"),
        ({"resources": 3}, "resources"),
        ({"schema": {"fields": []}}, "schema.fields"),
        ({"schema": {"fields": [{"name": "a"}], "missingValues": []}}, "schema.missingValues"),
        ({"schema": {"fields": [{"name": "a"}]}, "dialect": {"header": False}}, "dialect.header"),
        ({"schema": {"fields": [{"name": "a"}]}, "dialect": {"escapeChar": "\\"}}, "dialect.escapeChar"),
        ({"schema": {"fields": [{"name": "a"}], "primaryKey": [1]}}, "schema.primaryKey"),
        ({"schema": {"fields": [{"name": "a"}], "primaryKey": ["b"]}}, "tables.table.primary_key"),
    ],
)
def test_frictionless_faults_of_shape(descriptor: dict[str, object], path: str):
    assert path in faults_of(from_frictionless, descriptor)


@pytest.mark.parametrize(
    ("pattern", "mask"),
    [
        ("", None),
        (r"\d{3}-\d{2}", "###-##"),
        (r"[A-Za-z]\.[0-9]{1}", "?.#"),
        ("^ID [A-Z0-9]{3}$", "ID ???"),
        ("U{2}", "UU"),
        (r"\w\w", "??"),
        ("[a-z]{3}", None),
        ("[0-9]{1,3}", None),
        ("[0-9]+", None),
        ("a.c", None),
        (r"\#\d", None),
    ],
)
def test_masks(pattern: str, mask: str | None):
    assert mask_of_pattern(pattern) == mask


def test_values_in_native_form_or_as_text():
    assert read_value("1e3", "number") == 1000.0
    assert read_value("12", "integer") == 12
    assert read_value("12.0", "integer") == 12
    for value, wanted in (
        ("x", "integer"),
        ("1.5", "integer"),
        ("nan", "number"),
        (True, "integer"),
        ([], "date"),
    ):
        with pytest.raises(ValueError, match="expected"):
            read_value(value, wanted)


def test_files_are_told_apart(tmp_path: pathlib.Path):
    ours = from_frictionless({"fields": [{"name": "a", "type": "integer"}]})
    package = {"resources": [{"name": "t", "schema": {"fields": [{"name": "a", "type": "integer"}]}}]}
    single = {"columns": {"a": {"sdtype": "numerical", "computer_representation": "Int64"}}}
    texts = {
        "table.yaml": schema_to_yaml(ours),
        "table.json": json.dumps(schema_to_dict(ours)),
        "table.schema": json.dumps(schema_to_dict(ours), indent="\t"),
        "hotels.json": json.dumps(HOTELS),
        "table.sdv.json": json.dumps(single),
        "package.json": json.dumps(package),
        "package.yaml": "resources:\n  - name: t\n    schema: {fields: [{name: a, type: integer}]}\n",
        "table.fields.json": json.dumps({"fields": [{"name": "a", "type": "integer"}]}),
    }
    found: dict[str, Schema] = {}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
        found[name] = read_any_schema(tmp_path / name)
    assert (
        found["table.yaml"]
        == found["table.json"]
        == found["table.schema"]
        == found["table.fields.json"]
        == ours
    )
    assert [table.name for table in found["hotels.json"].tables] == ["hotels", "guests"]
    assert found["table.sdv.json"].only_table.name == "table"
    assert found["package.json"] == found["package.yaml"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", '{"a": 1,', "a.json is not JSON: line 1"),
        ("a.json", '{"version": NaN}', "is not a number that JSON has"),
        ("a.json", '{"a": {"b": 1, "b": 2}}', "b: stands in one mapping twice"),
        ("a.json", '{"a": ' + "[" * 100_000, "a.json is not JSON"),
        ("a.json", "[1]", "a.json holds no mapping"),
        ("a.yaml", "{version: 1, tables: {t: {columns: {a: {kind: x}}}}}", "line 1: unknown kind 'x'"),
        ("a.yaml", "a: [", "a.yaml is not YAML"),
        ("a.yaml", "", "a.yaml is empty"),
        ("a.yaml", "- 1", "expected a mapping with the keys version and tables"),
        ("a.yaml", "version: 1\ntables: {t: {columns: {fields: {kind: x}}}}", "line 2: unknown kind 'x'"),
        ("a.json", '{"version": 1, "tables": {"t": {"columns": {"a": {"kind": "x"}}}}}', "unknown kind 'x'"),
        ("a.yaml", "columns: {a: {sdtype: x}}", "'x' has no counterpart"),
    ],
)
def test_files_that_cannot_be_read(name: str, text: str, words: str, tmp_path: pathlib.Path):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(SchemaError) as caught:
        read_any_schema(tmp_path / name)
    assert words in str(caught.value)
