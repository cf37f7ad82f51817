"""A fitted network: what it samples, how probable it finds rows, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.base import NOTHING_GIVEN
from tabsynth.models.condition import Condition, Conditioned, Given, pinned
from tabsynth.models.explicit import CellProbabilities, Edge
from tabsynth.models.halving import halved
from tabsynth.models.network.columns import Cells, Integers, NetworkColumn
from tabsynth.models.network.conditional import Told, completed, none_together, told
from tabsynth.models.network.edges import edges_of
from tabsynth.models.network.exact import fine_marginal
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.likelihood import Likelihood
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.network.sampling import TreeSampler
from tabsynth.models.spreading import order_of_neighbours
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]

_CAREFUL_BLOCKS = 4
_HALVINGS = 3
_MOST_KEPT = 32  # sets of conditions whose beliefs are kept
_MANY_COLUMNS = 10  # from which on rows that are spread evenly can still be bettered by thinning


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What rows are drawn from: the tree's states, and columns and leaves with the fine cells that conditions leave."""

    sampler: TreeSampler
    told: Told


@dataclass(frozen=True, eq=False)
class FittedBayesianNetwork:
    """Columns with their cells, a log-linear model of the coarse ones, and leaves hanging on it.

    `target`: the position of the column that others are to predict, if one was named.
    """

    columns: tuple[NetworkColumn, ...]
    model: LogLinear
    leaves: tuple[Leaf, ...]
    target: int | None = None

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(column.variable for column in self.columns)

    @cached_property
    def _free(self) -> _Source:
        told = Told(self.columns, self.leaves, {}, {})
        return _Source(TreeSampler.of(self.model.tree, self.model.beliefs), told)

    @cached_property
    def _found_given(self) -> dict[tuple[Condition, ...], _Source]:
        return {}

    @cached_property
    def _likelihood(self) -> Likelihood:
        return Likelihood.of(self.columns, self.leaves, self.model.tree, self.model.beliefs)

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` rows.

        The first blocks are drawn with as little left to chance as time allows; in a table of more rows than
        those, chance no longer matters.
        """
        rng = streams.generator("bayesian_network.sample", block)
        return self._spread_rows(self._free, block, n_rows, rng)

    def conditional_block(
        self,
        block: int,
        *,
        n_rows: int,
        streams: Streams,
        conditions: tuple[Condition, ...] = (),
        given: Given = NOTHING_GIVEN,
    ) -> Conditioned:
        """Block number `block` under conditions, exact; raises `ConditionError` for impossible ones."""
        rng = streams.generator("bayesian_network.sample", block)
        if not given:
            source = self._given(conditions) if conditions else self._free
            rows, n_moved = self._spread_rows(source, block, n_rows, rng), 0
        else:
            found = told(self.columns, self.leaves, conditions)
            fine, n_moved = completed(self.model, found, given, n_rows, rng)
            names = [column.variable.name for column in self.columns]
            columns = {
                name: given[name] if name in given else found.encoded(v, fine[v], rng)
                for v, name in enumerate(names)
            }
            rows = EncodedTable(n_rows, columns)
        return Conditioned(rows=pinned(rows, conditions), effective=float(n_rows), n_moved=n_moved)

    def _spread_rows(
        self, source: _Source, block: int, n_rows: int, rng: np.random.Generator
    ) -> EncodedTable:
        is_careful = block < _CAREFUL_BLOCKS
        halvings = _HALVINGS if is_careful and len(self.columns) >= _MANY_COLUMNS else 0
        states = source.sampler.draw(n_rows << halvings, rng, spread=is_careful)
        fine = self._beside_leaves(source, states, rng, spread=is_careful)
        for _ in range(halvings):
            coarse = [
                column.coarse[fine[v]] if v in fine else states[v] for v, column in enumerate(self.columns)
            ]
            kept = halved(coarse, [column.n_coarse for column in self.columns], rng, target=self.target)
            states, fine = ({v: cells[kept] for v, cells in part.items()} for part in (states, fine))
        fine |= self._fine_cells(source, states, states.keys() - fine.keys(), rng, spread=is_careful)
        columns = {c.variable.name: source.told.encoded(v, fine[v], rng) for v, c in enumerate(self.columns)}
        return EncodedTable(n_rows, columns)

    def _beside_leaves(
        self, source: _Source, states: Mapping[int, Cells], rng: np.random.Generator, *, spread: bool
    ) -> dict[int, Cells]:
        """The fine cells of the columns that hang on the tree, and of those in it that they hang on."""
        leaves = source.told.leaves
        parents = {leaf.function.parent for leaf in leaves} & states.keys()
        fine = self._fine_cells(source, states, parents, rng, spread=spread)
        for leaf in leaves:
            parent = leaf.function.parent
            beside = self._beside(states, parent, rng) if spread else None
            fine[leaf.function.child] = leaf.draw(fine[parent], rng, beside=beside)
        return fine

    def _fine_cells(
        self,
        source: _Source,
        states: Mapping[int, Cells],
        which: AbstractSet[int],
        rng: np.random.Generator,
        *,
        spread: bool,
    ) -> dict[int, Cells]:
        """The fine cell of these columns in rows with these states; with `spread`, even beside other columns too."""
        return {
            v: source.told.columns[v].fine_of(
                states[v], rng, beside=self._beside(states, v, rng) if spread else None
            )
            for v in sorted(which)
        }

    def _beside(self, states: Mapping[int, Cells], own: int, rng: np.random.Generator) -> Integers | None:
        """A key by which rows are alike but for their own column, (n_rows,)."""
        others = [v for v in states if v != own]
        if not others:
            return None
        return order_of_neighbours(
            [states[v] for v in others], [self.columns[v].n_coarse for v in others], rng
        )

    def _given(self, conditions: tuple[Condition, ...]) -> _Source:
        """What to sample from given the conditions."""
        source = self._found_given.get(conditions)
        if source is None:
            found = told(self.columns, self.leaves, conditions)
            try:
                beliefs = self.model.given(dict(found.evidence))
            except FloatingPointError:
                raise none_together(conditions) from None
            if len(self._found_given) >= _MOST_KEPT:
                self._found_given.clear()
            source = _Source(TreeSampler.of(self.model.tree, beliefs), found)
            self._found_given[conditions] = source
        return source

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
            "target": self.target,
        }
