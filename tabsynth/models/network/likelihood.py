"""How probable rows are under a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.models.marginal import width_of
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.exact import conditional
from tabsynth.models.network.junction_tree import Clique, JunctionTree
from tabsynth.models.network.leaves import Leaf

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """ln P(clique | separator) of every clique, flat, and what lies inside coarse cells."""

    columns: tuple[NetworkColumn, ...]
    leaves: tuple[Leaf, ...]
    cliques: tuple[Clique, ...]
    log_tables: tuple[Floats, ...]

    @classmethod
    def of(
        cls,
        columns: Sequence[NetworkColumn],
        leaves: Sequence[Leaf],
        tree: JunctionTree,
        beliefs: Sequence[Floats],
    ) -> Self:
        tables = (_log(conditional(tree, beliefs, i)).ravel() for i in range(len(tree.cliques)))
        return cls(tuple(columns), tuple(leaves), tree.cliques, tuple(tables))

    def of_rows(self, data: EncodedTable) -> Floats:
        """Natural log of the probability of every row, (n_rows,), -inf where it is zero.

        A number counts the probability of its point of the lattice; off a lattice, its density per unit,
        or its probability where it is an atom (a cell of one value).
        """
        result = np.empty(data.n_rows)
        for start in range(0, data.n_rows, _BATCH_ROWS):
            rows = slice(start, min(start + _BATCH_ROWS, data.n_rows))
            result[rows] = self._of_batch(data, rows)
        return result

    def _of_batch(self, data: EncodedTable, rows: slice) -> Floats:
        total = np.zeros(rows.stop - rows.start)
        fine: list[Cells] = []
        for column in self.columns:
            encoded = data.columns[column.variable.name]
            values = None if encoded.values is None else encoded.values[rows]
            cells, inside = _placed(column, EncodedColumn(encoded.variable, encoded.codes[rows], values))
            fine.append(cells)
            total += inside
        children = {leaf.function.child for leaf in self.leaves}
        for v, column in enumerate(self.columns):
            if v not in children:
                total += _log(column.shares)[fine[v]]
        for leaf in self.leaves:
            total += _log(leaf.conditional)[fine[leaf.function.parent], fine[leaf.function.child]]
        for clique, table in zip(self.cliques, self.log_tables, strict=True):
            states = [self.columns[v].coarse[fine[v]] for v in clique]
            total += table[np.ravel_multi_index(states, [self.columns[v].n_coarse for v in clique])]
        return total


def _placed(column: NetworkColumn, encoded: EncodedColumn) -> tuple[Cells, Floats]:
    """Every row's fine cell and ln of its density within that, -inf for what lies in no cell."""
    cells, variable = column.cells, column.variable
    is_outside = encoded.codes >= variable.n_levels
    codes = np.where(is_outside, 0, encoded.codes).astype(encoded.codes.dtype)
    fine = cells.cells_of(EncodedColumn(variable, codes, encoded.values)).astype(np.intp)
    inside = np.where(is_outside, -np.inf, 0.0)
    if encoded.values is None:
        return fine, inside
    is_number = fine < cells.n_numbers
    at = np.where(is_number, fine, 0)
    lower, upper = cells.lower[at], cells.upper[at]
    if variable.is_lattice:
        size = np.log(width_of(lower, upper) + 1)
    else:
        half = upper / 2 - lower / 2  # the whole may overflow
        size = np.where(half > 0, np.log(np.where(half > 0, half, 1.0)) + np.log(2.0), 0.0)
    is_beyond = (encoded.values < lower) | (encoded.values > upper)
    return fine, np.where(is_number, np.where(is_beyond, -np.inf, inside - size), inside)


def _log(shares: Floats) -> Floats:
    return np.log(shares, out=np.full_like(shares, -np.inf), where=shares > 0)
