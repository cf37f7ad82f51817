"""Latent correlations and orders of levels from noisy tables of pairs of columns, in few cells each.

Every pair of columns is counted once. From a pair's table the products of its one-way marginals are taken
away; what is left, weighted for the noise and the sampling error in each cell, is what the correlation of
two latent axes explains, by Mehler's series (`tabsynth.models.coarse_axes`), and is inverted for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from tabsynth.models.coarse_axes import CoarseAxis, CoarseColumn
from tabsynth.models.correlation import N_TERMS, invert_series
from tabsynth.models.denoise import on_simplex
from tabsynth.privacy.queries import AnyQueries, Marginal

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

_SIGNAL = 0.1  # variance of the mean scores of levels, before they are seen
_TYPICAL = 0.2  # standard deviation of latent correlations, before they are seen
_RATIOS = (0.5, 1.2)
_NO_SLOPE = 1e-60
_PAIRS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class PairTables:
    """Noisy counts of every pair of columns i < j, (n_cells_i, n_cells_j), and the variance of their noise."""

    counts: dict[tuple[int, int], Floats]
    variance: float
    total: float

    def between(self, first: CoarseAxis, second: CoarseAxis) -> Floats:
        """The table of two axes of different columns, in their cells."""
        i, j = first.column, second.column
        table = self.counts[i, j] if i < j else self.counts[j, i].T
        folded: Floats = first.fold @ table @ second.fold.T
        return folded


def measured_pairs(
    columns: Sequence[CoarseColumn], codes: Sequence[Codes], *, queries: AnyQueries, statistic: str
) -> PairTables:
    """The tables of all pairs of columns, asked for at once; `codes` are the columns' own cells."""
    coarse = [
        column.cell_of.astype(np.min_scalar_type(column.n_cells))[code]
        for column, code in zip(columns, codes, strict=True)
    ]
    names = [column.one_way.cells.variable.name for column in columns]
    pairs = list(combinations(range(len(columns)), 2))
    wanted = [
        Marginal((names[i], names[j]), (coarse[i], coarse[j]), (columns[i].n_cells, columns[j].n_cells))
        for i, j in pairs
    ]
    released = queries.marginals(statistic, wanted) if wanted else []
    counts = {pair: each.values for pair, each in zip(pairs, released, strict=True)}
    total = float(columns[0].one_way.counts.sum()) if columns else 0.0
    return PairTables(counts, released[0].variance if released else 0.0, total)


def ordered_axes(axes: Sequence[CoarseAxis], tables: PairTables, *, n_rounds: int) -> tuple[CoarseAxis, ...]:
    """The levels of every nominal axis in the order in which they go along with the other columns.

    As `tabsynth.models.ordering` does it with exact sums: each level gets the leading coordinate of its mean
    scores on all other axes, each mean shrunk by its sampling error and noise.
    """
    current = list(axes)
    nominal = [index for index, axis in enumerate(axes) if axis.latent.is_nominal]
    for _ in range(n_rounds):
        for index in nominal:
            coordinate = _coordinate(index, current, tables)
            order = np.argsort(coordinate[current[index].cell_of_piece], kind="stable")
            current[index] = current[index].reordered(order)
    return tuple(current)


def _coordinate(index: int, axes: Sequence[CoarseAxis], tables: PairTables) -> Floats:
    """Position of each cell of an axis on the leading axis of the cells' shrunk mean scores."""
    axis = axes[index]
    others = [other for other in axes if other.column != axis.column]
    rows = np.maximum(axis.mass * tables.total, 1.0)[:, None]
    if not others:
        return np.zeros(len(rows))
    sums = np.stack([tables.between(axis, other) @ other.scores for other in others], axis=1)
    spread = np.array([((other.scores @ other.fold) ** 2).sum() for other in others])
    noise = tables.variance * np.outer(axis.fold.sum(axis=1), spread)
    means = sums / rows
    means -= (rows * means).sum(axis=0) / rows.sum()
    means *= _SIGNAL / (_SIGNAL + (1 + noise / rows) / rows)
    weighted = means * np.sqrt(rows)
    leading = np.linalg.svd(weighted, full_matrices=False).Vh[0]
    coordinate: Floats = means @ leading
    return coordinate


