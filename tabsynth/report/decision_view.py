"""A decision as the internal report prints it."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.decision import Answer, Decision
from tabsynth.report import text
from tabsynth.report.verdict import Level

_LEVELS = {Answer.ALLOW: Level.MET, Answer.SIGN_OFF: Level.OFF, Answer.DENY: Level.FAR}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    title: str
    answer: str
    level: str
    required: str
    found: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """`sign_off` is who signed what, why and when; empty where nobody did."""

    policy: str
    audience: str
    on: str
    sign_off: str
    rows: tuple[ReasonRow, ...]


def decision_view(decision: Decision) -> DecisionView:
    """Rules that stand against it first."""
    met = [reason for reason in decision.reasons if reason.answer is Answer.ALLOW]
    signed = {reason.rule for reason in decision.signed}
    rows = [
        ReasonRow(
            title=text.printable(reason.title),
            answer="signed off" if reason.rule in signed else reason.answer.value,
            level=_LEVELS[reason.answer].value,
            required=text.printable(reason.required),
            found=text.printable(reason.found),
            evidence=text.printable(reason.evidence),
        )
        for reason in (*decision.unmet, *met)
    ]
    return DecisionView(
        policy=text.printable(decision.policy),
        audience=text.printable(decision.audience),
        on=decision.on.isoformat(),
        sign_off=_sign_off(decision),
        rows=tuple(rows),
    )


def _sign_off(decision: Decision) -> str:
    signed = decision.sign_off
    if signed is None:
        return ""
    who = f"{text.printable(signed.name)} on {signed.on.isoformat()}: {text.printable(signed.reason)}"
    if decision.signed:
        return f"Signed off by {who}"
    return f"A sign-off that changes nothing, by {who}"
