"""The logarithm of how much more frequent rows are in the source than among rows drawn axis by axis: small trees, margins, and what a target adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.trees.axes import ABSENT, MANY_LEVELS
from tabsynth.models.trees.differences import Difference, signs_of
from tabsynth.models.trees.forest import Forest, arrays_of
from tabsynth.models.trees.target import TargetRatio
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.boosted import BoostedTree

Floats = npt.NDArray[np.float64]
PREFIX = "ratio."


def codes_of(
    latents: Sequence[Latent], bins: Sequence[Integers], differences: Sequence[Difference] = ()
) -> tuple[Integers, ...]:
    """For each axis the code of every piece, by which trees tell pieces apart, and of a row without one: the piece, of many levels their bin, of a difference its sign."""
    signs = {one.axis for one in differences}

    def own(axis: int, latent: Latent) -> Integers:
        if axis in signs:
            return signs_of(latent.marginal)
        if latent.part is Part.LEVEL and len(latent.marginal.mass) > MANY_LEVELS:
            return bins[axis]
        return np.arange(len(latent.marginal.mass), dtype=np.int32)

    return tuple(np.append(own(axis, latent), ABSENT).astype(np.int32) for axis, latent in enumerate(latents))


@dataclass(frozen=True, eq=False)
class Ratio:
    """Trees over the `codes` of axes, and `margins`, what the pieces of each axis add; both (n_pieces + 1,), the last for rows without one.

    `bound`: the log ratio from which on rows are always kept. `target`: what is added for a target that was named.
    """

    codes: tuple[Integers, ...]
    trees: tuple[BoostedTree, ...]
    margins: tuple[npt.NDArray[np.float32], ...]
    bound: float
    target: TargetRatio | None = None

    def logs(self, pieces: Mapping[int, Pieces]) -> Floats:
        """Of every row, (n_rows,), from its pieces on all axes."""
        found = self.forest.logs([own[pieces[axis]] for axis, own in enumerate(self.codes)])
        for axis, margin in enumerate(self.margins):
            found += margin[pieces[axis]]
        return found if self.target is None else found + self.target.logs(pieces)

    def chance(self, pieces: Mapping[int, Pieces]) -> Floats:
        """Of every drawn row to be kept, (n_rows,), in (0, 1]."""
        return np.exp(np.minimum(self.logs(pieces) - self.bound, 0.0))

    def weighed(self, margins: tuple[npt.NDArray[np.float32], ...], bound: float) -> Ratio:
        """The same with other margins."""
        found = replace(self, margins=margins, bound=bound)
        found.__dict__["forest"] = self.forest  # the tables of trees are made once
        return found

    @cached_property
    def forest(self) -> Forest:
        return Forest.of(self.trees, [int(own.max(initial=ABSENT)) + 2 for own in self.codes])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        found = arrays_of(self.trees, PREFIX)
        found[f"{PREFIX}bound"] = np.array([self.bound])
        found |= {f"{PREFIX}margin.{axis}": margin for axis, margin in enumerate(self.margins)}
        return found if self.target is None else found | self.target.arrays(f"{PREFIX}target.")
