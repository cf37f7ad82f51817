"""The steps on tables of any kind: pandas, polars, Arrow, a path, or a `Table`.

    train, holdout = tabsynth.split(frame)
    fitted = tabsynth.fit(train)
    synthetic = fitted.sample(1000)
    results = tabsynth.evaluate(synthetic, train, holdout)

Each takes a schema (of one table) or the path of a schema file; without one a schema is drafted from the data, which is for trying
things out: a draft is a guess, and as private as the data. `tabsynth.fit` is differentially private unless
told otherwise; `split`, `check`, `evaluate`, `audit`, `shadow_audit`, `collapse`, `augment` and `augment_trial` read private rows as they are,
and what they give is private.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast, overload

from tabsynth.audit import AuditResults
from tabsynth.audit import audit as audit_tables
from tabsynth.audit.bound import bound_of
from tabsynth.audit.shadow import ShadowResults
from tabsynth.audit.shadow import shadow_audit as audit_by_shadows
from tabsynth.augment import Augmented, TrialResults, read_amount, recipe_for
from tabsynth.augment import augment as add_rows
from tabsynth.augment import trial as try_rows
from tabsynth.augment.recipes import settled_for
from tabsynth.caller import warn
from tabsynth.check import check_personal, check_table
from tabsynth.constraints.check import check_rules
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.constraints.plan import plan_rules
from tabsynth.constraints.suggest import suggest_rules
from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.evaluate import Results
from tabsynth.evaluate import evaluate as evaluate_tables
from tabsynth.evaluate.collapse import CollapseResults
from tabsynth.evaluate.collapse import collapse as watch_collapse
from tabsynth.io import declared_levels, read_table, to_layout
from tabsynth.models.base import Progress, Synthesizer, no_progress
from tabsynth.models.registry import DEFAULT_ENGINE, recipe_of
from tabsynth.pipeline import FittedPipeline, split_rows
from tabsynth.pipeline import fit as fit_table
from tabsynth.pipeline import split as split_table
from tabsynth.pipeline.synthetic import marked_source, next_generation, source_mark, warn_of_marks
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Budget, Privacy
from tabsynth.pseudonymise import pseudonymise_table, read_key
from tabsynth.refit import BlackBox, UserFunction, command_box, engine_box, function_box, pipeline_box
from tabsynth.schema import draft_schema as draft_frames
from tabsynth.schema.confirm import confirm as confirm_table
from tabsynth.schema.rules import AnyRule
from tabsynth.schema.types import Schema, TableSchema
from tabsynth.schema.validate_rules import require_rules
from tabsynth.source import AnySchema, as_schema, as_table, as_written, drafted, only_table, with_doubts
from tabsynth.table import Table

P = ParamSpec("P")
OneSchema = TypeVar("OneSchema", Schema, TableSchema)


def draft_schema(data: Any, *, name: str | None = None) -> Schema:
    """Propose a schema for a table, or for several given as a mapping of names to tables.

    What it proposes is read off the data, so it is private, and every domain in it is marked `draft`. A
    file gives the table its name. Raises `InputError` where the data cannot be read.
    """
    if not isinstance(data, Mapping):
        return Schema(tables=(drafted(data, name=name)[0].schema,))
    read = {key: read_table(table) for key, table in data.items()}
    levels = {key: declared_levels(table) for key, table in data.items()}
    schema = draft_frames(
        {key: frame for key, (frame, _) in read.items()},
        as_written={key: as_written(layout) for key, (_, layout) in read.items()},
        levels=levels,
    )
    for key, (_, layout) in read.items():
        table = replace(schema[key], csv=layout.dialect or schema[key].csv)
        schema = schema.with_table(with_doubts(table, layout))
    return schema


@overload
def confirm(
    schema: OneSchema,
    *,
    by: str,
    source: str,
    columns: Sequence[str] | None = None,
    on: dt.date | None = None,
) -> OneSchema: ...


@overload
def confirm(
    schema: str | PathLike[str],
    *,
    by: str,
    source: str,
    columns: Sequence[str] | None = None,
    on: dt.date | None = None,
) -> Schema: ...


def confirm(
    schema: AnySchema,
    *,
    by: str,
    source: str,
    columns: Sequence[str] | None = None,
    on: dt.date | None = None,
) -> Schema | TableSchema:
    """The schema, or that of a schema file (which stays as it is), with the domains of `columns` (None: of all) public, as `by` states on `source`.

    `on` is the day of the statement, today where None. Raises `SchemaError` listing unknown columns and
    blank statements, `UsageError` for a schema of several tables.
    """
    schema = as_schema(schema)
    day = on or dt.date.today()  # noqa: DTZ011  # a day on the calendar of whoever states it
    table = confirm_table(only_table(schema), by=by, source=source, columns=columns, on=day)
    return schema.with_table(table) if isinstance(schema, Schema) else table


def split(
    data: Any,
    *,
    schema: AnySchema | None = None,
    unit: str | None = None,
    holdout: float = 0.5,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """Train and holdout, as the kind of table that `data` is; a path gives polars.

    `holdout` in (0, 1) is the share of privacy units held out: all rows of one person fall on the same
    side. Without a schema the unit is the row, or the person whom the column `unit` names. Raises `InputError` where the data does not fit the schema and
    `UsageError` for both a schema and a unit.
    """
    warn_of_marks(data)
    table, layout = as_table(data, schema)
    if unit is not None and (schema is not None or isinstance(data, Table)):
        raise UsageError("the schema states the unit: leave unit out")
    if unit is None:
        parts = split_table(table, holdout=holdout, seed=seed)
    else:
        frames = split_rows(table.frame, unit=unit, holdout=holdout, seed=seed)
        parts = Table(table.schema, frames[0]), Table(table.schema, frames[1])
    if isinstance(data, Table):
        return parts
    train, held = (to_layout(part.frame, layout, schema=table.schema) for part in parts)
    return train, held


def _telling(fitting: Callable[P, FittedPipeline]) -> Callable[P, FittedPipeline]:
    """`fitting`, with a `UserWarning` for every note of what was fitted."""

    @wraps(fitting)
    def fit(*args: P.args, **kwargs: P.kwargs) -> FittedPipeline:
        fitted = fitting(*args, **kwargs)
        for note in fitted.notes:
            warn(note)
        return fitted

    return fit


fit = _telling(fit_table)


def check(data: Any, schema: AnySchema) -> tuple[Fault, ...]:
    """Every way in which data contradicts its schema, one fault per column and kind, with its count.

    Columns that look like identifiers or personal data, and that the schema would have learnt, are faults too. The result depends on the data and is private. Raises `UsageError` for data of an unknown kind.
    """
    try:
        table = as_table(data, schema)[0]
        return (*check_table(table), *check_personal(table))
    except (StructureError, DataError) as error:
        return error.faults or (Fault("", error.summary),)


def pseudonymise(
    data: Any, *, schema: AnySchema, key: bytes | str | Path, privacy: Privacy, table: str | None = None
) -> tuple[Any, TableSchema]:
    """Real rows with identifiers behind HMAC-SHA256 and free text masked, and the schema that marks them.

    `key` is 32 random bytes or more, or the path of a file of such; `privacy` must be `tabsynth.NO_PRIVACY`: the rows
    stay real, and keyed hashes give out exact identities. `table` names one of a schema of several, whose foreign
    keys are hashed as what they refer to. Raises as `tabsynth.pseudonymise.pseudonymise_table` does.
    """
    found = pseudonymise_table(
        data,
        schema=schema,
        key=key if isinstance(key, bytes) else read_key(key),
        privacy=privacy,
        table=table,
    )
    as_they_are = tuple(column for column in found.layout.columns if column.name not in found.hashed)
    layout = replace(found.layout, columns=as_they_are)
    return to_layout(found.table.frame, layout, schema=found.table.schema), found.table.schema


def check_constraints(data: Any, schema: AnySchema) -> tuple[RuleOutcome, ...]:
    """How many rows of data break each rule of its schema, in order.

    Of real rows the result is private. Raises `InputError` where the data does not fit the schema or a rule cannot be read,
    `ConstraintError` where the rules leave no row.
    """
    table, _ = as_table(data, schema)
    require_rules(table.schema)
    plan_rules(table.schema, is_private=False)
    return check_rules(table.frame, table.schema)


def suggest_constraints(data: Any, schema: AnySchema | None = None) -> tuple[AnyRule, ...]:
    """Rules that data seems to keep, as drafts with their support in `note`: private until somebody confirms them.

    Raises `InputError` where the data does not fit the schema.
    """
    return tuple(one.rule for one in suggest_rules(as_table(data, schema)[0]))


def evaluate(
    synthetic: Any,
    train: Any,
    holdout: Any,
    *,
    schema: AnySchema | None = None,
    target: str | None = None,
    quasi_identifiers: Sequence[str] | None = None,
    sensitive: Sequence[str] | None = None,
    title: str = "",
    seed: int = 0,
    guarantee: str = "",
    progress: Progress = no_progress,
) -> Results:
    """Compare a synthetic table with the train rows it was made from, beside real holdout rows.

    Every figure stands beside its floor, the same figure for the holdout. `target` is the column that the
    utility figures predict; `quasi_identifiers` (what others may know of a person) and `sensitive` (what
    nobody should learn) are columns for the disclosure figures, by default those with such a role in the
    schema. A synthetic file that was sampled under conditions or in shares says so, and so does the report.
    The result is private output, and so is the report drawn from it. Raises `InputError` where a
    table does not fit the schema, `UsageError` for an unknown target or column.
    """
    first, _ = as_table(train, schema)
    mark = source_mark(synthetic)
    warn_of_marks(train, holdout)
    others = [as_table(data, first.schema)[0] for data in (synthetic, holdout)]
    return evaluate_tables(
        others[0],
        first,
        others[1],
        schema=first.schema,
        target=target,
        quasi_identifiers=quasi_identifiers,
        sensitive=sensitive,
        title=title,
        seed=seed,
        guarantee=guarantee,
        steered=() if mark is None else mark.steered,
        progress=progress,
    )


def audit(
    synthetic: Any,
    train: Any,
    holdout: Any,
    *,
    schema: AnySchema | None = None,
    budget: str = "2m",
    epsilon: float | None = None,
    delta: float = 1e-5,
    quasi_identifiers: Sequence[str] | None = None,
    sensitive: Sequence[str] | None = None,
    cliques: Sequence[tuple[str, ...]] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> AuditResults:
    """Attack a synthetic table, whoever made it: can it be told who was in train?

    Train and holdout are real, disjoint and split at random. The attacks first prove on releases with a
    known answer what they can see; `results.outcome` is "pass", "fail" or "inconclusive". `budget` is
    "2m", "20m" or "4h"; a stated `epsilon` and `delta` add what any attacker could do against them.
    `sensitive` columns are guessed, `quasi_identifiers` linked with the others; where they are not named, the
    schema's roles count. `cliques` are columns that the engine is known to have measured together, if any. The
    result is private output. Raises `InputError` where a table does not fit the schema or has fewer than 200 rows,
    `UsageError` for an unknown budget, an impossible ε or δ, or cliques of unknown columns.
    """
    first, _ = as_table(train, schema)
    others = [as_table(data, first.schema)[0] for data in (synthetic, holdout)]
    return audit_tables(
        others[0],
        first,
        others[1],
        schema=first.schema,
        budget=budget,
        bound=None if epsilon is None else bound_of(epsilon, delta),
        quasi_identifiers=quasi_identifiers,
        sensitive=sensitive,
        cliques=None if cliques is None else tuple(cliques),
        seed=seed,
        progress=progress,
    )


def shadow_audit(
    train: Any,
    holdout: Any,
    *,
    schema: AnySchema | None = None,
    engine: str | Synthesizer | FittedPipeline | UserFunction = DEFAULT_ENGINE,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
    command: str | None = None,
    rows: int | None = None,
    budget: str = "2m",
    fits: int | None = None,
    resume: str | Path | None = None,
    workers: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> ShadowResults:
    """Fit an engine many times, with and without some records of train: does what it makes tell which?

    `engine` is a name with `settings`, a recipe, a fitted pipeline (whose recipe and privacy are taken), or a
    function of (polars frame, number of rows, seed) that gives a table; `command` is a command line instead, with
    `{train}`, `{synthetic}`, `{rows}`, `{seed}`, `{epsilon}` and `{delta}` in it. `privacy` is as in `tabsynth.fit`; of a function or a command it
    is what they claim, and what they are told where they take it. `rows` is the size of the tables that are made up, train's unless said; `budget` ("2m", "20m",
    "4h") or `fits` says how many. `resume` names a file that keeps what is done. The result is private output, and
    no ledger is charged, since nothing of these fits is released.

    Raises `UsageError` for arguments that do not go together, `InputError` where a table does not fit the schema
    or has fewer than 200 rows, and whatever the engine raises.
    """
    first, _ = as_table(train, schema)
    second, _ = as_table(holdout, first.schema)
    return audit_by_shadows(
        first,
        second,
        box=_black_box(engine, settings, privacy, command),
        n_rows=rows,
        budget=budget,
        n_fits=fits,
        resume=None if resume is None else Path(resume),
        workers=workers,
        seed=seed,
        progress=progress,
    )


def collapse(
    train: Any,
    holdout: Any,
    *,
    schema: AnySchema | None = None,
    engine: str | Synthesizer | FittedPipeline | UserFunction = DEFAULT_ENGINE,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
    command: str | None = None,
    generations: int = 5,
    rows: int | None = None,
    target: str | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> CollapseResults:
    """Fit a generator on train, then on its own output, again and again, and watch what is lost.

    `engine`, `settings`, `privacy` and `command` are as in `shadow_audit`; an engine of ours is fitted with `privacy`
    each time (ε = 1 where None). The figures watched are column shapes, pair trends, the two-sample test,
    utility for `target`, and distinct combinations, of every generation against the same train and holdout. No
    ledger is charged and no generation is kept; the result is private output. Raises what `fit` raises,
    `UsageError` for arguments that do not go together, an unknown target or an impossible number of generations.
    """
    first, _ = as_table(train, schema)
    held = as_table(holdout, first.schema)[0]
    return watch_collapse(
        first,
        held,
        schema=first.schema,
        box=_black_box(engine, settings, privacy, command),
        generations=generations,
        rows=rows,
        target=target,
        seed=seed,
        progress=progress,
    )


def augment(
    data: Any,
    *,
    to: str | None = None,
    synthetic_share: float | None = None,
    target: str | None = None,
    where: Mapping[str, Any] | None = None,
    engine: str | Synthesizer = "sequential_trees",
    settings: Mapping[str, Any] | None = None,
    schema: AnySchema | None = None,
    keep_real: float = 1.0,
    origin: str = "origin",
    real_share: float | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Augmented:
    """Add synthetic rows of the rarest class of `target`, or of the slice that `where` names, until it is `to` the rest.

    `to` is a ratio such as "1:10", which holds in the result; `synthetic_share` in its place is the share of the result that is
    synthetic. The rows are of the kind that `data` is, with a column `origin` that says "real" or "synthetic"; `keep_real` is the
    share of real rows that stay. An `engine` by name that has a setting `target` is told of the target where the slice is of it
    and `settings` say nothing of it. The rows are as private as `data`, and no guarantee covers them: rows of a slice with one
    are `fit` with a budget and `sample(where=…)`. A file that is marked synthetic needs a `real_share`, as in `fit`. Raises what
    `fit` and `sample` raise, `UsageError` where the slice is as frequent already, and for more than ten million rows.
    """
    amount = read_amount(to, synthetic_share)
    mark = marked_source(data)
    next_generation(mark, real_share)
    table, layout = as_table(data, schema)
    found = add_rows(
        table,
        to=amount,
        recipe=_told(engine, settings, table, target=target, where=where),
        target=target,
        where=where,
        keep_real=keep_real,
        origin=origin,
        made_from=mark,
        seed=seed,
        progress=progress,
    )
    return replace(found, rows=to_layout(found.rows, layout, schema=table.schema))


def augment_trial(
    data: Any,
    *,
    to: str | None = None,
    synthetic_share: float | None = None,
    target: str,
    where: Mapping[str, Any] | None = None,
    engine: str | Synthesizer = "sequential_trees",
    settings: Mapping[str, Any] | None = None,
    schema: AnySchema | None = None,
    splits: int = 5,
    test_share: float = 0.3,
    precision: float = 0.5,
    max_rows: int = 50_000,
    privacy: Privacy = NO_PRIVACY,
    seed: int = 0,
    progress: Progress = no_progress,
) -> TrialResults:
    """Does `augment` help a model to find the class? Learners taught with and without, on repeated stratified splits.

    Against nothing, class weights, random oversampling and, with the extra `smote`, SMOTE-NC. `to`, `synthetic_share` and
    `engine` are as in `augment`. The result is private
    output. Raises as `augment` does, `DataError` where fewer than 20 rows are of the class.
    """
    amount = read_amount(to, synthetic_share)
    table = as_table(data, schema)[0]
    is_private = isinstance(privacy, Budget)
    return try_rows(
        table,
        to=amount,
        recipe=_told(engine, settings, table, target=target, where=where, is_private=is_private),
        target=target,
        where=where,
        splits=splits,
        test_share=test_share,
        precision=precision,
        max_rows=max_rows,
        privacy=privacy,
        seed=seed,
        progress=progress,
    )


def _told(
    engine: str | Synthesizer,
    settings: Mapping[str, Any] | None,
    table: Table,
    *,
    target: str | None,
    where: Mapping[str, Any] | None,
    is_private: bool = False,
) -> Synthesizer:
    """The recipe of augmented rows: an engine by name is told of the target, a recipe is taken as it is."""
    recipe = (
        recipe_for(engine, settings, target=target, where=where)
        if isinstance(engine, str)
        else recipe_of(engine, settings)
    )
    return settled_for(recipe, table, is_private=is_private, target=target, where=where)[0]


def _black_box(
    engine: str | Synthesizer | FittedPipeline | UserFunction,
    settings: Mapping[str, Any] | None,
    privacy: Privacy | None,
    command: str | None,
) -> BlackBox:
    stated = privacy if isinstance(privacy, Budget) else None
    is_function = not isinstance(engine, (str, FittedPipeline)) and callable(engine)
    if (command is not None or is_function or isinstance(engine, FittedPipeline)) and settings:
        raise UsageError("settings belong to an engine's name")
    if command is not None:
        if engine != DEFAULT_ENGINE:
            raise UsageError("an engine and a command are different things: give one of them")
        return command_box(command, stated=stated)
    if isinstance(engine, FittedPipeline):
        if privacy is not None:
            raise UsageError("a fitted pipeline says itself what privacy it has")
        return pipeline_box(engine)
    if is_function:
        return function_box(cast("UserFunction", engine), stated=stated)
    recipe = cast("str | Synthesizer", engine)
    return engine_box(recipe, settings=settings, privacy=DEFAULT_BUDGET if privacy is None else privacy)
