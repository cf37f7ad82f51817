import numpy as np
import pytest
from scipy import stats

from tabsynth.models.stratified import stratified


def test_every_stratum_gets_one_draw_and_ranks_stay():
    rng = np.random.default_rng(0)
    normals = rng.standard_normal((1000, 3))
    made = stratified(normals, rng)
    for k in range(3):
        strata = np.floor(stats.norm.cdf(made[:, k]) * 1000).astype(int)
        assert sorted(strata) == list(range(1000))
        assert (np.argsort(made[:, k]) == np.argsort(normals[:, k])).all()


@pytest.mark.parametrize("n", [0, 1])
def test_few_rows(n):
    assert stratified(np.zeros((n, 2)), np.random.default_rng(0)).shape == (n, 2)
