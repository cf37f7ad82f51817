"""How strongly the pairs of columns that a network joins directly depend on each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tabsynth.models.explicit import Edge
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.exact import fine_marginal
from tabsynth.models.network.junction_tree import margins
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.loglinear import LogLinear

Floats = npt.NDArray[np.float64]


def edges_of(columns: Sequence[NetworkColumn], leaves: Sequence[Leaf], model: LogLinear) -> tuple[Edge, ...]:
    """Every pair within a potential's variables, and every leaf with its parent; the strongest share first."""
    pairs = {pair for scope in model.variables for pair in itertools.combinations(sorted(scope), 2)}
    tree, homes = model.tree, {pair: model.tree.home(pair) for pair in sorted(pairs)}
    found = []
    for i, clique in enumerate(tree.cliques):
        here = [pair for pair, home in homes.items() if home == i]
        wanted = [tuple(v for v in clique if v in pair) for pair in here]
        for pair, joint in zip(here, margins(model.beliefs[i], clique, wanted), strict=True):
            found.append(_edge(columns, pair, joint, is_function=False))
    for leaf in leaves:
        pair = (leaf.function.parent, leaf.function.child)
        joint = fine_marginal(columns, leaves, tree, model.beliefs, pair, coarse=True).probabilities
        found.append(_edge(columns, pair, joint, is_function=True))
    return tuple(sorted(found, key=lambda edge: (-edge.share, edge.columns)))


def _edge(
    columns: Sequence[NetworkColumn], pair: tuple[int, int], joint: Floats, *, is_function: bool
) -> Edge:
    information, share = _mutual_information(joint)
    names = (columns[pair[0]].variable.name, columns[pair[1]].variable.name)
    return Edge(columns=names, information=information, share=share, is_function=is_function)


def _mutual_information(joint: Floats) -> tuple[float, float]:
    """Mutual information of a joint distribution, (n, m), in nats ≥ 0, and as a share of the smaller entropy."""
    first, second = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    information = max(first + second - _entropy(joint.ravel()), 0.0)
    smaller = min(first, second)
    return information, min(information / smaller, 1.0) if smaller > 1e-12 else 0.0


def _entropy(shares: Floats) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
