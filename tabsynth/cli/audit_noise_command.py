"""`audit-engine noise`: does an engine add the noise that it claims?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.black_box import Named
from tabsynth.cli.options import (
    CommandFormatOption,
    CommandOption,
    CommandTimeoutOption,
    DebugOption,
    DeltaOption,
    EngineOption,
    EpsilonOption,
    FunctionOption,
    JsonFileOption,
    OverwriteOption,
    QuietOption,
    SettingsOption,
)
from tabsynth.cli.session import CODE_OF_VERDICT, DONE, Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.audit.outside import OwnEngine
    from tabsynth.privacy import Budget


def noise(
    engine: EngineOption = None,
    settings: SettingsOption = None,
    epsilon: EpsilonOption = None,
    delta: DeltaOption = None,
    rows_of_unit: Annotated[
        int, typer.Option("--unit-rows", metavar="K", help="Rows that one person may have.")
    ] = 1,
    runs: Annotated[
        int | None, typer.Option("--runs", metavar="N", help="Fits of each table, instead of --budget.")
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="2m, 20m or 4h: as many fits as that allows.")
    ] = "2m",
    rows_only: Annotated[
        bool,
        typer.Option("--rows-only", help="Attack the rows alone, not the statistics an engine releases."),
    ] = False,
    command: CommandOption = None,
    command_format: CommandFormatOption = None,
    command_timeout: CommandTimeoutOption = None,
    function: FunctionOption = None,
    mu: Annotated[
        float | None,
        typer.Option(
            "--mu",
            metavar="MU",
            help="The Gaussian μ that it claims beside ε.",
            rich_help_panel="Instead of --engine",
        ),
    ] = None,
    json_file: JsonFileOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Attack a private engine on neighbouring tables: is its noise what it claims? No data of yours is read.

    Exit code 0: pass; 3: fail; 4: inconclusive.
    """
    to_stdout = json_file == Path("-")
    out = None if to_stdout else json_file
    with Session(command="audit-engine noise", json_output=to_stdout, quiet=quiet, debug=debug) as session:
        from tabsynth.audit.noise import audit_noise, audit_rows
        from tabsynth.audit.outside import Registered
        from tabsynth.cli.table_commands import read_settings
        from tabsynth.config.steps import require_free
        from tabsynth.config.types import privacy_of
        from tabsynth.models.registry import DEFAULT_ENGINE, make_engine
        from tabsynth.privacy import Budget

        claimed = privacy_of(no_privacy=False, epsilon=epsilon, delta=delta)
        assert isinstance(claimed, Budget)
        named = Named(
            engine=engine,
            settings=settings,
            command=command,
            command_format=command_format,
            command_timeout=command_timeout,
            function=function,
        )
        named.check()
        if named.is_own and rows_only:
            raise UsageError("--rows-only is said for an --engine; of your own one nothing but rows is seen")
        if mu is not None and not (named.is_own and mu > 0):
            raise UsageError("--mu is positive, and belongs to an engine of your own (--command, --function)")
        if out is not None:
            require_free(out, inputs=named.files, overwrite=overwrite)
        outside = _own(named, claimed)
        recipe = make_engine(engine or DEFAULT_ENGINE, read_settings(settings or []))
        with session.progress() as report:
            if outside is None and not rows_only:
                results = audit_noise(
                    recipe, claimed, rows_of_unit=rows_of_unit, runs=runs, budget=budget, progress=report
                )
            else:
                results = audit_rows(
                    outside or Registered(recipe),
                    claimed,
                    mu=mu,
                    rows_of_unit=rows_of_unit,
                    runs=runs,
                    budget=budget,
                    progress=report,
                )
        if out is not None:
            results.write_json(out, overwrite=overwrite)
        if not to_stdout and not quiet:
            from rich.console import Console

            from tabsynth.audit.noise_terminal import render_noise_audit

            render_noise_audit(results, Console(highlight=False))
        code = CODE_OF_VERDICT[results.outcome.value]
        session.finish(
            "Audited",
            data={"exit_code": code, **results.to_dict()},
            ok=code == DONE,
            files={} if out is None else {out: "every figure"},
        )
    raise typer.Exit(code)


def _own(named: Named, claimed: Budget) -> OwnEngine | None:
    """The user's own engine; None where it is one of ours."""
    from tabsynth.audit.outside import own_command, own_function
    from tabsynth.refit import TIMEOUT

    if named.command is not None:
        return own_command(
            named.command,
            claimed,
            file_format=named.command_format or "csv",
            timeout=TIMEOUT if named.command_timeout is None else named.command_timeout,
        )
    return None if named.function is None else own_function(named.function)
