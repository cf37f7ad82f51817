"""The tree of commands."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from tabsynth.cli import (
    audit_commands,
    audit_engine_commands,
    audit_noise_command,
    augment_command,
    budget_commands,
    catalog_commands,
    clean_command,
    collapse_commands,
    complete_commands,
    constraint_commands,
    draw_commands,
    evaluate_commands,
    import_commands,
    ledger_commands,
    policy_commands,
    pseudonymise_command,
    release_build,
    release_commands,
    report_commands,
    run_commands,
    schema_commands,
    table_commands,
)
from tabsynth.cli.session import BROKEN_PIPE

_HELP = """Synthetic tables from real ones, with a report on how good they are.

Begin with [bold]tabsynth demo[/bold], or with your own table:

[bold]tabsynth schema draft DATA --out schema.yaml[/bold]
"""
_CODES = {
    "0": "done, or allowed",
    "1": "something else went wrong",
    "2": "bad usage or bad input",
    "3": "denied by policy",
    "4": "inconclusive, or needs a sign-off",
    "130": "interrupted",
}
_EXIT_CODES = "Exit codes: " + " · ".join(f"{code} {what}" for code, what in _CODES.items())

app = typer.Typer(
    name="tabsynth",
    help=_HELP,
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
schema_app = typer.Typer(
    no_args_is_help=True, help="Draft, confirm, check and import schemas.", epilog=_EXIT_CODES
)
budget_app = typer.Typer(no_args_is_help=True, help="Plan a privacy budget.", epilog=_EXIT_CODES)
ledger_app = typer.Typer(
    no_args_is_help=True, help="Keep account of all fits of one source.", epilog=_EXIT_CODES
)
audit_engine_app = typer.Typer(
    no_args_is_help=True, help="Audit an engine, rather than one table that it made.", epilog=_EXIT_CODES
)
report_app = typer.Typer(
    no_args_is_help=True, help="Draw a release, for you or for others.", epilog=_EXIT_CODES
)
policy_app = typer.Typer(no_args_is_help=True, help="Decide whether rows may leave.", epilog=_EXIT_CODES)
release_app = typer.Typer(
    no_args_is_help=True, help="Hand rows over in a signed bundle, and take them.", epilog=_EXIT_CODES
)

catalog_app = typer.Typer(
    no_args_is_help=True, help="Remember what was released, and what it cost together.", epilog=_EXIT_CODES
)

constraints_app = typer.Typer(
    no_args_is_help=True, help="Check and mine rules between columns.", epilog=_EXIT_CODES
)

app.command("demo")(run_commands.demo)
app.add_typer(schema_app, name="schema")
app.add_typer(constraints_app, name="constraints")
app.add_typer(budget_app, name="budget")
app.add_typer(ledger_app, name="ledger")
app.add_typer(audit_engine_app, name="audit-engine")
app.add_typer(policy_app, name="policy")
app.add_typer(report_app, name="report")
app.add_typer(release_app, name="release")
app.add_typer(catalog_app, name="catalog")
app.command("split")(table_commands.split)
app.command("fit")(table_commands.fit)
app.command("sample")(table_commands.sample)
app.command("complete")(complete_commands.complete)
app.command("near")(complete_commands.near)
app.command("draw")(draw_commands.draw)
app.command("evaluate")(evaluate_commands.evaluate)
app.command("audit")(audit_commands.audit)
app.command("augment")(augment_command.augment)
app.command("collapse")(collapse_commands.collapse)
app.command("pseudonymise")(pseudonymise_command.pseudonymise)
app.command("run")(run_commands.run)
app.command("clean")(clean_command.clean)
app.command("engines")(run_commands.engines)

schema_app.command("draft")(schema_commands.draft)
schema_app.command("confirm")(schema_commands.confirm)
schema_app.command("check")(schema_commands.check)
schema_app.command("import")(import_commands.import_schema)
schema_app.command("json-schema")(import_commands.json_schema)

audit_engine_app.command("shadow")(audit_engine_commands.shadow)
audit_engine_app.command("noise")(audit_noise_command.noise)

constraints_app.command("check")(constraint_commands.check)
constraints_app.command("suggest")(constraint_commands.suggest)

budget_app.command("plan")(budget_commands.plan)

ledger_app.command("create")(ledger_commands.create)
ledger_app.command("show")(ledger_commands.show)
ledger_app.command("moved")(ledger_commands.moved)

policy_app.command("init")(policy_commands.init)
policy_app.command("check")(policy_commands.check)

release_app.command("keygen")(release_commands.keygen)
release_app.command("build")(release_build.build)
release_app.command("verify")(release_commands.verify)
release_app.command("open")(release_commands.open_)

catalog_app.command("add")(catalog_commands.add)
catalog_app.command("list")(catalog_commands.list_)
catalog_app.command("show")(catalog_commands.show)
catalog_app.command("search")(catalog_commands.search)
catalog_app.command("expire")(catalog_commands.expire)
catalog_app.command("cumulative")(catalog_commands.cumulative)
catalog_app.command("diff")(catalog_commands.diff)

report_app.command("internal")(report_commands.internal)
report_app.command("publishable")(report_commands.publishable)


def _version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"tabsynth {version('tabsynth')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # its callback acts
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=lambda asked: _version(asked=asked),
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that lacks ε must not end a finished command
    try:
        app()
    finally:
        _flush()


def _flush() -> None:
    """Write out what is left; where nobody reads it any more, drop it without a word."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(BROKEN_PIPE) from None


def _end(_number: int, _frame: FrameType | None) -> None:
    """Leave by an exception, so that half-written outputs are removed on the way."""
    raise SystemExit(128 + signal.SIGTERM)
