"""What a schema must satisfy beyond its shape: names that exist, values of their types, statements signed."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tabsynth.errors import SchemaError
from tabsynth.schema.findings import Finding, Path
from tabsynth.schema.generators import generator_of, is_counted, table_generator_findings
from tabsynth.schema.hints import counted, did_you_mean
from tabsynth.schema.types import CsvDialect, ForeignKey, Kind, Schema, TableSchema
from tabsynth.schema.validate_column import RESOLUTIONS, STORAGE, TEXT_FORMATS, column_findings
from tabsynth.schema.validate_rules import rule_findings

__all__ = [
    "DECIMAL_MARKS",
    "RESOLUTIONS",
    "STORAGE",
    "TEXT_FORMATS",
    "Finding",
    "Path",
    "check_schema",
    "require_unit",
    "schema_findings",
]

DECIMAL_MARKS = (".", ",")


def check_schema(schema: Schema, *, where: str = "schema") -> None:
    """Raise `SchemaError`, listing every finding, where a schema is wrong in itself."""
    findings = schema_findings(schema)
    if findings:
        faults = [finding.as_fault() for finding in findings]
        raise SchemaError(f"{where} has {counted(len(faults), 'fault')}", faults)


def require_unit(table: TableSchema) -> None:
    """Raise `SchemaError`, listing every finding, where the unit of a table is wrong in itself."""
    findings = tuple(_unit_findings(("unit",), table))
    if findings:
        faults = [finding.as_fault() for finding in findings]
        raise SchemaError(f"the unit of table {table.name!r} has {counted(len(faults), 'fault')}", faults)


def schema_findings(schema: Schema) -> tuple[Finding, ...]:
    """Everything that is wrong with a schema, in its own order."""
    names = [table.name for table in schema.tables]
    found = [Finding(("tables",), "a schema needs at least one table")] if not names else []
    found += _repeated(("tables",), names, "table")
    for table in schema.tables:
        found += _table_findings(("tables", table.name), table)
    tables = {table.name: table for table in schema.tables}
    for index, key in enumerate(schema.foreign_keys):
        found += _foreign_key_findings(("foreign_keys", index), key, tables)
    return tuple(found)


def _repeated(path: Path, names: Sequence[str], noun: str) -> list[Finding]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    return [Finding((*path, name), f"a {noun} of this name stands here twice") for name in repeated]


def _unknown(path: Path, names: Iterable[str], known: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            yield Finding(path, f"no column {name!r} in this table", did_you_mean(name, known))


def _table_findings(path: Path, table: TableSchema) -> Iterator[Finding]:
    names = table.column_names
    if not names:
        yield Finding((*path, "columns"), "a table needs at least one column")
    yield from _repeated((*path, "columns"), names, "column")
    yield from _unknown((*path, "primary_key"), table.primary_key, names)
    yield from _repeated((*path, "primary_key"), table.primary_key, "key column")
    yield from _unit_findings((*path, "unit"), table)
    yield from _csv_findings((*path, "csv"), table.csv)
    for column in table.columns:
        yield from column_findings((*path, "columns", column.name), column)
    yield from table_generator_findings((*path, "columns"), table)
    yield from rule_findings((*path, "constraints"), table)


def _unit_findings(path: Path, table: TableSchema) -> Iterator[Finding]:
    unit = table.unit
    if unit.column is None:
        if unit.max_rows is not None:
            yield Finding((*path, "max_rows"), "bounds the rows of a person, but no column names the person")
        if unit.order_by is not None:
            yield Finding((*path, "order_by"), "orders the rows of a person, but no column names the person")
        return
    yield from _unknown((*path, "column"), (unit.column,), table.column_names)
    if unit.max_rows is None:
        hint = "say how many rows of one person are read at most"
        yield Finding((*path, "max_rows"), "required where a column names the person", hint)
    elif unit.max_rows < 1:
        yield Finding((*path, "max_rows"), "must be at least 1")
    if unit.order_by is not None:
        yield from _order_findings((*path, "order_by"), unit.order_by, table)


def _order_findings(path: Path, name: str, table: TableSchema) -> Iterator[Finding]:
    if name not in table:
        yield from _unknown(path, (name,), table.column_names)
    elif name == table.unit.column:
        yield Finding(path, "names the person, whose rows it cannot order")
    elif not (table[name].kind.is_continuous or table[name].kind is Kind.IDENTIFIER):
        hint = "name a column of times, of numbers, or an identifier that grows"
        yield Finding(path, f"column {name!r} is {table[name].kind}, which has no order in time", hint)
    elif generator_of(table[name]) is not None and not is_counted(table[name]):
        hint = "name another column, or leave its generator out, and it is counted"
        yield Finding(path, f"column {name!r} has a generator, whose values are in no order", hint)


def _csv_findings(path: Path, csv: CsvDialect) -> Iterator[Finding]:
    for key, mark in (("delimiter", csv.delimiter), ("quote", csv.quote)):
        if len(mark.encode()) != 1 or mark in "\r\n":
            yield Finding((*path, key), "must be one ASCII character")
    if csv.delimiter == csv.quote:
        yield Finding((*path, "quote"), "is the same character as the delimiter")
    if not csv.null_marks:
        yield Finding((*path, "null_marks"), "needs at least one mark", 'the default is [""]')
    if csv.decimal not in DECIMAL_MARKS:
        yield Finding((*path, "decimal"), "is not a decimal mark", "a point or a comma")
    try:
        codecs.lookup(csv.encoding)
    except (LookupError, ValueError):
        yield Finding(
            (*path, "encoding"), "is not an encoding that Python knows", "utf-8, latin-1, cp1252, …"
        )


def _foreign_key_findings(
    path: Path, key: ForeignKey, tables: Mapping[str, TableSchema]
) -> Iterator[Finding]:
    sides = (("child", key.child, key.child_columns), ("parent", key.parent, key.parent_columns))
    for side, name, columns in sides:
        if name not in tables:
            yield Finding((*path, side), f"no table {name!r} in this schema", did_you_mean(name, tables))
        else:
            yield from _unknown((*path, f"{side}_columns"), columns, tables[name].column_names)
    if not key.child_columns or len(key.child_columns) != len(key.parent_columns):
        found = f"{len(key.child_columns)} child and {len(key.parent_columns)} parent columns"
        yield Finding(path, f"expected as many columns on either side and at least one, found {found}")
