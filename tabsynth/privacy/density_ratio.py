"""How much more frequent rows are in a table than among rows that a model drew: a density ratio, estimated by boosted trees.

A classifier that tells the two apart estimates the logarithm of their ratio (Sugiyama, Suzuki and Kanamori 2012, chapter 4); as
boosting of a density it is due to Grover and Ermon (2018). Trees stop where rows that they were not grown on stop
gaining, and are scaled by what these say. One row more can change every tree, so no noise could be added at a bearable
price: for fits without privacy, where the ledger says that it was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int32]
DensityRatio = Callable[..., "list[RatioTree]"]

MOST_LEAVES = 16
MOST_TREES = 1000
LEAST_ROWS = 200
"""Of a table; with fewer, too few are held out to say when to stop."""
_HELD_OUT = 0.25
_RATE = 0.2
_RIDGE = 10.0  # rows, as LightGBM counts them
_PATIENCE = 20  # trees without a gain on rows held out
_SCALES = (0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_ERRORS = 2.0  # standard errors that the gain on rows held out must exceed


@dataclass(frozen=True, eq=False)
class RatioTree:
    """Nodes in preorder, all of shape (n_nodes,): rows whose code in column `column` is ≤ `threshold` go left.

    A leaf has column, left and right -1; `value` is what it adds to the logarithm of the ratio, zero at other nodes.
    """

    column: Integers
    threshold: Integers
    left: Integers
    right: Integers
    value: npt.NDArray[np.float32]


def fit_density_ratio(
    real: Codes,
    drawn: Codes,
    *,
    min_leaf: int,
    min_group: int,
    seed: int,
    most_trees: int = MOST_TREES,
    n_threads: int = 1,
) -> list[RatioTree]:
    """Trees whose sum is the logarithm of the ratio of `real` rows, (n, d) codes, to `drawn` ones, (m, d).

    A leaf is grown on about `min_leaf` rows of either table or more. One that holds fewer than `min_group` real rows, and not
    none, adds nothing. At most `most_trees`, and none where there is no gain, beyond chance, on a quarter of the rows held out. The same whatever the
    number of threads: one, as more of LightGBM's wait for one another in a loop where other work takes a core.
    """
    if len(real) < LEAST_ROWS:
        return []
    booster, n_trees, scale = _boosted(
        real, drawn, min_leaf=min_leaf, seed=seed, most_trees=most_trees, n_threads=n_threads
    )
    if not n_trees:
        return []
    reached = booster.predict(real.astype(np.float32), pred_leaf=True, num_iteration=n_trees)
    reached = reached.reshape(len(real), n_trees)
    dumped = booster.dump_model(num_iteration=n_trees)["tree_info"]
    trees = []
    for number, tree in enumerate(dumped):
        held = np.bincount(reached[:, number].astype(np.int64), minlength=MOST_LEAVES)
        is_silent = (held > 0) & (held < min_group)
        trees.append(_as_arrays(tree["tree_structure"], scale, is_silent))
    return trees


def _boosted(
    real: Codes, drawn: Codes, *, min_leaf: int, seed: int, most_trees: int, n_threads: int
) -> tuple[Any, int, float]:
    """The booster, how many of its trees rows held out bear out, and by how much these are to be scaled."""
    import lightgbm

    rng = np.random.default_rng(seed)
    rows = np.concatenate([real, drawn]).astype(np.float32)
    is_real = np.arange(len(rows)) < len(real)
    weight = np.where(is_real, len(drawn) / len(real), 1.0)
    is_held = rng.random(len(rows)) < _HELD_OUT
    settings = {
        "objective": "binary",
        "num_leaves": MOST_LEAVES,
        "learning_rate": _RATE,
        "min_data_in_leaf": round(min_leaf * (1 + len(drawn) / len(real)) * (1 - _HELD_OUT)),
        "lambda_l2": _RIDGE,
        "boost_from_average": False,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": n_threads,
        "seed": seed,
        "verbose": -1,
    }
    grown = lightgbm.Dataset(rows[~is_held], is_real[~is_held], weight=weight[~is_held])
    held = lightgbm.Dataset(rows[is_held], is_real[is_held], weight=weight[is_held], reference=grown)
    stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
    booster = lightgbm.train(settings, grown, most_trees, valid_sets=[held], callbacks=[stop])
    n_trees = int(booster.best_iteration)
    logs = np.asarray(booster.predict(rows[is_held], raw_score=True, num_iteration=n_trees), dtype=np.float64)
    scale = borne_out(logs, is_real[is_held], weight[is_held])
    return booster, n_trees if scale else 0, scale


def borne_out(logs: Floats, is_real: npt.NDArray[np.bool_], weight: Floats) -> float:
    """The scale in (0, 1] of estimated log ratios that loses least on rows held out; 0 where they gain nothing beyond chance."""
    gains = [np.log(2) - np.logaddexp(0, np.where(is_real, -scale, scale) * logs) for scale in _SCALES]
    means = [float(np.average(gain, weights=weight)) for gain in gains]
    best = int(np.argmax(means))
    share = weight / weight.sum()
    error = float(np.sqrt((share**2 * (gains[best] - means[best]) ** 2).sum()))
    return _SCALES[best] if means[best] > _ERRORS * error else 0.0


def _as_arrays(root: dict[str, Any], scale: float, is_silent: npt.NDArray[np.bool_]) -> RatioTree:
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
    column, threshold, left, right, value = zip(*nodes, strict=True)
    return RatioTree(
        np.array(column, dtype=np.int32),
        np.array(threshold, dtype=np.int32),
        np.array(left, dtype=np.int32),
        np.array(right, dtype=np.int32),
        np.array(value, dtype=np.float32),
    )
