"""Rows from a calibrated junction tree, clique by clique, with as little chance as exactness allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.spreading import even_positions, order_of_neighbours

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """The variables that a clique adds, given its separator: `ends` of their shares, one line of all states.

    `ends[s * n_new + x]` = s + P(new ≤ x | separator state s).
    """

    given: tuple[int, ...]
    new: tuple[int, ...]
    n_given: int
    n_new: int
    ends: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TreeSampler:
    """Draws joint states from clique beliefs, any number of times."""

    sizes: tuple[int, ...]
    steps: tuple[_Step, ...]

    @classmethod
    def of(cls, tree: JunctionTree, beliefs: Sequence[Floats]) -> Self:
        steps = []
        for clique, given, belief in zip(tree.cliques, tree.separators, beliefs, strict=True):
            new = tuple(v for v in clique if v not in given)
            n_given = math.prod(tree.sizes[v] for v in given)
            joint = belief.transpose([clique.index(v) for v in given + new]).reshape(n_given, -1)
            ends = np.cumsum(joint, axis=1)
            total = ends[:, -1:]
            n_new = joint.shape[1]
            ends = np.where(
                total > 0, ends / np.where(total > 0, total, 1.0), np.arange(1, n_new + 1) / n_new
            )
            ends[:, -1] = 1.0
            ends += np.arange(n_given)[:, None]
            steps.append(_Step(given, new, n_given, n_new, ends.ravel()))
        return cls(tree.sizes, tuple(steps))

    def draw(self, n_rows: int, rng: np.random.Generator, *, spread: bool = False) -> dict[int, States]:
        """The state of every variable of the tree in `n_rows` rows.

        Within each state of a separator, the states that follow are met to within one row of their share;
        with `spread`, also about as evenly beside the variables drawn before, at some cost of time.
        """
        states: dict[int, States] = {}
        for step in self.steps:
            given = np.zeros(n_rows, dtype=np.intp)
            for v in step.given:
                given = given * self.sizes[v] + states[v]
            others = [v for v in states if v not in step.given] if spread else []
            beside = (
                order_of_neighbours([states[v] for v in others], [self.sizes[v] for v in others], rng)
                if others
                else None
            )
            position = given + even_positions(given, step.n_given, rng, beside=beside)
            joint = np.searchsorted(step.ends, position, side="right") - given * step.n_new
            joint = np.clip(joint, 0, step.n_new - 1)
            for v in reversed(step.new):
                joint, states[v] = np.divmod(joint, self.sizes[v])
        return states
