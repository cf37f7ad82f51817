"""Splits that say too little are taken back: minimum description length on coarse counts (Rissanen 1978)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tabsynth.models.trees.tree import Integers, Tree

Counts = npt.NDArray[np.int64]


def prune(tree: Tree, keys: Counts, rows: Counts, bins: Integers, *, penalty: float, min_leaf: int) -> Tree:
    """The subtree that describes the rows' bins in the fewest nats, each bin of a leaf costing `penalty` of them.

    `keys` and `rows` count the leaves' rows (`tabsynth.privacy.splits.count_by_leaf`), `bins` gives each
    piece's bin. A node with a child of fewer than `min_leaf` rows becomes a leaf too.
    """
    n_bins = int(bins.max()) + 1
    cell = keys // len(bins) * n_bins + bins[keys % len(bins)]
    counts = np.bincount(cell, weights=rows, minlength=tree.n_nodes * n_bins).reshape(tree.n_nodes, n_bins)
    for depth in range(int(tree.depth.max()), 0, -1):
        at = np.flatnonzero(tree.depth == depth)
        np.add.at(counts, tree.parent[at], counts[at])
    total = counts.sum(axis=1)
    nats = total * np.log(np.maximum(total, 1)) - (counts * np.log(np.maximum(counts, 1))).sum(axis=1)
    cost = nats + penalty * np.maximum((counts > 0).sum(axis=1) - 1, 0)
    is_inner = tree.axis >= 0
    for depth in range(int(tree.depth.max()) - 1, -1, -1):
        at = np.flatnonzero((tree.depth == depth) & is_inner)
        left, right = tree.left[at], tree.right[at]
        below = cost[left] + cost[right]
        stays = (below < cost[at]) & (np.minimum(total[left], total[right]) >= min_leaf)
        is_inner[at[~stays]] = False
        cost[at[stays]] = below[stays]
    return _without(tree, is_inner)


def _without(tree: Tree, is_inner: npt.NDArray[np.bool_]) -> Tree:
    """The tree whose nodes outside `is_inner` are leaves, and those below them gone."""
    is_kept = np.ones(tree.n_nodes, dtype=np.bool_)
    for depth in range(1, int(tree.depth.max()) + 1):
        at = np.flatnonzero(tree.depth == depth)
        is_kept[at] = is_kept[tree.parent[at]] & is_inner[tree.parent[at]]
    place = (np.cumsum(is_kept) - 1).astype(np.int32)
    inner = is_inner[is_kept]

    def kept(values: Integers, leaf: int) -> Integers:
        return np.where(inner, values[is_kept], leaf).astype(np.int32)

    axis = kept(tree.axis, -1)
    used = set(axis.tolist())
    return Tree(
        axis,
        kept(tree.threshold, 0),
        kept(place[tree.left], -1),
        kept(place[tree.right], -1),
        {a: ranks for a, ranks in tree.ranks.items() if a in used},
    )
