"""Keys that repeat, mended by exchange: rows swap the cell of one of the key's columns, so that every column keeps its cells.

Only for keys that are listed: each is then a number, and whether it is free a look-up. Rows are paired with rows that are alike in the
key's other columns, so that as little as possible of their dependence is lost.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_ROUNDS = 64
_NEAR = 64
_MOST_EACH = 16


@dataclass(frozen=True, eq=False)
class Listed:
    """The cells that each column of a key may hold; a key is the number that their positions make."""

    values: tuple[pl.Series, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(map(len, self.values))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.values)

    def positions(self, frame: pl.DataFrame) -> Rows:
        """Where the cells of every row stand, (n_columns, n_rows); -1 for cells that are not listed."""
        return np.stack(
            [
                frame[one.name]
                .replace_strict(one, range(len(one)), default=-1, return_dtype=pl.Int64)
                .fill_null(-1)
                .to_numpy()
                for one in self.values
            ]
        )

    def free(self, keys: pl.DataFrame) -> Mask:
        """Which keys are among these, by number."""
        found = np.zeros(math.prod(self.sizes), dtype=np.bool_)
        found[self.numbers(self.positions(keys))] = True
        return found

    def numbers(self, positions: Rows) -> Rows:
        """The key of every row whose cells are listed, (n_rows,)."""
        return np.asarray(np.ravel_multi_index(tuple(positions), self.sizes), dtype=np.int64)


def exchanged(
    listed: Listed,
    frame: pl.DataFrame,
    left: Rows,
    is_free: Mask,
    *,
    able: Collection[str],
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, Rows]:
    """The rows with cells of `able` columns exchanged, and those of `left` that still repeat a key.

    `is_free`, by number, says which keys may be given out; those of rows beside `left` may not.
    """
    positions = listed.positions(frame)
    whole = (positions >= 0).all(axis=0)
    columns = [at for at, name in enumerate(listed.names) if name in able]
    numbers = listed.numbers(np.maximum(positions, 0))
    is_free, is_left = is_free.copy(), np.zeros(frame.height, dtype=np.bool_)
    is_left[left] = True
    is_free[numbers[whole & ~is_left]] = False
    orders = {at: np.arange(frame.height) for at in columns}
    strides = np.cumprod([1, *listed.sizes[:0:-1]])[::-1]
    claimed = np.zeros(len(is_free), dtype=np.int64)
    for attempt in range(_ROUNDS if columns else 0):
        pool = np.flatnonzero(is_left & whole)
        if not len(pool):
            break
        at, cycle = columns[attempt % len(columns)], attempt // len(columns)
        beside = numbers - positions[at] * strides[at]
        if cycle % 2:
            reach = min(_NEAR * 4 ** (cycle // 2), frame.height)
            one, other = _with_fine(beside, pool, np.flatnonzero(~is_left & whole), reach, rng)
        else:
            one, other = _among(beside, pool, rng)
        step = (positions[at][other] - positions[at][one]) * strides[at]
        new = np.r_[numbers[one] + step, numbers[other] - step]
        claimed[new] = np.arange(len(new))
        is_good = (is_free[new] & (claimed[new] == np.arange(len(new)))).reshape(2, -1).all(axis=0)
        _, first = np.unique(one[is_good], return_index=True)
        chosen = np.flatnonzero(is_good)[first]
        both, crossed = np.r_[one[chosen], other[chosen]], np.r_[other[chosen], one[chosen]]
        is_free[numbers[both[~is_left[both]]]] = True
        for cells in (positions[at], orders[at]):
            cells[both] = cells[crossed]
        numbers[both] = new[np.r_[chosen, len(one) + chosen]]
        is_free[numbers[both]] = False
        is_left[both] = False
    moved = [frame[listed.names[at]].gather(order) for at, order in orders.items()]
    return frame.with_columns(moved), left[is_left[left]]


def _among(beside: Rows, pool: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows of the pool two by two, none twice, near each other in the order of what is `beside` the column.

    Not next to each other: rows that are the same in all else only change keys that are taken.
    """
    pool = rng.permutation(pool)
    pool = pool[np.argsort(beside[pool], kind="stable")]
    reach = min(2 ** int(rng.integers(0, 8)), max(len(pool) // 2, 1))
    pairs = pool[: len(pool) // (2 * reach) * 2 * reach].reshape(-1, 2, reach)
    return pairs[:, 0].reshape(-1), pairs[:, 1].reshape(-1)


def _with_fine(
    beside: Rows, pool: Rows, fine: Rows, reach: int, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Rows of the pool each with fine ones that are at most `reach` away in what is `beside` the column, of these none twice.

    Those that are most alike may all be of no use: a second 29 February can only go where February is not.
    """
    if not len(fine):
        return fine, fine
    n_each = min(max(len(fine) // (2 * len(pool)), 1), _MOST_EACH)
    pool, fine = np.repeat(rng.permutation(pool), n_each), fine[np.argsort(beside[fine], kind="stable")]
    near = np.searchsorted(beside[fine], beside[pool]) + rng.integers(-reach, reach, len(pool), endpoint=True)
    other, first = np.unique(fine[near % len(fine)], return_index=True)
    return pool[first], other
