"""Scores of predictions as functions of row weights, so that a bootstrap replicate costs one pass.

Each takes labels, shape (n_rows,), and predictions, and gives a function from weights, shape (n_rows,),
to the score; NaN where the weights leave it undefined.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float64]
Labels = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Score = Callable[[Weights], float]
Scorer = Callable[[Labels, Matrix], Score]


def r2_score(labels: Labels, predictions: Matrix) -> Score:
    """The share of the labels' variance that the predictions explain; at most 1, below 0 without bound."""
    squared_error = (labels - predictions) ** 2

    def score(weights: Weights) -> float:
        total = float(weights.sum())
        mean = float(weights @ labels) / total
        variation = float(weights @ (labels - mean) ** 2)
        return 1.0 - float(weights @ squared_error) / variation if variation > 0 else float("nan")

    return score


def binary_auc(labels: Labels, predictions: Matrix) -> Score:
    """The area under the ROC curve of label 1 against label 0."""
    order = np.argsort(predictions, kind="stable")
    starts = np.flatnonzero(np.diff(predictions[order], prepend=-np.inf) != 0)
    is_positive = (labels == 1)[order]

    def score(weights: Weights) -> float:
        ordered = weights[order]
        positive = np.add.reduceat(ordered * is_positive, starts)
        negative = np.add.reduceat(ordered * ~is_positive, starts)
        pairs = float(positive.sum() * negative.sum())
        below = np.cumsum(negative) - 0.5 * negative
        return float(positive @ below) / pairs if pairs > 0 else float("nan")

    return score


def macro_auc(labels: Labels, predictions: Matrix) -> Score:
    """The mean area of one-against-rest curves over the classes among the labels.

    Labels are indices of the columns of `predictions`, shape (n_rows, n_classes).
    """
    present = np.unique(labels).astype(np.intp)
    parts = [binary_auc((labels == k).astype(np.float64), predictions[:, k]) for k in present]

    def score(weights: Weights) -> float:
        areas = np.array([part(weights) for part in parts])
        defined = np.isfinite(areas)
        return float(areas[defined].mean()) if defined.any() else float("nan")

    return score


def macro_f1(labels: Labels, predictions: Matrix) -> Score:
    """The mean F1 over the classes among the labels, each row counted to its likeliest class."""
    n_classes = predictions.shape[1]
    present = np.unique(labels).astype(np.intp)
    keys = labels.astype(np.intp) * n_classes + predictions.argmax(axis=1)

    def score(weights: Weights) -> float:
        table = np.bincount(keys, weights=weights, minlength=n_classes**2).reshape(n_classes, n_classes)
        either = table.sum(axis=0)[present] + table.sum(axis=1)[present]
        f1 = 2 * np.diag(table)[present] / np.where(either > 0, either, 1.0)
        return float(f1[either > 0].mean()) if (either > 0).any() else float("nan")

    return score
