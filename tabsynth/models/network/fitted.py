"""A fitted network: what it samples, how probable it finds rows, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.models.explicit import CellProbabilities, Edge
from tabsynth.models.network.columns import Cells, Integers, NetworkColumn
from tabsynth.models.network.edges import edges_of
from tabsynth.models.network.exact import fine_marginal
from tabsynth.models.network.leaves import Leaf, given_cells
from tabsynth.models.network.likelihood import Likelihood
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.network.sampling import TreeSampler
from tabsynth.models.network.thinning import halved, order_of_neighbours
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]

_CAREFUL_BLOCKS = 4
_HALVINGS = 2
_MANY_COLUMNS = 10  # from which on rows that are spread evenly can still be bettered by thinning


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
        """Block number `block` of `n_rows` rows; raises `ConditionError` for impossible conditions.

        The first blocks are drawn with as little left to chance as time allows; in a table of more rows than
        those, chance no longer matters.
        """
        rng = streams.generator("bayesian_network.sample", block)
        given = self._given(conditions) if conditions else self._free
        is_careful = block < _CAREFUL_BLOCKS
        halvings = _HALVINGS if is_careful and len(self.columns) >= _MANY_COLUMNS else 0
        fine = self._fine_cells(given, n_rows << halvings, rng, spread=is_careful)
        for _ in range(halvings):
            coarse = [column.coarse[fine[v]] for v, column in enumerate(self.columns)]
            kept = halved(coarse, [column.n_coarse for column in self.columns], rng)
            fine = {v: cells[kept] for v, cells in fine.items()}
        columns = {c.variable.name: c.encoded(fine[v], rng) for v, c in enumerate(self.columns)}
        for condition in conditions:
            columns[condition.column] = _pinned(columns[condition.column], condition)
        return EncodedTable(n_rows, columns)

    def _fine_cells(
        self, given: _Given, n_rows: int, rng: np.random.Generator, *, spread: bool
    ) -> dict[int, Cells]:
        """The fine cell of every column in `n_rows` rows; with `spread`, even beside other columns too."""
        states = given.sampler.draw(n_rows, rng, spread=spread)
        drawn = {v: (cells, given.columns[v].n_coarse) for v, cells in states.items()}

        def beside(own: int) -> Integers | None:
            others = [entry for v, entry in drawn.items() if v != own]
            if not spread or not others:
                return None
            return order_of_neighbours([c for c, _ in others], [n for _, n in others], rng)

        fine = {v: given.columns[v].fine_of(cells, rng, beside=beside(v)) for v, cells in states.items()}
        for leaf in self.leaves:
            child, parent = leaf.function.child, leaf.function.parent
            held = given.held.get(child)
            if held is None:
                fine[child] = leaf.draw(fine[parent], rng, beside=beside(parent))
            else:
                fine[child] = np.full(n_rows, held)
        return fine

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


def _pinned(column: EncodedColumn, condition: Condition) -> EncodedColumn:
    """The column at exactly the value that was asked for."""
    if column.values is None or condition.code > 0:
        return column
    return EncodedColumn(column.variable, column.codes, np.full_like(column.values, condition.value))
