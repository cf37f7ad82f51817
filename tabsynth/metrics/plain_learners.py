"""Linear models and random forests on encoded tables, beside the boosted trees of `learners`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.metrics.learners import Boosting, Features, predict
from tabsynth.metrics.proximity import Space
from tabsynth.metrics.sampling import take_columns
from tabsynth.metrics.utility import Task

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Taught:
    """What a learner said of the tables it was asked, and how much it gained by each column, if it knows."""

    predictions: tuple[Matrix, ...]
    gains: dict[str, float]


class Learner(Protocol):
    """Learns the target of a task from one table and predicts it for others.

    Predictions are numbers, the probability of class 1, or probabilities of all classes (n_rows, n_classes).
    `weights`, (n_rows,), say how much each row of `table` counts; None is 1 for all.
    """

    def teach(
        self, task: Task, table: EncodedTable, asked: Sequence[EncodedTable], *, weights: Matrix | None = None
    ) -> Taught: ...


def n_classes_of(task: Task) -> int:
    """0 for a number."""
    return int(task.objective.get("num_class", 0 if task.objective["objective"] == "regression" else 2))


@dataclass(frozen=True, slots=True)
class Boosted:
    """Gradient boosted trees, as everywhere else."""

    seed: int
    n_rounds: int = 100

    def teach(
        self, task: Task, table: EncodedTable, asked: Sequence[EncodedTable], *, weights: Matrix | None = None
    ) -> Taught:
        features = Features.of((task.synthetic, task.train, task.holdout), without=task.target)
        # every round grows one tree per class
        n_rounds = max(20, 2 * self.n_rounds // max(2, n_classes_of(task)))
        booster = Boosting(seed=self.seed, n_rounds=n_rounds).fit(
            features.matrix(table),
            task.labels(table),
            features=features,
            objective=task.objective,
            weights=weights,
        )
        gains = features.by_owner(booster.feature_importance(importance_type="gain"))
        return Taught(tuple(predict(booster, features.matrix(other)) for other in asked), gains)


@dataclass(frozen=True, slots=True)
class Linear:
    """Logistic regression, or ridge regression of a number: levels one by one, numbers on train's scale."""

    penalty: float = 1.0
    max_iterations: int = 200

    def teach(
        self, task: Task, table: EncodedTable, asked: Sequence[EncodedTable], *, weights: Matrix | None = None
    ) -> Taught:
        from sklearn.linear_model import LogisticRegression, Ridge

        names = [name for name in task.train.columns if name != task.target]
        tables = [take_columns(side, names) for side in (task.train, task.synthetic, task.holdout)]
        with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest double
            space = Space.of(tables[0], tables)
            matrices = [_finite(space.embed(take_columns(side, names))) for side in (table, *asked)]
        if n_classes_of(task):
            model = LogisticRegression(C=1.0 / self.penalty, max_iter=self.max_iterations, tol=1e-3)
        else:
            model = Ridge(alpha=self.penalty)
        return _taught(model, task, task.labels(table), matrices, weights)


@dataclass(frozen=True, slots=True)
class Forest:
    """A random forest of 100 trees with at least five rows in a leaf; levels by their codes."""

    seed: int
    n_trees: int = 100
    min_leaf: int = 5

    def teach(
        self, task: Task, table: EncodedTable, asked: Sequence[EncodedTable], *, weights: Matrix | None = None
    ) -> Taught:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        features = Features.of((task.synthetic, task.train, task.holdout), without=task.target)
        matrices = [_finite(features.matrix(side)) for side in (table, *asked)]
        kind = RandomForestClassifier if n_classes_of(task) else RandomForestRegressor
        model = kind(
            n_estimators=self.n_trees,
            min_samples_leaf=self.min_leaf,
            max_features="sqrt" if n_classes_of(task) else 1 / 3,
            random_state=self.seed,
            n_jobs=1,
        )
        return _taught(model, task, task.labels(table), matrices, weights)


_LARGE = 1e30  # in the reach of single precision, in which forests compare


def _finite(matrix: npt.NDArray[np.floating]) -> Matrix:
    """The matrix without NaN and infinities: a number that is missing is below all others."""
    found = np.nan_to_num(np.asarray(matrix, dtype=np.float64), nan=-_LARGE, posinf=_LARGE, neginf=-_LARGE)
    clipped: Matrix = np.clip(found, -_LARGE, _LARGE)
    return clipped


def _taught(
    model: Any,
    task: Task,
    labels: npt.NDArray[np.float64],
    matrices: Sequence[Matrix],
    weights: Matrix | None,
) -> Taught:
    learn_from, *asked = matrices
    model.fit(learn_from, labels, sample_weight=weights)
    n_classes = n_classes_of(task)
    if not n_classes:
        return Taught(tuple(np.asarray(model.predict(matrix), dtype=np.float64) for matrix in asked), {})
    seen = model.classes_.astype(np.intp)
    predictions = []
    for matrix in asked:
        shares = np.zeros((len(matrix), n_classes))
        shares[:, seen] = model.predict_proba(matrix)
        predictions.append(shares[:, 1] if n_classes == 2 else shares)
    return Taught(tuple(predictions), {})
