"""Every kind of rule as a `Constraint`: which rows of a table break it.

A comparison with a null is neither true nor false and breaks nothing (ISO 9075: a CHECK fails only where it
is false). Formulas and sums agree to a billionth of their size where no tolerance is stated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from tabsynth.constraints.base import ComputedConstraint, Constraint, Mask, RowConstraint, TableConstraint
from tabsynth.constraints.cells import Combined, number
from tabsynth.errors import UsageError
from tabsynth.schema.expressions import columns_in, expression
from tabsynth.schema.rules import (
    AnyRule,
    Check,
    Combinations,
    Conditional,
    Dependency,
    Exactly,
    Exclusive,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    Mapped,
    Monotone,
    NullsTogether,
    Range,
    Sum,
    Unique,
    mapped_columns,
    title_of,
)
from tabsynth.schema.types import Column, Kind, TableSchema

_RELATIVE = 1e-9


def constraint_of(rule: AnyRule, schema: TableSchema) -> Constraint:
    """The rule, to be held against tables of `schema`."""
    return _MAKERS[type(rule)](rule, schema)


def constraints_of(schema: TableSchema) -> tuple[Constraint, ...]:
    """All rules of a table, in order."""
    return tuple(constraint_of(rule, schema) for rule in schema.constraints)


def is_per_row(rule: AnyRule) -> bool:
    """Whether a row alone says if it breaks the rule."""
    if isinstance(rule, (Combinations, Hierarchy, Dependency)):
        return rule.rows is not None
    return not isinstance(rule, (Unique, Monotone))


def computed_value(rule: Formula | Sum, schema: TableSchema) -> pl.Expr:
    """What a formula or a sum gives, rounded as its column is written; null where it gives no number."""
    column = schema[rule.column]
    if isinstance(rule, Sum):
        parts = [number(schema[name]) for name in rule.parts]
        if column.kind is not Kind.DURATION:  # the sum of two int8 is an int8, and wraps
            parts = [part.cast(pl.Float64) for part in parts]
        total = functools.reduce(lambda one, other: one + other, parts)
        return total if column.kind is Kind.DURATION else _rounded(total, column, None)
    value = expression(rule.sql, schema).cast(pl.Float64, strict=False).fill_nan(None)
    return _rounded(value, column, rule.decimals)


def _rounded(value: pl.Expr, column: Column, decimals: int | None) -> pl.Expr:
    digits = column.decimals if column.kind is Kind.NUMBER else 0
    if decimals is not None:
        digits = decimals if digits is None else min(decimals, digits)
    return value if digits is None else value.round(digits)


def _range(rule: Range, schema: TableSchema) -> Constraint:
    cells = number(schema[rule.column])
    broken = pl.lit(value=False)
    if rule.lower is not None:
        broken = broken | (cells <= rule.lower if rule.strict else cells < rule.lower)
    if rule.upper is not None:
        broken = broken | (cells >= rule.upper if rule.strict else cells > rule.upper)
    return RowConstraint(rule, (rule.column,), broken)


def _inequality(rule: Inequality, schema: TableSchema) -> Constraint:
    """Each column against all before it, so that a null in between hides nothing."""
    cells = [number(schema[name]) for name in rule.columns]
    broken = pl.lit(value=False)
    for last in range(1, len(cells)):
        for first in range(last):
            one, other = cells[first], cells[last]
            broken = broken | (one >= other if rule.strict else one > other).fill_null(value=False)
    return RowConstraint(rule, rule.columns, broken)


def _off(rule: Formula | Sum, schema: TableSchema) -> Constraint:
    column = schema[rule.column]
    told, value = number(column), computed_value(rule, schema)
    names = rule.parts if isinstance(rule, Sum) else columns_in(rule.sql)
    if column.kind is Kind.DURATION:
        seconds = (told - value).dt.total_microseconds().abs() / 1e6
        broken = seconds > (rule.tolerance or 0.0)
    else:
        size = pl.max_horizontal(value.abs(), pl.lit(1.0)) * _RELATIVE
        allowed = size if rule.tolerance is None else pl.lit(rule.tolerance) + size
        broken = ((told.cast(pl.Float64) - value).abs() > allowed) | value.is_infinite()
    return RowConstraint(rule, (rule.column, *names), broken)


def _mapping(rule: Mapped, schema: TableSchema) -> Constraint:
    names = mapped_columns(rule)
    if rule.rows is None:
        return TableConstraint(rule, names, lambda frame: _undetermined(rule, frame))
    known = Combined(tuple(schema[name] for name in names), rule.rows)
    return ComputedConstraint(rule, names, lambda frame: known.codes(frame) < 0)


def _undetermined(rule: Mapped, frame: pl.DataFrame) -> Mask:
    """Rows that differ from most of those with the same determinant; no rule without rows breaks combinations."""
    broken = np.zeros(frame.height, dtype=np.bool_)
    pairs: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    if isinstance(rule, Dependency):
        pairs = [(rule.columns, rule.determines)]
    elif isinstance(rule, Hierarchy):
        pairs = [((one,), (other,)) for one, other in pairwise(rule.columns)]
    for left, right in pairs:
        counted = frame.select(
            rank=pl.struct(left).rank("dense"), whole=pl.struct(*left, *right).rank("dense")
        ).with_columns(n=pl.len().over("whole"))
        most = counted.select(
            pl.col("whole")
            != pl.col("whole").sort_by("n", "whole", descending=[True, False]).first().over("rank")
        ).to_series()
        broken |= most.to_numpy()
    return broken


def _exactly(rule: Exactly, _schema: TableSchema) -> Constraint:
    flags = [
        pl.col(name).cast(pl.Float64).eq(1.0).fill_null(value=False).cast(pl.Int32) for name in rule.columns
    ]
    return RowConstraint(rule, rule.columns, pl.sum_horizontal(flags) != rule.count)


def _conditional(rule: Conditional, schema: TableSchema) -> Constraint:
    texts = [rule.condition, rule.then, *([rule.otherwise] if rule.otherwise is not None else [])]
    when = expression(rule.condition, schema).fill_null(value=False)
    broken = when & ~expression(rule.then, schema).fill_null(value=True)
    if rule.otherwise is not None:
        broken = broken | (~when & ~expression(rule.otherwise, schema).fill_null(value=True))
    names = dict.fromkeys(name for text in texts for name in columns_in(text))
    return RowConstraint(rule, tuple(names), broken)


def _nulls_together(rule: NullsTogether, _schema: TableSchema) -> Constraint:
    n_null = pl.sum_horizontal(pl.col(name).is_null().cast(pl.Int32) for name in rule.columns)
    return RowConstraint(rule, rule.columns, (n_null > 0) & (n_null < len(rule.columns)))


def _exclusive(rule: Exclusive, _schema: TableSchema) -> Constraint:
    n_there = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int32) for name in rule.columns)
    return RowConstraint(rule, rule.columns, n_there > 1)


def _expression(rule: Expression, schema: TableSchema) -> Constraint:
    return RowConstraint(rule, columns_in(rule.sql), ~expression(rule.sql, schema))


def _check(rule: Check, _schema: TableSchema) -> Constraint:
    def broken(frame: pl.DataFrame) -> Mask:
        found = np.asarray(rule.function(frame.select(rule.columns)))
        if found.shape != (frame.height,) or found.dtype != np.bool_:
            raise UsageError(
                f"the function of rule {title_of(rule)!r} gives true or false for each row: expected "
                f"{frame.height} booleans, found shape {found.shape} of {found.dtype}"
            )
        return ~found

    return ComputedConstraint(rule, rule.columns, broken)


def _unique(rule: Unique, _schema: TableSchema) -> Constraint:
    def broken(frame: pl.DataFrame) -> Mask:
        key = frame.select(rule.columns)
        is_whole = key.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
        is_first = key.select(pl.struct(pl.all()).is_first_distinct()).to_series()
        return (is_whole & ~is_first).to_numpy()

    return TableConstraint(rule, rule.columns, broken)


def _monotone(rule: Monotone, schema: TableSchema) -> Constraint:
    value = number(schema[rule.column]).alias("value")
    physical = pl.Float64 if schema[rule.column].kind is Kind.NUMBER else pl.Int64
    names = [rule.column, *rule.within, *([rule.along] if rule.along else [])]

    along = order_of(rule, schema)

    def broken(frame: pl.DataFrame) -> Mask:
        rows = frame.select(value, along=along, row=pl.int_range(pl.len()), group=_group(rule))
        rows = rows.filter(pl.col("value").is_not_null() & pl.col("along").is_not_null())
        rows = rows.sort("along", "row", maintain_order=True)
        size = pl.col("value").to_physical().cast(physical)
        size = -size if rule.decreasing else size
        before = size.cum_max().shift(1).over("group")
        is_broken = (size <= before if rule.strict else size < before).fill_null(value=False)
        mask = np.zeros(frame.height, dtype=np.bool_)
        mask[rows.filter(is_broken)["row"].to_numpy()] = True
        return mask

    return TableConstraint(rule, tuple(names), broken)


def order_of(rule: Monotone, schema: TableSchema) -> pl.Expr:
    """What says in which order the rows of a group come."""
    if rule.along is None:
        return pl.int_range(pl.len())
    column = schema[rule.along]
    return number(column) if column.kind.is_continuous else pl.col(column.name)


def _group(rule: Monotone) -> pl.Expr:
    """A number for the group of each row."""
    return pl.struct(rule.within).rank("dense") if rule.within else pl.lit(0)


_MAKERS: Mapping[type[Any], Callable[[Any, TableSchema], Constraint]] = {
    Range: _range,
    Inequality: _inequality,
    Combinations: _mapping,
    Hierarchy: _mapping,
    Dependency: _mapping,
    Formula: _off,
    Sum: _off,
    Exactly: _exactly,
    Unique: _unique,
    Conditional: _conditional,
    NullsTogether: _nulls_together,
    Exclusive: _exclusive,
    Monotone: _monotone,
    Expression: _expression,
    Check: _check,
}
