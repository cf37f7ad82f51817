"""From rows by leaf and piece to what leaves hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.models.trees.discounts import handed_up
from tabsynth.models.trees.leaves import Counts, Floats, Leaves, Mask
from tabsynth.models.trees.tree import Tree
from tabsynth.models.trees.weights import weights_of

_MOST_RUNS = 256  # of a node, so that large leaves stay small


@dataclass(frozen=True, eq=False)
class _Entries:
    """Runs of pieces at nodes, and the rows of each; all of shape (n,)."""

    node: Counts
    first: Counts
    last: Counts
    count: Counts

    def and_(self, other: _Entries) -> _Entries:
        return _Entries(
            np.r_[self.node, other.node],
            np.r_[self.first, other.first],
            np.r_[self.last, other.last],
            np.r_[self.count, other.count],
        )


def fill_leaves(
    tree: Tree, keys: Counts, rows: Counts, is_single: Mask, mass: Floats, *, min_group: int
) -> Leaves:
    """Leaves from `rows` counted by `keys` (`tabsynth.privacy.splits.count_by_leaf`), both (n_keys,).

    `is_single`, (n_pieces,): pieces that stand for themselves. `mass`, (n_pieces,): their shares of the whole table, which draws
    from all leaves together keep. Without rows, pieces are as likely as there.
    """
    n_pieces = len(is_single)
    if len(keys) == 0:
        whole = _Entries(*(np.array([k], dtype=np.int64) for k in (0, 0, n_pieces - 1, 1)))
        return _stored(tree, whole, np.zeros(tree.n_nodes, dtype=np.int64), mass)
    stays, settled, settled_rows, passed = handed_up(tree, keys, rows, is_single, min_group=min_group)
    keys, rows = keys[stays > 0], stays[stays > 0]
    node, piece = settled // n_pieces, settled % n_pieces
    entries = _Entries(node, piece, piece, settled_rows)
    for depth in range(int(tree.depth.max()), -1, -1):
        here = tree.depth[keys // n_pieces] == depth
        pooled, where = np.unique(keys[here], return_inverse=True)
        total = np.bincount(where, weights=rows[here], minlength=len(pooled)).astype(np.int64)
        node, piece = pooled // n_pieces, pooled % n_pieces
        found, goes = _entries_of(node, piece, total, is_single, min_group=min_group, is_root=depth == 0)
        entries = entries.and_(found)
        np.add.at(passed, node[goes], total[goes])
        keys = np.r_[keys[~here], tree.parent[node[goes]] * np.int64(n_pieces) + piece[goes]]
        rows = np.r_[rows[~here], total[goes]]
    return _stored(tree, entries, passed, mass)


def _stored(tree: Tree, entries: _Entries, passed: Counts, mass: Floats) -> Leaves:
    order = np.lexsort((entries.first, entries.node))
    start = np.r_[0, np.cumsum(np.bincount(entries.node, minlength=tree.n_nodes))].astype(np.int64)
    first, last = (ends[order].astype(np.int32) for ends in (entries.first, entries.last))
    weight = weights_of(entries.first, entries.last, entries.count, mass, float(entries.count.sum()))
    return Leaves(start, first, last, entries.count[order], passed, weight)


def _entries_of(
    node: Counts, piece: Counts, rows: Counts, is_single: Mask, *, min_group: int, is_root: bool
) -> tuple[_Entries, Mask]:
    """Entries of the nodes of one depth, from ascending (node, piece) and their rows; and which of these go up."""
    alone = is_single[piece]
    goes = np.zeros(len(node), dtype=np.bool_)
    single = _Entries(node[alone], piece[alone], piece[alone], rows[alone])
    loose = np.flatnonzero(~alone)
    if not len(loose):
        return single, goes
    singles_before = np.cumsum(is_single)[piece[loose]]  # a run reaches over no piece that stands for itself
    run = np.cumsum(np.r_[True, (np.diff(node[loose]) != 0) | (np.diff(singles_before) != 0)]) - 1
    total = np.bincount(run, weights=rows[loose])
    is_held = (total >= min_group)[run] | is_root
    goes[loose[~is_held]] = True
    loose, run = loose[is_held], run[is_held]
    if not len(loose):
        return single, goes
    begins = _cut(run, rows[loose], min_group=min_group)
    ends = np.r_[begins[1:] - 1, len(loose) - 1]
    count = np.add.reduceat(rows[loose], begins)
    runs = _Entries(node[loose[begins]], piece[loose[begins]], piece[loose[ends]], count)
    return single.and_(_widened(runs, is_single, min_group=min_group)), goes


def _cut(run: Counts, rows: Counts, *, min_group: int) -> Counts:
    """Where groups begin: with each run, and wherever a group has its rows and as many are left in the run."""
    ends = np.cumsum(rows)
    first = np.flatnonzero(np.r_[True, np.diff(run) != 0])
    last = np.r_[first[1:], len(run)]
    limit = ends[last - 1]
    size = np.maximum(min_group, -(-(limit - ends[first] + rows[first]) // _MOST_RUNS))
    at, found = first, [first]
    while len(at):
        following = np.searchsorted(ends, ends[at] - rows[at] + size, side="left") + 1
        left = limit - ends[np.minimum(following, len(ends)) - 1]
        goes_on = (following < last) & (left >= size)
        at, size, last, limit = following[goes_on], size[goes_on], last[goes_on], limit[goes_on]
        found.append(at)
    return np.sort(np.concatenate(found))


def _widened(runs: _Entries, is_single: Mask, *, min_group: int) -> _Entries:
    """The same entries, each reaching half of the way to the next of its node, the outermost half a spacing out.

    Rows stand for those between them too: without this, draws would keep within the range of a few rows.
    No entry reaches a piece that stands for itself; one of fewer rows than a group (at the root alone) reaches as far as it can.
    """
    n_pieces, at = len(is_single), np.arange(len(is_single))
    floor = np.maximum.accumulate(np.where(is_single, at, -1))[runs.first] + 1
    ceiling = np.minimum.accumulate(np.where(is_single, at, n_pieces)[::-1])[::-1][runs.last] - 1
    spacing = np.rint((runs.last - runs.first) / np.maximum(runs.count - 1, 1) / 2).astype(np.int64)
    spacing = np.where(runs.count < min_group, n_pieces, spacing)
    lower, upper = runs.first - spacing, runs.last + spacing
    joins = np.flatnonzero((runs.node[1:] == runs.node[:-1]) & (floor[1:] == floor[:-1]))
    middle = (runs.last[joins] + runs.first[joins + 1]) // 2
    upper[joins], lower[joins + 1] = middle, middle + 1
    return _Entries(runs.node, np.maximum(lower, floor), np.minimum(upper, ceiling), runs.count)
