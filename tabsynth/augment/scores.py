"""How well scores find a rare class: the area under the precision-recall curve, recall at a precision, Brier's score.

Each takes labels (1 for the class, else 0) and predicted probabilities, both of shape (n_rows,).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tabsynth.metrics.intervals import delong_auc

Floats = npt.NDArray[np.float64]


def precision_recall(labels: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Precision and recall where all rows of at least a score are called positive, for each score from the highest."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    found = np.cumsum(labels[order])[last]
    return found / (last + 1), found / max(1.0, float(labels.sum()))


def average_precision(labels: Floats, scores: Floats) -> float:
    """Σ of precision over the steps of recall, without interpolation between thresholds (Davis and Goadrich 2006)."""
    precision, recall = precision_recall(labels, scores)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def recall_at(labels: Floats, scores: Floats, *, precision: float) -> float:
    """The largest recall of any threshold whose precision is at least `precision`; 0 where there is none."""
    found, recall = precision_recall(labels, scores)
    reached = recall[found >= precision]
    return float(reached.max()) if len(reached) else 0.0


def brier(labels: Floats, scores: Floats) -> float:
    """The mean squared distance of predicted probabilities from what happened (Brier 1950); 0 is best."""
    return float(np.mean((scores - labels) ** 2))


def roc_auc(labels: Floats, scores: Floats) -> float:
    """The area under the ROC curve."""
    return delong_auc(scores[labels == 1], scores[labels == 0]).value
