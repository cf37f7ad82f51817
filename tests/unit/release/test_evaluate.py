"""Evidence against a policy: every rule met and not met, and nothing allowed by what is missing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from tabsynth.audit.verdict import Outcome
from tabsynth.decision import Answer, Decision, SignOff
from tabsynth.errors import UsageError
from tabsynth.release import default_policy, evaluate
from tabsynth.release.evidence import AuditEvidence, Evidence, RiskEvidence
from tabsynth.release.rows import RowsEvidence
from tabsynth.report import RuleOutcome

DAY = dt.date(2026, 3, 1)
PASSED = AuditEvidence(kind="release", where="audit.json", outcome=Outcome.PASS, reasons=("all seen",))
RISKS = tuple(
    RiskEvidence(kind=kind, where="audit.json", upper=upper)
    for kind, upper in (("membership", 0.05), ("attributes", 0.0899))
)
GOOD = Evidence(
    model="ab",
    where="model",
    epsilon=1.0,
    delta=1e-6,
    n_former=0,
    unit="row",
    unit_is_person=False,
    possible_persons=(),
    engine="bayesian_network",
    retains_rows=False,
    audits=(PASSED,),
    risks=RISKS,
    rules=(RuleOutcome(rule="a ≤ b", n_rows=1000, n_violations=0),),
    file=RowsEvidence(where="rows.csv", is_known=True),
)
ALLOW, SIGN, DENY = Answer.ALLOW, Answer.SIGN_OFF, Answer.DENY


def decided(evidence: Evidence, audience: str = "outsiders", **options) -> Decision:
    return evaluate(default_policy(), evidence, audience=audience, on=DAY, **options)


def answers(decision: Decision) -> dict[str, Answer]:
    return {reason.rule: reason.answer for reason in decision.reasons}


def test_what_meets_every_rule_is_allowed_everywhere():
    for audience in default_policy().audiences:
        found = decided(GOOD, audience)
        assert found.outcome is ALLOW
        assert found.unmet == ()
        assert set(answers(found)) == {
            "epsilon",
            "delta",
            "unit",
            "retained_rows",
            "rows_are_the_models",
            "rules",
            "audits.release",
            "risk.membership",
            "risk.attributes",
        }
        for reason in found.reasons:
            assert reason.required
            assert reason.found
            assert reason.evidence
    assert (found.model, found.policy, found.on) == ("ab", "defaults", DAY)
    assert evaluate(default_policy(), GOOD, audience="partners").on > DAY


NONE = {"epsilon": float("inf"), "delta": 1.0}
SPOILT = [
    # what is changed, the rule that notices, and its answer for outsiders, partners and internal
    ({"epsilon": 1.5}, "epsilon", (SIGN, ALLOW, ALLOW)),
    ({"epsilon": 3.5}, "epsilon", (DENY, SIGN, ALLOW)),
    ({"epsilon": 15.0}, "epsilon", (DENY, DENY, SIGN)),
    ({"epsilon": 25.0}, "epsilon", (DENY, DENY, DENY)),
    (NONE, "epsilon", (DENY, DENY, SIGN)),
    (NONE, "delta", (DENY, DENY, SIGN)),
    ({"file": None}, "rows_are_the_models", (DENY, SIGN, SIGN)),
    ({"file": RowsEvidence(where="r", is_known=False)}, "rows_are_the_models", (DENY, SIGN, SIGN)),
    ({"file": RowsEvidence(where="r", is_known=False, fault="f")}, "rows_are_the_models", (DENY, DENY, DENY)),
    (
        {"file": RowsEvidence(where="r", is_known=False, fault="f", drawn_again=True)},
        "rows_are_the_models",
        (DENY, DENY, DENY),
    ),
    ({"delta": 5e-5}, "delta", (DENY, DENY, SIGN)),
    ({"possible_persons": ("patient_nbr",)}, "unit", (DENY, SIGN, SIGN)),
    ({"retains_rows": True}, "retained_rows", (DENY, DENY, SIGN)),
    ({"rules": None}, "rules", (DENY, DENY, SIGN)),
    ({"rules": (RuleOutcome(rule="a ≤ b", n_rows=9, n_violations=1),)}, "rules", (DENY, DENY, SIGN)),
    ({"audits": ()}, "audits.release", (DENY, DENY, SIGN)),
    ({"audits": (replace(PASSED, outcome=Outcome.FAIL),)}, "audits.release", (DENY, DENY, DENY)),
    ({"audits": (replace(PASSED, outcome=Outcome.INCONCLUSIVE),)}, "audits.release", (DENY, SIGN, SIGN)),
    ({"audits": (replace(PASSED, fault="other rows"),)}, "audits.release", (DENY, DENY, SIGN)),
    ({"audits": (replace(PASSED, fault="other rows"),)}, "risk.membership", (DENY, SIGN, SIGN)),
    ({"risks": RISKS[1:]}, "risk.membership", (DENY, SIGN, SIGN)),
    ({"risks": RISKS[:1]}, "risk.attributes", (DENY, SIGN, SIGN)),
    ({"risks": (replace(RISKS[0], upper=0.09), RISKS[1])}, "risk.membership", (DENY, SIGN, SIGN)),
    (
        {"risks": (RISKS[0], replace(RISKS[1], upper=None, reason="too few"))},
        "risk.attributes",
        (DENY, SIGN, SIGN),
    ),
]


@pytest.mark.parametrize(("change", "rule", "expected"), SPOILT)
def test_what_a_rule_that_is_not_met_comes_to(change, rule, expected):
    spoilt = replace(GOOD, **change)
    found = {audience: decided(spoilt, audience) for audience in ("outsiders", "partners", "internal")}
    assert tuple(answers(decision)[rule] for decision in found.values()) == expected
    for decision in found.values():
        assert decision.outcome is not ALLOW or answers(decision)[rule] is ALLOW


def test_no_evidence_at_all_allows_nothing():
    bare = replace(GOOD, **NONE, audits=(), risks=(), rules=None, file=None)
    for audience in default_policy().audiences:
        found = answers(decided(bare, audience))
        unmet = ("rows_are_the_models", "audits.release", "risk.membership", "risk.attributes")
        for rule in ("epsilon", "delta", "rules", *unmet):
            assert found[rule] is not ALLOW


def test_a_person_meets_the_unit_that_a_policy_may_ask_for():
    policy = default_policy()
    outsiders = policy.audience("outsiders")
    strict = replace(outsiders, unit=replace(outsiders.unit, required="person"))
    policy = replace(policy, audiences={"outsiders": strict})
    person = replace(GOOD, unit="person (column p, at most 5 rows)", unit_is_person=True)
    found = [
        answers(evaluate(policy, each, audience="outsiders"))["unit"]
        for each in (GOOD, person, replace(person, possible_persons=("q",)))
    ]
    assert found[:2] == [DENY, ALLOW]


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.INCONCLUSIVE])
def test_an_audit_that_nobody_asked_for_must_not_fail_either(outcome):
    shadow = AuditEvidence(kind="shadow", where="shadow.json", outcome=outcome, reasons=("AUC 0.8",))
    found = decided(replace(GOOD, audits=(PASSED, shadow)))
    assert answers(found)["audits.shadow"] is DENY
    assert found.outcome is DENY
    said = next(reason for reason in found.reasons if reason.rule == "audits.shadow")
    assert "AUC 0.8" in said.found
    assert said.evidence == "shadow.json"
    passed = replace(shadow, outcome=Outcome.PASS, reasons=())
    assert decided(replace(GOOD, audits=(PASSED, passed))).outcome is ALLOW


def test_a_required_audit_that_is_missing_is_a_reason_of_its_own():
    policy = default_policy()
    outsiders = policy.audience("outsiders")
    asked = replace(outsiders, audits=replace(outsiders.audits, required=("release", "noise")))
    found = evaluate(replace(policy, audiences={"outsiders": asked}), GOOD, audience="outsiders")
    assert answers(found)["audits.noise"] is DENY


def test_what_was_found_is_said_with_its_figures():
    spoilt = replace(GOOD, epsilon=2.0, n_former=40, risks=(replace(RISKS[0], upper=0.1234), RISKS[1]))
    said = {reason.rule: reason.found for reason in decided(spoilt).reasons}
    assert said["epsilon"] == "ε = 2, with 40 charges of other fits of the series"
    assert said["risk.membership"] == "at most 0.123"
    assert said["rules"] == "all 1 hold on 1,000 rows"


def test_a_sign_off_allows_what_may_be_signed_off_alone():
    signed = SignOff(name="A. Officer", reason="contract 12", on=DAY)
    two = replace(GOOD, epsilon=2.0)
    assert decided(two).outcome is SIGN
    assert decided(two, sign_off=signed).outcome is ALLOW
    assert decided(replace(two, retains_rows=True), sign_off=signed).outcome is DENY


def test_an_unknown_audience_is_refused():
    with pytest.raises(UsageError, match="no audience 'friends'"):
        decided(GOOD, "friends")
