"""What a differentially private fit asks of a table, planned before it is read, and the fit itself.

Parts of the plan: the number of rows; the numbers of distinct identifiers; the domains of columns that are
drafts (`tabsynth.privacy.domains`); and what the engine says it will ask for, with a share of 1 in all.
Nothing that follows the plan can fail for what a cell holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import polars as pl

from tabsynth.constraints.plan import RulePlan, plan_rules
from tabsynth.encode import EncodedTable, Surrogate, encode_table, settle
from tabsynth.encode.table import variables_of
from tabsynth.errors import PrivacyError, SchemaError
from tabsynth.models.base import FittedModel, InformedSynthesizer, Progress, Synthesizer, no_progress
from tabsynth.privacy.budget import Budget, NoPrivacy, Privacy
from tabsynth.privacy.domains import buy_domains, domain_parts, unbounded, with_placeholders
from tabsynth.privacy.marginals import Marginal
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, Part, make_plan
from tabsynth.randomness import Streams
from tabsynth.schema.draft import NO_ROWS
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.made import require_made, reviewed
from tabsynth.schema.types import Column, Kind, Origin, Schema, TableSchema
from tabsynth.schema.validate import schema_findings
from tabsynth.schema.validate_rules import require_rules
from tabsynth.table import Table

ROWS, IDENTIFIERS = "number of rows", "numbers of identifiers"
_ROWS_SHARE, _IDENTIFIERS_SHARE = 0.005, 0.005  # beside 1 for the engine
MOST_ROWS = 2**53


@dataclass(frozen=True, eq=False, kw_only=True)
class PrivateFit:
    """What a private fit learnt: the schema with the domains it bought, the model, a noisy number of rows ≥ 1.

    `placeholders` are the columns whose range noise hid, so that their bounds are none of the table's.
    """

    schema: TableSchema
    model: FittedModel
    n_rows: int
    surrogates: tuple[Surrogate, ...]
    placeholders: tuple[str, ...]


def require_guarantee(privacy: Privacy, recipe: Synthesizer) -> None:
    """Raise `PrivacyError` where `recipe` cannot give the privacy that is asked for; reads no data."""
    if isinstance(privacy, NoPrivacy):
        if "none" in recipe.guarantees:
            return
        raise PrivacyError(
            f"engine {recipe.name!r} is made for privacy and cannot be fitted without, so nothing was read: give it "
            "a budget, or choose another engine"
        )
    if "dp" in recipe.guarantees:
        return
    raise PrivacyError(
        f"engine {recipe.name!r} cannot give differential privacy, so nothing was read: choose another engine, "
        "or ask for no privacy in words (privacy=tabsynth.NO_PRIVACY, or --no-privacy)"
    )


def plan_fit(schema: TableSchema, recipe: Synthesizer, budget: Budget) -> BudgetPlan:
    """Where `budget` goes in a fit of a table with that schema; reads no data.

    The number of columns an engine sees is known but for drafts of text and identifiers, which it sees
    where they may be missing: the plan is for as many as there can be. Raises `PrivacyError` where the
    engine cannot be private, `UsageError` where the budget is too small for any noise, and `SchemaError`
    where the schema does not say how many rows a person has, in which format text is a date, or rules that can be read. Rules cost
    nothing: the table that is learnt is the one that they leave. `PrivacyError` names rules that are drafts and
    mappings whose rows nobody has declared, and a unit with an `order_by`, `ConstraintError` rules that no row can meet.
    """
    require_guarantee(budget, recipe)
    if schema.unit.order_by is not None:
        raise PrivacyError(
            f"the unit's order_by ({schema.unit.order_by!r}) asks for histories of persons, which are drawn without privacy alone, so "
            "nothing was read: take it out of the schema, and each row is drawn by itself, or ask for no privacy in words "
            "(privacy=tabsynth.NO_PRIVACY, or --no-privacy)"
        )
    require_made(schema, is_private=True)
    _require_sound(schema)
    require_rules(schema)
    schema = plan_rules(schema, is_private=True).working
    variables = variables_of(_widest(schema))
    asked = recipe.parts(variables)
    if variables and not asked:
        raise PrivacyError(
            f"engine {recipe.name!r} cannot give differential privacy with these settings, so nothing was read"
        )
    whole = math.fsum(part.share for part in asked) or 1.0
    parts = [Part(statistic=ROWS, share=_ROWS_SHARE * whole)]
    n_counted = sum(_may_repeat(column) for column in schema.columns)
    if n_counted:
        share = _IDENTIFIERS_SHARE * whole
        parts.append(Part(statistic=IDENTIFIERS, share=share, count=2 * n_counted))
    bought = [replace(part, share=part.share * whole) for part in domain_parts(schema)]
    return _planned((*parts, *bought, *asked), budget, schema.unit.max_rows or 1)


@lru_cache(maxsize=16)
def _planned(parts: tuple[Part, ...], budget: Budget, sensitivity: int) -> BudgetPlan:
    """`make_plan`, which takes its time, once where a fit is first announced and then carried out."""
    return make_plan(parts, budget, sensitivity=sensitivity)


def fit_privately(
    table: Table,
    recipe: Synthesizer,
    *,
    queries: NoisyQueries,
    streams: Streams,
    progress: Progress = no_progress,
    public: pl.DataFrame | None = None,
) -> PrivateFit:
    """Bring every row into the form that its rules are learnt in, buy what domains are missing, and fit.

    `public` rows are in the stored types of the table's columns; some of these may be missing.

    `table` holds at most `max_rows` rows of a unit, and `queries` follow `plan_fit` of its schema.
    `streams` may shape the fit, never its noise. Raises nothing that depends on a cell.
    """
    progress("domains", 0.0)
    table = Table(reviewed(table.schema), table.frame)  # what a draft noticed of cells stays out of the model
    rules = plan_rules(table.schema, is_private=True)
    table = rules.apply(table)
    if public is not None:
        _as_learnt(public, rules, table.schema)  # what is wrong with them is said before anything is charged
    noisy_rows = float(queries.total(ROWS, table.n_rows).values)
    found = buy_domains(table, queries)
    schema = with_placeholders(found)
    if schema != table.schema and schema.description == NO_ROWS:
        schema = replace(schema, description=None)
    surrogates = tuple(
        Surrogate(column, _distinct_share(column, table, noisy_rows, queries))
        for column in schema.columns
        if not column.kind.is_modelled
    )
    progress("reading cells", 0.0)
    encoded = settle(encode_table(Table(schema, table.frame)))
    if public is None:
        model = recipe.fit(encoded, queries=queries, streams=streams, progress=progress)
    else:
        assert isinstance(recipe, InformedSynthesizer)  # the pipeline has seen to it
        model = recipe.fit(
            encoded,
            queries=queries,
            streams=streams,
            progress=progress,
            public=_as_learnt(public, rules, schema),
        )
    n_rows = min(max(round(noisy_rows), 1), MOST_ROWS)
    bought = rules.bought(schema)
    return PrivateFit(
        schema=bought,
        model=model,
        n_rows=n_rows,
        surrogates=surrogates,
        placeholders=_placeholders(bought, hidden=unbounded(found), learnt=schema),
    )


def _placeholders(schema: TableSchema, *, hidden: Sequence[Column], learnt: TableSchema) -> tuple[str, ...]:
    """The columns of `schema` that keep a placeholder for their range; rules may give a column another."""
    names = {column.name for column in hidden}
    return tuple(
        column.name
        for column in schema.columns
        if column.name in names and column.bounds == learnt[column.name].bounds
    )


def _require_sound(schema: TableSchema) -> None:
    """Raise `SchemaError` for a unit without a bound, formats by which no cell can be read, and wrong generators.

    What is wrong with a generator is never bought, so a model with it could not be saved once the budget is spent.
    """
    findings = schema_findings(Schema(tables=(schema,)))
    faults = [
        f.as_fault()
        for f in findings
        if "unit" in f.path[2:] or f.path[-1] == "format" or "generator" in f.path[4:]
    ]
    if faults:
        raise SchemaError("no private fit can follow this schema; nothing was read", faults)


def _widest(schema: TableSchema) -> TableSchema:
    """The schema with every column that an engine may get to see, and no bound that nobody has stated."""
    return replace(schema, columns=tuple(_undrafted(column) for column in schema.columns))


def _undrafted(column: Column) -> Column:
    if not _is_draft(column):
        return column
    if column.kind.is_continuous:
        return replace(column, bounds=None)
    return column if column.kind.is_modelled else replace(column, nullable=True)


def _is_draft(column: Column) -> bool:
    return column.domain.origin is Origin.DRAFT


def _may_repeat(column: Column) -> bool:
    """Whether it takes a count of different identifiers; of a draft nobody knows before."""
    return column.kind is Kind.IDENTIFIER and (_is_draft(column) or not column.unique)


def _as_learnt(public: pl.DataFrame, rules: RulePlan, schema: TableSchema) -> EncodedTable:
    """Public rows in the columns that are learnt, without those that come of columns they lack."""
    declared = rules.schema
    lacking = [column.name for column in declared.columns if column.name not in public.columns]
    missing = [
        pl.lit(None, dtype=polars_dtype(column)).alias(column.name)
        for column in declared.columns
        if column.name in lacking
    ]
    whole = public.with_columns(missing).select(declared.column_names)
    encoded = encode_table(Table(schema, rules.apply(Table(declared, whole)).frame))
    unknown = rules.taken_from(lacking)
    known = {name: column for name, column in encoded.columns.items() if name not in unknown}
    return EncodedTable(encoded.n_rows, known)


def _distinct_share(column: Column, table: Table, n_rows: float, queries: NoisyQueries) -> float:
    """Different identifiers per row that has one, in (0, 1], from noisy counts."""
    if column.kind is not Kind.IDENTIFIER or column.unique:
        return 1.0
    series, name = table.frame[column.name], column.name
    n_distinct = float(queries.distinct_count(IDENTIFIERS, series, (name,)).values)
    n_present = n_rows
    if column.nullable:
        is_missing = Marginal((name,), (series.is_null().to_numpy().astype(np.uint8),), (2,))
        n_present = float(queries.marginals(IDENTIFIERS, [is_missing])[0].values[0])
    n_present = max(n_present, 1.0)
    return min(max(n_distinct, 1.0), n_present) / n_present
