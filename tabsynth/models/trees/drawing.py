"""Rows, drawn axis by axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.leaves import Floats, Leaves
from tabsynth.models.trees.tree import Integers, Pieces, Tree


class Model(Protocol):
    """What drawing needs of a fitted model."""

    @property
    def latents(self) -> tuple[Latent, ...]: ...
    @property
    def order(self) -> tuple[int, ...]: ...
    @property
    def trees(self) -> tuple[Tree, ...]: ...
    @property
    def leaves(self) -> tuple[Leaves, ...]: ...
    @property
    def gates(self) -> Mapping[int, tuple[int, int]]: ...


@dataclass(slots=True)
class Drawn:
    """Rows under construction: pieces on the axes drawn so far, and how far into the piece each row stands."""

    n_rows: int
    pieces: dict[int, Pieces]
    shares: dict[int, Floats]

    def rows(self, chosen: npt.NDArray[np.intp]) -> Drawn:
        """The rows at these positions."""
        return Drawn(
            len(chosen),
            {axis: pieces[chosen] for axis, pieces in self.pieces.items()},
            {axis: shares[chosen] for axis, shares in self.shares.items()},
        )

    def where(self, kept: npt.NDArray[np.bool_], other: Drawn) -> Drawn:
        """These rows where `kept`, those of `other`, on the same axes, elsewhere."""
        return Drawn(
            self.n_rows,
            {axis: np.where(kept, pieces, other.pieces[axis]) for axis, pieces in self.pieces.items()},
            {axis: np.where(kept, shares, other.shares[axis]) for axis, shares in self.shares.items()},
        )


def leaves_reached(model: Model, axis: int, drawn: Drawn) -> tuple[npt.NDArray[np.intp] | None, Integers]:
    """The rows that have this axis (None for all of them) and the leaf that each of them falls in."""
    gate = model.gates.get(axis)
    if gate is None:
        return None, model.trees[axis].leaf_of(drawn.pieces, drawn.n_rows)
    level, number = gate
    rows = np.flatnonzero(drawn.pieces[level] == number)
    known = drawn.pieces if len(rows) == drawn.n_rows else _at(drawn.pieces, rows, model.trees[axis])
    return rows, model.trees[axis].leaf_of(known, len(rows))


def draw_axis(model: Model, axis: int, drawn: Drawn, rng: np.random.Generator) -> None:
    """Add one axis to the rows."""
    rows, leaf = leaves_reached(model, axis, drawn)
    share = spread_shares(leaf, model.trees[axis].n_nodes, rng)
    cumulative = model.latents[axis].marginal.cumulative
    pieces, within = model.leaves[axis].draw(model.trees[axis], leaf, share, cumulative)
    if rows is None:
        drawn.pieces[axis], drawn.shares[axis] = pieces, within
        return
    drawn.pieces[axis] = np.full(drawn.n_rows, ABSENT, dtype=np.int32)
    drawn.shares[axis] = np.zeros(drawn.n_rows)
    drawn.pieces[axis][rows], drawn.shares[axis][rows] = pieces, within


def _at(pieces: Mapping[int, Pieces], rows: npt.NDArray[np.intp], tree: Tree) -> dict[int, Pieces]:
    return {int(axis): pieces[int(axis)][rows] for axis in np.unique(tree.axis[tree.axis >= 0])}


def spread_shares(leaf: Integers, n_nodes: int, rng: np.random.Generator) -> Floats:
    """A uniform draw for each row, spread evenly over the rows of one leaf: one in each of as many equal strata.

    Which row is in which stratum is random, so each draw is uniform by itself; together they follow the leaf's
    distribution more closely than independent ones.
    """
    n = len(leaf)
    shuffled = rng.permutation(n)
    order = shuffled[np.argsort(leaf[shuffled], kind="stable")]
    size = np.bincount(leaf, minlength=n_nodes)
    rank = np.arange(n) - (np.cumsum(size) - size)[leaf[order]]
    share = np.empty(n)
    share[order] = (rank + rng.random(n)) / size[leaf[order]]
    return np.minimum(share, np.nextafter(1, 0))
