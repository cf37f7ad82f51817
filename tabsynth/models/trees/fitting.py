"""Fitting one axis: its tree on the axes before it, the leaves of that, and the tilt on top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Floats
from tabsynth.models.trees.axes import (
    ABSENT,
    bins_of,
    coordinates_of_bins,
    embedding,
    positions_of,
    singles,
    tilted_bins,
)
from tabsynth.models.trees.filling import fill_leaves
from tabsynth.models.trees.growing import grow
from tabsynth.models.trees.leaves import Leaves
from tabsynth.models.trees.pruning import prune
from tabsynth.models.trees.tilts import MOST_ODDS, BinnedLeaves, Tilt, Weights
from tabsynth.models.trees.tree import Integers, Pieces, Tree
from tabsynth.privacy.log_odds import LogOdds
from tabsynth.privacy.queries import Queries
from tabsynth.privacy.splits import CountByLeaf, Splits

Fitted = tuple[Tree, Leaves, Tilt | None]
_LEAST_CHANCE = 1e-9
_EXPECTED = 30.0  # rows of two bins together, by chance, of which none is there
_FEWEST_EXPECTED = 12.0  # of tables of fewer than 150 rows, of which so many are a fifth or more
_NEVER = -12.0
_GROWN = 1.25
"""Times its share of `min_leaf`: a part of a leaf's rows grows it, by chance a smaller one, and a split that leaves too few of all rows is taken back with all below it."""


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
    latents: Sequence[Latent],
    order: Sequence[int],
    pieces: Sequence[Pieces],
    place: int,
    count: CountByLeaf,
    *,
    min_group: int,
) -> tuple[Floats, Integers]:
    """Of the axis at that place of the order, where its pieces stand and their bins, both (n_pieces,)."""
    axis = order[place]
    present = pieces[axis] != ABSENT
    known = {other: pieces[other][present] for other in order[:place]}
    sizes = [len(latent.marginal.mass) for latent in latents]
    positions = positions_of(latents[axis], pieces[axis][present], known, sizes, count)
    held, n_held = count(np.zeros(int(present.sum()), dtype=np.int32), pieces[axis][present], sizes[axis])
    rows = np.zeros(sizes[axis], dtype=np.int64)
    rows[held] = n_held
    return positions, bins_of(latents[axis], positions, rows, min_group=min_group)


def fit_axis(axes: Axes, place: int, tools: Tools, settings: Settings, *, tilts: bool = True) -> Fitted:
    """The tree of the axis at that place of the order, its leaves, and its tilt where others tilt it and `tilts` says so."""
    axis = axes.order[place]
    latent, bins = axes.latents[axis], axes.bins[axis]
    is_present = axes.pieces[axis] != ABSENT
    known = _at({other: axes.pieces[other] for other in axes.order[:place]}, is_present)
    wanted, growing, tilting = (
        rows[is_present] for rows in (axes.pieces[axis], axes.is_growing, axes.is_tilting)
    )
    min_leaf, n_pieces = max(settings.min_leaf, settings.min_group), len(bins)
    share = settings.growing_share
    tree = grow(
        _at(known, growing),
        axes.latents,
        embedding(latent, axes.positions[axis], bins)[wanted[growing]],
        tools.splits,
        min_leaf=max(1, round(min_leaf * share * (_GROWN if share < 1 else 1))),
        min_group=settings.min_group,
        seed=axis,
    )
    if tree.n_nodes > 1:
        keys, rows = tools.leaf_counts(tree.leaf_of(known, len(wanted)), wanted, n_pieces)
        tree = prune(tree, keys, rows, bins, penalty=settings.penalty, min_leaf=min_leaf)
    leaf = tree.leaf_of(known, len(wanted))
    keys, rows = tools.leaf_counts(leaf, wanted, n_pieces)
    stands_alone = singles(latent)
    if latent.part is Part.VALUE:  # a lone value of a tail may, and hardly a row has it
        stands_alone &= latent.marginal.mass * len(wanted) > settings.min_group - 0.5
    leaves = fill_leaves(tree, keys, rows, stands_alone, latent.marginal.mass, min_group=settings.min_group)
    known = {other: rows for other, rows in _at(known, tilting).items() if axes.bins[other].max() > 0}
    if not tilts or not known or not tilting.any() or bins.max() < 1:
        return tree, leaves, None
    bins = tilted_bins(latent, bins)
    n_bins = int(bins.max()) + 1  # some of which no row may have
    never = {
        other: odds
        for other in known
        if Part.LEVEL in (latent.part, axes.latents[other].part)
        and (odds := _never(axes, other, is_present, bins[wanted], n_bins, tools.leaf_counts)) is not None
    }
    chance = BinnedLeaves.of(tree, leaves, bins).chance
    offset = np.log(np.maximum(chance, _LEAST_CHANCE)).astype(np.float32)
    fitted = partial(tools.log_odds, offset, leaf[tilting], bins[wanted[tilting]], penalty=settings.penalty)
    return tree, leaves, _tilt(axes, axis, bins, known, never, fitted)


