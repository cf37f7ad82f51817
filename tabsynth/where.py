"""Conditions in a user's words, as cells that a model can be held at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.table import encoder_of
from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Column, Kind, TableSchema


def conditions_of(where: Mapping[str, Any], schema: TableSchema) -> tuple[Condition, ...]:
    """Each column held at its value; None means null, text is read as the column is stored.

    Raises `ConditionError` listing every column that is not modelled, cannot hold a value of that type
    or that precision, or never holds that value. A date and time without a zone is local to its column.
    """
    conditions, faults = [], []
    for name, value in where.items():
        if name not in schema:
            faults.append(f"no column {name!r} ({did_you_mean(name, schema.column_names)})")
            continue
        if not schema[name].kind.is_modelled:
            faults.append(
                f"{name!r} is not modelled: a column of kind {schema[name].kind.value} is made anew"
            )
            continue
        found = _condition(schema[name], value)
        if isinstance(found, str):
            faults.append(f"{name!r} {found}")
        else:
            conditions.append(found)
    if faults:
        raise ConditionError("the condition cannot be met: " + "; ".join(faults))
    return tuple(conditions)


def cells_of(where: Mapping[str, Any], schema: TableSchema) -> dict[str, pl.Series]:
    """The cells of conditions that `conditions_of` has found to be sound, each as a series of one."""
    return {name: _cell(schema[name], value) for name, value in where.items()}


def _condition(column: Column, value: Any) -> Condition | str:
    """The condition, or what is wrong with it."""
    encoder = encoder_of(column)
    assert encoder is not None
    try:
        cell = _cell(column, value)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        return f"cannot hold a value of this type (expected {column.dtype})"
    if not isinstance(encoder, ContinuousEncoder):
        code = int(encoder.encode(cell)[0])
        if code >= encoder.variable.n_levels:
            return "never holds that value: it is outside the declared domain"
        return Condition(column=column.name, code=code)
    codes, values = encoder.encode(cell)
    if int(codes[0]) >= encoder.variable.n_levels:
        return "never holds that value: it is outside the declared domain"
    held = encoder.decode(codes, values)
    if codes[0] == 0 and column.dtype != "string" and not _same(held, cell):
        return (
            "never holds that value: it is finer than the column's decimals or resolution, or out of bounds"
        )
    return Condition(column=column.name, code=int(codes[0]), value=values[0].item())


def _cell(column: Column, value: Any) -> pl.Series:
    wanted = polars_dtype(column)
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
