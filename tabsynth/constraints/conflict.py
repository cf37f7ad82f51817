"""Which rules and conditions exclude one another: decided by listing all rows that the domains of their columns allow.

Where these are at most `MOST_ROWS` the answer is exact, and so is the smallest set: of claims that no listed row keeps together, none
can be left out. Where they are more, or a domain cannot be listed, it is not decided, and nothing is said to exclude anything.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tabsynth.constraints.base import Constraint, Mask
from tabsynth.constraints.cells import levels_of
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Column, Kind, TableSchema

MOST_ROWS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """What a row keeps or breaks, in words; `broken` marks the rows of a frame that break it."""

    title: str
    columns: tuple[str, ...]
    broken: Callable[[pl.DataFrame], Mask]


def claim_of(constraint: Constraint) -> Claim:
    """A rule of single rows as a claim."""
    return Claim(title_of(constraint.rule), constraint.columns, constraint.violations)


def judged(core: Sequence[Claim], kept: Sequence[Claim], schema: TableSchema) -> tuple[str, ...] | None:
    """The titles of claims that exclude one another, each of them needed: of `core` and of those `kept` that share columns with it, near or far.

    Empty where some row keeps them all; None where that is not decided. Claims are taken in from `core` outwards, so that a
    conflict of few columns is found beside columns that cannot be listed.
    """
    columns = _columns(core)
    while True:
        taken = [*(one for one in kept if set(one.columns) <= columns.keys()), *core]
        rows = every_row([*columns], schema)
        if rows is None:
            return None
        broken = {id(one): one.broken(rows) for one in taken}
        if _exclude(taken, broken):
            return _needed(taken, broken)
        wider = columns | _columns([one for one in kept if columns.keys() & set(one.columns)])
        if wider.keys() == columns.keys():
            return ()
        columns = wider


def near(core: Sequence[Claim], kept: Sequence[Claim]) -> list[Claim]:
    """Of `kept` the claims that share columns with `core`, or with others of them that do."""
    found: list[Claim] = []
    while True:
        columns = _columns([*core, *found])
        more = [one for one in kept if one not in found and columns.keys() & set(one.columns)]
        if not more:
            return found
        found += more


def _columns(claims: Sequence[Claim]) -> dict[str, None]:
    return dict.fromkeys(name for one in claims for name in one.columns)


def _exclude(claims: Sequence[Claim], broken: Mapping[int, Mask]) -> bool:
    return bool(claims) and bool(np.logical_or.reduce([broken[id(one)] for one in claims]).all())


def _needed(claims: Sequence[Claim], broken: Mapping[int, Mask]) -> tuple[str, ...]:
    """The titles of claims that exclude one another still, none of which can be left out."""
    left = list(claims)
    for one in claims:
        without = [other for other in left if other is not one]
        if _exclude(without, broken):
            left = without
    return tuple(one.title for one in left)


def every_row(names: Sequence[str], schema: TableSchema) -> pl.DataFrame | None:
    """All rows that the domains of these columns allow; None for too many, or where a domain cannot be listed."""
    sizes, cells = [], []
    for name in names:
        column = schema[name]
        n_cells = _n_cells(column)
        if n_cells is None or n_cells > MOST_ROWS:
            return None
        sizes.append(n_cells)
        if math.prod(sizes) > MOST_ROWS:
            return None
        cells.append(_cells(column))
    places = np.unravel_index(np.arange(math.prod(sizes)), sizes) if sizes else ()
    return pl.DataFrame([one.gather(place) for one, place in zip(cells, places, strict=True)])


def _lattice(column: Column) -> tuple[int, int, int] | None:
    """The first and the last step of a column of numbers or days, and its decimals; None where there are no steps."""
    wanted = polars_dtype(column)
    if column.bounds is None:
        return None
    low: Any
    high: Any
    low, high = column.bounds
    if column.kind is Kind.INTEGER and wanted.is_integer():
        return math.ceil(low), math.floor(high), 0
    if column.kind is Kind.DATE and wanted == pl.Date:
        return low.toordinal(), high.toordinal(), 0
    if column.kind is Kind.NUMBER and column.decimals is not None and wanted == pl.Float64:
        scale = 10**column.decimals
        return round(low * scale), round(high * scale), column.decimals
    return None


def _n_cells(column: Column) -> int | None:
    """How many cells a column may hold, null among them."""
    if column.kind.is_discrete:
        levels = levels_of(column)
        return len(levels) if levels else None
    steps = _lattice(column)
    if steps is None:
        return None
    return steps[1] - steps[0] + 1 + len(column.special_values) + column.nullable


def _cells(column: Column) -> pl.Series:
    """Every cell that a column may hold; there are such."""
    wanted, name = polars_dtype(column), column.name
    levels, steps = levels_of(column), _lattice(column)
    if levels:
        return pl.Series(name, list(levels), dtype=wanted, strict=False)
    assert steps is not None
    first, last, decimals = steps
    if column.kind is Kind.DATE:
        cells = pl.Series(name, [dt.date.fromordinal(day) for day in range(first, last + 1)], dtype=wanted)
    else:
        cells = pl.Series(name, np.arange(first, last + 1) / 10**decimals).round(decimals)
        cells = cells.cast(wanted)
    extra = [*column.special_values, *([None] if column.nullable else [])]
    return pl.concat([cells, pl.Series(name, extra, dtype=wanted, strict=False)])
