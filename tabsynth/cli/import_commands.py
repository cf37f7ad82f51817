"""`schema import` and `json-schema`."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import count, show_columns
from tabsynth.cli.notes import note_left_out, note_new_folder
from tabsynth.cli.options import (
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    JsonOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    SchemaOutOption,
    TableOption,
)
from tabsynth.cli.session import Session

if TYPE_CHECKING:
    from tabsynth.config.types import CsvOptions
    from tabsynth.schema.types import TableSchema


class Document(StrEnum):
    """The kinds of files that have a JSON Schema."""

    SCHEMA = "schema"
    RUN = "run"
    POLICY = "policy"


def import_schema(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="SDV metadata (JSON) or a Frictionless Table Schema.")
    ],
    out: SchemaOutOption,
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

    Such files mostly lack categories and bounds: --data completes them.
    What is read off the data is draft and private.
    """
    with Session(command="schema import", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.run import holds_drafts
        from tabsynth.config.steps import require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.schema import read_any_schema, write_schema

        require_free(out, inputs=(file, data), overwrite=overwrite)
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
            show_columns(session, each)
        if data is not None:
            session.show(
                f"{file.name} lacks nothing that {data.name} could tell."
                if not filled
                else f"Read off {data.name} for {count(len(filled), 'column')}, what {file.name} lacks: it is draft, "
                "and private."
            )
        session.finish(
            f"Imported {count(len(schema.tables), 'table')}",
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
    """Print the JSON Schema of schema files (or run or policy files), by which editors complete and check them."""
    with Session(command="schema json-schema", json_output=json_output, quiet=quiet, debug=debug) as session:
        import json

        from tabsynth.config.document import run_config_json_schema
        from tabsynth.io import atomic_path
        from tabsynth.release.document import policy_json_schema
        from tabsynth.schema import json_schema as schema_json_schema

        makers = {
            Document.SCHEMA: schema_json_schema,
            Document.RUN: run_config_json_schema,
            Document.POLICY: policy_json_schema,
        }
        document = makers[of]()
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
