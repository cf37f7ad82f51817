"""`schema draft`, `confirm` and `check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import column_data, count, show_columns, to_review
from tabsynth.cli.next_steps import Step, after_schema
from tabsynth.cli.notes import note_new_folder, what_is_left_out
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
    SchemaOutOption,
    TableOption,
)
from tabsynth.cli.session import BAD_INPUT, Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabsynth.errors import Fault
    from tabsynth.schema.types import TableSchema

ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", metavar="C", help="A column; repeatable.")
]


def draft(
    data: DataArgument,
    out: SchemaOutOption,
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
        from tabsynth.schema.nulls import possible_nulls
        from tabsynth.schema.types import Schema
        from tabsynth.schema.unit import order_entry, possible_order, possible_persons, unit_line
        from tabsynth.source import drafted

        require_free(out, inputs=(data,), overwrite=overwrite)
        note_new_folder(session, out)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        dialect = dialect_of(data, None, csv)
        with session.progress() as report:
            report("reading", 0.0)
            table, _ = drafted(data, name=name, dialect=dialect)
        schema = table.schema
        write_schema(Schema(tables=(schema,)), out, private_note=True)
        show_columns(session, schema)
        session.show("Read it: kinds, roles and the privacy unit are guesses, and for you to correct.")
        for seen in to_review(schema):
            session.show(f"To be reviewed: {seen.name} looks like {seen.review}")
        repeating, order = possible_persons(schema), possible_order(schema)
        for column in repeating:
            session.note(
                f"{column} repeats: if it names persons, declare the unit, or a split puts one person on both "
                f"sides. The line is in the file, to be uncommented: {unit_line(column)}"
            )
        if repeating and order is not None:
            session.note(
                f"With {order_entry(order)} in the unit, the rows of a person are learnt and drawn as a history, one after "
                "the other; that is done without privacy alone."
            )
        maybe_null = () if dialect is None else possible_nulls(schema)
        if maybe_null:
            session.note(
                f"{', '.join(maybe_null)}: among the cells is a text such as NULL, NA or n/a. If it means that a cell is "
                "missing, draft again with --null-mark TEXT, once for each such text; --null-mark '' is the empty field."
            )
        session.finish(
            f"Drafted {len(schema.columns)} columns from {table.n_rows:,} rows",
            data={
                "table": schema.name,
                "private_output": True,
                "rows": table.n_rows,
                "repeating_identifiers": list(repeating),
                "possible_order": order if repeating else None,
                "possible_nulls": list(maybe_null),
                "columns": {column.name: column_data(column) for column in schema.columns},
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
                after_schema(data, out),
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
        session.show("Private fits use these domains as they stand, without noise.")
        drafted = [name for name in names if name in _drafts(chosen) and chosen[name].bounds is not None]
        if drafted:
            session.show(
                f"Bounds in the draft may be the least and greatest value of the data: {', '.join(drafted)}. If the "
                "source states others, write those into the file."
            )
        session.finish(
            f"Confirmed {count(len(names), 'column')} as public, by {by}",
            data={"confirmed": list(names), "still_draft": left},
            files={
                schema: f"the schema; {count(len(left), 'column')} still draft"
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
        from tabsynth.check import check_generators, check_personal, check_table
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
                faults: Sequence[Fault] = (
                    *check_table(real),
                    *check_personal(real),
                    *check_generators(real),
                )
        except (StructureError, DataError) as error:
            if not error.faults:
                raise
            faults = error.faults
        for fault in faults:
            session.show(f"  - {fault}")
        if unknown:
            session.show(f"Left out is {what_is_left_out(unknown)}.")
        for column in to_review(chosen):
            session.show(f"To be reviewed: {column.name} looks like {column.review}")
        rules = len(chosen.constraints)
        if rules:
            session.show(
                f"Rules are not looked at here ({rules:,} declared): tabsynth constraints check does that."
            )
        session.show("This output is private: it was computed from the data, and no guarantee covers it.")
        found = count(len(faults), "fault")
        rows = "" if n_rows is None else f"{n_rows:,} rows, "
        fits = f"fits the schema, less {count(len(unknown), 'column')}" if unknown else "fits the schema"
        session.finish(
            f"{data.name}: {rows}{found if faults else fits}",
            ok=not faults,
            data={
                "private_output": True,
                "rows": n_rows,
                "left_out": list(unknown),
                "to_review": [column.name for column in to_review(chosen)],
                "faults": [
                    {"where": fault.where, "what": fault.what, "hint": fault.hint} for fault in faults
                ],
            },
            next_steps=[] if faults else _after_check(data, schema, has_rules=bool(rules)),
        )
        if faults:
            raise typer.Exit(BAD_INPUT)


def _after_check(data: Path, schema: Path, *, has_rules: bool) -> list[Step]:
    """The commands after a table was found to fit its schema."""
    rules: list[Step] = [["tabsynth", "constraints", "check", data, "--schema", schema]]
    return [*(rules if has_rules else []), after_schema(data, schema)]


def _has_comments(text: str) -> bool:
    """Whether any line of YAML is a comment, or ends in one (looked for where nothing is quoted)."""
    plain = (line for line in text.splitlines() if '"' not in line and "'" not in line)
    return any(line.startswith("#") or " #" in line for line in (" ".join(line.split()) for line in plain))


def _drafts(table: TableSchema) -> list[str]:
    return [column.name for column in table.columns if column.domain.origin.value == "draft"]
