"""Every way to a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats

from tabsynth.audit.figures import Battery
from tabsynth.audit.holdout import HoldoutCopies
from tabsynth.audit.rates import rate
from tabsynth.audit.verdict import Calibrated, Outcome, decide, detectable_share, p_words

QUIET = Battery(
    attacks=(),
    n_tests=12,
    p_value=1.0,
    flagged=False,
    strongest="distance",
    max_auc=0.5,
    risk_upper=0.05,
    reversed_p=1.0,
)
HELD = HoldoutCopies(released=rate(1, 100), unrelated=rate(1, 100), excess=0.0, was_used=False)
LOUD = replace(QUIET, flagged=True, p_value=0.001)


def known(*, null: Battery = QUIET, small: Battery = LOUD) -> tuple[Calibrated, ...]:
    return (
        Calibrated(name="unrelated", title="unrelated rows", is_leak=False, battery=null),
        Calibrated(name="copy_20", title="copy of 20%", is_leak=True, battery=LOUD),
        Calibrated(name="copy_1", title="copy of 1%", is_leak=True, battery=small),
    )


def test_pass_needs_all_leaks_seen_a_quiet_null_and_a_small_risk():
    assert decide(QUIET, known(), holdout=HELD).outcome is Outcome.PASS


def test_an_unseen_leak_is_named():
    found = decide(QUIET, known(small=QUIET), holdout=HELD)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.unseen == ("copy of 1%",)
    assert "copy of 1%" in found.reasons[0]


def test_a_wide_bound_is_no_pass():
    found = decide(replace(QUIET, risk_upper=0.09), known(), holdout=HELD)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "0.090" in found.reasons[0]


def test_a_flagged_release_fails_whatever_else_was_not_seen():
    found = decide(LOUD, known(small=QUIET), holdout=HELD)
    assert (found.outcome, found.unseen) == (Outcome.FAIL, ("copy of 1%",))
    assert "5%" in found.reasons[0]


@pytest.mark.parametrize("release", [QUIET, LOUD])
def test_a_null_that_is_flagged_leaves_nothing_to_say(release: Battery):
    found = decide(release, known(null=LOUD), holdout=HELD)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "unrelated rows" in found.reasons[0]


def test_a_release_that_knows_the_holdout_better_is_no_pass():
    found = decide(replace(QUIET, reversed_p=0.001), known(), holdout=HELD)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "swapped" in found.reasons[0]
    assert decide(replace(QUIET, reversed_p=0.002), known(), holdout=HELD).outcome is Outcome.PASS


def test_a_release_with_holdout_rows_is_no_pass_but_can_fail():
    used = replace(HELD, released=rate(50, 100), excess=0.49, was_used=True)
    found = decide(QUIET, known(), holdout=used)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "50% of non-members equal a released row and 1% an unrelated one" in found.reasons[0]
    assert decide(LOUD, known(), holdout=used).outcome is Outcome.FAIL


def test_p_values_are_told_without_false_digits():
    assert (p_words(1e-300), p_words(0.01234)) == ("< 0.0001", "= 0.0123")


def test_detectable_share_has_the_power_it_states_and_no_less_share_has():
    n, others, false, tests = 300, 200, 2, 10
    share = detectable_share(n_members=n, n_others=others, false=false, n_tests=tests)
    fewest = next(
        k
        for k in range(n + 1)
        if stats.fisher_exact([[k, n - k], [false, others - false]], alternative="greater").pvalue * tests
        <= 0.05
    )

    def power(s: float) -> float:
        return float(stats.binom.sf(fewest - 1, n, 0.01 + s * 0.99))

    assert power(share) >= 0.8 > power(share - 1e-4)


def test_nothing_is_detectable_among_too_few():
    assert detectable_share(n_members=3, n_others=3, false=0, n_tests=10) is None
    assert detectable_share(n_members=100, n_others=100, false=100, n_tests=10) is None
