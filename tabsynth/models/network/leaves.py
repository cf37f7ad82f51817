"""Columns that hang on a column of the tree by a table of fine cells, and what is known of that one given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.choice import Function
from tabsynth.models.network.columns import Integers, NetworkColumn
from tabsynth.models.spreading import even_positions

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]

_MOST_TILTS = 100
_MET = 1e-6  # of all rows, that may be off
_MOST_TILTED = 1e6  # at once


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A child column given its parent: the probability of each fine cell, (n_parent_cells, n_child_cells)."""

    function: Function
    conditional: Floats

    def draw(self, parent: Cells, rng: np.random.Generator, *, beside: Integers | None = None) -> Cells:
        """The child's fine cell in each row, given the parent's, (n_rows,)."""
        n_parent, n_child = self.conditional.shape
        ends = np.cumsum(self.conditional, axis=1)
        ends[:, -1] = 1.0
        line = (ends + np.arange(n_parent)[:, None]).ravel()
        position = parent + even_positions(parent, n_parent, rng, beside=beside)
        found: Cells = np.searchsorted(line, position, side="right") - parent * n_child
        return np.clip(found, 0, n_child - 1)

    def met(self, parent: Floats, child: Floats) -> Leaf:
        """The same leaf, tilted until the child's cells are as probable as `child` says; (n_parent_cells,), (n_child_cells,) ≥ 0.

        Its odds stay what they are: each cell of the child gets one factor in all rows, found by iterative proportional fitting
        (Deming and Stephan 1940). A cell that hardly any parent leads to keeps what it has.
        """
        left, mass = self.conditional, parent / max(float(parent.sum()), 1e-300)
        is_reached = mass @ left > _MET
        wanted = np.where(is_reached, child, 0.0)
        if wanted.sum() <= 0:
            return self
        wanted = wanted / wanted.sum()
        for _ in range(_MOST_TILTS):
            now = mass @ left
            if np.abs(now - wanted).sum() < _MET:
                break
            factor = np.divide(wanted, now, out=np.ones_like(now), where=is_reached & (now > 0))
            tilted = left * np.minimum(factor, _MOST_TILTED)
            total = tilted.sum(axis=1, keepdims=True)
            left = np.where(total > 0, tilted / np.where(total > 0, total, 1.0), left)
        return Leaf(self.function, left)

    def within(self, likelihood: Floats) -> Leaf:
        """The same leaf with cells as probable as before times their likelihood in [0, 1], (n_child_cells,)."""
        left = self.conditional * likelihood
        left = np.where(left.sum(axis=1, keepdims=True) > 0, left, likelihood)
        return Leaf(self.function, left / left.sum(axis=1, keepdims=True))


def given_cells(
    columns: Sequence[NetworkColumn], leaves: Sequence[Leaf], held: Mapping[int, Floats]
) -> dict[int, NetworkColumn]:
    """Columns of the tree of which what is `held` says something, with the counts that it leaves.

    `held` gives a likelihood in [0, 1] of the fine cells of some columns, (n_cells,). Fine cell f of a column counts its share of
    its coarse cell times the probability of all that is held, of the column itself and of the leaves on it, given f: both
    the likelihood of coarse cells and the distribution of fine cells in them follow.
    """
    parents = {leaf.function.child: leaf for leaf in leaves}
    counts: dict[int, Floats] = {}
    for v, likelihood in held.items():
        if v in parents:
            parent, factor = parents[v].function.parent, parents[v].conditional @ likelihood
        else:
            parent, factor = v, likelihood
        counts[parent] = counts.get(parent, columns[parent].shares) * factor
    return {v: NetworkColumn(columns[v].cells, row, columns[v].coarse) for v, row in counts.items()}
