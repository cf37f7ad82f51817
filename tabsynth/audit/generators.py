"""Releases with a known answer: rows nobody could leak, copies of train, interpolations of train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tabsynth.audit.neighbours import coordinates, space_of
from tabsynth.audit.split import stack
from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.sampling import draw_rows, take_rows

N_NEIGHBOURS = 5
MAX_POOL = 5_000
CHUNK = 1_000


def unrelated(spare: EncodedTable, n: int, rng: np.random.Generator) -> EncodedTable:
    """`n` rows that train had no part in: the spare rows and, where they do not suffice, rows between them."""
    if n <= spare.n_rows:
        return draw_rows(spare, n, rng)
    return stack([spare, interpolated(spare, n - spare.n_rows, rng)])


def copying(
    train: EncodedTable, spare: EncodedTable, *, share: float, n: int, rng: np.random.Generator
) -> EncodedTable:
    """`n` rows, of which a share of train (of `n`, if that is fewer) is copied and the rest unrelated."""
    n_copies = max(1, round(share * min(n, train.n_rows)))
    copies = take_rows(train, rng.permutation(train.n_rows)[:n_copies])
    return stack([copies, unrelated(spare, n - n_copies, rng)])


def interpolated(table: EncodedTable, n: int, rng: np.random.Generator) -> EncodedTable:
    """`n` rows, each between a row and one of its `N_NEIGHBOURS` nearest of a pool of at most `MAX_POOL`.

    After SMOTE (Chawla et al. 2002) for mixed columns: a number lies a uniform share of the way, the same
    for the whole row; a level is the neighbour's with that probability, else the row's own.
    """
    base = np.concatenate([rng.permutation(table.n_rows) for _ in range(-(-n // table.n_rows))])[:n]
    pool = rng.permutation(table.n_rows)[:MAX_POOL]
    space = space_of(table, [table])
    rows = coordinates(space, take_rows(table, pool))
    norms = np.einsum("ij,ij->i", rows, rows)
    n_near = min(N_NEIGHBOURS, len(pool) - 1)
    partner = base.copy()
    for start in range(0, n if n_near > 0 else 0, CHUNK):
        asked = base[start : start + CHUNK]
        distances = norms - 2.0 * coordinates(space, take_rows(table, asked)) @ rows.T
        distances[asked[:, None] == pool] = np.inf  # a row is no neighbour of itself
        near = np.argpartition(distances, n_near - 1, axis=1)[:, :n_near]
        chosen = near[np.arange(len(asked)), rng.integers(0, n_near, len(asked))]
        partner[start : start + CHUNK] = pool[chosen]
    share = rng.random(n)
    first, second = take_rows(table, base), take_rows(table, partner)
    columns = {
        name: _between(column, second.columns[name], share, rng.random(n) < share)
        for name, column in first.columns.items()
    }
    return EncodedTable(n, columns)


def _between(
    first: EncodedColumn,
    second: EncodedColumn,
    share: npt.NDArray[np.float64],
    takes_second: npt.NDArray[np.bool_],
) -> EncodedColumn:
    codes = np.where(takes_second, second.codes, first.codes)
    if first.values is None or second.values is None:
        return replace(first, codes=codes)
    low, high = np.minimum(first.values, second.values), np.maximum(first.values, second.values)
    mixed = first.values * (1.0 - share) + second.values * share
    if first.values.dtype.kind == "i":
        mixed = np.rint(mixed)
    both = (first.codes == 0) & (second.codes == 0)
    picked = np.where(takes_second, second.values, first.values)
    with np.errstate(invalid="ignore"):  # the largest integers round beyond their type
        inside = np.clip(mixed.astype(first.values.dtype), low, high)
    values = np.where(both, inside, picked)
    return replace(first, codes=codes, values=values)
