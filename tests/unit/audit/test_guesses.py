"""Guesses about people against hand-made answers and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tabsynth.audit.guesses import Question, Tally, guesses_of
from tabsynth.audit.rates import rate, risk_bound
from tabsynth.metrics.base import Status

QUESTION = Question(
    attack_name="singling_out",
    title="Singling out",
    attack=Tally(hits=30, n=100),
    control=Tally(hits=10, n=50),
    baseline=Tally(hits=2, n=100),
)


def asked(n_rates: int = 1):
    return guesses_of(QUESTION, n_rates=n_rates)


def test_guesses_by_hand():
    found = asked()
    assert (found.attack.value, found.control.value, found.baseline.value) == (0.3, 0.2, 0.02)
    assert found.risk == pytest.approx((0.3 - 0.2) / (1 - 0.2))
    wanted = stats.fisher_exact([[30, 70], [10, 40]], alternative="greater").pvalue
    assert found.p_value == pytest.approx(wanted)


def test_a_bound_shared_by_more_questions_is_wider():
    assert asked(n_rates=8).risk_upper > asked().risk_upper
    assert asked(n_rates=8).p_value == asked().p_value


def test_a_question_that_was_not_put_has_no_rates():
    found = guesses_of(Question(attack_name="linkability", title="L", reason="too few columns"), n_rates=3)
    assert (found.status, found.reason, found.attack, found.p_value) == (
        Status.NOT_APPLICABLE,
        "too few columns",
        None,
        None,
    )


def test_without_false_hits_the_bound_is_that_of_the_attack_alone():
    alone = stats.binomtest(3, 40, alternative="less").proportion_ci(0.95).high
    assert risk_bound(rate(3, 40), rate(0, 50), n_rates=1) == pytest.approx(alone)
    assert risk_bound(rate(40, 40), rate(10, 50), n_rates=1) == 1.0


def test_where_everybody_is_guessed_nothing_is_known_of_the_risk():
    # 40 of 40 and 50 of 50: a control of .99, and nearly all of the rest added by the release, give this as well
    assert risk_bound(rate(40, 40), rate(50, 50), n_rates=1) == 1.0
    assert risk_bound(rate(40, 40), rate(49, 50), n_rates=1) == 1.0


@pytest.mark.parametrize(
    ("attack", "control"), [(0.05, 0.02), (0.5, 0.45), (0.85, 0.8), (0.01, 0.0), (0.999, 0.99)]
)
def test_the_bound_holds_as_often_as_it_says(attack: float, control: float):
    # 300 draws at 95 %: fewer than 270 hold with p < .0003 where .95 do
    rng = np.random.default_rng(1)
    truth = (attack - control) / (1 - control)
    held = sum(
        risk_bound(rate(int(hits), 400), rate(int(false), 300), n_rates=1) >= truth
        for hits, false in zip(rng.binomial(400, attack, 300), rng.binomial(300, control, 300), strict=True)
    )
    assert held >= 270
