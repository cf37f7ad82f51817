"""`demo`, `run` and `engines`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.notes import note_left_out
from tabsynth.cli.options import DebugOption, JsonOption, OverwriteOption, QuietOption
from tabsynth.cli.session import Session

_RUN_FILE = "run.yaml"


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for everything.")] = Path(
        "tabsynth-demo"
    ),
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Synthesise a real medical table, measure it and draw the report.

    10,391 older Americans and what they spend on drugs. Under a minute, no network.
    """
    with Session(command="demo", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import require_free
        from tabsynth.demo import demo as make_demo

        require_free(out, overwrite=overwrite, ours=_RUN_FILE)
        session.note("A real table: what 10,391 older Americans spent on drugs (MEPS), 17 columns.")
        session.note("Left out of the source's 29: logarithms, squares and sums of others.")
        session.note("No privacy is asked for: the synthetic rows are not anonymous by construction.")
        with session.progress() as report:
            outcome = make_demo(out, overwrite=overwrite, progress=report)
        assert outcome.results is not None
        session.show_report(outcome.results)
        session.show(outcome.guarantee)
        session.finish(
            f"Learnt from {outcome.n_fitted:,} rows, made {outcome.n_synthetic:,}",
            data={
                "rows": outcome.n_synthetic,
                "fitted_rows": outcome.n_fitted,
                "guarantee": outcome.guarantee,
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
        from tabsynth.config.files import read_run
        from tabsynth.config.run import run as carry_out
        from tabsynth.config.steps import require_free
        from tabsynth.schema.unit import unit_question

        config = read_run(file)
        require_free(out, overwrite=overwrite, ours=_RUN_FILE)
        if len(config.tables) > 1:
            session.note("Tables are fitted one by one: keys between them are not modelled yet.")
        if config.schema is None:
            session.note("No schema given: one is drafted from the rows that are learnt from. It is private.")
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
            learnt = f"learnt from {share} {table.n_source:,}"
            session.show(f"{table.name}: {table.n_synthetic:,} rows by {table.engine}, {learnt}")
            session.show_lead(table.results)
        session.show(outcome.tables[0].guarantee)
        models = [out / path for path in outcome.tables[0].files if path.name == "model"]
        session.finish(
            f"Ran {file.name}, seed {outcome.run.seed}",
            data={
                "seed": outcome.run.seed,
                "tables": {
                    table.name: {
                        "engine": table.engine,
                        "rows": table.n_synthetic,
                        "fitted_rows": table.n_fitted,
                        "guarantee": table.guarantee,
                        "figures": None if table.results is None else table.results.summary(),
                    }
                    for table in outcome.tables
                },
            },
            files={
                **{out / path: what for table in outcome.tables for path, what in table.files.items()},
                out / _RUN_FILE: "the run, to be repeated",
                out / "schema.yaml": "its schema",
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
        if json_output:
            session.finish("", data={"engines": listed})
