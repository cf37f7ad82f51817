"""Cells of a column that depend on its declared domain alone: what noisy one-way marginals are counted in.

The cells of a column are, in order, those of its numbers (none where it is discrete) and its levels. Every
whole number has a cell of its own where the bounds hold at most 128 of them. Wider bounds are cut into
about 64 cells: of even width, or, where they reach over more than two powers of ten, at the edges of 32
cells of even width and 32 of even ratio together, as nobody has said whether the numbers are amounts or
measurements. Zero, where most amounts pile up, always has a cell of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.models.marginal import Floats, Marginal, level_marginal

Values = npt.NDArray[Any]  # int64 on a lattice, float64 on the line
Codes = npt.NDArray[np.unsignedinteger]
MOST_SINGLE = 128
N_WIDE = 64
_RATIO = 100.0
_SMALLEST_REACH = 1e-300  # bounds nearer to zero than that are not cut: too few floats lie between them
_SLIVER = 1e-9  # of a value: the least distance of an edge from an atom
_LINE_REACH = 1e4  # how far towards zero cells of even ratio go on the line


@dataclass(frozen=True, eq=False)
class PublicCells:
    """The cells of one column: `n_numbers` stretches of numbers, then `n_levels` levels.

    `lower` and `upper`, (n_numbers,), are inclusive, in encoded units. Level cells follow in the order of
    their codes, without code 0 where the column is continuous.
    """

    variable: Variable
    lower: Values
    upper: Values

    @classmethod
    def of(cls, variable: Variable) -> PublicCells:
        """Cells from bounds and levels; raises `ValueError` for a continuous column without bounds."""
        if not variable.is_continuous:
            nothing = np.zeros(0, dtype=np.int64)
            return cls(variable, nothing, nothing)
        if variable.lower is None or variable.upper is None:
            raise ValueError(f"column {variable.name!r} has no bounds")
        cut = _lattice_cells if variable.is_lattice else _line_cells
        return cls(variable, *cut(variable.lower, variable.upper))

    @property
    def n_numbers(self) -> int:
        return len(self.lower)

    @property
    def n_levels(self) -> int:
        return self.variable.n_levels - self.variable.is_continuous

    @property
    def n_cells(self) -> int:
        return self.n_numbers + self.n_levels

    @cached_property
    def stretches(self) -> Marginal:
        """The cells of numbers as pieces of equal mass."""
        even = np.full(max(self.n_numbers, 1), 1 / max(self.n_numbers, 1))
        return Marginal(self.lower, self.upper, even[: self.n_numbers], is_lattice=self.variable.is_lattice)

    def cells_of(self, column: EncodedColumn) -> Codes:
        """The cell of every row, unsigned of shape (n_rows,); numbers beyond the bounds join the end cells.

        Codes outside the domain must have been replaced before.
        """
        dtype = np.min_scalar_type(max(self.n_cells - 1, 1))
        if column.values is None:
            return column.codes.astype(dtype, copy=False)
        numbers = self.stretches.pieces_of(column.values)
        if self.n_levels == 0:
            return numbers.astype(dtype, copy=False)
        # Code 0 is a number; code c > 0 is level cell n_numbers + c - 1.
        levels = column.codes.astype(np.int64) + (self.n_numbers - 1)
        return np.where(column.codes == 0, numbers, levels).astype(dtype)

    def with_single(self, values: Values) -> PublicCells:
        """The same cells, but that each of `values`, ascending, within the bounds has one of its own."""
        inside = values[(values >= self.lower[0]) & (values <= self.upper[-1])]
        if self.variable.is_lattice:
            first = np.unique(np.r_[self.lower, inside, inside[inside < self.upper[-1]] + 1])
            return PublicCells(self.variable, first, np.r_[first[1:] - 1, self.upper[-1]])
        # On the line an atom stands between two stretches that end at it; one that is there already stays one. Edges of even
        # ratio may miss a power of ten by some bits: such an edge beside an atom gives way to it.
        ends = np.r_[self.lower[0], self.upper[-1]]
        atoms = np.unique(np.r_[self.lower[self.lower == self.upper], inside] + 0.0)
        edges = np.unique(np.r_[self.lower, self.upper] + 0.0)
        near = np.abs(edges[:, None] / 2 - atoms / 2) <= _SLIVER * np.abs(edges[:, None] / 2)
        edges = np.unique(np.r_[edges[~near.any(axis=1)], atoms, ends + 0.0])
        lower, upper = np.r_[edges[:-1], atoms], np.r_[edges[1:], atoms]
        order = np.lexsort((upper, lower))
        return PublicCells(self.variable, lower[order], upper[order])

    def values_in(self, cells: npt.NDArray[np.intp], at: Floats) -> Values:
        """The values at shares `at` in [0, 1) of the number cells `cells`, (n_rows,)."""
        return self.stretches.values_within(cells, at)

    def marginals(self, counts: Floats) -> tuple[Marginal, Marginal | None]:
        """The level marginal and the number marginal (None for a discrete column), from counts ≥ 0.

        The level marginal of a continuous column has code 0, "a number", first.
        """
        numbers, levels = counts[: self.n_numbers], counts[self.n_numbers :]
        if not self.variable.is_continuous:
            return level_marginal(levels), None
        total = numbers.sum()
        mass = numbers / total if total > 0 else np.full(len(numbers), 1 / len(numbers))
        line = Marginal(self.lower, self.upper, mass, is_lattice=self.variable.is_lattice)
        return level_marginal(np.r_[total, levels]), line


def _lattice_cells(lower: float, upper: float) -> tuple[Values, Values]:
    low, high = int(lower), int(upper)
    if high - low < MOST_SINGLE:
        single = np.arange(low, high + 1, dtype=np.int64)
        return single, single
    starts = {low}
    if low <= 0 <= high:
        starts |= {0, 1}
        n_below = round(N_WIDE * _reach(-low) / (_reach(-low) + _reach(high))) if low < 0 else 0
        starts |= {1 + step for step in _steps(1, high, N_WIDE - n_below)} if high > 0 else set()
        starts |= {-step for step in _steps(1, -low, n_below)} if low < 0 else set()
    elif low > 0:
        starts |= {low + step for step in _steps(low, high, N_WIDE)}
    else:
        starts |= {high + 1 - step for step in _steps(-high, -low, N_WIDE)}
    ascending = sorted(start for start in starts if low <= start <= high)
    first = np.array(ascending, dtype=np.int64)
    last = np.array([*(start - 1 for start in ascending[1:]), high], dtype=np.int64)
    return first, last


def _reach(end: float) -> float:
    return 1.0 + math.log10(max(abs(end), 1.0))


def _steps(near: int, far: int, n_cells: int) -> set[int]:
    """Offsets from `near` at which the cells of [near, far], 0 < near ≤ far, begin."""
    n_cells, width = max(n_cells, 1), far - near + 1
    if far / near <= _RATIO:
        return {width * i // n_cells for i in range(n_cells)}
    half = max(n_cells // 2, 1)
    edges = np.exp(np.linspace(np.log(near), np.log(far + 1.0), half + 1))[:-1]
    return {width * i // half for i in range(half)} | {max(0, round(float(edge)) - near) for edge in edges}


def _line_cells(lower: float, upper: float) -> tuple[Values, Values]:
    low, high = float(lower), float(upper)
    if low == high or max(-low, high) < _SMALLEST_REACH:
        return np.array([low]), np.array([high])
    if not low <= 0 <= high:
        edges = (
            _line_edges(abs(low), abs(high), N_WIDE) if low > 0 else -_line_edges(-high, -low, N_WIDE)[::-1]
        )
        edges[0], edges[-1] = low, high
        return edges[:-1], edges[1:]
    small = (low / 256, high / 256)  # the same bits, and a distance that a float holds
    n_below = round(N_WIDE * -small[0] / (small[1] - small[0]))
    below = -_line_edges(0.0, -low, max(n_below, 1))[::-1] if low < 0 else np.zeros(1)
    above = _line_edges(0.0, high, max(N_WIDE - n_below, 1)) if high > 0 else np.zeros(1)
    first = np.r_[below[:-1], 0.0, above[:-1]]  # zero is an atom between its neighbours
    last = np.r_[below[1:], 0.0, above[1:]]
    return first, last


def _line_edges(near: float, far: float, n_cells: int) -> Floats:
    half = max(n_cells // 2, 1)
    if (near > 0 and far / near <= _RATIO) or n_cells < 4:
        return np.linspace(near, far, n_cells + 1)
    start = near if near > 0 else far / _LINE_REACH
    ratios = np.exp(np.linspace(np.log(start), np.log(far), half + 1))
    first = 1 if near > 0 else 0  # e^(ln near) may miss near by a bit, and would be an edge beside it
    return np.unique(np.r_[np.linspace(near, far, half + 1)[:-1], ratios[first:-1], far])
