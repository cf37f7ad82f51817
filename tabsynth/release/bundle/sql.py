"""Tables of a bundle in SQL: types, keys, comments and example queries, for DuckDB and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabsynth.errors import BundleError
from tabsynth.release.bundle.manifest import BundledTable
from tabsynth.release.bundle.words import domain_words
from tabsynth.schema.types import Column, ForeignKey, Kind, TableSchema

_DUCKDB = {
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float32": "REAL",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "date": "DATE",
    "datetime[ms]": "TIMESTAMP_MS",
    "datetime[us]": "TIMESTAMP",
    "datetime[ns]": "TIMESTAMP_NS",
    "duration[ms]": "INTERVAL",
    "duration[us]": "INTERVAL",
    "duration[ns]": "INTERVAL",
}
_POSTGRES = _DUCKDB | {
    "int8": "SMALLINT",
    "uint8": "SMALLINT",
    "uint16": "INTEGER",
    "uint32": "BIGINT",
    "uint64": "NUMERIC(20)",
    "float64": "DOUBLE PRECISION",
    "string": "TEXT",
    "datetime[ms]": "TIMESTAMP(3)",
    "datetime[ns]": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table of a bundle, and what its statements need to know of it."""

    stated: BundledTable
    schema: TableSchema


def name(text: str) -> str:
    """An identifier, quoted. `BundleError` where it holds a NUL, at which psql would end the line, quote and all."""
    if "\0" in text:
        raise BundleError("a name holds a NUL, which no database takes: rename the table or column")
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, quoted."""
    return "'" + text.replace("'", "''") + "'"


def sql_type(column: Column, *, postgres: bool = False) -> str:
    """The type of a column; times with a zone are kept as moments."""
    if column.timezone is not None and column.dtype.startswith("datetime"):
        return "TIMESTAMP WITH TIME ZONE"
    return (_POSTGRES if postgres else _DUCKDB)[column.dtype]


def create(table: SqlTable, keys: Sequence[ForeignKey], *, postgres: bool = False) -> str:
    """`CREATE TABLE` with types, what may not be null, and keys."""
    lines = []
    for column in table.schema.columns:
        parts = [name(column.name), sql_type(column, postgres=postgres)]
        parts += [] if column.nullable else ["NOT NULL"]
        parts += ["UNIQUE"] if column.unique and (column.name,) != table.schema.primary_key else []
        lines.append("  " + " ".join(parts))
    if table.schema.primary_key:
        lines.append(f"  PRIMARY KEY ({_names(table.schema.primary_key)})")
    lines += [
        f"  FOREIGN KEY ({_names(key.child_columns)}) REFERENCES {name(key.parent)} ({_names(key.parent_columns)})"
        for key in keys
        if key.child == table.schema.name
    ]
    return f"CREATE TABLE {name(table.schema.name)} (\n" + ",\n".join(lines) + "\n);"


def comments(table: SqlTable) -> Iterator[str]:
    """What a table and each of its columns are, as the database's own comments."""
    schema = table.schema
    about = f"{schema.description or schema.name}. Synthetic rows. {table.stated.guarantee}"
    yield f"COMMENT ON TABLE {name(schema.name)} IS {literal(_line(about))};"
    for column in schema.columns:
        said = f"{column.description}. " if column.description else ""
        made = domain_words(column) if column.kind.is_modelled else "made anew"
        measure = f" in {column.measured_in}" if column.measured_in else ""
        text = _line(f"{said}{column.kind.value}{measure}: {made}")
        yield f"COMMENT ON COLUMN {name(schema.name)}.{name(column.name)} IS {literal(text)};"


def postgres_script(tables: Sequence[SqlTable], keys: Sequence[ForeignKey]) -> str:
    """A script for `psql`, run in the unpacked folder: tables, rows, comments; all of it or nothing.

    What psql reads as a command of its own, a line, holds no name but that of the table, which must be printable: names
    come from whoever made the bundle. Raises `BundleError` where it is not.
    """
    lines = [
        "-- Loads the bundle into PostgreSQL, all of it or nothing. In the folder of this file:",
        "--   psql -d DATABASE -f postgres.sql",
        "\\encoding UTF8",  # or a quote could be taken for half of a letter, and what follows it for a command
        "\\set ON_ERROR_STOP on",
        "SET standard_conforming_strings = on;",
        "BEGIN;",
    ]
    lines += [create(table, keys, postgres=True) for table in tables]
    for table in tables:
        if not table.schema.name.isprintable():
            raise BundleError(
                "a table's name holds a line's end or a control: psql would take what follows for a command"
            )
        how = "WITH (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')"
        lines.append(f"\\copy {name(table.schema.name)} FROM '{table.stated.csv}' {how}")
    for table in tables:
        lines += comments(table)
    return "\n".join([*lines, "COMMIT;", ""])


def queries(table: SqlTable) -> tuple[tuple[str, str], ...]:
    """Three queries that run on both databases, each with what it asks."""
    schema, source = table.schema, name(table.schema.name)
    levels = [c.name for c in schema.columns if c.kind.is_discrete]
    numbers = [
        c.name
        for c in schema.columns
        if c.kind in (Kind.INTEGER, Kind.NUMBER) and c.dtype.startswith(("int", "uint", "float"))
    ]
    others = [c.name for c in schema.columns if c.name not in (*levels, *numbers)]
    group = (levels or others or numbers)[0]
    asked = [
        ("How many rows are there?", f"SELECT count(*) AS n_rows FROM {source};"),  # noqa: S608  # every name is quoted
        (
            f"How often is each {_line(group)}?",
            (
                f"SELECT {name(group)}, count(*) AS n_rows FROM {source}\n"  # noqa: S608
                f"GROUP BY {name(group)} ORDER BY n_rows DESC, {name(group)} LIMIT 20;"
            ),
        ),
    ]
    if numbers and numbers[0] != group:
        number = name(numbers[0])
        asked.append(
            (
                f"How large is {_line(numbers[0])}, by {_line(group)}?",
                (
                    f"SELECT {name(group)}, count({number}) AS n, avg({number}) AS mean,\n"
                    f"  min({number}) AS lowest, max({number}) AS highest\n"
                    f"FROM {source} GROUP BY {name(group)} ORDER BY n DESC, {name(group)} LIMIT 20;"
                ),
            )
        )
    else:
        last = schema.columns[-1].name
        asked.append(
            (
                f"How many different {_line(last)} are there, and how many are missing?",
                (
                    f"SELECT count(DISTINCT {name(last)}) AS n_different, count(*) - count({name(last)}) AS n_missing\n"
                    f"FROM {source};"
                ),
            )
        )
    return tuple(asked)


def queries_script(tables: Sequence[SqlTable]) -> str:
    """The queries of every table as one script."""
    head = [
        "-- Three questions to each table, for DuckDB and PostgreSQL alike. With psql, as this file is UTF-8:",
        "--   psql -d DATABASE -c '\\encoding UTF8' -f queries.sql",
    ]
    parts = ["\n".join(head)]
    for table in tables:
        parts += [f"-- {question}\n{query}" for question, query in queries(table)]
    return "\n\n".join(parts) + "\n"


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(name, columns))


def _line(text: str) -> str:
    """On one line, without controls: it stands in comments."""
    return "".join(c if c.isprintable() else " " for c in text)
