"""What a near-function's table of fine cells says: of the child given its parent, and of either by itself.

Each cell of the table is measured more precisely than those of the two columns, and most of them are empty, so its sums are
often surer than the columns' own counts: a detailed occupation's from its table with the major one, and the other way about.
All of it is post-processing of released numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.denoise import expected, on_simplex
from tabsynth.models.network.choice import Function
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.public import Blend
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.marginals import Measurement

Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-9  # variance
_LEAST_EMPTY = 0.15  # chance that a cell of a function's table holds nobody


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """Mean and variance of some counts, of one shape."""

    counts: Floats
    spread: Floats

    def summed(self, axis: int) -> _Told:
        return _Told(self.counts.sum(axis=axis), self.spread.sum(axis=axis))

    def summing_to(self, total: float) -> Floats:
        return on_simplex(self.counts, total, weights=np.maximum(self.spread, _SMALLEST))

    def with_sums(self, other: _Told) -> _Told:
        """Both together, weighted by the inverse of their variances.

        What a prior for cells gets wrong adds up in sums, so that `other` may be off by more than it says: by how much
        both differ beyond their variances, as between studies (DerSimonian and Laird 1986).
        """
        beyond = float(np.mean((self.counts - other.counts) ** 2 - self.spread - other.spread))
        other = _Told(other.counts, other.spread + max(beyond, 0.0))
        share = other.spread / (self.spread + other.spread)
        return _Told(share * self.counts + (1 - share) * other.counts, share * self.spread)


def with_functions(
    columns: Sequence[NetworkColumn],
    believed: Sequence[Blend],
    tables: Mapping[Function, Measurement],
    total: float,
) -> tuple[tuple[NetworkColumn, ...], tuple[Leaf, ...]]:
    """The columns by all that is known of them, their counts summing to `total`; and each child of a function given its parent."""
    own = [_own(column.cells, each, total) for column, each in zip(columns, believed, strict=True)]
    cells = {}
    for function, measurement in tables.items():
        if measurement.variance > 0:
            cells[function] = told = _cells(columns, function, measurement, total)
            own[function.parent] = own[function.parent].with_sums(told.summed(1))
            own[function.child] = own[function.child].with_sums(told.summed(0))
    better = tuple(
        NetworkColumn(column.cells, told.summing_to(total), column.coarse)
        for column, told in zip(columns, own, strict=True)
    )
    leaves = []
    for function, measurement in tables.items():
        found = cells.get(function, _Told(measurement.values, np.ones_like(measurement.values)))
        parent, child = better[function.parent].counts, better[function.child].counts
        leaves.append(Leaf(function, _conditional(found, parent, child)))
    return better, tuple(leaves)


def plain_counts(cell: PublicCells, believed: Blend, total: float) -> Floats:
    """Counts ≥ 0 of a column's fine cells that sum to `total`."""
    return _own(cell, believed, total).summing_to(total)


def _own(cell: PublicCells, believed: Blend, total: float) -> _Told:
    """What a column's own counts say of its fine cells."""
    if isinstance(believed.variance, np.ndarray) or believed.variance <= 0 or total <= 0:
        spread = np.broadcast_to(np.asarray(believed.variance, dtype=np.float64), believed.counts.shape)
        return _Told(believed.counts, np.maximum(spread, _SMALLEST))
    mean, spread = expected(
        believed.counts,
        believed.variance,
        total=total,
        is_ordered=cell.variable.is_ordered,
        n_numbers=cell.n_numbers,
    )
    return _Told(mean, spread)


def _cells(
    columns: Sequence[NetworkColumn], function: Function, measurement: Measurement, total: float
) -> _Told:
    """The cells of a function's table, (n_parent_cells, n_child_cells); about one in each row holds most of it."""
    child = columns[function.child].cells
    empty = max(1 - 1 / max(child.n_cells, 1), _LEAST_EMPTY)
    rows = [
        expected(
            counts,
            measurement.variance,
            total=max(total, 1.0),
            is_ordered=child.variable.is_ordered,
            n_numbers=child.n_numbers,
            empty=empty,
        )
        for counts in measurement.values
    ]
    return _Told(np.stack([mean for mean, _ in rows]), np.stack([spread for _, spread in rows]))


def _conditional(cells: _Told, parent: Floats, child: Floats) -> Floats:
    """The distribution of the child in each parent cell; the child's own where the parent's is empty."""
    whole = child.sum()
    own = child / whole if whole > 0 else np.full(len(child), 1 / len(child))
    rows = []
    for counts, spread, n in zip(cells.counts, cells.spread, parent, strict=True):
        row = on_simplex(counts, float(n), weights=np.maximum(spread, _SMALLEST))
        rows.append(row / row.sum() if row.sum() > 0 else own)
    return np.stack(rows)
