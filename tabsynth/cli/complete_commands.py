"""`complete` and `near`: rows that are given in part, made whole by a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.condition_notes import condition_data, show_conditions
from tabsynth.cli.constraint_commands import rule_data, show_rules
from tabsynth.cli.given_cells import as_given
from tabsynth.cli.options import DebugOption, JsonOption, OverwriteOption, QuietOption, SeedOption
from tabsynth.cli.session import Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tabsynth.constraints.outcome import Tally
    from tabsynth.pipeline import FittedPipeline

_GIVEN = "Given cells are passed on as they came: the guarantee of the model does not cover them."

ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder.")]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="The whole rows: .csv, .parquet, .arrow, …")
]


def complete(
    model: ModelArgument,
    data: Annotated[Path, typer.Argument(metavar="ROWS", help="Rows with some of the columns: .csv, …")],
    out: OutOption,
    nulls: Annotated[
        list[str] | None,
        typer.Option(
            "--null", metavar="COL", help="A column in which null is a value that is given; repeatable."
        ),
    ] = None,
    impute: Annotated[
        bool,
        typer.Option(
            "--impute", help="Fill the null cells of the columns there are, and leave none of them null."
        ),
    ] = False,
    seed: SeedOption = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Complete partial rows: what is given stays, missing columns and null cells are drawn given it."""
    with Session(command="complete", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.constraints.outcome import Tally

        pipeline = _loaded(model, data, out, overwrite=overwrite)
        chosen, tally = _seed(seed), Tally()
        columns = _columns(pipeline, data, nulls or [])
        with session.progress() as report:
            if impute:
                names = [name for name in columns if name not in (nulls or [])]
                rows = pipeline.impute(data, columns=names, seed=chosen, tally=tally, progress=report)
            else:
                rows = pipeline.complete(data, nulls=nulls or [], seed=chosen, tally=tally, progress=report)
        what = "Filled the gaps of" if impute else "Completed"
        _finish(
            session,
            pipeline,
            rows,
            data,
            out,
            f"{what} {rows.height:,} rows, seed {chosen}",
            chosen,
            tally,
            overwrite,
        )


def near(
    model: ModelArgument,
    data: Annotated[Path, typer.Argument(metavar="SEEDS", help="Rows to stay near to: .csv, …")],
    out: OutOption,
    rows: Annotated[int, typer.Option("--rows", metavar="N", help="How many rows.")],
    keep: Annotated[
        float,
        typer.Option("--keep", metavar="P", help="The probability with which a cell is kept, in [0, 1]."),
    ] = 0.5,
    seed: SeedOption = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw rows near given ones: each keeps some cells of one of them, the others are drawn given these."""
    with Session(command="near", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.constraints.outcome import Tally

        pipeline = _loaded(model, data, out, overwrite=overwrite)
        chosen, tally = _seed(seed), Tally()
        with session.progress(n_rows=rows) as report:
            made = pipeline.near(data, rows, keep=keep, seed=chosen, tally=tally, progress=report)
        said = f"Sampled {made.height:,} rows near those of {data.name}, seed {chosen}"
        _finish(session, pipeline, made, data, out, said, chosen, tally, overwrite)


def _loaded(model: Path, data: Path, out: Path, *, overwrite: bool) -> FittedPipeline:
    from tabsynth.config.steps import require_free
    from tabsynth.io import file_format
    from tabsynth.pipeline import FittedPipeline

    file_format(out)
    require_free(out, inputs=(model, data), overwrite=overwrite)
    return FittedPipeline.load(model)


def _columns(pipeline: FittedPipeline, data: Path, nulls: Sequence[str]) -> tuple[str, ...]:
    """The columns of the rows; raises `UsageError` for columns of `--null` that are none of them."""
    from tabsynth.io import column_names
    from tabsynth.schema.hints import did_you_mean

    names = column_names(data, dialect=pipeline.schema.csv)
    unknown = [f"{name!r} ({did_you_mean(name, names)})" for name in nulls if names and name not in names]
    if unknown:
        raise UsageError(f"--null names no column of {data.name}: {', '.join(unknown)}")
    return names


def _seed(seed: int | None) -> int:
    from tabsynth.randomness import fresh_seed

    if seed is not None and seed < 0:
        raise UsageError("the seed must be 0 or more")
    return fresh_seed() if seed is None else seed


def _finish(
    session: Session,
    pipeline: FittedPipeline,
    rows: pl.DataFrame,
    data: Path,
    out: Path,
    said: str,
    seed: int,
    tally: Tally,
    overwrite: bool,
) -> None:
    from dataclasses import replace

    from tabsynth.io import write_batches
    from tabsynth.schema.types import PrivacyUnit

    is_near = session.command == "near"
    rows, kept = as_given(rows, pipeline.schema, data, out, in_order=not is_near)
    schema = replace(pipeline.schema, columns=kept, constraints=(), primary_key=())
    if schema.unit.column is not None and schema.unit.column not in rows.columns:
        schema = replace(schema, unit=PrivacyUnit())
    mark = replace(pipeline.provenance, real_share=None, given_cells=True)
    write_batches(iter([rows]), out, schema=schema, overwrite=overwrite, provenance=mark)
    session.show(_GIVEN)
    session.show(f"What is drawn: {pipeline.guarantee}")
    show_conditions(session, tally.conditions)
    show_rules(session, tally.outcomes)
    session.finish(
        said,
        data={
            "rows": rows.height,
            "seed": seed,
            "conditions": condition_data(tally.conditions),
            "rules": rule_data(tally.outcomes),
            "guarantee": f"{_GIVEN} What is drawn: {pipeline.guarantee}",
        },
        files={out: "the whole rows"},
    )
