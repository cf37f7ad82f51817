"""An audit on worst-case neighbours, on all numbers that a fit of the Bayesian network releases.

A small version of `benchmarks/audit.py`. False alarms: 1e-6 a run, the level of the bound that is compared.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks import audit as auditing
from tests.privacy.tape import gaussian_epsilon

RUNS, EPSILON = 80, 10.0
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sound():
    return auditing.audit(EPSILON, runs=RUNS)


def test_releases_stay_under_what_was_accounted(sound):
    assert not sound.alarm
    assert sound.lower_bound_normal < sound.accounted_mu
    assert sound.lower_bound_counts < sound.accounted_mu
    # the attack is as strong as the account allows: within 6 standard errors, exceeded less than once in 1e6
    error = math.sqrt(2 / RUNS + sound.accounted_mu**2 / (4 * RUNS))
    assert abs(sound.estimated_mu - sound.accounted_mu) < 6 * error


def test_what_was_accounted_is_the_budget(sound):
    """μ of a Gaussian mechanism with the budget's ε, δ, within 1 %: by the closed form of Balle and Wang."""
    assert gaussian_epsilon(sound.accounted_mu, sound.delta) == pytest.approx(EPSILON, rel=0.01)


def test_half_the_noise_is_an_alarm():
    """Missed once in 2000 runs, by the stated power."""
    audit = auditing.audit(EPSILON, runs=RUNS, share=1 / 2)
    assert audit.power_against_half > 0.9995
    assert audit.alarm
    assert audit.estimated_mu > 1.5 * audit.accounted_mu


def test_the_attack_rests_on_every_release():
    """Its precision is all that the engine's parts of the plan have: no stronger pair of tables exists."""
    recipe = auditing.make_engine("bayesian_network", {"iterations": 1, "coarse_cells": 4})
    plan = auditing.plan_fit(auditing.schema_of(2), recipe, auditing.Budget(epsilon=EPSILON))
    one, two = auditing.neighbours(2)
    told = auditing.asked(one, recipe, plan, auditing.Tape())
    other = auditing.asked(two, recipe, plan, auditing.Tape(source=told, stops=True))
    _, precision, n_releases = auditing.likelihood_ratio(told, other, sign=1)
    engine = [part for part in plan.parts if part.part.statistic != "number of rows"]
    assert n_releases == sum(part.mechanism.count for part in engine)
    assert precision == pytest.approx(
        sum(part.mechanism.count * (2 / part.mechanism.scale) ** 2 for part in engine)
    )


class TestBounds:
    """On statistics of known μ: bounds of level 1e-2 are exceeded about as often as they say."""

    @staticmethod
    def bounds(mu, *, runs, n=400, alpha=0.01):
        rng = np.random.default_rng(1)
        pairs = [(rng.normal(0, 3, runs), rng.normal(3 * mu, 3, runs)) for _ in range(n)]
        normal = [auditing.lower_bound_normal(*pair, alpha)[1] for pair in pairs]
        return np.array(normal), np.array([auditing.lower_bound_counts(*pair, alpha) for pair in pairs])

    @pytest.mark.parametrize("mu", [0.3, 2.0])
    def test_they_hold_and_are_not_idle(self, mu):
        normal, counts = self.bounds(mu, runs=60)
        # binomial(400, .01): more than 16 once in 10^5; none once in 50, so seeds are fixed
        assert 1 <= (normal > mu).sum() <= 16
        assert (counts > mu).sum() <= 16
        assert normal.mean() > mu - 3.5 * math.sqrt(2 / 60 + mu**2 / 240)
        assert counts.mean() < normal.mean()

    def test_counts_bound_by_hand(self):
        """All 200 of the second half right on both sides: Clopper-Pearson's (α/2)^(1/n)."""
        without, beside = np.zeros(400) + np.arange(400) * 1e-6, np.ones(400)
        by_hand = 2 * norm.ppf(0.005 ** (1 / 200))
        assert auditing.lower_bound_counts(without, beside, 0.01) == pytest.approx(by_hand)


def test_the_large_audit_says_what_it_should():
    """The committed result: nothing above the account with the right noise, an alarm with too little."""
    path = ROOT / "benchmarks/results/audit_bayesian_network.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert {(one["epsilon"], one["rows_of_unit"], one["noise"] < 1) for one in found} == {
        (1.0, 1, False),
        (1.0, 1, True),
        (5.0, 3, False),
        (5.0, 3, True),
    }
    for one in found:
        assert one["alarm"] == (one["noise"] < 1)
        assert one["alarm"] == (one["lower_bound_normal"] > one["accounted_mu"])
        assert one["false_alarm_rate"] == 1e-6
        assert one["noise"] == 1 or one["power_against_half"] > 0.98 or one["noise"] < 0.4
