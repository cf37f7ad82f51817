"""How probable each class of a target is, given a row's other codes: multinomial boosting.

The scores of all classes are sums of trees, and chances their softmax (Friedman 2001, "Greedy function approximation", section 4.6).
One row more can change every tree, so no noise could be added at a bearable price: for fits without privacy,
where the ledger says that it was read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.privacy.boosted import MOST_LEAVES, BoostedTree, Codes, Integers, tree_of

ClassScores = Callable[..., "list[BoostedTree]"]
Classes = npt.NDArray[np.signedinteger[Any]]

MOST_STEPS = 300
_PATIENCE = 30  # steps that may be taken without a gain on rows held out
_ERRORS = 2.0  # standard errors that trees must gain on rows held out
_RATE = 0.1
_SMOOTHED = 50.0  # rows, below which a leaf says mostly what the node above it does
_ROWS_ASKED = 0.7  # a share drawn anew for every step
_COLUMNS_ASKED = 0.3
_FEWEST_COLUMNS = 4
_MOST_BINS = 63
_COUNTED_ALIKE = (
    30.0  # rows in proportion to the whole table, added to those of each level before levels are ordered
)


def n_scores(n_classes: int) -> int:
    """Of two classes one score tells, the log odds of the second; else each class has its own."""
    return 1 if n_classes == 2 else n_classes


def fit_class_scores(
    codes: Codes,
    classes: Classes,
    *,
    n_classes: int,
    min_leaf: int,
    seed: int,
    n_steps: int,
    judged_by: tuple[Codes, Classes] | None = None,
) -> list[BoostedTree]:
    """Trees of every step, `n_scores` of them, for rows of (n, d) codes and their `classes`, 0 to `n_classes` - 1 ≥ 1.

    At most `n_steps`; where rows to be `judged_by` are given no more than they bear out, none at all where frequencies
    alone do as well but for two standard errors. A leaf is grown on `min_leaf` rows or more. The same for a seed, whatever else is running.
    """
    import lightgbm

    is_binary = n_classes == 2
    settings: dict[str, Any] = {
        "objective": "binary" if is_binary else "multiclass",
        "metric": "binary_logloss" if is_binary else "multi_logloss",
        "num_leaves": MOST_LEAVES,
        "learning_rate": _RATE,
        "max_bin": _MOST_BINS,
        "min_data_in_leaf": min_leaf,
        "path_smooth": _SMOOTHED * min_leaf / 30,
        "bagging_fraction": _ROWS_ASKED,
        "bagging_freq": 1,
        "feature_fraction": min(1.0, max(_COLUMNS_ASKED, _FEWEST_COLUMNS / codes.shape[1])),
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    if not is_binary:
        settings["num_class"] = n_classes
    grown = lightgbm.Dataset(codes.astype(np.float32), classes, params=settings, free_raw_data=False)
    said: dict[str, dict[str, list[float]]] = {}
    stop: dict[str, Any] = {}
    if judged_by is not None:
        others, their = judged_by
        apart = lightgbm.Dataset(others.astype(np.float32), their, reference=grown, params=settings)
        stop = {
            "valid_sets": [apart],
            "callbacks": [
                lightgbm.early_stopping(_PATIENCE, verbose=False),
                lightgbm.record_evaluation(said),
            ],
        }
    booster: Any = lightgbm.train(settings, grown, num_boost_round=n_steps, **stop)
    n_taken = n_steps
    if judged_by is not None:
        n_taken = int(np.argmin(next(iter(said["valid_0"].values())))) + 1
        chance = booster.predict(others.astype(np.float32), num_iteration=n_taken, num_threads=1)
        chance = np.stack([1 - chance, chance], axis=1) if is_binary else chance
        shares = (np.bincount(classes, minlength=n_classes) + 0.5) / (len(classes) + 0.5 * n_classes)
        gains = np.log(chance[np.arange(len(their)), their]) - np.log(shares[their])
        if gains.mean() < _ERRORS * gains.std() / np.sqrt(len(gains)):
            return []
    return [
        tree_of(tree["tree_structure"]) for tree in booster.dump_model(num_iteration=n_taken)["tree_info"]
    ]


def order_of_codes(
    codes: Integers, classes: Classes, *, n_codes: int, n_classes: int, min_group: int
) -> Integers:
    """The place of every code, (n_codes,), in an order in which neighbours have like shares of the classes; `codes` are 0 to `n_codes` - 1.

    By the first principal component of the shares, of a code of few rows drawn towards the table's. Codes of fewer than `min_group` rows
    stand where the table does, so that their place tells nothing of those rows.
    """
    counts = np.zeros((n_codes, n_classes))
    np.add.at(counts, (codes, classes), 1.0)
    n_rows, whole = counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / max(counts.sum(), 1.0)
    apart = (counts + _COUNTED_ALIKE * whole) / (n_rows + _COUNTED_ALIKE) - whole
    apart[n_rows[:, 0] < min_group] = 0.0
    axis = np.linalg.svd(apart * np.sqrt(n_rows), full_matrices=False)[2][0]
    place = np.empty(n_codes, dtype=np.int32)
    place[np.argsort(apart @ axis, kind="stable")] = np.arange(n_codes, dtype=np.int32)
    return place
