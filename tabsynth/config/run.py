"""Carries a run out: split, fit, sample, evaluate and report for every table, into one folder.

    OUT/publishable/<table>/synthetic.csv   the synthetic table (or .parquet, .arrow)
    OUT/publishable/<table>/model/          the fitted model
    OUT/private/run.yaml                    the run as it was carried out; it can be run again
    OUT/private/schema.yaml                 the schema that was used
    OUT/private/<table>/results.json        every figure
    OUT/private/<table>/report.html         the report, with the audit
    OUT/private/<table>/audit.json          the audit, where one was asked for

What is in `publishable` is covered by the run's guarantee; a run without privacy has no such folder, and its rows
and models lie in `private`. The folder appears whole at the end; whatever ends a run early leaves nothing behind, but what was charged to
a ledger file stays charged. Tables are fitted one by one: keys between them are not modelled, and each gets
the privacy that is asked for: a person in several of them has the sum of what they cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tabsynth.audit import AuditResults, audit
from tabsynth.audit.bound import bound_of
from tabsynth.audit.likelihood import cliques_of
from tabsynth.config.files import run_to_yaml
from tabsynth.config.steps import (
    dialect_of,
    first_rows,
    folder_names,
    opened_ledger,
    read_real,
    require_apart,
    table_of,
    write_rows,
)
from tabsynth.config.types import RunConfig, TableRun
from tabsynth.constraints.outcome import ConditionOutcome, RuleOutcome, Tally
from tabsynth.errors import DataError, UsageError
from tabsynth.evaluate import Results, evaluate
from tabsynth.io import FileFormat, atomic_folder, column_names, file_format, read_provenance, read_table
from tabsynth.models.auto import why_chosen
from tabsynth.models.base import Progress, no_progress
from tabsynth.pipeline import FittedPipeline, fit, split, split_by_coin, split_rows
from tabsynth.plan_report import PlanReport, budget_plan
from tabsynth.privacy import Budget, Charge, Ledger
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.private_fit import plan_fit, require_guarantee
from tabsynth.randomness import fresh_seed, seed_for
from tabsynth.report import write_report
from tabsynth.schema import write_schema
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Origin, Schema, TableSchema
from tabsynth.source import draft_of
from tabsynth.table import Table

RUN_NOTE = "# A run as it was carried out, written by tabsynth; private.\n"
SCHEMA_FILE, RUN_FILE, AUDIT_FILE = "schema.yaml", "run.yaml", "audit.json"
PRIVATE, PUBLISHABLE = "private", "publishable"
SPLIT, FIT, SAMPLING = "split", "fit", "sampling"
"""What a run derives seeds for, each its own: the one that rows are drawn with leaves with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOutcome:
    """What a run made of one table; `files` are relative to the run's folder, with what they are.

    `n_source` and `n_fitted` are noisy numbers of rows where the fit was private. `pipeline` is the model, `rules` how
    the rules of the schema fared, `conditions` what was asked of the rows beside them, `audit` what attacks on the
    rows found, or why there were none. `why`: the reason for the `engine`, where `auto` chose it, else "". `plan` is that
    of a private fit.
    """

    name: str
    n_source: int
    n_fitted: int
    n_synthetic: int
    engine: str
    why: str
    pipeline: FittedPipeline
    files: Mapping[Path, str]
    results: Results | None
    rules: tuple[RuleOutcome, ...] = ()
    conditions: ConditionOutcome | None = None
    audit: AuditResults | str | None = None
    plan: PlanReport | None = None

    @property
    def guarantee(self) -> str:
        return self.pipeline.guarantee


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run made, table by table, and the run as it was carried out (its seed and schema known)."""

    run: RunConfig
    tables: tuple[TableOutcome, ...]


def run(
    config: RunConfig, out: str | Path, *, overwrite: bool = False, progress: Progress = no_progress
) -> RunOutcome:
    """Carry `config` out into the folder `out`.

    Raises `PrivacyError` before anything is read where an engine cannot give the asked privacy,
    `BudgetError` where the ledger has too little left for all tables, `UsageError` where `out` would replace what the run reads,
    `OutputExistsError` unless `overwrite`, and what `fit` and `evaluate` raise.
    """
    for table in config.tables:
        require_guarantee(config.privacy, table.engine)
    _require_targets(config)
    require_apart(Path(out), config.inputs)
    config = replace(config, seed=fresh_seed() if config.seed is None else config.seed)
    with atomic_folder(out, overwrite=overwrite) as folder, _ledger_of(config) as ledger:
        outcomes, schemas = [], []
        for name, folder_name in folder_names([table.name for table in config.tables]):
            table = next(table for table in config.tables if table.name == name)
            heard = progress if len(config.tables) == 1 else _named(progress, name)
            train, holdout = _parts(table, config)
            schemas.append(train.schema)
            covered = PUBLISHABLE if isinstance(config.privacy, Budget) else PRIVATE
            outcomes.append(
                run_table(
                    table,
                    folder / covered / folder_name,
                    private=folder / PRIVATE / folder_name,
                    train=train,
                    holdout=holdout,
                    config=config,
                    ledger=ledger,
                    progress=heard,
                )
            )
        schema = config.schema or Schema(tables=tuple(schemas))
        config = replace(config, schema=schema)
        (folder / PRIVATE).mkdir(exist_ok=True)
        write_schema(schema, folder / PRIVATE / SCHEMA_FILE, private_note=holds_drafts(schema))
        text = run_to_yaml(config, folder=Path(out) / PRIVATE, schema_file=SCHEMA_FILE)
        (folder / PRIVATE / RUN_FILE).write_text(_noted(text, seed=config.seed), encoding="utf-8")
        relative = tuple(
            replace(outcome, files={path.relative_to(folder): what for path, what in outcome.files.items()})
            for outcome in outcomes
        )
    return RunOutcome(run=config, tables=relative)


def _noted(text: str, *, seed: int | None) -> str:
    """The run file with what it is, and the seed that its rows can be drawn with again."""
    drawn = "" if seed is None else f"# Rows were drawn with seed {seed_for(seed, SAMPLING)}.\n"
    return RUN_NOTE + drawn + text


def run_table(
    table: TableRun,
    folder: Path,
    *,
    train: Table,
    holdout: Table | None,
    config: RunConfig,
    private: Path | None = None,
    ledger: Ledger | None = None,
    progress: Progress = no_progress,
) -> TableOutcome:
    """One table: fit to train, sample and, where there is a holdout, evaluate; rows and model go into `folder`.

    What was computed from real rows goes into `private`, or into `folder` too where None; both are made. As many rows are made as the source has: with privacy, as the noisy number of train rows tells.
    """
    private = folder if private is None else private
    for place in (folder, private) if holdout is not None else (folder,):
        place.mkdir(parents=True, exist_ok=True)
    seed = fresh_seed() if config.seed is None else config.seed
    drawn_with = seed_for(seed, SAMPLING)
    pipeline = fit(
        train,
        engine=table.engine,
        privacy=config.privacy,
        ledger=ledger,
        seed=seed_for(seed, FIT),
        real_share=table.real_share,
        made_from=read_provenance(table.source),
        public=table.public,
        progress=progress,
    )
    n_source = train.n_rows + (0 if holdout is None else holdout.n_rows)
    if isinstance(config.privacy, Budget):
        n_source = pipeline.n_rows if holdout is None else round(pipeline.n_rows / (1 - config.holdout))
    rows = n_source if table.rows is None else table.rows
    files: dict[Path, str] = {}
    tally = Tally()
    for name in config.formats or (format_of(table.source),):
        path = folder / f"synthetic.{name}"
        write_rows(
            pipeline,
            path,
            rows=rows,
            seed=drawn_with,
            where=table.where,
            rebalance=table.rebalance,
            oversample=table.oversample,
            progress=progress,
            tally=tally,
        )
        files[path] = "the synthetic table"
    model = folder / "model"
    pipeline.save(model)
    files[model] = "the model, to be sampled again"
    results, attacked = None, None
    if holdout is not None and config.audit:
        attacked = audit_rows(pipeline, next(iter(files)), train, holdout, seed=seed, progress=progress)
        if isinstance(attacked, AuditResults):
            attacked.write_json(private / AUDIT_FILE)
            files[private / AUDIT_FILE] = "the audit; private"
    if holdout is not None:
        results = measure(
            pipeline, train, holdout, table=table, rows=rows, seed=drawn_with, progress=progress
        )
        results = replace(results, released=_released(attacked, next(iter(files)), train, holdout, rows=rows))
        if tally.conditions is not None:
            results = replace(results, notes=(*results.notes, str(tally.conditions)))
        if tally.cut_short:
            results = replace(results, notes=(*results.notes, tally.cut_short))
        if isinstance(attacked, str):
            results = replace(
                results, notes=(*results.notes, f"The rows were not audited: {' '.join(attacked.split())}.")
            )
        figures, report = write_evaluation(
            results,
            private,
            ledger=pipeline.ledger,
            constraints=tally.outcomes,
            audit=attacked if isinstance(attacked, AuditResults) else None,
        )
        files = {
            report: "the report: open it in a browser; private",
            **files,
            figures: "every figure; private",
        }
    return TableOutcome(
        name=table.name,
        n_source=n_source,
        n_fitted=pipeline.n_rows,
        n_synthetic=rows,
        engine=pipeline.engine.name,
        why=why_chosen(
            table.engine,
            train.schema,
            is_private=isinstance(config.privacy, Budget),
            n_rows=pipeline.n_rows,
        ),
        pipeline=pipeline,
        files=files,
        results=results,
        rules=tally.outcomes,
        conditions=tally.conditions,
        audit=attacked,
        plan=_plan_of(pipeline, train.schema),
    )


def _plan_of(pipeline: FittedPipeline, schema: TableSchema) -> PlanReport | None:
    """The plan that a private fit of a table with that schema followed."""
    privacy = pipeline.privacy
    return (
        budget_plan(schema, engine=pipeline.engine, privacy=privacy) if isinstance(privacy, Budget) else None
    )


def _released(
    attacked: AuditResults | str | None, path: Path, train: Table, holdout: Table, *, rows: int
) -> str:
    """The digest of the rows that were written, which may be others than those compared; "" for far more than the source has.

    Rows are written as they are drawn, and a table beyond all memory is not read back.
    """
    if isinstance(attacked, AuditResults):
        return attacked.released
    return read_real(path, train.schema).digest() if rows <= 2 * (train.n_rows + holdout.n_rows) else ""


def audit_rows(
    pipeline: FittedPipeline,
    rows: Path,
    train: Table,
    holdout: Table,
    *,
    seed: int,
    progress: Progress = no_progress,
) -> AuditResults | str:
    """Attack the synthetic rows as they lie in a file, or say why they cannot be attacked.

    A fit has been paid for by then, so too few rows for an audit are no error.
    """
    budget = pipeline.privacy if isinstance(pipeline.privacy, Budget) else None
    try:
        return audit(
            read_real(rows, train.schema),
            train,
            holdout,
            schema=train.schema,
            bound=None if budget is None else bound_of(budget.epsilon, budget.delta),
            cliques=cliques_of(pipeline),
            seed=seed,
            progress=progress,
        )
    except (DataError, UsageError) as fault:
        return str(fault)


def measure(
    pipeline: FittedPipeline,
    train: Table,
    holdout: Table,
    *,
    table: TableRun,
    rows: int,
    seed: int,
    progress: Progress = no_progress,
) -> Results:
    """Evaluate what `pipeline` samples with `seed`: at most as many rows as train has.

    Like is then compared with like: figures of more rows would carry less noise than their floors.
    """
    n_compared = min(rows, train.n_rows)
    batches = pipeline.sample_batches(rows, seed=seed)
    synthetic = Table.conform(first_rows(batches, n_compared), train.schema)
    results = evaluate(
        synthetic,
        train,
        holdout,
        schema=train.schema,
        target=table.target,
        title=table.title,
        seed=seed,
        guarantee=pipeline.guarantee,
        progress=progress,
    )
    results = replace(results, notes=(*results.notes, *pipeline.notes))
    if table.is_steered:
        steered = "The synthetic table was made under conditions or in other shares; compared are rows without them, as the model makes them."
        results = replace(results, notes=(*results.notes, steered))
    if n_compared == rows:
        return results
    note = f"Compared are the first {n_compared:,} of {rows:,} synthetic rows, as many as the engine learnt from."
    return replace(results, notes=(*results.notes, note))


def write_evaluation(
    results: Results,
    folder: Path,
    *,
    ledger: Sequence[Charge] | LedgerCopy | None = None,
    constraints: Sequence[RuleOutcome] | None = None,
    audit: AuditResults | None = None,
) -> tuple[Path, Path]:
    """Write `results.json` and `report.html` into `folder`, the latter with an audit of the same rows; their paths."""
    path = folder / "results.json"
    results = replace(results, rules=tuple(constraints or ()))
    results.write_json(path, overwrite=True)
    return path, write_report(
        results,
        folder / "report.html",
        overwrite=True,
        ledger=ledger,
        constraints=constraints,
        audit=audit,
    )


def format_of(path: Path) -> str:
    """The suffix of the file that comes out where `path` went in."""
    return {FileFormat.CSV: "csv", FileFormat.PARQUET: "parquet", FileFormat.ARROW: "arrow"}[
        file_format(path)
    ]


def holds_drafts(schema: Schema) -> bool:
    """Whether any domain, or any rule, was read off private data."""
    domains = (column.domain.origin for table in schema.tables for column in table.columns)
    rules = (rule.draft for table in schema.tables for rule in table.constraints)
    return Origin.DRAFT in domains or any(rules)


def _require_targets(config: RunConfig) -> None:
    """`UsageError` that lists every table which lacks its target, by its schema or by its header."""
    faults = []
    for table in config.tables:
        if table.target is None:
            continue
        if config.schema is not None:
            names = config.schema[table.name].column_names
        else:
            names = column_names(table.source, dialect=dialect_of(table.source, None, table.csv))
        if names and table.target not in names:
            hint = did_you_mean(table.target, names)
            faults.append(f"table {table.name!r} has no column {table.target!r} for a target ({hint})")
    if faults:
        raise UsageError("; ".join(faults))


@contextmanager
def _ledger_of(config: RunConfig) -> Iterator[Ledger | None]:
    """The run's ledger file, open until the end; None without one.

    Raises `BudgetError` where all tables together do not fit under its cap, as far as schemas tell.
    """
    with opened_ledger(config.ledger) as ledger:
        if ledger is not None and config.schema is not None and isinstance(config.privacy, Budget):
            for table in config.tables:
                plan = plan_fit(table_of(config.schema, table.name), table.engine, config.privacy)
                ledger.reserve(planned.mechanism for planned in plan.parts)
            ledger.free()
        yield ledger


def _parts(table: TableRun, config: RunConfig) -> tuple[Table, Table | None]:
    """Train and holdout, which is None without an evaluation.

    Without a schema one is drafted from train alone, so that no bound and no category of the holdout gets
    into the model; types and the forms of dates are those of the whole file. Where the fit is private no
    cell is an error, and no seed decides who is held out.
    """
    strict = not isinstance(config.privacy, Budget)
    seed = None if config.seed is None else seed_for(config.seed, SPLIT)
    if config.schema is not None:
        real = read_real(table.source, table_of(config.schema, table.name), csv=table.csv, strict=strict)
        if not config.evaluation:
            return real, None
        if strict:
            return split(real, holdout=config.holdout, seed=seed)
        halves = split_by_coin(real.frame, real.unit_codes(), holdout=config.holdout)
        return Table(real.schema, halves[0]), Table(real.schema, halves[1])
    dialect = dialect_of(table.source, None, table.csv)
    frame, layout = read_table(table.source, dialect=dialect, strict=strict)
    if not config.evaluation:
        schema = draft_of(frame, layout, name=table.name)
        return Table.conform(frame, schema, strict=strict), None
    if strict:
        train, holdout = split_rows(frame, holdout=config.holdout, seed=seed)
    else:
        train, holdout = split_by_coin(frame, np.arange(frame.height), holdout=config.holdout)
    schema = draft_of(train, layout, name=table.name)
    return Table.conform(train, schema, strict=strict), Table.conform(holdout, schema, strict=strict)


def _named(progress: Progress, name: str) -> Progress:
    return lambda stage, share: progress(f"{name}: {stage}", share)
