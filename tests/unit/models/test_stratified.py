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


@pytest.mark.parametrize("n", [1, 2, 31, 32, 100, 1200])
def test_few_rows_keep_their_dependence_and_their_distribution(n):
    factor = np.linalg.cholesky(np.array([[1, 0.95], [0.95, 1]]))
    made = []
    for seed in range(max(4, 6000 // n)):
        rng = np.random.default_rng(seed)
        made.append(stratified(rng.standard_normal((n, 2)) @ factor.T, rng))
    rows = np.concatenate(made)
    # 6,000 rows: the standard error of a correlation of .95 is .0013, of the distribution .013
    assert np.corrcoef(rows.T)[0, 1] == pytest.approx(0.95, abs=0.02)
    assert stats.kstest(rows[:, 0], "norm").statistic < 1.95 / np.sqrt(len(rows))
