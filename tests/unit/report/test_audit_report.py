"""The audit and the decision in the internal report: every figure, in words, tables and charts."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tabsynth.audit.bound import bound_of
from tabsynth.audit.verdict import Outcome
from tabsynth.decision import Answer, Decision, Reason, SignOff
from tabsynth.privacy import Budget
from tabsynth.privacy.ledger import Charge, LedgerCopy
from tabsynth.privacy.mechanisms import DiscreteGaussian
from tabsynth.report import render_html, share_sentence
from tabsynth.report.charts.forest import ForestRow, Guide, forest_chart
from tabsynth.report.charts.tradeoff import Measured, tradeoff_chart
from tests.unit.report.audits import make_audit
from tests.unit.report.sample_results import make_results
from tests.unit.report.test_html import HOSTILE, Page

DAY = dt.date(2026, 3, 1)


def reason(answer: Answer, title: str = "Risk of membership") -> Reason:
    return Reason(
        rule=title,
        title=title,
        answer=answer,
        required="below 0.09",
        found="at most 0.095",
        evidence="a.json",
    )


def decision(*reasons: Reason, sign_off: SignOff | None = None) -> Decision:
    return Decision(
        audience="partners", policy="p.yaml", model="m", reasons=reasons, on=DAY, sign_off=sign_off
    )


SIGNED = SignOff(name="A. Officer", reason="contract 12", on=DAY)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "Not decided: no policy was checked, so treat the synthetic rows as private."),
        (
            decision(reason(Answer.ALLOW)),
            "Yes, the synthetic rows may be shared with partners: every rule of the policy is met.",
        ),
        (
            decision(reason(Answer.SIGN_OFF)),
            "Not yet, sharing the synthetic rows with partners needs a named sign-off for: risk of membership.",
        ),
        (
            decision(reason(Answer.SIGN_OFF), sign_off=SIGNED),
            "Yes, the synthetic rows may be shared with partners: A. Officer signed off risk of membership, and every other rule is met.",
        ),
        (
            decision(reason(Answer.DENY), reason(Answer.SIGN_OFF, "Other")),
            "No, the synthetic rows may not be shared with partners; against it stand: risk of membership.",
        ),
    ],
)
def test_the_first_sentence_says_what_was_decided_and_what_stands_against_it(made, said):
    assert share_sentence(made) == said
    assert said in Page(render_html(make_results(), decision=made)).text


def test_the_decision_is_shown_rule_by_rule():
    made = decision(reason(Answer.ALLOW, "Declared rules hold"), reason(Answer.SIGN_OFF), sign_off=SIGNED)
    text = Page(render_html(make_results(), decision=made)).text
    assert "Signed off by A. Officer on 2026-03-01: contract 12" in text
    assert text.index("Risk of membership signed off") < text.index("Declared rules hold allow")
    denied = decision(reason(Answer.DENY), sign_off=SIGNED)
    assert "A sign-off that changes nothing" in Page(render_html(make_results(), decision=denied)).text


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.PASS, "each leak that was planted was seen"),
        (Outcome.FAIL, "betrays who is in train"),
        (Outcome.INCONCLUSIVE, "Neither a leak nor its absence is shown"),
    ],
)
def test_every_outcome_has_its_words(outcome, said):
    assert said in Page(render_html(make_results(), audit=make_audit(outcome))).text


def test_every_figure_of_the_audit_is_on_the_page():
    page = Page(render_html(make_results(), audit=make_audit()))
    assert page.open == []
    for said in (
        "Could not have seen: copy of 1%.",
        "catches a copy of 1.23% of train with 80% probability",
        "copy of 20%",
        "Density ratio best 15.0% (12.8% to 17.4%) 10.0% (8.21% to 12.0%) 10.0% 0.056 0.095 0.4000",
        "Guess of an attribute: diagnosis age and sex 60.0%",
        "0.087",
        "Asked of the most isolated alone",
        "Too few columns to link by.",
        "Female",
        "9.4",
        "60.0% (36.1% to 80.9%)",
        "1,000 members against 1,000 non-members, each a row",
        "one Gaussian mechanism: AUC 0.575",
        "Text is not attacked: note.",
        "0.09",
    ):
        assert said in page.text, said
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href")} <= set(ids)


def test_without_a_stated_guarantee_the_ledger_s_cap_bounds_it_or_nothing_does():
    audit = make_audit(epsilon=None)
    assert "nothing bounds what other attackers reach" in Page(render_html(make_results(), audit=audit)).text
    charge = Charge(statistic="x", columns=(), mechanism=DiscreteGaussian(scale=20.0))
    ledger = LedgerCopy(former=(), charges=(charge,), cap=Budget(epsilon=3.0, delta=1e-5))
    bounded = Page(render_html(make_results(), audit=audit, ledger=ledger)).text
    assert "one Gaussian mechanism: AUC 0.694" in bounded
    alone = Page(render_html(make_results(), ledger=ledger)).text
    assert "No audit is part of this report." in alone


def test_names_in_audits_and_decisions_are_escaped():
    audit = make_audit()
    guess = replace(audit.release.guesses[0], title=HOSTILE, columns=(HOSTILE,), known=(HOSTILE,))
    group = replace(audit.subgroups[0], column=HOSTILE, level=HOSTILE)
    audit = replace(
        audit,
        release=replace(audit.release, guesses=(guess,)),
        subgroups=(group,),
        notes=(HOSTILE,),
        unit=HOSTILE,
        verdict=replace(audit.verdict, reasons=(HOSTILE,), unseen=(HOSTILE,)),
    )
    hostile = replace(reason(Answer.DENY, HOSTILE), found=HOSTILE, evidence=HOSTILE)
    page = Page(render_html(make_results(), audit=audit, decision=decision(hostile)))
    assert page.open == []
    assert "img" not in [tag for tag, _ in page.tags]


def circles(svg: str, css: str) -> list[tuple[float, float]]:
    found = ET.fromstring(svg).iter("circle")
    return [(float(c.get("cx")), float(c.get("cy"))) for c in found if css in (c.get("class") or "")]


def test_points_of_the_trade_off_lie_where_their_rates_say():
    point = Measured(name="x", fpr=0.01, fpr_interval=(0.005, 0.02), tpr=0.1, tpr_interval=(0.08, 0.12))
    zero = replace(point, fpr=0.0, fpr_interval=(0.0, 0.004))
    svg = tradeoff_chart(bound_of(1, 1e-5), (point, zero))
    # 280 units for three decades: 1 % stands a third of the way, 10 % two thirds; 0 at the edge
    assert circles(svg, "measured") == [(52 + 93.3, 10 + 93.3), (52, 10 + 93.3)]
    assert "AUC 0.731" in svg
    assert "AUC 0.575" in svg
    assert "members at 0% of non-members" in svg


def test_the_curves_end_where_the_closed_forms_do():
    svg = tradeoff_chart(bound_of(1, 1e-5))
    first = re.findall(r'd="M([\d.]+) ([\d.]+)', svg)
    # at 0.1 % false positives: .00273 for (ε, δ), .00238 for the Gaussian; log10 over three decades, 280 units
    heights = sorted(round((290 - float(y)) / 280 * 3 - 3, 2) for _, y in first)
    assert heights == [pytest.approx(-2.62, abs=0.01), pytest.approx(-2.56, abs=0.01)]


def test_figures_of_a_forest_lie_on_its_axis():
    rows = [
        ForestRow(label="a", value=0.5, lower=0.45, upper=0.55, words="0.500", level="none"),
        ForestRow(label="b", value=0.6, lower=None, upper=0.65, words="≤ 0.650", level="off"),
    ]
    svg = forest_chart(rows, label="AUC", guides=[Guide(value=0.7, label="limit")], axis=(0.4, 0.6))
    (x_a, y_a), (x_b, y_b) = circles(svg, "dot")
    # the axis runs from 0.4 to the guide at 0.7, over 640 - 210 - 92 = 338 units
    assert x_a == pytest.approx(210 + 338 / 3, abs=0.1)
    assert x_b == pytest.approx(210 + 338 * 2 / 3, abs=0.1)
    assert y_a < y_b
    assert "AUC. a: 0.500; b: ≤ 0.650" in svg
    assert ">0.70<" in svg
