"""A fitted sequence of trees: what it samples, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.base import Condition
from tabsynth.models.latent import Latent, Part, store_latents, variables_on
from tabsynth.models.trees.drawing import Drawn, draw_axis
from tabsynth.models.trees.leaves import Leaves
from tabsynth.models.trees.proposals import Held, draw_held, held_pieces
from tabsynth.models.trees.tree import Tree
from tabsynth.randomness import Streams


@dataclass(frozen=True, eq=False)
class FittedSequentialTrees:
    """Axes, the order in which they are drawn, and for each axis a tree on those before it with its leaves."""

    latents: tuple[Latent, ...]
    order: tuple[int, ...]
    trees: tuple[Tree, ...]
    leaves: tuple[Leaves, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return variables_on(self.latents)

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

    def sample_block(
        self, block: int, *, n_rows: int, streams: Streams, conditions: tuple[Condition, ...] = ()
    ) -> EncodedTable:
        """Block number `block` of `n_rows` rows; raises `ConditionError` for impossible conditions."""
        rng = streams.generator("sequential_trees.sample", block)
        held = held_pieces(self.latents, conditions)
        drawn = draw_held(self, n_rows, held, rng) if held else Drawn(n_rows, {}, {})
        for axis in self.order[len(drawn.pieces) :]:
            draw_axis(self, axis, drawn, rng)
        return self._encoded(drawn, held)

    def _encoded(self, drawn: Drawn, held: Mapping[int, Held]) -> EncodedTable:
        columns: dict[str, EncodedColumn] = {}
        for axis, latent in enumerate(self.latents):
            variable, marginal, pieces = latent.variable, latent.marginal, drawn.pieces[axis]
            if latent.part is Part.LEVEL:
                codes = marginal.lower[pieces].astype(np.min_scalar_type(variable.n_levels))
                columns[variable.name] = EncodedColumn(variable, codes)
                continue
            levels = columns.get(variable.name)
            codes = np.zeros(drawn.n_rows, dtype=np.uint8) if levels is None else levels.codes
            values = marginal.values_within(np.maximum(pieces, 0).astype(np.intp), drawn.shares[axis])
            if (condition := held.get(axis)) is not None and condition.value is not None:
                values[:] = condition.value
            values[codes != 0] = 0
            columns[variable.name] = EncodedColumn(variable, codes, values)
        return EncodedTable(drawn.n_rows, columns)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        found = store_latents(self.latents)
        for axis, (tree, leaves) in enumerate(zip(self.trees, self.leaves, strict=True)):
            found |= {f"tree.{axis}.{name}": array for name, array in tree.arrays().items()}
            found |= {f"leaves.{axis}.{name}": array for name, array in leaves.arrays().items()}
        return found

    def parameters(self) -> Mapping[str, Any]:
        return {"order": list(self.order), "families": {}}
