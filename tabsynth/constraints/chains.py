"""Rows whose intervals together reach over what another row lacks.

A row whose first number lies above its second has a gap instead of an interval. Rows whose intervals, one after
another, reach from the gap's lower end to its upper one can each take the second number of the row before, the
first of them that of the row with the gap, and the row with the gap that of the last: then all keep the order,
and no number is lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST_LINKS = 16
"""Rows that may take part for one row with a gap; every one of them loses a little of its dependence."""
_DRAWS, _CHOICES = 48, 3
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


def chains(
    first: Floats,
    second: Floats,
    gaps: Positions,
    others: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    strict: bool,
) -> list[Positions]:
    """For rows `gaps`, as far as there is one, a chain that ends with the row itself; no row is in two of them.

    `first` and `second` are numbers of all rows, shape (n_rows,); `others` marks rows that may be links. Row i of a chain
    takes the second number of row i - 1, the first that of the last. A single link is drawn at random among all that
    reach over the whole gap; where none does, each is the one that reaches furthest. Time: one pass over
    the rows for each link.
    """
    free = others & ~(np.isnan(first) | np.isnan(second))
    found = []
    for gap in rng.permutation(gaps):
        links = _links(first, second, gap, free, rng, strict=strict)
        if links:
            free[links] = False
            found.append(np.array([*links, gap], dtype=np.int64))
    return found


def reaching_over(
    first: Floats,
    second: Floats,
    gaps: Positions,
    free: Positions,
    rng: np.random.Generator,
    *,
    window: int,
    strict: bool,
) -> Positions:
    """For rows `gaps` another that reaches over the whole gap, each a different one of the rows `free`; -1 where none was found, (n_gaps,).

    Rows are drawn at random, at most 48 times, from the `window` ones whose first numbers are the nearest below the gap's lower end. Of the first three that reach over it
    the one is taken that leaves the longer of the shorter intervals: an exchange at random makes too many short ones.
    """
    partner = np.full(len(gaps), -1, dtype=np.int64)
    shorter = np.full(len(gaps), -np.inf)
    n_seen = np.zeros(len(gaps), dtype=np.int64)
    free = free[np.argsort(first[free], kind="stable")]
    below = np.searchsorted(first[free], second[gaps], side="left" if strict else "right")
    for _ in range(_DRAWS):
        left = np.flatnonzero((n_seen < _CHOICES) & (below > 0))
        if not len(left):
            break
        back = rng.random(len(left)) * np.minimum(below[left], window)
        candidate = free[below[left] - 1 - back.astype(np.int64)]
        gap = gaps[left]
        ends = np.minimum(second[candidate] - first[gap], second[gap] - first[candidate])
        reaches = second[candidate] > first[gap] if strict else second[candidate] >= first[gap]
        n_seen[left[reaches]] += 1
        better = reaches & (ends > shorter[left])
        partner[left[better]], shorter[left[better]] = candidate[better], ends[better]
    alone = np.full(len(gaps), -1, dtype=np.int64)
    once = np.unique(partner, return_index=True)[1]
    alone[once] = partner[once]
    return alone


def _links(
    first: Floats,
    second: Floats,
    gap: int,
    free: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    strict: bool,
) -> list[int]:
    """The rows that together reach over the gap of a row; none where free rows do not."""
    reach = second[gap]
    links: list[int] = []
    for _ in range(MOST_LINKS):
        begins = first < reach if strict else first <= reach
        touching = np.flatnonzero(free & begins & (second > reach))
        if not len(touching):
            return []
        over = touching[second[touching] > first[gap] if strict else second[touching] >= first[gap]]
        if len(over):
            return [*links, int(rng.choice(over))]
        links.append(int(touching[np.argmax(second[touching])]))
        reach = second[links[-1]]
    return []
