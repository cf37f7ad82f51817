"""`audit-engine`: attacks that fit an engine many times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.black_box import Named, black_box
from tabsynth.cli.notes import note_left_out
from tabsynth.cli.options import (
    CommandFormatOption,
    CommandOption,
    CommandTimeoutOption,
    DebugOption,
    DecimalOption,
    DelimiterOption,
    DeltaOption,
    EncodingOption,
    EngineOption,
    EpsilonOption,
    FunctionOption,
    JsonFileOption,
    ModelRecipeOption,
    NoPrivacyOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    SchemaOption,
    SettingsOption,
    TableOption,
)
from tabsynth.cli.session import CODE_OF_VERDICT, DONE, Session

if TYPE_CHECKING:
    from tabsynth.audit.shadow.figures import Power
    from tabsynth.audit.shadow.run import Announce


def shadow(
    train: Annotated[Path, typer.Option("--train", metavar="FILE", help="The real rows of the engine.")],
    holdout: Annotated[Path, typer.Option("--holdout", metavar="FILE", help="Real rows that were held out.")],
    schema: SchemaOption,
    engine: EngineOption = None,
    settings: SettingsOption = None,
    model: ModelRecipeOption = None,
    command: CommandOption = None,
    command_format: CommandFormatOption = None,
    command_timeout: CommandTimeoutOption = None,
    function: FunctionOption = None,
    epsilon: EpsilonOption = None,
    delta: DeltaOption = None,
    no_privacy: NoPrivacyOption = False,
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows", metavar="N", help="Rows of a shadow table and its release; train's unless said."
        ),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="2m, 20m or 4h: sets the number of fits.")
    ] = "2m",
    fits: Annotated[
        int | None, typer.Option("--fits", metavar="N", help="The number of fits, whatever time it takes.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE", help="Keeps what is done, and continues it. Private."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Fits at once; as many as processors unless said."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Whole number; fixes all draws but noise.")
    ] = 0,
    table: TableOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    json_file: JsonFileOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit an engine many times, with and without some records: does what it makes tell which?

    Exit code 0: pass; 3: fail; 4: inconclusive. The output is private; no ledger is charged.
    """
    to_stdout = json_file == Path("-")
    out = None if to_stdout else json_file
    with Session(command="audit-engine shadow", json_output=to_stdout, quiet=quiet, debug=debug) as session:
        from tabsynth.audit.shadow.run import shadow_audit
        from tabsynth.config.steps import read_real, require_distinct, require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.schema import read_schema

        named = Named(
            engine=engine,
            settings=settings,
            model=model,
            command=command,
            command_format=command_format,
            command_timeout=command_timeout,
            function=function,
        )
        box = black_box(named, epsilon=epsilon, delta=delta, no_privacy=no_privacy)
        if out is not None:
            require_free(out, inputs=(train, holdout, schema, *named.files), overwrite=overwrite)
            require_distinct(out, resume)
        chosen = table_of(read_schema(schema), table)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        paths = (train, holdout)
        with session.progress() as report:
            report("Reading", 0.0)
            real = [read_real(path, chosen, csv=csv) for path in paths]
            unknown = note_left_out(session, paths, chosen, csv=csv)
            try:
                results = shadow_audit(
                    *real,
                    box=box,
                    n_rows=rows,
                    budget=budget,
                    n_fits=fits,
                    resume=resume,
                    workers=workers,
                    seed=seed,
                    announce=_announcing(session),
                    progress=report,
                )
            except KeyboardInterrupt:
                if resume is not None:
                    session.note(f"What is done is in {resume}: the same command continues it.")
                raise
        if out is not None:
            results.write_json(out, overwrite=overwrite)
        if not to_stdout and not quiet:
            from rich.console import Console

            from tabsynth.audit.shadow.terminal import render_shadow

            render_shadow(results, Console(highlight=False))
        code = CODE_OF_VERDICT[results.outcome.value]
        session.finish(
            f"Audited by {results.counts.fits:,} fits",
            data={"exit_code": code, "left_out": unknown, **results.to_dict()},
            ok=code == DONE,
            files={
                **({} if out is None else {out: "every figure; private"}),
                **({} if resume is None else {resume: "counts of each fit, to continue with; private"}),
            },
        )
    raise typer.Exit(code)


def _announcing(session: Session) -> Announce:
    def announce(seconds: float, n_fits: int, power: Power) -> None:
        pace = f", one every {seconds:.2g} s" if seconds else ", all of them done"
        session.note(f"{n_fits:,} fits{pace}. They tell {power.words}.")

    return announce
