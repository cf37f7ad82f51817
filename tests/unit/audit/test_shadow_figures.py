"""Figures of the shadow attack: against brute force, scikit-learn and hand calculations; and the verdict."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tabsynth.audit.bound import bound_of
from tabsynth.audit.shadow import figures
from tabsynth.audit.shadow.controls import ShadowControl, copier_title
from tabsynth.audit.shadow.figures import (
    MeanFigures,
    ShadowBattery,
    TargetFigures,
    battery_of,
    figures_of,
    holm,
    null_error,
    power_of,
    weighted_auc,
)
from tabsynth.audit.shadow.verdict import AUC_LIMIT, decide
from tabsynth.audit.verdict import Outcome


def test_holm_by_hand():
    # sorted .01 .02 .03 .5: times 4, 3, 2, 1, never falling
    assert holm(np.array([0.03, 0.01, 0.5, 0.02])).tolist() == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_the_null_error_is_that_of_all_relabellings():
    scores = np.array([0.1, 0.4, 0.4, 0.6, 0.6, 0.6, 0.9])
    areas = []
    for inside in combinations(range(7), 3):
        labels = np.isin(np.arange(7), inside)
        areas.append(roc_auc_score(labels, scores))
    assert null_error(scores, labels) == pytest.approx(np.std(areas), rel=1e-12)
    assert null_error(scores, np.ones(7, dtype=bool)) is None


def test_weighted_areas_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    scores, labels = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.5
    weights = rng.integers(0, 3, (5, 40)).astype(float)
    wanted = [roc_auc_score(labels, scores, sample_weight=row) for row in weights]
    assert weighted_auc(scores, labels, weights) == pytest.approx(wanted)
    nobody = np.where(labels, 0.0, 1.0)[None]
    assert weighted_auc(scores, labels, nobody).tolist() == [0.5]


def drawn(lead: float, n: int = 200, n_targets: int = 4, seed: int = 0):
    """Scores that are normal, `lead` higher where the target is in."""
    rng = np.random.default_rng(seed)
    labels = rng.random((n, n_targets)) < 0.5
    return rng.normal(size=(n, n_targets)) + lead * labels, labels


def test_means_are_means_of_areas_with_the_p_value_of_their_sum():
    scores, labels = drawn(0.3)
    found = figures_of(scores, labels, seed=1)
    areas = [roc_auc_score(labels[:, k], scores[:, k]) for k in range(4)]
    assert [target.auc for target in found.targets] == pytest.approx(areas)
    assert [(t.group, t.rank) for t in found.targets] == [
        ("isolated", 1), ("isolated", 2), ("random", 1), ("random", 2)
    ]  # fmt: skip
    mean = found.mean("isolated")
    assert mean.auc == pytest.approx(np.mean(areas[:2]))
    # no ties: the variance of an area is (N + 1)/(12 n_in n_out)
    variance = sum(201 / 12 / (n * (200 - n)) for n in labels[:, :2].sum(axis=0))
    assert mean.p_value == pytest.approx(norm.sf(sum(areas[:2]) - 1, scale=variance**0.5))
    assert found.mean("all").auc == pytest.approx(np.mean(areas))
    wanted = 2 * min(*(3 * mean.p_value for mean in found.means), *(t.p_corrected for t in found.targets))
    assert found.p_value == pytest.approx(min(1, wanted))
    # normal scores: the standard error of a mean of four areas is near .02
    low, high = found.mean("all").auc_interval
    assert low < mean.auc < high or low < found.mean("all").auc < high
    assert 0.06 < high - low < 0.1


def test_null_scores_are_flagged_no_more_than_stated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(figures, "N_REPLICATES", 2)  # intervals take the time, and are not looked at
    # 300 draws, each flagged with at most .05: more than 30 has a probability below 2e-4
    n = sum(figures_of(*drawn(0.0, n=60, seed=seed), seed=seed).flagged for seed in range(300))
    assert n <= 30


def test_a_side_without_fits_is_no_evidence():
    scores, labels = drawn(3.0, n=40)
    labels[:, 0] = True
    found = figures_of(scores, labels, seed=1)
    first = found.targets[0]
    assert (first.auc, first.auc_interval, first.p_value, first.n_out) == (0.5, (0.0, 1.0), 1.0, 0)
    assert found.mean("isolated").auc == found.targets[1].auc
    none = figures_of(scores, np.ones_like(labels), seed=1)
    assert (none.p_value, none.mean("all").auc, none.mean("all").accusations) == (1.0, 0.5, ())


def test_rates_use_a_threshold_of_other_fits():
    scores, labels = drawn(2.0, n=300, n_targets=4, seed=3)
    found = figures_of(scores, labels, seed=1).mean("all")
    known = np.sort(scores[:100][~labels[:100]])
    limit = known[len(known) - 1 - int(0.01 * len(known))]
    rest, truth = scores[100:], labels[100:]
    at = found.at("fpr_1")
    assert (at.attack.hits, at.attack.n) == ((rest[truth] > limit).sum(), truth.sum())
    assert (at.control.hits, at.control.n) == ((rest[~truth] > limit).sum(), (~truth).sum())
    assert found.at("fpr_01") is None  # about 200 non-members, and it takes 1,000


def test_the_forest_learns_from_even_fits_and_is_judged_on_odd_ones():
    rng = np.random.default_rng(1)
    labels = rng.random((120, 4)) < 0.5
    counts = rng.poisson(5, (120, 4, 12))
    counts[:, 0, 7] = 10 * labels[:, 0]
    wrong = labels[:, 2].copy()
    wrong[1::2] = ~wrong[1::2]
    counts[:, 2, 7] = 10 * wrong
    found = battery_of(counts, labels, seed=1)
    assert found.targets[0].auc > 0.95
    assert found.targets[2].auc < 0.05
    assert (found.targets[0].n_in, found.targets[0].n_out) == (
        labels[1::2, 0].sum(),
        60 - labels[1::2, 0].sum(),
    )
    assert battery_of(counts, labels, seed=1) == found
    assert battery_of(counts, np.ones_like(labels), seed=1).p_value == 1.0


def test_a_rare_copy_is_heard_through_the_noise():
    rng = np.random.default_rng(2)
    labels = rng.random((800, 2)) < 0.5
    counts = rng.poisson(5, (800, 2, 60))
    counts[:, :, 0] = labels & (rng.random((800, 2)) < 0.1)
    # the ideal area is .55; 400 judged fits and 2 targets: standard error .02
    assert battery_of(counts, labels, seed=1).mean("all").auc > 0.52


def test_power_is_that_of_the_normal_limit_and_grows_with_fits():
    # 400 fits, 200 judged, 100 on either side: error √(201/(12·100·100)) = .0409; z(.025/3) + z(.8)
    found = power_of(400, n_each=10)
    assert found.group == pytest.approx(0.5 + (2.3940 + 0.8416) * 0.04093 / 10**0.5, abs=1e-4)
    assert found.one == pytest.approx(0.5 + (3.0233 + 0.8416) * 0.04093, abs=1e-4)
    assert found.all < found.group < found.one
    assert power_of(1600, n_each=10).group - 0.5 == pytest.approx((found.group - 0.5) / 2, rel=0.01)
    assert power_of(4, n_each=10).one == 1.0
    assert "or no single record" in power_of(4, n_each=10).words
    assert "a mean AUC of 0.542 over either group, or 0.658 of one record" in found.words


def battery(
    auc: float, half: float, p: float, *, one: tuple[float, float, float] | None = None
) -> ShadowBattery:
    """Means at `auc` ± `half`; `one` target with its upper bound and corrected p-value."""
    means = tuple(
        MeanFigures(
            group=group,
            n_targets=2,
            auc=auc,
            auc_interval=(auc - half, auc + half),
            p_value=p,
            accusations=(),
        )
        for group in ("isolated", "random", "all")
    )
    value, upper, corrected = one or (0.5, 0.6, 1.0)
    target = TargetFigures(
        group="isolated",
        rank=1,
        auc=value,
        auc_interval=(2 * value - upper, upper),
        p_value=corrected / 2,
        p_corrected=corrected,
        n_in=50,
        n_out=50,
    )
    p_value = min(1.0, 2 * min(3 * p, corrected))
    return ShadowBattery(targets=(target,), means=means, p_value=p_value, flagged=p_value <= 0.05)


QUIET, LEAK = battery(0.5, 0.02, 0.5), battery(0.7, 0.02, 1e-9)
CONTROLS = (
    ShadowControl(name="null", title="records that were never in", is_leak=False, battery=QUIET),
    ShadowControl(name="copy_20", title=copier_title(0.2), is_leak=True, battery=LEAK),
)


def test_the_limit_is_the_area_under_the_line_of_the_risk():
    rates = np.linspace(0, 1, 100_001)
    assert np.trapezoid(rates + 0.09 * (1 - rates), rates) == pytest.approx(AUC_LIMIT)


@pytest.mark.parametrize(
    ("engine", "outcome", "said"),
    [
        (QUIET, Outcome.PASS, "the engine was not flagged"),
        (LEAK, Outcome.FAIL, "mean AUC of isolated records 0.700 (0.680-0.720)"),
        (battery(0.5, 0.02, 0.5, one=(0.8, 0.9, 1e-4)), Outcome.FAIL, "1 of 1 records each by itself"),
        (battery(0.52, 0.01, 1e-6), Outcome.PASS, "a leak is shown, and shown to be small"),
        (battery(0.52, 0.04, 1e-6), Outcome.FAIL, "is told from"),
        (battery(0.52, 0.04, 0.3), Outcome.INCONCLUSIVE, "0.560, not below 0.545"),
    ],
)
def test_verdicts(engine: ShadowBattery, outcome: Outcome, said: str):
    found = decide(engine, CONTROLS, bound=None)
    assert found.outcome is outcome
    assert said in " ".join(found.reasons)


def test_no_pass_where_a_copier_was_not_seen_or_null_records_were():
    blind = (CONTROLS[0], replace(CONTROLS[1], battery=QUIET))
    found = decide(QUIET, blind, bound=None)
    assert (found.outcome, found.unseen) == (Outcome.INCONCLUSIVE, ("copy of 20% of its rows",))
    assert "could not have seen: copy of 20% of its rows" in found.reasons[0]
    assert decide(LEAK, blind, bound=None).outcome is Outcome.FAIL
    loud = (replace(CONTROLS[0], battery=LEAK), CONTROLS[1])
    for engine in (QUIET, LEAK):
        found = decide(engine, loud, bound=None)
        assert found.outcome is Outcome.INCONCLUSIVE
        assert "flagged too" in found.reasons[0]


def test_a_claim_that_does_not_hold_is_named():
    found = decide(battery(0.8, 0.02, 1e-9), CONTROLS, bound=bound_of(1.0, 1e-5))
    assert "the stated guarantee does not hold" in found.reasons[-1]
    within = decide(LEAK, CONTROLS, bound=bound_of(1.0, 1e-5))  # .68 is not above .731
    assert len(within.reasons) == 1
