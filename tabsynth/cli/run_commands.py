"""`demo`, `run` and `engines`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.condition_notes import condition_data, show_conditions
from tabsynth.cli.constraint_commands import rule_data, show_rules
from tabsynth.cli.notes import (
    fit_notes,
    history_data,
    history_note,
    note_kept_rows,
    note_left_out,
    note_mark,
    note_weak,
)
from tabsynth.cli.options import (
    DebugOption,
    DeltaOption,
    EpsilonOption,
    JsonOption,
    NoPrivacyOption,
    OverwriteOption,
    QuietOption,
)
from tabsynth.cli.session import Session

_RUN_FILE = "run.yaml"
_OF_RUN = "private/run.yaml"


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for everything.")] = Path(
        "tabsynth-demo"
    ),
    epsilon: EpsilonOption = None,
    delta: DeltaOption = None,
    no_privacy: NoPrivacyOption = False,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Synthesise a real medical table, measure it and draw the report.

    10,391 older Americans and what they spend on drugs.
    Differentially private at ε = 1. Under a minute, no network.
    """
    with Session(command="demo", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import require_free
        from tabsynth.config.types import privacy_of
        from tabsynth.demo import demo as make_demo

        privacy = privacy_of(no_privacy=no_privacy, epsilon=epsilon, delta=delta)
        require_free(out, inputs=(), overwrite=overwrite, ours=_RUN_FILE)
        session.note("A real table: what 10,391 older Americans spent on drugs (MEPS), 17 columns.")
        session.note("Left out of the source's 29: logarithms, squares and sums of others.")
        if no_privacy:
            session.note("No privacy is asked for: the synthetic rows are not anonymous by construction.")
        else:
            session.note(
                "Its domains are public, from codebooks and limits set beforehand: all of the budget goes to its rows."
            )
        with session.progress() as report:
            outcome = make_demo(out, privacy=privacy, overwrite=overwrite, progress=report)
        assert outcome.results is not None
        session.show_report(outcome.results)
        session.show(outcome.guarantee)
        session.finish(
            f"Learnt from {'' if no_privacy else 'about '}{outcome.n_fitted:,} rows by {outcome.engine}, made {outcome.n_synthetic:,}",
            data={
                "rows": outcome.n_synthetic,
                "fitted_rows": outcome.n_fitted,
                "engine": outcome.engine,
                "guarantee": outcome.guarantee,
                "private_output": True,
                "figures": outcome.results.summary(),
            },
            files={out / path: what for path, what in outcome.files.items()},
            next_steps=[
                [
                    "tabsynth",
                    "sample",
                    out / "model",
                    "--where",
                    "health=poor",
                    "--rows",
                    "1000",
                    "--out",
                    "poor.csv",
                ],
                ["tabsynth", "schema", "draft", "YOUR-TABLE.csv", "--out", "schema.yaml"],
            ],
        )


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The run file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for everything.")],
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Carry out a run file: split, fit, sample, evaluate and report for every table."""
    with Session(command="run", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.audit import AuditResults
        from tabsynth.config.files import read_run
        from tabsynth.config.run import holds_drafts
        from tabsynth.config.run import run as carry_out
        from tabsynth.config.steps import require_free
        from tabsynth.privacy import NO_PRIVACY, Budget
        from tabsynth.schema.unit import unit_question

        config = read_run(file)
        require_free(out, inputs=(file, *config.inputs), overwrite=overwrite, ours=_OF_RUN)
        if len(config.tables) > 1:
            session.note("Tables are fitted one by one: keys between them are not modelled yet.")
        if config.schema is None:
            session.note("No schema given: one is drafted from the rows that are learnt from. It is private.")
        is_private = config.privacy != NO_PRIVACY
        if is_private and len(config.tables) > 1:
            session.note(
                "Each table gets the budget: a person in several of them has the sum of what they cost."
            )
        if isinstance(config.privacy, Budget):
            note_weak(session, config.privacy)
        session.has_ledger = config.ledger is not None
        for table_run in config.tables:
            note_mark(session, table_run.source, table_run.real_share)
        with session.progress() as report:
            outcome = carry_out(config, out, overwrite=overwrite, progress=report)
        schemas = () if outcome.run.schema is None else outcome.run.schema.tables
        for table_run in config.tables:
            if config.schema is not None:
                chosen = config.schema[table_run.name]
                note_left_out(session, (table_run.source,), chosen, csv=table_run.csv)
        for question in filter(None, map(unit_question, schemas)):
            session.note(question)
        for table in outcome.tables:
            share = "all" if table.n_fitted == table.n_source else f"{table.n_fitted:,} of"
            learnt = f"learnt from {'about ' if is_private else ''}{share} {table.n_source:,}"
            why = f"\n  {table.why}" if table.why else ""
            session.show(f"{table.name}: {table.n_synthetic:,} rows by {table.engine}, {learnt}{why}")
            note_kept_rows(session, table.pipeline.engine)
            session.show_lead(table.results)
            session.show(f"  {table.guarantee}")
            show_conditions(session, table.conditions)
            show_rules(session, table.rules)
            if isinstance(table.audit, str):
                session.note(f"{table.name} was not audited: {table.audit}")
            elif table.audit is not None:
                session.show(
                    f"  Audit: {table.audit.outcome.value}. {'; '.join(table.audit.verdict.reasons)}"
                )
            for text in filter(None, (history_note(table.pipeline), *fit_notes(table.pipeline, table.plan))):
                session.show("\n".join(f"  {line}" for line in text.splitlines()))
        if any(table.results for table in outcome.tables):
            session.show(
                "Private output: the figures were computed from the real tables, and no guarantee covers them."
            )
        if is_private:
            session.show(
                f"What the guarantee covers is in {out / 'publishable'}, all else in {out / 'private'}."
            )
        models = [out / path for path in outcome.tables[0].files if path.name == "model"]
        session.finish(
            f"Ran {file.name}, seed {outcome.run.seed}",
            data={
                "seed": outcome.run.seed,
                "tables": {
                    table.name: {
                        "engine": table.engine,
                        "why": table.why or None,
                        "rows": table.n_synthetic,
                        "fitted_rows": table.n_fitted,
                        "guarantee": table.guarantee,
                        "history": history_data(table.pipeline),
                        "notes": list(table.pipeline.notes),
                        "conditions": condition_data(table.conditions),
                        "private_output": table.results is not None,
                        "audit": table.audit.outcome.value if isinstance(table.audit, AuditResults) else None,
                        "figures": None if table.results is None else table.results.summary(),
                        "rules": rule_data(table.rules),
                    }
                    for table in outcome.tables
                },
            },
            files={
                **{out / path: what for table in outcome.tables for path, what in table.files.items()},
                out / _OF_RUN: "the run, to be repeated",
                out / "private/schema.yaml": "its schema; private: its drafted domains were read off the data"
                if outcome.run.schema is not None and holds_drafts(outcome.run.schema)
                else "its schema",
            },
            next_steps=[["tabsynth", "sample", models[0], "--rows", "1000", "--out", "more.csv"]],
        )


def engines(json_output: JsonOption = False, debug: DebugOption = False) -> None:
    """List the engines and their settings."""
    with Session(command="engines", json_output=json_output, debug=debug) as session:
        from tabsynth.models.registry import DEFAULT_ENGINE, ENGINES, default_settings

        listed = {
            name: {
                "summary": engine.summary,
                "guarantees": sorted(engine.guarantees),
                "retains_rows": engine.retains_rows,
                "default": name == DEFAULT_ENGINE,
                "settings": default_settings(name),
            }
            for name, engine in ENGINES.items()
        }
        for name, engine in ENGINES.items():
            session.show(f"{name}{'  (default)' if name == DEFAULT_ENGINE else ''}")
            session.show(f"  {engine.summary}")
            session.show(f"  differential privacy: {'yes' if 'dp' in engine.guarantees else 'no'}")
            settings = [f"{key}={value}" for key, value in default_settings(name).items()]
            session.show(f"  settings (--set): {', '.join(settings)}\n")
        session.show(
            "auto\n  chooses one of them by a public rule: by the budget, the columns, and without a budget the rows"
        )
        session.show("  settings (--set): purpose=rows\n")
        if json_output:
            session.finish("", data={"engines": listed})
