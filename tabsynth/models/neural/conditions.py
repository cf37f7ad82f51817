"""Condition vectors: one column held at one of its cells, without a look at how often cells occur.

A real row's condition is a function of the row: the cell that it has in a column drawn evenly. Conditions of
generated rows, in training and in sampling, have a column drawn evenly and a cell drawn from released
marginals, so privacy costs nothing further. Neither follows the exact frequencies, let alone their logarithms
(CTGAN's training by sampling draws a member of a rare category many times as often as any accountant believes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Conditions:
    """`shares`: of each column's cells, from released counts; each sums to 1."""

    shares: Sequence[Floats]

    @cached_property
    def starts(self) -> Cells:
        """Where each column's cells begin among all cells, (n_columns,)."""
        sizes = [len(share) for share in self.shares]
        return np.cumsum([0, *sizes[:-1]]).astype(np.intp)

    @cached_property
    def _ends(self) -> Floats:
        """Ends of all cells on a line on which column j is (j, j + 1]."""
        ends = np.concatenate([at + np.cumsum(share) for at, share in enumerate(self.shares)])
        last = np.cumsum([len(share) for share in self.shares]) - 1
        ends[last] = np.arange(1, len(self.shares) + 1)
        return ends

    def draw(self, n: int, rng: np.random.Generator) -> Cells:
        """The position among all cells of `n` conditions, (n,)."""
        at = rng.random(n) * len(self.shares)
        return np.minimum(np.searchsorted(self._ends, at, side="right"), len(self._ends) - 1)

    def of_rows(self, rows: Cells, rng: np.random.Generator) -> Cells:
        """The same of real rows, given as positions among all cells, (n, n_columns)."""
        column = rng.integers(0, rows.shape[1], len(rows))
        return rows[np.arange(len(rows)), column]
