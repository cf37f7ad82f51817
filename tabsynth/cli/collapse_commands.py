"""`collapse`: an engine fitted on its own output, generation by generation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.black_box import Named, black_box
from tabsynth.cli.notes import note_left_out, note_not_real
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
    JsonOption,
    ModelRecipeOption,
    NoPrivacyOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    SchemaOption,
    SettingsOption,
    TableOption,
)
from tabsynth.cli.session import Session

_RESULTS, _PAGE = "collapse.json", "collapse.html"


def collapse(
    train: Annotated[Path, typer.Option("--train", metavar="FILE", help="The real rows to begin from.")],
    holdout: Annotated[Path, typer.Option("--holdout", metavar="FILE", help="Real rows that were held out.")],
    schema: SchemaOption,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for collapse.json and collapse.html.")
    ],
    generations: Annotated[
        int, typer.Option("--generations", metavar="G", help="How many times to fit and sample.")
    ] = 5,
    rows: Annotated[
        int | None,
        typer.Option("--rows", metavar="N", help="Rows of each generation; by default as many as train."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="COL", help="Column that the utility figure predicts.")
    ] = None,
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
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Whole number; fixes all but noise.")] = 0,
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
    """Fit an engine on its own output, again and again, and watch what is lost.

    Generation 1 is made from train, each other from the one before. The output is private.
    """
    with Session(command="collapse", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import read_real, staged, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.evaluate.collapse import collapse as watch
        from tabsynth.report.collapse import render_collapse, write_collapse
        from tabsynth.schema import read_schema

        chosen = table_of(read_schema(schema), table)
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
        note_not_real(session, (train, holdout))
        inputs = (train, holdout, schema, *named.files)
        with (
            staged(out, (_RESULTS, _PAGE), inputs=inputs, overwrite=overwrite) as folder,
            session.progress() as report,
        ):
            report("Reading", 0.0)
            csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
            real = [read_real(path, chosen, csv=csv) for path in (train, holdout)]
            unknown = note_left_out(session, (train, holdout), chosen, csv=csv)
            results = watch(
                *real,
                schema=chosen,
                box=box,
                generations=generations,
                rows=rows,
                target=target,
                seed=seed,
                progress=report,
            )
            results.write_json(folder / _RESULTS)
            write_collapse(results, folder / _PAGE)
        if not json_output and not quiet:
            from rich.console import Console

            render_collapse(results, Console(highlight=False))
        session.finish(
            f"Watched {generations} generations",
            data={"left_out": unknown, **results.to_dict()},
            files={
                out / _PAGE: "the lines: open it in a browser; private",
                out / _RESULTS: "every figure; private",
            },
        )
