"""Growing a tree: splits from some of the rows, taken back where all rows do not bear them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Floats
from tabsynth.models.trees.tree import Integers, Pieces, Tree, stump
from tabsynth.privacy.splits import Splits

_PRIOR_ROWS = 5.0


def ranks_for(pieces: Pieces, n_pieces: int, seen: Floats, *, min_group: int) -> Integers:
    """Ranks of levels by the leading coordinate of what is seen in their rows, (n_pieces,).

    Levels of fewer than `min_group` rows say nothing of their own and share the middle.
    """
    counts = np.bincount(pieces, minlength=n_pieces).astype(np.float64)
    centred = seen - seen.mean(axis=0)
    sums = np.stack([np.bincount(pieces, weights=column, minlength=n_pieces) for column in centred.T], axis=1)
    means = np.where((counts >= min_group)[:, None], sums / (counts + _PRIOR_ROWS)[:, None], 0.0)
    weighted = means * np.sqrt(counts)[:, None]
    _, vectors = np.linalg.eigh(weighted.T @ weighted)
    _, ranks = np.unique(np.round(means @ vectors[:, -1], 12), return_inverse=True)
    return ranks.astype(np.int32)


def grow(
    pieces: Mapping[int, Pieces],
    latents: Sequence[Latent],
    seen: Floats,
    splits: Callable[..., Splits],
    *,
    min_leaf: int,
    min_group: int,
    seed: int,
) -> Tree:
    """A tree that tells rows apart by their `pieces` on axes; `seen`, (n_rows, d), embeds what it predicts."""
    axes = [axis for axis in pieces if len(latents[axis].marginal.mass) > 1]
    if len(seen) < max(2 * min_leaf, 2) or not axes or not (np.ptp(seen, axis=0) > 0).any():
        return stump()
    ranks = {
        axis: ranks_for(pieces[axis], len(latents[axis].marginal.mass), seen, min_group=min_group)
        for axis in axes
        if latents[axis].part is Part.LEVEL and len(latents[axis].marginal.mass) > 2
    }
    table = np.empty((len(seen), len(axes)), dtype=np.float32)
    for column, axis in enumerate(axes):
        table[:, column] = ranks[axis][pieces[axis]] if axis in ranks else pieces[axis]
    found = splits(table, seen, min_leaf=min_leaf, seed=seed)
    axis_of = np.array([*axes, -1], dtype=np.int32)[found.predictor]
    used = set(axis_of.tolist())
    return Tree(
        axis_of,
        np.floor(found.threshold).astype(np.int32),
        found.left,
        found.right,
        {axis: ranks[axis] for axis in axes if axis in ranks and axis in used},
    )
