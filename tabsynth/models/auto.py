"""Which engine for a table: a rule that everybody can read, on what is public or paid for.

It asks for the privacy budget, the number of columns, what the rows are for, and without a budget for the number of rows; never
for a cell. With a budget the number of rows is not asked for either, because it is known to nobody before it is paid for, and the
budget has been planned by then. docs/reference/auto.md shows the rule as a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import ModelFileError
from tabsynth.models.base import FittedModel, Progress, Synthesizer, no_progress
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries
from tabsynth.randomness import Streams
from tabsynth.schema.types import TableSchema

AUTO = "auto"
FEWEST_TREE_ROWS = 3_000
"""Below this many rows half of them, on which splits are found, hold few leaves of 30, and a network comes closer."""
MOST_TREE_COLUMNS = 250
"""Each tree asks for all columns before it; beyond this nobody has measured how long that takes."""
MOST_NETWORK_COLUMNS = 150
"""Every pair of columns is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A recipe and, in one line, why it is this one."""

    recipe: Synthesizer
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """Recipe that becomes another one when the schema is known.

    `purpose`: "rows" for synthetic rows, or "answers" where the model is to be asked for probabilities, marginals or its
    network, which `bayesian_network` alone can answer.
    """

    name: ClassVar[str] = AUTO
    guarantees: ClassVar[frozenset[str]] = frozenset({"none", "dp"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = "chooses one of the others by a public rule"

    purpose: Literal["rows", "answers"] = "rows"

    def choose(
        self, *, n_columns: int, is_private: bool, n_rows: int | None = None, has_histories: bool = False
    ) -> Choice:
        """The recipe for a table of so many columns; `n_rows` and `has_histories`, of persons, count without a budget alone."""
        columns = f"{n_columns:,} column{'' if n_columns == 1 else 's'}"
        if has_histories and not is_private:
            return Choice(
                recipe=SequentialTrees(),
                why="auto: sequential_trees, the one that draws histories of persons",
            )
        if self.purpose == "answers":
            return Choice(
                recipe=BayesianNetwork(),
                why="auto: bayesian_network, the one that gives answers without sampling",
            )
        if is_private and n_columns <= MOST_NETWORK_COLUMNS:
            return Choice(
                recipe=BayesianNetwork(),
                why=f"auto: bayesian_network, the most faithful with a budget (up to {MOST_NETWORK_COLUMNS} columns, here {columns})",
            )
        if is_private:
            return Choice(
                recipe=GaussianCopula(),
                why=f"auto: gaussian_copula, for a budget and {columns}: more than {MOST_NETWORK_COLUMNS} take a network too long",
            )
        if n_columns > MOST_TREE_COLUMNS:
            return Choice(
                recipe=GaussianCopula(),
                why=f"auto: gaussian_copula, for {columns}: trees are not measured beyond {MOST_TREE_COLUMNS}",
            )
        if n_rows is not None and n_rows < FEWEST_TREE_ROWS and n_columns <= MOST_NETWORK_COLUMNS:
            return Choice(
                recipe=BayesianNetwork(),
                why=f"auto: bayesian_network, for {n_rows:,} rows: fewer than {FEWEST_TREE_ROWS:,} are few for trees",
            )
        return Choice(
            recipe=SequentialTrees(),
            why=f"auto: sequential_trees, the most faithful without a budget ({columns})",
        )

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        return self.choose(n_columns=len(variables), is_private=True).recipe.parts(variables)

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedModel:
        """What the chosen recipe learns; the pipeline has chosen before, by the schema's columns."""
        found = self.choose(n_columns=len(data.columns), is_private=queries.is_private, n_rows=data.n_rows)
        return found.recipe.fit(data, queries=queries, streams=streams, progress=progress)

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],  # noqa: ARG003
        arrays: Mapping[str, npt.NDArray[Any]],  # noqa: ARG003
        parameters: Mapping[str, Any],  # noqa: ARG003
    ) -> FittedModel:
        """Raises `ModelFileError`: a model says which engine it is of."""
        raise ModelFileError("a model is of the engine that auto chose, not of auto")


def why_chosen(
    recipe: Synthesizer, schema: TableSchema, *, is_private: bool, n_rows: int | None = None
) -> str:
    """In a line, what `auto` chooses for the table and why; "" for any other recipe. Rows count without a budget alone."""
    if not isinstance(recipe, Auto):
        return ""
    return _chosen(recipe, schema, is_private=is_private, n_rows=None if is_private else n_rows).why


def settled(
    recipe: Synthesizer, schema: TableSchema, *, is_private: bool, n_rows: int | None = None
) -> Synthesizer:
    """The recipe, or the one that `auto` chooses for the table."""
    if not isinstance(recipe, Auto):
        return recipe
    return _chosen(recipe, schema, is_private=is_private, n_rows=n_rows).recipe


def _chosen(recipe: Auto, schema: TableSchema, *, is_private: bool, n_rows: int | None) -> Choice:
    return recipe.choose(
        n_columns=len(schema.columns),
        is_private=is_private,
        n_rows=n_rows,
        has_histories=schema.unit.order_by is not None,
    )