def _at(pieces: Mapping[int, Pieces], mask: npt.NDArray[np.bool_]) -> dict[int, Pieces]:
    return dict(pieces) if mask.all() else {axis: known[mask] for axis, known in pieces.items()}


def _never(
    axes: Axes,
    other: int,
    is_present: npt.NDArray[np.bool_],
    bins: Integers,
    n_here: int,
    count: CountByLeaf,
) -> Weights | None:
    """Log odds of bins that no row has together, though thirty rows (of small tables twelve) would by chance, (n_bins there + 1, n_here); None where there are none such.

    A man who is pregnant, somebody who died and was sent home: what is impossible shows as often as not where many columns say a little, as no sum of log odds is minus
    infinity. `bins`, (n_rows,), those of this axis in the rows that have it. The last row is for rows that lack the other axis.
    """
    n_there = int(axes.bins[other].max()) + 2
    there = np.r_[axes.bins[other], n_there - 1].astype(np.int32)[axes.pieces[other][is_present]]
    by_chance = np.outer(np.bincount(there, minlength=n_there), np.bincount(bins, minlength=n_here)) / len(
        bins
    )
    least = min(_EXPECTED, max(_FEWEST_EXPECTED, len(bins) / 5))
    if by_chance.max() < least:
        return None
    is_empty = np.ones(n_there * n_here, dtype=np.bool_)
    is_empty[count(there, bins, n_here)[0]] = False
    is_never = is_empty.reshape(n_there, n_here) & (by_chance >= least)
    return np.where(is_never, np.float32(_NEVER), np.float32(0)) if is_never.any() else None


def _tilt(
    axes: Axes,
    axis: int,
    bins: Integers,
    known: Mapping[int, Pieces],
    never: Mapping[int, Weights],
    fitted: LogOdds,
) -> Tilt | None:
    """Log odds that the known axes add to the `bins` of this one; None where they add nothing."""
    basis = {
        other: coordinates_of_bins(axes.latents[other], axes.bins[other], axes.positions[other])
        for other in known
    }
    targets = coordinates_of_bins(axes.latents[axis], bins, axes.positions[axis])
    rows = [np.r_[axes.bins[other], len(own)][known[other]] for other, own in basis.items()]
    widened = [
        np.concatenate([own, np.zeros_like(own[:1])]) for own in basis.values()
    ]  # of a row without the axis
    given = fitted(rows, widened, targets, held=[never.get(other) for other in basis])
    found = dict(zip(basis, given, strict=True))
    weights = {
        other: np.clip(weights, -MOST_ODDS, MOST_ODDS)
        for other, weights in found.items()
        if weights is not None
    }
    return Tilt(weights) if weights else None
