"""The joint normal of selected axes against brute-force selection."""

import numpy as np
import pytest

from tabsynth.models.selection import Selected, joint_normal


def test_without_gaps_it_is_the_correlation_matrix():
    R = np.array([[1, 0.4], [0.4, 1]])
    mean, covariance = joint_normal(R, [])
    assert mean.tolist() == [0, 0]
    assert covariance == pytest.approx(R)


def test_selected_axes_are_standard_where_they_exist_and_correlate_as_seen():
    # axes: selector m, always-there x and y, and two numbers v and w that exist where m < 0.2 and m > -1
    wanted = np.array(
        [
            [1.0, 0.8, 0.3, 0.0, 0.0],
            [0.8, 1.0, 0.2, 0.5, 0.3],
            [0.3, 0.2, 1.0, 0.1, -0.4],
            [0.0, 0.5, 0.1, 1.0, 0.35],
            [0.0, 0.3, -0.4, 0.35, 1.0],
        ]
    )
    selected = [Selected(3, 0, -np.inf, 0.2), Selected(4, 0, -1.0, np.inf)]
    mean, covariance = joint_normal(wanted, selected)
    assert np.linalg.eigvalsh(covariance)[0] > 0
    z = np.random.default_rng(0).multivariate_normal(mean, covariance, 1_000_000)
    for axis, rows in ((3, z[:, 0] < 0.2), (4, z[:, 0] > -1)):
        there = z[rows]
        # standard errors are below 0.002; the ridge of 0.02 accounts for the rest
        assert there[:, axis].mean() == pytest.approx(0, abs=0.01)
        assert there[:, axis].std() == pytest.approx(1, abs=0.02)
        for base in (1, 2):
            assert np.corrcoef(there[:, axis], there[:, base])[0, 1] == pytest.approx(
                wanted[axis, base], abs=0.03
            )
    both = z[(z[:, 0] < 0.2) & (z[:, 0] > -1)]
    assert np.corrcoef(both[:, 3], both[:, 4])[0, 1] == pytest.approx(0.35, abs=0.05)
    assert np.corrcoef(z[:, :3].T) == pytest.approx(wanted[:3, :3], abs=0.01)


def test_contradictory_correlations_still_give_a_distribution():
    rng = np.random.default_rng(1)
    wild = np.clip(np.triu(rng.uniform(-1, 1, (12, 12)), 1) * 1.5, -0.995, 0.995)
    wild = wild + wild.T + np.eye(12)
    selected = [Selected(axis, axis - 1, -np.inf, 0.0) for axis in (3, 5, 7, 9)]
    mean, covariance = joint_normal(wild, selected)
    assert np.isfinite(mean).all()
    assert np.linalg.eigvalsh(covariance)[0] > 0
