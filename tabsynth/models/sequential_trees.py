"""A sequence of decision trees: each column is drawn from a tree on the columns before it.

Conditional distributions estimated one column after another by trees are how official statistics have long
made synthetic microdata (Reiter 2005, "Using CART to generate partially synthetic, public use microdata"; Nowok,
Raab and Dibben 2016, "synthpop"). Those draw the values of real rows from a leaf. Here a leaf holds counts of
pieces of the column's own distribution, in runs of at least `min_group` rows, and numbers are
drawn anew within pieces; splits are found on some of the rows and kept where all rows bear them out, and what many
columns each say a little of is added up on top of the leaf.

It gives no privacy guarantee: nothing is noisy. What attacks found is in docs/explanation/sequential-trees.md.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import UsageError
from tabsynth.models.base import NOTHING_TOLD, Progress, Told, no_progress, require_modelled
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.latent import Latent
from tabsynth.models.marginal import Floats
from tabsynth.models.marginals import fit_latents, require_group_size
from tabsynth.models.trees.axes import names_in, order_of, pieces_on
from tabsynth.models.trees.differences import (
    Difference,
    Pair,
    difference_columns,
    differences_on,
    pairs_told,
    with_before,
    with_differences,
    with_step,
)
from tabsynth.models.trees.fitted import FittedSequentialTrees
from tabsynth.models.trees.fitting import Axes, Fitted, fit_axis, positions_and_bins, tools_of
from tabsynth.models.trees.refining import MOST_ROUNDS, Source, refine, refine_target
from tabsynth.models.trees.repeats import Repeat, pairs_repeated, repeat_columns, repeats_on, with_repeats
from tabsynth.models.trees.stored import restore_trees
from tabsynth.models.trees.tree import Integers
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.randomness import Streams

AxesTold = tuple[tuple[Difference, ...], tuple[Repeat, ...]]
MANY_ROWS = 400
"""For each column; of tables with fewer, single rows show more, and the penalty is raised in proportion, up to four times."""
_MOST_RAISED = 4.0
MOST_GROWING_ROWS = 100_000
"""Splits are found on no more rows than this; leaves are counted on all."""
MOST_TILTING_ROWS = 25_000
"""Log odds are fitted to no more rows than this."""
MOST_REFINING_ROWS = 50_000
"""Drawn rows are told from no more rows than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTrees:
    """Recipe of the sequence of trees.

    `min_leaf` ≥ 1: the fewest rows of a leaf. `min_group` ≥ 1: the fewest rows that share a published value,
    stretch or run of a leaf; no leaf has fewer. `growing_share` in (0, 1]: the share of the rows that splits are
    found on. `penalty` ≥ 0: nats that a split, or a parameter of the log odds on top of leaves, must save for every
    parameter it adds; the larger, the fewer of both and the less of single rows in them. It is raised, up to four times, in a
    table of fewer than 400 rows for each column. `rounds` in 0 to 16: how often drawn rows are told from
    real ones, and what tells them apart is taken off; none leaves the rows as trees draw them. `target`: a column of classes that the table is
    to predict, if any: how it depends on the rest of the row is learned once more, by boosted trees (Friedman 2001). `first`: columns that
    are drawn before all others, in that order, such as `age; sex` (one with a `;` in its name in double quotes): conditions on them cost nothing. Others follow from few levels or values to many.
    `differences`: whether a number that another column tells better by how far it lies above it than by its bins (a discharge by its admission, a payment by
    its bill) is drawn by that difference.
    """

    name: ClassVar[str] = "sequential_trees"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none"})
    retains_rows: ClassVar[bool] = False
    takes_context: ClassVar[bool] = True
    summary: ClassVar[str] = "a tree per column on the columns before it; the most faithful without privacy"

    min_leaf: int = 30
    min_group: int = MIN_GROUP
    growing_share: float = 0.5
    penalty: float = 2.2
    rounds: int = 1
    target: str = ""
    first: str = ""
    differences: bool = True

    def __post_init__(self) -> None:
        require_group_size(self.min_group)
        if self.min_leaf < 1 or not 0 < self.growing_share <= 1 or not self.penalty >= 0:
            raise UsageError(
                "sequential_trees needs a min_leaf of 1 or more, a growing_share above 0 and at most 1, and a penalty of "
                "0 or more"
            )
        if not 0 <= self.rounds <= MOST_ROUNDS:
            raise UsageError(f"sequential_trees takes 0 to {MOST_ROUNDS} rounds, found {self.rounds}")

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:  # noqa: ARG002
        return ()

    def fit(
        self,
        data: EncodedTable,
        *,
        queries: AnyQueries,
        streams: Streams,
        progress: Progress = no_progress,
        told: Told = NOTHING_TOLD,
    ) -> FittedSequentialTrees:
        """Columns of the context come first. Nothing tilts those that all rows are given, and rows are told from rows that are drawn given the source's.

        A step is drawn as a difference.
        """
        from threadpoolctl import threadpool_limits

        assert isinstance(queries, Queries)  # no other guarantee than "none", and the pipeline has seen to it
        names = tuple(data.columns)
        self._require_classes(data)
        first = [*told.context, *(name for name in self._first(data) if name not in told.context)]
        progress("marginals", 0.0)
        latents = fit_latents(data, queries=queries, marginals="empirical", min_group=self.min_group)
        order = order_of(latents, first)
        untold = [name for name in first if name not in told.kept]
        data, latents, order, axes_told = self._told(data, latents, order, untold, told, queries, streams)
        pieces = [pieces_on(latent, data) for latent in latents]
        growing = self._some_rows("grow", data.n_rows, self.growing_share, MOST_GROWING_ROWS, streams)
        tilting = self._some_rows("tilt", data.n_rows, 1.0, MOST_TILTING_ROWS, streams)
        fit_ratio = queries.density_ratio(columns=names) if self.rounds else None
        fit_scores = (
            queries.class_scores(columns=(*(name for name in names if name != self.target), self.target))
            if self.target
            else None
        )
        tools = tools_of([latents[axis].variable.name for axis in order], queries)
        settings = replace(self, penalty=self.penalty_for(data.n_rows, len(data.columns)))

        def place_axis(place: int) -> tuple[Floats, Integers]:
            count = tools[place].leaf_counts
            return positions_and_bins(latents, order, pieces, place, count, min_group=self.min_group)

        # every axis has a thread of its own; those of linear algebra, which wait for one another in a loop, would double the seconds
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            placed = dict(zip(order, pool.map(place_axis, range(len(order))), strict=True))
            positions = tuple(placed[axis][0] for axis in range(len(latents)))
            bins = tuple(placed[axis][1] for axis in range(len(latents)))
            axes = Axes(latents, order, pieces, positions, bins, growing, tilting)

            n_fitted = itertools.count()

            def fit_place(place: int) -> Fitted:
                progress("trees", 0.2 + 0.6 * next(n_fitted) / len(order))
                tilts = latents[order[place]].variable.name not in told.given
                return fit_axis(axes, place, tools[place], settings, tilts=tilts)

            last_first = range(len(order) - 1, -1, -1)  # those of many pieces on many axes take the longest
            found = dict(zip(reversed(order), pool.map(fit_place, last_first), strict=True))
        trees = tuple(found[axis][0] for axis in range(len(latents)))
        leaves = tuple(found[axis][1] for axis in range(len(latents)))
        tilts = {axis: tilt for axis in order if (tilt := found[axis][2]) is not None}
        sequence = FittedSequentialTrees(latents, order, trees, leaves, bins, tilts, None, *axes_told)
        if fit_ratio is None and fit_scores is None:
            return sequence
        progress("refinement", 0.8)
        chosen = self._some_rows("refine", data.n_rows, 1.0, MOST_REFINING_ROWS, streams)
        real = Source.of([rows[chosen] for rows in pieces], latents, told.given, n_rows=data.n_rows)
        ratio = None
        with threadpool_limits(1, user_api="blas"):
            if fit_ratio is not None:
                ratio = refine(sequence, real, fit_ratio, self, streams)
            if fit_scores is not None:
                progress("target", 0.9)
                axis = next(at for at, latent in enumerate(latents) if latent.variable.name == self.target)
                ratio = refine_target(sequence, ratio, real, fit_scores, axis, self, streams)
        return replace(sequence, ratio=ratio)

    def _told(
        self,
        data: EncodedTable,
        latents: tuple[Latent, ...],
        order: tuple[int, ...],
        untold: list[str],
        told: Told,
        queries: Queries,
        streams: Streams,
    ) -> tuple[EncodedTable, tuple[Latent, ...], tuple[int, ...], AxesTold]:
        """The table with columns of differences and repeats, all axes, their order, and what those tell; of columns that are `untold` nothing."""

        def find(order: Sequence[int]) -> list[Pair]:
            if not self.differences:
                return []
            return pairs_told(data, latents, order, queries, streams, first=untold, apart=told.kept)

        if told.step is None:
            pairs = find(order)
        else:
            order, pairs = with_step(
                told.step, find, data, latents, order, told.context, min_group=self.min_group
            )
        if told.before and self.differences:
            rng = streams.generator("sequential_trees.differences.before")
            pairs = with_before(told.before, pairs, data, latents, order, rng, min_group=self.min_group)
        between = difference_columns(pairs, data)
        latents += fit_latents(between, queries=queries, marginals="empirical", min_group=self.min_group)
        differences = differences_on(pairs, latents)
        order = with_differences(order, differences)
        twins = pairs_repeated(data, told.context, queries)
        data = EncodedTable(data.n_rows, {**data.columns, **between.columns})
        said = repeat_columns(twins, data)
        latents += fit_latents(said, queries=queries, marginals="empirical", min_group=self.min_group)
        repeats = repeats_on(twins, tuple(said.columns), latents)
        data = EncodedTable(data.n_rows, {**data.columns, **said.columns})
        return data, latents, with_repeats(order, repeats), (differences, repeats)

    def _require_classes(self, data: EncodedTable) -> None:
        if not self.target:
            return
        require_modelled(self.name, "target", self.target, data.columns)
        if data.columns[self.target].variable.is_continuous:
            raise UsageError(
                f"sequential_trees: the target {self.target!r} is a column of numbers, which it would not serve; declare it "
                "categorical if its numbers are classes, else leave the target out"
            )

    def _first(self, data: EncodedTable) -> list[str]:
        names = names_in(self.first)
        for name in names:
            require_modelled(self.name, "first column", name, data.columns)
        if len(set(names)) < len(names):
            raise UsageError("sequential_trees: a column can be first once; `first` names one twice")
        return names

    def penalty_for(self, n_rows: int, n_columns: int) -> float:
        """The penalty in a table of that size, in nats: more where rows are few for their columns."""
        return self.penalty * min(max(MANY_ROWS * n_columns / max(n_rows, 1), 1.0), _MOST_RAISED)

    @staticmethod
    def _some_rows(
        purpose: str, n_rows: int, share: float, most: int, streams: Streams
    ) -> npt.NDArray[np.bool_]:
        """Mask of about that share of the rows, and of about `most` of them at the most."""
        drawn = streams.generator(f"sequential_trees.{purpose}").random(n_rows)
        return np.asarray(drawn < min(share, most / max(n_rows, 1)))

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedSequentialTrees:
        return restore_trees(variables, arrays, parameters)
