"""`pseudonymise`: real rows whose identifiers are behind a keyed hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.columns import count
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
from tabsynth.cli.session import Session


def pseudonymise(
    data: DataArgument,
    schema: SchemaOption,
    key_file: Annotated[
        Path,
        typer.Option("--key-file", metavar="FILE", help="Your key: 32 random bytes or more, kept apart."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the rows go: .csv or .parquet.")],
    schema_out: Annotated[
        Path, typer.Option("--schema-out", metavar="FILE", help="Where the marked schema goes.")
    ],
    no_privacy: Annotated[
        bool,
        typer.Option("--no-privacy", help="Say that no guarantee is asked for; without it nothing is done."),
    ] = False,
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
    """Replace identifiers of real rows by a keyed hash, and mask free text. The rows stay real, and private."""
    with Session(command="pseudonymise", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import read_real, require_distinct, require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.io import write_frame
        from tabsynth.io.provenance import PseudonymMark
        from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY
        from tabsynth.pseudonymise import pseudonymise_table, read_key
        from tabsynth.schema import read_schema, write_schema
        from tabsynth.schema.types import Schema

        for path in (out, schema_out):
            require_free(path, inputs=(data, schema, key_file), overwrite=overwrite)
        require_distinct(out, schema_out)
        whole = read_schema(schema)
        chosen = table_of(whole, table)
        key = read_key(key_file)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        with session.progress() as report:
            report("reading", 0.0)
            real = read_real(data, chosen, csv=csv) if no_privacy else data
            found = pseudonymise_table(
                real,
                schema=whole,
                key=key,
                privacy=NO_PRIVACY if no_privacy else DEFAULT_BUDGET,
                table=chosen.name,
            )
            report("writing", 0.5)
            write_frame(
                found.table.frame,
                out,
                schema=found.table.schema,
                provenance=PseudonymMark(),
                overwrite=overwrite,
            )
            write_schema(Schema(tables=(found.table.schema,)), schema_out, private_note=True)
        session.show(
            f"Hashed: {', '.join(found.hashed) or 'nothing'}. Masked: {', '.join(found.masked) or 'nothing'}."
        )
        session.show(
            "Pseudonyms are personal data: whoever has the key can name everybody. Keep the key apart."
        )
        session.finish(
            f"Pseudonymised {count(len(found.hashed), 'column')} of {found.table.n_rows:,} real rows",
            data={
                "rows": found.table.n_rows,
                "hashed": list(found.hashed),
                "masked": list(found.masked),
                "private_output": True,
            },
            files={
                out: "real rows under pseudonyms; private, not for outsiders",
                schema_out: "their schema; no private fit takes it",
            },
        )
