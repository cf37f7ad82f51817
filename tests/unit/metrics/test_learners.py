import numpy as np
import pytest

from tabsynth.metrics.learners import Boosting, Features, in_parallel, predict
from tests.unit.metrics.tables import discrete_column, encoded, number_column


def test_levels_beside_numbers_are_a_feature_once_there_are_several():
    plain = encoded(x=number_column([1, 2, 0], [0, 0, 1], n_levels=3), d=discrete_column([0, 1, 2], 3))
    special = encoded(x=number_column([1, 0, 0], [0, 1, 2], n_levels=3), d=discrete_column([0, 1, 2], 3))
    assert Features.of([plain]).owners == ("x", "d")
    features = Features.of([plain, special])
    assert features.owners == ("x", "x", "d")
    assert features.categorical_indices == [1, 2]
    np.testing.assert_array_equal(features.matrix(special), [[1, 0, 0], [np.nan, 1, 1], [np.nan, 2, 2]])
    assert Features.of([plain], without="x").owners == ("d",)
    assert features.by_owner(np.array([1.0, 2.0, 1.0])) == {"x": 0.75, "d": 0.25}
    assert features.by_owner(np.zeros(3)) == {"x": 0.0, "d": 0.0}


def test_a_booster_learns_and_repeats_itself():
    rng = np.random.default_rng(0)
    table = encoded(x=number_column(rng.normal(size=400)), d=discrete_column(rng.integers(0, 3, 400), 3))
    features = Features.of([table])
    matrix = features.matrix(table)
    labels = (matrix[:, 0] > 0).astype(np.float64)

    def fit():
        booster = Boosting(seed=3, n_rounds=30).fit(
            matrix, labels, features=features, objective={"objective": "binary"}
        )
        return predict(booster, matrix)

    one, two = in_parallel([fit, fit])
    assert ((one > 0.5) == (labels == 1)).mean() > 0.97
    assert one.tolist() == two.tolist()


def test_parallel_calls_keep_their_order_and_their_errors():
    assert in_parallel([lambda k=k: k for k in range(20)]) == list(range(20))
    assert in_parallel([]) == []
    with pytest.raises(ZeroDivisionError):
        in_parallel([lambda: 1 / 0])
