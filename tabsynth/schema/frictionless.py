"""Schemas from Frictionless descriptors: a Table Schema, a resource or a data package (versions 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabsynth.schema.findings import Path
from tabsynth.schema.foreign import Faults
from tabsynth.schema.frictionless_field import Field, null_marks
from tabsynth.schema.types import CsvDialect, ForeignKey, Schema, TableSchema


def from_frictionless(descriptor: Mapping[str, object], *, table_name: str = "table") -> Schema:
    """The schema that a Table Schema, a resource or a data package describes.

    `table_name` names the table where the descriptor does not. Resources without a schema are left out.
    Text fields without `enum` become text or identifiers where their names say so, else categorical.
    Domains stay `draft`: the file states them, but not who says that they are public, nor on what source.
    Raises `SchemaError`, listing everything that is malformed or has no counterpart.
    """
    faults = Faults("the Frictionless descriptor")
    readers: list[_Table] = []
    if "resources" in descriptor:
        for path, resource in faults.take_mappings(descriptor, (), "resources"):
            name = faults.take(resource, path, "name", str, f"{table_name}{len(readers) + 1}")
            if resource.get("schema") is not None:
                readers.append(_Table(faults, path, name, resource))
        if not readers and not faults.found:
            faults.add(("resources",), "none of the resources has a schema")
    elif "fields" in descriptor:
        readers.append(_Table(faults, (), table_name, {"schema": descriptor}))
    else:
        name = faults.take(descriptor, (), "name", str, table_name)
        readers.append(_Table(faults, (), name, descriptor))
    tables = tuple(reader.table() for reader in readers)
    keys = tuple(key for reader in readers for key in reader.foreign_keys)
    return faults.finish(Schema(tables=tables, foreign_keys=keys))


class _Table:
    """Reads one resource: its schema, dialect and encoding."""

    def __init__(self, faults: Faults, path: Path, name: str, resource: Mapping[str, object]) -> None:
        self._faults, self._path, self._name, self._resource = faults, path, name, resource
        self._schema_path: Path = (*path, "schema")
        self._schema: dict[str, object] = {}
        raw = resource.get("schema")
        if isinstance(raw, dict):
            self._schema = raw
        else:
            hint = "write the schema into the descriptor" if isinstance(raw, str) else ""
            faults.add(self._schema_path, "expected a Table Schema with fields", hint)
        self.foreign_keys = self._foreign_keys()

    def table(self) -> TableSchema:
        faults, path, schema = self._faults, self._schema_path, self._schema
        primary = faults.take_names(schema, path, "primaryKey")
        marks = null_marks(faults, path, schema)
        columns = []
        for field_path, field in faults.take_mappings(schema, path, "fields"):
            columns.append(
                Field(faults, field_path, field, marks=marks, key=self._key_of(field, primary)).column()
            )
        if schema and not columns:
            faults.add((*path, "fields"), "expected at least one field")
        return TableSchema(
            name=self._name,
            columns=tuple(columns),
            primary_key=primary,
            csv=replace(self._dialect(), null_marks=marks),
            description=faults.take(self._resource, self._path, "description", str, "") or None,
        )

    def _key_of(self, field: Mapping[str, object], primary: Sequence[str]) -> str:
        """Whether a field names rows: "unique", "part" of a key or reference, or ""."""
        name = field.get("name")
        unique_keys = self._faults.take(self._schema, self._schema_path, "uniqueKeys", list, [])
        if tuple(primary) == (name,) or [name] in unique_keys or name in unique_keys:
            return "unique"
        refers = any(name in key.child_columns for key in self.foreign_keys)
        return "part" if name in primary or refers else ""

    def _foreign_keys(self) -> list[ForeignKey]:
        faults, keys = self._faults, []
        for path, raw in faults.take_mappings(self._schema, self._schema_path, "foreignKeys"):
            reference = faults.take(raw, path, "reference", dict, {})
            parent = faults.take(reference, (*path, "reference"), "resource", str, "")
            keys.append(
                ForeignKey(
                    child=self._name,
                    child_columns=faults.take_names(raw, path, "fields"),
                    parent=parent or self._name,
                    parent_columns=faults.take_names(reference, (*path, "reference"), "fields"),
                )
            )
        return keys

    def _dialect(self) -> CsvDialect:
        faults, path = self._faults, (*self._path, "dialect")
        raw = faults.take(self._resource, self._path, "dialect", dict, {})
        for key, plain in (
            ("header", True),
            ("doubleQuote", True),
            ("escapeChar", None),
            ("commentChar", None),
        ):
            if raw.get(key, plain) != plain:
                faults.add((*path, key), "is not supported", "tables have a header line and doubled quotes")
        default = CsvDialect()
        return CsvDialect(
            delimiter=faults.take(raw, path, "delimiter", str, default.delimiter),
            quote=faults.take(raw, path, "quoteChar", str, default.quote),
            encoding=faults.take(self._resource, self._path, "encoding", str, default.encoding),
        )
