"""A decomposable network: marginals measured once, fitted by maximum likelihood, sampled exactly.

Columns are cut into fine cells and these joined into few coarse ones; dependence is learnt between coarse
cells, and fine values follow their column's own distribution inside them. Which pairs of columns are
measured is chosen by (noisy) scores of how far each is from independence, within the size that a junction
tree may have; a log-linear model on it is fitted to all measurements at once. A column that is all but a
function of another hangs on that one by a table of fine cells. The scheme follows McKenna, Miklau and
Sheldon 2021 ("Winning the NIST contest") in measuring selected marginals and fitting a graphical model.

With a privacy budget, everything it learns is a noisy histogram. It does not protect what is stated in the schema,
and dependence among three or more columns is kept only as far as pairs imply it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ConditionError, UsageError
from tabsynth.models.base import Condition, Progress, no_progress
from tabsynth.models.denoise import common_total, denoised
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.explicit import CellProbabilities, Edge
from tabsynth.models.frequent_values import FREQUENT, cells_with_frequent, frequent_parts
from tabsynth.models.latent import Part as LatentPart
from tabsynth.models.marginals import fit_latents, require_group_size
from tabsynth.models.network.choice import Choice, all_pairs, choose, excess, reference
from tabsynth.models.network.coarse import coarse_cells
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.edges import edges_of
from tabsynth.models.network.exact import fine_marginal
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.leaves import Leaf, given_cells
from tabsynth.models.network.likelihood import Likelihood
from tabsynth.models.network.loglinear import LogLinear, Table, fit_loglinear
from tabsynth.models.network.sampling import TreeSampler
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Marginal, Measurement, Queries
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

ONE_WAY, SCORES, PAIRS = "one-way marginals", "dependence of pairs", "pair marginals"
_SHARES = {ONE_WAY: 0.16, FREQUENT: 0.03, SCORES: 0.04, PAIRS: 0.77}
_RELEASES = 16  # of pair marginals, for each column


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """What rows are drawn from: the tree's states, columns with their fine cells, and fine cells that are held."""

    sampler: TreeSampler
    columns: tuple[NetworkColumn, ...]
    held: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class FittedBayesianNetwork:
    """Columns with their cells, a log-linear model of the coarse ones, and leaves hanging on it."""

    columns: tuple[NetworkColumn, ...]
    model: LogLinear
    leaves: tuple[Leaf, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(column.variable for column in self.columns)

    @cached_property
    def _free(self) -> _Given:
        return _Given(TreeSampler.of(self.model.tree, self.model.beliefs), self.columns, {})

    @cached_property
    def _found_given(self) -> dict[tuple[Condition, ...], _Given]:
        return {}

    @cached_property
    def _likelihood(self) -> Likelihood:
        return Likelihood.of(self.columns, self.leaves, self.model.tree, self.model.beliefs)

    def sample_block(
        self, block: int, *, n_rows: int, streams: Streams, conditions: tuple[Condition, ...] = ()
    ) -> EncodedTable:
        """Block number `block` of `n_rows` rows; raises `ConditionError` for impossible conditions."""
        rng = streams.generator("bayesian_network.sample", block)
        given = self._given(conditions) if conditions else self._free
        fine = {
            v: given.columns[v].fine_of(states, rng) for v, states in given.sampler.draw(n_rows, rng).items()
        }
        for leaf in self.leaves:
            child, parent = leaf.function.child, leaf.function.parent
            held = given.held.get(child)
            fine[child] = leaf.draw(fine[parent], rng) if held is None else np.full(n_rows, held)
        columns = {c.variable.name: c.encoded(fine[v], rng) for v, c in enumerate(self.columns)}
        for condition in conditions:
            columns[condition.column] = _pinned(columns[condition.column], condition)
        return EncodedTable(n_rows, columns)

    def _given(self, conditions: tuple[Condition, ...]) -> _Given:
        """What to sample from given the conditions."""
        if conditions not in self._found_given:
            held = self._held(conditions)
            told = given_cells(self.columns, self.leaves, held)
            try:
                beliefs = self.model.given({v: column.coarse_counts for v, column in told.items()})
            except FloatingPointError:
                names = ", ".join(repr(condition.column) for condition in conditions)
                raise ConditionError(
                    f"under the model no row can have the values asked for in {names} at once"
                ) from None
            columns = tuple(told.get(v, column) for v, column in enumerate(self.columns))
            self._found_given[conditions] = _Given(TreeSampler.of(self.model.tree, beliefs), columns, held)
        return self._found_given[conditions]

    def _held(self, conditions: tuple[Condition, ...]) -> dict[int, int]:
        """The fine cell of every column that the conditions hold."""
        position = {column.variable.name: v for v, column in enumerate(self.columns)}
        held: dict[int, int] = {}
        for condition in conditions:
            v = position[condition.column]
            cell = self.columns[v].cell_at(condition)
            if cell is None:
                raise ConditionError(
                    f"column {condition.column!r}: the value asked for has no probability under the model"
                )
            held[v] = cell
        return held

    def log_prob(self, data: EncodedTable) -> Floats:
        """Natural log of the probability of every row, (n_rows,); see `Likelihood.of_rows`."""
        return self._likelihood.of_rows(data)

    def marginal(self, columns: Sequence[int], *, coarse: bool) -> CellProbabilities:
        """The joint distribution of the columns at these positions; see `fine_marginal`."""
        tree, beliefs = self.model.tree, self.model.beliefs
        return fine_marginal(self.columns, self.leaves, tree, beliefs, columns, coarse=coarse)

    def edges(self) -> tuple[Edge, ...]:
        """Pairs that were measured and near-functions, the strongest first."""
        return edges_of(self.columns, self.leaves, self.model)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        arrays: dict[str, npt.NDArray[Any]] = {}
        for v, column in enumerate(self.columns):
            arrays[f"column.{v}.lower"] = column.cells.lower
            arrays[f"column.{v}.upper"] = column.cells.upper
            arrays[f"column.{v}.counts"] = column.counts
            arrays[f"column.{v}.coarse"] = column.coarse.astype(np.uint16)
            arrays[f"column.{v}.base"] = self.model.base[v]
        for k, potential in enumerate(self.model.potentials):
            arrays[f"potential.{k}"] = np.ascontiguousarray(potential)
        for k, leaf in enumerate(self.leaves):
            arrays[f"leaf.{k}"] = leaf.conditional
        return arrays

    def parameters(self) -> Mapping[str, Any]:
        return {
            "cliques": [list(clique) for clique in self.model.tree.cliques],
            "potentials": [list(variables) for variables in self.model.variables],
            "leaves": [[leaf.function.child, leaf.function.parent] for leaf in self.leaves],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesianNetwork:
    """Recipe of the Bayesian network.

    `coarse_cells`: coarse cells of a column, about; 0 for as many as the noise allows, 8 to 20. `most_cells`: cells of the junction tree, all
    cliques together, which bounds time and memory. `ridge` > 0: weight of the noise's variance against the
    prior that columns are independent. `iterations` of L-BFGS. `min_group` ≥ 1, without privacy only: the
    fewest rows that share a published value or stretch.
    """

    name: ClassVar[str] = "bayesian_network"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none", "dp"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = (
        "a graph of dependent columns, fitted to marginals; the most faithful with privacy"
    )

    coarse_cells: int = 0
    most_cells: int = 800_000
    ridge: float = 0.02
    iterations: int = 150
    min_group: int = MIN_GROUP

    def __post_init__(self) -> None:
        require_group_size(self.min_group)
        if (
            self.coarse_cells < 0
            or self.coarse_cells == 1
            or self.most_cells < 4
            or self.iterations < 1
            or not self.ridge > 0
        ):
            raise UsageError(
                "bayesian_network needs coarse_cells of 0, or 2 or more, most_cells of 4 or more, iterations of 1 "
                "or more and a positive ridge"
            )

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        n = len(variables)
        if n == 0:
            return ()
        one_way = Part(statistic=ONE_WAY, share=_SHARES[ONE_WAY], count=n)
        marginals = (one_way, *frequent_parts(variables, share=_SHARES[FREQUENT]))
        if n == 1:
            return marginals
        return (
            *marginals,
            Part(statistic=SCORES, share=_SHARES[SCORES], count=n * (n - 1) // 2),
            Part(statistic=PAIRS, share=_SHARES[PAIRS], count=_RELEASES * n),
        )

    def fit(
        self,
        data: EncodedTable,
        *,
        queries: AnyQueries,
        streams: Streams,  # noqa: ARG002
        progress: Progress = no_progress,
    ) -> FittedBayesianNetwork:
        progress("one-way marginals", 0.0)
        names = tuple(data.columns)
        cells = self._cells(data, queries)
        if not cells:
            return FittedBayesianNetwork((), LogLinear(JunctionTree((), (), (), ()), (), (), ()), ())
        fine = [cell.cells_of(column) for cell, column in zip(cells, data.columns.values(), strict=True)]
        columns, noisy, variance = self._columns(names, cells, fine, queries)
        coarse = [column.coarse.astype(np.uint16)[codes] for column, codes in zip(columns, fine, strict=True)]
        choice = Choice((), 0, tuple((v,) for v in range(len(columns))), (), ())
        progress("dependence", 0.2)
        if len(columns) > 1:
            choice = self._choice(names, columns, coarse, queries)
        progress("pairs", 0.35)
        tables, leaves = _measured(names, columns, fine, coarse, choice, queries)
        progress("network", 0.5)
        one_ways = [
            Table((v,), *_coarsened(column, counts, variance))
            for v, (column, counts) in enumerate(zip(columns, noisy, strict=True))
        ]
        children = {leaf.function.child for leaf in leaves}
        total = max(float(columns[0].counts.sum()), 1.0)
        model = fit_loglinear(
            JunctionTree.of(choice.cliques, [column.n_coarse for column in columns]),
            [table for v, table in enumerate(one_ways) if v not in children] + tables,
            base=[_base(column) for column in columns],
            total=total,
            ridge=self.ridge,
            most_iterations=self.iterations,
        )
        shares = tuple(NetworkColumn(c.cells, c.counts / total, c.coarse) for c in columns)
        return FittedBayesianNetwork(shares, model, tuple(leaves))

    def _cells(self, data: EncodedTable, queries: AnyQueries) -> list[PublicCells]:
        """Cells of every column: by its domain and released values with privacy, else by the values there are."""
        if not isinstance(queries, Queries):
            return [cells_with_frequent(column, queries) for column in data.columns.values()]
        variables = [column.variable for column in data.columns.values()]
        latents = fit_latents(data, queries=queries, marginals="empirical", min_group=self.min_group)
        pieces = {
            latent.variable.name: latent.marginal for latent in latents if latent.part is LatentPart.VALUE
        }
        nothing: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        return [
            PublicCells(variable, pieces[variable.name].lower, pieces[variable.name].upper)
            if variable.is_continuous
            else PublicCells(variable, nothing, nothing)
            for variable in variables
        ]

    def _columns(
        self, names: Sequence[str], cells: Sequence[PublicCells], fine: Sequence[Codes], queries: AnyQueries
    ) -> tuple[tuple[NetworkColumn, ...], list[Floats], float]:
        """Columns with denoised counts, the noisy counts as released, and the variance of their noise."""
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
                most=self.coarse_cells or _coarse_cells(total, variance),
            )
            columns.append(NetworkColumn(cell, plain, coarse))
        return tuple(columns), noisy, variance

    def _choice(
        self,
        names: Sequence[str],
        columns: Sequence[NetworkColumn],
        coarse: Sequence[Codes],
        queries: AnyQueries,
    ) -> Choice:
        pairs = all_pairs(len(columns))
        wanted = [_pair_marginal(names, columns, coarse, i, j) for i, j in pairs]
        expected = [reference(columns[i].coarse_counts, columns[j].coarse_counts) for i, j in pairs]
        released = queries.dependence_scores(SCORES, wanted, expected).values
        scores = {
            pair: excess(float(score), counts)
            for pair, score, counts in zip(pairs, released, expected, strict=True)
        }
        n_releases, scale = _RELEASES * len(columns), 0.0
        if not isinstance(queries, Queries):
            # Drafts of text that turn out never to be missing leave releases over.
            n_releases, scale = queries.left(PAIRS), queries.plan[PAIRS].mechanism.scale
        return choose(
            scores,
            [column.coarse_counts for column in columns],
            scale=scale,
            n_releases=n_releases,
            most_cells=self.most_cells,
        )

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedBayesianNetwork:
        from tabsynth.models.network.stored import restore_network

        return restore_network(variables, arrays, parameters)


def _coarse_cells(total: float, variance: float) -> int:
    """Coarse cells of a column: 12 where noise is a 660th of the rows, more where it is less, from 8 to 20.

    The finer the cells, the less is lost inside them and the more noise there is in their pairs; the power
    was found on one table (Adult at ε of 0.3 to 3) and is flat around its optimum.
    """
    ratio = total / max(variance, 1e-12) ** 0.5
    return round(float(np.clip(12 * (max(ratio, 1e-12) / 660) ** 0.16, 8, 20)))


def _coarsened(column: NetworkColumn, counts: Floats, variance: float) -> tuple[Floats, Floats]:
    """Noisy counts of the coarse cells and the variance of each, from those of the fine cells."""
    sums = np.bincount(column.coarse, weights=counts, minlength=column.n_coarse)
    sizes = np.bincount(column.coarse, minlength=column.n_coarse)
    return sums.astype(np.float64), (variance * sizes).astype(np.float64)


def _measured(
    names: Sequence[str],
    columns: Sequence[NetworkColumn],
    fine: Sequence[Codes],
    coarse: Sequence[Codes],
    choice: Choice,
    queries: AnyQueries,
) -> tuple[list[Table], list[Leaf]]:
    """The chosen pairs of coarse cells, and near-functions by their fine cells."""
    wanted = [
        Marginal(
            (names[function.parent], names[function.child]),
            (fine[function.parent], fine[function.child]),
            (columns[function.parent].cells.n_cells, columns[function.child].cells.n_cells),
        )
        for function in choice.functions
    ]
    repeats = [choice.function_repeats] * len(wanted) + list(choice.repeats)
    wanted += [_pair_marginal(names, columns, coarse, i, j) for i, j in choice.pairs]
    released = queries.marginals(PAIRS, wanted, repeats) if wanted else []
    n_functions = len(choice.functions)
    leaves = [
        Leaf(function, _conditional(measured, columns[function.parent], columns[function.child]))
        for function, measured in zip(choice.functions, released[:n_functions], strict=True)
    ]
    tables = [
        Table(pair, measured.values, measured.variance)
        for pair, measured in zip(choice.pairs, released[n_functions:], strict=True)
    ]
    return tables, leaves


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


def _base(column: NetworkColumn) -> Floats:
    """The column's coarse distribution, held above zero so that data can still speak for a rare cell."""
    counts = np.maximum(column.coarse_counts, 0.5)
    return np.asarray(counts / counts.sum())


def _pinned(column: EncodedColumn, condition: Condition) -> EncodedColumn:
    """The column at exactly the value that was asked for."""
    if column.values is None or condition.code > 0:
        return column
    return EncodedColumn(column.variable, column.codes, np.full_like(column.values, condition.value))
