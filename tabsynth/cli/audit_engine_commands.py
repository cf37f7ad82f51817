"""`audit-engine`: attacks that fit an engine many times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.notes import note_left_out
from tabsynth.cli.options import (
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    NoPrivacyOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    SchemaOption,
    SettingsOption,
    TableOption,
)
from tabsynth.cli.session import DENIED, DONE, INCONCLUSIVE, Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.audit.refit import BlackBox
    from tabsynth.audit.shadow.figures import Power
    from tabsynth.audit.shadow.run import Announce

_CODES = {"pass": DONE, "fail": DENIED, "inconclusive": INCONCLUSIVE}


def shadow(
    train: Annotated[Path, typer.Option("--train", metavar="FILE", help="The real rows of the engine.")],
    holdout: Annotated[Path, typer.Option("--holdout", metavar="FILE", help="Real rows that were held out.")],
    schema: SchemaOption,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="A registered engine.", rich_help_panel="Engine"),
    ] = None,
    settings: SettingsOption = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model folder: its recipe and privacy, not its parameters.",
            rich_help_panel="Engine",
        ),
    ] = None,
    refit_command: Annotated[
        str | None,
        typer.Option(
            "--refit-command",
            metavar="TEXT",
            help="Your own: 'mytool --in {train} --out {synthetic} --rows {rows} --seed {seed}'.",
            rich_help_panel="Engine",
        ),
    ] = None,
    refit_format: Annotated[
        str | None,
        typer.Option(
            "--refit-format", metavar="csv|parquet", help="Of its tables.", rich_help_panel="Engine"
        ),
    ] = None,
    refit_timeout: Annotated[
        float | None,
        typer.Option(
            "--refit-timeout",
            metavar="SECONDS",
            help="The longest it may take; 600 unless said.",
            rich_help_panel="Engine",
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="Privacy budget ε (1 unless said); of a command, what it claims.",
            rich_help_panel="Privacy",
        ),
    ] = None,
    delta: Annotated[
        float | None,
        typer.Option("--delta", metavar="D", help="Its δ; 1e-6 unless said.", rich_help_panel="Privacy"),
    ] = None,
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
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Every figure, as JSON; - for one object on stdout, nothing else.",
            rich_help_panel="Output",
        ),
    ] = None,
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
        from tabsynth.config.steps import read_real, require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.schema import read_schema

        box = _box(
            engine,
            settings,
            model,
            refit_command,
            refit_format=refit_format,
            refit_timeout=refit_timeout,
            epsilon=epsilon,
            delta=delta,
            no_privacy=no_privacy,
        )
        if out is not None:
            require_free(out, overwrite=overwrite)
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
        code = _CODES[results.outcome.value]
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


def _box(
    engine: str | None,
    settings: list[str] | None,
    model: Path | None,
    command: str | None,
    *,
    refit_format: str | None,
    refit_timeout: float | None,
    epsilon: float | None,
    delta: float | None,
    no_privacy: bool,
) -> BlackBox:
    """What is audited. Raises `UsageError` for options that do not go together."""
    from tabsynth.audit.refit import TIMEOUT, command_box, engine_box, model_box
    from tabsynth.cli.table_commands import read_settings
    from tabsynth.config.types import privacy_of
    from tabsynth.models.registry import DEFAULT_ENGINE
    from tabsynth.privacy import Budget

    if sum(choice is not None for choice in (engine, model, command)) > 1:
        raise UsageError("--engine, --model and --refit-command name different things: give one of them")
    if command is None and (refit_format is not None or refit_timeout is not None):
        raise UsageError("--refit-format and --refit-timeout belong to a --refit-command")
    if settings and (model is not None or command is not None):
        raise UsageError("--set belongs to an --engine")
    states = epsilon is not None or delta is not None or no_privacy
    if model is not None:
        if states:
            raise UsageError(
                "a model says itself what privacy it has: leave --epsilon, --delta and --no-privacy out"
            )
        return model_box(model)
    if command is None:
        privacy = privacy_of(no_privacy=no_privacy, epsilon=epsilon, delta=delta)
        return engine_box(engine or DEFAULT_ENGINE, settings=read_settings(settings or []), privacy=privacy)
    if delta is not None and epsilon is None:
        raise UsageError("a δ belongs to an ε: give --epsilon too")
    privacy = privacy_of(no_privacy=no_privacy, epsilon=epsilon, delta=delta)
    return command_box(
        command,
        file_format=refit_format or "csv",
        timeout=TIMEOUT if refit_timeout is None else refit_timeout,
        stated=privacy if epsilon is not None and isinstance(privacy, Budget) else None,
    )
