"""Frictionless Data Package metadata of a bundle (specification 1.0, as the `frictionless` library reads it)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tabsynth.release.bundle.archive import Member
from tabsynth.release.bundle.manifest import BundledTable
from tabsynth.release.bundle.terms import Terms
from tabsynth.schema.scalars import to_plain
from tabsynth.schema.types import Column, ForeignKey, Kind, TableSchema

_TYPES = {"bool": "boolean", "date": "date"}


def data_package(
    name: str,
    title: str,
    tables: Sequence[tuple[BundledTable, TableSchema]],
    members: Mapping[str, Member],
    *,
    terms: Terms,
    foreign_keys: Sequence[ForeignKey] = (),
) -> dict[str, Any]:
    """The descriptor: each CSV a table with its schema, each Parquet file a plain file with its hash."""
    stems = {table.name: slug(table.stem) for table, _ in tables}
    resources = []
    for table, schema in tables:
        keys = [key for key in foreign_keys if key.child == table.name and key.parent in stems]
        resources.append(
            {
                "name": stems[table.name],
                "type": "table",
                "profile": "tabular-data-resource",
                "path": table.csv,
                "scheme": "file",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                **_sizes(members[table.csv]),
                "schema": _schema(schema, keys, stems),
            }
        )
        resources.append(
            {
                "name": f"{stems[table.name]}-parquet",
                "type": "file",
                "path": table.parquet,
                "scheme": "file",
                "format": "parquet",
                "mediatype": "application/vnd.apache.parquet",
                **_sizes(members[table.parquet]),
            }
        )
    package: dict[str, Any] = {
        "name": slug(name),
        "title": title,
        "licenses": [{"name": slug(terms.licence)[:60], "title": terms.licence}],
        "contributors": [{"title": terms.contact, "role": "contact"}],
        "keywords": ["synthetic data", *terms.tags],
        "resources": resources,
    }
    if terms.description:
        package["description"] = terms.description
    return package


def slug(text: str) -> str:
    """A name as descriptors have them: lower case letters, digits, points, dashes, underscores."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._") or "data"


def _sizes(member: Member) -> dict[str, Any]:
    return {"bytes": member.n_bytes, "hash": f"sha256:{member.sha256}"}


def _schema(
    schema: TableSchema, foreign_keys: Sequence[ForeignKey], stems: Mapping[str, str]
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "fields": [_field(column) for column in schema.columns],
        "missingValues": [""],
    }
    if schema.primary_key:
        data["primaryKey"] = list(schema.primary_key)
    if foreign_keys:
        data["foreignKeys"] = [
            {
                "fields": list(key.child_columns),
                "reference": {"resource": stems[key.parent], "fields": list(key.parent_columns)},
            }
            for key in foreign_keys
        ]
    return data


def _field(column: Column) -> dict[str, Any]:
    kind = field_type(column)
    field: dict[str, Any] = {"name": column.name, "type": kind}
    if column.description:
        field["description"] = column.description
    if column.measured_in:
        field["unit"] = column.measured_in
    if kind == "datetime":
        field["format"] = "any"
    if kind == "boolean":
        field |= {"trueValues": ["true"], "falseValues": ["false"]}
    constraints: dict[str, Any] = {}
    if not column.nullable and "" not in (column.categories or ()):
        constraints["required"] = True
    if column.unique:
        constraints["unique"] = True
    if kind in ("string", "integer") and column.categories:
        constraints["enum"] = [to_plain(level) for level in column.categories]
    if kind in ("integer", "number") and column.bounds is not None and not column.special_values:
        lower, upper = (to_plain(bound) for bound in column.bounds)
        constraints |= {"minimum": lower, "maximum": upper}
    return {**field, "constraints": constraints} if constraints else field


def field_type(column: Column) -> str:
    """The Frictionless type of a column as its CSV holds it."""
    dtype = column.dtype
    if dtype.startswith(("int", "uint")) or (dtype.startswith("float") and column.kind is Kind.INTEGER):
        return "integer"
    if dtype.startswith("float"):
        return "number"
    if dtype.startswith(("datetime", "duration")):
        return dtype.partition("[")[0]
    return _TYPES.get(dtype, "string")
