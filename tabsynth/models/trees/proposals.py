"""Rows under conditions: held axes keep to their pieces, and rows are drawn again by how probable that was.

A sequence of trees gives the probability of what is asked of an axis from what was drawn before it, and can draw
within it. Several proposals per row are carried through the axes; at each held axis they are drawn again in proportion
to that probability (sequential importance resampling: Gordon, Salmond and Smith 1993). Axes held at one piece before any is
free need no proposals: there the rows are exact.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ConditionError
from tabsynth.models.condition import Condition, Given
from tabsynth.models.conditions import impossible, number_left
from tabsynth.models.latent import Latent, Part
from tabsynth.models.spans import Span, nearest_pieces, weights
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.differences import Difference, pieces_between
from tabsynth.models.trees.drawing import (
    Drawn,
    Model,
    draw_axis,
    draw_tilted,
    leaves_reached,
    odds_of,
)
from tabsynth.models.trees.leaves import Floats
from tabsynth.models.trees.tilts import BinnedLeaves, Weights, times_likelier
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.models.truncated_normal import effective_share, one_of_each, systematic

PROPOSALS = 4
"""Proposals per row where all rows are under the same conditions, and at least `FEWEST` in all."""
FEWEST = 4096
MOST = 1 << 18
"""Proposals of a block after which, if none meets the conditions, these count as impossible."""


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """What is left of each piece of an axis, in [0, 1], (n_pieces,), and where numbers may lie in it."""

    left: Floats
    spans: tuple[Span, ...] = ()

    @property
    def is_one_piece(self) -> bool:
        return int(np.count_nonzero(self.left)) == 1


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Axes within pieces, the same for all rows; pieces of axes given row by row; and rows that had none of their own."""

    within: Mapping[int, Within]
    given: Mapping[int, Pieces]
    is_moved: npt.NDArray[np.bool_]

    @property
    def axes(self) -> set[int]:
        return {*self.within, *self.given}

    def on(self, columns: Collection[str], latents: Sequence[Latent]) -> Asked:
        """What is asked of all rows alike on these columns alone."""
        within = {axis: one for axis, one in self.within.items() if latents[axis].variable.name in columns}
        return Asked(within, {}, self.is_moved)


def asked_of(
    latents: Sequence[Latent],
    conditions: Sequence[Condition],
    given: Given,
    n_rows: int,
    differences: Sequence[Difference] = (),
) -> Asked:
    """What is asked of each axis; raises `ConditionError` where the model never goes there.

    Two numbers that are given give what lies between them, where that has an axis.
    """
    conditioned = {condition.column: condition for condition in conditions}
    within: dict[int, Within] = {}
    pieces: dict[int, Pieces] = {}
    is_moved = np.zeros(n_rows, dtype=np.bool_)
    for axis, latent in enumerate(latents):
        name = latent.variable.name
        if name in given:
            pieces[axis], moved = _given_pieces(latent, given)
            is_moved |= moved
        elif (condition := conditioned.get(name)) is not None:
            found = _within(latents, latent, condition)
            if found is not None:
                within[axis] = found
    for one in differences:
        names = [latents[axis].variable.name for axis in (one.base, one.of)]
        if all(name in given for name in names):
            pieces |= pieces_between(one, latents, *(given[name] for name in names))
    return Asked(within, pieces, is_moved)


def _within(latents: Sequence[Latent], latent: Latent, condition: Condition) -> Within | None:
    marginal = latent.marginal
    if latent.part is Part.LEVEL:
        left = np.isin(marginal.lower, number_left(latents, condition)).astype(np.float64)
        found = Within(left)
    elif 0 in condition.codes:
        found = Within(weights(marginal, condition.spans), condition.spans)
    else:
        return None
    if not (found.left * marginal.mass).sum() > 0:
        if latent.part is Part.VALUE and condition.codes != (0,):
            return None  # the axis of the levels leaves out numbers then
        raise impossible(condition.column)
    return found


