"""Evidence held against a policy: one reason for every rule; what is missing never allows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from importlib.metadata import version

from tabsynth.audit.verdict import Outcome
from tabsynth.decision import Answer, Decision, Reason, SignOff
from tabsynth.release.evidence import AUDITS, RISKS, AuditEvidence, Evidence
from tabsynth.release.policy import Audience, Limits, Policy

_RETAINING = {
    "smote": "what it makes lies on lines between real rows, which give these away exactly (Ganev et al. 2025, "
    '"SMOTE and Mirrors", arXiv:2510.15083)'
}
"""Why rows of an engine that keeps rows must not leave, where more is known than that it keeps them."""
_OUTCOMES = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.INCONCLUSIVE: "inconclusive"}


def evaluate(
    policy: Policy,
    evidence: Evidence,
    *,
    audience: str,
    sign_off: SignOff | None = None,
    on: dt.date | None = None,
) -> Decision:
    """Whether a release may go to `audience`: allow, needs sign-off, or deny, and why.

    `on` is the day of the decision, today where None. Raises `UsageError` for an unknown audience.
    """
    rules = policy.audience(audience)
    return Decision(
        audience=audience,
        policy=policy.name,
        model=evidence.model,
        rows=evidence.rows,
        reasons=tuple(_reasons(rules, evidence)),
        on=on or dt.date.today(),  # noqa: DTZ011  # a day on the calendar of whoever decides
        sign_off=sign_off,
        version=version("tabsynth"),
    )


def _reasons(rules: Audience, evidence: Evidence) -> Iterator[Reason]:
    yield _epsilon(rules, evidence)
    yield _delta(rules, evidence)
    yield _unit(rules, evidence)
    yield _retained_rows(rules, evidence)
    yield _rows_are_the_models(rules, evidence)
    yield _declared_rules(rules, evidence)
    asked = rules.audits.required
    for kind in (*asked, *(found.kind for found in evidence.audits if found.kind not in asked)):
        yield _audit(rules, evidence, kind)
    for kind in rules.risk.of:
        yield _risk(rules, evidence, kind)


def _epsilon(rules: Audience, evidence: Evidence) -> Reason:
    answer, found = rules.without_guarantee, "no guarantee (ε = ∞)"
    if evidence.has_guarantee:
        answer, found = rules.epsilon.answer(evidence.epsilon), f"ε = {evidence.epsilon:.3g}"
        if evidence.n_former:
            found += f", with {evidence.n_former:,} charges of other fits of the series"
    return Reason(
        rule="epsilon",
        title="Privacy budget ε",
        answer=answer,
        required=_limits(rules.epsilon, "ε"),
        found=found,
        evidence=_ledger_of(evidence),
    )


def _delta(rules: Audience, evidence: Evidence) -> Reason:
    answer, found = rules.without_guarantee, "no guarantee"
    if evidence.has_guarantee:
        answer, found = rules.delta.answer(evidence.delta), f"δ = {evidence.delta:.3g}"
    return Reason(
        rule="delta",
        title="Probability of failure δ",
        answer=answer,
        required=_limits(rules.delta, "δ"),
        found=found,
        evidence=_ledger_of(evidence),
    )


def _limits(limits: Limits, symbol: str) -> str:
    if limits.allowed == limits.sign_off:
        return f"{symbol} ≤ {limits.allowed:g}"
    return f"{symbol} ≤ {limits.allowed:g}; to {limits.sign_off:g} with a sign-off"


def _ledger_of(evidence: Evidence) -> str:
    return f"ledger of {evidence.where}"


def _unit(rules: Audience, evidence: Evidence) -> Reason:
    found, is_met = evidence.unit, evidence.unit_is_person
    if evidence.possible_persons:
        found += f", although {', '.join(evidence.possible_persons)} may name persons"
    elif rules.unit.required == "stated":
        is_met = True
    persons = "a person, or the row where no column may name persons"
    return Reason(
        rule="unit",
        title="Whose presence is protected",
        answer=Answer.ALLOW if is_met else rules.unit.otherwise,
        required="a person" if rules.unit.required == "person" else persons,
        found=found,
        evidence=f"schema of {evidence.where}",
    )


def _retained_rows(rules: Audience, evidence: Evidence) -> Reason:
    is_kept = evidence.retains_rows or bool(evidence.pseudonymised)
    kept = (
        "keeps rows of the source, or cells of single ones"
        if evidence.retains_rows
        else "keeps no rows of the source"
    )
    if evidence.engine in _RETAINING:
        kept += f": {_RETAINING[evidence.engine]}"
    if evidence.pseudonymised:
        kept += f"; keyed hashes of real identities: {', '.join(evidence.pseudonymised)}"
    return Reason(
        rule="retained_rows",
        title="No rows of the source in the model",
        answer=rules.retained_rows_otherwise if is_kept else Answer.ALLOW,
        required="an engine that keeps none",
        found=f"{evidence.engine} {kept}",
        evidence=f"engine of {evidence.where}",
    )


def _rows_are_the_models(rules: Audience, evidence: Evidence) -> Reason:
    file, asked = evidence.file, rules.rows_are_the_models
    if file is None:
        answer, found = asked.unknown, "the rows are not given, so it is not known (--synthetic)"
    elif file.fault:
        answer, found = asked.otherwise, file.fault
    elif not file.is_known:
        answer, found = asked.unknown, "the file bears no mark, so it is not known: sample the rows again"
    elif file.drawn_again:
        answer, found = Answer.ALLOW, "the same rows are drawn from the model again before they leave"
    else:
        answer, found = Answer.ALLOW, "the file's mark is that of the model; the rows were not drawn again"
    return Reason(
        rule="rows_are_the_models",
        title="Origin of the rows",
        answer=answer,
        required="rows of this model alone: no real ones, no given cells, none of another model",
        found=found,
        evidence="" if file is None else f"mark of {file.where}",
    )


def _declared_rules(rules: Audience, evidence: Evidence) -> Reason:
    outcomes = evidence.rules
    broken = [] if outcomes is None else [found for found in outcomes if found.n_violations]
    if outcomes is None:
        found = "declared, and not checked on the rows: give them with --synthetic"
    elif not outcomes:
        found = "none is declared"
    elif broken:
        found = f"{len(broken)} of {len(outcomes)} are broken: {', '.join(each.rule for each in broken[:5])}"
    else:
        found = f"all {len(outcomes)} hold on {outcomes[0].n_rows:,} rows"
    is_met = outcomes is not None and not broken
    return Reason(
        rule="rules",
        title="Declared rules hold",
        answer=Answer.ALLOW if is_met else rules.rules_otherwise,
        required="every declared rule holds on every row",
        found=found,
        evidence=evidence.rules_where,
    )


def _audit(rules: Audience, evidence: Evidence, kind: str) -> Reason:
    found = evidence.audit(kind)
    answer = rules.audits.missing
    if found is not None and not found.fault:
        answer = {
            Outcome.PASS: Answer.ALLOW,
            Outcome.INCONCLUSIVE: rules.audits.inconclusive,
            Outcome.FAIL: rules.audits.failed,
        }[found.outcome]
    title = AUDITS[kind]
    return Reason(
        rule=f"audits.{kind}",
        title=title[0].upper() + title[1:],
        answer=answer,
        required="passed" if kind in rules.audits.required else "passed, where there is one",
        found="no audit is given" if found is None else _outcome(found),
        evidence="" if found is None else found.where,
    )


def _outcome(found: AuditEvidence) -> str:
    if found.fault:
        return f"not of this release: {found.fault}"
    said = _OUTCOMES[found.outcome]
    return f"{said}: {'; '.join(found.reasons)}" if found.reasons else said


def _risk(rules: Audience, evidence: Evidence, kind: str) -> Reason:
    found, audit = evidence.risk(kind), evidence.audit("release")
    upper = None if found is None else found.upper
    is_met = upper is not None and upper < rules.risk.below
    if found is None:
        said = "not measured: no audit of the release is given" if audit is None else "not measured"
    else:
        said = f"not measured: {found.reason}" if upper is None else f"at most {upper:.3f}"
    if audit is not None and audit.fault:
        is_met, said = False, f"not of this release: {audit.fault}"
    return Reason(
        rule=f"risk.{kind}",
        title=f"Risk of {RISKS[kind]}",
        answer=Answer.ALLOW if is_met else rules.risk.otherwise,
        required=f"upper 95 % bound below {rules.risk.below:g}",
        found=said,
        evidence="" if found is None else found.where,
    )
