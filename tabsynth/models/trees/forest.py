"""Sums of small trees over the codes of axes, for many rows at once.

Trees of at most 32 leaves are evaluated without walking: for each axis that a tree asks for, a table gives the leaves
that a code leaves reachable, as bits; the lowest bit that all axes share is the leaf (QuickScorer: Lucchese et al. 2015).
Two trees at a time share a word, and axes of few codes share a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.models.trees.tree import Integers
from tabsynth.privacy.boosted import MOST_LEAVES, BoostedTree

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]
_ROWS_AT_ONCE = 32_768  # with fewer, threads that draw side by side wait for one another between steps more than they work
_MOST_CODES = 1024  # of axes that share a table, so that a table of words stays in the nearest cache
_TOGETHER = 2  # trees of 32 bits in a word of 64
_WORD = np.dtype("<u8")  # so that its first 32 bits are the first tree's
_HALF = np.dtype("<u4")
_ALL = np.uint32((1 << MOST_LEAVES) - 1)
_SEQUENCE = np.uint32(0x077CB531)  # of de Bruijn: shifted by 0 to 31, its first five bits all differ
_FIRST_BITS = np.uint32(27)  # by which it is shifted back, so that only these are left
_TO_SECOND = np.uint64(32 - 5)  # from where the second tree's place stands in a word to beside the first's
_BOTH = np.uint64(MOST_LEAVES**2 - 1)
_PLACES = [((int(_SEQUENCE) << leaf) & int(_ALL)) >> int(_FIRST_BITS) for leaf in range(MOST_LEAVES)]
NODE_PARTS: dict[str, type[np.generic]] = {
    "column": np.int32,
    "threshold": np.int32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
}


@dataclass(frozen=True, eq=False)
class Forest:
    """For each two trees the groups of axes they ask for with their tables, (n_codes,), of the leaves that stay reachable, and the sums of what leaves of the one and the other say, (1024,).

    `groups`: axes and how many codes each has. A group's codes are those of its axes together, the last axis's next to one another.
    """

    groups: tuple[tuple[tuple[int, int], ...], ...]
    tables: tuple[tuple[tuple[int, Words], ...], ...]
    values: tuple[npt.NDArray[np.float32], ...]

    @classmethod
    def of(cls, trees: Sequence[BoostedTree], sizes: Sequence[int]) -> Forest:
        """`sizes`: of each axis the number of its codes, from -1 on."""
        pairs = [trees[first : first + _TOGETHER] for first in range(0, len(trees), _TOGETHER)]
        groups = _grouped(
            {int(axis) for tree in trees for axis in np.unique(tree.column) if axis >= 0}, sizes
        )
        made = [_together([_tables(tree, sizes) for tree in pair], groups) for pair in pairs]
        return cls(groups, tuple(tables for tables, _ in made), tuple(values for _, values in made))

    def logs(self, codes: Sequence[Integers]) -> Floats:
        """The sum of the leaves of every row, (n_rows,), from its code on every axis."""
        firsts = range(0, len(codes[0]), _ROWS_AT_ONCE)
        blocks = [self._logs([own[first : first + _ROWS_AT_ONCE] for own in codes]) for first in firsts]
        return np.concatenate([np.empty(0), *blocks])

    def _logs(self, codes: Sequence[Integers]) -> Floats:
        block = []
        for group in self.groups:
            together = np.zeros(len(codes[0]), dtype=np.intp)
            for axis, size in group:
                together = together * size + (codes[axis] + 1)
            block.append(together)
        found = np.zeros(len(codes[0]))
        reached, other = (np.empty(len(codes[0]), dtype=_WORD) for _ in range(2))
        said = np.empty(len(codes[0]), dtype=np.float32)
        for tables, values in zip(self.tables, self.values, strict=True):
            reached.fill(~np.uint64(0))
            for group_number, table in tables:
                reached &= table.take(block[group_number], out=other, mode="clip")
            each, place = reached.view(_HALF), other.view(_HALF)
            np.negative(each, out=place)
            place &= each  # the lowest bit alone, by which the sequence is shifted
            place *= _SEQUENCE
            place >>= _FIRST_BITS
            np.right_shift(other, _TO_SECOND, out=reached)
            reached |= other
            reached &= _BOTH
            found += values.take(reached.view(np.int64), out=said, mode="clip")
        return found


def _grouped(axes: set[int], sizes: Sequence[int]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The axes in groups, those of the fewest codes first, of no more than `_MOST_CODES` codes together, or alone."""
    groups: list[list[tuple[int, int]]] = []
    n_codes = _MOST_CODES
    for size, axis in sorted((sizes[axis], axis) for axis in axes):
        if not groups or n_codes * size > _MOST_CODES:
            groups.append([])
            n_codes = 1
        groups[-1].append((axis, size))
        n_codes *= size
    return tuple(tuple(group) for group in groups)