def _given_pieces(latent: Latent, given: Given) -> tuple[Pieces, npt.NDArray[np.bool_]]:
    column = given[latent.variable.name]
    if latent.part is Part.LEVEL:
        pieces = latent.pieces(column).astype(np.int32)
        return pieces, np.asarray(latent.marginal.mass[pieces] <= 0)
    assert column.values is not None
    found, is_in = nearest_pieces(latent.marginal, column.values)
    is_number = column.codes == 0
    return np.where(is_number, found, ABSENT).astype(np.int32), is_number & ~is_in


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """Rows on all axes up to the last that is asked for, how many they are worth, and which could not be met."""

    drawn: Drawn
    effective: float
    is_moved: npt.NDArray[np.bool_]


def draw_asked(
    model: Model, n_rows: int, asked: Asked, rng: np.random.Generator, *, n_each: int = PROPOSALS
) -> Proposed:
    """Rows that meet what is asked of all alike, on all axes up to the last of these, from `n_each` proposals for each.

    Raises `ConditionError` where conditions that are the same for all rows are met by none of `MOST` proposals.
    """
    until = 1 + max(model.order.index(axis) for axis in asked.axes)
    is_exact = all(axis in asked.axes for axis in model.order[:until]) and all(
        one.is_one_piece for one in asked.within.values()
    )
    n_proposals = n_rows if is_exact else max(n_each * n_rows, FEWEST)
    while True:
        drawn, share = carried(model, Drawn(n_proposals, {}, {}), asked, model.order[:until], None, rng)
        if drawn is not None:
            chosen = rng.permutation(n_proposals)[:n_rows]
            effective = min(float(n_rows), share * n_proposals)
            return Proposed(drawn.rows(chosen), effective, asked.is_moved)
        if n_proposals >= MOST:
            raise _none_together(model, asked, n_proposals, rng)
        n_proposals = min(8 * n_proposals, max(MOST, n_proposals))


def _none_together(model: Model, asked: Asked, n_proposals: int, rng: np.random.Generator) -> ConditionError:
    """The error for conditions that no proposal meets, which names those that it takes: without any of them some do."""
    names = list(
        dict.fromkeys(model.latents[axis].variable.name for axis in model.order if axis in asked.axes)
    )
    for name in tuple(names):
        fewer = asked.on({other for other in names if other != name}, model.latents)
        if fewer.axes and not any(
            carried(model, Drawn(n, {}, {}), fewer, model.order, None, rng)[0] for n in (FEWEST, n_proposals)
        ):
            names.remove(name)
    named = ", ".join(map(repr, names))
    many = len(names) > 1
    what = f"conditions on {named} together have" if many else f"condition on {named} has"
    return ConditionError(
        f"the {what} probability zero under the model, or close to it: none of {n_proposals:,} rows drawn towards "
        + ("them meets them all" if many else "it meets it")
    )


def carried(
    model: Model,
    drawn: Drawn,
    asked: Asked,
    axes: Sequence[int],
    each: tuple[int, Floats] | None,
    rng: np.random.Generator,
) -> tuple[Drawn | None, float]:
    """The proposals on these axes too, drawn again at each that is asked for, and the share they are worth.

    None where no proposal meets what is asked. With `each`, (proposals of a row, numbers of the rows), proposals are drawn
    again among those of the same row, and to the numbers are added the logarithms of how probable what is given is in each.
    """
    worth = np.ones(1 if each is None else len(each[1]))
    for axis in axes:
        if axis in asked.given:
            weight = give(model, axis, asked.given[axis], drawn)
        elif axis in asked.within:
            weight = _draw_within(model, axis, asked.within[axis], drawn, rng)
        else:
            draw_axis(model, axis, drawn, rng)
            continue
        if each is None:
            if not weight.any():
                return None, 0.0
            if np.ptp(weight) > 0:
                worth *= effective_share(weight)
                drawn = drawn.rows(systematic(weight, drawn.n_rows, rng))
            continue
        drawn, share = again_of_each(drawn, weight, *each, rng)
        worth *= share
    return drawn, float(worth.mean())


