"""Questions put to a release: how many of its rows agree with a target on a set of columns.

After Houssiau et al. (2022, TAPAS): counts over random subsets of the attributes. A row's agreement with a
target is a bit for each column, and for numbers two, near and equal; a question is a set of bits, so rows of
one pattern are asked once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.proximity import Line
from tabsynth.metrics.sampling import take_rows

Counts = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]

N_QUERIES = 256
NEAR_SHARE = 0.05
"""Of a column's range (.01 to .99 quantile of train): how far a near number may be."""
WORD = 64
BLOCK_PATTERNS = 8_192


@dataclass(frozen=True, slots=True)
class Patterns:
    """The distinct agreements of rows with one target row: which each row has, and which queries it meets.

    `of_row` has shape (n_rows,), `meets` (n_patterns, n_queries).
    """

    of_row: Rows
    meets: npt.NDArray[np.bool_]

    def counts(self, rows: Rows | None = None) -> Counts:
        """How many rows, all or those of these indices (repeats count), meet each query; (n_queries,)."""
        of_row = self.of_row if rows is None else self.of_row[rows]
        often = np.bincount(of_row, minlength=len(self.meets)).astype(np.float64)
        return np.rint(often @ self.meets).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked about every target; `wanted`, shape (n_queries, n_words), are the bits of each query.

    `targets` holds the rows of each target's unit, and `tolerances` how far a near number may be.
    """

    targets: tuple[EncodedTable, ...]
    tolerances: dict[str, float]
    wanted: Words

    @classmethod
    def of(
        cls,
        targets: tuple[EncodedTable, ...],
        train: EncodedTable,
        *,
        rng: np.random.Generator,
        n_queries: int = N_QUERIES,
    ) -> Self:
        """All columns, equal and near, and then random subsets of a uniform size, equal and near in turn."""
        tolerances = {
            name: NEAR_SHARE * Line.of(column).spread
            for name, column in train.columns.items()
            if column.variable.is_continuous
        }
        bits = _bits(train)
        names = list(train.columns)
        wanted = np.zeros((n_queries, n_words(train)), dtype=np.uint64)
        for k in range(n_queries):
            size = len(names) if k < 2 else int(rng.integers(1, len(names) + 1))
            for j in rng.permutation(len(names))[:size]:
                bit = bits[names[j]][k % 2 if names[j] in tolerances else 0]
                wanted[k, bit // WORD] |= np.uint64(1) << np.uint64(bit % WORD)
        return cls(targets, tolerances, wanted)

    def counts(self, release: EncodedTable) -> Counts:
        """Of each target, how many released rows meet each query; shape (n_targets, n_queries).

        For a person of several rows, the counts of all of them together.
        """
        return np.array(
            [
                sum(
                    (patterns.counts() for patterns in self.patterns(k, release)),
                    start=np.zeros(len(self.wanted), dtype=np.int64),
                )
                for k in range(len(self.targets))
            ]
        )

    def patterns(self, target: int, table: EncodedTable) -> list[Patterns]:
        """How the rows of `table` agree with each row of that target."""
        rows = self.targets[target]
        return [
            self._patterns(take_rows(rows, np.array([row], dtype=np.intp)), table)
            for row in range(rows.n_rows)
        ]

    def _patterns(self, target: EncodedTable, table: EncodedTable) -> Patterns:
        agreed = np.zeros((table.n_rows, self.wanted.shape[1]), dtype=np.uint64)
        for name, bits in _bits(target).items():
            answers = agreement(table.columns[name], target.columns[name], self.tolerances.get(name))
            for bit, answer in zip(bits, answers, strict=True):
                agreed[:, bit // WORD] |= answer.astype(np.uint64) << np.uint64(bit % WORD)
        if agreed.shape[1] == 1:
            found, of_row = np.unique(agreed[:, 0], return_inverse=True)
            found = found[:, None]
        else:
            found, of_row = np.unique(agreed, axis=0, return_inverse=True)
        blocks = [
            ((found[start : start + BLOCK_PATTERNS, None, :] & self.wanted) == self.wanted).all(axis=2)
            for start in range(0, len(found), BLOCK_PATTERNS)
        ]
        none = np.zeros((0, len(self.wanted)), dtype=np.bool_)
        return Patterns(of_row.reshape(-1), np.concatenate([none, *blocks]))


def agreement(
    column: EncodedColumn, target: EncodedColumn, tolerance: float | None
) -> tuple[npt.NDArray[np.bool_], ...]:
    """Whether each cell agrees with the target's one cell: the same level; for numbers equal, then near.

    A null or a special value agrees with the same alone, equal and near.
    """
    same = column.codes == target.codes[0]
    if column.values is None or target.values is None or tolerance is None:
        return (same,)
    if target.codes[0] != 0:
        return same, same
    equal = same & (column.values == target.values[0])
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(column.values.astype(np.float64) - float(target.values[0]))
    return equal, equal | (same & (apart <= tolerance))


def _bits(table: EncodedTable) -> dict[str, tuple[int, ...]]:
    """The bits of each column: one, or equal and near."""
    bits, n = {}, 0
    for name, column in table.columns.items():
        own = 2 if column.variable.is_continuous else 1
        bits[name] = tuple(range(n, n + own))
        n += own
    return bits


def n_words(table: EncodedTable) -> int:
    """How many 64-bit words hold the bits of one row."""
    return -(-sum(len(bits) for bits in _bits(table).values()) // WORD)
