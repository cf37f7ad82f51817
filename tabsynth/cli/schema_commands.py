"""`schema draft`, `confirm`, `check`, `import` and `json-schema`."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.notes import note_left_out, note_new_folder, what_is_left_out
from tabsynth.cli.options import (
    DataArgument,
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    JsonOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    SchemaOption,
    TableOption,
)
from tabsynth.cli.session import BAD_INPUT, Session, printable
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabsynth.config.types import CsvOptions
    from tabsynth.errors import Fault
    from tabsynth.schema.types import Column, TableSchema

_MOST_SHOWN = 60

OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The schema file (YAML).")]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", metavar="C", help="A column; repeatable.")
]


class Document(StrEnum):
    """The kinds of files that have a JSON Schema."""

    SCHEMA = "schema"
    RUN = "run"


def draft(
    data: DataArgument,
    out: OutOption,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The table's name; by default the file's.")
    ] = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Propose a schema for a table. It is read off the data, so it is private."""
    with Session(command="schema draft", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import dialect_of, require_free
        from tabsynth.config.types import csv_options
        from tabsynth.schema import write_schema
        from tabsynth.schema.types import Schema
        from tabsynth.schema.unit import possible_persons, unit_line
        from tabsynth.source import drafted

        require_free(out, overwrite=overwrite)
        note_new_folder(session, out)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        with session.progress() as report:
            report("reading", 0.0)
            table, _ = drafted(data, name=name, dialect=dialect_of(data, None, csv))
        schema = table.schema
        write_schema(Schema(tables=(schema,)), out, private_note=True)
        _show_columns(session, schema)
        session.show("Read it: kinds, roles and the privacy unit are guesses, and for you to correct.")
        repeating = possible_persons(schema)
        for column in repeating:
            session.note(
                f"{column} repeats: if it names persons, declare the unit, or a split puts one person on both "
                f"sides. The line is in the file, to be uncommented: {unit_line(column)}"
            )
        session.finish(
            f"Drafted {len(schema.columns)} columns from {table.n_rows:,} rows",
            data={
                "table": schema.name,
                "private_output": True,
                "rows": table.n_rows,
                "repeating_identifiers": list(repeating),
                "columns": {column.name: _column_data(column) for column in schema.columns},
            },
            files={out: "the schema; private: its domains were read off the data"},
            next_steps=[
                [
                    "tabsynth",
                    "schema",
                    "confirm",
                    out,
                    "--by",
                    "YOUR NAME",
                    "--source",
                    "CODEBOOK",
                    "--column",
                    "COLUMN",
                ],
                ["tabsynth", "split", data, "--schema", out, "--out", "parts"],
            ],
        )


def confirm(
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="The schema file; it is rewritten.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who states that the domains are public.")],
    source: Annotated[
        str, typer.Option("--source", metavar="TEXT", help="On what: a codebook, a form, a law.")
    ],
    column: ColumnOption = None,
    every: Annotated[bool, typer.Option("--all", help="All columns that are still draft.")] = False,
    table: TableOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Record that domains are public: who says so, and on what source.

    Confirm what a codebook states, never what only the data shows.
    """
    with Session(command="schema confirm", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.api import confirm as confirm_columns
        from tabsynth.config.run import holds_drafts
        from tabsynth.config.steps import table_of
        from tabsynth.schema import read_schema, write_schema
        from tabsynth.schema.files import without_notes

        if bool(column) == every:
            raise UsageError("say which columns: --column NAME (repeatable), or --all")
        whole = read_schema(schema)
        chosen = table_of(whole, table)
        names = tuple(_drafts(chosen) if every else column or ())
        if every and not names:
            raise UsageError("nothing is left to confirm: no column is a draft")
        changed = whole.with_table(confirm_columns(chosen, columns=names, by=by, source=source))
        if _has_comments(without_notes(schema.read_text(encoding="utf-8"), whole)):
            session.note("Comments in the file are not kept; write them as description: instead.")
        write_schema(changed, schema, private_note=holds_drafts(changed))
        left = _drafts(changed[chosen.name])
        session.finish(
            f"Confirmed {_count(len(names), 'column')} as public, by {by}",
            data={"confirmed": list(names), "still_draft": left},
            files={
                schema: f"the schema; {_count(len(left), 'column')} still draft"
                if left
                else "the schema; nothing in it is draft"
            },
        )


def check(
    data: DataArgument,
    schema: SchemaOption,
    table: TableOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Hold a table against its schema; exit code 2 if it does not fit. The output is private."""
    with Session(command="schema check", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.check import check_table
        from tabsynth.config.steps import left_out, read_real, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.errors import DataError, StructureError
        from tabsynth.schema import read_schema

        chosen = table_of(read_schema(schema), table)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        n_rows: int | None = None
        unknown: tuple[str, ...] = ()
        try:
            with session.progress() as report:
                report("reading", 0.0)
                unknown = left_out(data, chosen, csv=csv)
                real = read_real(data, chosen, csv=csv)
                n_rows = real.n_rows
                report("checking", 0.5)
                faults: Sequence[Fault] = check_table(real)
        except (StructureError, DataError) as error:
            if not error.faults:
                raise
            faults = error.faults
        for fault in faults:
            session.show(f"  - {fault}")
        if unknown:
            session.show(f"Left out is {what_is_left_out(unknown)}.")
        session.show("This output is private: it was computed from the data.")
        found = _count(len(faults), "fault")
        rows = "" if n_rows is None else f"{n_rows:,} rows, "
        fits = f"fits the schema, less {_count(len(unknown), 'column')}" if unknown else "fits the schema"
        session.finish(
            f"{data.name}: {rows}{found if faults else fits}",
            ok=not faults,
            data={
                "private_output": True,
                "rows": n_rows,
                "left_out": list(unknown),
                "faults": [
                    {"where": fault.where, "what": fault.what, "hint": fault.hint} for fault in faults
                ],
            },
            next_steps=[] if faults else [["tabsynth", "split", data, "--schema", schema, "--out", "parts"]],
        )
        if faults:
            raise typer.Exit(BAD_INPUT)


def import_schema(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="SDV metadata (JSON) or a Frictionless Table Schema.")
    ],
    out: OutOption,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DATA", help="A table off which categories and bounds are read that FILE lacks."
        ),
    ] = None,
    table: TableOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Turn SDV metadata or a Frictionless schema into a schema of this kind.

    Such files mostly lack categories and bounds: --data completes them. What is read off the data is
    draft and private.
    """
    with Session(command="schema import", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.run import holds_drafts
        from tabsynth.config.steps import require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.schema import read_any_schema, write_schema

        require_free(out, overwrite=overwrite)
        note_new_folder(session, out)
        schema, filled = read_any_schema(file), list[str]()
        if data is not None:
            csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
            chosen = table_of(schema, table)
            whole = _filled(data, chosen, csv=csv)
            schema = schema.with_table(whole)
            filled = [column.name for column in whole.columns if column != chosen[column.name]]
            unknown = note_left_out(session, (data,), whole, csv=csv)
        write_schema(schema, out, private_note=holds_drafts(schema))
        for each in schema.tables:
            _show_columns(session, each)
        if data is not None:
            session.show(
                f"{file.name} lacks nothing that {data.name} could tell."
                if not filled
                else f"Read off {data.name} for {_count(len(filled), 'column')}, what {file.name} lacks: it is draft, "
                "and private."
            )
        session.finish(
            f"Imported {_count(len(schema.tables), 'table')}",
            data={
                "tables": {each.name: len(each.columns) for each in schema.tables},
                "private_output": bool(filled),
                "filled": filled,
                **({"left_out": unknown} if data is not None else {}),
            },
            files={out: "the schema; private: parts were read off the data" if filled else "the schema"},
            next_steps=[["tabsynth", "schema", "check", "DATA" if data is None else data, "--schema", out]],
        )


def _filled(data: Path, table: TableSchema, *, csv: CsvOptions) -> TableSchema:
    """The table with what it lacks read off the data, and with the data's dialect where it states none."""
    from tabsynth.config.steps import dialect_of
    from tabsynth.io import read_table
    from tabsynth.schema import fill_domains
    from tabsynth.schema.types import CsvDialect
    from tabsynth.table import Table

    states_none = table.csv == CsvDialect()
    dialect = dialect_of(data, None if states_none else table, csv)
    frame, _ = read_table(data, schema=table, dialect=dialect)
    if dialect is not None and states_none:
        table = replace(table, csv=dialect)
    return fill_domains(table, Table.conform(frame, table).frame)


