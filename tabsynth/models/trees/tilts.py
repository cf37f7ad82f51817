"""What other columns say of a column beyond its tree: log odds of its bins, added up over those columns.

A tree spends a leaf on every combination that it tells apart. What many columns say a little of each costs it many
leaves, few rows in each, or is lost; a sum of log odds says it in one parameter a column. A leaf's distribution as the offset
of a logistic regression is a logistic model tree (Landwehr, Hall and Frank 2005).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tabsynth.models.trees.leaves import Counts, Floats, Leaves, placed
from tabsynth.models.trees.tree import Integers, Pieces, Tree

Weights = npt.NDArray[np.float32]
_LEAST_ODDS = np.float32(-80.0)  # beside the largest: what single precision holds
MOST_ODDS = 50.0
"""Of the log odds that one axis adds, in absolute value."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """Log odds of one axis's bins. `weights`, by the number of another axis: (n_bins there + 1, n_bins here).

    The last row of weights is for rows that lack the other axis.
    """

    weights: Mapping[int, Weights]

    def odds(
        self, bins: Sequence[Integers], pieces: Mapping[int, Pieces], rows: npt.NDArray[np.intp] | None
    ) -> Weights:
        """Of the rows at these positions (all, where None), (n_bins, n_rows): sums over bins are quick so."""
        total: Weights | None = None
        for axis, weights in self.weights.items():
            at = np.r_[bins[axis], len(weights) - 1]  # the piece of a row without the axis is -1
            added = weights.T.take(at[pieces[axis] if rows is None else pieces[axis][rows]], axis=1)
            total = added if total is None else total + added
        assert total is not None
        return total

    def arrays(self) -> dict[str, Weights]:
        return {str(axis): weights for axis, weights in self.weights.items()}


@dataclass(frozen=True, eq=False)
class BinnedLeaves:
    """The entries of leaves, cut where bins end and kept by node and bin, so that a bin can be drawn from alone.

    `start`, (n_nodes · n_bins + 1,): where those of each node and bin begin. `own` and `chance`, (n_nodes, n_bins): rows counted at
    the node, and how probable the bin is for a draw that begins there; `passed` as in `Leaves`.
    """

    tree: Tree
    cumulative: Floats
    start: Counts
    first: Integers
    last: Integers
    count: Floats
    own: Floats
    passed: Floats
    chance: Floats

    @classmethod
    def of(cls, tree: Tree, leaves: Leaves, bins: Integers) -> BinnedLeaves:
        """Within an entry rows are spread over its pieces as the leaves' weights are."""
        cumulative = leaves.cumulative
        n_bins = int(bins.max()) + 1
        stretch = np.r_[0, np.cumsum(np.diff(bins) != 0)]  # of pieces in a row that share a bin
        begins = np.flatnonzero(np.r_[True, np.diff(stretch) != 0])
        ends = np.r_[begins[1:] - 1, len(bins) - 1]
        covered = stretch[leaves.last] - stretch[leaves.first] + 1
        entry = np.repeat(np.arange(len(covered)), covered)
        part = stretch[leaves.first][entry] + np.arange(len(entry)) - (np.cumsum(covered) - covered)[entry]
        first = np.maximum(leaves.first[entry], begins[part]).astype(np.int32)
        last = np.minimum(leaves.last[entry], ends[part]).astype(np.int32)
        reach = (cumulative[leaves.last + 1] - cumulative[leaves.first])[entry]
        share = np.divide(
            cumulative[last + 1] - cumulative[first], reach, out=np.zeros(len(reach)), where=reach > 0
        )
        count = leaves.count[entry] * share
        node = np.repeat(np.arange(tree.n_nodes), np.diff(leaves.start))[entry]
        cell = node * np.int64(n_bins) + bins[first]
        order = np.lexsort((first, cell))
        order = order[count[order] > 0]
        n_cells = tree.n_nodes * n_bins
        start = np.r_[0, np.cumsum(np.bincount(cell[order], minlength=n_cells))].astype(np.int64)
        sums = np.bincount(cell, weights=count, minlength=n_cells)
        own = sums.reshape(tree.n_nodes, n_bins).astype(np.float64)
        passed = leaves.passed.astype(np.float64)
        chance = _chances(tree, own, passed)
        return cls(tree, cumulative, start, first[order], last[order], count[order], own, passed, chance)

    @cached_property
    def ends(self) -> Floats:
        """Rows before each entry, (n_entries + 1,)."""
        ends: Floats = np.r_[0.0, np.cumsum(self.count)]
        return ends

    def weighed(self, leaf: Integers, odds: Weights) -> Floats:
        """Of every bin and row, its chance at the leaf times its odds, scaled by the largest odds; (n_bins, n_rows)."""
        weighed: Floats = self.chance.T.take(leaf, axis=1)
        weighed *= times_likelier(odds)
        return weighed

    def draw(self, leaf: Integers, bins: Integers, share: Floats) -> tuple[Integers, Floats]:
        """Pieces at shares in [0, 1) of the leaf's distribution within a bin of it, and how far into the piece, (n_rows,)."""
        n_bins = self.own.shape[1]
        entry, within = np.zeros(len(leaf), dtype=np.int64), share.copy()
        rows, node = np.arange(len(leaf)), leaf.astype(np.int64)
        while len(rows):
            here = self.own[node, bins[rows]]
            above = np.where(
                self.passed[node] > 0, self.passed[node] * self.chance[self.tree.parent[node], bins[rows]], 0
            )
            at = within[rows] * (here + above)
            stays = (at < here) | (above <= 0)
            chosen, cell = rows[stays], node[stays] * n_bins + bins[rows[stays]]
            found = np.searchsorted(self.ends, self.ends[self.start[cell]] + at[stays], side="right") - 1
            found = np.clip(found, self.start[cell], np.maximum(self.start[cell + 1] - 1, self.start[cell]))
            entry[chosen] = found
            rest = self.ends[self.start[cell]] + at[stays] - self.ends[found]
            within[chosen] = np.clip(rest / self.count[found], 0, 1)
            within[rows[~stays]] = np.clip((at - here)[~stays] / above[~stays], 0, 1)
            rows, node = rows[~stays], self.tree.parent[node[~stays]].astype(np.int64)
        return placed(self.first[entry], self.last[entry], within, self.cumulative)


def times_likelier(odds: Weights) -> Weights:
    """Of every bin and row, its odds by the largest of the row, (n_bins, n_rows): never none at all, whatever several axes exclude."""
    likelier: Weights = np.exp(np.maximum(odds - odds.max(axis=0), _LEAST_ODDS))
    return likelier


def _chances(tree: Tree, own: Floats, passed: Floats) -> Floats:
    """Of every bin for a draw that begins at each node, (n_nodes, n_bins): zero at nodes that hold nothing."""
    pool = own.sum(axis=1) + passed
    chance = own.copy()
    for depth in range(int(tree.depth.max()) + 1):
        at = np.flatnonzero((tree.depth == depth) & (pool > 0))
        if depth:
            chance[at] += passed[at, None] * chance[tree.parent[at]]
        chance[at] /= pool[at, None]
    return chance
