"""What the leaves of a tree hold: rows by piece, and by run of pieces, no run of fewer rows than a group.

Pieces that stand for themselves are counted one by one. Others are interchangeable with their neighbours: they are cut, in
order, into runs that at least a group of the leaf's rows share, and within a run pieces are as likely as in the whole
table. Where too few rows of a leaf lie between two pieces that stand for themselves, they are counted at the first node above
that has a group of them, and a draw that falls on them goes up too. So no row is lost, none is counted twice, and
frequencies in the whole table stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.models.trees.tree import Integers, Tree

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Leaves:
    """Rows by node and run. `start`, (n_nodes + 1,): where the entries of each node begin.

    `first`, `last` and `count`, (n_entries,): the pieces of an entry, inclusive, and its rows. `passed`, (n_nodes,): the
    rows that a node hands up to its parent.
    """

    start: Counts
    first: Integers
    last: Integers
    count: Counts
    passed: Counts

    @cached_property
    def ends(self) -> Floats:
        """Rows before each entry, (n_entries + 1,)."""
        ends: Floats = np.r_[0, np.cumsum(self.count)].astype(np.float64)
        return ends

    @cached_property
    def own(self) -> Floats:
        """Rows counted at each node, (n_nodes,)."""
        own: Floats = self.ends[self.start[1:]] - self.ends[self.start[:-1]]
        return own

    def draw(self, tree: Tree, leaf: Integers, share: Floats, cumulative: Floats) -> tuple[Integers, Floats]:
        """Pieces at shares in [0, 1) of the leaves' distributions, and how far into the piece, both (n_rows,)."""
        entry, within = self._entries(tree, leaf, share)
        low, high = cumulative[self.first[entry]], cumulative[self.last[entry] + 1]
        position = low + within * (high - low)
        piece = np.searchsorted(cumulative, position, side="right") - 1
        piece = np.clip(piece, self.first[entry], self.last[entry])
        width = cumulative[piece + 1] - cumulative[piece]
        rest = np.divide(position - cumulative[piece], width, out=np.zeros(len(piece)), where=width > 0)
        return piece.astype(np.int32), np.clip(rest, 0, 1)

    def _entries(self, tree: Tree, leaf: Integers, share: Floats) -> tuple[Counts, Floats]:
        """The entry of every draw and how far into it, both (n_rows,)."""
        found, within = np.zeros(len(leaf), dtype=np.int64), share.copy()
        rows, node = np.arange(len(leaf)), leaf
        pool = self.own + self.passed
        while len(rows):
            at = within[rows] * pool[node]
            stays = (at < self.own[node]) | (self.passed[node] == 0)
            chosen, where = rows[stays], node[stays]
            position = self.ends[self.start[where]] + at[stays]
            entry = np.searchsorted(self.ends, position, side="right") - 1
            entry = np.clip(entry, self.start[where], self.start[where + 1] - 1)
            found[chosen] = entry
            within[chosen] = np.clip((position - self.ends[entry]) / self.count[entry], 0, 1)
            rows, moved = rows[~stays], node[~stays]
            within[rows] = np.clip((at[~stays] - self.own[moved]) / self.passed[moved], 0, 1)
            node = tree.parent[moved]
        return found, within

    def probability(self, tree: Tree, piece: int, cumulative: Floats) -> Floats:
        """Probability of one piece at every node, (n_nodes,)."""
        holds = np.flatnonzero((self.first <= piece) & (piece <= self.last))
        reach = cumulative[self.last[holds] + 1] - cumulative[self.first[holds]]
        mass = self.count[holds] * ((cumulative[piece + 1] - cumulative[piece]) / reach)
        node = np.searchsorted(self.start, holds, side="right") - 1
        here = np.bincount(node, weights=mass, minlength=tree.n_nodes)
        pool = np.maximum(self.own + self.passed, 1)
        found: Floats = here / pool
        for depth in range(1, int(tree.depth.max()) + 1):
            at = np.flatnonzero(tree.depth == depth)
            found[at] = (here[at] + found[tree.parent[at]] * self.passed[at]) / pool[at]
        return found

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        names = ("start", "first", "last", "count", "passed")
        return {name: getattr(self, name) for name in names}
