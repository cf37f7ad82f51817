"""`audit`: attacks on one synthetic table, calibrated, with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.notes import note_left_out, note_not_real
from tabsynth.cli.options import (
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    HoldoutOption,
    JsonFileOption,
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
from tabsynth.cli.session import CODE_OF_VERDICT, DONE, Session
from tabsynth.errors import UsageError


def audit(
    synthetic: SyntheticOption,
    train: TrainOption,
    holdout: HoldoutOption,
    schema: SchemaOption,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="2m, 20m or 4h: how many rows are looked at.")
    ] = "2m",
    epsilon: Annotated[
        float | None, typer.Option("--epsilon", metavar="E", help="The stated ε: prints what it allows.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option("--delta", metavar="D", help="The stated δ; 1e-5 unless said.")
    ] = None,
    quasi_identifier: QuasiIdentifierOption = None,
    sensitive: SensitiveOption = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="The model that made it: its guarantee, and what a network joins.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Whole number; fixes every draw.")] = 0,
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
    """Attack a synthetic table: can it be told who was in train? Any table, whoever made it.

    Exit code 0: pass; 3: fail; 4: inconclusive. The output is private.
    """
    to_stdout = json_file == Path("-")
    out = None if to_stdout else json_file
    with Session(command="audit", json_output=to_stdout, quiet=quiet, debug=debug) as session:
        from tabsynth.audit import audit as audit_tables
        from tabsynth.audit.bound import bound_of
        from tabsynth.audit.likelihood import cliques_of
        from tabsynth.audit.sizes import sizes_of
        from tabsynth.config.steps import read_real, require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.metrics.roles import roles_of
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.privacy import Budget
        from tabsynth.schema import read_schema

        sizes_of(budget)
        if delta is not None and epsilon is None:
            raise UsageError("a δ belongs to an ε: give --epsilon too")
        fitted = None if model is None else FittedPipeline.load(model)
        if epsilon is not None:
            bound = bound_of(epsilon, 1e-5 if delta is None else delta)
        elif fitted is not None and isinstance(fitted.privacy, Budget):
            bound = bound_of(fitted.privacy.epsilon, fitted.privacy.delta)
        else:
            bound = None
        if out is not None:
            inputs = (synthetic, train, holdout, schema, model)
            require_free(out, inputs=inputs, overwrite=overwrite)
        chosen = table_of(read_schema(schema), table)
        keys, secrets = roles_of(chosen, quasi_identifiers=quasi_identifier, sensitive=sensitive)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        paths = (synthetic, train, holdout)
        note_not_real(session, (train, holdout))
        with session.progress() as report:
            report("Reading", 0.0)
            tables = [read_real(path, chosen, csv=csv) for path in paths]
            unknown = note_left_out(session, paths, chosen, csv=csv)
            results = audit_tables(
                *tables,
                schema=chosen,
                budget=budget,
                bound=bound,
                quasi_identifiers=keys,
                sensitive=secrets,
                cliques=None if fitted is None else cliques_of(fitted),
                seed=seed,
                progress=report,
            )
        if out is not None:
            results.write_json(out, overwrite=overwrite)
        if not to_stdout and not quiet:
            from rich.console import Console

            from tabsynth.audit.terminal import render_audit

            render_audit(results, Console(highlight=False))
        code = CODE_OF_VERDICT[results.outcome.value]
        session.finish(
            "Audited",
            data={"exit_code": code, "left_out": unknown, **results.to_dict()},
            ok=code == DONE,
            files={} if out is None else {out: "every figure; private"},
        )
    raise typer.Exit(code)
