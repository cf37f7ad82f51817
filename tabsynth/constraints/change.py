"""What rules did to fidelity: rows as the model made them beside the same rows once they keep the rules.

Both sides are rows that the model made, so nothing here reads a real one. Of each rule only rows in which one of its columns
changed are counted, whatever other rules did to others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Mask
from tabsynth.constraints.cells import number
from tabsynth.schema.types import Column, TableSchema

_INTERVALS = 10
_Numbers = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of a rule's columns over `n_rows` rows; distances in [0, 1].

    `shape` is that of the column that changed most: the Kolmogorov-Smirnov distance of numbers and times, whose nulls and special
    values count as one value, the total variation of others. `trend` is the mean total variation of the pairs of a column of the rule
    with one outside it over the rows where the rule's own changed, numbers in ten intervals; None where no column is outside. Columns that are made anew are left out.
    """

    shape: float
    trend: float | None
    n_rows: int


def changes(
    made: pl.DataFrame, final: pl.DataFrame, schema: TableSchema, rules: Sequence[Collection[str]]
) -> list[Change]:
    """What became of the columns of each rule between the rows `made` and the `final` ones, row by row the same."""
    columns = [column for column in schema.columns if column.kind.is_modelled]
    moved = {column.name: made[column.name].ne_missing(final[column.name]).to_numpy() for column in columns}
    edges = {column.name: _edges(made, column) for column in columns if column.kind.is_continuous}
    return [_change(made, final, columns, rule, moved, edges) for rule in rules]


def _change(
    made: pl.DataFrame,
    final: pl.DataFrame,
    columns: Sequence[Column],
    rule: Collection[str],
    moved: Mapping[str, Mask],
    edges: Mapping[str, _Numbers],
) -> Change:
    inside = [column for column in columns if column.name in rule]
    outside = [column for column in columns if column.name not in rule]
    n = made.height
    if not inside or not n:
        return Change(shape=0.0, trend=None, n_rows=n)
    is_moved = np.any([moved[column.name] for column in inside], axis=0)
    one, other = made.filter(is_moved), final.filter(is_moved)
    shape = max(_shape(one, other, column) for column in inside) / n
    codes = {column.name: _codes(one, other, column, edges) for column in columns}
    across = [_variation(codes[a.name], codes[b.name], one.height) / n for a in inside for b in outside]
    return Change(shape=shape, trend=float(np.mean(across)) if across else None, n_rows=n)


def _shape(one: pl.DataFrame, other: pl.DataFrame, column: Column) -> float:
    """How far apart the changed rows are in a column, in rows."""
    if column.kind.is_continuous:
        values = np.concatenate([_numbers(one, column), _numbers(other, column)])
        _, place = np.unique(values, return_inverse=True)
        signs = np.repeat([1.0, -1.0], one.height)
        return float(np.abs(np.cumsum(np.bincount(place, weights=signs))).max(initial=0.0))
    levels = _levels(one[column.name], other[column.name])
    return _variation(levels, np.zeros_like(levels), one.height)


def _edges(made: pl.DataFrame, column: Column) -> _Numbers:
    """Where intervals of a column end, each with about as many of the rows."""
    values = _numbers(made, column)
    there = values[~np.isnan(values)]
    return np.unique(np.quantile(there, np.arange(1, _INTERVALS) / _INTERVALS)) if len(there) else there


def _codes(one: pl.DataFrame, other: pl.DataFrame, column: Column, edges: Mapping[str, _Numbers]) -> _Codes:
    """Cells before and then after, as codes from 0: levels, or intervals of numbers, missing ones in one of their own."""
    if not column.kind.is_continuous:
        return _levels(one[column.name], other[column.name])
    both = np.concatenate([_numbers(one, column), _numbers(other, column)])
    ends = edges[column.name]
    return np.where(np.isnan(both), len(ends) + 1, np.searchsorted(ends, both, side="right"))


def _variation(first: _Codes, second: _Codes, n: int) -> float:
    """Half the sum of what the counts of pairs of codes differ by between the first `n` rows and the others, in rows."""
    cells = first * (int(second.max(initial=0)) + 1) + second
    _, place = np.unique(cells, return_inverse=True)
    signs = np.repeat([1.0, -1.0], [n, len(cells) - n])
    return float(np.abs(np.bincount(place, weights=signs)).sum()) / 2


def _levels(one: pl.Series, other: pl.Series) -> _Codes:
    return pl.concat([one, other]).cast(pl.String).rank("dense").fill_null(0).cast(pl.Int64).to_numpy()


def _numbers(frame: pl.DataFrame, column: Column) -> _Numbers:
    cells = frame.select(number(column).to_physical().cast(pl.Float64)).to_series()
    return cells.fill_null(np.nan).to_numpy()
