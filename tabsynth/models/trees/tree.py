"""A binary tree as arrays, and the leaf of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]
Pieces = npt.NDArray[np.int32]
"""Piece of every row on one axis, (n_rows,); -1 where the row has no such part."""


@dataclass(frozen=True, eq=False)
class Tree:
    """Nodes in preorder, all arrays of shape (n_nodes,): a node comes before its children.

    A node with `axis` ≥ 0 sends rows whose piece on that axis has rank ≤ `threshold` to `left`, others to `right`; a
    leaf has axis, left and right -1. `ranks` gives the ranks of the pieces of axes whose order is free,
    chosen for what this tree predicts; on other axes a piece is its own rank.
    """

    axis: Integers
    threshold: Integers
    left: Integers
    right: Integers
    ranks: Mapping[int, Integers]

    @property
    def n_nodes(self) -> int:
        return len(self.axis)

    @cached_property
    def parent(self) -> Integers:
        """-1 for the root."""
        parent = np.full(self.n_nodes, -1, dtype=np.int32)
        inner = np.flatnonzero(self.axis >= 0).astype(np.int32)
        parent[self.left[inner]] = inner
        parent[self.right[inner]] = inner
        return parent

    @cached_property
    def depth(self) -> Integers:
        """0 for the root."""
        depth = np.zeros(self.n_nodes, dtype=np.int32)
        at = np.arange(self.n_nodes)
        while (above := self.parent[at] >= 0).any():
            depth += above
            at = np.where(above, self.parent[at], at)
        return depth

    def leaf_of(self, pieces: Mapping[int, Pieces], n_rows: int) -> Integers:
        """The leaf of every row, (n_rows,), from its pieces on the axes."""
        node = np.zeros(n_rows, dtype=np.int32)
        if self.n_nodes == 1 or not n_rows:
            return node
        used = np.unique(self.axis[self.axis >= 0])
        slot = np.zeros(int(used[-1]) + 2, dtype=np.intp)  # the last: of a leaf, any
        slot[used] = np.arange(len(used))
        flat = np.concatenate([self._ranked(int(axis), pieces[int(axis)]) for axis in used])
        place, is_inner = slot[self.axis] * n_rows, self.axis >= 0
        below = np.stack([self.left, self.right], axis=1).reshape(-1).astype(np.intp)
        rows, at = np.arange(n_rows), np.zeros(n_rows, dtype=np.intp)
        while len(rows):
            goes_right = flat.take(place.take(at) + rows) > self.threshold.take(at)
            at = below.take(2 * at + goes_right)
            node[rows] = at
            waiting = np.flatnonzero(is_inner.take(at))
            rows, at = rows.take(waiting), at.take(waiting)
        return node

    def _ranked(self, axis: int, pieces: Pieces) -> Integers:
        ranks = self.ranks.get(axis)
        return pieces if ranks is None else ranks[pieces]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {
            "axis": self.axis,
            "threshold": self.threshold,
            "left": self.left,
            "right": self.right,
        }
        return found | {f"ranks.{axis}": ranks for axis, ranks in self.ranks.items()}


def stump() -> Tree:
    """A tree of one leaf."""
    one = np.full(1, -1, dtype=np.int32)
    return Tree(one, np.zeros(1, dtype=np.int32), one, one, {})
