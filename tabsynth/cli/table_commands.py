"""`split`, `fit` and `sample`: the steps from a real table to a synthetic one, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.constraint_commands import rule_data, show_rules
from tabsynth.cli.next_steps import HOLDOUT, TRAIN, Step, after_sample, after_schema
from tabsynth.cli.notes import (
    fit_notes,
    history_data,
    history_note,
    note_kept_rows,
    note_left_out,
    note_mark,
    note_new_folder,
    note_not_real,
    note_public,
    note_weak,
)
from tabsynth.cli.options import (
    DataArgument,
    DebugOption,
    DecimalOption,
    DelimiterOption,
    DeltaOption,
    DeviceOption,
    EncodingOption,
    EngineOption,
    EpsilonOption,
    JsonOption,
    LedgerOption,
    NoPrivacyOption,
    NullMarkOption,
    OverwriteOption,
    PublicOption,
    QuietOption,
    RealShareOption,
    SchemaOption,
    SeedOption,
    SettingsOption,
    TableOption,
    WhereOption,
)
from tabsynth.cli.session import Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from tabsynth.config.types import CsvOptions
    from tabsynth.models.base import Synthesizer
    from tabsynth.pipeline import FittedPipeline
    from tabsynth.plan_report import PlanReport
    from tabsynth.schema.types import TableSchema


def split(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the two files.")],
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="The table's schema (YAML), which states the unit; without one it is the row.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit", metavar="COLUMN", help="Without a schema: who a row is about, such as patient_id."
        ),
    ] = None,
    holdout: Annotated[
        float, typer.Option("--holdout", metavar="SHARE", help="Share of rows (or persons) held out.")
    ] = 0.5,
    seed: SeedOption = None,
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
    """Split a table into train and holdout, by the privacy unit.

    The engine learns from train; the holdout shows what figures two real samples reach.
    """
    with Session(command="split", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import staged, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.io import read_provenance, write_frame
        from tabsynth.io.provenance import SplitMark
        from tabsynth.randomness import fresh_seed
        from tabsynth.schema import read_schema

        if schema is None and table is not None:
            raise UsageError("--table names a table of a schema: add --schema")
        if schema is not None and unit is not None:
            raise UsageError("the schema states the unit: leave --unit out, or state another in the schema")
        seed = fresh_seed() if seed is None else seed
        chosen = None if schema is None else table_of(read_schema(schema), table)
        _note_unit(session, chosen)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        note_not_real(session, (data,))
        mark = read_provenance(data)
        is_made = mark is not None and mark.real_share == 0
        with (
            staged(out, (TRAIN, HOLDOUT), inputs=(data, schema), overwrite=overwrite) as folder,
            session.progress() as report,
        ):
            report("reading", 0.0)
            halves = _halves(data, chosen, csv=csv, unit=unit, holdout=holdout, seed=seed)
            parts = dict(zip((TRAIN, HOLDOUT), halves, strict=True))
            for name, part in parts.items():
                report(f"writing {name}", 0.5)
                write_frame(
                    part,
                    folder / name,
                    schema=chosen,
                    provenance=mark if is_made else SplitMark(provenance=mark),
                )
        unknown = [] if chosen is None else note_left_out(session, (data,), chosen, csv=csv)
        rows = {name: part.height for name, part in parts.items()}
        unit = unit if chosen is None else chosen.unit.column
        session.finish(
            f"Split {sum(rows.values()):,} rows by {'row' if unit is None else repr(unit)}, seed {seed}",
            data={
                "train_rows": rows[TRAIN],
                "holdout_rows": rows[HOLDOUT],
                "unit": unit,
                "is_synthetic": mark is not None,
                "left_out": unknown,
                "seed": seed,
            },
            files={
                out / name: f"{n:,} {'real rows' if mark is None else 'rows, marked as synthetic'}; private"
                for name, n in rows.items()
            },
            next_steps=[_after_split(data, out / TRAIN, schema)],
        )


def _halves(
    data: Path, schema: TableSchema | None, *, csv: CsvOptions, unit: str | None, holdout: float, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout: by the schema's unit, or without one by the column `unit` or the row."""
    from tabsynth.config.steps import dialect_of, read_real
    from tabsynth.io import read_table
    from tabsynth.pipeline import split as split_table
    from tabsynth.pipeline import split_rows

    if schema is None:
        frame, _ = read_table(data, dialect=dialect_of(data, None, csv))
        return split_rows(frame, unit=unit, holdout=holdout, seed=seed)
    train, held = split_table(read_real(data, schema, csv=csv), holdout=holdout, seed=seed)
    return train.frame, held.frame


def _after_split(data: Path, train: Path, schema: Path | None) -> Step:
    if schema is not None:
        return after_schema(train, schema)
    name = data.name.partition(".")[0]
    return ["tabsynth", "schema", "draft", train, "--name", name, "--out", "schema.yaml"]


def _note_unit(session: Session, schema: TableSchema | None) -> None:
    """A line where a column may name persons although the schema's unit is the row."""
    from tabsynth.schema.unit import unit_question

    question = None if schema is None else unit_question(schema)
    if question is not None:
        session.note(question)