def noisy_latent_correlation(axes: Sequence[CoarseAxis], tables: PairTables) -> Floats:
    """Pairwise latent correlations over the rows where both axes are present, shape (n_axes, n_axes).

    Each is pulled towards 0 as its standard error, noise included, calls for. 0 between axes of one column,
    1 on the diagonal. The result need not be positive semi-definite.
    """
    latent = np.eye(len(axes))
    apart = [(i, j) for i, j in combinations(range(len(axes)), 2) if axes[i].column != axes[j].column]
    if not apart:
        return latent
    hermite = [axis.hermite(N_TERMS) for axis in axes]
    rho = np.zeros(len(apart))
    for start in range(0, len(apart), _PAIRS_AT_ONCE):
        chunk = slice(start, start + _PAIRS_AT_ONCE)
        found = [_excess(axes[i], axes[j], hermite[i], hermite[j], tables) for i, j in apart[chunk]]
        excess, n_rows, series = (np.array(part) for part in zip(*found, strict=True))
        rho[chunk] = _solved(excess, n_rows, series.T)
    rows, cols = np.array(apart).T
    latent[rows, cols] = latent[cols, rows] = rho
    return latent


def _solved(excess: Floats, n_rows: Floats, series: Floats) -> Floats:
    """The correlations at which their series, (n_terms, n_pairs), sum to `excess`, shrunk by their errors.

    As for normal correlations around 0: ρ τ² / (τ² + error²). An axis without spread has correlation 0.
    """
    slope = series[0]  # also the variance of n_rows · excess, as weights are slopes over variances
    speaks = slope > _NO_SLOPE
    slope = np.where(speaks, slope, 1.0)
    rho = invert_series(excess / slope, series / slope)
    error = 1 / (n_rows * np.sqrt(slope))
    return np.where(speaks, rho * _TYPICAL**2 / (_TYPICAL**2 + error**2), 0.0)


def _excess(
    first: CoarseAxis, second: CoarseAxis, hermite_1: Floats, hermite_2: Floats, tables: PairTables
) -> tuple[float, float, Floats]:
    """A weighted sum of a table's excess over independence, the rows behind it, and its series in ρ.

    A cell's weight is the slope of its probability at ρ = 0 over the variance of its count, both as they
    would be without gaps.
    """
    table = tables.between(first, second)
    n_rows = _rows_with_both(first, second, table, tables.total)
    mass_1, mass_2, spread = first.mass, second.mass, 1.0
    if second.is_partial:
        mass_1 = on_simplex(table.sum(axis=1), n_rows) / n_rows
        spread *= _spread_ratio(first, mass_1)
    if first.is_partial:
        mass_2 = on_simplex(table.sum(axis=0), n_rows) / n_rows
        spread *= _spread_ratio(second, mass_2)
    noise = tables.variance * np.outer(first.fold.sum(axis=1), second.fold.sum(axis=1))
    variance = noise + n_rows * np.outer(first.mass, second.mass) + 1e-9
    weights = np.outer(hermite_1[:, 0], hermite_2[:, 0]) / variance
    excess = float((weights * (table / n_rows - np.outer(mass_1, mass_2))).sum()) / spread
    return excess, n_rows, ((weights.T @ hermite_1) * hermite_2).sum(axis=0)


def _rows_with_both(first: CoarseAxis, second: CoarseAxis, table: Floats, total: float) -> float:
    """Rows with a place on both axes, at least 1: known from one-way counts unless both lack some."""
    fewer = min(first.n_rows, second.n_rows)
    if not (first.is_partial and second.is_partial):
        return max(fewer, 1.0)
    least = max(first.n_rows + second.n_rows - total, 0.0)
    return max(min(max(float(table.sum()), least), fewer), 1.0)


def _spread_ratio(axis: CoarseAxis, mass: Floats) -> float:
    """Standard deviation of an axis's scores among some rows, by its masses there, over that among all."""
    scores, everywhere = axis.scores, float((axis.mass * axis.scores**2).sum())
    among = float((mass * scores**2).sum() - (mass * scores).sum() ** 2)
    if everywhere < 1e-9:
        return 1.0
    return float(np.clip(np.sqrt(max(among, 0.0) / everywhere), *_RATIOS))
