"""`evaluate`: the figures of one synthetic table beside those of real rows, and their report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.constraint_commands import rule_data, show_rules
from tabsynth.cli.notes import note_left_out, note_not_real
from tabsynth.cli.options import (
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    HoldoutOption,
    JsonOption,
    NullMarkOption,
    OverwriteOption,
    QuasiIdentifierOption,
    QuietOption,
    SchemaOption,
    SensitiveOption,
    SyntheticOption,
    TableOption,
    TrainOption,
)
from tabsynth.cli.session import Session
from tabsynth.errors import UsageError

_RESULTS, _REPORT = "results.json", "report.html"


def evaluate(
    synthetic: SyntheticOption,
    train: TrainOption,
    holdout: HoldoutOption,
    schema: SchemaOption,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for results.json and report.html.")
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="COL", help="Column that the utility figures predict.")
    ] = None,
    quasi_identifier: QuasiIdentifierOption = None,
    sensitive: SensitiveOption = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="MODEL", help="Adds the model's guarantee and ledger to the report."),
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="Title of the report.")] = "",
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Whole number; fixes subsamples and learners.")
    ] = 0,
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
    """Compare a synthetic table with the real one, and write the report.

    Every figure stands beside its floor: the same figure for the real holdout.
    """
    with Session(command="evaluate", json_output=json_output, quiet=quiet, debug=debug) as session:
        from dataclasses import replace

        from tabsynth.config.run import write_evaluation
        from tabsynth.config.steps import read_real, staged, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.constraints.check import check_rules
        from tabsynth.evaluate import evaluate as evaluate_tables
        from tabsynth.evaluate import roles_of
        from tabsynth.io import read_provenance
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.schema import read_schema

        chosen = table_of(read_schema(schema), table)
        if target is not None and target not in chosen:
            raise UsageError(f"the target {target!r} is not a column of table {chosen.name!r}")
        keys, secrets = roles_of(chosen, quasi_identifiers=quasi_identifier, sensitive=sensitive)
        fitted = None if model is None else FittedPipeline.load(model)
        inputs = (synthetic, train, holdout, schema, model)
        with (
            staged(out, (_RESULTS, _REPORT), inputs=inputs, overwrite=overwrite) as folder,
            session.progress() as report,
        ):
            report("reading", 0.0)
            csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
            paths = (synthetic, train, holdout)
            tables = [read_real(path, chosen, csv=csv) for path in paths]
            note_not_real(session, (train, holdout))
            unknown, mark = note_left_out(session, paths, chosen, csv=csv), read_provenance(synthetic)
            results = evaluate_tables(
                *tables,
                schema=chosen,
                target=target,
                quasi_identifiers=keys,
                sensitive=secrets,
                title=title,
                seed=seed,
                guarantee="" if fitted is None else fitted.guarantee,
                steered=() if mark is None else mark.steered,
                progress=report,
            )
            if fitted is not None:
                results = replace(results, notes=(*results.notes, *fitted.notes))
            outcomes = check_rules(tables[0].frame, chosen, plan=None if fitted is None else fitted.plan)
            write_evaluation(
                results, folder, ledger=None if fitted is None else fitted.ledger, constraints=outcomes
            )
        session.show_report(results)
        show_rules(session, outcomes)
        session.finish(
            "Evaluated",
            data={
                "figures": results.summary(),
                "rules": rule_data(outcomes),
                "private_output": True,
                "left_out": unknown,
                "seed": seed,
            },
            files={
                out / _REPORT: "the report: open it in a browser; private",
                out / _RESULTS: "every figure; private",
            },
        )
