"""What a network asks of a table: one-way counts, dependence scores, and the pairs that these recommend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.denoise import common_total
from tabsynth.models.frequent_values import cells_with_frequent
from tabsynth.models.latent import Part
from tabsynth.models.marginals import fit_latents
from tabsynth.models.network.choice import Choice, Function
from tabsynth.models.network.coarse import coarse_cells
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.functions import plain_counts, with_functions
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.loglinear import Table
from tabsynth.models.network.public import Blend, Forecast, PublicRows, Seen, blended, drift_of, drifting
from tabsynth.models.network.shrinkage import shrunk
from tabsynth.models.network.triangulation import Pair
from tabsynth.models.noisy_marginals import ONE_WAY
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.queries import AnyQueries, Marginal, Measurement, Queries

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

PAIRS = "pair marginals"
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
    public: PublicRows | None = None,
) -> tuple[tuple[NetworkColumn, ...], list[Measurement]]:
    """Columns with denoised counts, `public` rows considered, and the noisy counts as released.

    `most_coarse`: coarse cells of a column, about; 0 for as many as the noise allows.
    """
    wanted = [
        Marginal((name,), (codes,), (cell.n_cells,))
        for name, cell, codes in zip(names, cells, fine, strict=True)
    ]
    released = queries.marginals(ONE_WAY, wanted)
    total = common_total([each.values for each in released], [each.variance for each in released])
    columns = []
    for v, (cell, measurement) in enumerate(zip(cells, released, strict=True)):
        variable = cell.variable
        believed = _believed(v, measurement, total, public)
        plain, variance = plain_counts(cell, believed, total), float(np.mean(believed.variance))
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


def _coarse_cells(total: float, variance: float, variable: Variable) -> int:
    """Coarse cells of a column: 12 where noise is a 660th of the rows, more where it is less, from 8 to 20.

    The finer the cells, the less is lost inside them and the more noise there is in their pairs; the power
    was found on one table (Adult at ε of 0.3 to 3) and is flat around its optimum. Levels without order have no
    neighbours to speak for them once they are joined, so 16 may stay alone.
    """
    ratio = total / max(variance, 1e-12) ** 0.5
    cells = round(float(np.clip(12 * (max(ratio, 1e-12) / 660) ** 0.16, 8, 20)))
    return cells if variable.is_continuous or variable.is_ordered else max(cells, _LEVELS)


def _believed(v: int, measurement: Measurement, total: float, public: PublicRows | None) -> Blend:
    """Counts of column number `v`'s fine cells: the noisy ones, with what public rows say of them."""
    noisy, variance = measurement.values, measurement.variance
    if public is None or variance <= 0:
        return Blend(noisy, variance)
    forecast = public.column(v, len(noisy), total=total)
    if forecast is None:
        return Blend(noisy, variance)
    return blended(noisy, variance, drifting(forecast, drift_of([(noisy, variance, forecast)])))


