"""Where columns stand on a ring so that those that go together stand close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_MOST_MOVED = 60  # nodes; beyond these the first places stay
_MOST_PASSES = 8


def ring_order(n_nodes: int, weights: Mapping[tuple[int, int], float]) -> list[int]:
    """Nodes 0 … n_nodes - 1 in their order around a ring, where Σ weight · distance along the ring is small.

    Nodes are put in one by one, the one tied most to those already there at the place that suits it best,
    then each is moved as long as that helps. The node with the largest sum of weights comes first, those
    without any last. No chance is involved.
    """
    W = np.zeros((n_nodes, n_nodes))
    for (i, j), weight in weights.items():
        W[i, j] += weight
        W[j, i] += weight
    strength = W.sum(axis=1)
    order: list[int] = []
    left = [node for node in range(n_nodes) if strength[node] > 0]
    alone = [node for node in range(n_nodes) if not strength[node] > 0]
    while left:
        ties = W[:, order].sum(axis=1) if order else strength
        node = max(left, key=lambda v: (ties[v], strength[v], -v))
        left.remove(node)
        order = _best_with(node, order, W)
    for _ in range(_MOST_PASSES if len(order) <= _MOST_MOVED else 0):
        before = _length(order, W)
        for node in sorted(order):
            moved = _best_with(node, [v for v in order if v != node], W)
            order = moved if _length(moved, W) < _length(order, W) - 1e-9 else order
        if _length(order, W) > before - 1e-9:
            break
    return [*_turned(order, int(strength.argmax())), *alone] if order else alone


def _best_with(node: int, order: Sequence[int], W: Floats) -> list[int]:
    """`order` with the node at the place where the ring's length is least, the first of equal ones."""
    places = [[*order[:at], node, *order[at:]] for at in range(max(len(order), 1))]
    return min(places, key=lambda place: round(_length(place, W), 9))


def _length(order: Sequence[int], W: Floats) -> float:
    n = len(order)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    at = np.asarray(order, dtype=np.intp)
    return float((W[np.ix_(at, at)] * np.minimum(apart, n - apart)).sum())


def _turned(order: list[int], first: int) -> list[int]:
    """The same ring read from `first` on, towards its neighbour of the smaller number."""
    at = order.index(first)
    order = order[at:] + order[:at]
    return order if len(order) < 3 or order[1] < order[-1] else [order[0], *order[:0:-1]]