def json_schema(
    of: Annotated[Document, typer.Option("--of", help="Which kind of file.")] = Document.SCHEMA,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here instead of to stdout.")
    ] = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of schema files (or run files), by which editors complete and check them."""
    with Session(command="schema json-schema", json_output=json_output, quiet=quiet, debug=debug) as session:
        import json

        from tabsynth.config.document import run_config_json_schema
        from tabsynth.io import atomic_path
        from tabsynth.schema import json_schema as schema_json_schema

        document = schema_json_schema() if of is Document.SCHEMA else run_config_json_schema()
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        if out is None:
            sys.stdout.write(text)
            return
        with atomic_path(out, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
        session.finish(
            f"Wrote the JSON Schema of {of.value} files",
            data={"of": of.value},
            files={out: "for your editor"},
        )


def _show_columns(session: Session, table: TableSchema) -> None:
    """The columns as a compact table: what each is and what is known of it, no value of any cell."""
    if session.json_output or session.quiet:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("column", "kind", "role", "domain"):
        shown.add_column(head, overflow="fold")
    for column in table.columns[:_MOST_SHOWN]:
        role = "" if column.role is None else column.role.value.replace("_", "-")
        shown.add_row(Text(printable(column.name)), column.kind.value, role, _domain(column))
    Console(highlight=False, markup=False).print(shown)
    if len(table.columns) > _MOST_SHOWN:
        session.show(f"… and {len(table.columns) - _MOST_SHOWN:,} columns more, in the file\n")


def _domain(column: Column) -> str:
    """What is known of a column's domain, in words: `9 categories, may be null`."""
    parts = []
    if not column.kind.is_modelled:
        parts.append("made anew")
    if column.unique:
        parts.append("unique")
    if column.categories is None and column.dtype == "bool":
        parts.append("true or false")
    if column.categories is not None:
        parts.append(_count(len(column.categories), "category", "categories"))
    if column.bounds is not None:
        parts.append("range drafted" if column.domain.origin.value == "draft" else "range stated")
    if column.decimals:
        parts.append(_count(column.decimals, "decimal"))
    if column.special_values:
        parts.append(_count(len(column.special_values), "special value"))
    if column.nullable:
        parts.append("may be null")
    return ", ".join(parts)


def _column_data(column: Column) -> dict[str, object]:
    return {
        "kind": column.kind.value,
        "role": None if column.role is None else column.role.value,
        "dtype": column.dtype,
        "nullable": column.nullable,
        "n_categories": None if column.categories is None else len(column.categories),
        "n_special_values": len(column.special_values),
    }


def _has_comments(text: str) -> bool:
    """Whether any line of YAML is a comment, or ends in one (looked for where nothing is quoted)."""
    plain = (line for line in text.splitlines() if '"' not in line and "'" not in line)
    return any(line.startswith("#") or " #" in line for line in (" ".join(line.split()) for line in plain))


def _drafts(table: TableSchema) -> list[str]:
    return [column.name for column in table.columns if column.domain.origin.value == "draft"]


def _count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
