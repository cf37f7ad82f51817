"""Conditions in a user's words, as sets of cells that a model can keep to.

A column is asked for one cell (`"Female"`; None, NaN or `pd.NA` for null), for any of several (a list, a set, a series), or by
comparisons, which must all hold: `{">=": 18, "<": 65}`, `{"!=": None}`, `{"not in": ["a", "b"]}`. A range speaks of numbers and times alone: null and special
values are in none. What `!=` and `not in` name is left out and nothing else, so null stays unless it is named.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import polars as pl

from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.discrete import PresenceEncoder, declared_levels
from tabsynth.encode.table import Encoder, encoder_of
from tabsynth.errors import ConditionError
from tabsynth.models.condition import Condition
from tabsynth.models.spans import LATTICE, LINE, Span, complement, meet, union
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Column, Kind, TableSchema

RANGES = ("<", "<=", ">", ">=")
COMPARISONS = ("=", "!=", *RANGES, "in", "not in")
_TRUTHS = {"true": True, "false": False}
_SEVERAL = (list, tuple, set, frozenset)
_NO_CELLS = frozenset({"NAType", "NaTType"})
"""pandas' own nulls, by their types' names: pandas need not be installed."""
_OUTSIDE = "never holds that value: it is outside the declared domain"


class _Fault(Exception):  # noqa: N818  # never leaves this file
    """What is wrong with a condition, in words that follow the column's name."""


def conditions_of(where: Mapping[str, Any], schema: TableSchema) -> tuple[Condition, ...]:
    """Each column within the cells that are asked for; text is read as the column is stored.

    Raises `ConditionError` listing every column that is not modelled, cannot hold a value of that type
    or that precision, or never holds what is asked for. A date and time without a zone is local to its column.
    """
    conditions, faults = [], []
    for name, wanted in where.items():
        if name not in schema:
            faults.append(f"no column {name!r} ({did_you_mean(name, schema.column_names)})")
            continue
        try:
            conditions.append(_condition(schema[name], wanted))
        except _Fault as fault:
            faults.append(f"{name!r} {fault}")
    if faults:
        raise ConditionError("the condition cannot be met: " + "; ".join(faults))
    return tuple(conditions)


def _condition(column: Column, wanted: Any) -> Condition:
    encoder = encoder_of(column)
    comparisons = _comparisons(wanted, column)
    is_null = comparisons in ([("=", None)], [("!=", None)])
    if encoder is None or (isinstance(encoder, PresenceEncoder) and not is_null):
        raise _Fault(f"is not modelled: a column of kind {column.kind.value} is made anew")
    codes = set(range(encoder.variable.n_levels))
    spans: tuple[Span, ...] = LATTICE if encoder.variable.is_lattice else LINE
    for comparison, value in comparisons:
        some, within = _cells_that(comparison, value, column, encoder)
        codes, spans = codes & some, meet(spans, within)
    if not encoder.variable.is_continuous:
        spans = ()
    else:
        spans = _in_bounds(spans, encoder)
        codes = codes if spans else codes - {0}
        spans = spans if 0 in codes else ()
    if not codes:
        raise _Fault("never meets that: no cell of its declared domain does")
    return Condition(column=column.name, codes=tuple(sorted(codes)), spans=spans)


def _in_bounds(spans: tuple[Span, ...], encoder: Encoder) -> tuple[Span, ...]:
    """What declared bounds leave; the whole line or lattice stays what it is."""
    variable = encoder.variable
    if spans in (LINE, LATTICE) or variable.lower is None or variable.upper is None:
        return spans
    return meet(spans, ((variable.lower, variable.upper),))


def _comparisons(wanted: Any, column: Column) -> list[tuple[str, Any]]:
    if isinstance(wanted, Mapping):
        unknown = [str(key) for key in wanted if key not in COMPARISONS]
        if unknown or not wanted:
            found = ", ".join(unknown) or "none"
            raise _Fault(f"expects comparisons by {' '.join(COMPARISONS)}, found {found}")
        return [(comparison, _plain(value)) for comparison, value in wanted.items()]
    if isinstance(wanted, tuple) and len(wanted) == 2 and column.kind.is_continuous:
        raise _Fault(
            'expects a list for any of two values, or {">=": …, "<=": …} for what lies between them, found a tuple'
        )
    found = _plain(wanted)
    return [("in" if isinstance(found, list) else "=", found)]


def _plain(value: Any) -> Any:
    """A value, or several as a list, with None in the place of what stands for null in pandas and numpy."""
    if isinstance(value, _SEVERAL):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist") and getattr(value, "ndim", None):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, pl.Series):
        return [_plain(one) for one in value.to_list()]
    is_nan = isinstance(value, (float, np.floating)) and bool(np.isnan(value))
    is_no_time = isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value))
    return None if is_nan or is_no_time or type(value).__name__ in _NO_CELLS else value


Cells = tuple[set[int], tuple[Span, ...]]


def _cells_that(comparison: str, value: Any, column: Column, encoder: Encoder) -> Cells:
    """The codes and spans for which a comparison holds."""
    if comparison in RANGES and value is None:
        raise _Fault(f"cannot be compared with null by {comparison!r}")
    if comparison in RANGES:
        return _range(comparison, value, column, encoder)
    values = [value] if comparison in ("=", "!=") else value
    if not isinstance(values, list):
        raise _Fault(f"expects a list of values after {comparison!r}")
    is_lattice, is_exclusion = encoder.variable.is_lattice, comparison in ("!=", "not in")
    if is_exclusion and encoder.variable.null_code is None:
        values = [one for one in values if one is not None]  # which it never is
    found = [_exact(column, encoder, one) for one in values]
    codes, numbers = {code for code, _ in found}, [number for _, number in found if number is not None]
    if not is_exclusion:
        return codes, union([(number, number) for number in numbers], is_lattice=is_lattice)
    every = set(range(encoder.variable.n_levels))
    left = every - (codes - {0} if encoder.variable.is_continuous else codes)
    return left, complement(numbers, is_lattice=is_lattice)


