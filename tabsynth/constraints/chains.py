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
