"""Buy the domains of columns of which nobody states that they are public.

A draft holds what was read off private data. Of a draft column, a private fit keeps its kind and its
storage (dtype, timezone, the pattern of dates held as text, the kind of a text), which count as structure;
all else is measured anew with noise, or dropped:

- levels (categorical, ordinal, booleans that are not stored as such; words among numbers held as text): a
  histogram of what occurs, of which only levels above a threshold are released; the order of an ordinal
  from the released levels;
- bounds (numbers, dates, datetimes, durations): a histogram over a public grid of the whole type (ten
  cells a power of 10 on both sides of 0; years); then one of even cells within the first and the last that
  are occupied. Bounds are points of these grids;
- forms: whether cells may be missing; decimals; the resolution of times; whether an identifier repeats;
- special values among numbers and times, masks of identifiers, how a CSV pads decimals and what a draft
  wrote as a description are dropped; what somebody wrote there is that person's words, and stays.

A column whose domain is stated, but without the bounds that its kind needs, has its bounds measured alone.

Nothing of this fails, whatever the rows: where noise hides everything, a column has one placeholder level,
or no bounds, and placeholders in their stead before it is learnt: 0 and 1 (of times: a year, a day).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from tabsynth.privacy import grids
from tabsynth.privacy.cells import sound_cells
from tabsynth.privacy.lines import (
    BOUNDS,
    FORMS,
    LEVELS,
    buy_bounds,
    buy_line,
    has_words,
    is_whole,
    noisy_counts,
    placeholder_bounds,
)
from tabsynth.privacy.marginals import Levels
from tabsynth.privacy.mechanisms import precision
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, Part
from tabsynth.schema.generators import may_say_unique
from tabsynth.schema.guess.cells import Cells
from tabsynth.schema.guess.strings import in_order
from tabsynth.schema.guess.textual import without_note
from tabsynth.schema.scalars import stored_type
from tabsynth.schema.types import Column, Domain, Kind, Origin, Scalar, TableSchema
from tabsynth.table import Table

_WEIGHTS = {LEVELS: 3.0, BOUNDS: 1.0, FORMS: 0.3}
_SHARE = 0.25
"""What the domains of a table take where all of its columns are drafts, beside 1 for an engine's parts."""
_CHARGED = Domain(origin=Origin.CHARGED)


def drafted(schema: TableSchema) -> tuple[Column, ...]:
    """The columns whose domains a private fit has to buy."""
    return tuple(column for column in schema.columns if column.domain.origin is Origin.DRAFT)


def unbounded(schema: TableSchema) -> tuple[Column, ...]:
    """The columns whose domains are stated but for bounds, which a private fit has to buy."""
    return tuple(
        column
        for column in schema.columns
        if column.kind.is_continuous and column.bounds is None and column.domain.origin is not Origin.DRAFT
    )


def domain_parts(schema: TableSchema) -> tuple[Part, ...]:
    """What a budget plan needs to buy every draft column and all bounds; () without any. Reads no data."""
    columns = (*drafted(schema), *unbounded(schema))
    counts = {part: sum(_releases(column)[part] for column in columns) for part in _WEIGHTS}
    whole = sum(_WEIGHTS[part] * count for part, count in counts.items())
    return tuple(
        Part(
            statistic=part,
            share=_SHARE * len(columns) / len(schema.columns) * _WEIGHTS[part] * count / whole,
            count=count,
            is_thresholded=part == LEVELS,
        )
        for part, count in counts.items()
        if count
    )


def _releases(column: Column) -> dict[str, int]:
    """How often each part is used for a column; a function of its kind and storage."""
    kind = column.kind
    if column.domain.origin is not Origin.DRAFT:
        return {LEVELS: 0, BOUNDS: 2, FORMS: 0}
    is_plain = column.dtype == "bool"
    has_form = kind in (Kind.DATETIME, Kind.DURATION, Kind.TEXT) or (
        kind is Kind.NUMBER and not is_whole(column)
    )
    return {
        LEVELS: int((kind.is_discrete and not is_plain) or has_words(column)),
        BOUNDS: 2 if kind.is_continuous else 0,
        FORMS: 2 if kind is Kind.IDENTIFIER else int(is_plain or has_form),
    }


