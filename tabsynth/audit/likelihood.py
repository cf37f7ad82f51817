"""Membership by likelihood ratio: a row that the release makes likelier than the reference does is likely of train.

Two attacks score a candidate by log p(row | release) - log p(row | reference); they differ in the density.
Neither needs the engine or a second fit of it. They are blind to what a density cannot hold: one row copied
among many leaves no trace in it, for which the attacks by distance and match are there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.errors import UsageError
from tabsynth.metrics.sampling import take_columns
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.explicit import ExplicitModel
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy import Ledger
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]

N_QUANTILES = 20
"""Of the reference, at which numbers are cut; a number that falls on one has a cell of its own."""
PAIRS_PER_COLUMN = 3
MOST_CELLS = 4_000_000
"""Of a clique; larger ones are left out."""
ITERATIONS = 40

Clique = tuple[str, ...]


def log_density(rows: EncodedTable, candidates: EncodedTable) -> Floats:
    """Ln p of each candidate, (n_candidates,), under a Bayesian network fitted to `rows` without privacy.

    -inf where the network gives it no probability. What lies outside a column's domain, as in tables that others
    made, counts as one more level.
    """
    recipe = BayesianNetwork(iterations=ITERATIONS)
    rows, candidates = _widened(rows, candidates)
    return recipe.fit(rows, queries=Queries(Ledger()), streams=Streams(0)).log_prob(candidates)


def _widened(*tables: EncodedTable) -> list[EncodedTable]:
    """The tables with a level more in each column of which one of them has a cell outside the domain."""
    wider = {
        name: replace(column.variable, n_levels=column.variable.n_levels + 1)
        for table in tables
        for name, column in table.columns.items()
        if (column.codes >= column.variable.n_levels).any()
    }
    return [
        EncodedTable(
            table.n_rows,
            {
                name: replace(column, variable=wider.get(name, column.variable))
                for name, column in table.columns.items()
            },
        )
        for table in tables
    ]


def learnable(table: EncodedTable) -> tuple[str, ...]:
    """The columns that a network can be fitted to; none where rows are few.

    All but those of a few numbers only, and those with numbers beyond their bounds.
    """
    if table.n_rows < MIN_GROUP:
        return ()
    return tuple(
        name
        for name in within_bounds(table)
        if table.columns[name].values is None
        or not 0 < int((table.columns[name].codes == 0).sum()) < MIN_GROUP
    )


def within_bounds(table: EncodedTable) -> tuple[str, ...]:
    """The columns all of whose numbers lie within the declared bounds; those without numbers are too."""
    names = []
    for name, column in table.columns.items():
        variable, is_within = column.variable, True
        if column.values is not None and variable.lower is not None and variable.upper is not None:
            numbers = column.values[column.codes == 0]
            is_within = bool(((numbers >= variable.lower) & (numbers <= variable.upper)).all())
        if is_within:
            names.append(name)
    return tuple(names)


def log_ratio(released: Floats, known: Floats) -> Floats:
    """Log densities under the release less those under the reference; the impossible counts as the least likely."""
    finite = [scores[np.isfinite(scores)] for scores in (released, known)]
    floor = min((float(scores.min()) for scores in finite if len(scores)), default=0.0)
    return np.maximum(released, floor) - np.maximum(known, floor)


@dataclass(frozen=True, slots=True)
class Cut:
    """Every column in few cells: each level, and stretches of numbers between `edges[column]`."""

    edges: Mapping[str, Floats]

    @classmethod
    def of(cls, reference: EncodedTable) -> Self:
        """Cut numbers at quantiles of the reference."""
        edges: dict[str, Floats] = {}
        for name, column in reference.columns.items():
            if column.values is not None:
                numbers = column.values[column.codes == 0].astype(np.float64)
                inner = np.linspace(0, 1, N_QUANTILES + 1)[1:-1]
                edges[name] = np.unique(np.quantile(numbers, inner)) if len(numbers) else np.zeros(0)
        return cls(edges)

    def cells(self, table: EncodedTable) -> dict[str, tuple[Cells, int]]:
        """Of each column every row's cell, (n_rows,), and how many cells there are."""
        return {name: self._cells(name, column) for name, column in table.columns.items()}

    def _cells(self, name: str, column: EncodedColumn) -> tuple[Cells, int]:
        n_levels = column.variable.n_levels + 1  # the last is for what lies outside the domain
        codes = np.minimum(column.codes.astype(np.intp), n_levels - 1)
        if column.values is None:
            return codes, n_levels
        edges, values = self.edges[name], column.values.astype(np.float64)
        stretch = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
        return np.where(codes == 0, stretch, 2 * len(edges) + codes), 2 * len(edges) + n_levels


