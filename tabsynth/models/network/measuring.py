"""What a network asks of a table: one-way counts, dependence scores, and the pairs that these recommend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.denoise import common_total, denoised
from tabsynth.models.frequent_values import cells_with_frequent
from tabsynth.models.latent import Part
from tabsynth.models.marginals import fit_latents
from tabsynth.models.network.choice import Choice, all_pairs, choose, excess, reference
from tabsynth.models.network.coarse import coarse_cells
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.loglinear import Table
from tabsynth.models.network.shrinkage import shrunk
from tabsynth.models.noisy_marginals import ONE_WAY
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.queries import AnyQueries, Marginal, Measurement, Queries

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

SCORES, PAIRS = "dependence of pairs", "pair marginals"
RELEASES = 16  # of pair marginals, for each column
_LEVELS = 16  # coarse cells of a column of levels without order, where the noise lets as many stay alone


def cells_of_columns(data: EncodedTable, queries: AnyQueries, *, min_group: int) -> list[PublicCells]:
    """Cells of every column: by its domain and released values with privacy, else by the values there are."""
    if not isinstance(queries, Queries):
        return [cells_with_frequent(column, queries) for column in data.columns.values()]
    variables = [column.variable for column in data.columns.values()]
    latents = fit_latents(data, queries=queries, marginals="empirical", min_group=min_group)
    pieces = {latent.variable.name: latent.marginal for latent in latents if latent.part is Part.VALUE}
    nothing: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    return [
        PublicCells(variable, pieces[variable.name].lower, pieces[variable.name].upper)
        if variable.is_continuous
        else PublicCells(variable, nothing, nothing)
        for variable in variables
    ]


def count_columns(
    names: Sequence[str],
    cells: Sequence[PublicCells],
    fine: Sequence[Codes],
    queries: AnyQueries,
    *,
    most_coarse: int,
) -> tuple[tuple[NetworkColumn, ...], list[Measurement]]:
    """Columns with denoised counts, and the noisy counts as released.

    `most_coarse`: coarse cells of a column, about; 0 for as many as the noise allows.
    """
    wanted = [
        Marginal((name,), (codes,), (cell.n_cells,))
        for name, cell, codes in zip(names, cells, fine, strict=True)
    ]
    released = queries.marginals(ONE_WAY, wanted)
    noisy = [measurement.values for measurement in released]
    variance = released[0].variance
    total = common_total(noisy, [measurement.variance for measurement in released])
    columns = []
    for cell, counts in zip(cells, noisy, strict=True):
        variable = cell.variable
        plain = denoised(
            counts, variance, total=total, is_ordered=variable.is_ordered, n_numbers=cell.n_numbers
        )
        null = variable.null_code
        coarse = coarse_cells(
            plain,
            variance**0.5,
            n_ordered=cell.n_numbers,
            is_ordered=variable.is_ordered and not variable.is_continuous,
            alone=None if null is None else null + (cell.n_numbers - 1 if variable.is_continuous else 0),
            most=most_coarse or _coarse_cells(total, variance, variable),
        )
        columns.append(NetworkColumn(cell, plain, coarse))
    return tuple(columns), released


def choose_pairs(
    names: Sequence[str],
    columns: Sequence[NetworkColumn],
    coarse: Sequence[Codes],
    queries: AnyQueries,
    *,
    variance: float,
    most_cells: int,
    target: str = "",
) -> Choice:
    """What to measure, by released scores of all pairs; `variance` is that of the columns' own counts."""
    pairs = all_pairs(len(columns))
    wanted = [_pair_marginal(names, columns, coarse, i, j) for i, j in pairs]
    expected = [reference(columns[i].coarse_counts, columns[j].coarse_counts) for i, j in pairs]
    released = queries.dependence_scores(SCORES, wanted, expected).values
    scores = {
        pair: excess(float(score), counts)
        for pair, score, counts in zip(pairs, released, expected, strict=True)
    }
    n_releases, scale, fine = RELEASES * len(columns), 0.0, []
    if not isinstance(queries, Queries):
        # Drafts of text that turn out never to be missing leave releases over.
        n_releases, scale = queries.left(PAIRS), queries.plan[PAIRS].mechanism.scale
        fine = [column.cells.n_cells for column in columns]
    return choose(
        scores,
        [column.coarse_counts for column in columns],
        scale=scale,
        n_releases=n_releases,
        most_cells=most_cells,
        fine=fine,
        known=scale**2 / variance if variance > 0 else math.inf,
        target=names.index(target) if target else None,
    )


def _coarse_cells(total: float, variance: float, variable: Variable) -> int:
    """Coarse cells of a column: 12 where noise is a 660th of the rows, more where it is less, from 8 to 20.

    The finer the cells, the less is lost inside them and the more noise there is in their pairs; the power
    was found on one table (Adult at ε of 0.3 to 3) and is flat around its optimum. Levels without order have no
    neighbours to speak for them once they are joined, so 16 may stay alone.
    """
    ratio = total / max(variance, 1e-12) ** 0.5
    cells = round(float(np.clip(12 * (max(ratio, 1e-12) / 660) ** 0.16, 8, 20)))
    return cells if variable.is_continuous or variable.is_ordered else max(cells, _LEVELS)


