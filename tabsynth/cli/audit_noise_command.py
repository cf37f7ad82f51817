"""`audit-engine noise`: does an engine add the noise that it claims?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.options import (
    DebugOption,
    DeltaOption,
    EngineOption,
    EpsilonOption,
    OverwriteOption,
    QuietOption,
    SettingsOption,
)
from tabsynth.cli.session import DENIED, DONE, INCONCLUSIVE, Session
from tabsynth.errors import UsageError

_OUTSIDE = "An engine of your own"


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
        bool, typer.Option("--rows", help="Attack the rows alone, not the statistics an engine releases.")
    ] = False,
    command: Annotated[
        str | None,
        typer.Option(
            "--command",
            metavar="LINE",
            help="It reads the CSV file {train} and writes {synthetic}; {epsilon} and {delta} are filled in.",
            rich_help_panel=_OUTSIDE,
        ),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(
            "--function",
            metavar="NAME",
            help="module:function or file.py:function, called with a frame, epsilon= and delta=.",
            rich_help_panel=_OUTSIDE,
        ),
    ] = None,
    mu: Annotated[
        float | None,
        typer.Option(
            "--mu", metavar="MU", help="The Gaussian μ that it claims beside ε.", rich_help_panel=_OUTSIDE
        ),
    ] = None,
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
    """Attack a private engine on neighbouring tables: is its noise what it claims? No data of yours is read.

    Exit code 0: pass; 3: fail; 4: inconclusive.
    """
    to_stdout = json_file == Path("-")
    out = None if to_stdout else json_file
    with Session(command="audit-engine noise", json_output=to_stdout, quiet=quiet, debug=debug) as session:
        from tabsynth.audit.noise import audit_noise, audit_rows
        from tabsynth.audit.outside import Command, Function, Registered, function_of
        from tabsynth.cli.table_commands import read_settings
        from tabsynth.config.steps import require_free
        from tabsynth.config.types import privacy_of
        from tabsynth.models.registry import DEFAULT_ENGINE, make_engine
        from tabsynth.privacy import Budget

        claimed = privacy_of(no_privacy=False, epsilon=epsilon, delta=delta)
        assert isinstance(claimed, Budget)
        named = [name for name, value in (("--command", command), ("--function", function)) if value]
        if named and (len(named) > 1 or engine or settings or rows_only):
            raise UsageError(
                f"{named[0]} names the engine: leave out the other one, --engine, --set and --rows"
            )
        if mu is not None and not (named and mu > 0):
            raise UsageError("--mu is positive, and belongs to an engine of your own (--command, --function)")
        if out is not None:
            require_free(out, overwrite=overwrite)
        if function is not None:
            function_of(function)
        outside = Command(command) if command else Function(function) if function else None
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
        code = {"pass": DONE, "fail": DENIED, "inconclusive": INCONCLUSIVE}[results.outcome.value]
        session.finish(
            "Audited",
            data={"exit_code": code, **results.to_dict()},
            ok=code == DONE,
            files={} if out is None else {out: "every figure"},
        )
    raise typer.Exit(code)