def strongest_pairs(cells: Mapping[str, tuple[Cells, int]]) -> tuple[Clique, ...]:
    """The pairs of columns with the largest mutual information, `PAIRS_PER_COLUMN` for each column."""
    found = []
    for pair in combinations(cells, 2):
        counts = _counted(cells, pair)
        if counts is not None and len(counts[0]):
            found.append((_information(*counts, shape=tuple(cells[name][1] for name in pair)), pair))
    found.sort(key=lambda one: -one[0])
    return tuple(pair for _, pair in found[: PAIRS_PER_COLUMN * len(cells)]) or tuple(
        (name,) for name in cells
    )


def cliques_of(fitted: FittedPipeline) -> tuple[Clique, ...] | None:
    """The pairs of columns that a fitted network joins, each column alone where none is; None of other engines."""
    if not isinstance(fitted.model, ExplicitModel):
        return None
    return tuple(edge.columns for edge in fitted.model.edges()) or tuple(
        (variable.name,) for variable in fitted.model.variables
    )


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What the attacker has before the release: both densities of the candidates under the reference.

    `cliques` are columns that the engine is known to have measured together, None where nothing is known.
    """

    candidates: EncodedTable
    reference: EncodedTable
    cut: Cut
    learnt: tuple[str, ...]
    known: Floats
    cliques: tuple[Clique, ...] | None

    @classmethod
    def of(
        cls, candidates: EncodedTable, reference: EncodedTable, *, cliques: tuple[Clique, ...] | None = None
    ) -> Self:
        """Raises `UsageError` for cliques that name a column which is not modelled."""
        unknown = {name for clique in cliques or () for name in clique} - set(reference.columns)
        if unknown:
            raise UsageError(f"cliques name columns that are not modelled: {', '.join(sorted(unknown))}")
        learnt = tuple(name for name in learnable(reference) if name in within_bounds(candidates))
        known = _log_density(reference, candidates, learnt)
        return cls(candidates, reference, Cut.of(reference), learnt, known, cliques)

    def generative(self, release: EncodedTable) -> Floats:
        """Log density of each candidate under the release less that under the reference, (n_candidates,).

        As in van Breugel et al. 2023, with this package's own explicit engine for a density of mixed columns.
        Columns in which a table has only a few numbers, or numbers beyond the bounds, are left out; 0 for all
        where none is left.
        """
        names = tuple(name for name in self.learnt if name in learnable(release))
        known = self.known if names == self.learnt else _log_density(self.reference, self.candidates, names)
        return log_ratio(_log_density(release, self.candidates, names), known)

    def of_cliques(self, release: EncodedTable) -> Floats:
        """Σ over cliques of log (share of the candidate's cell in the release / in the reference), (n_candidates,).

        After TAMIS (Andrey et al. 2024) and MAMA-MIA (Golob et al. 2024); where the cliques are not known they
        are the release's strongest pairs. The candidate itself is counted once on either side, so that an
        empty cell is no proof.
        """
        asked, known, released = (
            self.cut.cells(table) for table in (self.candidates, self.reference, release)
        )
        total = np.zeros(self.candidates.n_rows)
        for clique in strongest_pairs(released) if self.cliques is None else self.cliques:
            ratio = [_shares(asked, cells, clique) for cells in (released, known)]
            if ratio[0] is not None and ratio[1] is not None:
                total += np.log(ratio[0]) - np.log(ratio[1])
        return total


def _log_density(rows: EncodedTable, candidates: EncodedTable, names: tuple[str, ...]) -> Floats:
    if not names:
        return np.zeros(candidates.n_rows)
    return log_density(take_columns(rows, names), take_columns(candidates, names))


def _shares(
    asked: Mapping[str, tuple[Cells, int]], cells: Mapping[str, tuple[Cells, int]], clique: Clique
) -> Floats | None:
    """Of each candidate, its cell's share of the rows, smoothed; None for a clique too large to count."""
    wanted, counted = _counted(asked, clique), _counted(cells, clique)
    if wanted is None or counted is None:
        return None
    flat, size = counted
    return np.asarray((np.bincount(flat, minlength=size)[wanted[0]] + 1.0) / (len(flat) + 1.0))


def _counted(cells: Mapping[str, tuple[Cells, int]], clique: Clique) -> tuple[Cells, int] | None:
    """Every row's joint cell, and how many there are; None where they are too many."""
    size = math.prod(cells[name][1] for name in clique)
    if size > MOST_CELLS:
        return None
    flat = np.zeros(len(cells[clique[0]][0]), dtype=np.intp)
    for name in clique:
        flat = flat * cells[name][1] + cells[name][0]
    return flat, size


def _information(flat: Cells, size: int, *, shape: tuple[int, ...]) -> float:
    """Mutual information of two columns in nats, from their joint cells."""
    joint = np.bincount(flat, minlength=size).reshape(shape) / len(flat)
    product = joint.sum(axis=1)[:, None] * joint.sum(axis=0)
    held = joint > 0
    return float((joint[held] * np.log(joint[held] / product[held])).sum())
