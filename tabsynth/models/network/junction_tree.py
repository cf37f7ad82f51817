"""Exact inference on a junction tree of cliques of discrete variables.

Clique beliefs are dense arrays; messages are passed up and down once (Lauritzen and Spiegelhalter 1988, in
the form of Koller and Friedman 2009, algorithm 10.3). Everything is a few operations on whole arrays per
clique. The axes of a clique stand in order of size, the longest last, so that these run along memory.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Clique = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JunctionTree:
    """Cliques in an order in which parents come before children; a forest is joined by empty separators.

    `sizes[v]` is the number of states of variable v; `parents[i]` the position of clique i's parent, -1
    for the first; `separators[i]` the variables clique i shares with its parent.
    """

    sizes: tuple[int, ...]
    cliques: tuple[Clique, ...]
    parents: tuple[int, ...]
    separators: tuple[Clique, ...]

    @classmethod
    def of(cls, cliques: Sequence[Clique], sizes: Sequence[int]) -> JunctionTree:
        """The tree of largest separators over the maximal cliques of a triangulated graph, whatever their order."""
        ordered = sorted(tuple(sorted(clique, key=lambda v: (sizes[v], v))) for clique in cliques)
        neighbours = _spanning_tree(ordered)
        root = max(range(len(ordered)), key=lambda i: math.prod(sizes[v] for v in ordered[i]))
        order, parents = [root], {root: -1}
        for i in order:
            for j in sorted(neighbours[i]):
                if j not in parents:
                    parents[j] = i
                    order.append(j)
        position = {clique: at for at, clique in enumerate(order)}
        return cls(
            sizes=tuple(sizes),
            cliques=tuple(ordered[i] for i in order),
            parents=tuple(-1 if parents[i] < 0 else position[parents[i]] for i in order),
            separators=tuple(
                () if parents[i] < 0 else tuple(v for v in ordered[i] if v in ordered[parents[i]])
                for i in order
            ),
        )

    @property
    def n_cells(self) -> int:
        return sum(math.prod(self.sizes[v] for v in clique) for clique in self.cliques)

    def home(self, variables: Sequence[int]) -> int:
        """The position of the smallest clique that holds all `variables`; raises `ValueError` without one."""
        holders = [i for i, clique in enumerate(self.cliques) if set(variables) <= set(clique)]
        if not holders:
            raise ValueError("no clique holds these variables")
        return min(holders, key=lambda i: (math.prod(self.sizes[v] for v in self.cliques[i]), i))

    def calibrate(self, factors: Sequence[Floats]) -> tuple[list[Floats], float]:
        """Beliefs (each summing to 1) and the log of the sum over all states of the product of `factors`.

        `factors[i]` ≥ 0 has the axes of clique i and is used up. Raises `FloatingPointError` where the
        product is zero everywhere.
        """
        beliefs = list(factors)
        if not beliefs:
            return beliefs, 0.0
        upward: list[Floats] = [np.ones(())] * len(beliefs)
        log_total = 0.0
        for i in range(len(beliefs) - 1, 0, -1):
            message = margin(beliefs[i], self.cliques[i], self.separators[i])
            total = float(message.sum())
            if not total > 0:
                raise FloatingPointError("no state has a probability above zero")
            log_total += math.log(total)
            upward[i] = message / total
            parent = self.parents[i]
            beliefs[parent] *= spread(upward[i], self.separators[i], self.cliques[parent])
            beliefs[i] /= total
        total = float(beliefs[0].sum())
        if not total > 0:
            raise FloatingPointError("no state has a probability above zero")
        beliefs[0] /= total
        for i in range(1, len(beliefs)):
            wanted = margin(beliefs[self.parents[i]], self.cliques[self.parents[i]], self.separators[i])
            ratio = np.divide(wanted, upward[i], out=np.zeros_like(wanted), where=upward[i] > 0)
            beliefs[i] *= spread(ratio, self.separators[i], self.cliques[i])
        return beliefs, log_total + math.log(total)


def margin(table: Floats, axes: Clique, kept: Clique) -> Floats:
    """`table` summed over the axes that are not in `kept`, whose order among `axes` stays."""
    for axis in range(len(axes) - 1, -1, -1):
        if axes[axis] not in kept:
            table = summed(table, axis)
    return table


def summed(table: Floats, axis: int) -> Floats:
    """`table` summed over one axis; the last one as a product, which numpy is quicker at."""
    if axis == table.ndim - 1:
        return np.asarray(table @ np.ones(table.shape[-1], dtype=table.dtype))
    return np.asarray(table.sum(axis=axis))


def margins(table: Floats, axes: Clique, wanted: Sequence[Clique]) -> list[Floats]:
    """The margins of `table` on each of `wanted`, axes in the order of `axes`; shares partial sums."""
    found: dict[Clique, Floats] = {axes: table}
    results = []
    for kept in wanted:
        current = axes
        for variable in axes:
            if variable in kept:
                continue
            left = tuple(v for v in current if v != variable)
            if left not in found:
                found[left] = summed(found[current], current.index(variable))
            current = left
        results.append(found[current])
    return results


def spread(table: Floats, axes: Clique, onto: Clique) -> Floats:
    """`table`, whose axes stand in the order they have in `onto`, as a view that multiplies onto it."""
    shape = iter(table.shape)
    return table.reshape([next(shape) if v in axes else 1 for v in onto])


def product(tables: Mapping[Clique, Floats], axes: Clique, sizes: Sequence[int]) -> Floats:
    """The product of `tables`, each over some of `axes` in their order, as a new array over all of them.

    Built axis by axis, so that only the last two products are as large as the result.
    """
    by_last: dict[int, list[tuple[Clique, Floats]]] = {v: [] for v in axes}
    for variables, table in tables.items():
        by_last[variables[-1]].append((variables, table))
    kind = np.result_type(*tables.values()) if tables else np.float64
    result = np.ones((), dtype=kind)
    for depth, variable in enumerate(axes, start=1):
        done = axes[:depth]
        last = np.ones(sizes[variable], dtype=kind)
        for variables, table in sorted(by_last[variable], key=lambda t: [axes.index(v) for v in t[0]]):
            last = last * spread(table, variables, done)
        result = result[..., None] * last
    shape = tuple(sizes[v] for v in axes)
    return result if result.shape == shape else np.broadcast_to(result, shape).copy()


def _spanning_tree(cliques: Sequence[Clique]) -> list[list[int]]:
    """Neighbours in a spanning tree of largest total separator size (Kruskal)."""
    pairs = sorted(
        itertools.combinations(range(len(cliques)), 2),
        key=lambda pair: -len(set(cliques[pair[0]]) & set(cliques[pair[1]])),
    )
    group = list(range(len(cliques)))

    def leader(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    neighbours: list[list[int]] = [[] for _ in cliques]
    for i, j in pairs:
        if leader(i) != leader(j):
            group[leader(i)] = leader(j)
            neighbours[i].append(j)
            neighbours[j].append(i)
    return neighbours
