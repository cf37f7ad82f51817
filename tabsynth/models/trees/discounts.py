"""Rows of rare cells, a level that few rows of a leaf have, handed up the tree to where more rows bear them out.

The rows of such a cell say too much: among n cells of one row each, so many would come out empty, and others full, in a second
sample. Of a cell of r rows, r - d(r) are what a second sample is expected to have (Good 1953), and smoothing by such discounts,
handed to what knows less and has seen more, is the best known for sparse tables (Kneser and Ney 1995; Chen and Goodman 1999).
"""

from __future__ import annotations

import numpy as np

from tabsynth.models.trees.leaves import Counts, Floats, Mask
from tabsynth.models.trees.tree import Tree


def discounts(rows: Counts) -> Floats:
    """How many of its rows a cell of 1, 2, and 3 or more rows hands up, (3,), from how many cells there are of each.

    As Chen and Goodman (1999, equation 26) estimate them, never below zero nor above the rows.
    """
    n = np.bincount(np.minimum(rows, 5), minlength=6)[1:5].astype(np.float64)
    share = n[0] / max(n[0] + 2 * n[1], 1)
    size = np.arange(1, 4)
    found = size - (size + 1) * share * n[1:] / np.maximum(n[:3], 1)
    return np.asarray(np.clip(found, 0, size), dtype=np.float64)


def handed_up(
    tree: Tree, keys: Counts, rows: Counts, is_single: Mask, *, min_group: int
) -> tuple[Counts, Counts, Counts, Counts]:
    """What stays of each leaf's rows, (n_keys,); where others settle, as keys and rows, (n_settled,); `passed`, (n_nodes,).

    A cell of a piece that stands for itself hands up, unless `min_group` rows of the leaf have the piece or no row elsewhere has
    it; what is handed up settles at the first node above of which one of both holds.
    """
    n_pieces = np.int64(len(is_single))
    piece = keys % n_pieces
    whole = np.bincount(piece, weights=rows, minlength=len(is_single))
    is_rare = is_single[piece] & (rows < min_group) & (rows < whole[piece])
    passed = np.zeros(tree.n_nodes, dtype=np.int64)
    if not is_rare.any():
        return rows, keys[:0], rows[:0], passed
    share = np.zeros(len(keys))
    share[is_rare] = discounts(rows[is_rare])[np.minimum(rows[is_rare], 3) - 1]
    handed = np.diff(np.floor(np.r_[0.0, np.cumsum(share)] + 0.5)).astype(np.int64)  # whole rows, evenly
    handed = np.minimum(handed, rows)
    concerned = np.isin(piece, piece[handed > 0])
    seen, total = keys[concerned], rows[concerned]
    moving, moved = keys[handed > 0], handed[handed > 0]
    settled: list[tuple[Counts, Counts]] = []
    for depth in range(int(tree.depth.max()), -1, -1):
        seen, total = _pooled(seen, total)
        moving, moved = _pooled(moving, moved)
        here = np.flatnonzero(tree.depth[moving // n_pieces] == depth)
        support = total[np.searchsorted(seen, moving[here])]
        stays = (support >= min_group) | (support == whole[moving[here] % n_pieces])
        settled.append((moving[here[stays]], moved[here[stays]]))
        goes = here[~stays]
        np.add.at(passed, moving[goes] // n_pieces, moved[goes])
        moving = _at_parents(tree, moving, goes, n_pieces)
        is_done = np.zeros(len(moving), dtype=np.bool_)
        is_done[here[stays]] = True
        moving, moved = moving[~is_done], moved[~is_done]
        seen = _at_parents(tree, seen, np.flatnonzero(tree.depth[seen // n_pieces] == depth), n_pieces)
    where, settled_rows = (np.concatenate(parts) for parts in zip(*settled, strict=True))
    return rows - handed, where, settled_rows, passed


def _pooled(keys: Counts, rows: Counts) -> tuple[Counts, Counts]:
    found, where = np.unique(keys, return_inverse=True)
    return found, np.bincount(where, weights=rows, minlength=len(found)).astype(np.int64)


def _at_parents(tree: Tree, keys: Counts, chosen: Counts, n_pieces: np.int64) -> Counts:
    """The keys, those `chosen` now at the parents of their nodes."""
    moved = keys.copy()
    moved[chosen] = tree.parent[keys[chosen] // n_pieces] * n_pieces + keys[chosen] % n_pieces
    return moved
