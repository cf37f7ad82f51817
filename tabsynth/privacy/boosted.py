"""Trees of a boosted sum over integer codes, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int32]

MOST_LEAVES = 32
"""Of a tree: as many as a word of 32 bits tells apart."""
_ASKED_AT_ONCE = 16  # steps, whose trees stay in the cache


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


def repeatable(seed: int) -> dict[str, Any]:
    """Settings by which LightGBM grows the same trees for a seed, whatever else is running, in silence, from nothing.

    On one thread, as more of its own wait for one another in a loop where other work takes a core.
    """
    return {
        "boost_from_average": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }


def trees_of(
    booster: Any, rows: Codes, n_trees: int, *, scale: float = 1.0, min_group: int, each: int = 1
) -> list[BoostedTree]:
    """The first trees that LightGBM grew, as many as `n_trees` steps of `each`, what their leaves say times `scale`.

    A leaf that fewer than `min_group` of the `rows`, and not none, reach adds nothing: LightGBM itself counts rows by their weight, roughly.
    """
    found: list[BoostedTree] = []
    asked = rows.astype(np.float32)
    structures = booster.dump_model(num_iteration=n_trees)["tree_info"]
    for first in range(0, n_trees, _ASKED_AT_ONCE):
        n_asked = min(_ASKED_AT_ONCE, n_trees - first)
        reached = booster.predict(
            asked, pred_leaf=True, start_iteration=first, num_iteration=n_asked, num_threads=1
        ).reshape(len(rows), -1)
        n_found = reached.shape[1]
        leaves = reached.astype(np.int64) + MOST_LEAVES * np.arange(n_found)
        held = np.bincount(leaves.reshape(-1), minlength=MOST_LEAVES * n_found).reshape(n_found, -1)
        is_silent = (held > 0) & (held < min_group)
        own = structures[each * first : each * first + n_found]
        for tree, silent in zip(own, is_silent, strict=True):
            found.append(_tree(tree["tree_structure"], scale, silent))
    return found


def _tree(root: dict[str, Any], scale: float, is_silent: npt.NDArray[np.bool_]) -> BoostedTree:
    nodes: list[tuple[int, int, int, int, float]] = []

    def add(node: dict[str, Any]) -> int:
        at = len(nodes)
        if "split_feature" not in node:
            value = 0.0 if is_silent[node.get("leaf_index", 0)] else scale * node["leaf_value"]
            nodes.append((-1, 0, -1, -1, value))
            return at
        nodes.append((-1, 0, -1, -1, 0.0))
        left, right = add(node["left_child"]), add(node["right_child"])
        nodes[at] = (node["split_feature"], int(np.floor(node["threshold"])), left, right, 0.0)
        return at

    add(root)
    return as_tree(nodes)


def as_tree(nodes: Sequence[tuple[int, int, int, int, float]]) -> BoostedTree:
    """Of nodes in preorder: column, threshold, left, right and value of each."""
    column, threshold, left, right, value = zip(*nodes, strict=True)
    return BoostedTree(
        np.array(column, dtype=np.int32),
        np.array(threshold, dtype=np.int32),
        np.array(left, dtype=np.int32),
        np.array(right, dtype=np.int32),
        np.array(value, dtype=np.float32),
    )
