"""A hand-made audit for the report: every outcome, guesses put and not put, groups, exposure."""

from __future__ import annotations

from tabsynth.audit import AuditResults
from tabsynth.audit.attacks import DENSITY, DISTANCE
from tabsynth.audit.bound import bound_of
from tabsynth.audit.exposure import Band, Exposed, Exposure
from tabsynth.audit.figures import Accusation, AttackFigures, Battery
from tabsynth.audit.guesses import Guesses
from tabsynth.audit.holdout import HoldoutCopies
from tabsynth.audit.rates import rate
from tabsynth.audit.results import Counts
from tabsynth.audit.subgroups import Subgroup
from tabsynth.audit.verdict import Calibrated, Outcome, Verdict
from tabsynth.metrics.base import Status


def _attack(name: str, auc: float, hits: int, *, risk_upper: float = 0.05) -> AttackFigures:
    attack, control = rate(hits, 1000), rate(100, 1000)
    best = Accusation(
        threshold="best",
        attack=attack,
        control=control,
        baseline=0.1,
        risk=(attack.value - control.value) / (1 - control.value),
        risk_upper=risk_upper,
        p_value=0.4,
    )
    return AttackFigures(
        attack=name,
        auc=auc,
        auc_interval=(auc - 0.02, auc + 0.02),
        auc_p=0.3,
        reversed_p=0.7,
        accusations=(best,),
    )


def _battery(*, flagged: bool, guesses: tuple[Guesses, ...] = ()) -> Battery:
    attacks = (_attack(DISTANCE, 0.513, 110), _attack(DENSITY, 0.561, 150, risk_upper=0.0951))
    return Battery(
        attacks=attacks,
        n_tests=8,
        p_value=0.01 if flagged else 0.9,
        flagged=flagged,
        strongest=DENSITY,
        max_auc=0.561,
        risk_upper=0.0951,
        reversed_p=1.0,
        guesses=guesses,
    )


def make_audit(outcome: Outcome = Outcome.INCONCLUSIVE, *, epsilon: float | None = 1.0) -> AuditResults:
    few = rate(30, 500)
    guesses = (
        Guesses(
            attack_name="attribute",
            title="Guess of an attribute",
            columns=("diagnosis",),
            known=("age", "sex"),
            attack=rate(300, 500),
            control=rate(290, 500),
            baseline=rate(280, 500),
            risk=0.0476,
            risk_upper=0.0873,
            p_value=0.27,
        ),
        Guesses(
            attack_name="isolated",
            title="The most isolated",
            attack=few,
            control=few,
            baseline=few,
            risk=0.0,
            risk_upper=0.2,
            p_value=0.5,
            of_all=False,
        ),
        Guesses(
            attack_name="linkability",
            title="Linking",
            status=Status.NOT_APPLICABLE,
            reason="too few columns to link by",
        ),
    )
    known = (
        Calibrated(name="unrelated", title="unrelated rows", is_leak=False, battery=_battery(flagged=False)),
        Calibrated(name="copy_20", title="copy of 20%", is_leak=True, battery=_battery(flagged=True)),
        Calibrated(name="copy_1", title="copy of 1%", is_leak=True, battery=_battery(flagged=False)),
    )
    group = Subgroup(
        column="sex",
        level="Female",
        attack_name=DENSITY,
        attack=rate(60, 400),
        control=rate(40, 400),
        risk=0.0556,
        p_value=0.6,
    )
    return AuditResults(
        title="Audit of synthetic t",
        verdict=Verdict(
            outcome=outcome, reasons=("could not have seen: copy of 1%",), unseen=("copy of 1%",)
        ),
        release=_battery(flagged=outcome is Outcome.FAIL, guesses=guesses),
        calibration=known,
        holdout=HoldoutCopies(released=few, unrelated=few, excess=0.0, was_used=False),
        detectable_share=0.0123,
        detectable_isolated=4,
        isolated=50,
        exposure=Exposure(
            top=(Exposed(rank=1, bits=9.4, attack=DENSITY, n_attacks=2, bits_non_member=8.1),),
            bands=(Band(share=0.01, members=rate(12, 20), chance=0.5),),
            most_bits=10.0,
        ),
        subgroups=(group,),
        counts=Counts(
            train=3000,
            holdout=3000,
            synthetic=3000,
            release=3000,
            reference=1000,
            members=1500,
            non_members=1500,
            evaluated_members=1000,
            evaluated_non_members=1000,
            asked_members=500,
            asked_non_members=500,
        ),
        budget="2m",
        seed=7,
        unit="row",
        bound=None if epsilon is None else bound_of(epsilon, 1e-5),
        notes=("Text is not attacked: note.",),
    )
