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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import UsageError
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.frequent_values import FREQUENT, frequent_parts
from tabsynth.models.marginals import require_group_size
from tabsynth.models.network.choice import Choice
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.exact import leaves_meeting
from tabsynth.models.network.fitted import FittedBayesianNetwork
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.network.measuring import (
    PAIRS,
    Counted,
    Released,
    cells_of_columns,
    count_columns,
    measured,
)
from tabsynth.models.network.public import public_rows
from tabsynth.models.network.rounds import RELEASES, SCORES, fitted_to, measure_in_rounds
from tabsynth.models.network.stored import restore_network
from tabsynth.models.network.workload import Workload, workload_of
from tabsynth.models.noisy_marginals import ONE_WAY
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries
from tabsynth.randomness import Streams

_SHARES = {ONE_WAY: 0.13, FREQUENT: 0.06, SCORES: 0.03, PAIRS: 0.78}


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesianNetwork:
    """Recipe of the Bayesian network.

    `target`: a column that the table is to predict, if any: what depends on it is kept before other pairs
    and measured more precisely. `workload`: pairs of columns of which the same holds, such as `age*income; hours*income`. `coarse_cells`: coarse cells of a column, about; 0 for as many as the noise allows, 8 to 20.
    `most_cells`: cells of the junction tree, all cliques together, which bounds time and memory. `ridge` > 0: weight of the noise's variance against the
    prior that columns are independent. `iterations` of L-BFGS. `min_group` ≥ 1, without privacy only: the
    fewest rows that share a published value or stretch.
    """

    name: ClassVar[str] = "bayesian_network"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none", "dp"})
    retains_rows: ClassVar[bool] = False
    takes_public_rows: ClassVar[bool] = True
    summary: ClassVar[str] = (
        "a graph of dependent columns, fitted to marginals; the most faithful with privacy"
    )

    target: str = ""
    workload: str = ""
    coarse_cells: int = 0
    most_cells: int = 1_500_000
    ridge: float = 0.02
    iterations: int = 110
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

    def _workload(self, names: tuple[str, ...]) -> Workload:
        return workload_of(names, target=self.target, pairs=self.workload)

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        n = len(variables)
        self._workload(tuple(variable.name for variable in variables))  # its faults, before any data
        if n == 0:
            return ()
        one_way = Part(statistic=ONE_WAY, share=_SHARES[ONE_WAY], count=n)
        marginals = (one_way, *frequent_parts(variables, share=_SHARES[FREQUENT]))
        if n == 1:
            return marginals
        return (
            *marginals,
            Part(statistic=SCORES, share=_SHARES[SCORES], count=n * (n - 1) // 2),
            Part(statistic=PAIRS, share=_SHARES[PAIRS], count=RELEASES * n),
        )

    def fit(
        self,
        data: EncodedTable,
        *,
        queries: AnyQueries,
        streams: Streams,  # noqa: ARG002
        progress: Progress = no_progress,
        public: EncodedTable | None = None,
    ) -> FittedBayesianNetwork:
        """`public`: rows of the same columns that no promise covers, as a prior; with a budget only."""
        progress("one-way marginals", 0.0)
        names = tuple(data.columns)
        workload = self._workload(names)
        cells = cells_of_columns(data, queries, min_group=self.min_group)
        if not cells:
            return FittedBayesianNetwork((), LogLinear(JunctionTree((), (), (), ()), (), (), ()), ())
        fine = [cell.cells_of(column) for cell, column in zip(cells, data.columns.values(), strict=True)]
        beside = None if public is None else public_rows(cells, public)
        columns, counted = count_columns(
            names, cells, fine, queries, most_coarse=self.coarse_cells, public=beside
        )
        coarse = [column.coarse.astype(np.uint16)[codes] for column, codes in zip(columns, fine, strict=True)]
        table = Counted(names, columns, tuple(fine), tuple(coarse), beside)
        progress("dependence", 0.2)
        if len(columns) > 1:
            choice, found = measure_in_rounds(
                table, counted, queries, most_cells=self.most_cells, ridge=self.ridge, workload=workload
            )
        else:
            choice = Choice((), 0, ((0,),), (), ())
            found = measured(table, choice, Released(tuple(counted), {}, {}))
        progress("network", 0.5)
        model = fitted_to(found, choice, ridge=self.ridge, most_iterations=self.iterations)
        shares = tuple(NetworkColumn(c.cells, c.counts / found.total, c.coarse) for c in found.columns)
        leaves = leaves_meeting(shares, found.leaves, model.tree, model.beliefs)
        target = names.index(self.target) if self.target else None
        return FittedBayesianNetwork(shares, model, leaves, target)

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedBayesianNetwork:
        return restore_network(variables, arrays, parameters)
