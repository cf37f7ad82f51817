"""The axes of a table as trees see them: pieces of every row, their order, and what a split is to tell apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Floats
from tabsynth.models.trees.tree import Integers, Pieces

ABSENT = -1
"""The piece of a row that has no number, on the axis of the numbers."""
MANY_LEVELS = 64
"""Above this many levels their order matters: frequent ones are told apart, others by where they stand."""
_SPIKE = 3.0
_WAVES = 6
_INDICATORS = 16
_FREQUENT = 0.02
_BINS = 16


def pieces_on(latent: Latent, data: EncodedTable) -> Pieces:
    """The piece of every row, (n_rows,), `ABSENT` where it has none."""
    column = data.columns[latent.variable.name]
    pieces = latent.pieces(column).astype(np.int32)
    present = latent.present(column)
    return pieces if present is None else np.where(present, pieces, np.int32(ABSENT))


def order_of(latents: Sequence[Latent]) -> tuple[int, ...]:
    """Axes from few pieces to many, so that each tree has what it can tell apart well before it.

    Whether there is a number comes just before the number.
    """
    size = {latent.variable.name: 0 for latent in latents}
    for latent in latents:
        size[latent.variable.name] = max(size[latent.variable.name], len(latent.marginal.mass))
    place = {name: k for k, name in enumerate(size)}

    def key(axis: int) -> tuple[int, int, bool]:
        name = latents[axis].variable.name
        return size[name], place[name], latents[axis].part is Part.VALUE

    return tuple(sorted(range(len(latents)), key=key))


def singles(latent: Latent) -> npt.NDArray[np.bool_]:
    """Pieces that stand for themselves, (n_pieces,): levels, and values far more frequent than those beside them.

    Others, stretches and values of a dense lattice, are interchangeable with their neighbours.
    """
    marginal = latent.marginal
    if latent.part is Part.LEVEL:
        return np.ones(len(marginal.mass), dtype=np.bool_)
    is_point = np.asarray(marginal.lower == marginal.upper, dtype=np.bool_)
    if not marginal.is_lattice:
        return is_point
    touches = is_point[1:] & is_point[:-1] & (marginal.lower[1:] - 1 == marginal.upper[:-1])
    beside = np.zeros(len(is_point))
    beside[1:] = np.where(touches, marginal.mass[:-1], 0)
    beside[:-1] = np.maximum(beside[:-1], np.where(touches, marginal.mass[1:], 0))
    return np.asarray(is_point & (marginal.mass > _SPIKE * beside), dtype=np.bool_)


def embedding(latent: Latent) -> Floats:
    """Coordinates of every piece, (n_pieces, d), whose variance within leaves a split is to lower.

    Waves over the distribution function of ordered pieces, and indicators of frequent ones, those of rarer
    ones larger: the variance of all of them is a distance between whole distributions, not between means.
    """
    mass = latent.marginal.mass
    waves, least = [], 0.0
    if latent.part is Part.VALUE or len(mass) > MANY_LEVELS:
        middle = _middles(latent)
        waves = [np.cos(k * np.pi * middle) * np.sqrt(2) / k for k in range(1, _WAVES + 1)]
        least = _FREQUENT
    most = np.argsort(-mass, kind="stable")[:_INDICATORS]
    frequent = most[(mass[most] > 0) & (mass[most] >= least)]
    if len(mass) == 2:
        frequent = frequent[1:]  # the other says the same
    if latent.part is Part.VALUE:
        frequent = frequent[latent.marginal.lower[frequent] == latent.marginal.upper[frequent]]
    indicators = [(np.arange(len(mass)) == j) / max(float(mass[j]), 1e-3) ** 0.25 for j in frequent.tolist()]
    return np.stack([*waves, *indicators, np.zeros(len(mass))], axis=1)


def bins_of(latent: Latent) -> Integers:
    """A coarse bin for every piece, (n_pieces,): few or frequent pieces by themselves, others by rank."""
    mass = latent.marginal.mass
    if len(mass) <= MANY_LEVELS:
        return np.arange(len(mass), dtype=np.int32)
    is_own = (mass >= 0.01) & singles(latent)
    key = np.where(is_own, _BINS + np.arange(len(mass)), np.floor(_middles(latent) * _BINS))
    return np.unique(key, return_inverse=True)[1].astype(np.int32)


def _middles(latent: Latent) -> Floats:
    cumulative = latent.marginal.cumulative
    middles: Floats = (cumulative[:-1] + cumulative[1:]) / 2
    return middles
