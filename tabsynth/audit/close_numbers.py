"""Numbers that a release holds of somebody, equal or nearly so, each column for itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.proximity import is_copy
from tabsynth.metrics.samples import numbers_of

Scores = npt.NDArray[np.float64]

CLOSEST = 1e-3
"""Of a gap between two numbers: what lies nearer to an end than this is as near as can be."""


def has_numbers(table: EncodedTable) -> bool:
    """Whether a column of it is continuous."""
    return any(column.variable.is_continuous for column in table.columns.values())


def shared_numbers(queries: EncodedTable, *, of: EncodedTable) -> Scores:
    """In how many continuous columns the row's cell equals that of some row of `of`; shape (n_queries,)."""
    shared = np.zeros(queries.n_rows)
    for name, column in queries.columns.items():
        if column.variable.is_continuous:
            alone, known = (
                EncodedTable(table.n_rows, {name: table.columns[name]}) for table in (queries, of)
            )
            shared += is_copy(alone, of=known)
    return shared


def close_numbers(queries: EncodedTable, *, to: EncodedTable) -> Scores:
    """How much nearer than by chance the row's numbers lie to numbers of `to`, summed; shape (n_queries,).

    A number between two neighbours of `to` that nobody made from it lies anywhere between them: twice its
    distance to the nearer one, as a share of their gap, is uniform, and the score is −log of that share, at
    most −log `CLOSEST`. So it needs no scale, and a tiny error that is added to a copy does not hide it.
    """
    score = np.zeros(queries.n_rows)
    for name, column in queries.columns.items():
        if column.variable.is_continuous:
            score += _closeness(column, to.columns[name])
    return score


def _closeness(column: EncodedColumn, other: EncodedColumn) -> Scores:
    """−log of the share of the gap; 0 where either side has no number."""
    known = np.unique(numbers_of(other)).astype(np.float64)
    score = np.zeros(len(column.codes))
    if len(known) == 0:
        return score
    number = np.flatnonzero(column.codes == 0)
    value = column.as_float()[number]
    above = np.searchsorted(known, value)
    low, high = known[np.maximum(above - 1, 0)], known[np.minimum(above, len(known) - 1)]
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.minimum(np.abs(value - low), np.abs(high - value))
        # beyond either end the last gap is the scale
        first, last = (float(known[k + 1] - known[k]) if len(known) > 1 else 0.0 for k in (0, -2))
        gap = np.where(value < known[0], first, np.where(value > known[-1], last, high - low))
        share = np.where(away == 0, 0.0, np.where(gap > 0, 2.0 * away / np.where(gap > 0, gap, 1.0), 1.0))
    share = np.nan_to_num(share, nan=1.0, posinf=1.0)
    score[number] = -np.log(np.clip(share, CLOSEST, 1.0))
    return score
