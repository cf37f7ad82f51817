"""Half of the rows that speak for all of them: what is left to chance in sampling, made smaller still.

Rows are put in pairs of similar ones, and of every pair the one is kept that brings the counts of all pairs
of columns, or of all pairs together with a target, nearer to half of what they were. It is the halving step of kernel thinning (Dwivedi and Mackey
2021, "Kernel thinning", algorithm 1) with the kernel that counts agreeing sets of columns: the choice
between the two of a pair is symmetric, so every row is as likely to be kept as any other, and what is kept
has the distribution of what was drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tabsynth.models.spreading import order_of_neighbours

States = npt.NDArray[np.intp]

_MOST_SETS = 160  # of columns, drawn at random where there are more
_MOST_CELLS = 1 << 16  # of a set of three
_TURNS = 1000  # in which pairs of rows are decided upon, each knowing the counts so far: more is better, and slower
_MOST_AT_ONCE = 48


def halved(
    states: Sequence[States], sizes: Sequence[int], rng: np.random.Generator, *, target: int | None = None
) -> States:
    """The numbers of the rows kept, (n_rows // 2,), of columns with `sizes` states each, (n_rows,) long.

    `target`: the column that others are to predict, which is kept in proportion to every two of them.
    """
    rows = np.stack([*states, np.zeros_like(states[0])], axis=1).astype(np.int32)
    order = np.argsort(order_of_neighbours(states, sizes, rng), kind="stable")
    n_kept = len(order) // 2
    couples = order[: 2 * n_kept].reshape(n_kept, 2)
    couples = rng.permuted(couples, axis=1)[rng.permutation(n_kept)]
    steps, start, n_cells = _cells(_sets(sizes, target, rng), sizes)
    surplus = np.zeros(n_cells, dtype=np.float32)
    kept = np.empty(n_kept, dtype=np.intp)
    at_once = int(np.clip(n_kept // _TURNS, 1, _MOST_AT_ONCE))
    for at in range(0, n_kept, at_once):
        two = rows[couples[at : at + at_once]]
        cells = sum((two[..., column] * step for column, step in steps), start)
        worse = surplus[cells].sum(axis=2)
        choice = (worse[:, 1] < worse[:, 0]).astype(np.intp)
        each = np.arange(len(choice))
        kept[at : at + at_once] = couples[at + each, choice]
        np.add.at(surplus, cells[each, choice].ravel(), np.float32(1))
        np.subtract.at(surplus, cells[each, 1 - choice].ravel(), np.float32(1))
    return kept


def _sets(
    sizes: Sequence[int], target: int | None, rng: np.random.Generator
) -> list[tuple[int, int, int | None]]:
    """Pairs of columns, each with the target where there is one and the cells are not too many."""
    n = len(sizes)
    pairs = list(itertools.combinations(range(n), 2)) or [(0, 0)]
    if len(pairs) > _MOST_SETS:
        pairs = [pairs[at] for at in sorted(rng.choice(len(pairs), _MOST_SETS, replace=False).tolist())]

    def third(i: int, j: int) -> int | None:
        if target is None or target in (i, j):
            return None
        return target if sizes[i] * sizes[j] * sizes[target] <= _MOST_CELLS else None

    return [(i, j, third(i, j)) for i, j in pairs]


def _cells(
    sets: Sequence[tuple[int, int, int | None]], sizes: Sequence[int]
) -> tuple[list[tuple[States, npt.NDArray[np.int32]]], npt.NDArray[np.int32], int]:
    """How a row's states give its cell of every set (columns and the step of each), where the cells of each start, and how many there are.

    A set of two beside sets of three has a third column, the last, which has one state.
    """
    n_steps = 2 if all(third is None for *_, third in sets) else 3
    columns = np.array([[len(sizes) if v is None else v for v in one] for one in sets], dtype=np.intp)
    width = np.array([*sizes, 1], dtype=np.int64)[columns]
    ends = np.cumsum(width.prod(axis=1))
    step = np.stack([width[:, 1] * width[:, 2], width[:, 2], np.ones(len(sets))], axis=1).astype(np.int32)
    start = np.r_[0, ends[:-1]].astype(np.int32)
    return [(columns[:, k], step[:, k]) for k in range(n_steps)], start, int(ends[-1])
