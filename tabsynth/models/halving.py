"""Half of the rows that speak for all of them: what is left to chance in sampling, made smaller still.

Rows are put in pairs of similar ones, and of every pair the one is kept that brings the counts of all pairs
of columns nearer to half of what they were. It is the halving step of kernel thinning (Dwivedi and Mackey
2021, "Kernel thinning", algorithm 1) with the kernel that counts agreeing pairs of columns: the choice
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

_MOST_PAIRS = 160  # of columns, drawn at random where there are more
_TURNS = 1000  # in which pairs of rows are decided upon, each knowing the counts so far: more is better, and slower
_MOST_AT_ONCE = 48


def halved(states: Sequence[States], sizes: Sequence[int], rng: np.random.Generator) -> States:
    """The numbers of the rows kept, (n_rows // 2,), of columns with `sizes` states each, (n_rows,) long."""
    rows = np.stack(states, axis=1).astype(np.int32)
    order = np.argsort(order_of_neighbours(states, sizes, rng), kind="stable")
    n_kept = len(order) // 2
    couples = order[: 2 * n_kept].reshape(n_kept, 2)
    couples = rng.permuted(couples, axis=1)[rng.permutation(n_kept)]
    first, second, width, start, n_cells = _cells_of_pairs(sizes, rng)
    surplus = np.zeros(n_cells, dtype=np.float32)
    kept = np.empty(n_kept, dtype=np.intp)
    at_once = int(np.clip(n_kept // _TURNS, 1, _MOST_AT_ONCE))
    for at in range(0, n_kept, at_once):
        two = rows[couples[at : at + at_once]]
        cells = two[..., first] * width + two[..., second] + start
        worse = surplus[cells].sum(axis=2)
        choice = (worse[:, 1] < worse[:, 0]).astype(np.intp)
        each = np.arange(len(choice))
        kept[at : at + at_once] = couples[at + each, choice]
        np.add.at(surplus, cells[each, choice].ravel(), np.float32(1))
        np.subtract.at(surplus, cells[each, 1 - choice].ravel(), np.float32(1))
    return kept


def _cells_of_pairs(
    sizes: Sequence[int], rng: np.random.Generator
) -> tuple[States, States, npt.NDArray[np.int32], npt.NDArray[np.int32], int]:
    """Pairs of columns, the states of the second of each, where its cells start, and how many there are."""
    n = len(sizes)
    if n * (n - 1) // 2 <= _MOST_PAIRS:
        pairs = list(itertools.combinations(range(n), 2)) or [(0, 0)]
    else:
        pairs = sorted({tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(_MOST_PAIRS)})
    first, second = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    width = np.array(sizes, dtype=np.int32)[second]
    ends = np.cumsum(np.array(sizes, dtype=np.int64)[first] * width)
    start = np.r_[0, ends[:-1]].astype(np.int32)
    return first, second, width, start, int(ends[-1])