def fit(
    data: DataArgument,
    schema: SchemaOption,
    out: Annotated[Path, typer.Option("--out", metavar="MODEL", help="Folder for the model.")],
    engine: EngineOption = None,
    settings: SettingsOption = None,
    epsilon: EpsilonOption = None,
    delta: DeltaOption = None,
    no_privacy: NoPrivacyOption = False,
    ledger: LedgerOption = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="ID", help="The source that the ledger must be of.", rich_help_panel="Privacy"
        ),
    ] = None,
    device: DeviceOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="DIR",
            help="Keeps how far the training is; the same command continues it. Private; removed at the end.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Whole number; fixes all that is random but noise.")
    ] = 0,
    real_share: RealShareOption = None,
    public: PublicOption = None,
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
    """Fit an engine to a table and save the model. Differentially private unless told otherwise.

    What tabsynth budget plan shows beforehand is what a private fit takes.
    Domains that are still drafts are bought with a part of the budget.
    """
    with Session(command="fit", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import opened_ledger, read_real, require_free, table_of
        from tabsynth.config.types import csv_options, privacy_of
        from tabsynth.models.auto import why_chosen
        from tabsynth.models.registry import DEFAULT_ENGINE, make_engine, require_libraries
        from tabsynth.pipeline import fit as fit_table
        from tabsynth.pipeline.informing import require_informed
        from tabsynth.plan_report import budget_plan
        from tabsynth.privacy import Budget
        from tabsynth.privacy.checkpoint import remove_checkpoint
        from tabsynth.private_fit import require_guarantee
        from tabsynth.schema import read_schema

        recipe = make_engine(engine or DEFAULT_ENGINE, on_device(read_settings(settings or []), device))
        privacy = privacy_of(no_privacy=no_privacy, epsilon=epsilon, delta=delta)
        is_private = isinstance(privacy, Budget)
        if ledger is not None and not is_private:
            raise UsageError("--no-privacy has no place under a ledger's cap: leave one of them out")
        require_guarantee(privacy, recipe)
        require_libraries(recipe)
        require_informed(recipe, privacy, public=public, data=data)
        is_continued = _note_checkpoint(session, checkpoint, recipe)
        inputs = (data, schema, ledger, public, checkpoint)
        require_free(out, inputs=inputs, overwrite=overwrite, ours="model.json")
        mark = note_mark(session, data, real_share)
        chosen = table_of(read_schema(schema), table)
        _note_unit(session, chosen)
        plan = None
        if isinstance(privacy, Budget):
            note_weak(session, privacy)
            plan = budget_plan(chosen, engine=recipe, privacy=privacy)
        session.has_ledger = ledger is not None
        with session.progress() as report, opened_ledger(ledger, source=source) as opened:
            if opened is not None and plan is not None and not is_continued:
                opened.reserve(planned.mechanism for planned in plan.plan.parts)  # before a row is read
                opened.free()
            report("reading", 0.0)
            csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
            real = read_real(data, chosen, csv=csv, strict=not is_private)
            unknown = note_left_out(session, (data,), chosen, csv=csv)
            pipeline = fit_table(
                real,
                engine=recipe,
                privacy=privacy,
                ledger=opened,
                seed=seed,
                real_share=real_share,
                made_from=mark,
                checkpoint=checkpoint,
                public=None if public is None else note_public(session, public, chosen, csv=csv),
                progress=report,
            )
        pipeline.save(out, overwrite=overwrite)
        if checkpoint is not None:
            remove_checkpoint(checkpoint)
        n_columns = len(chosen.columns)
        why = why_chosen(recipe, chosen, is_private=is_private, n_rows=pipeline.n_rows)
        _show_fitted(session, pipeline, plan, why=why)
        session.finish(
            f"Fitted {pipeline.engine.name} to {'about ' if is_private else ''}{pipeline.n_rows:,} rows, "
            f"{n_columns} columns",
            data={"why": why or None, **_fit_data(pipeline, plan, left_out=unknown, seed=seed)},
            files={out: note_kept_rows(session, pipeline.engine)},
            next_steps=[
                ["tabsynth", "sample", out, "--rows", str(pipeline.n_rows), "--out", "synthetic.csv"]
            ],
        )


def _show_fitted(session: Session, pipeline: FittedPipeline, plan: PlanReport | None, *, why: str) -> None:
    """The guarantee, why `auto` chose the engine, whose histories were learnt, and what there is to know of a private fit."""
    for text in filter(None, (pipeline.guarantee, why, history_note(pipeline), *fit_notes(pipeline, plan))):
        session.show(text)


def _note_checkpoint(session: Session, folder: Path | None, recipe: Synthesizer) -> bool:
    """Say that a fit is continued, where the folder holds one; `UsageError` for engines that keep none."""
    if folder is None:
        return False
    from tabsynth.pipeline.continuing import require_resumable
    from tabsynth.privacy.checkpoint import holds_checkpoint

    require_resumable(recipe, is_known=True)
    session.checkpoint = folder
    if not holds_checkpoint(folder):
        return False
    session.note(f"Going on with the fit in {folder}. That the table is the one it began with is your word.")
    return True


def on_device(settings: dict[str, str], device: str | None) -> dict[str, str]:
    """The settings with what `--device` says; raises `UsageError` where it is said twice."""
    if device is None:
        return settings
    if "device" in settings:
        raise UsageError("--device and --set device=… say the same: give one of them")
    return {**settings, "device": device}


def _fit_data(
    pipeline: FittedPipeline, plan: PlanReport | None, *, left_out: list[str], seed: int
) -> dict[str, object]:
    """What `fit` says as JSON; the number of rows is a noisy one where the fit was private."""
    from tabsynth.models.registry import settings_of
    from tabsynth.privacy import Budget

    privacy, copy = pipeline.privacy, pipeline.ledger
    bought = None
    if plan is not None:
        names = [*plan.draft_columns, *plan.unbounded_columns]
        bought = {"columns": names, "share": plan.purchase_share}
    return {
        "engine": pipeline.engine.name,
        "settings": settings_of(pipeline.engine),
        "privacy": {"epsilon": privacy.epsilon, "delta": privacy.delta}
        if isinstance(privacy, Budget)
        else "none",
        "guarantee": pipeline.guarantee,
        "bought_domains": bought,
        "notes": list(pipeline.notes),
        "ledger": None
        if copy.series is None or copy.cap is None
        else {"source": copy.source, "series": copy.series, "epsilon": copy.epsilon(copy.cap.delta)},
        "rows": pipeline.n_rows,
        "columns": len(pipeline.schema.columns),
        "history": history_data(pipeline),
        "left_out": left_out,
        "generation": pipeline.generation,
        "real_share": pipeline.real_share,
        "public_rows": pipeline.n_public,
        "seed": seed,
    }


def read_settings(texts: list[str]) -> dict[str, str]:
    """`key=value` texts as settings. Raises `UsageError` for texts of another form and keys given twice."""
    settings: dict[str, str] = {}
    faults = []
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            faults.append(f"expected --set key=value, found {text!r}")
        elif key.strip() in settings:
            faults.append(f"--set {key.strip()} is given twice")
        settings[key.strip()] = value.strip()
    if faults:
        raise UsageError("; ".join(faults))
    return settings


def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The synthetic table: .csv, .parquet, .arrow, …")
    ],
    rows: Annotated[
        int | None,
        typer.Option(
            "--rows",
            metavar="N",
            help="How many rows; by default as many as were fitted, as far as the model knows.",
        ),
    ] = None,
    seed: SeedOption = None,
    where: WhereOption = None,
    rebalance: Annotated[
        list[str] | None,
        typer.Option(
            "--rebalance",
            metavar='"COL=VALUE:SHARE"',
            help="Give a group a share of the rows (COL=even: every category the same); repeatable.",
        ),
    ] = None,
    oversample: Annotated[
        list[str] | None,
        typer.Option(
            "--oversample",
            metavar='"COL=VALUE:FACTOR"',
            help="Make a group's share of the rows so many times that under the model (3: from 0.1 to 0.3); repeatable.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw synthetic rows from a model: as it is, under conditions, or in other shares."""
    with Session(command="sample", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.cli.condition_notes import condition_data, show_conditions
        from tabsynth.cli.conditions import read_conditions, read_shares
        from tabsynth.config.steps import require_free, write_rows
        from tabsynth.constraints.outcome import Tally
        from tabsynth.io import file_format
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.randomness import fresh_seed

        file_format(out)
        require_free(out, inputs=(model,), overwrite=overwrite)
        note_new_folder(session, out)
        pipeline = FittedPipeline.load(model)
        conditions = read_conditions(where or [], pipeline.schema)
        shares = read_shares(rebalance or [], pipeline.schema, option="--rebalance")
        factors = read_shares(oversample or [], pipeline.schema, option="--oversample")
        seed = fresh_seed() if seed is None else seed
        tally = Tally()
        with session.progress(n_rows=pipeline.n_rows if rows is None else rows) as report:
            written = write_rows(
                pipeline,
                out,
                rows=rows,
                seed=seed,
                where=conditions,
                rebalance=shares,
                oversample=factors,
                overwrite=overwrite,
                progress=report,
                tally=tally,
            )
        session.show(pipeline.guarantee)
        show_conditions(session, tally.conditions)
        show_rules(session, tally.outcomes)
        if tally.cut_short:
            session.note(tally.cut_short)
        session.finish(
            f"Sampled {written:,} rows, seed {seed}",
            data={
                "rows": written,
                "seed": seed,
                "histories_cut_short": tally.n_cut,
                "where": sorted(conditions),
                "rebalance": sorted(shares),
                "oversample": sorted(factors),
                "conditions": condition_data(tally.conditions),
                "rules": rule_data(tally.outcomes),
                "guarantee": pipeline.guarantee,
            },
            files={out: "the synthetic table"},
            next_steps=[] if conditions or shares or factors else [after_sample(out, pipeline.engine)],
        )