def _together(
    trees: Sequence[tuple[dict[int, Bits], npt.NDArray[np.float32]]],
    groups: Sequence[Sequence[tuple[int, int]]],
) -> tuple[tuple[tuple[int, Words], ...], npt.NDArray[np.float32]]:
    """Tables of up to two trees as one, by group, and sums of their leaves' values where the sequence puts them."""
    each = np.zeros((_TOGETHER, MOST_LEAVES), dtype=np.float32)
    for number, (_, own) in enumerate(trees):
        each[number, _PLACES] = own
    values = (each[1][:, None] + each[0]).reshape(-1)
    words = []
    for number, group in enumerate(groups):
        if not any(axis in tables for tables, _ in trees for axis, _ in group):
            continue
        shape = tuple(size for _, size in group)
        table = np.full((*shape, _TOGETHER), _ALL, dtype=_HALF)
        for tree, (tables, _) in enumerate(trees):
            for place, (axis, size) in enumerate(group):
                if axis in tables:
                    along = [1] * len(shape)
                    along[place] = size
                    table[..., tree] &= tables[axis].reshape(along)
        words.append((number, table.reshape(-1, _TOGETHER).view(_WORD)[:, 0].copy()))
    return tuple(words), values


def _tables(tree: BoostedTree, sizes: Sequence[int]) -> tuple[dict[int, Bits], npt.NDArray[np.float32]]:
    """A row that goes right at a node cannot reach the leaves on the left of it; of what is left, the first is where it ends."""
    is_leaf = tree.column < 0
    # of every node the leaves before it: in preorder those on its left stand between it and its right
    before: npt.NDArray[np.intp] = np.cumsum(is_leaf) - is_leaf
    values = np.zeros(MOST_LEAVES, dtype=np.float32)
    values[: int(is_leaf.sum())] = tree.value[is_leaf]
    nodes = np.flatnonzero(~is_leaf)
    bit = np.uint64(1)
    closed = (bit << before[tree.right[nodes]].astype(np.uint64)) - (bit << before[nodes].astype(np.uint64))
    left_open = (~closed).astype(np.uint32)
    axes, firsts = tree.column[nodes].tolist(), np.maximum(tree.threshold[nodes] + 2, 0).tolist()
    tables: dict[int, Bits] = {}
    for axis, first, remaining in zip(axes, firsts, left_open, strict=True):
        if axis not in tables:
            tables[axis] = np.full(sizes[axis], _ALL, dtype=np.uint32)
        tables[axis][first:] &= remaining
    return tables, values


def arrays_of(trees: Sequence[BoostedTree], prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Trees as arrays to be stored: their nodes one after another, and where each begins."""
    found: dict[str, npt.NDArray[Any]] = {
        f"{prefix}{part}": np.concatenate([np.empty(0, dtype), *(getattr(tree, part) for tree in trees)])
        for part, dtype in NODE_PARTS.items()
    }
    found[f"{prefix}start"] = np.cumsum([0, *(len(tree.column) for tree in trees)]).astype(np.int64)
    return found
