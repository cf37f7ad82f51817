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
from tabsynth.models.base import NOTHING_GIVEN, Progress, no_progress
from tabsynth.models.condition import Condition, Conditioned, Given, pinned, with_given
from tabsynth.models.conditions import AxisSet, held_axes
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
from tabsynth.models.noisy_marginals import cells_and_codes, one_way_parts, one_ways
from tabsynth.models.stratified import stratified
from tabsynth.models.truncated_normal import interval_mass, truncated_normal
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedIndependent:
    """Latent axes, each drawn by itself."""

    latents: tuple[Latent, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return variables_on(self.latents)

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` rows."""
        rng = streams.generator("independent.sample", block)
        normals = rng.standard_normal((n_rows, len(self.latents)))
        return columns_at(self.latents, stratified(normals, rng))

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
        rng = streams.generator("independent.sample", block)
        normals = stratified(rng.standard_normal((n_rows, len(self.latents))), rng)
        held = held_axes(self.latents, conditions, NOTHING_GIVEN, n_rows)
        for axis, one in held.sets.items():
            numbers = [
                k for k, other in held.sets.items() if other.gate is not None and other.gate[0] == axis
            ]
            parts = (one.lower[0], one.upper[0])
            sizes = interval_mass(*parts)
            if numbers:
                parts, sizes = _number_apart(one, held.sets[numbers[0]])
            normals[:, axis] = _within(*parts, sizes, rng.random(n_rows))
        rows = pinned(columns_at(self.latents, normals), conditions)
        return Conditioned(rows=with_given(rows, given), effective=float(n_rows))

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return store_latents(self.latents)

    def parameters(self) -> Mapping[str, Any]:
        return {"families": families_of(self.latents)}


def _number_apart(levels: AxisSet, numbers: AxisSet) -> tuple[tuple[Floats, Floats], Floats]:
    """The intervals of levels with the one of numbers by itself, and their sizes: of numbers those asked for alone."""
    assert numbers.gate is not None
    _, low, high = numbers.gate
    ends, k = (levels.lower[0], levels.upper[0]), levels.lower.shape[1]
    lower = np.r_[ends[0], low, np.maximum(ends[0], high)]
    upper = np.r_[np.minimum(ends[1], low), high, ends[1]]
    sizes = interval_mass(lower, np.maximum(lower, upper))
    whole = sizes[k] * ((ends[0] <= low) & (high <= ends[1])).any()
    sizes[k] = whole * interval_mass(numbers.lower[0], numbers.upper[0]).sum()
    if not sizes.sum() > 0:
        sizes[k] = whole
    keep = sizes > 0
    return (lower[keep], upper[keep]), sizes[keep]


def _within(lower: Floats, upper: Floats, sizes: Floats, uniform: Floats) -> Floats:
    """Standard normal draws within intervals, which come as often as their sizes say, (n,)."""
    if len(lower) == 1 and lower[0] == upper[0]:
        return np.full(len(uniform), lower[0])
    ends = np.cumsum(sizes) / sizes.sum()
    at = np.minimum(np.searchsorted(ends, uniform, side="right"), len(ends) - 1)
    share = np.clip((uniform - np.r_[0.0, ends[:-1]][at]) / (sizes[at] / sizes.sum()), 0, 1)
    low, high = lower[at], upper[at]
    drawn = truncated_normal(np.zeros(len(uniform)), 1.0, low, high, share)
    return np.clip(drawn, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))


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
        return one_way_parts(variables, share=1.0)

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
            cells, codes = cells_and_codes(data, queries=queries)
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
