"""A fitted sequence of trees: what it samples, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.base import NOTHING_GIVEN
from tabsynth.models.condition import Condition, Conditioned, Given, pinned, with_given
from tabsynth.models.latent import Latent, Part, store_latents, variables_on
from tabsynth.models.spans import Span, values_within
from tabsynth.models.trees.axes import tilted_bins
from tabsynth.models.trees.differences import Difference, Presence, presence_of
from tabsynth.models.trees.drawing import Drawn
from tabsynth.models.trees.each import draw_each
from tabsynth.models.trees.leaves import Leaves
from tabsynth.models.trees.proposals import asked_of
from tabsynth.models.trees.ratios import Ratio
from tabsynth.models.trees.repeats import Repeat
from tabsynth.models.trees.settling import Asked, settle_columns
from tabsynth.models.trees.thinning import choose_asked, draw_evenly
from tabsynth.models.trees.tilts import BinnedLeaves, Tilt
from tabsynth.models.trees.tree import Integers, Tree
from tabsynth.randomness import Streams

_CAREFUL_BLOCKS = 4
_DRAWN_PER_ROW = 2
_NOTHING_ASKED = Asked(NOTHING_GIVEN, {})


@dataclass(frozen=True, eq=False)
class FittedSequentialTrees:
    """Axes, the order in which they are drawn, and for each axis a tree on those before it with its leaves.

    `bins` gives the bin of every piece of every axis; `tilts`, for some axes, the log odds that axes before add to its bins.
    `ratio` refines what they draw; None where it is not refined. The last columns are `differences` of others, in the order in which these are drawn, and whether
    levels are `repeats` of others.
    """

    latents: tuple[Latent, ...]
    order: tuple[int, ...]
    trees: tuple[Tree, ...]
    leaves: tuple[Leaves, ...]
    bins: tuple[Integers, ...]
    tilts: Mapping[int, Tilt]
    ratio: Ratio | None = None
    differences: tuple[Difference, ...] = ()
    repeats: tuple[Repeat, ...] = ()

    @property
    def variables(self) -> tuple[Variable, ...]:
        found = variables_on(self.latents)
        return found[: len(found) - len(self.differences) - len(self.repeats)]

    @cached_property
    def repeating(self) -> Mapping[int, Repeat]:
        """The repeats, by the axis that says whether there is one."""
        return {one.axis: one for one in self.repeats}

    @cached_property
    def repeated(self) -> Mapping[int, Repeat]:
        """The repeats, by the axis that follows from each."""
        return {one.of: one for one in self.repeats}

    @cached_property
    def present_between(self) -> Mapping[int, Presence]:
        """When there is a difference, by the axis that says so."""
        return {
            one.level: presence_of(one, self.latents, self.gates)
            for one in self.differences
            if one.level is not None
        }

    @cached_property
    def told(self) -> Mapping[int, Difference]:
        """The differences, by the axis of the number that each of them tells."""
        return {one.of: one for one in self.differences}

    @cached_property
    def gates(self) -> Mapping[int, tuple[int, int]]:
        """For axes of numbers beside which levels stand: the axis of the levels, and its piece for a number."""
        levels = {
            latent.variable.name: axis
            for axis, latent in enumerate(self.latents)
            if latent.part is Part.LEVEL
        }
        found = {}
        for axis, latent in enumerate(self.latents):
            if latent.part is Part.VALUE and (level := levels.get(latent.variable.name)) is not None:
                found[axis] = (level, int(np.flatnonzero(self.latents[level].marginal.lower == 0)[0]))
        return found

    @cached_property
    def binned(self) -> Mapping[int, BinnedLeaves]:
        """The leaves of axes that are tilted, by bin."""
        return {
            axis: BinnedLeaves.of(self.trees[axis], self.leaves[axis], bins)
            for axis, bins in self.tilted.items()
        }

    @cached_property
    def tilted(self) -> Mapping[int, Integers]:
        """For axes that are tilted, the bin of every piece as their log odds see it."""
        return {axis: tilted_bins(self.latents[axis], self.bins[axis]) for axis in self.tilts}

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` rows.

        The first blocks are drawn with less left to chance; in a table of more rows than those it no longer matters.
        """
        n_parts = _DRAWN_PER_ROW if block < _CAREFUL_BLOCKS else 1
        rngs = [streams.generator("sequential_trees.sample", block, part) for part in range(n_parts)]
        return self._encoded(draw_evenly(self, n_rows, rngs), {})

    def conditional_block(
        self,
        block: int,
        *,
        n_rows: int,
        streams: Streams,
        conditions: tuple[Condition, ...] = (),
        given: Given = NOTHING_GIVEN,
    ) -> Conditioned:
        """Block number `block` under conditions, by `draw_each` or `choose_asked`; raises `ConditionError` for impossible ones."""
        rng = streams.generator("sequential_trees.sample", block)
        asked = asked_of(self.latents, conditions, given, n_rows, self.differences)
        if not asked.axes or not n_rows:
            return Conditioned(
                rows=with_given(self.sample_block(block, n_rows=n_rows, streams=streams), given),
                effective=float(n_rows),
            )
        found = (draw_each if asked.given else choose_asked)(self, n_rows, asked, rng)
        spans = {axis: one.spans for axis, one in asked.within.items() if one.spans}
        held = Asked(given, {condition.column: condition.spans for condition in conditions})
        rows = with_given(pinned(self._encoded(found.drawn, spans, held), conditions), given)
        return Conditioned(rows=rows, effective=found.effective, n_moved=int(found.is_moved.sum()))

    def _encoded(
        self,
        drawn: Drawn,
        spans: Mapping[int, tuple[Span, ...]],
        asked: Asked = _NOTHING_ASKED,
    ) -> EncodedTable:
        """The rows, with numbers on the axes of `spans` within these."""
        columns: dict[str, EncodedColumn] = {}
        for axis, latent in enumerate(self.latents):
            variable, marginal, pieces = latent.variable, latent.marginal, drawn.pieces[axis]
            if latent.part is Part.LEVEL:
                codes = marginal.lower[pieces].astype(np.min_scalar_type(variable.n_levels))
                columns[variable.name] = EncodedColumn(variable, codes)
                continue
            levels = columns.get(variable.name)
            codes = np.zeros(drawn.n_rows, dtype=np.uint8) if levels is None else levels.codes
            at = np.maximum(pieces, 0).astype(np.intp)
            if axis in spans:
                values = values_within(marginal, at, drawn.shares[axis], spans[axis])
            else:
                values = marginal.values_within(at, drawn.shares[axis])
            values[codes != 0] = 0
            columns[variable.name] = EncodedColumn(variable, codes, values)
        columns = settle_columns(self.differences, self.latents, columns, drawn.pieces, drawn.shares, asked)
        kept = {variable.name: columns[variable.name] for variable in self.variables}
        return EncodedTable(drawn.n_rows, kept)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        found = store_latents(self.latents)
        for axis, (tree, leaves) in enumerate(zip(self.trees, self.leaves, strict=True)):
            found |= {f"tree.{axis}.{name}": array for name, array in tree.arrays().items()}
            found |= {f"leaves.{axis}.{name}": array for name, array in leaves.arrays().items()}
            if self.latents[axis].part is Part.VALUE:  # levels weigh what they have in the whole table
                found[f"leaves.{axis}.weight"] = leaves.weight
            found[f"bins.{axis}"] = self.bins[axis]
        for axis, tilt in self.tilts.items():
            found |= {f"tilt.{axis}.{name}": array for name, array in tilt.arrays().items()}
        return found if self.ratio is None else found | self.ratio.arrays()

    def parameters(self) -> Mapping[str, Any]:
        names = [
            [self.latents[axis].variable.name for axis in (one.base, one.of)] for one in self.differences
        ]
        repeats = [[self.latents[axis].variable.name for axis in (one.base, one.of)] for one in self.repeats]
        return {"order": list(self.order), "families": {}, "differences": names, "repeats": repeats}
