"""Trees of a boosted sum over integer codes, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

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
    written = _written(booster.model_to_string(num_iteration=n_trees))
    for first in range(0, n_trees, _ASKED_AT_ONCE):
        n_asked = min(_ASKED_AT_ONCE, n_trees - first)
        reached = booster.predict(
            asked, pred_leaf=True, start_iteration=first, num_iteration=n_asked, num_threads=1
        ).reshape(len(rows), -1)
        n_found = reached.shape[1]
        leaves = reached.astype(np.int64) + MOST_LEAVES * np.arange(n_found)
        held = np.bincount(leaves.reshape(-1), minlength=MOST_LEAVES * n_found).reshape(n_found, -1)
        is_silent = (held > 0) & (held < min_group)
        own = written[each * first : each * first + n_found]
        found += [_tree(tree, scale, silent) for tree, silent in zip(own, is_silent, strict=True)]
    return found


def _written(model: str) -> list[dict[str, str]]:
    """The fields of every tree in LightGBM's text form (`model_to_string`), which takes a tenth of the time of its JSON."""
    trees = model.partition("end of trees")[0].split("Tree=")[1:]
    return [dict(line.split("=", 1) for line in tree.splitlines() if "=" in line) for tree in trees]


def _tree(written: Mapping[str, str], scale: float, is_silent: npt.NDArray[np.bool_]) -> BoostedTree:
    """Inner nodes are numbered from 0 there, children that are leaves as -1, -2, …"""

    def numbers(field: str) -> Floats:
        return np.array(written.get(field, "").split(), dtype=np.float64)

    said = numbers("leaf_value")
    below = [numbers(field).astype(np.intp) for field in ("left_child", "right_child")]
    left, right = (own.tolist() for own in below)
    order, waiting = [], [0 if left else -1]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if node >= 0:
            waiting += (right[node], left[node])
    preorder = np.array(order)
    place = np.empty(len(order), dtype=np.int32)
    place[preorder] = np.arange(len(order))  # leaves stand at its end, from behind
    is_inner = preorder >= 0
    inner, leaf = preorder[is_inner], -1 - preorder[~is_inner]
    column, towards_left, towards_right = (np.full(len(order), -1, dtype=np.int32) for _ in range(3))
    threshold, value = np.zeros(len(order), dtype=np.int32), np.zeros(len(order), dtype=np.float32)
    column[is_inner] = numbers("split_feature")[inner]
    threshold[is_inner] = np.floor(numbers("threshold"))[inner]
    towards_left[is_inner], towards_right[is_inner] = (place[own[inner]] for own in below)
    value[~is_inner] = np.where(is_silent[leaf], 0.0, scale * said[leaf])
    return BoostedTree(column, threshold, towards_left, towards_right, value)


def constant(value: float) -> BoostedTree:
    """A tree of one leaf."""
    one = np.full(1, -1, dtype=np.int32)
    return BoostedTree(one, np.zeros(1, dtype=np.int32), one, one, np.full(1, value, dtype=np.float32))
