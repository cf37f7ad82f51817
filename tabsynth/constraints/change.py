"""What rules did to fidelity: rows as the model made them beside the same rows once they keep the rules.

Both sides are rows that the model made, so nothing here reads a real one. Only rows in which a cell changed are counted:
in all others both sides agree, so that they cancel.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

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
    with one outside it, numbers in ten intervals; None where no column is outside. Columns that are made anew are left out.
    """

    shape: float
    trend: float | None
    n_rows: int


def changes(
    made: pl.DataFrame, final: pl.DataFrame, schema: TableSchema, rules: Sequence[Collection[str]]
) -> list[Change]:
    """What became of the columns of each rule between the rows `made` and the `final` ones, row by row the same."""
    n = made.height
    columns = [column for column in schema.columns if column.kind.is_modelled]
    names = [column.name for column in columns]
    if not names:
        return [Change(shape=0.0, trend=None, n_rows=n) for _ in rules]
    is_moved = np.any([made[name].ne_missing(final[name]).to_numpy() for name in names], axis=0)
    one, other = made.filter(is_moved), final.filter(is_moved)
    shapes = {column.name: _shape(one, other, column) / max(n, 1) for column in columns}
    codes = {column.name: _codes(made, one, other, column) for column in columns}
    pairs: dict[frozenset[str], float] = {}

    def apart(pair: frozenset[str]) -> float:
        if pair not in pairs:
            first, second = sorted(pair)
            pairs[pair] = _variation(codes[first], codes[second], one.height) / max(n, 1)
        return pairs[pair]

    found = []
    for rule in rules:
        inside = [name for name in names if name in rule]
        across = [apart(frozenset((a, b))) for a in inside for b in names if b not in rule]
        shape = max((shapes[name] for name in inside), default=0.0)
        found.append(Change(shape=shape, trend=float(np.mean(across)) if across else None, n_rows=n))
    return found


def _shape(one: pl.DataFrame, other: pl.DataFrame, column: Column) -> float:
    """How far apart the changed rows are in a column, in rows."""
    if column.kind.is_continuous:
        values = np.concatenate([_numbers(one, column), _numbers(other, column)])
        _, place = np.unique(values, return_inverse=True)
        signs = np.repeat([1.0, -1.0], one.height)
        return float(np.abs(np.cumsum(np.bincount(place, weights=signs))).max(initial=0.0))
    levels = _levels(one[column.name], other[column.name])
    return _variation(levels, np.zeros_like(levels), one.height)


def _codes(made: pl.DataFrame, one: pl.DataFrame, other: pl.DataFrame, column: Column) -> _Codes:
    """Cells of the changed rows, before and then after, as codes from 0: intervals of numbers that the model made alike often."""
    if not column.kind.is_continuous:
        return _levels(one[column.name], other[column.name])
    values = _numbers(made, column)
    there = values[~np.isnan(values)]
    edges = np.unique(np.quantile(there, np.arange(1, _INTERVALS) / _INTERVALS)) if len(there) else there
    both = np.concatenate([_numbers(one, column), _numbers(other, column)])
    return np.where(np.isnan(both), len(edges) + 1, np.searchsorted(edges, both, side="right"))


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
