"""`budget plan`: where ε will go, before any data is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import count
from tabsynth.cli.notes import note_weak
from tabsynth.cli.options import (
    DebugOption,
    DeltaOption,
    EngineOption,
    EpsilonOption,
    JsonOption,
    QuietOption,
    SchemaOption,
    SettingsOption,
    TableOption,
)
from tabsynth.cli.session import Session, printable

if TYPE_CHECKING:
    from tabsynth.plan_report import PlanReport


def plan(
    schema: SchemaOption,
    engine: EngineOption = None,
    settings: SettingsOption = None,
    epsilon: EpsilonOption = None,
    delta: DeltaOption = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", metavar="N", help="A guess of the number of rows, to say what noise means."),
    ] = None,
    table: TableOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show where the privacy budget of a fit would go. No data is read.

    Every part of the fit, its share of the budget and the noise that each of its counts will carry.
    """
    with Session(command="budget plan", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.cli.table_commands import read_settings
        from tabsynth.config.steps import table_of
        from tabsynth.config.types import privacy_of
        from tabsynth.models.registry import DEFAULT_ENGINE, make_engine
        from tabsynth.plan_report import budget_plan
        from tabsynth.privacy import Budget
        from tabsynth.schema import read_schema
        from tabsynth.schema.unit import unit_cost

        recipe = make_engine(engine or DEFAULT_ENGINE, read_settings(settings or []))
        budget = privacy_of(no_privacy=False, epsilon=epsilon, delta=delta)
        assert isinstance(budget, Budget)
        chosen = table_of(read_schema(schema), table)
        note_weak(session, budget)
        report = budget_plan(chosen, engine=recipe, privacy=budget, rows=rows)
        _show(session, report, cost=unit_cost(chosen.unit))
        session.finish(
            f"Planned {count(len(report.rows), 'part')} for {count(len(chosen.columns), 'column')}, no data read",
            data={"table": chosen.name, **report.to_dict()},
            next_steps=[["tabsynth", "fit", "DATA", "--schema", schema, "--out", "model"]],
        )


def _show(session: Session, report: PlanReport, *, cost: str) -> None:
    if session.json_output or session.quiet:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    session.show(report.guarantee)
    session.show(f"Engine: {report.engine}")
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("part", no_wrap=True)
    heads = ["budget", "releases", "noise σ"]
    if report.n_guessed:
        heads.append(f"error at {report.n_guessed // 100:,} rows")
    for head in heads:
        shown.add_column(head, justify="right")
    for row in report.rows:
        error = [] if row.relative_error is None else [f"± {row.relative_error:.0%}"]
        shown.add_row(
            Text(printable(row.statistic)),
            f"{row.share:.1%}",
            f"{row.n_releases:,}",
            f"{row.deviation:.4g}",
            *error,
        )
    Console(highlight=False, markup=False).print(shown)
    session.show(
        "Noise: the standard deviation in every count of one release; averages of k have 1/√k of it."
    )
    for planned in report.plan.parts:
        if planned.part.sampling_rate is not None:
            session.show(
                f"Of {planned.part.statistic}: over the most that one row adds to a sum, of samples of "
                f"{planned.part.sampling_rate:.2g} of the rows."
            )
    if report.n_guessed:
        session.show(f"Error: that noise beside a cell that holds 1 % of {report.n_guessed:,} rows.")
    if cost:
        session.show(cost)
    session.show(printable(report.purchase) or "No domain has to be bought: all of them are public.")
    session.show(
        f"In all: δ = {report.delta:.3g} at ε = {report.budget.epsilon:g}, at most the {report.budget.delta:g} asked "
        f"for. Composed by {report.composition}."
    )