def buy_domains(table: Table, queries: NoisyQueries) -> TableSchema:
    """The schema of `table` with the domain of every draft column measured, and marked as charged.

    Columns whose range noise hides have no bounds, and are `unbounded`: `with_placeholders` gives them some.
    `queries` must have `domain_parts` in their plan. Nothing of a draft domain is kept but what the module
    calls structure. A primary key that is a draft column is dropped: that it is one was read off the rows.
    """
    schema = table.schema
    without_bounds = {column.name for column in unbounded(schema)}
    columns = []
    for column in schema.columns:
        series = table.frame[column.name]
        if column.name in without_bounds:
            charged = replace(column.domain, origin=Origin.CHARGED)
            columns.append(replace(buy_bounds(column, series, queries), domain=charged))
        else:
            is_draft = column.domain.origin is Origin.DRAFT
            columns.append(_bought(column, series, queries) if is_draft else column)
    bought = replace(schema, columns=tuple(columns))
    key = schema.primary_key
    is_draft = len(key) == 1 and schema[key[0]].domain.origin is Origin.DRAFT
    return replace(bought, primary_key=()) if is_draft else bought


def with_placeholders(schema: TableSchema) -> TableSchema:
    """The schema with public bounds for the columns that have none, since noise hid their range."""
    hidden = set(unbounded(schema))
    columns = (
        replace(column, bounds=placeholder_bounds(column)) if column in hidden else column
        for column in schema.columns
    )
    return replace(schema, columns=tuple(columns))


def purchase_share(plan: BudgetPlan) -> float:
    """The share of a plan's precision that buying domains takes, in [0, 1]."""
    found = {planned.part.statistic: precision(planned.mechanism) for planned in plan.parts}
    return sum(found.get(part, 0.0) for part in _WEIGHTS) / sum(found.values())


def describe_purchase(schema: TableSchema, plan: BudgetPlan) -> str:
    """What people are told of the domains that a fit buys: which columns, at what share of the budget.

    "" where nothing is drafted. Reads no data.
    """
    drafts, open_ended = drafted(schema), unbounded(schema)
    columns = (*drafts, *open_ended)
    if not columns:
        return ""
    lines = []
    if drafts:
        lines.append(
            f"The domains of {len(drafts)} of {len(schema.columns)} columns are drafts, read off the data and not "
            "confirmed: they are measured anew."
        )
    if open_ended:
        named = ", ".join(column.name for column in open_ended)
        lines.append(f"No bounds are stated for {named}: they are measured.")
    lines.append(f"This takes {purchase_share(plan):.0%} of the budget.")
    levels = [column.name for column in columns if _releases(column)[LEVELS]]
    bounds = [column.name for column in columns if column.kind.is_continuous]
    if levels:
        threshold = f"{plan[LEVELS].mechanism.threshold:,}"  # type: ignore[union-attr]
        lines.append(
            f"Levels of {', '.join(levels)}: those that fewer than about {threshold} rows hold are lost."
        )
    if bounds:
        rows = f"{grids.significant(plan[BOUNDS].mechanism.scale, 1000):,.0f}"
        lines.append(
            f"Bounds of {', '.join(bounds)}: about {rows} rows at either end may be cut to them, "
            "several times as many where values lie far apart."
        )
    lines.append("What a codebook states, `tabsynth schema confirm` makes public, and costs nothing.")
    return "\n".join(lines)


def describe_constants(schema: TableSchema) -> str:
    """What people are told of columns of which a fit bought one value or level at most; "" where there is none.

    Read off the domains that were bought, so it costs nothing.
    """
    names = [
        column.name
        for column in schema.columns
        if column.domain.origin is Origin.CHARGED and _is_constant(column)
    ]
    if not names:
        return ""
    return (
        f"No more than one level was found of {', '.join(names)}: constant in the model. Confirm levels and bounds "
        "that are public, or take more rows or a larger ε."
    )


