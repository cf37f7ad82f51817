"""Latent axes in few cells, as tables of pairs of columns are counted: chosen from released counts alone.

A column is counted in cells of its numbers, runs of about equal mass, and of its levels, each alone but for
the rarest. Both of its latent axes are read off those: the axis of its numbers lies in the cells of numbers,
and on the axis of its levels all numbers are one level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.noisy_marginals import OneWay

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]

N_RUNS = 4
"""Noise in every cell makes few cells tell more of a correlation than many, at any budget but none."""
MOST_LEVELS = 24


@dataclass(frozen=True, eq=False)
class CoarseColumn:
    """Which coarse cell every cell of a column is in, `cell_of`, (n_cells,); those of numbers come first."""

    one_way: OneWay
    cell_of: Cells
    n_numbers: int
    n_cells: int

    @classmethod
    def of(cls, one_way: OneWay, *, n_runs: int = N_RUNS, most_levels: int = MOST_LEVELS) -> CoarseColumn:
        """At most `n_runs` cells of numbers, or of levels with an order, and `most_levels` of other levels."""
        cells, counts = one_way.cells, one_way.counts
        is_line = cells.variable.is_ordered and cells.variable.null_code is None and not cells.n_numbers
        numbers = _runs(counts[: cells.n_numbers], n_runs)
        n_numbers = int(numbers.max(initial=-1)) + 1
        beside = counts[cells.n_numbers :]
        levels = _runs(beside, n_runs) if is_line else _commonest(beside, most_levels)
        cell_of = np.concatenate([numbers, levels + n_numbers])
        return cls(one_way, cell_of, n_numbers, int(cell_of.max(initial=-1)) + 1)


@dataclass(frozen=True, eq=False)
class CoarseAxis:
    """One latent axis of column number `column`, in cells of its own.

    `fold`, (n_axis_cells, n_column_cells) of 0 and 1, says which of the column's cells each is made of.
    """

    column: int
    source: CoarseColumn
    latent: Latent

    @property
    def is_partial(self) -> bool:
        """Whether there are rows without a place on the axis: without a number, on the axis of numbers."""
        return self.latent.part is Part.VALUE and self.latent.variable.n_levels > 1

    @property
    def n_rows(self) -> float:
        """Rows that have a place on the axis."""
        counts = self.source.one_way.counts
        return float(counts[: self.source.one_way.cells.n_numbers].sum() if self.is_partial else counts.sum())

    @cached_property
    def fold(self) -> Floats:
        n_numbers, n_cells = self.source.n_numbers, self.source.n_cells
        if self.latent.part is Part.VALUE:
            return np.eye(n_numbers, n_cells)
        if n_numbers == 0:
            return np.eye(n_cells)
        fold = np.zeros((1 + n_cells - n_numbers, n_cells))
        fold[0, :n_numbers] = 1.0
        fold[1:, n_numbers:] = np.eye(n_cells - n_numbers)
        return fold

    @cached_property
    def cell_of_piece(self) -> Cells:
        """The axis cell of every piece of the latent's marginal, in the order of the axis."""
        fine = self.source.one_way.cells.n_numbers
        if self.latent.part is Part.VALUE:
            return self.source.cell_of[:fine]
        of_code: Cells = self.source.cell_of[fine:]
        if fine:  # code 0 is a number, whichever
            of_code = np.insert(of_code - (self.source.n_numbers - 1), 0, 0)
        return of_code[self.latent.marginal.lower]

    @cached_property
    def mass(self) -> Floats:
        """The probability of each axis cell, (n_axis_cells,), sums to 1."""
        weights = self.latent.marginal.mass
        mass = np.bincount(self.cell_of_piece, weights=weights, minlength=len(self.fold))
        return np.asarray(mass, dtype=np.float64)

    def hermite(self, n_terms: int) -> Floats:
        """E[h_k(Z); Z in cell] for normalised Hermite polynomials h_1 …, shape (n_axis_cells, n_terms).

        Under a bivariate normal of correlation ρ, two cells have the joint probability
        m m' + Σ_k ρ^k E_k E'_k (Mehler 1866).
        """
        by_piece = self.latent.marginal.hermite_moments(n_terms)
        by_cell = np.zeros((len(self.fold), n_terms))
        np.add.at(by_cell, self.cell_of_piece, by_piece)
        return by_cell

    @cached_property
    def scores(self) -> Floats:
        """Mean of the latent variable in each axis cell, (n_axis_cells,); 0 in cells without mass."""
        moment = self.hermite(1)[:, 0]
        return np.divide(moment, self.mass, out=np.zeros_like(moment), where=self.mass > 1e-9)

    def reordered(self, order: npt.NDArray[np.int64]) -> CoarseAxis:
        """The same axis with its levels in another order: `order` lists present ranks."""
        return replace(self, latent=self.latent.reordered(order))


def axes_of(columns: Sequence[CoarseColumn]) -> tuple[CoarseAxis, ...]:
    """The latent axes of all columns, in order."""
    return tuple(
        CoarseAxis(index, column, latent)
        for index, column in enumerate(columns)
        for latent in column.one_way.latents
    )


def _runs(counts: Floats, most: int) -> Cells:
    """At most `most` runs of neighbours, numbered in order, of masses as even as they can be.

    Cuts are those nearest to quantiles; where heavy cells leave some over, they go where they even out most.
    """
    ends = np.cumsum(counts)
    is_cut = np.zeros(len(counts), dtype=bool)  # whether a run ends with the cell
    inner, total = ends[:-1], float(ends[-1]) if len(ends) else 0.0
    if total > 0 and len(inner):
        for part in range(1, most):
            is_cut[np.argmin(np.abs(inner - total * part / most))] = True
        for _ in range(most - 1 - int(is_cut.sum())):
            below, above = np.r_[0.0, ends[is_cut]], np.r_[ends[is_cut], total]
            run = np.searchsorted(below, inner, side="right") - 1
            gain = (inner - below[run]) * (above[run] - inner)
            is_cut[np.argmax(gain)] |= gain.max() > 0
    runs: Cells = np.cumsum(is_cut) - is_cut
    return runs


def _commonest(counts: Floats, most: int) -> Cells:
    """The commonest levels each in a cell of its own, and from `most` levels up the rest in one."""
    if len(counts) <= most:
        return np.arange(len(counts))
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(counts), dtype=np.intp)
    rank[order] = np.arange(len(counts))
    return np.minimum(rank, most - 1)