def coarse_table(v: int, column: NetworkColumn, counted: Measurement) -> Table:
    """Noisy counts of the coarse cells of column number `v`, from those of its fine cells."""
    sums = np.bincount(column.coarse, weights=counted.values, minlength=column.n_coarse)
    sizes = np.bincount(column.coarse, minlength=column.n_coarse)
    return Table((v,), sums.astype(np.float64), (counted.variance * sizes).astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Pairs of coarse cells, near-functions by their fine cells, and the columns by all releases of each."""

    tables: tuple[Table, ...]
    leaves: tuple[Leaf, ...]
    columns: tuple[NetworkColumn, ...]


def measure(
    names: Sequence[str],
    columns: Sequence[NetworkColumn],
    counted: Sequence[Measurement],
    fine: Sequence[Codes],
    coarse: Sequence[Codes],
    choice: Choice,
    queries: AnyQueries,
) -> Measured:
    """Everything that was chosen, in one release; `counted` are the columns' own counts so far."""
    wanted = [
        Marginal(
            (names[function.parent], names[function.child]),
            (fine[function.parent], fine[function.child]),
            (columns[function.parent].cells.n_cells, columns[function.child].cells.n_cells),
        )
        for function in choice.functions
    ]
    again = [v for v, n in enumerate(choice.column_repeats) if n > 0]
    repeats = [choice.function_repeats] * len(wanted) + [choice.column_repeats[v] for v in again]
    wanted += [Marginal((names[v],), (fine[v],), (columns[v].cells.n_cells,)) for v in again]
    repeats += choice.repeats
    wanted += [_pair_marginal(names, columns, coarse, i, j) for i, j in choice.pairs]
    released = iter(queries.marginals(PAIRS, wanted, repeats) if wanted else [])
    of_functions = [next(released) for _ in choice.functions]
    both = list(counted)
    for v in again:
        both[v] = _together(counted[v], next(released))
    total = common_total([each.values for each in both], [each.variance for each in both])
    better = tuple(_recounted(column, each, total) for column, each in zip(columns, both, strict=True))
    leaves = tuple(
        Leaf(function, _conditional(measured, better[function.parent], better[function.child]))
        for function, measured in zip(choice.functions, of_functions, strict=True)
    )
    children = {function.child for function in choice.functions}
    one_ways = [coarse_table(v, better[v], both[v]) for v in range(len(better)) if v not in children]
    pairs = [
        Table(pair, measured.values, measured.variance)
        for pair, measured in zip(choice.pairs, released, strict=True)
    ]
    pairs = shrunk(pairs, [column.coarse_counts for column in better])
    return Measured((*one_ways, *pairs), leaves, better)


def _together(first: Measurement, second: Measurement) -> Measurement:
    """Two noisy measurements of the same counts as one, weighted by the inverse of their variances."""
    share = second.variance / (first.variance + second.variance)
    values = share * first.values + (1 - share) * second.values
    return Measurement(values, variance=share * first.variance)


def _recounted(column: NetworkColumn, counted: Measurement, total: float) -> NetworkColumn:
    """The column with the same cells, its counts denoised anew."""
    variable = column.variable
    counts = denoised(
        counted.values,
        counted.variance,
        total=total,
        is_ordered=variable.is_ordered,
        n_numbers=column.cells.n_numbers,
    )
    return NetworkColumn(column.cells, counts, column.coarse)


def _conditional(measured: Measurement, parent: NetworkColumn, child: NetworkColumn) -> Floats:
    """The distribution of the child in each parent cell; the child's own where the parent's is empty."""
    whole = child.counts.sum()
    own = child.counts / whole if whole > 0 else np.full(len(child.counts), 1 / len(child.counts))
    rows = []
    for counts, n in zip(measured.values, parent.counts, strict=True):
        row = denoised(
            counts,
            measured.variance,
            total=float(n),
            is_ordered=child.variable.is_ordered,
            n_numbers=child.cells.n_numbers,
        )
        rows.append(row / row.sum() if row.sum() > 0 else own)
    return np.stack(rows)


def _pair_marginal(
    names: Sequence[str], columns: Sequence[NetworkColumn], coarse: Sequence[Codes], i: int, j: int
) -> Marginal:
    return Marginal((names[i], names[j]), (coarse[i], coarse[j]), (columns[i].n_coarse, columns[j].n_coarse))


def base_of(column: NetworkColumn) -> Floats:
    """The column's coarse distribution, held above zero so that data can still speak for a rare cell."""
    counts = np.maximum(column.coarse_counts, 0.5)
    return np.asarray(counts / counts.sum())
