"""A decision: what its reasons come to, what a sign-off changes, and its file."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from tabsynth.decision import Answer, Decision, Reason, SignOff
from tabsynth.errors import InputError, OutputExistsError, UsageError

DAY = dt.date(2026, 3, 1)
SIGNED = SignOff(name="A. Officer", reason="few rows, and ε is 1", on=DAY)


def reason(rule: str, answer: Answer) -> Reason:
    return Reason(
        rule=rule, title=f"Rule {rule}", answer=answer, required="that", found="this", evidence="x.json"
    )


def decision(*answers: Answer, sign_off: SignOff | None = None) -> Decision:
    reasons = tuple(reason(str(i), answer) for i, answer in enumerate(answers))
    return Decision(
        audience="partners", policy="p.yaml", model="ab", reasons=reasons, on=DAY, sign_off=sign_off
    )


ALLOW, SIGN, DENY = Answer.ALLOW, Answer.SIGN_OFF, Answer.DENY


@pytest.mark.parametrize(
    ("answers", "unsigned", "signed"),
    [
        ((ALLOW, ALLOW), ALLOW, ALLOW),
        ((ALLOW, SIGN), SIGN, ALLOW),
        ((SIGN, DENY), DENY, DENY),
        ((ALLOW, DENY), DENY, DENY),
        ((), DENY, DENY),
    ],
)
def test_the_strictest_answer_decides_and_nobody_signs_a_denial(answers, unsigned, signed):
    assert decision(*answers).outcome is unsigned
    assert decision(*answers, sign_off=SIGNED).outcome is signed


def test_a_sign_off_names_the_rules_that_it_stands_for():
    assert [found.rule for found in decision(ALLOW, SIGN, SIGN, sign_off=SIGNED).signed] == ["1", "2"]
    assert decision(ALLOW, SIGN).signed == ()
    assert decision(SIGN, DENY, sign_off=SIGNED).signed == ()
    assert decision(ALLOW, sign_off=SIGNED).signed == ()


def test_what_denies_is_named_first():
    assert [found.answer for found in decision(SIGN, ALLOW, DENY).unmet] == [DENY, SIGN]


@pytest.mark.parametrize(("name", "why"), [("", "x"), (" ", "x"), ("x", ""), ("x", "\n"), ("x" * 2001, "x")])
def test_a_blank_sign_off_is_none(name, why):
    with pytest.raises(UsageError, match="a sign-off needs a"):
        SignOff(name=name, reason=why, on=DAY)


def test_the_file_round_trips_and_is_not_replaced(tmp_path):
    made = decision(ALLOW, SIGN, sign_off=SIGNED)
    path = tmp_path / "d.json"
    made.write_json(path)
    assert Decision.read_json(path) == made
    assert json.loads(path.read_text(encoding="utf-8"))["outcome"] == "allow"
    assert made.private_output
    with pytest.raises(OutputExistsError):
        made.write_json(path)


def test_an_outcome_that_was_edited_is_refused():
    data = decision(DENY).to_dict()
    with pytest.raises(InputError, match="not what its reasons come to"):
        Decision.from_dict({**data, "outcome": "allow"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "tabsynth-audit/2"}, "expected results of format"),
        ({"reasons": [{"rule": "x"}], "on": 3}, r"reasons\.0\.title(.|\n)*on"),
        ({"sign_off": {"name": "", "reason": "x", "on": "2026-03-01"}}, "damaged"),
    ],
)
def test_other_files_and_damage_are_refused(change, said):
    with pytest.raises(InputError, match=said):
        Decision.from_dict({**decision(ALLOW).to_dict(), **change})


@pytest.mark.parametrize(("text", "said"), [("[]", "an object"), ("{", "cannot be read"), (None, "cannot")])
def test_what_is_no_json_object_is_refused(tmp_path, text, said):
    path = tmp_path / "d.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        Decision.read_json(path)


def test_a_rule_more_strict_changes_the_outcome():
    made = decision(ALLOW)
    stricter = replace(made, reasons=(*made.reasons, reason("late", DENY)))
    assert (made.outcome, stricter.outcome) == (ALLOW, DENY)