def _exact(column: Column, encoder: Encoder, value: Any) -> tuple[int, int | float | None]:
    """The code of one cell, and its number where it is one."""
    if isinstance(encoder, PresenceEncoder):
        return 1, None
    try:
        cell = cell_of(column, value)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError, KeyError):
        raise _Fault(f"cannot hold a value of this type (expected {column.dtype})") from None
    if not isinstance(encoder, ContinuousEncoder):
        code = int(encoder.encode(cell)[0])
        if code >= encoder.variable.n_levels:
            raise _Fault(_OUTSIDE)
        return code, None
    codes, values = encoder.encode(cell)
    if int(codes[0]) >= encoder.variable.n_levels:
        raise _Fault(_OUTSIDE)
    if codes[0] == 0 and column.dtype != "string" and not _same(encoder.decode(codes, values), cell):
        raise _Fault(
            "never holds that value: it is finer than the column's decimals or resolution, or out of bounds"
        )
    return int(codes[0]), None if codes[0] else values[0].item()


def cell_of(column: Column, value: Any) -> pl.Series:
    """One cell as the column is stored; raises what polars raises where it cannot be."""
    wanted = polars_dtype(column)
    if isinstance(value, str) and wanted == pl.Date:
        value = dt.date.fromisoformat(value)
    elif isinstance(value, str) and isinstance(wanted, pl.Datetime):
        value = dt.datetime.fromisoformat(value)
    elif isinstance(value, str) and wanted == pl.Boolean:
        return pl.Series([_TRUTHS[value.strip().lower()]], dtype=wanted)
    if isinstance(value, str):
        return pl.Series([value], dtype=pl.String).cast(wanted)
    if (
        isinstance(value, dt.datetime)
        and value.tzinfo is None
        and column.kind is Kind.DATETIME
        and column.timezone
    ):
        return pl.Series([value]).cast(pl.Datetime("us")).dt.replace_time_zone(column.timezone).cast(wanted)
    return pl.Series([value], dtype=wanted)


def _same(held: pl.Series, asked: pl.Series) -> bool:
    if held.dtype.is_float():  # a lattice value need not be written with the same last bit
        return bool(abs(held[0] - asked[0]) <= 1e-9 * max(1.0, abs(asked[0])))
    return bool(held[0] == asked[0])


def _range(comparison: str, value: Any, column: Column, encoder: Encoder) -> Cells:
    if not isinstance(encoder, ContinuousEncoder):
        if column.kind is not Kind.ORDINAL:
            raise _Fault(f"has no order, which {comparison!r} needs: name the values instead")
        at, _ = _exact(column, encoder, value)
        kept = {"<": range(at), "<=": range(at + 1)}
        n = len(declared_levels(column))
        return set(kept.get(comparison, range(at + (comparison == ">"), n))), ()
    try:
        low, high = _ends(comparison, value, column, encoder)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError, InvalidOperation):
        raise _Fault(f"cannot be compared with a value of this type (expected {column.dtype})") from None
    return {0}, ((low, high),) if low <= high else ()


def _ends(comparison: str, value: Any, column: Column, encoder: ContinuousEncoder) -> Span:
    """The numbers that lie on one side of a bound, which need not be one that the column can hold."""
    is_strict, is_below = comparison in "<>", comparison in ("<", "<=")
    if not encoder.variable.is_lattice:
        return _on_line(float(_number(value)), column, is_below=is_below, is_strict=is_strict)
    exact = _position(value, column, encoder)
    if is_below:
        high = math.floor(exact)
        high = high - 1 if is_strict and high == exact else high
        return LATTICE[0][0], max(min(high, LATTICE[0][1]), LATTICE[0][0] - 1)
    low = math.ceil(exact)
    low = low + 1 if is_strict and low == exact else low
    return min(max(low, LATTICE[0][0]), LATTICE[0][1] + 1), LATTICE[0][1]


def _on_line(bound: float, column: Column, *, is_below: bool, is_strict: bool) -> Span:
    """As above, on the line: the nearest number of the stored type that meets the comparison is the end."""
    if math.isnan(bound):
        raise ValueError("not a number")
    dtype = np.float32 if column.dtype == "float32" else np.float64
    with np.errstate(over="ignore"):
        near = dtype(bound)
    beyond = float(near) > bound if is_below else float(near) < bound
    if beyond or (is_strict and float(near) == bound):
        near = np.nextafter(near, dtype(-np.inf if is_below else np.inf))
    return (-math.inf, float(near)) if is_below else (float(near), math.inf)


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("not a number")
    number = Decimal(str(value.item() if isinstance(value, np.generic) else value).strip())
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def _position(value: Any, column: Column, encoder: ContinuousEncoder) -> Decimal:
    """A bound in steps of the column's lattice, exact."""
    if column.kind in (Kind.INTEGER, Kind.NUMBER):
        return _number(value).scaleb(column.decimals or 0)
    plain = replace(column, resolution=None, bounds=None)
    is_text = isinstance(value, str) or polars_dtype(column) != pl.String
    cell = cell_of(column, value) if is_text else pl.Series([value])
    [number] = ContinuousEncoder(plain).numbers(cell)
    if number is None:
        raise ValueError("not of the column's format")
    finer = ContinuousEncoder(plain).ticks
    return Decimal(number * finer) / Decimal(encoder.ticks)
