"""Gaussian copula over every column: marginals of any shape, one correlation matrix between them.

Each column stands on one or two latent axes (`tabsynth.models.latent`); cells are the pieces that a
normal vector falls into. Without privacy, fitting reads one-way counts and second moments of the pieces'
normal scores, nothing else. Nominal levels are put in the order in which they go along with the other
columns (the leading axis of the levels' mean scores, as in correspondence analysis: Benzécri 1973;
Greenacre 1984), and correlations are corrected for ties (`tabsynth.models.correlation`).

With a privacy budget it reads a noisy histogram of every column, in cells of the column's public domain,
and one of every pair of columns in few cells each (`tabsynth.models.noisy_correlation`).

What it cannot say: dependence that is not monotone along the chosen order of levels, or that differs
between the tails. It gives no privacy guarantee when fitted without a budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import ConditionError, UsageError
from tabsynth.models.base import NOTHING_GIVEN, Progress, no_progress
from tabsynth.models.coarse_axes import CoarseColumn, axes_of
from tabsynth.models.condition import Condition, Conditioned, Given, pinned, with_given
from tabsynth.models.conditions import AxisSet, held_axes
from tabsynth.models.correlation import N_TERMS, latent_correlation, shrink_unreliable
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.latent import (
    Latent,
    Part,
    columns_at,
    families_of,
    restore_latents,
    store_latents,
    variables_on,
)
from tabsynth.models.marginals import MarginalKind, fit_latents, require_cells, require_group_size
from tabsynth.models.noisy_correlation import measured_pairs, noisy_latent_correlation, ordered_axes
from tabsynth.models.noisy_marginals import cells_and_codes, one_way_parts, one_ways
from tabsynth.models.ordering import order_levels
from tabsynth.models.selection import Selected, joint_normal
from tabsynth.models.stored import stored_normal
from tabsynth.models.stratified import stratified
from tabsynth.models.truncated_normal import Drawn, held_normals, reindexed
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import Part as BudgetPart
from tabsynth.privacy.queries import AnyQueries, Queries, ScoreMoments
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]
PAIRS = "pairs of coarse marginals"
_ONE_WAY_SHARE = 0.7
_MOMENT_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class FittedGaussianCopula:
    """Latent axes, their means, (n_latents,), and covariance, (n_latents, n_latents).

    Means are 0 and variances 1 but for the numbers of columns with gaps (`tabsynth.models.selection`).
    """

    latents: tuple[Latent, ...]
    mean: Floats
    covariance: Floats

    @property
    def variables(self) -> tuple[Variable, ...]:
        return variables_on(self.latents)

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` rows. Numbers of columns with gaps are spread evenly over the rows that have one."""
        rng = streams.generator("gaussian_copula.sample", block)
        normals = rng.standard_normal((n_rows, len(self.latents))) @ self._factor.T + self.mean
        normals[:, self._is_standard] = stratified(normals[:, self._is_standard], rng)
        for one in _selected(self.latents):
            level = normals[:, one.selector]
            there = np.flatnonzero((one.lower <= level) & (level < one.upper))
            normals[there, one.axis] = stratified(normals[there, one.axis][:, None], rng)[:, 0]
        return columns_at(self.latents, normals)

    def conditional_block(
        self,
        block: int,
        *,
        n_rows: int,
        streams: Streams,
        conditions: tuple[Condition, ...] = (),
        given: Given = NOTHING_GIVEN,
    ) -> Conditioned:
        """Block number `block` under conditions; raises `ConditionError` for impossible ones.

        Exact given numbers and with one axis held within a set; of several held axes see `held_normals`.
        """
        rng = streams.generator("gaussian_copula.sample", block)
        held = held_axes(self.latents, conditions, given, n_rows)
        normals, effective = np.empty((n_rows, len(self.latents))), 0.0
        is_moved = held.is_moved.copy()
        for rows, points, within in held.alike():
            found = self._held_normals(points, within, len(rows), rng)
            if conditions and not given and not found.met.any():
                raise ConditionError("the conditions together have probability zero under the model")
            normals[rows] = found.normals
            effective += found.effective
            is_moved[rows] |= ~found.met
        drawn = with_given(pinned(columns_at(self.latents, normals), conditions), given)
        return Conditioned(rows=drawn, effective=effective, n_moved=int(is_moved.sum()))

    @cached_property
    def _factor(self) -> Floats:
        return np.asarray(np.linalg.cholesky(self.covariance), dtype=np.float64)

    @cached_property
    def _is_standard(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.mean == 0) & (np.abs(np.diag(self.covariance) - 1) < 1e-9))

    def _held_normals(
        self, points: Mapping[int, Floats], within: Mapping[int, AxisSet], n: int, rng: np.random.Generator
    ) -> Drawn:
        """Latent rows, (n, n_latents), with axes at `points` and `within` sets."""
        normals = np.empty((n, len(self.latents)))
        fixed, held = (np.array(list(axes), dtype=np.intp) for axes in (points, within))
        rest = np.setdiff1d(np.arange(len(self.latents)), np.r_[fixed, held])
        for axis, position in points.items():
            normals[:, axis] = position
        found = Drawn(normals, float(n), np.ones(n, dtype=np.bool_))
        if len(held):
            mean, covariance = self._given(held, fixed, normals[:, fixed])
            found = held_normals(mean, covariance, reindexed(within, held.tolist()), rng)
            normals[:, held] = found.normals
        known = np.r_[fixed, held]
        mean, covariance = self._given(rest, known, normals[:, known])
        factor = np.linalg.cholesky(covariance + 1e-10 * np.eye(len(rest)))
        normals[:, rest] = mean + rng.standard_normal((n, len(rest))) @ factor.T
        return Drawn(normals, found.effective, found.met)

    def _given(
        self, wanted: npt.NDArray[np.intp], known: npt.NDArray[np.intp], at: Floats
    ) -> tuple[Floats, Floats]:
        """Mean, (n, n_wanted), and covariance of the wanted axes given the known ones at `at`."""
        block = self.covariance[np.ix_(wanted, wanted)]
        if not len(known):
            return np.tile(self.mean[wanted], (len(at), 1)), block
        cross = self.covariance[np.ix_(known, wanted)]
        gain = np.linalg.solve(self.covariance[np.ix_(known, known)], cross)
        return self.mean[wanted] + (at - self.mean[known]) @ gain, block - cross.T @ gain

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"mean": self.mean, "covariance": self.covariance, **store_latents(self.latents)}

    def parameters(self) -> Mapping[str, Any]:
        return {"families": families_of(self.latents)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianCopula:
    """Recipe of the Gaussian copula.

    `marginals`: "empirical" (pieces of at least `min_group` rows) or "parametric" (the best of the
    `copulas` library's families by AIC; needs the extra `parametric`). `min_group` ≥ 1: the fewest rows
    that share a published value or stretch, or that dependence is learnt from. `ordering_rounds` ≥ 0: passes
    over the nominal columns. With a privacy budget marginals are empirical, and noise stands in for
    `min_group`.
    """

    name: ClassVar[str] = "gaussian_copula"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none", "dp"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = "one correlation matrix between marginals of any shape; seconds, any width"

    marginals: MarginalKind = "empirical"
    min_group: int = MIN_GROUP
    ordering_rounds: int = 3

    def __post_init__(self) -> None:
        require_group_size(self.min_group)
        if self.ordering_rounds < 0:
            raise UsageError(f"ordering_rounds must be 0 or more, found {self.ordering_rounds}")

    def parts(self, variables: tuple[Variable, ...]) -> tuple[BudgetPart, ...]:
        require_cells(self.marginals, engine=self.name)
        n = len(variables)
        if n <= 1:
            return one_way_parts(variables, share=1.0)
        pairs = BudgetPart(statistic=PAIRS, share=1 - _ONE_WAY_SHARE, count=n * (n - 1) // 2)
        return (*one_way_parts(variables, share=_ONE_WAY_SHARE), pairs)

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedGaussianCopula:
        if not isinstance(queries, Queries):
            return self._fit_privately(data, queries, progress)
        progress("marginals", 0.0)
        latents = fit_latents(data, queries=queries, marginals=self.marginals, min_group=self.min_group)
        if not latents:
            return FittedGaussianCopula((), np.empty(0), np.empty((0, 0)))
        progress("order of levels", 0.4)
        rng = streams.generator("gaussian_copula.ordering")
        latents = order_levels(latents, data, queries=queries, rng=rng, n_rounds=self.ordering_rounds)
        progress("correlations", 0.6)
        names = [latent.variable.name for latent in latents]
        moments = queries.score_moments(_score_blocks(latents, data), columns=names)
        correlation = _latent_correlation(latents, moments)
        silent = np.array([self._is_silent(latent, data.n_rows) for latent in latents])
        correlation[silent] = correlation[:, silent] = 0.0
        np.fill_diagonal(correlation, 1.0)
        return FittedGaussianCopula(latents, *joint_normal(correlation, _selected(latents)))

    def _fit_privately(
        self, data: EncodedTable, queries: NoisyQueries, progress: Progress
    ) -> FittedGaussianCopula:
        """From noisy counts alone: of every column, then of every pair of columns in few cells."""
        progress("marginals", 0.0)
        cells, codes = cells_and_codes(data, queries=queries)
        found = one_ways(cells, codes, queries=queries)
        if not found:
            return FittedGaussianCopula((), np.empty(0), np.empty((0, 0)))
        progress("pairs", 0.2)
        columns = [CoarseColumn.of(one_way) for one_way in found]
        tables = measured_pairs(columns, codes, queries=queries, statistic=PAIRS)
        progress("correlations", 0.7)
        axes = ordered_axes(axes_of(columns), tables, n_rounds=self.ordering_rounds)
        latents = tuple(axis.latent for axis in axes)
        correlation = noisy_latent_correlation(axes, tables)
        return FittedGaussianCopula(latents, *joint_normal(correlation, _selected(latents)))

    def _is_silent(self, latent: Latent, n_rows: int) -> bool:
        """Whether fewer than `min_group` rows differ from the commonest level: too few to depend on."""
        return latent.part is Part.LEVEL and bool((1 - latent.marginal.mass.max()) * n_rows < self.min_group)

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedGaussianCopula:
        latents = restore_latents(variables, arrays, parameters, beside=("mean", "covariance"))
        return FittedGaussianCopula(latents, *stored_normal(arrays, len(latents)))


def _latent_correlation(latents: tuple[Latent, ...], moments: ScoreMoments) -> Floats:
    """Pairwise latent correlations, corrected for ties and shrunk where few rows speak for them."""
    coefficients = np.stack([latent.marginal.hermite_coefficients(N_TERMS) for latent in latents])
    spread = np.array([latent.marginal.score_spread for latent in latents])
    observed = moments.correlation()
    steepness = coefficients[:, 0] / np.maximum(spread, 1e-6)
    slope = steepness[:, None] * steepness
    return shrink_unreliable(latent_correlation(observed, coefficients, spread), observed, moments.n, slope)


def _selected(latents: Sequence[Latent]) -> list[Selected]:
    """The value axes of columns with gaps, each with the level axis that says where it exists."""
    entries = []
    for axis, latent in enumerate(latents):
        if latent.part is Part.VALUE and latent.variable.n_levels > 1:
            interval = latents[axis - 1].level_interval(0) or (-np.inf, np.inf)
            entries.append(Selected(axis, axis - 1, *interval))
    return entries


def _score_blocks(
    latents: tuple[Latent, ...], data: EncodedTable
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]]:
    """Scores and presence of every axis, block of rows by block of rows."""
    pieces = [latent.pieces(data.columns[latent.variable.name]) for latent in latents]
    presence = [latent.present(data.columns[latent.variable.name]) for latent in latents]
    tables = [latent.marginal.scores.astype(np.float32) for latent in latents]
    partial = any(where is not None for where in presence)
    for start in range(0, data.n_rows, _MOMENT_ROWS):
        rows = slice(start, min(start + _MOMENT_ROWS, data.n_rows))
        scores = np.empty((rows.stop - start, len(latents)), dtype=np.float32)
        there = np.ones_like(scores) if partial else None
        for index, (piece, table, where) in enumerate(zip(pieces, tables, presence, strict=True)):
            scores[:, index] = table[piece[rows]]
            if where is not None and there is not None:
                there[:, index] = where[rows]
                scores[:, index] *= there[:, index]
        yield scores, there
