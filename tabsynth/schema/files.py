"""Schemas as YAML files and as plain data.

    version: 1
    tables:
      patients:
        unit: {column: patient_nbr, max_rows: 20}
        columns:
          patient_nbr:
            kind: identifier
            dtype: int64
          age:
            kind: ordinal
            categories: ["[0-10)", "[10-20)", "[20-30)"]
            domain: {origin: public, by: A. Steward, source: codebook 3.1, on: "2024-05-01"}

Defaults are left out when written, except each column's `domain`, so that what is still a draft can be
seen. A file is read whole: every fault is found and listed at once, with its path, its line and a hint.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

from tabsynth.errors import SchemaError
from tabsynth.schema import yamltext
from tabsynth.schema.findings import Finding
from tabsynth.schema.generators import generator_data
from tabsynth.schema.hints import counted
from tabsynth.schema.rule_data import rule_data
from tabsynth.schema.rules import KINDS, AnyRule, title_of
from tabsynth.schema.scalars import to_plain
from tabsynth.schema.types import (
    DEFAULT_DTYPES,
    Column,
    CsvDialect,
    Domain,
    ForeignKey,
    PrivacyUnit,
    Schema,
    TableSchema,
)
from tabsynth.schema.unit import order_entry, possible_order, possible_persons, unit_line
from tabsynth.schema.validate import check_schema
from tabsynth.schema.yamltext import Plain

PRIVATE_NOTE = """\
# PRIVATE: the domains marked `draft` below (bounds, categories, special values, nulls) have no public source:
# they were read off a private table, or taken over from a file that does not say who states them; so were rules
# with `draft: true`. Do not
# publish them, and do not take them for public knowledge: whoever can state that a domain is public, and on
# what source, does so with `tabsynth schema confirm`.
"""
_FLOW_KEYS = frozenset({"domain", "unit", "csv", "generator"})


def read_schema(path: str | os.PathLike[str]) -> Schema:
    """The schema in a YAML (or JSON) file. Raises `SchemaError`, listing every fault with its path."""
    where = Path(path).name
    return schema_from_yaml(read_text(path), where=where, folder=Path(path).parent)


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a schema file. Raises `SchemaError` where it cannot be read or is not UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SchemaError(f"{Path(path).name} is not UTF-8: byte {error.start} cannot be read") from None
    except OSError as error:
        raise SchemaError(f"{path} cannot be read: {error.strerror}") from None


def write_schema(
    schema: Schema,
    path: str | os.PathLike[str],
    *,
    private_note: bool,
    json_schema_path: str | None = None,
) -> None:
    """Write `schema` as YAML, at once or not at all; `private_note` heads a file drafted from data.

    `json_schema_path` puts a hint for editors on the first line. Raises `SchemaError` where the schema is
    wrong in itself and OSError where the file cannot be written.
    """
    text = schema_to_yaml(schema, private_note=private_note, json_schema_path=json_schema_path)
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def schema_to_yaml(schema: Schema, *, private_note: bool = False, json_schema_path: str | None = None) -> str:
    """`schema` as YAML that people can read and edit. Raises `SchemaError` where it is wrong in itself.

    With `private_note` each identifier that may repeat stands in a comment, as the unit it might be.
    """
    hint = f"# yaml-language-server: $schema={json_schema_path}\n" if json_schema_path else ""
    note = PRIVATE_NOTE if private_note else ""
    text = yamltext.dump(_schema_data(schema), flow_keys=_FLOW_KEYS)
    return hint + note + (_with_unit_notes(text, schema) if private_note else text)


def _with_unit_notes(text: str, schema: Schema) -> str:
    """The YAML with the lines of `_unit_notes` above each table's columns."""
    notes = iter([_unit_notes(table) for table in schema.tables])
    lines = text.splitlines(keepends=True)
    return "".join(next(notes) + line if line == "    columns:\n" else line for line in lines)


def _unit_notes(table: TableSchema) -> str:
    order = possible_order(table)
    history = "" if order is None else f"; {order_entry(order)} in the braces makes their rows a history"
    return "".join(
        f"    # {unit_line(name)}  # if it names persons, who may have several rows each{history}\n"
        for name in possible_persons(table)
    )


def without_notes(text: str, schema: Schema) -> str:
    """The text of a file of `schema` without the comments that `write_schema` puts there."""
    for note in (PRIVATE_NOTE, *map(_unit_notes, schema.tables)):
        text = text.replace(note, "") if note else text
    return text


def schema_from_yaml(text: str, *, where: str = "schema", folder: Path | None = None) -> Schema:
    """The schema that a YAML text holds. Raises `SchemaError`, listing every fault with path and line.

    `folder` is where the files of mappings are looked for; without one, none is read.
    """
    try:
        document = yamltext.load(text)
    except yaml.YAMLError as error:
        raise SchemaError(f"{where} is not YAML: {_yaml_problem(error)}") from None
    findings = [Finding(path, what, hint) for path, what, hint in document.faults]
    return _schema(document.data, document.lines, findings, where, folder=folder)


def schema_to_dict(schema: Schema) -> dict[str, object]:
    """`schema` as plain JSON data. Raises `SchemaError` where it is wrong in itself."""
    return cast("dict[str, object]", _schema_data(schema))


def schema_from_dict(
    data: Mapping[str, object], *, where: str = "schema", folder: Path | None = None
) -> Schema:
    """The inverse of `schema_to_dict`; `folder` as in `schema_from_yaml`. Raises `SchemaError`, listing every fault with its path."""
    return _schema(cast("Plain", data), {}, [], where, folder=folder)


