"""Fitting one axis: its tree on the axes before it, the leaves of that, and the tilt on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent
from tabsynth.models.marginal import Floats
from tabsynth.models.trees.axes import (
    ABSENT,
    MOST_BINS,
    bins_of,
    coordinates_of_bins,
    embedding,
    positions_of,
    singles,
)
from tabsynth.models.trees.filling import fill_leaves
from tabsynth.models.trees.growing import grow
from tabsynth.models.trees.leaves import Leaves
from tabsynth.models.trees.pruning import prune
from tabsynth.models.trees.tilts import BinnedLeaves, Tilt
from tabsynth.models.trees.tree import Integers, Pieces, Tree
from tabsynth.privacy.log_odds import LogOdds
from tabsynth.privacy.queries import Queries
from tabsynth.privacy.splits import CountByLeaf, Splits

Fitted = tuple[Tree, Leaves, Tilt | None]
_LEAST_CHANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Tools:
    """What reads the rows, charged for one axis and those before it."""

    splits: Callable[..., Splits]
    leaf_counts: CountByLeaf
    log_odds: LogOdds


def tools_of(names: Sequence[str], queries: Queries) -> list[Tools]:
    """For every axis, of these columns in order: charged one after another, before threads race."""
    tools = []
    for place in range(len(names)):
        columns = list(dict.fromkeys(names[: place + 1]))
        tools.append(
            Tools(
                queries.splits(columns=columns),
                queries.leaf_counts(columns=columns),
                queries.log_odds(columns=columns),
            )
        )
    return tools


class Settings(Protocol):
    """What fitting needs of `SequentialTrees`."""

    @property
    def min_leaf(self) -> int: ...
    @property
    def min_group(self) -> int: ...
    @property
    def growing_share(self) -> float: ...
    @property
    def penalty(self) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """All axes in the order they are drawn in: pieces of every row, places and bins of every piece, and which rows grow trees."""

    latents: Sequence[Latent]
    order: Sequence[int]
    pieces: Sequence[Pieces]
    positions: Sequence[Floats]
    bins: Sequence[Integers]
    is_growing: npt.NDArray[np.bool_]
    is_tilting: npt.NDArray[np.bool_]


def positions_and_bins(
    latents: Sequence[Latent], order: Sequence[int], pieces: Sequence[Pieces], place: int, count: CountByLeaf
) -> tuple[Floats, Integers]:
    """Of the axis at that place of the order, where its pieces stand and their bins, both (n_pieces,)."""
    axis = order[place]
    present = pieces[axis] != ABSENT
    known = {other: pieces[other][present] for other in order[:place]}
    sizes = [len(latent.marginal.mass) for latent in latents]
    positions = positions_of(latents[axis], pieces[axis][present], known, sizes, count)
    return positions, bins_of(latents[axis], positions)


def fit_axis(axes: Axes, place: int, tools: Tools, settings: Settings) -> Fitted:
    """The tree of the axis at that place of the order, its leaves, and its tilt where others tilt it."""
    axis = axes.order[place]
    latent, bins = axes.latents[axis], axes.bins[axis]
    is_present = axes.pieces[axis] != ABSENT
    known = _at({other: axes.pieces[other] for other in axes.order[:place]}, is_present)
    wanted, growing, tilting = (
        rows[is_present] for rows in (axes.pieces[axis], axes.is_growing, axes.is_tilting)
    )
    min_leaf, n_pieces = max(settings.min_leaf, settings.min_group), len(bins)
    tree = grow(
        _at(known, growing),
        axes.latents,
        embedding(latent, axes.positions[axis])[wanted[growing]],
        tools.splits,
        min_leaf=max(1, round(min_leaf * settings.growing_share)),
        min_group=settings.min_group,
        seed=axis,
    )
    if tree.n_nodes > 1:
        keys, rows = tools.leaf_counts(tree.leaf_of(known, len(wanted)), wanted, n_pieces)
        tree = prune(tree, keys, rows, bins, penalty=settings.penalty, min_leaf=min_leaf)
    leaf = tree.leaf_of(known, len(wanted))
    keys, rows = tools.leaf_counts(leaf, wanted, n_pieces)
    leaves = fill_leaves(
        tree, keys, rows, singles(latent), latent.marginal.mass, min_group=settings.min_group
    )
    known = {other: rows for other, rows in _at(known, tilting).items() if axes.bins[other].max() > 0}
    if not known or not tilting.any() or not 1 <= bins.max() < MOST_BINS:
        return tree, leaves, None
    chance = BinnedLeaves.of(tree, leaves, bins).chance
    offset = np.log(np.maximum(chance, _LEAST_CHANCE)).astype(np.float32)
    fitted = partial(tools.log_odds, offset, leaf[tilting], bins[wanted[tilting]], penalty=settings.penalty)
    return tree, leaves, _tilt(axes, axis, known, fitted)


def _at(pieces: Mapping[int, Pieces], mask: npt.NDArray[np.bool_]) -> dict[int, Pieces]:
    return dict(pieces) if mask.all() else {axis: known[mask] for axis, known in pieces.items()}


def _tilt(axes: Axes, axis: int, known: Mapping[int, Pieces], fitted: LogOdds) -> Tilt | None:
    """Log odds that the known axes add to the bins of this one; None where they add nothing."""
    basis = {
        each: coordinates_of_bins(axes.latents[each], axes.bins[each], axes.positions[each])
        for each in (*known, axis)
    }
    targets = basis.pop(axis)
    rows = [np.r_[axes.bins[other], len(own)][known[other]] for other, own in basis.items()]
    widened = [
        np.concatenate([own, np.zeros_like(own[:1])]) for own in basis.values()
    ]  # of a row without the axis
    found = dict(zip(basis, fitted(rows, widened, targets), strict=True))
    weights = {other: weights for other, weights in found.items() if weights is not None}
    return Tilt(weights) if weights else None