def coarse_table(v: int, column: NetworkColumn, believed: Blend) -> Table:
    """Counts of the coarse cells of column number `v`, from those of its fine cells."""
    sums = np.bincount(column.coarse, weights=believed.counts, minlength=column.n_coarse)
    spread = np.broadcast_to(believed.variance, column.coarse.shape)
    variance = np.bincount(column.coarse, weights=spread, minlength=column.n_coarse)
    return Table((v,), sums.astype(np.float64), variance.astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """The noisy counts so far: of every column, of near-functions by their fine cells, of pairs of coarse cells."""

    columns: tuple[Measurement, ...]
    functions: Mapping[Function, Measurement]
    pairs: Mapping[Pair, Measurement]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Tables of columns and pairs to fit a model to, near-functions, and the columns by all releases of each."""

    tables: tuple[Table, ...]
    leaves: tuple[Leaf, ...]
    columns: tuple[NetworkColumn, ...]

    @property
    def total(self) -> float:
        """The noisy number of rows, at least 1."""
        return max(float(self.columns[0].counts.sum()), 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """A table in cells: the fine cell and the coarse cell of every row in each column, (n_rows,); and public rows beside it."""

    names: tuple[str, ...]
    columns: tuple[NetworkColumn, ...]
    fine: tuple[Codes, ...]
    coarse: tuple[Codes, ...]
    public: PublicRows | None = None

    def column(self, v: int) -> Marginal:
        """The marginal of a column's fine cells."""
        return Marginal((self.names[v],), (self.fine[v],), (self.columns[v].cells.n_cells,))

    def pair(self, i: int, j: int) -> Marginal:
        """The marginal of two columns' coarse cells."""
        sizes = (self.columns[i].n_coarse, self.columns[j].n_coarse)
        return Marginal((self.names[i], self.names[j]), (self.coarse[i], self.coarse[j]), sizes)

    def function(self, function: Function) -> Marginal:
        """The marginal of a parent's and a child's fine cells."""
        both = (function.parent, function.child)
        return Marginal(
            (self.names[both[0]], self.names[both[1]]),
            (self.fine[both[0]], self.fine[both[1]]),
            (self.columns[both[0]].cells.n_cells, self.columns[both[1]].cells.n_cells),
        )


def release(table: Counted, choice: Choice, queries: AnyQueries, so_far: Released) -> Released:
    """What was chosen, in one release, together with what there is `so_far`."""
    functions = [function for function in choice.functions if function not in so_far.functions]
    again = [v for v, n in enumerate(choice.column_repeats) if n > 0]
    repeats = {pair: n for pair, n in zip(choice.pairs, choice.repeats, strict=True) if n > 0}
    wanted = [
        *(table.function(function) for function in functions),
        *(table.column(v) for v in again),
        *(table.pair(*pair) for pair in repeats),
    ]
    times = [choice.function_repeats for _ in functions]
    times += [*(choice.column_repeats[v] for v in again), *repeats.values()]
    released = iter(queries.marginals(PAIRS, wanted, times) if wanted else [])
    of_functions = {function: next(released) for function in functions}
    columns, pairs = list(so_far.columns), dict(so_far.pairs)
    for v in again:
        columns[v] = _together(columns[v], next(released))
    for pair in repeats:
        found = next(released)
        pairs[pair] = _together(pairs[pair], found) if pair in pairs else found
    return Released(tuple(columns), {**so_far.functions, **of_functions}, pairs)


def measured(table: Counted, choice: Choice, released: Released) -> Measured:
    """What was released, denoised, for the cliques of `choice`, together with what public rows say of them."""
    public, columns = table.public, table.columns
    total = common_total(
        [each.values for each in released.columns], [each.variance for each in released.columns]
    )
    believed = [_believed(v, each, total, public) for v, each in enumerate(released.columns)]
    better, leaves = with_functions(
        columns, believed, {function: released.functions[function] for function in choice.functions}, total
    )
    children = {function.child for function in choice.functions}
    one_ways = [coarse_table(v, better[v], believed[v]) for v in range(len(better)) if v not in children]
    found = [(pair, released.pairs[pair]) for pair in choice.pairs]
    pairs = [Table(pair, each.values, each.variance) for pair, each in found]
    pairs = shrunk(pairs, [column.coarse_counts for column in better])
    if public is not None:
        drifts = drifts_of(released.columns, public, total)
        measurements = [each for _, each in found]
        pairs = _with_public(public, better, pairs, measurements, choice.told, drifts)
    return Measured((*one_ways, *pairs), leaves, better)


def _with_public(
    public: PublicRows,
    columns: Sequence[NetworkColumn],
    pairs: Sequence[Table],
    released: Sequence[Measurement],
    told: Sequence[Pair],
    drifts: Sequence[float],
) -> list[Table]:
    """Measured pairs with what public rows say of them, and pairs that only public rows tell of.

    A measured pair's drift is its own, leaning to that of all; of others it is that of all, or of the one of its columns
    that drifts most.
    """

    def forecast(pair: Pair) -> Forecast | None:
        return public.pair(pair, [columns[v].coarse for v in pair], [columns[v].coarse_counts for v in pair])

    expected = [forecast(_pair(table)) for table in pairs]
    seen: list[list[Seen]] = [
        [] if one is None else [(each.values, each.variance, one)]
        for each, one in zip(released, expected, strict=True)
    ]
    every = drift_of((one for each in seen for one in each), usual=max(drifts))
    found = []
    for table, each, own, one in zip(pairs, released, seen, expected, strict=True):
        if one is None:
            found.append(table)
            continue
        likely = drifting(one, drift_of(own, usual=every))
        both = blended(each.values, each.variance, likely, counts=table.counts)
        found.append(Table(table.variables, both.counts, both.variance))
    for pair in told:
        one = forecast(pair)
        if one is not None:
            likely = drifting(one, max(every, *(drifts[v] for v in pair)))
            found.append(Table(pair, likely.counts, likely.variance))
    return found


def _pair(table: Table) -> Pair:
    first, second = table.variables
    return first, second


def drifts_of(released: Sequence[Measurement], public: PublicRows, total: float) -> list[float]:
    """How far each column of the public rows is from the private ones', leaning to how far all of them are."""
    forecasts = [public.column(v, len(each.values), total=total) for v, each in enumerate(released)]
    seen: list[list[Seen]] = [
        [] if forecast is None else [(each.values, each.variance, forecast)]
        for each, forecast in zip(released, forecasts, strict=True)
    ]
    every = drift_of(one for each in seen for one in each)
    return [drift_of(each, usual=every) for each in seen]


def _together(first: Measurement, second: Measurement) -> Measurement:
    """Two noisy measurements of the same counts as one, weighted by the inverse of their variances; exact ones agree."""
    if first.variance == 0:
        return first
    share = second.variance / (first.variance + second.variance)
    values = share * first.values + (1 - share) * second.values
    return Measurement(values, variance=share * first.variance)


def base_of(column: NetworkColumn) -> Floats:
    """The column's coarse distribution, held above zero so that data can still speak for a rare cell."""
    counts = np.maximum(column.coarse_counts, 0.5)
    return np.asarray(counts / counts.sum())
