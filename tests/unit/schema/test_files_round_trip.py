"""What is written is read back the same, and by other YAML readers too."""

from __future__ import annotations

import datetime as dt
import json
import math

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabsynth.schema import yamltext
from tabsynth.schema.files import (
    json_schema,
    schema_from_dict,
    schema_from_yaml,
    schema_to_dict,
    schema_to_yaml,
)
from tabsynth.schema.scalars import from_plain, to_plain
from tabsynth.schema.types import Column, Kind, Schema, TableSchema

from .strategies import TREACHEROUS, schemas, texts

CHECKER = jsonschema.Draft202012Validator(json_schema())
unhurried = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(schemas())
def test_yaml_and_dict_round_trip(schema: Schema):
    text = schema_to_yaml(schema)
    assert schema_from_yaml(text) == schema
    data = schema_to_dict(schema)
    assert schema_from_dict(json.loads(json.dumps(data))) == schema
    # PyYAML's own YAML 1.1 reader sees the same data: nothing was left for it to mistype.
    assert yaml.safe_load(text) == data
    CHECKER.validate(data)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(texts, plain, max_size=4), st.frozensets(texts, max_size=2))
def test_any_plain_data_round_trips(data: dict[str, object], flow_keys: frozenset[str]):
    assert yamltext.load(yamltext.dump(data, flow_keys=flow_keys)).data == data


@given(st.dictionaries(texts, st.lists(texts, max_size=30), max_size=3))
@settings(max_examples=100, deadline=None)
def test_yaml_1_1_readers_agree(data: dict[str, list[str]]):
    assert yaml.safe_load(yamltext.dump(data)) == data


@pytest.mark.parametrize("length", [900, 1001, 1500])
def test_long_names_round_trip(length: int):
    data = {"a": {"x" * length: [1], "y" * length: {"b": 2}}}
    assert yamltext.load(yamltext.dump(data)).data == data
    assert yaml.safe_load(yamltext.dump(data)) == data


@pytest.mark.parametrize("value", [1e-07, 1e22, -2.5e-300, 0.1, 1.0, -0.0, float("inf"), 5e-324])
def test_floats_stay_floats_for_every_reader(value: float):
    text = yamltext.dump({"x": value})
    assert repr(yamltext.load(text).data["x"]) == repr(value)
    if value != float("inf"):
        assert repr(yaml.safe_load(text)["x"]) == repr(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("yes", "yes"), ("'no'", "no"), ("2020-01-01", "2020-01-01"), ("12:30", "12:30"), ("TRUE", True)],
        *[
            ("012", 12),
            ("0x1F", 31),
            ("0o17", 15),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("-.inf", -math.inf),
            ("~", None),
        ],
    ],
)
def test_reads_yaml_1_2(text: str, value: object):
    found = yamltext.load(f"12: {text}").data["12"]
    assert (found, type(found)) == (value, type(value))


def test_nan_is_read_and_written():
    assert math.isnan(yamltext.load(yamltext.dump({"x": math.nan})).data["x"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.timedelta(0), "PT0S"),
        (dt.timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500_000), "P1DT2H3M4.5S"),
        (dt.timedelta(days=-2), "-P2D"),
        (dt.timedelta(microseconds=7), "PT0.000007S"),
        (dt.timedelta(hours=-1, minutes=-30), "-PT1H30M"),
    ],
)
def test_durations_are_iso_8601(value: dt.timedelta, text: str):
    assert to_plain(value) == text
    assert from_plain(text, "duration") == value


@given(st.timedeltas())
def test_every_duration_round_trips(value: dt.timedelta):
    assert from_plain(to_plain(value), "duration") == value


def test_reads_as_it_should_for_a_person():
    column = Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(17, 90))
    state = Column(name="state", kind=Kind.CATEGORICAL, dtype="string", categories=("new", "no", "1e3"))
    long = Column(name="long", kind=Kind.CATEGORICAL, dtype="int8", categories=tuple(range(60)))
    table = TableSchema(name="people", columns=(column, state, long), primary_key=("age",))
    lines = schema_to_yaml(Schema(tables=(table,))).splitlines()
    assert lines[:17] == [
        "version: 1",
        "tables:",
        "  people:",
        "    primary_key: [age]",
        "    columns:",
        "      age:",
        "        kind: integer",
        "        bounds: [17, 90]",
        "        domain: {origin: draft}",
        "      state:",
        "        kind: categorical",
        '        categories: [new, "no", "1e3"]',
        "        domain: {origin: draft}",
        "      long:",
        "        kind: categorical",
        "        dtype: int8",
        "        categories:",
    ]
    assert lines[17:19] == ["          - 0", "          - 1"]


def test_treacherous_categories_by_hand():
    column = Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=TREACHEROUS)
    schema = Schema(tables=(TableSchema(name="t", columns=(column,)),))
    assert schema_from_yaml(schema_to_yaml(schema)) == schema
    assert (
        tuple(yaml.safe_load(schema_to_yaml(schema))["tables"]["t"]["columns"]["c"]["categories"])
        == TREACHEROUS
    )


def test_json_schema_rejects_what_a_person_mistypes():
    jsonschema.Draft202012Validator.check_schema(json_schema())
    good = {"version": 1, "tables": {"t": {"columns": {"a": {"kind": "integer"}}}}}
    assert CHECKER.is_valid(good)
    for bad in (
        {"kind": "intger"},
        {"kind": "integer", "bouds": [1, 2]},
        {"kind": "integer", "bounds": [1]},
        {},
    ):
        assert not CHECKER.is_valid({"version": 1, "tables": {"t": {"columns": {"a": bad}}}})
    properties = json_schema()["$defs"]["ColumnModel"]["properties"]
    assert all(part.get("description") for part in properties.values())
