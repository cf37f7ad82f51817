"""Guesses about people against hand-made answers and scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from tabsynth.audit.guesses import Tally, guesses_of


def asked(n_rates: int = 1):
    return guesses_of(
        "singling_out",
        "Singling out",
        attack=Tally(hits=30, n=100),
        control=Tally(hits=10, n=50),
        baseline=Tally(hits=2, n=100),
        n_rates=n_rates,
    )


def test_guesses_by_hand():
    found = asked()
    assert (found.attack.value, found.control.value, found.baseline.value) == (0.3, 0.2, 0.02)
    assert found.risk == pytest.approx((0.3 - 0.2) / (1 - 0.2))
    high = stats.binomtest(30, 100).proportion_ci(0.95).high
    low = stats.binomtest(10, 50).proportion_ci(0.95).low
    assert found.risk_upper == pytest.approx((high - low) / (1 - low))
    wanted = stats.fisher_exact([[30, 70], [10, 40]], alternative="greater").pvalue
    assert found.p_value == pytest.approx(wanted)


def test_a_bound_shared_by_more_questions_is_wider():
    assert asked(n_rates=8).risk_upper > asked().risk_upper
    assert asked(n_rates=8).p_value == asked().p_value
