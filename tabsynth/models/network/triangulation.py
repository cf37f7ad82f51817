"""Which pairs of columns a junction tree of bounded size can hold.

A set of pairs is a graph; its triangulation by the min-fill heuristic gives the cliques of a junction tree,
whose cells are what inference costs (Koller and Friedman 2009, section 9.4). Sets of columns are held as
the bits of integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

Pair = tuple[int, int]

_FIRST_PARTS = (0.25, 1.0)  # of the cells, that pairs may fill before the others are tried


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
    return [_bits(clique) for clique in found]


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
        if _holds(best, pair):
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


def grow_best(
    orders: Sequence[Sequence[Pair]], worth: Mapping[Pair, float], sizes: Sequence[int], *, most_cells: int
) -> list[tuple[int, ...]]:
    """The cliques grown from the one of `orders`, ways to arrange the same pairs, that hold pairs of most `worth` ≥ 0.

    What fits depends much on the order: one pair too many, early, makes a clique that fills the tree. Every order is
    tried as it is, and with the pairs first that a quarter of the cells holds. The first of equals is taken.
    """
    best: list[tuple[int, ...]] = cliques_of((), sizes)
    reached, tried = -1.0, set[tuple[Pair, ...]]()
    for order in orders:
        for part in _FIRST_PARTS:
            arranged = tuple(order)
            if part < 1:
                few = grow(order, sizes, most_cells=int(part * most_cells))
                arranged = tuple(sorted(order, key=lambda pair: not _holds(few, pair)))
            if arranged in tried:
                continue
            tried.add(arranged)
            cliques = grow(arranged, sizes, most_cells=most_cells)
            total = math.fsum(value for pair, value in worth.items() if _holds(cliques, pair))
            if total > reached:
                best, reached = cliques, total
    return best


def _holds(cliques: Sequence[tuple[int, ...]], pair: Pair) -> bool:
    return any(pair[0] in clique and pair[1] in clique for clique in cliques)


def _adjacency(pairs: Sequence[Pair], n_columns: int) -> list[int]:
    adjacent = [0] * n_columns
    for a, b in pairs:
        adjacent[a] |= 1 << b
        adjacent[b] |= 1 << a
    return adjacent


@lru_cache(maxsize=1 << 16)
def _bits(columns: int) -> tuple[int, ...]:
    found = []
    while columns:
        lowest = columns & -columns
        found.append(lowest.bit_length() - 1)
        columns ^= lowest
    return tuple(found)


def _cost(column: int, adjacent: Sequence[int], sizes: Sequence[int]) -> tuple[int, int]:
    """Twice the number of edges that eliminating a column adds, and the cells of the clique it makes."""
    mask, fill, cells = adjacent[column], 0, sizes[column]
    for v in _bits(mask):
        fill += (mask & ~adjacent[v]).bit_count() - 1
        cells *= sizes[v]
    return fill, cells
