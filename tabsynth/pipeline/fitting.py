"""From a real table to a fitted pipeline, within a privacy budget or without any privacy."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.caller import warn
from tabsynth.check import require_valid
from tabsynth.constraints.observed import fill_outside, with_rows
from tabsynth.constraints.plan import plan_rules
from tabsynth.encode import EncodedTable, Surrogate, encode_table
from tabsynth.errors import DataError, PrivacyError, UsageError
from tabsynth.io import Provenance, schema_layout
from tabsynth.models.auto import settled
from tabsynth.models.base import ContextualSynthesizer, Progress, Synthesizer, no_progress
from tabsynth.models.registry import DEFAULT_ENGINE, recipe_of, require_libraries
from tabsynth.pipeline.continuing import checkpoint_of, require_resumable
from tabsynth.pipeline.fitted import FittedPipeline
from tabsynth.pipeline.histories import (
    Context,
    History,
    context_of,
    is_kept_by_order,
    require_histories,
    require_rises,
    require_rules_of_rows,
)
from tabsynth.pipeline.informing import doubt_of, read_public, require_informed
from tabsynth.pipeline.splitting import bound_rows
from tabsynth.pipeline.synthetic import fresh_share, marked_source, next_generation
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Budget, Ledger, NoPrivacy, Privacy
from tabsynth.privacy.checkpoint import opened_ledger_of
from tabsynth.privacy.kept_queries import KeptQueries, uncharged
from tabsynth.privacy.ledger import rows_per_unit
from tabsynth.privacy.ledger_file import open_ledger_file, read_ledger_file
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.privacy.queries import Queries
from tabsynth.private_fit import fit_privately, plan_fit, require_guarantee
from tabsynth.randomness import Streams
from tabsynth.schema.made import require_made
from tabsynth.schema.rules import AnyRule, mapped_columns
from tabsynth.schema.types import Column, Kind, Origin, Schema, TableSchema
from tabsynth.schema.validate_rules import require_rules
from tabsynth.source import AnySchema, as_schema, as_table, only_table
from tabsynth.table import Table


def fit(
    data: Any,
    *,
    schema: AnySchema | None = None,
    engine: str | Synthesizer = DEFAULT_ENGINE,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
    ledger: Ledger | str | Path | None = None,
    seed: int = 0,
    real_share: float | None = None,
    made_from: Provenance | None = None,
    checkpoint: str | Path | None = None,
    public: Any = None,
    progress: Progress = no_progress,
) -> FittedPipeline:
    """Fit an engine to a table: pandas, polars, Arrow, a path, or a `Table`.

    Differentially private at ε = 1 and δ = 1e-6 where `privacy` says nothing else; `tabsynth.NO_PRIVACY`
    asks for none. Without a `schema` one is drafted from the data, and every domain in it is bought; the
    names, kinds and types of columns are taken as public, whoever stated them. It may be the path of a schema file.
    `engine` is a name, with `settings` as its hyperparameters, or a recipe. `ledger`, a ledger file or an
    open one, is continued: the whole fit must fit under its cap. `seed` decides what little is random in
    fitting beside noise, which no seed reaches.

    A file that is marked synthetic is refused (`UsageError`) unless the mark or `real_share`, in [0, 1], states which share of
    its rows are fresh real ones; then a `UserWarning` says of which generation the rows are. `made_from` is the mark of `data`
    for callers that have read it, and warn themselves.

    `checkpoint` names a folder in which an engine that is trained privately keeps how far it is; called again with it,
    an interrupted fit goes on, and is charged once (`tabsynth.privacy.checkpoint`). It takes a schema, and the
    caller's word that the table is the same; `UsageError` says what else differs.

    `public` is a table of the same columns whose rows nobody needs to be protected from (published ones, or those of other
    people who agreed): a private fit of `bayesian_network` takes it as a prior, weighted by how well it agrees with what
    the budget buys. Nothing is promised to anybody in it, so rows of `data` must not be in it.

    A private fit raises for what is asked (`UsageError`, `PrivacyError`, `BudgetError` where the ledger has
    too little left) and for the structure of the data (`StructureError`: names, types, a file that cannot
    be read), never for a cell: one that is not of its column's domain becomes one that is. Without
    privacy, `DataError` lists the cells that contradict the schema, or says that there are no rows.

    Called as `tabsynth.fit`, it warns (`UserWarning`) of what noise hid: every sentence of the model's `notes`.
    """
    refuse((whole_number_fault(seed, "the seed"),))
    mark = marked_source(data) if made_from is None else made_from
    generation = next_generation(mark, real_share)
    recipe = recipe_of(engine, settings)
    schema = None if schema is None else as_schema(schema)
    privacy = DEFAULT_BUDGET if privacy is None else privacy
    if not isinstance(privacy, (Budget, NoPrivacy)):
        raise UsageError(
            f"privacy is a tabsynth.Budget or tabsynth.NO_PRIVACY, found {type(privacy).__name__}"
        )
    fresh = fresh_share(mark, real_share, is_private=isinstance(privacy, Budget))
    require_guarantee(privacy, recipe)
    require_libraries(recipe)
    require_informed(recipe, privacy, public=public, data=data)
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None:
        require_resumable(recipe, is_known=schema is not None or isinstance(data, Table))
    if isinstance(privacy, Budget):
        with _opened(ledger, privacy, folder) as opened:
            fitted = _fit_within(
                privacy,
                data,
                schema,
                recipe,
                ledger=opened,
                seed=int(seed),
                folder=folder,
                public=public,
                progress=progress,
            )
        if folder is not None and ledger is None:  # the folder's ledger is of this fit alone
            fitted = replace(fitted, ledger=replace(fitted.ledger, source=None, series=None, head=None))
        return replace(fitted, generation=generation, real_share=fresh)
    if ledger is not None:
        raise PrivacyError("a fit without privacy has no place under a ledger's cap; nothing was read")
    fitted = _fit_exactly(data, schema, recipe, streams=Streams(int(seed)), progress=progress)
    return replace(fitted, generation=generation, real_share=fresh)


def _fit_within(
    budget: Budget,
    data: Any,
    schema: TableSchema | Schema | None,
    recipe: Synthesizer,
    *,
    ledger: Ledger,
    seed: int,
    folder: Path | None,
    public: Any,
    progress: Progress,
) -> FittedPipeline:
    """A private fit: planned, and reserved in the ledger, before a row is looked at where a schema is given."""
    with ExitStack() as held:
        queries = None
        if schema is not None or isinstance(data, Table):
            known = data.schema if isinstance(data, Table) else only_table(schema)  # type: ignore[arg-type]
            recipe = settled(recipe, known, is_private=True)
            queries = held.enter_context(_reserved(budget, known, recipe, ledger, folder=folder, seed=seed))
        table, layout = as_table(data, schema, strict=False)
        if queries is None:
            recipe = settled(recipe, table.schema, is_private=True)
            queries = held.enter_context(_reserved(budget, table.schema, recipe, ledger, seed=seed))
        require_informed(recipe, budget, public=public, data=data)  # `auto` has become an engine by now
        if doubt := doubt_of(public):
            warn(doubt)
        told = None if public is None else read_public(public, table.schema)
        ledger = queries.ledger
        n_former = len(ledger.charges) if folder is None else 0  # of a checkpoint's, all are of this fit
        table = bound_rows(_naming_somebody(table), Streams(secrets.randbits(128)))  # never by a known seed
        fitted = fit_privately(
            table, recipe, queries=queries, streams=Streams(seed), progress=progress, public=told
        )
    progress("done", 1.0)
    copy = ledger.copy()
    former, own = (*copy.former, *copy.charges[:n_former]), copy.charges[n_former:]
    return FittedPipeline(
        schema=fitted.schema,
        engine=recipe,
        model=fitted.model,
        n_rows=fitted.n_rows,
        privacy=budget,
        ledger=replace(copy, former=former, charges=own),
        layout=schema_layout(layout, fitted.schema),
        surrogates=fitted.surrogates,
        n_public=0 if told is None else told.height,
        placeholders=fitted.placeholders,
    )


@contextmanager
def _reserved(
    budget: Budget,
    schema: TableSchema,
    recipe: Synthesizer,
    ledger: Ledger,
    *,
    seed: int,
    folder: Path | None = None,
) -> Iterator[NoisyQueries]:
    """What a fit of such a table may ask, with room for all of it in the ledger; kept in `folder` where there is one."""
    _require_purchase(ledger, schema)
    plan = plan_fit(schema, recipe, budget)
    with ExitStack() as held:
        queries = NoisyQueries(ledger, plan)
        if folder is not None:
            opened = checkpoint_of(folder, schema, recipe, plan, ledger=ledger, seed=seed)
            kept = held.enter_context(opened)
            queries = KeptQueries(kept.ledger, plan, kept=kept)
        _require_one_unit(ledger, plan)
        queries.ledger.reserve(uncharged(plan, () if folder is None else queries.ledger.charges))
        held.callback(queries.ledger.free)
        yield queries


def _under_rules(
    table: Table, encoded: EncodedTable, ledger: Ledger, streams: Streams
) -> tuple[Table, EncodedTable]:
    """The table with what its mappings need read off it, and its rows as its rules have them learnt.

    A row that breaks a rule is learnt as one that does not, drawn by `streams` where nothing is near.
    """
    if not table.schema.constraints:
        return table, encoded
    learnt = with_rows(table)
    for rule, was in zip(learnt.constraints, table.schema.constraints, strict=True):
        if rule != was:
            ledger.charge("valid combinations", mapped_columns(rule))  # type: ignore[arg-type]
    plan = plan_rules(learnt, is_private=False)
    table = Table(learnt, table.frame)
    if not plan.steps:
        return table, encoded
    applied = plan.apply(table)
    unchanged = {
        column.name: encoded.columns[column.name]
        for column in applied.schema.columns
        if column.name in encoded.columns and column == learnt[column.name]
    }
    encoded = encode_table(applied, known=unchanged)
    return table, fill_outside(encoded, streams.generator("rules.outside"))


def _require_purchase(ledger: Ledger, schema: TableSchema) -> None:
    """Raise `PrivacyError` for domains that an earlier fit bought where the ledger knows of no earlier fit.

    They came out of the table at a cost, which would be missing from what the release is said to give.
    """
    bought = [column.name for column in schema.columns if column.domain.origin is Origin.CHARGED]
    if bought and not ledger.former and not ledger.charges:
        raise PrivacyError(
            f"the domains of {', '.join(bought)} were bought by an earlier fit, and this ledger holds none: continue "
            "the ledger of that fit, or mark them as drafts to have them bought anew; nothing was read"
        )


def _require_one_unit(ledger: Ledger, plan: BudgetPlan) -> None:
    """Raise `PrivacyError` where earlier fits of the ledger protect units of another number of rows.

    Their charges would be added as if they protected the same units, which is worth nothing to a person of
    several rows. Persons of one row each and rows cannot be told apart here: for both, the sum is right.
    """
    earlier = (*ledger.former, *ledger.charges)
    rows = rows_per_unit(earlier)
    if earlier and rows != plan.sensitivity:
        raise PrivacyError(
            f"earlier fits of this ledger protect units of up to {rows} rows, this one of up to {plan.sensitivity}: "
            "what they spend cannot be added up, so nothing was read or charged. Declare the same unit and "
            "max_rows in the schema, or begin a ledger for a series of its own"
        )


def _naming_somebody(table: Table) -> Table:
    """The rows that name a person, where the unit is one.

    A name that cannot be read as its column's type is null by now, so rows that name nobody may all be of
    one person, and no bound would hold for them.
    """
    unit = table.schema.unit.column
    return table if unit is None else Table(table.schema, table.frame.filter(pl.col(unit).is_not_null()))


@contextmanager
def _opened(ledger: Ledger | str | Path | None, budget: Budget, folder: Path | None) -> Iterator[Ledger]:
    """The ledger to charge: one of this fit alone, the one that is given, or the file at a path, until the end.

    That of a fit with a checkpoint lies in its `folder`, where no other is given.
    """
    if ledger is None and folder is not None:
        with opened_ledger_of(folder, budget) as own:
            yield own
    elif ledger is None:
        yield Ledger(budget)
    elif isinstance(ledger, Ledger):
        yield ledger
    else:
        source = read_ledger_file(ledger).source
        with open_ledger_file(ledger, source=source) as opened:
            yield opened


def _fit_exactly(
    data: Any,
    schema: TableSchema | Schema | None,
    recipe: Synthesizer,
    *,
    streams: Streams,
    progress: Progress,
) -> FittedPipeline:
    if schema is not None or isinstance(data, Table):
        known = data.schema if isinstance(data, Table) else only_table(schema)  # type: ignore[arg-type]
        require_made(known, is_private=False)
        require_rules(known)
        require_histories(known, recipe)
    table, layout = as_table(data, schema)
    declared = table.schema
    require_made(declared, is_private=False)
    plan = plan_rules(
        declared, is_private=False
    )  # rules that contradict each other are told before cells are
    if declared.unit.order_by is not None:
        require_rules_of_rows(plan, declared)
    table = bound_rows(table, streams)
    progress("reading cells", 0.0)
    encoded = encode_table(table)
    require_valid(table, encoded)
    if table.n_rows == 0:
        raise DataError(f"table {declared.name!r} has no rows: there is nothing to learn from")
    ledger = Ledger()
    queries = Queries(ledger)
    recipe = settled(recipe, declared, is_private=False, n_rows=table.n_rows)
    history = context = None
    if declared.unit.order_by is not None:
        assert isinstance(recipe, ContextualSynthesizer)  # asked for before
        history = History.of(table, ledger, min_group=recipe.min_group)
        require_rises(history, declared)
        context = context_of(history, declared)
        table = context.learnt(table)
        encoded = encode_table(table)
    table, encoded = _under_rules(table, encoded, ledger, streams)
    for column in declared.columns:
        if column.domain.origin is Origin.DRAFT:
            ledger.charge("drafted domain", (column.name,))
    n_rows = queries.row_count(table.n_rows)
    surrogates = _surrogates(table, context, queries)
    if context is None:
        model = recipe.fit(encoded, queries=queries, streams=streams, progress=progress)
    else:
        assert isinstance(recipe, ContextualSynthesizer)
        told = context.told(encoded.columns)
        model = recipe.fit(encoded, queries=queries, streams=streams, progress=progress, told=told)
    progress("done", 1.0)
    return FittedPipeline(
        schema=replace(
            declared, constraints=_as_learnt(declared, table.schema, has_history=history is not None)
        ),
        history=history,
        engine=recipe,
        model=model,
        n_rows=n_rows,
        privacy=NO_PRIVACY,
        ledger=ledger.copy(),
        layout=layout,
        surrogates=surrogates,
    )


def _as_learnt(declared: TableSchema, learnt: TableSchema, *, has_history: bool) -> tuple[AnyRule, ...]:
    """The declared rules with the rows of mappings that were read off the table: a history's rules are learnt in their order, and others behind them."""
    rules = iter(learnt.constraints)
    return tuple(
        rule if has_history and is_kept_by_order(rule, declared) else next(rules)
        for rule in declared.constraints
    )


def _surrogates(table: Table, context: Context | None, queries: Queries) -> tuple[Surrogate, ...]:
    """What makes texts and identifiers anew; of those that stay what they are within a person, how many are distinct is counted by persons."""
    first = table.frame if context is None else table.frame.filter(pl.col(context.before) == 0)
    kept = () if context is None else (context.person, *context.kept)

    def share(column: Column) -> float:
        if column.kind is not Kind.IDENTIFIER or column.unique:
            return 1.0
        cells = (first if column.name in kept else table.frame)[column.name]
        return queries.distinct_share(cells, column=column.name)

    return tuple(
        Surrogate(column, share(column)) for column in table.schema.columns if not column.kind.is_modelled
    )