def again_of_each(
    drawn: Drawn, weight: Floats, n_each: int, log_chance: Floats, rng: np.random.Generator
) -> tuple[Drawn, Floats]:
    """Every row's `n_each` proposals drawn again among them by weight, and the share that they are worth, (n_rows,).

    To `log_chance`, (n_rows,), is added the logarithm of the mean weight in each row.
    """
    table = weight.reshape(-1, n_each)
    with np.errstate(divide="ignore"):
        log_chance += np.log(table.mean(axis=1))
    square = (table**2).sum(axis=1)
    worth = np.divide(table.sum(axis=1) ** 2, n_each * square, out=np.ones(len(table)), where=square > 0)
    if n_each > 1 and np.ptp(table, axis=1).any():
        first = np.arange(len(table)) * n_each
        again = np.stack([one_of_each(table, rng) for _ in range(n_each)], axis=1) + first[:, None]
        chosen = np.where(np.ptp(table, axis=1)[:, None] > 0, again, first[:, None] + np.arange(n_each))
        drawn = drawn.rows(chosen.reshape(-1))
    return drawn, worth


def give(model: Model, axis: int, pieces: Pieces, drawn: Drawn) -> Floats:
    """Set the axis at the piece of each row; how probable that was, (n_rows,)."""
    drawn.pieces[axis], drawn.shares[axis] = pieces, np.zeros(drawn.n_rows)
    rows, leaf = leaves_reached(model, axis, drawn)
    weight = np.ones(drawn.n_rows)
    at = np.arange(drawn.n_rows) if rows is None else rows
    weight[at] = model.leaves[axis].chance_of(model.trees[axis], leaf, pieces[at])
    odds = odds_of(model, axis, drawn, rows)
    if odds is not None:
        tilts = tilts_of(model.binned[axis], leaf, odds)
        weight[at] *= tilts[model.tilted[axis][pieces[at]], np.arange(len(leaf))]
    repeat = model.repeated.get(axis)
    if repeat is not None and repeat.is_known(drawn.pieces):
        repeats = pieces == repeat.wanted(drawn.pieces)
        is_same = repeat.is_same(drawn.pieces)
        weight = np.where(is_same, repeats.astype(np.float64), np.where(repeats, 0.0, weight))
    return weight


def tilts_of(binned: BinnedLeaves, leaf: Integers, odds: Weights) -> Floats:
    """How many times likelier every bin is in every row than the leaf alone makes it, (n_bins, n_rows)."""
    return np.asarray(times_likelier(odds) / binned.weighed(leaf, odds).sum(axis=0), dtype=np.float64)


def _draw_within(model: Model, axis: int, one: Within, drawn: Drawn, rng: np.random.Generator) -> Floats:
    """Draw the axis within what is left; how probable that was in each row, (n_rows,)."""
    rows, leaf = leaves_reached(model, axis, drawn)
    tree, marginal = model.trees[axis], model.latents[axis].marginal
    leaves, chance = model.leaves[axis].within(tree, one.left)
    share = chance[leaf]
    pieces, shares = leaves.draw(tree, leaf, rng.random(len(leaf)))
    odds = odds_of(model, axis, drawn, rows)
    if odds is not None:
        binned = BinnedLeaves.of(tree, leaves, model.tilted[axis])
        weighed = binned.weighed(leaf, odds).sum(axis=0)
        can = np.flatnonzero(weighed > 0)
        pieces[can], shares[can] = draw_tilted(binned, leaf[can], odds[:, can], rng.random(len(can)), rng)
        share = share * weighed / model.binned[axis].weighed(leaf, odds).sum(axis=0)
    able = np.flatnonzero(one.left * marginal.mass > 0)
    nearest = able[np.minimum(np.searchsorted(able, pieces), len(able) - 1)]
    pieces = np.where(np.isin(pieces, able), pieces, nearest).astype(np.int32)
    at = np.arange(drawn.n_rows) if rows is None else rows
    drawn.pieces[axis] = np.full(drawn.n_rows, ABSENT, dtype=np.int32)
    drawn.shares[axis], weight = np.zeros(drawn.n_rows), np.ones(drawn.n_rows)
    drawn.pieces[axis][at], drawn.shares[axis][at], weight[at] = pieces, shares, share
    repeat = model.repeated.get(axis)
    if repeat is not None and repeat.is_known(drawn.pieces):
        is_same, wanted = repeat.is_same(drawn.pieces), repeat.wanted(drawn.pieces)
        drawn.pieces[axis] = np.where(is_same, wanted, drawn.pieces[axis]).astype(np.int32)
        weight = np.where(is_same, one.left[wanted], weight)
    return weight
