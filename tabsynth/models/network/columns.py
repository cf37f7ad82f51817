"""A column as the network sees it: fine cells, their counts, and the coarse cells they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.models.condition import Condition
from tabsynth.models.public_cells import PublicCells
from tabsynth.models.spans import Span, covered, values_within, weights
from tabsynth.models.spreading import even_positions

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]
Cells = npt.NDArray[np.intp]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NetworkColumn:
    """Fine cells with `counts` ≥ 0 (or shares of them), (n_cells,), and `coarse`, (n_cells,): the coarse cell of each."""

    cells: PublicCells
    counts: Floats
    coarse: Cells

    @property
    def variable(self) -> Variable:
        return self.cells.variable

    @property
    def n_coarse(self) -> int:
        return int(self.coarse.max()) + 1

    @property
    def n_merged(self) -> int:
        """Fine cells that share their coarse cell with others."""
        return int((np.bincount(self.coarse)[self.coarse] > 1).sum())

    @cached_property
    def coarse_counts(self) -> Floats:
        """Rows in each coarse cell, (n_coarse,)."""
        counts: Floats = np.bincount(self.coarse, weights=self.counts, minlength=self.n_coarse).astype(
            np.float64
        )
        return counts

    @cached_property
    def shares(self) -> Floats:
        """The probability of each fine cell given its coarse cell, (n_cells,); even where all counts are 0."""
        total = self.coarse_counts[self.coarse]
        size = np.bincount(self.coarse)[self.coarse]
        return np.where(total > 0, self.counts / np.where(total > 0, total, 1.0), 1.0 / size)

    @cached_property
    def _order(self) -> tuple[Cells, Floats]:
        """Fine cells sorted by coarse cell, and the end of each on the line where coarse cell c is (c, c + 1]."""
        order = np.argsort(self.coarse, kind="stable")
        ends = np.cumsum(self.shares[order])
        last = np.r_[np.diff(self.coarse[order]) > 0, True]
        ends[last] = np.arange(1, self.n_coarse + 1)
        return order, ends

    def fine_of(self, coarse: Cells, rng: np.random.Generator, *, beside: Integers | None = None) -> Cells:
        """A fine cell for each row, shares met as evenly as the number of rows allows, (n_rows,)."""
        order, ends = self._order
        if self.n_coarse == len(order):
            return order[coarse]
        position = coarse + even_positions(coarse, self.n_coarse, rng, beside=beside)
        return order[np.minimum(np.searchsorted(ends, position, side="right"), len(order) - 1)]

    def encoded(
        self, fine: Cells, rng: np.random.Generator, *, spans: tuple[Span, ...] | None = None
    ) -> EncodedColumn:
        """Codes and values of each row's fine cell; values lie evenly within theirs, or within what `spans` leave of it."""
        variable, n_numbers = self.variable, self.cells.n_numbers
        if not variable.is_continuous:
            return EncodedColumn(variable, fine.astype(np.min_scalar_type(variable.n_levels)))
        is_number = fine < n_numbers
        codes = np.where(is_number, 0, fine - n_numbers + 1).astype(np.min_scalar_type(variable.n_levels))
        cells, share = np.where(is_number, fine, 0), rng.random(len(fine))
        if spans is None:
            values = self.cells.values_in(cells, share)
        else:
            values = values_within(self.cells.stretches, cells, share, spans)
        return EncodedColumn(variable, codes, np.where(is_number, values, values.dtype.type(0)))

    def likelihood(self, condition: Condition) -> Floats:
        """How much of each fine cell a condition leaves, in [0, 1], (n_cells,), up to a common factor."""
        n_numbers = self.cells.n_numbers
        found = np.zeros(self.cells.n_cells)
        codes = np.array(condition.codes, dtype=np.intp)
        if not self.variable.is_continuous:
            found[codes] = 1.0
            return found
        found[n_numbers + codes[codes > 0] - 1] = 1.0
        if 0 not in condition.codes:
            return found
        numbers = self.counts[:n_numbers]
        line = replace(self.cells.stretches, mass=numbers / max(float(numbers.sum()), 1e-300))
        left = weights(line, condition.spans)
        is_density = not (covered(line, condition.spans) * line.mass).sum() > 0
        if not (is_density and (found * self.counts).sum() > 0):  # beside levels, a mere density is nothing
            found[:n_numbers] = left
        return found

    def cells_at(self, column: EncodedColumn) -> tuple[Cells, npt.NDArray[np.bool_]]:
        """The fine cell of every given cell, and whether it lies in it; others get the nearest."""
        cells = self.cells.cells_of(column).astype(np.intp)
        if column.values is None:
            return cells, np.ones(len(cells), dtype=np.bool_)
        is_number = cells < self.cells.n_numbers
        at = np.where(is_number, cells, 0)
        inside = (self.cells.lower[at] <= column.values) & (column.values <= self.cells.upper[at])
        return cells, np.asarray(inside | ~is_number)
