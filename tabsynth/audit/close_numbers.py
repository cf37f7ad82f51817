"""Numbers that a release holds of somebody, equal or nearly so, each column for itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.proximity import is_copy
from tabsynth.metrics.samples import numbers_of

Scores = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

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


def own_closeness(table: EncodedTable) -> Scores:
    """The same of each row's numbers to those of all other rows of `table`; shape (n_rows,)."""
    score = np.zeros(table.n_rows)
    for column in table.columns.values():
        if column.variable.is_continuous:
            number = np.flatnonzero(column.codes == 0)
            known, place, counts = np.unique(numbers_of(column), return_inverse=True, return_counts=True)
            alone = counts[place] == 1
            score[number] += _score(known, known[place], place - alone, place + alone)
    return score


def _closeness(column: EncodedColumn, other: EncodedColumn) -> Scores:
    """−log of the share of the gap; 0 where either side has no number."""
    known = np.unique(numbers_of(other))
    number = np.flatnonzero(column.codes == 0)
    value = numbers_of(column)
    score = np.zeros(len(column.codes))
    below = np.searchsorted(known, value, side="right") - 1
    score[number] = _score(known, value, below, np.searchsorted(known, value, side="left"))
    return score


def _score(
    known: npt.NDArray[np.number], value: npt.NDArray[np.number], below: Places, above: Places
) -> Scores:
    """Of values between the `known` numbers of those places; beyond either end the last gap is the scale."""
    n = len(known)
    if n < 2:
        equal = (below == above) & (below >= 0) & (above < n)
        return np.where(equal, -np.log(CLOSEST), 0.0)
    line, value = known.astype(np.float64), value.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (line[np.clip(place, 0, n - 1)] for place in (below, above))
        away = np.minimum(
            np.where(below >= 0, np.abs(value - low), np.inf),
            np.where(above < n, np.abs(high - value), np.inf),
        )
        start = np.where(below < 0, above, np.where(above >= n, below - 1, below))
        end = np.where(below < 0, above + 1, np.where(above >= n, below, above))
        gap = line[np.clip(end, 0, n - 1)] - line[np.clip(start, 0, n - 1)]
        share = np.where(gap > 0, 2.0 * away / np.where(gap > 0, gap, 1.0), 1.0)
        share = np.where(below == above, 0.0, share)
    score: Scores = -np.log(np.clip(np.nan_to_num(share, nan=1.0, posinf=1.0), CLOSEST, 1.0))
    return score
