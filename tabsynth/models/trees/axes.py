"""The axes of a table as trees see them: pieces of every row, their order, and what a split is to tell apart."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Floats
from tabsynth.models.trees.tails import cut, far_out, has_heavy_tails
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.splits import CountByLeaf, Counts

ABSENT = -1
"""The piece of a row that has no number, on the axis of the numbers."""
MANY_LEVELS = 64
"""Above this many levels their order matters: frequent ones are told apart, others by where they stand."""
_SPIKE = 3.0
_OF_FAR = 0.7  # beside waves of 1, 1/2, …
_FARTHEST = 3.0  # standard deviations, so that few rows do not outweigh all others
_WAVES = 6
_INDICATORS = 16
_FREQUENT = 0.02
_BINS = 16
_BINS_OF_LEVELS = 256
_MOST_PIECES = 4096
MOST_BINS = 64
"""Of an axis, as log odds see it."""
_MOST_OWN = 48
_SHARE_OF_LEVEL = 0.002  # below it a level has no log odds of its own


def pieces_on(latent: Latent, data: EncodedTable) -> Pieces:
    """The piece of every row, (n_rows,), `ABSENT` where it has none."""
    column = data.columns[latent.variable.name]
    pieces = latent.pieces(column).astype(np.int32)
    present = latent.present(column)
    return pieces if present is None else np.where(present, pieces, np.int32(ABSENT))


def names_in(first: str) -> list[str]:
    """The columns that `first` names, as fields between `;`, in double quotes where they hold one."""
    fields = next(csv.reader([first], delimiter=";", skipinitialspace=True), [])
    return [name.strip() for name in fields if name.strip()]


def order_of(latents: Sequence[Latent], first: Sequence[str] = ()) -> tuple[int, ...]:
    """Axes from few pieces to many, so that each tree has what it can tell apart well before it; those of the columns `first` before all others, as they are named.

    Whether there is a number comes just before the number.
    """
    size = {latent.variable.name: 0 for latent in latents}
    for latent in latents:
        size[latent.variable.name] = max(size[latent.variable.name], len(latent.marginal.mass))
    place = {name: k for k, name in enumerate(size)}
    asked = {name: k for k, name in enumerate(first)}

    def key(axis: int) -> tuple[int, int, int, bool]:
        name = latents[axis].variable.name
        return asked.get(name, len(asked)), size[name], place[name], latents[axis].part is Part.VALUE

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


def embedding(latent: Latent, positions: Floats, bins: Integers) -> Floats:
    """Coordinates of every piece, (n_pieces, d), whose variance within leaves a split is to lower.

    `positions`, (n_pieces,), in [0, 1]: where each stands in the order of the pieces (`positions_of`).

    Waves over the distribution function of ordered pieces, how far out those of heavy tails lie, and indicators of
    frequent ones, those of rarer ones larger: the variance of all of them is a distance between whole distributions, not
    between means.
    """
    mass = latent.marginal.mass
    waves, least = [], 0.0
    if latent.part is Part.VALUE or len(mass) > MANY_LEVELS:
        waves = [np.cos(k * np.pi * positions) * np.sqrt(2) / k for k in range(1, _WAVES + 1)]
        least = _FREQUENT
    most = np.argsort(-mass, kind="stable")[:_INDICATORS]
    frequent = most[(mass[most] > 0) & (mass[most] >= least)]
    if len(mass) == 2:
        frequent = frequent[1:]  # the other says the same
    if latent.part is Part.VALUE:
        frequent = frequent[latent.marginal.lower[frequent] == latent.marginal.upper[frequent]]
        far = far_out(latent, bins)
        waves += [] if far is None else [_OF_FAR * np.clip(far, -_FARTHEST, _FARTHEST)[bins]]
    indicators = [(np.arange(len(mass)) == j) / max(float(mass[j]), 1e-3) ** 0.25 for j in frequent.tolist()]
    return np.stack([*waves, *indicators, np.zeros(len(mass))], axis=1)


def bins_of(latent: Latent, positions: Floats, rows: Counts, *, min_group: int) -> Integers:
    """A coarse bin for every piece, (n_pieces,): few or frequent pieces by themselves, others by position.

    Where numbers have heavy tails, bins in which much of the variance lies are cut further, none to fewer than `min_group` of
    the `rows` that each piece has, (n_pieces,).
    """
    mass = latent.marginal.mass
    if len(mass) <= MANY_LEVELS:
        return np.arange(len(mass), dtype=np.int32)
    is_own = (mass >= 0.01) & singles(latent)
    n_bins = _BINS if latent.part is Part.VALUE else _BINS_OF_LEVELS
    place = np.floor(positions * n_bins)
    if has_heavy_tails(latent):
        place = cut(latent, place, np.where(is_own, 0, rows), min_group)
    key = np.where(is_own, len(mass) + np.arange(len(mass)), place)
    return np.unique(key, return_inverse=True)[1].astype(np.int32)


def tilted_bins(latent: Latent, bins: Integers) -> Integers:
    """The bins of pieces, (n_pieces,), as log odds see them: of too many, the most frequent levels by themselves, or bins of numbers as they are, and neighbouring others as one."""
    is_level = latent.part is Part.LEVEL
    single = np.arange(len(bins)) if is_level else bins
    n_single = int(single.max()) + 1
    if n_single <= MOST_BINS:
        return bins
    share = np.bincount(single, weights=latent.marginal.mass)
    own = np.argsort(-share, kind="stable")[:_MOST_OWN]
    others = np.setdiff1d(np.arange(n_single), own)
    others = others[np.argsort(bins[others], kind="stable")] if is_level else others
    middle = np.cumsum(share[others]) - share[others] / 2
    n_joined = MOST_BINS - _MOST_OWN
    joined = np.empty(n_single)
    joined[own] = n_joined + np.arange(_MOST_OWN)
    joined[others] = np.floor(middle / max(share[others].sum(), 1e-300) * n_joined).clip(0, n_joined - 1)
    return np.unique(joined, return_inverse=True)[1].astype(np.int32)[single]


def coordinates_of_bins(latent: Latent, bins: Integers, positions: Floats) -> npt.NDArray[np.float32]:
    """What log odds are linear in, (n_bins, d): waves over ordered bins, and indicators of frequent levels and values."""
    mass = np.bincount(bins, weights=latent.marginal.mass)
    is_wavy = latent.part is Part.VALUE or len(latent.marginal.mass) > MANY_LEVELS
    waves: list[Floats] = []
    if is_wavy:
        middle = np.bincount(bins, weights=latent.marginal.mass * positions) / np.maximum(mass, 1e-12)
        waves = [np.sqrt(2) * np.cos(k * np.pi * middle) for k in range(1, _WAVES + 1)]
        far = far_out(latent, bins)
        waves += [] if far is None else [far]
    is_own = (np.bincount(bins) == 1) & (np.bincount(bins, weights=singles(latent)) > 0)
    frequent = np.flatnonzero(
        is_own & (mass >= (_FREQUENT if latent.part is Part.VALUE else _SHARE_OF_LEVEL))
    )
    if len(mass) == 2 and not is_wavy:
        frequent = frequent[:1]  # the other says the same
    frequent = frequent[np.argsort(-mass[frequent], kind="stable")][: 2 * _INDICATORS]
    indicators = [np.arange(len(mass)) == j for j in frequent.tolist()]
    return np.stack([*waves, *indicators, np.zeros(len(mass))], axis=1).astype(np.float32)


def positions_of(
    latent: Latent, pieces: Pieces, known: Mapping[int, Pieces], sizes: Sequence[int], count: CountByLeaf
) -> Floats:
    """Where each piece stands on its axis, in [0, 1], (n_pieces,): the middle of its mass.

    Many levels are put in the order of the axis that they tell most of, so that levels which go with one
    of its pieces stand together: communes by department, models by make. `sizes` are the numbers of
    pieces of the `known` axes, `count` is `tabsynth.privacy.splits.count_by_leaf`.
    """
    mass = latent.marginal.mass
    order = np.arange(len(mass))
    if latent.part is Part.LEVEL and len(mass) > MANY_LEVELS and len(pieces):
        best, most = np.zeros(len(mass)), 0.0
        for axis, other in known.items():
            if sizes[axis] > _MOST_PIECES:
                continue
            keys, rows = count(pieces, other + 1, sizes[axis] + 1)  # 0 stands for absent
            level, piece = keys // (sizes[axis] + 1), keys % (sizes[axis] + 1)
            share = _share_told(level, piece, rows)
            if share > most:
                total = np.bincount(level, weights=rows, minlength=len(mass))
                best = np.bincount(level, weights=rows * piece, minlength=len(mass)) / np.maximum(total, 1)
                most = share
        order = np.argsort(best, kind="stable")
    ends = np.cumsum(mass[order])
    positions = np.empty(len(mass))
    positions[order] = np.clip(ends - mass[order] / 2, 0, np.nextafter(1, 0))
    return positions


def _share_told(level: Counts, piece: Counts, rows: Counts) -> float:
    """Mutual information of levels and pieces in nats, less what as many cells would show by chance (Miller 1955)."""
    n = rows.sum()

    def entropy(counts: npt.NDArray[Any]) -> float:
        share = counts[counts > 0] / n
        return float(-(share * np.log(share)).sum())

    by_level, by_piece = np.bincount(level, weights=rows), np.bincount(piece, weights=rows)
    by_chance = (len(rows) - (by_level > 0).sum() - (by_piece > 0).sum() + 1) / (2 * n)
    return entropy(by_level) + entropy(by_piece) - entropy(rows) - float(by_chance)
