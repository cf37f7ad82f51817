"""Rows under conditions: held axes are set, and rows drawn again by how probable that was.

A sequence of trees gives the probability of a held piece from what was drawn before it. Several
proposals per row are carried through the axes; at each held axis they are drawn again in proportion to that
probability (sequential importance resampling: Gordon, Salmond and Smith 1993). Axes held before any is free
need no proposals: there the rows are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.models.latent import Latent, Part
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.drawing import Drawn, Model, draw_axis, leaves_reached
from tabsynth.models.trees.leaves import Floats

PROPOSALS = 4
"""Proposals per row, and at least `_FEWEST` in all."""
_FEWEST = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """The piece that an axis is held at, and the number itself where it is one."""

    piece: int
    value: int | float | None = None


def held_pieces(latents: Sequence[Latent], conditions: Sequence[Condition]) -> dict[int, Held]:
    """What the conditions ask of each axis; raises `ConditionError` where the model never goes there."""
    asked = {condition.column: condition for condition in conditions}
    held: dict[int, Held] = {}
    for axis, latent in enumerate(latents):
        if (condition := asked.get(latent.variable.name)) is None:
            continue
        marginal = latent.marginal
        if latent.part is Part.LEVEL:
            found = Held(int(np.flatnonzero(marginal.lower == condition.code)[0]))
        elif condition.code == 0 and condition.value is not None:
            at = np.asarray([condition.value]).astype(marginal.lower.dtype)
            found = Held(int(marginal.pieces_of(at)[0]), condition.value)
            if not marginal.lower[found.piece] <= at[0] <= marginal.upper[found.piece]:
                raise _impossible(latent)
        else:
            continue
        if marginal.mass[found.piece] <= 0:
            raise _impossible(latent)
        held[axis] = found
    return held


def _impossible(latent: Latent) -> ConditionError:
    return ConditionError(
        f"column {latent.variable.name!r}: the condition has probability zero under the model"
    )


def draw_held(model: Model, n_rows: int, held: Mapping[int, Held], rng: np.random.Generator) -> Drawn:
    """Rows on all axes up to the last that is held, with every held axis at its piece."""
    until = 1 + max(model.order.index(axis) for axis in held)
    is_prefix = all(axis in held for axis in model.order[:until])
    n_proposals = n_rows if is_prefix or n_rows == 0 else max(PROPOSALS * n_rows, _FEWEST)
    drawn = Drawn(n_proposals, {}, {})
    for axis in model.order[:until]:
        if axis not in held:
            draw_axis(model, axis, drawn, rng)
            continue
        weights = _hold(model, axis, held[axis], drawn)
        if not is_prefix:
            drawn = drawn.rows(_drawn_again(weights, n_proposals, rng))
    return drawn.rows(rng.permutation(n_proposals)[:n_rows])


def _hold(model: Model, axis: int, held: Held, drawn: Drawn) -> Floats:
    """Set the axis at its piece; how probable that was in each row, (n_rows,)."""
    rows, leaf = leaves_reached(model, axis, drawn)
    cumulative = model.latents[axis].marginal.cumulative
    at_node = model.leaves[axis].probability(model.trees[axis], held.piece, cumulative)
    drawn.shares[axis] = np.zeros(drawn.n_rows)
    if rows is None:
        drawn.pieces[axis] = np.full(drawn.n_rows, held.piece, dtype=np.int32)
        return at_node[leaf]
    weights = np.zeros(drawn.n_rows)
    weights[rows] = at_node[leaf]
    drawn.pieces[axis] = np.full(drawn.n_rows, ABSENT, dtype=np.int32)
    drawn.pieces[axis][rows] = held.piece
    return weights


def _drawn_again(weights: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Positions of `n` rows in proportion to their weights, by one evenly spaced comb (Kitagawa 1996).

    Where no proposal can meet the condition, all are kept: the condition is possible in the table as a whole, and
    what a model that went there with any small probability would draw differs from these rows by nothing else.
    """
    total = np.cumsum(weights)
    if n == 0 or not total[-1] > 0:
        return np.arange(n)
    comb = (np.arange(n) + rng.random()) / n * total[-1]
    at = np.searchsorted(total, comb, side="right")
    return np.asarray(np.minimum(at, np.flatnonzero(weights)[-1]), dtype=np.intp)