def describe_placeholders(names: Sequence[str]) -> str:
    """What people are told of columns whose range noise hid; "" where there is none."""
    if not names:
        return ""
    return (
        f"No range was found of {', '.join(names)}: noise hides it. What is sampled there is a placeholder, numbers "
        "from 0 to 1 or times within a year or a day. Confirm bounds that are public, or take more rows or a larger ε."
    )


def _is_constant(column: Column) -> bool:
    if column.categories is not None:
        return len(column.categories) == 1
    return column.bounds is not None and column.bounds[0] == column.bounds[1] and not column.special_values


def _bought(column: Column, series: pl.Series, queries: NoisyQueries) -> Column:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    clean = replace(
        without_note(column),
        nullable=False,
        bounds=None,
        special_values=(),
        decimals=None,
        resolution=None,
        domain=_CHARGED,
    )
    if column.kind.is_continuous:
        return buy_line(replace(clean, categories=None), series, queries)
    if column.kind is Kind.TEXT:
        is_missing = noisy_counts(FORMS, column, series.is_null().to_numpy(), 2, queries)
        return replace(clean, nullable=is_missing.is_found(1))
    if column.kind is Kind.IDENTIFIER:
        return _identifier(clean, series, queries)
    if column.dtype == "bool":
        codes = series.cast(pl.UInt8).fill_null(2).to_numpy()
        is_nullable = noisy_counts(FORMS, column, codes, 3, queries).is_found(2)
        known = None if column.kind is Kind.BOOLEAN else (False, True)
        return replace(clean, categories=known, nullable=is_nullable)
    found = queries.frequent_levels(LEVELS, sound_cells(column, series), (column.name,))
    return replace(clean, categories=_levels(column, found), nullable=_is_nullable(found))


def _identifier(column: Column, series: pl.Series, queries: NoisyQueries) -> Column:
    """Unique where no more rows lack a name of their own than noise explains, none is missing, and it may be."""
    is_missing = noisy_counts(FORMS, column, series.is_null().to_numpy(), 2, queries)
    distinct = queries.distinct_count(FORMS, series, (column.name,))
    n_repeated = is_missing.noisy[0] - float(distinct.values)
    is_repeated = n_repeated > grids.significant(is_missing.deviation, 1, n_summed=2)
    is_nullable = is_missing.is_found(1)
    is_unique = may_say_unique(column) and not (is_repeated or is_nullable)
    return replace(column, format=None, nullable=is_nullable, unique=is_unique)


def _is_nullable(found: Levels) -> bool:
    return found.n_null > grids.significant(found.variance**0.5, 1)


def _levels(column: Column, found: Levels) -> tuple[Scalar, ...]:
    """Released levels in their order; two of a boolean's; a placeholder where there is none."""
    values = found.values
    if column.kind is Kind.BOOLEAN and len(values) > 2:
        values = values.gather(np.sort(np.argsort(-found.counts, kind="stable")[:2]))
    ascending = Cells(column.name, column.dtype, values, values, nullable=False).categorical().categories
    levels: tuple[Scalar, ...] = tuple(dict.fromkeys(ascending or ()))
    if column.kind is Kind.ORDINAL and column.dtype == "string":
        levels = in_order([str(level) for level in levels]) or levels
    return levels or (_placeholder(column),)


def _placeholder(column: Column) -> Scalar:
    placeholders: dict[str, Scalar] = {
        "integer": 0,
        "number": 0.0,
        "boolean": False,
        "string": "other",
        "date": dt.date(2000, 1, 1),
        "datetime": dt.datetime(2000, 1, 1),  # noqa: DTZ001  # levels have no zone
        "duration": dt.timedelta(0),
    }
    return placeholders[stored_type(column.dtype)]
