"""Which pairs of columns a junction tree of bounded size can hold.

A set of pairs is a graph; its triangulation by the min-fill heuristic gives the cliques of a junction tree,
whose cells are what inference costs (Koller and Friedman 2009, section 9.4). Sets of columns are held as
the bits of integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Pair = tuple[int, int]


def cliques_of(pairs: Sequence[Pair], sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """The maximal cliques of a triangulated graph over columns 0 … len(sizes) - 1, each ascending.

    Columns are eliminated in order of the fewest edges to be added, then of the smallest clique made.
    """
    adjacent = _adjacency(pairs, len(sizes))
    found: list[int] = []
    cost = {v: _cost(v, adjacent, sizes) for v in range(len(sizes))}
    while cost:
        column = min(cost, key=lambda v: (cost[v], v))
        del cost[column]
        neighbours = adjacent[column]
        clique = neighbours | 1 << column
        if not any(clique & other == clique for other in found):
            found.append(clique)
        changed = neighbours
        for other in _bits(neighbours):
            adjacent[other] = (adjacent[other] | neighbours) & ~(1 << other) & ~(1 << column)
            changed |= adjacent[other]
        for other in _bits(changed):
            cost[other] = _cost(other, adjacent, sizes)
    return [tuple(_bits(clique)) for clique in found]


def grow(
    pairs: Sequence[Pair], sizes: Sequence[int], *, most_cells: int, most_refusals: int = 150
) -> list[tuple[int, ...]]:
    """Cliques that hold as many of `pairs`, taken in that order, as `most_cells` cells in all allow.

    A pair that would need more cells is passed over; after `most_refusals` of those in a row, it is left
    at that.
    """
    kept: list[Pair] = []
    best = cliques_of(kept, sizes)
    refusals = 0
    for pair in pairs:
        if refusals >= most_refusals:
            break
        if any(pair[0] in clique and pair[1] in clique for clique in best):
            kept.append(pair)  # or a later triangulation, filled in another way, would lose it
            continue
        wider = cliques_of([*kept, pair], sizes)
        if sum(math.prod(sizes[v] for v in clique) for clique in wider) <= most_cells:
            kept.append(pair)
            best = wider
            refusals = 0
        else:
            refusals += 1
    return best


def _adjacency(pairs: Sequence[Pair], n_columns: int) -> list[int]:
    adjacent = [0] * n_columns
    for a, b in pairs:
        adjacent[a] |= 1 << b
        adjacent[b] |= 1 << a
    return adjacent


def _bits(columns: int) -> list[int]:
    found = []
    while columns:
        lowest = columns & -columns
        found.append(lowest.bit_length() - 1)
        columns ^= lowest
    return found


def _cost(column: int, adjacent: Sequence[int], sizes: Sequence[int]) -> tuple[int, int]:
    """Twice the number of edges that eliminating a column adds, and the cells of the clique it makes."""
    neighbours = _bits(adjacent[column])
    fill = sum((adjacent[column] & ~adjacent[v]).bit_count() - 1 for v in neighbours)
    return fill, sizes[column] * math.prod(sizes[v] for v in neighbours)
