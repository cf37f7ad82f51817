"""Schemas from whatever describes tables: our own files, SDV metadata, Frictionless descriptors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, cast

import yaml

from tabsynth.errors import Fault, SchemaError
from tabsynth.schema import yamltext
from tabsynth.schema.files import read_text, schema_from_dict, schema_from_yaml
from tabsynth.schema.frictionless import from_frictionless
from tabsynth.schema.sdv import from_sdv_metadata
from tabsynth.schema.types import Schema

__all__ = ["from_frictionless", "from_sdv_metadata", "read_any_schema"]


def read_any_schema(path: str | os.PathLike[str]) -> Schema:
    """The schema in a file, YAML or JSON, ours or another tool's, told apart by its keys.

    A single table that the file does not name is named after the file. Raises `SchemaError`, listing all
    faults, where the file cannot be read or says what a schema cannot.
    """
    where, text = Path(path).name, read_text(path)
    is_json = where.endswith(".json") or (text.lstrip().startswith("{") and _is_json(text))
    data = _json(text, where) if is_json else _yaml(text)
    table_name = where.split(".", maxsplit=1)[0]
    if _is_sdv(data):
        return from_sdv_metadata(data, table_name=table_name)
    if "version" not in data and {"fields", "resources", "schema"} & data.keys():
        return from_frictionless(data, table_name=table_name)
    folder = Path(path).parent
    if is_json:
        return schema_from_dict(data, where=where, folder=folder)
    return schema_from_yaml(text, where=where, folder=folder)


def _is_sdv(data: Mapping[str, object]) -> bool:
    """SDV's metadata bear its version, or have columns with an `sdtype`."""
    if {"METADATA_SPEC_VERSION", "SCHEMA_VERSION"} & data.keys():
        return True
    tables = data.get("tables")
    every = [data, *(tables.values() if isinstance(tables, dict) else ())]
    columns = [table.get("columns") for table in every if isinstance(table, dict)]
    return any(
        isinstance(column, dict) and "sdtype" in column
        for named in columns
        if isinstance(named, dict)
        for column in named.values()
    )


def _yaml(text: str) -> Mapping[str, object]:
    """The mapping that a YAML text holds, empty where it is none: its faults are found when it is read as ours."""
    try:
        data = yamltext.load(text).data
    except yaml.YAMLError:
        return {}
    return cast("Mapping[str, object]", data) if isinstance(data, dict) else {}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json(text: str, where: str) -> dict[str, object]:
    repeated: list[str] = []

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        mapping = dict(items)
        if len(mapping) < len(items):
            repeated.extend(key for key in mapping if sum(key == name for name, _ in items) > 1)
        return mapping

    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise SchemaError(f"{where} is not JSON: {place}") from None
    if not isinstance(data, dict):
        raise SchemaError(f"{where} holds no mapping")
    if repeated:
        raise SchemaError(
            f"{where} repeats keys", [Fault(key, "stands in one mapping twice") for key in repeated]
        )
    return cast("dict[str, object]", data)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON has")
