"""What the leaves of a tree hold: rows by piece, and by run of pieces, no run of fewer rows than a group.

Pieces that stand for themselves are counted one by one, some rows of rare ones at nodes above (`discounts.py`). Others are interchangeable with their neighbours: they are cut, in
order, into runs that at least a group of the leaf's rows share, and within a run pieces are likely in proportion to weights that
make up for the rows of rare pieces which runs share out among frequent ones (`weights.py`). Where too few rows of a leaf lie between two pieces that stand for themselves, they are counted at the first node above
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


_MOST_CHANCES = 1 << 20
_REPEATED = 64
"""Pairs of a leaf and a piece are looked up once each where there are not too many, and rows enough to repeat them."""


@dataclass(frozen=True, eq=False)
class Leaves:
    """Rows by node and run. `start`, (n_nodes + 1,): where the entries of each node begin.

    `first`, `last` and `count`, (n_entries,): the pieces of an entry, inclusive, and its rows. `passed`, (n_nodes,): the
    rows that a node hands up to its parent. `weight`, (n_pieces,): how likely pieces of an entry are, in proportion.
    """

    start: Counts
    first: Integers
    last: Integers
    count: Counts | Floats
    passed: Counts | Floats
    weight: Floats

    @cached_property
    def cumulative(self) -> Floats:
        """The weights of all pieces before each, (n_pieces + 1,)."""
        cumulative: Floats = np.r_[0.0, np.cumsum(self.weight)]
        return cumulative

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

    def draw(self, tree: Tree, leaf: Integers, share: Floats) -> tuple[Integers, Floats]:
        """Pieces at shares in [0, 1) of the leaves' distributions, and how far into the piece, both (n_rows,)."""
        entry, within = self._entries(tree, leaf, share)
        return placed(self.first[entry], self.last[entry], within, self.cumulative)

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
            count = self.count[entry]
            part = np.divide(position - self.ends[entry], count, out=np.zeros(len(entry)), where=count > 0)
            within[chosen] = np.clip(part, 0, 1)
            rows, moved = rows[~stays], node[~stays]
            within[rows] = np.clip((at[~stays] - self.own[moved]) / self.passed[moved], 0, 1)
            node = tree.parent[moved]
        return found, within

    def within(self, tree: Tree, left: Floats) -> tuple[Leaves, Floats]:
        """Leaves that draw only what is left of each piece, in [0, 1], (n_pieces,), and how probable that is at every node, (n_nodes,).

        Counts are no whole numbers then.
        """
        weight = self.weight * left
        ends = np.r_[0.0, np.cumsum(weight)]
        reach = self.cumulative[self.last + 1] - self.cumulative[self.first]
        kept = ends[self.last + 1] - ends[self.first]
        count = self.count * np.divide(kept, reach, out=np.zeros(len(reach)), where=reach > 0)
        node = np.repeat(np.arange(tree.n_nodes), np.diff(self.start))
        here = np.bincount(node, weights=count, minlength=tree.n_nodes)
        pool = np.maximum(self.own + self.passed, 1)
        chance: Floats = here / pool
        for depth in range(1, int(tree.depth.max()) + 1):
            at = np.flatnonzero(tree.depth == depth)
            chance[at] = (here[at] + chance[tree.parent[at]] * self.passed[at]) / pool[at]
        passed = self.passed * np.where(tree.parent >= 0, chance[tree.parent], 0.0)
        return Leaves(self.start, self.first, self.last, count, passed, weight), chance

    def chance_of(self, tree: Tree, leaf: Integers, piece: Integers) -> Floats:
        """How probable a piece of its own is at the leaf of every row, (n_rows,)."""
        n_pieces = np.int64(len(self.weight))
        if tree.n_nodes * n_pieces <= _MOST_CHANCES < len(leaf) * _REPEATED:
            pairs = leaf * n_pieces + piece
            occurs = np.zeros(tree.n_nodes * n_pieces, dtype=np.bool_)
            occurs[pairs] = True
            every = np.flatnonzero(occurs)
            chance: Floats = np.zeros(len(occurs))
            chance[every] = self._chances(tree, every // n_pieces, every % n_pieces)
            of_rows: Floats = chance[pairs]
            return of_rows
        return self._chances(tree, leaf.astype(np.int64), piece.astype(np.int64))

    def _chances(self, tree: Tree, leaf: Counts, piece: Counts) -> Floats:
        cumulative, n_pieces = self.cumulative, np.int64(len(self.weight))
        entry_node = np.repeat(np.arange(tree.n_nodes), np.diff(self.start))
        keys = entry_node * n_pieces + self.first
        mass, pool = cumulative[piece + 1] - cumulative[piece], np.maximum(self.own + self.passed, 1)
        found, share = np.zeros(len(leaf)), np.ones(len(leaf))
        rows, node = np.arange(len(leaf)), leaf
        while len(rows):
            entry = np.searchsorted(keys, node * n_pieces + piece[rows], side="right") - 1
            holds = (entry >= self.start[node]) & (self.last[np.maximum(entry, 0)] >= piece[rows])
            held, entry = rows[holds], entry[holds]
            reach = cumulative[self.last[entry] + 1] - cumulative[self.first[entry]]
            part = np.divide(mass[held], reach, out=np.zeros(len(held)), where=reach > 0)
            found[held] += share[held] * self.count[entry] * part / pool[node[holds]]
            share[rows] *= self.passed[node] / pool[node]
            goes = self.passed[node] > 0
            rows, node = rows[goes], tree.parent[node[goes]].astype(np.int64)
        return found

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        names = ("start", "first", "last", "count", "passed")
        return {name: getattr(self, name) for name in names}


def placed(first: Integers, last: Integers, within: Floats, cumulative: Floats) -> tuple[Integers, Floats]:
    """The piece `within` of the way, by mass, through the pieces from `first` to `last`, and how far into it, all (n_rows,)."""
    low, high = cumulative[first], cumulative[last + 1]
    position = low + within * (high - low)
    piece = np.clip(np.searchsorted(cumulative, position, side="right") - 1, first, last)
    width = cumulative[piece + 1] - cumulative[piece]
    rest = np.divide(position - cumulative[piece], width, out=np.zeros(len(piece)), where=width > 0)
    return piece.astype(np.int32), np.clip(rest, 0, 1)
