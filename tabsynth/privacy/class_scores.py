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

from tabsynth.privacy.boosted import MOST_LEAVES, BoostedTree, Codes, constant, repeatable, trees_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]
Classes = npt.NDArray[np.signedinteger[Any]]
ClassScores = Callable[..., "list[BoostedTree]"]

MOST_STEPS = 300
MOST_PLACES = 63
"""Of a column's codes, in an order between which trees split."""
_PATIENCE = 30  # steps that may be taken without a gain on rows held out
_ERRORS = 3.0  # standard errors that trees must gain on rows held out, which also say where they stop
_ROUNDING = 1e-6  # nats a row, below which nothing is gained
_RATE = 0.1
_MOST_STEP = 4.0  # of a leaf, times the rate: where a class is all but excluded Newton's step is anything
_SMOOTHED = 50.0  # rows, below which a leaf says mostly what the node above it does
_ROWS_ASKED = 0.7  # a share drawn anew for every step
_COLUMNS_ASKED = 0.3
_FEWEST_COLUMNS = 4
_FALSE_DISCOVERIES = 0.1  # among codes that have a place of their own
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
    min_group: int,
    seed: int,
    n_steps: int,
    judged_by: tuple[Codes, Classes] | None = None,
) -> list[BoostedTree]:
    """Trees of every step, `n_scores` of them, for rows of (n, d) codes and their `classes`, 0 to `n_classes` - 1 ≥ 1, each of which some row has.

    The first step, of trees that ask for nothing, has the frequencies of classes; at most `n_steps` come after it. Where rows to be `judged_by` are
    given no more than they bear out, and none at all where frequencies alone do as well but for three standard errors. A leaf is grown on about `min_leaf` rows
    or more, and one that fewer than `min_group` rows reach adds nothing. The same for a seed, whatever else is running.
    """
    import lightgbm

    n = n_scores(n_classes)
    settings: dict[str, Any] = {
        "objective": "binary" if n == 1 else "multiclass",
        "num_class": n,
        "metric": "binary_logloss" if n == 1 else "multi_logloss",
        "num_leaves": MOST_LEAVES,
        "learning_rate": _RATE,
        "max_delta_step": _MOST_STEP,
        "max_bin": MOST_PLACES + 1,
        "min_data_in_bin": 1,
        "min_data_in_leaf": min_leaf,
        "path_smooth": _SMOOTHED * min_leaf / 30,
        "bagging_fraction": _ROWS_ASKED,
        "bagging_freq": 1,
        "feature_fraction": min(1.0, max(_COLUMNS_ASKED, _FEWEST_COLUMNS / codes.shape[1])),
        **repeatable(seed),
    }
    shares = np.log(np.bincount(classes, minlength=n_classes) / len(classes))
    start = shares if n > 1 else shares[1:] - shares[:1]

    def table(rows: Codes, labels: Classes, **more: Any) -> Any:
        begun = np.repeat(start, len(rows))
        return lightgbm.Dataset(
            rows.astype(np.float32), labels, init_score=begun, params=settings, free_raw_data=False, **more
        )

    grown = table(codes, classes)
    said: dict[str, dict[str, list[float]]] = {}
    stop: dict[str, Any] = {}
    if judged_by is not None:
        stop["valid_sets"] = [table(*judged_by, reference=grown)]
        stop["callbacks"] = [
            lightgbm.early_stopping(_PATIENCE, verbose=False),
            lightgbm.record_evaluation(said),
        ]
    booster: Any = lightgbm.train(settings, grown, num_boost_round=n_steps, **stop)
    n_taken = booster.current_iteration()
    if judged_by is not None:
        n_taken = int(np.argmin(next(iter(said["valid_0"].values())))) + 1
        others, their = judged_by
        scores = booster.predict(
            others.astype(np.float32), num_iteration=n_taken, raw_score=True, num_threads=1
        )
        gains = log_chances(scores.reshape(len(their), n).T + start[:, None], their) - shares[their]
        if not gains.mean() > max(_ERRORS * gains.std() / np.sqrt(len(gains)), _ROUNDING):
            return []
    return [*map(constant, start.tolist()), *trees_of(booster, codes, n_taken, min_group=min_group, each=n)]


def log_chances(scores: Floats, classes: Classes) -> Floats:
    """Of each row's class, (n_rows,), from the scores of all classes, (n_scores, n_rows)."""
    if len(scores) == 1:
        binary: Floats = -np.logaddexp(0.0, np.where(classes == 1, -scores[0], scores[0]))
        return binary
    found: Floats = scores[classes, np.arange(len(classes))] - np.logaddexp.reduce(scores, axis=0)
    return found


def places_of_codes(
    codes: Integers, classes: Classes, *, n_codes: int, n_classes: int, min_group: int
) -> Integers:
    """The place of every code, (n_codes,), 0 to `MOST_PLACES` - 1, such that codes of like shares of the classes have the same place or ones beside it.

    `codes`, (n_rows,), are 0 to `n_codes` - 1. By the first principal component of the shares, those of a code of few rows drawn towards the table's. Codes whose shares differ from the
    table's by no more than chance (Pearson's statistic; Benjamini and Hochberg 1995) have the table's own place, else trees would learn of each row's class by what it did to its own code's place; and so have codes of fewer
    than `min_group` rows, which tells nothing of those rows.
    """
    from scipy.stats import chi2, false_discovery_control

    counts = np.zeros((n_codes, n_classes))
    np.add.at(counts, (codes, classes), 1.0)
    n_rows = counts.sum(axis=1)
    whole = counts.sum(axis=0) / max(counts.sum(), 1.0)
    apart = counts - n_rows[:, None] * whole
    statistic = (apart**2 / np.maximum(n_rows[:, None] * whole, 1e-300)).sum(axis=1)
    is_many = n_rows >= min_group
    differs = is_many.copy()
    differs[is_many] = (
        false_discovery_control(chi2.sf(statistic[is_many], n_classes - 1)) <= _FALSE_DISCOVERIES
    )
    shares = np.where(differs[:, None], apart / (n_rows[:, None] + _COUNTED_ALIKE), 0.0)
    axis = np.linalg.svd(shares * np.sqrt(n_rows)[:, None], full_matrices=False)[2][0]
    along, value_of = np.unique(shares @ axis, return_inverse=True)
    held = np.bincount(value_of.reshape(-1), weights=n_rows, minlength=len(along)) / max(n_rows.sum(), 1.0)
    place = np.floor((np.cumsum(held) - held / 2) * MOST_PLACES).clip(0, MOST_PLACES - 1)
    return np.unique(place, return_inverse=True)[1].reshape(-1).astype(np.int32)[value_of.reshape(-1)]
