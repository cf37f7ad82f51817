"""Scores of a rare class against scikit-learn and brute force; the interval over splits by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from tabsynth.augment.results import gain_of
from tabsynth.augment.scores import average_precision, brier, recall_at, roc_auc


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(300) < 0.1).astype(float)
    scores = np.round(np.clip(rng.normal(0.3 + 0.2 * labels, 0.2), 0, 1), seed + 1)  # with ties
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    assert brier(labels, scores) == pytest.approx(brier_score_loss(labels, scores))
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


def test_recall_at_a_precision_is_the_best_of_all_thresholds():
    rng = np.random.default_rng(5)
    labels = (rng.random(200) < 0.2).astype(float)
    scores = np.round(rng.random(200) * 0.5 + labels * 0.3, 2)
    for precision in (0.2, 0.5, 0.9):
        by_hand = 0.0
        for threshold in np.unique(scores):
            called = scores >= threshold
            if labels[called].mean() >= precision:
                by_hand = max(by_hand, labels[called].sum() / labels.sum())
        assert recall_at(labels, scores, precision=precision) == pytest.approx(by_hand)


def test_a_precision_that_is_just_met_counts_and_none_may_be():
    labels, scores = np.array([0.0, 1.0]), np.array([0.9, 0.1])
    assert recall_at(labels, scores, precision=0.5) == 1.0
    assert recall_at(labels, scores, precision=0.6) == 0.0


def test_the_interval_over_splits_by_hand():
    """Differences 1, 2, 3: mean 2, s² = 1; with n_test/n_train = 1/2 the variance is 1/3 + 1/2; t(.975, 2) = 4.3027."""
    gain = gain_of([1.0, 2.0, 3.0], test_share=0.5)
    half = 4.302653 * math.sqrt(1 / 3 + 1 / 2)
    assert (gain.mean, gain.lower, gain.upper) == pytest.approx((2.0, 2 - half, 2 + half))
    assert not gain.is_better
    assert gain_of([1.0, 1.0], test_share=0.5).is_better
    assert gain_of([-1.0, -1.0], test_share=0.5).is_worse
    assert math.isinf(gain_of([1.0], test_share=0.5).upper)
