"""The logarithm of how much more frequent rows are in the source than among rows drawn axis by axis: small trees and margins.

Trees of at most 32 leaves are evaluated without walking: for each axis that a tree asks for, a table gives the leaves
that a code leaves reachable, as bits; the lowest bit that all axes share is the leaf (QuickScorer: Lucchese et al. 2015).
Two trees at a time share a word.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.trees.axes import ABSENT, MANY_LEVELS
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.density_ratio import MOST_LEAVES, RatioTree

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]
_ROWS_AT_ONCE = 8192
_TOGETHER = 2  # trees of 32 bits in a word of 64
_WORD = np.dtype("<u8")  # so that its first 32 bits are the first tree's
_HALF = np.dtype("<u4")
_ALL = np.uint32((1 << MOST_LEAVES) - 1)
_SEQUENCE = np.uint32(0x077CB531)  # of de Bruijn: shifted by 0 to 31, its first five bits all differ
_FIRST_BITS = np.uint32(27)  # by which it is shifted back, so that only these are left
_PLACES = [((int(_SEQUENCE) << leaf) & int(_ALL)) >> int(_FIRST_BITS) for leaf in range(MOST_LEAVES)]


def codes_of(latents: Sequence[Latent], bins: Sequence[Integers]) -> tuple[Integers, ...]:
    """For each axis the code of every piece, by which trees tell pieces apart, and of a row without one: the piece, of many levels their bin."""
    return tuple(
        np.append(
            bins[axis]
            if latent.part is Part.LEVEL and len(latent.marginal.mass) > MANY_LEVELS
            else np.arange(len(latent.marginal.mass)),
            ABSENT,
        ).astype(np.int32)
        for axis, latent in enumerate(latents)
    )


@dataclass(frozen=True, eq=False)
class Ratio:
    """Trees over the `codes` of axes, and `margins`, what the pieces of each axis add; both (n_pieces + 1,), the last for rows without one.

    `bound`: the log ratio from which on rows are always kept.
    """

    codes: tuple[Integers, ...]
    trees: tuple[RatioTree, ...]
    margins: tuple[npt.NDArray[np.float32], ...]
    bound: float

    def logs(self, pieces: Mapping[int, Pieces]) -> Floats:
        """Of every row, (n_rows,), from its pieces on all axes."""
        found = self.forest.logs([own[pieces[axis]] for axis, own in enumerate(self.codes)])
        for axis, margin in enumerate(self.margins):
            found += margin[pieces[axis]]
        return found

    def chance(self, pieces: Mapping[int, Pieces]) -> Floats:
        """Of every drawn row to be kept, (n_rows,), in (0, 1]."""
        return np.exp(np.minimum(self.logs(pieces) - self.bound, 0.0))

    @cached_property
    def forest(self) -> Forest:
        return Forest.of(self.trees, [int(own.max(initial=ABSENT)) + 2 for own in self.codes])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {
            f"ratio.{part}": np.concatenate([getattr(tree, part) for tree in self.trees])
            for part in ("column", "threshold", "left", "right", "value")
        }
        found["ratio.start"] = np.cumsum([0, *(len(tree.column) for tree in self.trees)]).astype(np.int64)
        found["ratio.bound"] = np.array([self.bound])
        return found | {f"ratio.margin.{axis}": margin for axis, margin in enumerate(self.margins)}


@dataclass(frozen=True, eq=False)
class Forest:
    """For each two trees the axes they ask for with their tables, (n_codes,), of the leaves that stay reachable, and all leaves' values, (64,)."""

    tables: tuple[tuple[tuple[int, Words], ...], ...]
    values: tuple[npt.NDArray[np.float32], ...]

    @classmethod
    def of(cls, trees: Sequence[RatioTree], sizes: Sequence[int]) -> Forest:
        """`sizes`: of each axis the number of its codes, from -1 on."""
        groups = [trees[first : first + _TOGETHER] for first in range(0, len(trees), _TOGETHER)]
        made = [_together([_tables(tree, sizes) for tree in group], sizes) for group in groups]
        return cls(tuple(tables for tables, _ in made), tuple(values for _, values in made))

    def logs(self, codes: Sequence[Integers]) -> Floats:
        """The sum of the leaves of every row, (n_rows,), from its code on every axis."""
        firsts = range(0, len(codes[0]), _ROWS_AT_ONCE)
        blocks = [[own[first : first + _ROWS_AT_ONCE] for own in codes] for first in firsts]
        with ThreadPoolExecutor(max_workers=min(max(len(blocks), 1), os.cpu_count() or 1)) as pool:
            return np.concatenate([np.empty(0), *pool.map(self._logs, blocks)])

    def _logs(self, codes: Sequence[Integers]) -> Floats:
        offsets = (MOST_LEAVES * np.arange(_TOGETHER)).astype(_HALF)
        ones = np.ones(_TOGETHER, dtype=np.float32)
        block = [own.astype(np.intp) + 1 for own in codes]
        found = np.zeros(len(block[0]))
        reached, other = (np.empty(len(block[0]), dtype=_WORD) for _ in range(2))
        for tables, values in zip(self.tables, self.values, strict=True):
            reached.fill(~np.uint64(0))
            for axis, table in tables:
                reached &= table.take(block[axis], out=other, mode="clip")
            each = reached.view(_HALF)
            place = each & np.negative(each)  # the lowest bit alone, by which the sequence is shifted
            place *= _SEQUENCE
            place >>= _FIRST_BITS
            found += values.take(place.reshape(-1, _TOGETHER) + offsets, mode="clip") @ ones
        return found


def _together(
    trees: Sequence[tuple[tuple[tuple[int, Bits], ...], npt.NDArray[np.float32]]], sizes: Sequence[int]
) -> tuple[tuple[tuple[int, Words], ...], npt.NDArray[np.float32]]:
    """Tables of up to two trees as one, and their leaves' values where the sequence puts them."""
    words: dict[int, Bits] = {}
    values = np.zeros((_TOGETHER, MOST_LEAVES), dtype=np.float32)
    for number, (tables, own) in enumerate(trees):
        values[number, _PLACES] = own
        for axis, table in tables:
            everything = np.full((sizes[axis], _TOGETHER), _ALL, dtype=_HALF)
            words.setdefault(axis, everything)[:, number] = table
    return tuple((axis, table.view(_WORD)[:, 0].copy()) for axis, table in words.items()), values.reshape(-1)


def _tables(
    tree: RatioTree, sizes: Sequence[int]
) -> tuple[tuple[tuple[int, Bits], ...], npt.NDArray[np.float32]]:
    """A row that goes right at a node cannot reach the leaves on the left of it; of what is left, the first is where it ends."""
    leaves = np.flatnonzero(tree.column < 0)
    values = np.zeros(MOST_LEAVES, dtype=np.float32)
    values[: len(leaves)] = tree.value[leaves]
    tables: dict[int, Bits] = {}
    for node in np.flatnonzero(tree.column >= 0).tolist():
        axis = int(tree.column[node])
        table = tables.setdefault(axis, np.full(sizes[axis], _ALL, dtype=np.uint32))
        begins, ends = np.searchsorted(
            leaves, (node, tree.right[node])
        )  # in preorder those on the left stand between
        closed = (1 << int(ends)) - (1 << int(begins))
        first = max(0, int(tree.threshold[node]) + 2)
        table[first:] &= _ALL - np.uint32(closed)
    return tuple(tables.items()), values
