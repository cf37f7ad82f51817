"""One table as metrics of pairs see it: every column in a few cells, and its numbers standardised.

Cells come from train for all tables: deciles of its numbers, each level in its own cell, the rarest
levels of a long list pooled. Everything about a pair is then one count over two arrays of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.samples import Numbers, Sample, midranks, numbers_of

N_BINS = 10
MAX_CELLS = 256  # of one column; the levels beyond them share the last

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Binning:
    """How one column falls into cells.

    Numbers go to `len(inner_edges) + 1` bins, closed on the left; the levels of code c go to cell
    `cell_of_level[c]`, which for a continuous column lies after the bins (code 0 is not used).
    """

    n_bins: int  # 0 for a discrete column
    inner_edges: npt.NDArray[np.float64]
    cell_of_level: npt.NDArray[np.uint16]
    n_cells: int

    @classmethod
    def of(cls, train: EncodedColumn) -> Self:
        variable = train.variable
        edges = np.empty(0)
        n_bins = 0
        if variable.is_continuous:
            sample = Sample.of(numbers_of(train))
            if sample.n:
                edges = np.unique(sample.quantile(np.arange(1, N_BINS) / N_BINS))
            n_bins = len(edges) + 1
        counts = np.bincount(train.codes, minlength=variable.n_levels + 1)
        if variable.is_continuous:
            counts[0] = -1  # no level: last in line
        room = MAX_CELLS - n_bins
        order = np.argsort(-counts, kind="stable")
        cells = np.arange(variable.n_levels + 1) + n_bins - variable.is_continuous
        if len(order) - variable.is_continuous > room:
            cells[order] = n_bins + np.minimum(np.arange(len(order)), room - 1)
        return cls(n_bins, edges, np.maximum(cells, 0).astype(np.uint16), int(cells.max()) + 1)

    def cells(self, column: EncodedColumn) -> npt.NDArray[np.uint16]:
        """The cell of each row, shape (n_rows,), in [0, n_cells)."""
        cells = self.cell_of_level[column.codes]
        if column.values is not None:
            bins = np.searchsorted(self.inner_edges, column.values, side="right").astype(np.uint16)
            cells = np.where(column.codes == 0, bins, cells)
        return cells


def binnings_of(train: EncodedTable) -> dict[str, Binning]:
    return {name: Binning.of(column) for name, column in train.columns.items()}


@dataclass(frozen=True, slots=True)
class Standardised:
    """A continuous column with mean 0 and variance 1 over its numbers, and 0 where there is none.

    `present` is 1 where there is a number, None where there always is. `is_constant` says that there is
    no variance to divide by. Single precision: figures made of it are good to about 1e-5.
    """

    scores: npt.NDArray[np.float32]
    present: npt.NDArray[np.float32] | None
    is_constant: bool

    @classmethod
    def of(cls, column: EncodedColumn, numbers: Numbers | npt.NDArray[np.float64]) -> Self:
        """`numbers` are the column's numbers, or any transform of them, without the empty cells."""
        is_number = column.codes == 0
        centred = numbers.astype(np.float64) / max(1.0, float(np.abs(numbers).max(initial=0)))
        centred -= centred.mean() if len(centred) else 0.0
        deviation = float(np.sqrt(np.mean(centred**2))) if len(centred) else 0.0
        is_constant = len(numbers) == 0 or bool((numbers == numbers[0]).all()) or deviation == 0.0
        scores = np.zeros(len(is_number), dtype=np.float32)
        if not is_constant:
            scores[is_number] = centred / deviation
        present = None if is_number.all() else is_number.astype(np.float32)
        return cls(scores, present, is_constant)


@dataclass(frozen=True, slots=True)
class PairView:
    """The cells of every column of a table, and the scores of the continuous ones, by name."""

    n_rows: int
    binnings: dict[str, Binning]
    cells: dict[str, npt.NDArray[np.uint16]]
    numbers: dict[str, Standardised]
    ranks: dict[str, Standardised]

    @classmethod
    def of(cls, table: EncodedTable, binnings: dict[str, Binning]) -> Self:
        cells, numbers, ranks = {}, {}, {}
        for name, binning in binnings.items():
            column = table.columns[name]
            cells[name] = binning.cells(column)
            if column.variable.is_continuous:
                found = numbers_of(column)
                numbers[name] = Standardised.of(column, found)
                ranks[name] = Standardised.of(column, midranks(found))
        return cls(table.n_rows, binnings, cells, numbers, ranks)

    def joint(self, a: str, b: str) -> Counts:
        """Rows in each pair of cells, shape (n_cells of a, n_cells of b)."""
        shape = self.binnings[a].n_cells, self.binnings[b].n_cells
        keys = self.cells[a].astype(np.intp)
        keys *= shape[1]
        keys += self.cells[b]
        return np.bincount(keys, minlength=shape[0] * shape[1]).reshape(shape)

    def pearson(self, a: str, b: str) -> float | None:
        """Over the rows in which both are numbers; None where either does not vary there."""
        return _correlation(self.numbers[a], self.numbers[b])

    def spearman(self, a: str, b: str) -> float | None:
        """Pearson correlation of ranks; each column is ranked once, over all of its own numbers."""
        return _correlation(self.ranks[a], self.ranks[b])

    def correlation_ratio(self, number: str, level: str, joint: Counts) -> float | None:
        """How much of the number's variance the levels explain, as a square root in [0, 1].

        `joint` counts the cells of (number, level).
        """
        column = self.numbers[number]
        counts = joint[: self.binnings[number].n_bins].sum(axis=0)
        seen = counts > 0
        if column.is_constant or seen.sum() < 2:
            return None
        sums = np.bincount(self.cells[level], weights=column.scores, minlength=len(counts))
        explained = float((sums[seen] ** 2 / counts[seen]).sum() / counts.sum())
        return float(np.sqrt(min(1.0, explained)))


def _correlation(a: Standardised, b: Standardised) -> float | None:
    if a.is_constant or b.is_constant:
        return None
    xy = float(a.scores @ b.scores)
    if a.present is None and b.present is None:
        return float(np.clip(xy / len(a.scores), -1.0, 1.0))
    of_a = b.present if b.present is not None else np.ones_like(b.scores)
    of_b = a.present if a.present is not None else np.ones_like(a.scores)
    n, x, y = float(of_a @ of_b), float(a.scores @ of_a), float(b.scores @ of_b)
    if n < 2:
        return None
    xx = float(a.scores**2 @ of_a) - x * x / n
    yy = float(b.scores**2 @ of_b) - y * y / n
    if min(xx, yy) <= 1e-5 * n:
        return None
    return float(np.clip((xy - x * y / n) / np.sqrt(xx * yy), -1.0, 1.0))


def total_variation(left: Counts, right: Counts) -> float:
    """Half the absolute difference of two counts of the same cells, each first divided by its sum."""
    return float(0.5 * np.abs(left / left.sum() - right / right.sum()).sum())


def cramers_v(joint: Counts) -> float | None:
    """Cramér's V (1946), uncorrected, over the rows and columns that occur; None with fewer than two."""
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    table = joint[rows > 0][:, columns > 0]
    smaller = min(table.shape)
    if smaller < 2:
        return None
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    chi_squared = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(min(1.0, chi_squared / (n * (smaller - 1)))))
