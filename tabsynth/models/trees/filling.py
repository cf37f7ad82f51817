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
        found, goes = _entries_of(node, piece, total, is_single, min_group=min_group)
        entries = entries.and_(found)
        if depth == 0:
            entries = _with_rest(entries, piece[goes], total[goes], is_single, mass, min_group=min_group)
            break
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
    node: Counts, piece: Counts, rows: Counts, is_single: Mask, *, min_group: int
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
    is_held = (total >= min_group)[run]
    goes[loose[~is_held]] = True
    loose, run = loose[is_held], run[is_held]
    if not len(loose):
        return single, goes
    begins = _cut(run, rows[loose], min_group=min_group)
    ends = np.r_[begins[1:] - 1, len(loose) - 1]
    count = np.add.reduceat(rows[loose], begins)
    runs = _Entries(node[loose[begins]], piece[loose[begins]], piece[loose[ends]], count)
    return single.and_(_widened(runs, is_single)), goes


def _with_rest(
    entries: _Entries, piece: Counts, rows: Counts, is_single: Mask, mass: Floats, *, min_group: int
) -> _Entries:
    """The entries with those of `rows` of `piece` that no node has a group of: at the root, where the table's shares put them.

    Where they were seen is not told. A stretch between two pieces that stand for themselves gets of them what its entries lack of its `mass`; if there are fewer than a
    group in all, only a stretch with entries of its own does, and where none has any, they count as the most frequent piece that stands for itself.
    """
    n_rest = int(rows.sum())
    if n_rest == 0:
        return entries
    stretch = np.cumsum(is_single)
    loose = np.flatnonzero(~is_single)
    n_stretches = int(stretch[-1]) + 1
    is_run = ~is_single[entries.first]
    held = np.bincount(stretch[entries.first[is_run]], weights=entries.count[is_run], minlength=n_stretches)
    wanted = np.bincount(stretch[loose], weights=mass[loose], minlength=n_stretches)
    may = wanted > 0
    may[stretch[entries.first[is_run & (entries.node == 0)]]] = False
    if n_rest < min_group:
        may &= held > 0
    singles = np.flatnonzero(is_single)
    if not may.any() and len(singles):
        most = singles[[int(np.argmax(mass[singles]))]]
        return _counted_at_root(entries, most, most, np.array([n_rest], dtype=np.int64))
    if not may.any():
        may[stretch[piece]] = True
    lacks = np.where(may, np.maximum(wanted * (entries.count.sum() + n_rest) - held, 0), 0)
    share = lacks if lacks.any() else np.where(may, wanted + 1e-12, 0)
    ends = np.rint(np.cumsum(share) / share.sum() * n_rest).astype(np.int64)
    count = np.diff(np.r_[0, ends])
    gets = np.flatnonzero(count)
    first = np.searchsorted(stretch[loose], gets, side="left")
    last = np.searchsorted(stretch[loose], gets, side="right") - 1
    return _counted_at_root(entries, loose[first], loose[last], count[gets])


def _counted_at_root(entries: _Entries, first: Counts, last: Counts, count: Counts) -> _Entries:
    """The entries with these at the root, each added to one that is there already."""
    there = np.flatnonzero(entries.node == 0)
    both = _Entries(np.zeros(len(first), dtype=np.int64), first, last, count).and_(
        _Entries(*(part[there] for part in (entries.node, entries.first, entries.last, entries.count)))
    )
    order = np.argsort(both.first, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(both.first[order]) != 0])
    at = order[begins]
    root = _Entries(both.node[at], both.first[at], both.last[at], np.add.reduceat(both.count[order], begins))
    below = entries.node != 0
    return _Entries(
        *(part[below] for part in (entries.node, entries.first, entries.last, entries.count))
    ).and_(root)


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


def _widened(runs: _Entries, is_single: Mask) -> _Entries:
    """The same entries, each reaching half of the way to the next of its node, the outermost half a spacing out.

    Rows stand for those between them too: without this, draws would keep within the range of a few rows.
    No entry reaches a piece that stands for itself.
    """
    n_pieces, at = len(is_single), np.arange(len(is_single))
    floor = np.maximum.accumulate(np.where(is_single, at, -1))[runs.first] + 1
    ceiling = np.minimum.accumulate(np.where(is_single, at, n_pieces)[::-1])[::-1][runs.last] - 1
    spacing = np.rint((runs.last - runs.first) / np.maximum(runs.count - 1, 1) / 2).astype(np.int64)
    lower, upper = runs.first - spacing, runs.last + spacing
    joins = np.flatnonzero((runs.node[1:] == runs.node[:-1]) & (floor[1:] == floor[:-1]))
    middle = (runs.last[joins] + runs.first[joins + 1]) // 2
    upper[joins], lower[joins + 1] = middle, middle + 1
    return _Entries(runs.node, np.maximum(lower, floor), np.minimum(upper, ceiling), runs.count)
