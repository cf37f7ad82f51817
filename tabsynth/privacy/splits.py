"""Exact statistics that a tree is grown from: its splits, and how many rows of each piece fall in each leaf.

One row more can change every split above it and everything below, so no noise could be added to splits at
a bearable price; they are for fits without privacy, where the ledger says that they were read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]
CountByLeaf = Callable[[Integers, Integers, int], tuple[Counts, Counts]]


@dataclass(frozen=True, eq=False)
class Splits:
    """Nodes in preorder, all of shape (n_nodes,): -1 in `predictor`, `left` and `right` marks a leaf.

    Rows with at most `threshold` in that column go left.
    """

    predictor: Integers
    threshold: Floats
    left: Integers
    right: Integers


def grow_splits(table: npt.NDArray[np.float32], seen: Floats, *, min_leaf: int, seed: int) -> Splits:
    """Splits that leave the least variance of `seen`, (n_rows, d), each side with `min_leaf` rows or more."""
    from sklearn.tree import DecisionTreeRegressor

    grown = DecisionTreeRegressor(min_samples_leaf=min_leaf, random_state=seed).fit(table, seen).tree_
    is_inner = grown.children_left >= 0
    return Splits(
        np.where(is_inner, grown.feature, -1).astype(np.int32),
        np.where(is_inner, grown.threshold, 0.0),
        grown.children_left.astype(np.int32),
        grown.children_right.astype(np.int32),
    )


def count_by_leaf(leaf: Integers, pieces: Integers, n_pieces: int) -> tuple[Counts, Counts]:
    """Keys leaf · n_pieces + piece that occur, ascending, and the rows of each, both (n_keys,)."""
    keys = leaf.astype(np.int64) * n_pieces + pieces
    most = int(keys.max(initial=-1)) + 1
    if most <= 4 * len(keys) + 1_000_000:
        counts = np.bincount(keys, minlength=most)
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(keys, return_counts=True)
