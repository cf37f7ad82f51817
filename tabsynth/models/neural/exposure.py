"""Training by sampling: which cell a step is conditioned on, and a real row that has it (Xu et al. 2019, section 4.3).

A column is drawn evenly and a cell of it by its frequency, or by the logarithm of that, so that rare cells are met
often enough to be learnt. That is for training alone: rows are sampled under conditions drawn by true frequencies
(`tabsynth.models.neural.conditions`), or a cell of 2 % would come out several times as often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from tabsynth.models.neural.conditions import Conditions

Cells = npt.NDArray[np.intp]
Rows = npt.NDArray[np.uint16]
ExposureKind = Literal["frequency", "log"]


@dataclass(frozen=True, eq=False)
class Exposure:
    """Rows of coarse cells, (n_rows, n_columns), columns of `sizes` cells, and how cells are drawn."""

    rows: Rows
    sizes: Sequence[int]
    kind: ExposureKind

    @cached_property
    def counts(self) -> list[npt.NDArray[np.int64]]:
        """Rows in each cell, by column."""
        return [np.bincount(self.rows[:, v], minlength=size) for v, size in enumerate(self.sizes)]

    @cached_property
    def conditions(self) -> Conditions:
        """How a column and a cell are drawn in training."""
        weights = [c.astype(np.float64) if self.kind == "frequency" else np.log1p(c) for c in self.counts]
        return Conditions([weight / weight.sum() for weight in weights])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Cells, Cells]:
        """The positions of `n` conditions among all cells, and a real row that has each, both (n,)."""
        at = self.conditions.draw(n, rng)
        column = np.searchsorted(self.conditions.starts, at, side="right") - 1
        size = self._sizes_of_cells[at]
        place = self._starts_in_column[at] + (rng.random(n) * size).astype(np.intp)
        return at, self._rows_by_cell[column, np.minimum(place, len(self.rows) - 1)].astype(np.intp)

    @cached_property
    def _rows_by_cell(self) -> npt.NDArray[np.int32]:
        """The rows in order of their cells, column by column, (n_columns, n_rows)."""
        ordered = [np.argsort(self.rows[:, v], kind="stable") for v in range(len(self.sizes))]
        return np.stack(ordered).astype(np.int32)

    @cached_property
    def _sizes_of_cells(self) -> Cells:
        return np.concatenate(self.counts).astype(np.intp)

    @cached_property
    def _starts_in_column(self) -> Cells:
        return np.concatenate([np.cumsum(counts) - counts for counts in self.counts]).astype(np.intp)