def json_schema() -> dict[str, object]:
    """A JSON Schema (draft 2020-12) of schema files, for editors to complete and check them with."""
    from tabsynth.schema.document import SchemaModel  # pydantic is slow to import

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SchemaModel.model_json_schema(),
        "title": "tabsynth schema",
    }


def _schema(
    data: Plain,
    lines: Mapping[yamltext.Path, int],
    findings: list[Finding],
    where: str,
    *,
    folder: Path | None = None,
) -> Schema:
    from tabsynth.schema.parse import parse_schema  # pydantic is slow to import

    if data is None and not findings:
        raise SchemaError(f"{where} is empty", ())
    schema = parse_schema(data, findings, folder=folder)
    if schema is None or findings:
        ordered = sorted(findings, key=lambda finding: _line(finding, lines) or 0)
        faults = [finding.as_fault(line=_line(finding, lines)) for finding in ordered]
        raise SchemaError(f"{where} has {counted(len(faults), 'fault')}", faults)
    return schema


def _line(finding: Finding, lines: Mapping[yamltext.Path, int]) -> int | None:
    """The line of the finding's path, or of the nearest path above it that the text has."""
    path = finding.path
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _yaml_problem(error: yaml.YAMLError) -> str:
    """What the parser says, without quoting the text."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    if isinstance(error, yaml.reader.ReaderError):
        return f"position {error.position}: {error.reason}"
    return str(error)


def _schema_data(schema: Schema) -> dict[str, Plain]:
    check_schema(schema)
    data: dict[str, Plain] = {
        "version": 1,
        "tables": {table.name: _table_data(table) for table in schema.tables},
    }
    if schema.foreign_keys:
        data["foreign_keys"] = [_foreign_key_data(key) for key in schema.foreign_keys]
    return data


def _table_data(table: TableSchema) -> dict[str, Plain]:
    data: dict[str, Plain] = {}
    if table.description is not None:
        data["description"] = table.description
    if table.primary_key:
        data["primary_key"] = list(table.primary_key)
    if table.unit != PrivacyUnit():
        unit: dict[str, Plain] = {"column": table.unit.column, "max_rows": table.unit.max_rows}
        data["unit"] = unit if table.unit.order_by is None else {**unit, "order_by": table.unit.order_by}
    if table.csv != CsvDialect():
        data["csv"] = _csv_data(table.csv)
    data["columns"] = {column.name: _column_data(column) for column in table.columns}
    if table.constraints:
        data["constraints"] = [_rule_data(table, rule) for rule in table.constraints]
    return data


def _rule_data(table: TableSchema, rule: AnyRule) -> dict[str, Plain]:
    """A rule as a file holds it. Raises `SchemaError` for one of Python alone."""
    if rule.kind not in KINDS:
        raise SchemaError(
            f"table {table.name!r}: the rule {title_of(rule)!r} is a function of Python, which no file can hold: "
            "write it as an expression of SQL, or leave it out and pass it where the model is used"
        )
    return cast("dict[str, Plain]", rule_data(rule))


def _csv_data(csv: CsvDialect) -> dict[str, Plain]:
    default = CsvDialect()
    data: dict[str, Plain] = {}
    if csv.delimiter != default.delimiter:
        data["delimiter"] = csv.delimiter
    if csv.quote != default.quote:
        data["quote"] = csv.quote
    if csv.encoding != default.encoding:
        data["encoding"] = csv.encoding
    if csv.null_marks != default.null_marks:
        data["null_marks"] = list(csv.null_marks)
    if csv.decimal != default.decimal:
        data["decimal"] = csv.decimal
    return data


def _column_data(column: Column) -> dict[str, Plain]:
    data: dict[str, Plain] = {"kind": column.kind.value}
    if column.description is not None:
        data["description"] = column.description
    if column.measured_in is not None:
        data["measured_in"] = column.measured_in
    if column.dtype != DEFAULT_DTYPES[column.kind]:
        data["dtype"] = column.dtype
    if column.role is not None:
        data["role"] = column.role.value
    if column.nullable:
        data["nullable"] = True
    if column.unique:
        data["unique"] = True
    if column.format is not None:
        data["format"] = column.format
    if column.generator is not None:
        data["generator"] = cast("Plain", generator_data(column.generator))
    for key in ("review", "learnt_because", "pseudonymised"):
        if getattr(column, key) is not None:
            data[key] = getattr(column, key)
    if column.bounds is not None:
        data["bounds"] = [to_plain(bound) for bound in column.bounds]
    if column.categories is not None:
        data["categories"] = [to_plain(level) for level in column.categories]
    if column.special_values:
        data["special_values"] = [to_plain(level) for level in column.special_values]
    if column.decimals is not None:
        data["decimals"] = column.decimals
    if column.resolution is not None:
        data["resolution"] = column.resolution
    if column.timezone is not None:
        data["timezone"] = column.timezone
    data["domain"] = _domain_data(column.domain)
    return data


def _domain_data(domain: Domain) -> dict[str, Plain]:
    data: dict[str, Plain] = {"origin": domain.origin.value}
    if domain.by is not None:
        data["by"] = domain.by
    if domain.source is not None:
        data["source"] = domain.source
    if domain.on is not None:
        data["on"] = domain.on.isoformat()
    return data


def _foreign_key_data(key: ForeignKey) -> dict[str, Plain]:
    return {
        "child": key.child,
        "child_columns": list(key.child_columns),
        "parent": key.parent,
        "parent_columns": list(key.parent_columns),
    }
