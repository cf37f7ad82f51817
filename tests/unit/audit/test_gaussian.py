"""Lower bounds of μ and ε: on scores of known μ, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from tabsynth.audit.gaussian import (
    MOST,
    counts_bound,
    estimated_mu,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_mu,
    highest,
    normal_bound,
    power,
)

DELTA = 1e-6


@pytest.mark.parametrize("mu", [0.3, 2.0])
def test_bounds_hold_and_are_not_idle(mu):
    """On 200 pairs of samples, bounds of level 1e-2 are exceeded about as often as they say."""
    rng, runs = np.random.default_rng(1), 60
    pairs = [(rng.normal(0, 3, runs), rng.normal(3 * mu, 3, runs)) for _ in range(200)]
    normal = np.array([normal_bound(*pair, alpha=0.01, delta=DELTA).mu for pair in pairs])
    counts = np.array([counts_bound(*pair, alpha=0.01, delta=DELTA).mu for pair in pairs])
    # binomial(200, .01): more than 11 once in 10^5; none once in 7, so seeds are fixed
    assert (normal > mu).sum() <= 11
    assert (counts > mu).sum() <= 11
    assert normal.mean() > mu - 3.5 * math.sqrt(2 / runs + mu**2 / (4 * runs))
    assert counts.mean() < normal.mean()


def test_bounds_of_epsilon_hold_for_randomised_response():
    """ε = ln 3: told rightly with 3/4, and nothing else is seen. Exceeded in 1 % at most."""
    rng, runs = np.random.default_rng(2), 300
    found = np.array(
        [
            counts_bound(
                rng.binomial(1, 0.25, runs), rng.binomial(1, 0.75, runs), alpha=0.01, delta=DELTA
            ).epsilon
            for _ in range(100)
        ]
    )
    assert (found > math.log(3)).sum() <= 8  # binomial(100, .01): more once in 10^5
    assert found.mean() > 0.4


def test_counts_by_hand():
    """All 200 of the second half right on both sides: Clopper-Pearson's (α/4)^(1/n)."""
    without, beside = np.zeros(400) + np.arange(400) * 1e-6, np.ones(400)
    right = (0.01 / 4) ** (1 / 200)
    found = counts_bound(without, beside, alpha=0.01, delta=DELTA)
    assert found.mu == pytest.approx(2 * norm.ppf(right))
    assert found.epsilon == pytest.approx(math.log((right - DELTA) / (1 - right)))
    assert highest(400, alpha=0.01, delta=DELTA) == found


def test_scores_that_tell_nothing_prove_nothing():
    same = np.zeros(100)
    for bound in (normal_bound, counts_bound):
        assert (
            bound(same, same, alpha=0.05, delta=DELTA).mu,
            bound(same, same, alpha=0.05, delta=DELTA).epsilon,
        ) == (0, 0)
    assert estimated_mu(same, same + 1) == MOST
    assert normal_bound(same, same + 1, alpha=0.05, delta=DELTA).mu == MOST
    assert normal_bound(same + 1, same, alpha=0.05, delta=DELTA).mu == 0


def test_closed_forms():
    """PRIVACY's table for δ = 1e-5: μ of 0.268, 0.719 and 2.000 at ε of 1, 3 and 10."""
    for epsilon, mu in ((1, 0.268), (3, 0.719), (10, 2.000)):
        assert gaussian_mu(epsilon, 1e-5) == pytest.approx(mu, abs=5e-4)
        assert gaussian_epsilon(gaussian_mu(epsilon, 1e-5), 1e-5) == pytest.approx(epsilon, rel=1e-6)
    assert gaussian_delta(0.0, 1.0) == 0
    assert gaussian_epsilon(1e-9, 1e-5) == 0
    assert gaussian_epsilon(MOST, 1e-6) > MOST**2 / 2


def test_power_is_how_often_half_is_seen():
    """Against 100 draws at μ = 0.5, half the noise, 150 runs: the share above within 4 deviations of .05."""
    rng, runs, mu = np.random.default_rng(3), 150, 0.5
    seen = [
        normal_bound(rng.normal(0, 1, runs), rng.normal(2 * mu, 1, runs), alpha=0.01, delta=DELTA).mu > mu
        for _ in range(100)
    ]
    assert np.mean(seen) == pytest.approx(power(mu, runs, alpha=0.01), abs=0.2)
