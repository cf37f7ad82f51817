"""Weighted scores against scikit-learn: weights are repetitions of rows."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.metrics import r2_score as sklearn_r2

from tabsynth.metrics.scores import binary_auc, macro_auc, macro_f1, r2_score


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_r2_is_scikit_learns_under_weights(rng):
    labels, predictions, weights = (
        rng.normal(size=50),
        rng.normal(size=50),
        rng.integers(0, 4, 50).astype(float),
    )
    expected = sklearn_r2(labels, predictions, sample_weight=weights)
    assert r2_score(labels, predictions)(weights) == pytest.approx(expected)


def test_r2_of_constant_labels_is_undefined():
    assert np.isnan(r2_score(np.ones(4), np.zeros(4))(np.ones(4)))


def test_binary_auc_is_scikit_learns_under_weights_and_ties(rng):
    labels = rng.integers(0, 2, 80).astype(float)
    predictions, weights = rng.integers(0, 7, 80) / 7, rng.integers(0, 4, 80).astype(float)
    repeated = np.repeat(np.arange(80), weights.astype(int))
    expected = roc_auc_score(labels[repeated], predictions[repeated])
    assert binary_auc(labels, predictions)(weights) == pytest.approx(expected)


def test_binary_auc_of_one_class_is_undefined():
    assert np.isnan(binary_auc(np.ones(4), np.arange(4.0))(np.ones(4)))


def test_macro_auc_is_the_mean_one_against_rest(rng):
    labels = rng.integers(0, 3, 90)
    predictions = rng.dirichlet(np.ones(3), 90)
    expected = roc_auc_score(labels, predictions, multi_class="ovr", average="macro")
    assert macro_auc(labels.astype(float), predictions)(np.ones(90)) == pytest.approx(expected)


def test_macro_scores_read_only_classes_among_the_labels(rng):
    labels = rng.integers(0, 2, 60).astype(float)  # class 2 is never true
    predictions = rng.dirichlet(np.ones(3), 60)
    parts = [roc_auc_score(labels == k, predictions[:, k]) for k in (0, 1)]
    assert macro_auc(labels, predictions)(np.ones(60)) == pytest.approx(np.mean(parts))
    expected = f1_score(labels, predictions.argmax(axis=1), labels=[0, 1], average="macro")
    assert macro_f1(labels, predictions)(np.ones(60)) == pytest.approx(expected)


def test_macro_f1_is_scikit_learns_under_weights(rng):
    labels, weights = rng.integers(0, 4, 100), rng.integers(1, 4, 100).astype(float)
    predictions = rng.dirichlet(np.ones(4), 100)
    expected = f1_score(labels, predictions.argmax(axis=1), average="macro", sample_weight=weights)
    assert macro_f1(labels.astype(float), predictions)(weights) == pytest.approx(expected)


def test_macro_scores_of_no_weight_are_undefined(rng):
    labels, predictions = rng.integers(0, 3, 9).astype(float), rng.dirichlet(np.ones(3), 9)
    assert np.isnan(macro_auc(labels, predictions)(np.zeros(9)))
    assert np.isnan(macro_f1(labels, predictions)(np.zeros(9)))
