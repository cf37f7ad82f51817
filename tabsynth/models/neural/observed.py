"""A table as networks without privacy see it: every column in at most a few dozen cells, one-hot, whatever it holds.

Numbers stand in coarse cells made of the pieces of their own distribution (`tabsynth.models.empirical`), which no
fewer than `min_group` rows share; a cell says where in a column of several modes a number lies, as CTGAN's
mode-specific normalisation does, and what is inside a cell follows the column's own counts. Levels have
a cell each while there are few of them. Beyond that, frequent ones keep theirs; others that `min_group` rows
share stand beside those that go along with the same cells of another column; rarer ones stand with
their neighbours in declared order, so that codes with a common beginning stay together and no row decides
where its own level stands. So 100,000 levels cost a network no more than a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.latent import Part
from tabsynth.models.marginals import fit_latents
from tabsynth.models.network.coarse import coarse_cells
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.neural.fitted import shares_of
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.queries import Queries
from tabsynth.privacy.splits import CountByLeaf

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]
Rows = npt.NDArray[np.uint16]
Codes = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, eq=False)
class Observed:
    """Columns with shares of the rows as counts, and every row's coarse cells, (n_rows, n_columns): these stay here."""

    columns: tuple[NetworkColumn, ...]
    rows: Rows

    @property
    def sizes(self) -> list[int]:
        return [column.n_coarse for column in self.columns]

    @property
    def shares(self) -> list[Floats]:
        return [shares_of(column) for column in self.columns]


def observe(
    data: EncodedTable,
    queries: Queries,
    *,
    min_group: int,
    number_cells: int,
    level_cells: int,
    rng: np.random.Generator,
) -> Observed:
    """Columns and rows, everything charged; raises what `fit_latents` raises."""
    latents = fit_latents(data, queries=queries, marginals="empirical", min_group=min_group)
    numbers = {latent.variable.name: latent.marginal for latent in latents if latent.part is Part.VALUE}
    nothing: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    cells, fine, counts = [], [], []
    for name, column in data.columns.items():
        ends = (numbers[name].lower, numbers[name].upper) if name in numbers else (nothing, nothing)
        cells.append(PublicCells(column.variable, *ends))
        fine.append(cells[-1].cells_of(column))
        counts.append(np.bincount(fine[-1], minlength=cells[-1].n_cells).astype(np.float64))
    coarse = {
        v: _by_mass(cell, own, number_cells)
        for v, (cell, own) in enumerate(zip(cells, counts, strict=True))
        if cell.variable.is_continuous or cell.n_cells <= level_cells
    }
    few = {v: own[fine[v]] for v, own in coarse.items()}
    for v, (cell, own) in enumerate(zip(cells, counts, strict=True)):
        if v not in coarse:
            names = [cell.variable.name, *(cells[other].variable.name for other in few)]
            count = queries.leaf_counts(columns=names)
            is_known = (own >= min_group)[fine[v]]
            others = [other[is_known] for other in few.values()]
            at = level_positions(fine[v][is_known], others, n_levels=cell.n_cells, count=count, rng=rng)
            coarse[v] = many_levels(own, at, most=level_cells, min_group=min_group)
    columns = tuple(
        NetworkColumn(cell, own / max(data.n_rows, 1), coarse[v])
        for v, (cell, own) in enumerate(zip(cells, counts, strict=True))
    )
    rows = np.zeros((data.n_rows, len(columns)), dtype=np.uint16)
    for v, codes in enumerate(fine):
        rows[:, v] = coarse[v][codes]
    if columns:
        queries.gradients(columns=tuple(data.columns))
    return Observed(columns, rows)


def _by_mass(cells: PublicCells, counts: Floats, most: int) -> Cells:
    """Runs of numbers of about equal mass, frequent ones alone; every level, and null, alone."""
    variable = cells.variable
    n_numbers = cells.n_numbers
    coarse = np.empty(cells.n_cells, dtype=np.intp)
    n_coarse = 0
    if n_numbers:
        runs = coarse_cells(
            counts[:n_numbers], 0.0, n_ordered=n_numbers, is_ordered=False, alone=None, most=most
        )
        coarse[:n_numbers], n_coarse = runs, int(runs.max()) + 1
    n_levels = variable.n_levels - int(variable.is_continuous)
    coarse[n_numbers:] = n_coarse + np.arange(n_levels)
    return coarse


def many_levels(counts: Floats, positions: Floats, *, most: int, min_group: int) -> Cells:
    """At most `most` cells of more levels than that: half of them for the most frequent, the rest for runs.

    `positions`, (n_levels,): where each stands among those it goes along with.
    """
    order = np.argsort(-counts, kind="stable")
    frequent = order[: most // 2]
    frequent = frequent[counts[frequent] >= min_group]
    rest = np.setdiff1d(order, frequent)
    is_rare = counts[rest] < min_group
    known, rare = rest[~is_rare], rest[is_rare]
    known = known[np.argsort(positions[known], kind="stable")]
    coarse = np.empty(len(counts), dtype=np.intp)
    coarse[frequent] = np.arange(len(frequent))
    room = most - len(frequent)
    share = counts[known].sum() / max(counts[rest].sum(), 1.0)
    n_known = int(np.clip(round(room * share), min(len(known), 1), room - min(len(rare), 1)))
    coarse[known] = len(frequent) + _even_runs(counts[known], n_known)
    coarse[rare] = most + _even_runs(counts[rare], room - n_known)
    return np.unique(coarse, return_inverse=True)[1].reshape(-1)


def _even_runs(counts: Floats, n: int) -> Cells:
    """At most `n` runs of about equal mass, numbered, (len(counts),)."""
    weight = counts + 1e-6  # levels that no row has lie in runs, too
    middle = (np.cumsum(weight) - weight / 2) / max(float(weight.sum()), 1e-300)
    return np.minimum((middle * n).astype(np.intp), max(n - 1, 0))


def level_positions(
    levels: Codes,
    others: Sequence[Cells],
    *,
    n_levels: int,
    count: CountByLeaf,
    rng: np.random.Generator,
) -> Floats:
    """Where each level stands among those of its column, (n_levels,): its mean cell in the column that it tells most of.

    How much it tells is mutual information less that of the same levels in random order, which is what counts of so few
    rows show by chance. Zeros where none tells anything.
    """
    best, most = np.zeros(n_levels), 0.0
    for other in others:
        size = int(other.max(initial=0)) + 1
        told = []
        for own in (levels, rng.permutation(levels)):
            keys, rows = count(own.astype(np.int32), other.astype(np.int32), size)
            told.append(_told(keys // size, keys % size, rows.astype(np.float64)))
            if own is levels:
                total = np.bincount(keys // size, weights=rows, minlength=n_levels)
                sums = np.bincount(keys // size, weights=rows * (keys % size), minlength=n_levels)
        if told[0] - told[1] > most:
            best, most = sums / np.maximum(total, 1), told[0] - told[1]
    return best


def _told(level: Cells, cell: Cells, rows: Floats) -> float:
    """Mutual information in nats."""
    if not len(rows):
        return 0.0
    share = rows / rows.sum()
    alone = np.bincount(level, weights=share)[level] * np.bincount(cell, weights=share)[cell]
    return float((share * np.log(share / alone)).sum())
