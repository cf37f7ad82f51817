"""Rates, thresholds and tests against hand-made answers and scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tabsynth.audit.figures import (
    accusation,
    area_p_value,
    auc_p_value,
    battery_of,
    best_threshold,
    rank_sum_p_value,
)
from tabsynth.audit.guesses import Question, Tally
from tabsynth.audit.rates import clopper_pearson, rate, risk_bound
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedTable
from tabsynth.metrics.intervals import Auc, delong_auc


def candidates(n_members: int, n_others: int) -> Candidates:
    """The first third of either side, rounded down, is for validation."""
    return Candidates(
        EncodedTable(n_members + n_others, {}),
        np.repeat([True, False], [n_members, n_others]),
        np.concatenate([np.arange(n) < n // 3 for n in (n_members, n_others)]),
    )


def flags(hits: int, n: int) -> np.ndarray:
    return np.arange(n) < hits


def test_clopper_pearson_is_scipys_exact_interval():
    for hits, n in ((0, 10), (3, 10), (10, 10), (17, 400)):
        wanted = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
        assert clopper_pearson(hits, n, alpha=0.05) == pytest.approx((wanted.low, wanted.high))


def test_an_accusation_by_hand():
    found = accusation("best", flags(30, 100), flags(10, 50), n_rates=1)
    assert (found.attack.value, found.control.value) == (0.3, 0.2)
    assert found.baseline == pytest.approx(40 / 150)
    assert found.risk == pytest.approx((0.3 - 0.2) / (1 - 0.2))
    high = stats.binomtest(30, 100).proportion_ci(0.95).high
    low = stats.binomtest(10, 50).proportion_ci(0.95).low
    assert found.risk_upper == pytest.approx((high - low) / (1 - low))
    wanted = stats.fisher_exact([[30, 70], [10, 40]], alternative="greater").pvalue
    assert found.p_value == pytest.approx(wanted)


def test_a_bound_shared_by_more_rules_is_wider():
    alone, shared = (accusation("best", flags(30, 100), flags(10, 50), n_rates=n) for n in (1, 8))
    assert shared.risk_upper > alone.risk_upper
    assert shared.p_value == alone.p_value


def test_a_rule_that_flags_everybody_finds_nobody():
    found = accusation("best", flags(10, 10), flags(20, 20), n_rates=1)
    assert (found.risk, found.p_value) == (0.0, 1.0)
    assert rate(10, 10).interval[1] == 1.0


def test_best_threshold_leads_most_among_those_that_spare_most_non_members():
    members, others = np.array([0.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 1.0, 3.5])
    assert best_threshold(members, others) == 1.0  # flags 3 of 4 members and 1 of 4 others
    # above 0 three of four members and three of four others are flagged: too many to be accused
    assert best_threshold(np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])) == 1.0


def test_p_value_of_an_area_is_the_normal_tail_on_the_logit_scale():
    rng = np.random.default_rng(1)
    auc = delong_auc(rng.normal(0.3, 1, 300), rng.normal(0, 1, 200))
    low, high = np.log(np.array(auc.interval) / (1 - np.array(auc.interval)))
    wanted = stats.norm.sf((low + high) / 2 / ((high - low) / 2 / stats.norm.ppf(0.975)))
    assert auc_p_value(auc, n=200) == pytest.approx(wanted, rel=1e-6)
    assert auc_p_value(Auc(1.0, (0.9, 1.0)), n=10) == 0.5**10
    assert auc_p_value(Auc(0.4, (0.3, 0.5)), n=10) == 1.0
    assert auc_p_value(delong_auc(np.zeros(5), np.zeros(5)), n=5) == 1.0
    assert auc_p_value(Auc(0.7, None), n=1) == 1.0


def test_rank_sum_is_scipys_without_continuity_correction():
    rng = np.random.default_rng(4)
    members, others = rng.poisson(2.2, 60) + 0.0, rng.poisson(2, 40) + 0.0
    wanted = stats.mannwhitneyu(
        members, others, alternative="greater", method="asymptotic", use_continuity=False
    )
    assert rank_sum_p_value(members, others) == pytest.approx(wanted.pvalue)
    assert rank_sum_p_value(np.zeros(5), np.zeros(5)) == 1.0
    auc = delong_auc(members, others)
    assert area_p_value(members, others, auc) == max(auc_p_value(auc, n=40), wanted.pvalue)


@pytest.mark.parametrize("sizes", [(2_000, 200), (200, 2_000)])
def test_rare_chance_matches_are_no_evidence_where_sides_differ_in_size(sizes: tuple[int, int]):
    # one row in 200 matches by chance, on either side. At level .004 of 300 tests 1.3 may reject: more than
    # 7 with p < .0003. DeLong's variance alone rejects 80 of the first
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(300):
        members, others = (2.0 * (rng.random(n) < 0.005) for n in sizes)
        rejected += area_p_value(members, others, delong_auc(members, others)) <= 0.05 / 12
    assert rejected <= 7


def test_fixed_thresholds_need_rows_and_keep_to_their_rate():
    side = candidates(3_000, 3_000)
    scores = np.arange(6_000) % 1_000 + 0.0
    found = battery_of({"a": scores}, side).attacks[0]
    # validation non-members score 0 … 999: 10 and 1 of them lie above 989 and 998; the rest twice as many
    assert found.at("fpr_1").control.hits == 20
    assert found.at("fpr_01").control.hits == 2
    few = battery_of({"a": np.arange(200.0)}, candidates(100, 100)).attacks[0]
    assert [accusation.threshold for accusation in few.accusations] == ["best"]
    assert few.at("fpr_1") is None


def test_the_maximum_is_corrected_for_every_test():
    side = candidates(300, 300)
    rng = np.random.default_rng(2)
    told = rng.normal(size=600) + np.repeat([2.0, 0.0], 300)
    found = battery_of({"told": told, "blind": rng.normal(size=600)}, side)
    assert (found.strongest, found.flagged) == ("told", True)
    assert found.n_tests == 6  # area, best and 1 % of two attacks
    smallest = min(
        p for attack in found.attacks for p in (attack.auc_p, *(a.p_value for a in attack.accusations))
    )
    assert found.p_value == pytest.approx(min(1.0, 6 * smallest))
    assert found.max_auc == max(attack.auc for attack in found.attacks)


def test_guesses_are_tested_and_bound_with_the_attacks():
    side = candidates(300, 300)
    scores = {"blind": np.random.default_rng(2).normal(size=600)}
    told = Question(
        attack_name="linkability",
        title="Linkability",
        attack=Tally(hits=90, n=300),
        control=Tally(hits=30, n=300),
        baseline=Tally(hits=3, n=300),
    )
    unasked = Question(attack_name="attribute", title="s", reason="one column")
    few = replace(told, attack_name="isolated", title="few", of_all=False, attack=Tally(hits=30, n=30))
    alone, found = battery_of(scores, side), battery_of(scores, side, [told, unasked])
    assert (found.n_tests, alone.n_tests) == (4, 3)
    assert (found.strongest, found.flagged, alone.flagged) == ("linkability", True, False)
    wanted = stats.fisher_exact([[90, 210], [30, 270]], alternative="greater").pvalue
    assert found.p_value == pytest.approx(4 * wanted)
    assert found.risk_upper == found.guesses[0].risk_upper > alone.risk_upper
    assert (found.widest, alone.widest) == ("Linkability", "")
    # the bound is shared with the attacks, which get wider themselves
    assert found.guesses[0].risk_upper == risk_bound(rate(90, 300), rate(30, 300), n_rates=2)
    assert found.attacks[0].accusations[0].risk_upper > alone.attacks[0].accusations[0].risk_upper
    # of people who are no fair draw of all the test counts, the bound does not
    of_few = battery_of(scores, side, [few])
    assert (of_few.strongest, of_few.risk_upper) == ("isolated", alone.risk_upper)


def test_blind_scores_are_flagged_no_more_often_than_stated():
    # 200 batteries of four blind attacks: flagged with at most .05 each, so more than 22 with p < .0003
    rng = np.random.default_rng(3)
    side = candidates(150, 150)
    flagged = sum(
        battery_of({name: rng.normal(size=300) for name in "abcd"}, side).flagged for _ in range(200)
    )
    assert flagged <= 22
