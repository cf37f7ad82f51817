"""What tables hold: draft it from data, write and read it as YAML, confirm it, import it from elsewhere."""

from __future__ import annotations

from tabsynth.schema.confirm import confirm
from tabsynth.schema.draft import draft_schema, draft_table, fill_domains
from tabsynth.schema.files import (
    json_schema,
    read_schema,
    schema_from_dict,
    schema_from_yaml,
    schema_to_dict,
    schema_to_yaml,
    write_schema,
)
from tabsynth.schema.imports import from_frictionless, from_sdv_metadata, read_any_schema
from tabsynth.schema.types import (
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
from tabsynth.schema.validate import check_schema

__all__ = [
    "Column",
    "CsvDialect",
    "Domain",
    "ForeignKey",
    "Generator",
    "Kind",
    "Origin",
    "PrivacyUnit",
    "Role",
    "Scalar",
    "Schema",
    "TableSchema",
    "check_schema",
    "confirm",
    "draft_schema",
    "draft_table",
    "fill_domains",
    "from_frictionless",
    "from_sdv_metadata",
    "json_schema",
    "read_any_schema",
    "read_schema",
    "schema_from_dict",
    "schema_from_yaml",
    "schema_to_dict",
    "schema_to_yaml",
    "write_schema",
]
