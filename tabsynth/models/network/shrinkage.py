"""Noisy pairs of columns, denoised by what pairs of the same columns have in common.

How far a pair's counts are from independence is a matrix: a row for every cell of one column, a column for
every cell of the other. The directions in which a column departs from independence are much the same beside
every other column, and few: income, hours and marital status all tell the same ages apart. So a pair's
matrix is taken as normal about 0 with a separable covariance, a matrix for each of its columns, learnt from
all pairs at once (empirical Bayes; the matrix normal of Dawid 1981), and replaced by its posterior mean.
All of it is post-processing of released numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.loglinear import Table

Floats = npt.NDArray[np.float64]

_OWN = 0.5  # weight of the pair's own directions against those its columns share with all pairs
_STANDS_OUT = 2.0  # deviations from what is expected, beyond which a coefficient is believed as it is


@dataclass(frozen=True, slots=True, eq=False)
class _Excess:
    """A pair's noisy counts as margins and `interaction`, whose rows and columns sum to 0."""

    margins: Floats
    interaction: Floats
    variance: float

    @classmethod
    def of(cls, table: Table, first: Floats, second: Floats) -> _Excess:
        independent = np.outer(first, second) / max(float(first.sum()), 1.0)
        rest = table.counts - independent
        interaction = rest - rest.mean(axis=0) - rest.mean(axis=1)[:, None] + rest.mean()
        return cls(table.counts - interaction, interaction, float(np.mean(table.variance)))

    def energy(self) -> float:
        """The sum of squares less what noise alone would give; at least 0."""
        freedom: int = (self.interaction.shape[0] - 1) * (self.interaction.shape[1] - 1)
        total = float(np.square(self.interaction).sum())
        return max(total - self.variance * freedom, 0.0)


def shrunk(pairs: Sequence[Table], columns: Sequence[Floats]) -> list[Table]:
    """The same pairs with less noise, in the same order.

    `columns[v]` ≥ 0 are denoised counts of the cells of column v. Margins of a pair stay as they were
    measured; exact tables (variance 0) come back as they are.
    """
    found = [_Excess.of(table, *(columns[v] for v in table.variables)) for table in pairs]
    together: dict[int, Floats] = {}
    for table, excess in zip(pairs, found, strict=True):
        first, second = table.variables
        for v, matrix in ((first, excess.interaction), (second, excess.interaction.T)):
            together[v] = together.get(v, 0.0) + _second_moment(matrix, excess.variance)
    shared = {v: _as_covariance(moment) for v, moment in together.items()}
    return [
        table if excess.variance <= 0 else _shrunk(table, excess, *(shared[v] for v in table.variables))
        for table, excess in zip(pairs, found, strict=True)
    ]


def _shrunk(table: Table, excess: _Excess, first: Floats, second: Floats) -> Table:
    left_share, left = _directions(first, excess.interaction, excess.variance)
    right_share, right = _directions(second, excess.interaction.T, excess.variance)
    coefficients = left.T @ excess.interaction @ right
    expected = excess.energy() * np.outer(left_share, right_share)
    stands_out = coefficients**2 > _STANDS_OUT**2 * (expected + excess.variance)
    expected = np.where(stands_out, np.maximum(expected, coefficients**2 - excess.variance), expected)
    kept = expected / (expected + excess.variance)
    counts = excess.margins + left @ (coefficients * kept) @ right.T
    return Table(table.variables, counts, table.variance)


def _second_moment(matrix: Floats, variance: float) -> Floats:
    """The matrix times its transpose, less what noise adds to it on average; (n_rows, n_rows)."""
    centred = np.eye(len(matrix)) - 1 / len(matrix)
    return np.asarray(matrix @ matrix.T - variance * (matrix.shape[1] - 1) * centred)


def _as_covariance(moment: Floats) -> Floats:
    """The nearest positive semidefinite matrix, of trace 1; even where nothing is left."""
    sizes, axes = np.linalg.eigh((moment + moment.T) / 2)
    sizes = np.maximum(sizes, 0.0)
    total = sizes.sum()
    sizes = sizes / total if total > 0 else np.full(len(sizes), 1 / len(sizes))
    return np.asarray((axes * sizes) @ axes.T)


def _directions(shared: Floats, matrix: Floats, variance: float) -> tuple[Floats, Floats]:
    """Shares of the signal, summing to 1, and the directions they lie in, as columns."""
    own = _as_covariance(_second_moment(matrix, variance))
    sizes, axes = np.linalg.eigh((1 - _OWN) * shared + _OWN * own)
    sizes = np.maximum(sizes, 0.0)
    return sizes / sizes.sum(), axes
