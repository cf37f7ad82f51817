"""`augment`: synthetic rows of a rare class beside the real ones, and a trial of whether they help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabsynth.cli.augment_output import (
    data_of,
    files_of,
    require_places,
    show_trial,
    summary_of,
    write_rows_of,
    write_trial,
)
from tabsynth.cli.constraint_commands import show_rules
from tabsynth.cli.notes import note_left_out, note_mark
from tabsynth.cli.options import (
    DataArgument,
    DebugOption,
    DecimalOption,
    DelimiterOption,
    DeltaOption,
    EncodingOption,
    JsonOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    RealShareOption,
    SettingsOption,
    TableOption,
)
from tabsynth.cli.session import Session, printable
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.augment import Amount
    from tabsynth.config.types import CsvOptions
    from tabsynth.table import Table

_TRIAL = "Trial"
_NO_EPSILON = (
    "no ε covers augmented rows: how many are added, and of which class, are exact figures of the source, and real rows are "
    "in it. Rows of a slice under a guarantee are tabsynth fit --epsilon and then tabsynth sample --where; --epsilon "
    "goes with --evaluate alone"
)


def augment(
    context: typer.Context,
    data: DataArgument,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="A:B", help="So many rows of the slice for so many others, as 1:10."),
    ] = None,
    synthetic_share: Annotated[
        float | None,
        typer.Option(
            "--synthetic-share", metavar="SHARE", help="In place of --to: so much of the result is synthetic."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="COL", help="Column of classes, of which the rarest is the slice."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="COL=VALUE", help="The slice, in place of --target; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Real and synthetic rows together; private.")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema", metavar="FILE", help="The table's schema (YAML); drafted from it without one."
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="NAME", help="sequential_trees unless said; with --epsilon bayesian_network."
        ),
    ] = None,
    settings: SettingsOption = None,
    keep_real: Annotated[
        float,
        typer.Option("--keep-real", metavar="SHARE", help="Of the real rows; 0 for synthetic rows alone."),
    ] = 1.0,
    origin: Annotated[
        str, typer.Option("--origin", metavar="COL", help="Name of the column that says real or synthetic.")
    ] = "origin",
    find_slices: Annotated[
        bool,
        typer.Option(
            "--find-slices", help="Show which slices are thin, and where a model fails; adds nothing."
        ),
    ] = False,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            "--evaluate",
            metavar="DIR",
            help="Folder for augment.json and augment.html: did it help?",
            rich_help_panel=_TRIAL,
        ),
    ] = None,
    splits: Annotated[
        int, typer.Option("--splits", metavar="N", help="Train and test, so often.", rich_help_panel=_TRIAL)
    ] = 5,
    precision: Annotated[
        float,
        typer.Option(
            "--precision", metavar="P", help="The precision that recall is told at.", rich_help_panel=_TRIAL
        ),
    ] = 0.5,
    max_rows: Annotated[
        int,
        typer.Option(
            "--max-rows", metavar="N", help="The most rows that a trial reads.", rich_help_panel=_TRIAL
        ),
    ] = 50_000,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="In a trial: try an engine with noise for this ε. Not with --out: no ε covers augmented rows.",
            rich_help_panel=_TRIAL,
        ),
    ] = None,
    delta: DeltaOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Whole number; fixes all but noise.")] = 0,
    real_share: RealShareOption = None,
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
    """Add synthetic rows of a rare class, or of any slice, to the real ones. The output is private.

    With --evaluate a trial tells whether it helps: learners taught with and without.
    They are held against class weights, random oversampling and SMOTE-NC.
    """
    with Session(command="augment", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.augment import augment as add_rows
        from tabsynth.augment import plan_rows, recipe_for, trial
        from tabsynth.augment.recipes import is_of, settled_for
        from tabsynth.cli.augment_slices import look_for_slices
        from tabsynth.cli.conditions import read_conditions
        from tabsynth.cli.table_commands import read_settings
        from tabsynth.config.types import csv_options, privacy_of
        from tabsynth.models.registry import DEFAULT_ENGINE

        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        if find_slices:
            look_for_slices(session, context, csv=csv)
            return
        amount = _amount_asked(
            to=to, synthetic_share=synthetic_share, target=target, out=out, evaluate=evaluate, epsilon=epsilon, delta=delta
        )  # fmt: skip
        require_places(out, evaluate, inputs=(data, schema), overwrite=overwrite)
        privacy = privacy_of(no_privacy=epsilon is None, epsilon=epsilon, delta=delta)
        name = engine or ("sequential_trees" if epsilon is None else DEFAULT_ENGINE)
        given = read_settings(settings or [])
        recipe_for(name, given, target=target)
        mark = note_mark(session, data, real_share)
        with session.progress() as report:
            report("Reading", 0.0)
            real = read_for(data, schema, table, csv=csv)
            unknown = [] if schema is None else note_left_out(session, (data,), real.schema, csv=csv)
            sliced = read_conditions(where or [], real.schema)
            if evaluate is None and target is not None and not is_of(target, sliced):
                raise UsageError(
                    "--where says which rows are made, so --target would do nothing: leave one of them out, or add --evaluate"
                )
            recipe, why = settled_for(
                recipe_for(name, given, target=target, where=sliced),
                real, is_private=epsilon is not None, target=target, where=sliced,
            )  # fmt: skip
            rows: dict[str, Any] = {
                "to": amount, "target": target, "where": sliced, "keep_real": keep_real, "origin": origin, "seed": seed,
            }  # fmt: skip
            results = None
            if evaluate is not None:
                assert target is not None
                if out is not None:
                    plan_rows(real, **rows)  # what is wrong with the rows is said before the trial
                results = trial(
                    real, to=amount, recipe=recipe, target=target, where=sliced, splits=splits, precision=precision,
                    max_rows=max_rows, seed=seed, privacy=privacy, progress=report,
                )  # fmt: skip
                write_trial(results, evaluate, inputs=(data, schema), overwrite=overwrite)
            made = None
            if out is not None:
                made = add_rows(real, recipe=recipe, made_from=mark, progress=report, **rows)
                write_rows_of(made, real, out, overwrite=overwrite)
        rarest = rarest_level(real, target) if target is not None and not sliced else None
        session.show(_what_is_made(recipe.name, target, rarest, why))
        show_trial(session, results)
        if made is not None:
            session.show(made.guarantee)
            show_rules(session, made.rules)
        session.finish(
            summary_of(made, results),
            data={"left_out": unknown, "seed": seed, "rarest_class": rarest, **data_of(made, results)},
            files=files_of(out, evaluate, made),
        )


def _amount_asked(
    *,
    to: str | None,
    synthetic_share: float | None,
    target: str | None,
    out: Path | None,
    evaluate: Path | None,
    epsilon: float | None,
    delta: float | None,
) -> Amount:
    """How many rows; raises `UsageError` for options that do not go together."""
    from tabsynth.augment import read_amount

    if out is None and evaluate is None:
        raise UsageError(
            "nothing is asked for: name a file for the rows (--out), a folder for a trial (--evaluate)"
        )
    if to is None and synthetic_share is None:
        raise UsageError(
            "say how many rows are wanted: --to 1:10 is one of the slice for ten others, --synthetic-share 0.2 one synthetic row "
            "in five"
        )
    if to is not None and synthetic_share is not None:
        raise UsageError(
            "--to and --synthetic-share both say how many rows are wanted: leave one of them out"
        )
    if evaluate is not None and target is None:
        raise UsageError("--evaluate needs a --target: what learners are to find")
    if delta is not None and epsilon is None:
        raise UsageError("a δ belongs to an ε: give --epsilon too")
    if epsilon is not None and out is not None:
        raise UsageError(_NO_EPSILON)
    return read_amount(to, synthetic_share)


def read_for(data: Path, schema: Path | None, table: str | None, *, csv: CsvOptions) -> Table:
    """The real table under its schema, or under one drafted from it."""
    from tabsynth.config.steps import dialect_of, read_real, table_of
    from tabsynth.schema import read_schema
    from tabsynth.source import drafted

    if schema is None:
        if table is not None:
            raise UsageError("--table names a table of a schema: add --schema")
        return drafted(data, dialect=dialect_of(data, None, csv))[0]
    return read_real(data, table_of(read_schema(schema), table), csv=csv)


def rarest_level(real: Table, target: str) -> str:
    """The rarest class of a target, as a text; raises as `slice_of` does."""
    from tabsynth.augment.slices import slice_of
    from tabsynth.encode import encode_table

    return str(slice_of(encode_table(real), real.schema, target=target, where=None).where[target])


def _what_is_made(engine: str, target: str | None, rarest: str | None, why: str) -> str:
    """Which engine makes the rows, and of which class, then why it is chosen; private, as all of the output is."""
    of = "" if rarest is None else f", of {printable(f'{target} = {rarest}')}, the rarest class"
    return f"Rows are made by {engine}{of}." + (f"\n{why}" if why else "")
