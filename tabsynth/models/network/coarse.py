"""Few coarse cells per column, from released one-way counts alone.

The joint model lives on coarse cells; inside one, fine cells follow the column's own distribution. Ordered
cells are joined into runs of about equal mass; a single cell heavy enough to be one by itself stays alone;
cells too light to be told from noise join their neighbours or, where there is no order, each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]


def coarse_cells(
    counts: Floats, noise: float, *, n_ordered: int, is_ordered: bool, alone: int | None, most: int
) -> Cells:
    """The coarse cell of each fine cell, (n_cells,), numbered from 0 in order of their first member.

    `counts` ≥ 0 are denoised; `noise` ≥ 0 is the standard deviation of one. The first `n_ordered` cells lie
    on a line, and so do the others if `is_ordered`; `alone` is a cell that is never joined (null). At most
    about `most` coarse cells, and never none.
    """
    n_cells = len(counts)
    others = np.array([cell for cell in range(n_ordered, n_cells) if cell != alone], dtype=np.intp)
    groups = _runs(np.arange(n_ordered), counts, noise, most) if n_ordered else []
    if len(others):
        room = most if not n_ordered else max(most // 2, 2)
        groups += (_runs if is_ordered else _heaviest)(others, counts, noise, room)
    if alone is not None:
        groups.append([alone])
    coarse = np.zeros(n_cells, dtype=np.intp)
    for index, group in enumerate(sorted(groups, key=min)):
        coarse[group] = index
    return coarse


def _heaviest(cells: Cells, counts: Floats, noise: float, most: int) -> list[list[int]]:
    """The heaviest cells each alone, those that noise would drown and those beyond `most` together."""
    order = cells[np.argsort(-counts[cells], kind="stable")]
    n_alone = int(np.clip((counts[order] >= 4 * noise).sum(), 1, most))
    alone, rest = order[:n_alone], order[n_alone:]
    groups = [[int(cell)] for cell in alone]
    if len(rest) and counts[rest].sum() < 4 * noise * np.sqrt(len(rest)) and n_alone > 1:
        groups[-1] += [int(cell) for cell in rest]  # nothing but noise: kept out of the way
    elif len(rest):
        groups.append([int(cell) for cell in rest])
    return groups


def _runs(cells: Cells, counts: Floats, noise: float, most: int) -> list[list[int]]:
    """Runs of neighbouring cells of about equal mass, heavy cells alone."""
    mass = counts[cells]
    if len(cells) <= most and (mass >= 4 * noise).all():
        return [[int(cell)] for cell in cells]
    target = mass.sum() / most
    is_heavy = (mass >= 0.9 * target) & (mass > 0)
    n_heavy = int(is_heavy.sum())
    share = mass[~is_heavy].sum() / max(1, most - n_heavy)
    runs: list[list[int]] = []
    current: list[int] = []
    reached = 0.0
    for cell, heavy, weight in zip(cells.tolist(), is_heavy.tolist(), mass.tolist(), strict=True):
        if heavy:
            runs += [current] if current else []
            runs.append([cell])
            current, reached = [], 0.0
            continue
        current.append(cell)
        reached += weight
        if reached >= 0.999 * share and reached > 0:
            runs.append(current)
            current, reached = [], 0.0
    runs += [current] if current else []
    return _without_light_runs(runs, counts, noise, share)


def _without_light_runs(runs: list[list[int]], counts: Floats, noise: float, share: float) -> list[list[int]]:
    """Runs lighter than four times their noise, and than half a share, join their lighter neighbour."""
    at = 0
    while at < len(runs) and len(runs) > 1:
        mass = counts[runs[at]].sum()
        if mass >= 4 * noise * np.sqrt(len(runs[at])) or mass >= share / 2:
            at += 1
            continue
        beside = [i for i in (at - 1, at + 1) if 0 <= i < len(runs)]
        other = min(beside, key=lambda i: float(counts[runs[i]].sum()))
        first, second = min(at, other), max(at, other)
        runs[first : second + 1] = [runs[first] + runs[second]]
        at = max(0, first - 1)
    return runs
