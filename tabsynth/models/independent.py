"""Every column by itself: the same marginals as the copula, no dependence between columns.

The baseline that any other engine must beat, and the quickest way to a table of the right shape for
testing software. With a privacy budget it learns one noisy histogram of each column, in cells of the
column's public domain; it gives no privacy guarantee when fitted without a budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.base import Condition, Progress, no_progress
from tabsynth.models.conditions import box_of
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.latent import (
    Latent,
    columns_at,
    families_of,
    restore_latents,
    store_latents,
    variables_on,
)
from tabsynth.models.marginals import MarginalKind, fit_latents, require_cells, require_group_size
from tabsynth.models.noisy_marginals import ONE_WAY, cells_and_codes, one_ways
from tabsynth.models.stratified import stratified
from tabsynth.models.truncated_normal import truncated_normal
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.randomness import Streams


@dataclass(frozen=True, eq=False)
class FittedIndependent:
    """Latent axes, each drawn by itself."""

    latents: tuple[Latent, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return variables_on(self.latents)

    def sample_block(
        self, block: int, *, n_rows: int, streams: Streams, conditions: tuple[Condition, ...] = ()
    ) -> EncodedTable:
        """Block number `block` of `n_rows` rows; raises `ConditionError` for impossible conditions."""
        rng = streams.generator("independent.sample", block)
        normals = rng.standard_normal((n_rows, len(self.latents)))
        if not conditions:
            return columns_at(self.latents, stratified(normals, rng))
        box = box_of(self.latents, conditions)
        zeros = np.zeros(n_rows)
        for axis in box.intervals:
            lower, upper = float(box.lower[axis]), float(box.upper[axis])
            normals[:, axis] = truncated_normal(zeros, 1.0, lower, upper, rng.random(n_rows))
        return box.pin(columns_at(self.latents, normals), conditions)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return store_latents(self.latents)

    def parameters(self) -> Mapping[str, Any]:
        return {"families": families_of(self.latents)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """Recipe of the independent engine.

    `marginals`: "empirical" (pieces of at least `min_group` rows) or "parametric" (the best of the
    `copulas` library's families by AIC; needs the extra `parametric`). `min_group` ≥ 1: the fewest rows
    that share a published value or stretch. With a privacy budget marginals are empirical, and noise stands
    in for `min_group`.
    """

    name: ClassVar[str] = "independent"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none", "dp"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = "every column by itself; the baseline"

    marginals: MarginalKind = "empirical"
    min_group: int = MIN_GROUP

    def __post_init__(self) -> None:
        require_group_size(self.min_group)

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        require_cells(self.marginals, engine=self.name)
        return (Part(statistic=ONE_WAY, share=1.0, count=len(variables)),) if variables else ()

    def fit(
        self,
        data: EncodedTable,
        *,
        queries: AnyQueries,
        streams: Streams,  # noqa: ARG002
        progress: Progress = no_progress,
    ) -> FittedIndependent:
        progress("marginals", 0.0)
        if not isinstance(queries, Queries):
            cells, codes = cells_and_codes(data)
            columns = one_ways(cells, codes, queries=queries)
            return FittedIndependent(tuple(latent for column in columns for latent in column.latents))
        return FittedIndependent(
            fit_latents(data, queries=queries, marginals=self.marginals, min_group=self.min_group)
        )

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedIndependent:
        return FittedIndependent(restore_latents(variables, arrays, parameters))
