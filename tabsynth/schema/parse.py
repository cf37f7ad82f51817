"""Plain data to a `Schema`, gathering every fault of shape, type and meaning on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tabsynth.schema.document import (
    VERSION,
    ColumnModel,
    CsvModel,
    DomainModel,
    ForeignKeyModel,
    GeneratorModel,
    RuleModel,
    SchemaModel,
    TableModel,
    UnitModel,
)
from tabsynth.schema.dtypes import DTYPES
from tabsynth.schema.findings import Finding, Path, at_first
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.rule_files import FAULTY, AnyRule, RuleReader
from tabsynth.schema.scalars import describe, from_plain, stored_type
from tabsynth.schema.types import (
    DEFAULT_DTYPES,
    Column,
    CsvDialect,
    Domain,
    ForeignKey,
    Generator,
    Kind,
    Origin,
    PrivacyUnit,
    Role,
    Scalar,
    Schema,
    TableSchema,
)
from tabsynth.schema.validate import schema_findings
from tabsynth.schema.yamltext import Plain

_EXPECTED = {
    "float_type": "a number",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_ENUMS: Mapping[str, type[StrEnum]] = {"kind": Kind, "role": Role, "origin": Origin}


def parse_schema(data: Plain, findings: list[Finding], *, folder: FilePath | None = None) -> Schema | None:
    """The schema that plain data holds, as far as it can be read; faults are appended to `findings`.

    `folder` is where the files of mappings are looked for; without one, none is read.

    Faults of shape are found first. What they touch is then set aside, so that the rest can be checked for
    what it means and everything is reported together.
    """
    if not isinstance(data, dict):
        what = f"expected a mapping with the keys version and tables, found {describe(data)}"
        findings.append(Finding((), what))
        return None
    if not _is_known_version(data, findings):
        return None
    try:
        model, shape = SchemaModel.model_validate(data), []
    except ValidationError as error:
        shape = error.errors(include_url=False)
        findings += [_shape_finding(detail) for detail in shape]
        sound = _without_faulty(data, shape)
        if sound is None:
            return None
        model = SchemaModel.model_validate(sound)
    read: list[Finding] = []
    schema = _Reader(read, folder).schema(model)
    touched = [*(_touched(detail["loc"]) for detail in shape), *(finding.path for finding in findings)]
    findings += [found for found in read if not _lies_in(found, touched)]
    touched += [finding.path[:5] for finding in read]
    meant = _at_original_keys(schema_findings(schema), _lost_keys(shape))
    findings += [found for found in meant if not _lies_in(found, touched)]
    return schema


def _lost_keys(shape: Sequence[ErrorDetails]) -> set[int]:
    """Positions of the foreign keys that have faults of shape."""
    paths = [detail["loc"] for detail in shape]
    return {
        path[1] for path in paths if path[0] == "foreign_keys" and len(path) > 1 and isinstance(path[1], int)
    }


def _at_original_keys(found: Sequence[Finding], lost: set[int]) -> list[Finding]:
    """Findings with foreign keys counted as in the file, `lost` ones included."""
    paths = []
    for finding in found:
        path = finding.path
        if path[0] == "foreign_keys" and isinstance(path[1], int):
            position = path[1]
            for index in sorted(lost):
                position += index <= position
            path = ("foreign_keys", position, *path[2:])
        paths.append(path)
    return [replace(finding, path=path) for finding, path in zip(found, paths, strict=True)]


def _lies_in(found: Finding, paths: Sequence[Path]) -> bool:
    return any(found.path[: len(path)] == path for path in paths)


def _is_known_version(data: dict[str, Plain], findings: list[Finding]) -> bool:
    version = data.get("version", VERSION)
    if type(version) is int and version == VERSION:
        return True
    what = f"version {version} is not known" if type(version) is int else f"expected {VERSION}"
    findings.append(Finding(("version",), what, f"this release reads version {VERSION}"))
    return False


def _shape_finding(detail: ErrorDetails) -> Finding:
    """What pydantic found, in words that name no value of the file."""
    path, kind, found = detail["loc"], detail["type"], detail["input"]
    if kind == "missing":
        return Finding(path, "required key is missing")
    if kind == "extra_forbidden":
        return Finding(path, "unknown key", did_you_mean(str(path[-1]), _keys_at(path[:-1])))
    if kind == "enum":
        names = [member.value for member in _ENUMS[str(path[-1])]]
        if not isinstance(found, str):
            return Finding(path, f"expected text, found {describe(found)}", did_you_mean("", names))
        return Finding(path, f"unknown {path[-1]} {found!r}", did_you_mean(found, names))
    if kind == "too_short" and path == ("tables",):
        return Finding(path, "a schema needs at least one table")
    if kind in ("too_short", "too_long"):
        return Finding(path, f"expected [lower, upper], found {detail['ctx']['actual_length']} values")
    if kind in _EXPECTED:
        hint = "write it in quotes" if kind == "string_type" and isinstance(found, (bool, int, float)) else ""
        return Finding(path, f"expected {_EXPECTED[kind]}, found {describe(found)}", hint)
    return Finding(path, detail["msg"])


def _keys_at(path: Path) -> list[str]:
    """The keys that a mapping at `path` may have."""
    in_tables: Mapping[int, type[BaseModel]] = {2: TableModel, 4: ColumnModel, 5: DomainModel}
    in_table: Mapping[str, type[BaseModel]] = {"unit": UnitModel, "csv": CsvModel}
    model: type[BaseModel] = SchemaModel
    if path and path[0] == "foreign_keys":
        model = ForeignKeyModel
    elif path[2:3] == ("constraints",):
        return [field.alias or name for name, field in RuleModel.model_fields.items()]
    elif len(path) == 5 and path[4] == "generator":
        model = GeneratorModel
    elif len(path) == 3:
        model = in_table[str(path[2])]
    elif path:
        model = in_tables[len(path)]
    return list(model.model_fields)


def _touched(path: Path) -> Path:
    """The part of the file that a fault of shape at `path` leaves unknown."""
    if path[0] == "foreign_keys":
        return path[:2]
    if path[2:3] == ("constraints",):
        return path[:4]
    if (
        path[0] == "tables"
        and len(path) >= 4
        and path[2] == "columns"
        and (len(path) == 4 or path[4] == "kind")
    ):
        return path[:4]
    n_named = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:n_named]


def _without_faulty(data: dict[str, Plain], shape: Sequence[ErrorDetails]) -> dict[str, Plain] | None:
    """`data` less what has a fault of shape, so that the rest can be read; None where too little is left.

    A column that cannot be read stays as a name, so that keys which refer to it are not faulted.
    """
    tables = data.get("tables")
    if not isinstance(tables, dict) or not tables or any("[key]" in detail["loc"] for detail in shape):
        return None
    if not all(
        isinstance(table, dict) and isinstance(table.get("columns"), dict) for table in tables.values()
    ):
        return None
    sound: dict[str, Plain] = {"version": VERSION, **data}
    for detail in shape:
        path = _touched(detail["loc"])
        if path[0] == "tables" and len(path) == 4 and path[2] == "columns":
            sound = _with(sound, path, {"kind": Kind.TEXT.value})
        elif len(path) == 4 and path[2] == "constraints":
            sound = _with_item(sound, path)
        elif path != ("version",) and (path[0] != "foreign_keys" or len(path) == 1):
            sound = _without(sound, path)
    keys = sound.get("foreign_keys")
    if isinstance(keys, list):
        lost = _lost_keys(shape)
        sound["foreign_keys"] = [key for index, key in enumerate(keys) if index not in lost]
    return sound


def _with(mapping: dict[str, Plain], path: Path, value: Plain) -> dict[str, Plain]:
    """A copy of nested mappings with `value` at `path`."""
    key = str(path[0])
    if len(path) == 1:
        return {**mapping, key: value}
    inner = mapping[key]
    assert isinstance(inner, dict)
    return {**mapping, key: _with(inner, path[1:], value)}


def _with_item(mapping: dict[str, Plain], path: Path) -> dict[str, Plain]:
    """A copy of nested mappings in whose list of rules the one at `path` is known to be faulty."""
    rules = mapping
    for key in path[:3]:
        rules = rules[str(key)]  # type: ignore[assignment]
    kept: list[Plain] = list(rules)
    kept[int(path[3])] = {"rule": FAULTY}
    return _with(mapping, path[:3], kept)


def _without(mapping: dict[str, Plain], path: Path) -> dict[str, Plain]:
    """A copy of nested mappings less what is at `path`, which may be gone already."""
    key = str(path[0])
    inner = mapping.get(key)
    if len(path) > 1 and isinstance(inner, dict):
        return {**mapping, key: _without(inner, path[1:])}
    return {name: mapping[name] for name in mapping if name != key}


class _Reader:
    """Turns models into a `Schema`; a value of the wrong type is a finding and is left out."""

    def __init__(self, findings: list[Finding], folder: FilePath | None = None) -> None:
        self._findings = findings
        self._folder = folder

    def schema(self, model: SchemaModel) -> Schema:
        tables = tuple(self._table(name, table) for name, table in model.tables.items())
        return Schema(tables=tables, foreign_keys=tuple(map(_foreign_key, model.foreign_keys)))

    def _table(self, name: str, model: TableModel) -> TableSchema:
        path = ("tables", name, "columns")
        columns = tuple(self._column((*path, key), key, column) for key, column in model.columns.items())
        return TableSchema(
            name=name,
            columns=columns,
            primary_key=tuple(model.primary_key),
            unit=PrivacyUnit(
                column=model.unit.column, max_rows=model.unit.max_rows, order_by=model.unit.order_by
            ),
            csv=CsvDialect(
                delimiter=model.csv.delimiter,
                quote=model.csv.quote,
                encoding=model.csv.encoding,
                null_marks=tuple(model.csv.null_marks),
                decimal=model.csv.decimal,
            ),
            description=model.description,
            constraints=self._rules(("tables", name, "constraints"), columns, model.constraints),
        )

    def _rules(
        self, path: Path, columns: Sequence[Column], models: Sequence[RuleModel]
    ) -> tuple[AnyRule, ...]:
        reader = RuleReader(columns, self._findings, self._folder)
        return tuple(reader.read((*path, index), model) for index, model in enumerate(models))

    def _column(self, path: Path, name: str, model: ColumnModel) -> Column:
        dtype = model.dtype or DEFAULT_DTYPES[model.kind]
        stored = stored_type(dtype) if dtype in DTYPES else None
        bounded = model.kind.value if model.kind.is_continuous else None
        bounds = self._scalars((*path, "bounds"), model.bounds, bounded, model.timezone)
        categories = self._scalars((*path, "categories"), model.categories, stored, model.timezone)
        special = self._scalars((*path, "special_values"), model.special_values, stored, model.timezone)
        return Column(
            name=name,
            kind=model.kind,
            dtype=dtype,
            role=model.role,
            nullable=model.nullable,
            bounds=None if bounds is None else (bounds[0], bounds[1]),
            categories=categories,
            special_values=special or (),
            decimals=model.decimals,
            resolution=model.resolution,
            timezone=model.timezone,
            format=model.format,
            unique=model.unique,
            generator=_generator(model.generator),
            review=model.review,
            learnt_because=model.learnt_because,
            pseudonymised=model.pseudonymised,
            description=model.description,
            measured_in=model.measured_in,
            domain=self._domain((*path, "domain"), model.domain),
        )

    def _scalars(
        self, path: Path, values: list[object] | None, wanted: str | None, timezone: str | None
    ) -> tuple[Scalar, ...] | None:
        """Typed values, or None where there are none or any has the wrong type.

        Where nothing says what they should be (`wanted` is None) they are passed on for the checks to refuse.
        """
        if values is None:
            return None
        read: list[Scalar] = []
        faults: dict[str, list[int]] = {}
        for index, value in enumerate(values):
            try:
                read.append(value if wanted is None else from_plain(value, wanted, timezone=timezone))  # type: ignore[arg-type]
            except ValueError as error:
                faults.setdefault(str(error), []).append(index)
        for what, positions in faults.items():
            hint = "write it in quotes" if wanted == "string" else ""
            self._findings += at_first(path, positions, what, hint)
        return None if faults else tuple(read)

    def _domain(self, path: Path, model: DomainModel) -> Domain:
        on: dt.date | None = None
        if model.on is not None:
            try:
                on = dt.date.fromisoformat(model.on)
            except ValueError:
                self._findings.append(Finding((*path, "on"), "expected a date such as 2020-01-31"))
        return Domain(origin=model.origin, by=model.by, source=model.source, on=on)


def _generator(model: GeneratorModel | None) -> Generator | None:
    if model is None:
        return None
    values: dict[str, Any] = {**model.model_dump(), "female": tuple(model.female), "male": tuple(model.male)}
    return Generator(**values)


def _foreign_key(model: ForeignKeyModel) -> ForeignKey:
    return ForeignKey(
        child=model.child,
        child_columns=tuple(model.child_columns),
        parent=model.parent,
        parent_columns=tuple(model.parent_columns),
    )
