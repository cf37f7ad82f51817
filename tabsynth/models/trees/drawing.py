"""Rows, drawn axis by axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent
from tabsynth.models.spreading import even_positions
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.differences import Difference, Presence
from tabsynth.models.trees.leaves import Floats, Leaves
from tabsynth.models.trees.repeats import Repeat
from tabsynth.models.trees.settling import is_missed, settle_pieces
from tabsynth.models.trees.tilts import BinnedLeaves, Tilt, Weights
from tabsynth.models.trees.tree import Integers, Pieces, Tree

_DRAWN_AGAIN = 8
"""How often a number is drawn again that is not where its difference puts it, before it is moved there."""


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
    @property
    def bins(self) -> tuple[Integers, ...]: ...
    @property
    def tilted(self) -> Mapping[int, Integers]: ...
    @property
    def tilts(self) -> Mapping[int, Tilt]: ...
    @property
    def differences(self) -> Sequence[Difference]: ...
    @property
    def present_between(self) -> Mapping[int, Presence]: ...
    @property
    def told(self) -> Mapping[int, Difference]: ...
    @property
    def repeating(self) -> Mapping[int, Repeat]: ...
    @property
    def repeated(self) -> Mapping[int, Repeat]: ...
    @property
    def binned(self) -> Mapping[int, BinnedLeaves]: ...


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


def joined(parts: Sequence[Drawn]) -> Drawn:
    """The rows of all parts, one part's after another's; they are on the same axes."""
    axes = parts[0].pieces
    return Drawn(
        sum(part.n_rows for part in parts),
        {axis: np.concatenate([part.pieces[axis] for part in parts]) for axis in axes},
        {axis: np.concatenate([part.shares[axis] for part in parts]) for axis in axes},
    )


def draw_rows(model: Model, n_rows: int, rng: np.random.Generator, *, spread: bool = True) -> Drawn:
    """Rows on all axes, axis by axis."""
    drawn = Drawn(n_rows, {}, {})
    draw_rest(model, drawn, rng, spread=spread)
    return drawn


def draw_rest(model: Model, drawn: Drawn, rng: np.random.Generator, *, spread: bool = True) -> None:
    """Add to the rows the axes that they lack."""
    for axis in model.order:
        if axis not in drawn.pieces:
            draw_axis(model, axis, drawn, rng, spread=spread)


def leaves_reached(model: Model, axis: int, drawn: Drawn) -> tuple[npt.NDArray[np.intp] | None, Integers]:
    """The rows that have this axis (None for all of them) and the leaf that each of them falls in."""
    gate = model.gates.get(axis)
    if gate is None:
        return None, model.trees[axis].leaf_of(drawn.pieces, drawn.n_rows)
    level, number = gate
    rows = np.flatnonzero(drawn.pieces[level] == number)
    known = drawn.pieces if len(rows) == drawn.n_rows else _at(drawn.pieces, rows, model.trees[axis])
    return rows, model.trees[axis].leaf_of(known, len(rows))


def draw_axis(
    model: Model, axis: int, drawn: Drawn, rng: np.random.Generator, *, spread: bool = True
) -> None:
    """Add one axis to the rows; with `spread`, the shares of each leaf are met as evenly as their number allows. Numbers that a difference tells are where it puts them."""
    between = model.present_between.get(axis)
    if between is not None and between.follows(drawn.pieces):
        drawn.pieces[axis], drawn.shares[axis] = between.pieces_of(drawn.pieces), np.zeros(drawn.n_rows)
        return
    rows, leaf = leaves_reached(model, axis, drawn)
    at = even_positions(leaf, model.trees[axis].n_nodes, rng) if spread else rng.random(len(leaf))
    odds = odds_of(model, axis, drawn, rows)
    pieces, within = _from_leaves(model, axis, leaf, odds, at, rng)
    if rows is None:
        drawn.pieces[axis], drawn.shares[axis] = pieces, within
    else:
        drawn.pieces[axis] = np.full(drawn.n_rows, ABSENT, dtype=np.int32)
        drawn.shares[axis] = np.zeros(drawn.n_rows)
        drawn.pieces[axis][rows], drawn.shares[axis][rows] = pieces, within
    if axis in model.repeating and model.repeating[axis].base in drawn.pieces:
        drawn.pieces[axis] = model.repeating[axis].said(drawn.pieces)
    repeat = model.repeated.get(axis)
    if repeat is not None and repeat.is_known(drawn.pieces):
        _repeat(model, repeat, drawn, leaf, odds, rng)
    told = model.told.get(axis)
    if told is None or not {told.base, told.axis} <= drawn.shares.keys():
        return  # proposals lack what nobody looks at
    place = np.arange(drawn.n_rows) if rows is None else rows
    for _ in range(_DRAWN_AGAIN):
        missed = np.flatnonzero(is_missed(told, model.latents, drawn.pieces, drawn.shares, place))
        if not len(missed):
            break
        again = None if odds is None else odds[:, missed]
        pieces, within = _from_leaves(model, axis, leaf[missed], again, rng.random(len(missed)), rng)
        drawn.pieces[axis][place[missed]], drawn.shares[axis][place[missed]] = pieces, within
    settle_pieces(told, model.latents, drawn.pieces, drawn.shares)


def _repeat(
    model: Model,
    repeat: Repeat,
    drawn: Drawn,
    leaf: Integers,
    odds: Weights | None,
    rng: np.random.Generator,
) -> None:
    """Put the level that is repeated in the rows that repeat, and draw others again while they do by chance."""
    axis, is_same = repeat.of, repeat.is_same(drawn.pieces)
    drawn.pieces[axis] = np.where(is_same, repeat.wanted(drawn.pieces), drawn.pieces[axis]).astype(np.int32)
    for _ in range(_DRAWN_AGAIN):
        missed = np.flatnonzero(repeat.is_missed(drawn.pieces))
        if not len(missed):
            break
        again = None if odds is None else odds[:, missed]
        drawn.pieces[axis][missed] = _from_leaves(
            model, axis, leaf[missed], again, rng.random(len(missed)), rng
        )[0]


def _from_leaves(
    model: Model, axis: int, leaf: Integers, odds: Weights | None, at: Floats, rng: np.random.Generator
) -> tuple[Integers, Floats]:
    if odds is None:
        return model.leaves[axis].draw(model.trees[axis], leaf, at)
    return draw_tilted(model.binned[axis], leaf, odds, at, rng)


def odds_of(model: Model, axis: int, drawn: Drawn, rows: npt.NDArray[np.intp] | None) -> Weights | None:
    """Log odds of the axis's bins in these rows (all, where None), (n_bins, n_rows); None for an axis that nothing tilts."""
    tilt = model.tilts.get(axis)
    return None if tilt is None else tilt.odds(model.bins, drawn.pieces, rows)


def draw_tilted(
    binned: BinnedLeaves, leaf: Integers, odds: Weights, at: Floats, rng: np.random.Generator
) -> tuple[Integers, Floats]:
    """Pieces and how far into them, (n_rows,): a bin by its chance times its odds, then from the leaf within the bin.

    `at` in [0, 1): the position on the row's bins that chooses one. Every row's leaf must give some bin a chance.
    """
    cumulative = binned.weighed(leaf, odds)
    for place in range(1, len(cumulative)):
        cumulative[place] += cumulative[place - 1]
    total = cumulative[-1]
    position = np.minimum(at * total, np.nextafter(total, 0))
    bins = (cumulative <= position).view(np.uint8).sum(axis=0, dtype=np.int32)
    return binned.draw(leaf, bins, rng.random(len(leaf)))


def _at(pieces: Mapping[int, Pieces], rows: npt.NDArray[np.intp], tree: Tree) -> dict[int, Pieces]:
    return {int(axis): pieces[int(axis)][rows] for axis in np.unique(tree.axis[tree.axis >= 0])}
