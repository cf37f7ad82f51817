"""What a network says without sampling: marginals of any columns, and how probable a row is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import UsageError
from tabsynth.models.explicit import Axis, CellProbabilities
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.junction_tree import Clique, JunctionTree, margin, spread
from tabsynth.models.network.leaves import Leaf

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]
MOST_CELLS = 1 << 22  # of one marginal


def joint_of(tree: JunctionTree, beliefs: Sequence[Floats], wanted: Clique) -> Floats:
    """The joint distribution of distinct variables of the tree, axes in the order of `wanted`, none for none.

    From the last clique up, the distribution of the wanted variables below is passed on, given what the
    clique shares with its parent, until all of them have met.
    """
    passed: dict[int, list[tuple[Clique, Floats]]] = {i: [] for i in range(len(tree.cliques))}
    for i in range(len(tree.cliques) - 1, -1, -1):
        clique, separator = tree.cliques[i], tree.separators[i]
        met = set(clique).union(*(axes for axes, _ in passed[i]))
        if met.issuperset(wanted):
            return _product(clique, beliefs[i], passed[i], wanted)
        below = tuple(v for v in wanted if v in met and v not in separator)
        if below:
            message = _product(clique, conditional(tree, beliefs, i), passed[i], separator + below)
            passed[tree.parents[i]].append((separator + below, message))
    return np.ones(())


def conditional(tree: JunctionTree, beliefs: Sequence[Floats], i: int) -> Floats:
    """P(clique i | its separator), with the clique's axes; 0 where the separator's state has no probability."""
    clique, separator = tree.cliques[i], tree.separators[i]
    given = spread(margin(beliefs[i], clique, separator), separator, clique)
    return np.divide(beliefs[i], given, out=np.zeros_like(beliefs[i]), where=given > 0)


def _product(
    clique: Clique, table: Floats, messages: Sequence[tuple[Clique, Floats]], kept: Clique
) -> Floats:
    """The product of a clique's table and messages to it, summed over all but `kept`."""
    letter = {
        v: k for k, v in enumerate(sorted({*clique, *kept, *(v for axes, _ in messages for v in axes)}))
    }
    operands: list[Any] = [table, [letter[v] for v in clique]]
    for axes, message in messages:
        operands += [message, [letter[v] for v in axes]]
    return np.asarray(np.einsum(*operands, [letter[v] for v in kept], optimize="greedy"))


def fine_marginal(
    columns: Sequence[NetworkColumn],
    leaves: Sequence[Leaf],
    tree: JunctionTree,
    beliefs: Sequence[Floats],
    wanted: Sequence[int],
    *,
    coarse: bool,
) -> CellProbabilities:
    """The joint distribution of distinct columns, 1 or more, over their fine cells or their coarse ones.

    Raises `UsageError` where these are more than 4 million.
    """
    axes = tuple(
        Axis(columns[v].cells, columns[v].coarse if coarse else np.arange(columns[v].cells.n_cells))
        for v in wanted
    )
    n_cells = math.prod(axis.n_groups for axis in axes)
    if n_cells > MOST_CELLS:
        hint = "ask for fewer columns" if coarse else "ask for fewer columns, or for coarse cells"
        raise UsageError(f"the marginal has {n_cells:,} cells, more than {MOST_CELLS:,}: {hint}")
    on = {leaf.function.child: leaf for leaf in leaves}
    roots = tuple(dict.fromkeys(on[v].function.parent if v in on else v for v in wanted))
    # Indices of the sum: k for the coarse cell of root k, then of its fine cell, then those of each result.
    n = len(roots)
    operands: list[Any] = [joint_of(tree, beliefs, roots), list(range(n))]
    for k, root in enumerate(roots):
        operands += [_indicator(columns[root].coarse) * columns[root].shares, [k, n + k]]
    results = []
    for at, (v, axis) in enumerate(zip(wanted, axes, strict=True)):
        root = n + roots.index(on[v].function.parent if v in on else v)
        table = on[v].conditional if v in on else None
        if coarse:
            grouped = _indicator(axis.group).T
            table = grouped if table is None else table @ grouped
        operands += [] if table is None else [table, [root, 2 * n + at]]
        results.append(root if table is None else 2 * n + at)
    return CellProbabilities(axes, np.asarray(np.einsum(*operands, results, optimize="greedy")))


def leaves_meeting(
    columns: Sequence[NetworkColumn], leaves: Sequence[Leaf], tree: JunctionTree, beliefs: Sequence[Floats]
) -> tuple[Leaf, ...]:
    """The leaves, tilted so that each child is distributed as its own counts say.

    A column's own counts are surer than sums over a noisy table of its fine cells and its parent's.
    """
    met = []
    for leaf in leaves:
        parent, child = (columns[v] for v in (leaf.function.parent, leaf.function.child))
        coarse = joint_of(tree, beliefs, (leaf.function.parent,))
        met.append(leaf.met(coarse[parent.coarse] * parent.shares, child.counts))
    return tuple(met)


def _indicator(group: Cells) -> Floats:
    """1 where a cell belongs to a group, (n_groups, n_cells)."""
    belongs: Floats = (group == np.arange(group.max() + 1)[:, None]).astype(np.float64)
    return belongs
