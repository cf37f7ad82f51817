"""Trees of a boosted sum over integer codes, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int32]

MOST_LEAVES = 32
"""Of a tree: as many as a word of 32 bits tells apart."""


@dataclass(frozen=True, eq=False)
class BoostedTree:
    """Nodes in preorder, all of shape (n_nodes,): rows whose code in column `column` is ≤ `threshold` go left.

    A leaf has column, left and right -1; `value` is what it adds to the sum, zero at other nodes.
    """

    column: Integers
    threshold: Integers
    left: Integers
    right: Integers
    value: npt.NDArray[np.float32]


def tree_of(
    root: dict[str, Any], scale: float = 1.0, is_silent: npt.NDArray[np.bool_] | None = None
) -> BoostedTree:
    """A tree that LightGBM dumped, what its leaves say times `scale`; leaves that are silent add nothing."""
    nodes: list[tuple[int, int, int, int, float]] = []

    def add(node: dict[str, Any]) -> int:
        at = len(nodes)
        if "split_feature" not in node:
            leaf = node.get("leaf_index", 0)
            value = 0.0 if is_silent is not None and is_silent[leaf] else scale * node["leaf_value"]
            nodes.append((-1, 0, -1, -1, value))
            return at
        nodes.append((-1, 0, -1, -1, 0.0))
        left, right = add(node["left_child"]), add(node["right_child"])
        nodes[at] = (node["split_feature"], int(np.floor(node["threshold"])), left, right, 0.0)
        return at

    add(root)
    column, threshold, left, right, value = zip(*nodes, strict=True)
    return BoostedTree(
        np.array(column, dtype=np.int32),
        np.array(threshold, dtype=np.int32),
        np.array(left, dtype=np.int32),
        np.array(right, dtype=np.int32),
        np.array(value, dtype=np.float32),
    )
