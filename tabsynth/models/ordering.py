"""An order for nominal levels: the one in which they go along with the other columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.latent import Latent
from tabsynth.privacy.queries import Queries

Floats = npt.NDArray[np.float64]

_MAX_ROWS = 100_000
_MAX_PRODUCTS = 3e9
_PRIOR_ROWS = 5.0  # a level's mean scores are shrunk as if by this many rows at the overall mean


def order_levels(
    latents: Sequence[Latent],
    data: EncodedTable,
    *,
    queries: Queries,
    rng: np.random.Generator,
    n_rounds: int,
) -> tuple[Latent, ...]:
    """Reorder the levels of every nominal axis, in `n_rounds` rounds over all of them.

    Each level gets the leading coordinate of its mean scores on all other axes (weighted singular value
    decomposition); ranks of that coordinate are the new order. At most 100,000 rows are looked at.
    """
    nominal = [index for index, latent in enumerate(latents) if latent.is_nominal]
    if not nominal or not n_rounds or data.n_rows < 2:
        return tuple(latents)
    affordable = int(_MAX_PRODUCTS / (len(latents) * len(nominal) * n_rounds))
    n_rows = min(data.n_rows, _MAX_ROWS, max(affordable, 500))
    rows = np.sort(rng.choice(data.n_rows, n_rows, replace=False)) if n_rows < data.n_rows else slice(None)
    current = list(latents)
    pieces = [latent.pieces(data.columns[latent.variable.name])[rows] for latent in current]
    scores = np.zeros((len(pieces[0]), len(current)), dtype=np.float32)
    present = [latent.present(data.columns[latent.variable.name]) for latent in current]
    names = [latent.variable.name for latent in current]

    def rescore(index: int) -> None:
        latent = current[index]
        scores[:, index] = latent.marginal.scores.astype(np.float32)[pieces[index]]
        where = present[index]
        if where is not None:
            scores[~where[rows], index] = 0

    for index in range(len(current)):
        if index not in nominal:
            rescore(index)
    for _ in range(n_rounds):
        for index in nominal:
            own = [k for k, name in enumerate(names) if name == names[index]]
            n_levels = len(current[index].marginal.mass)
            sums = queries.score_sums_by_level(pieces[index], n_levels, scores, columns=names)
            sums[:, own] = 0  # axes without an order yet hold zeros too
            counts = current[index].marginal.mass * len(scores)
            order = np.argsort(_leading_coordinate(sums, counts), kind="stable")
            rank = np.empty(n_levels, dtype=pieces[index].dtype)
            rank[order] = np.arange(n_levels)
            current[index] = current[index].reordered(order)
            pieces[index] = rank[pieces[index]]
            rescore(index)
    return tuple(current)


def _leading_coordinate(sums: Floats, counts: Floats) -> Floats:
    """Position of each level on the leading axis of the levels' centred, shrunk mean scores."""
    total = max(counts.sum(), 1.0)
    centred = sums - counts[:, None] * (sums.sum(axis=0) / total)
    means = centred / (counts + _PRIOR_ROWS)[:, None]
    weighted = means * np.sqrt(counts)[:, None]
    if len(weighted) < weighted.shape[1]:  # the smaller Gram matrix has the same leading axis
        _, vectors = np.linalg.eigh(weighted @ weighted.T)
        axis = weighted.T @ vectors[:, -1]
    else:
        _, vectors = np.linalg.eigh(weighted.T @ weighted)
        axis = vectors[:, -1]
    leading: Floats = means @ axis
    return leading
