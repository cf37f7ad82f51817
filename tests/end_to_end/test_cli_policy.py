"""`tabsynth policy` and `tabsynth report` from files: exit codes, what is written, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tabsynth.audit import AuditResults
from tabsynth.audit.figures import AttackFigures, Battery
from tabsynth.audit.guesses import Guesses
from tabsynth.audit.rates import rate
from tabsynth.audit.verdict import Outcome, decide
from tabsynth.decision import Decision
from tabsynth.models.registry import default_settings
from tabsynth.release.files import default_text
from tabsynth.schema import write_schema
from tabsynth.schema.rules import Range
from tabsynth.schema.types import Schema
from tests.end_to_end.commands import Done, outcome_of, tabsynth_here, until_no_false_alarm
from tests.unit.audit.tables import SCHEMA, drawn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, rows of the private one, their audit as it is and as one that passed, and an evaluation."""
    made = until_no_false_alarm(lambda: with_an_audit(tmp_path_factory.mktemp("policy")), "audit.json")
    passed(AuditResults.from_dict(json.loads((made / "audit.json").read_text()))).write_json(
        made / "passed.json"
    )
    return made


def with_an_audit(made: Path) -> Path:
    drawn(400, 1).frame.write_parquet(made / "train.parquet")
    drawn(600, 2).frame.write_parquet(made / "holdout.parquet")
    write_schema(Schema(tables=(SCHEMA,)), made / "schema.yaml", private_note=False)
    schema = ("--schema", "schema.yaml")
    real = ("--train", "train.parquet", "--holdout", "holdout.parquet")
    rows = ("--synthetic", "rows.parquet")
    for command in (
        ("fit", "train.parquet", *schema, "--out", "model", "--engine", "independent"),
        ("fit", "train.parquet", *schema, "--out", "open", "--engine", "independent", "--no-privacy"),
        ("sample", "model", "--rows", "400", "--seed", "1", "--out", "rows.parquet"),
        ("evaluate", *rows, *real, *schema, "--out", "report"),
    ):
        assert tabsynth_here(*command, cwd=made).code == 0
    done = tabsynth_here("audit", *rows, *real, *schema, "--epsilon", "1", "--json", "audit.json", cwd=made)
    assert done.code == {"inconclusive": 4, "fail": 3}[outcome_of(made / "audit.json")]
    return made


def passed(results: AuditResults) -> AuditResults:
    """The audit as a larger table might have given it."""
    attacks = tuple(
        replace(found, accusations=tuple(replace(each, risk_upper=0.03) for each in found.accusations))
        for found in results.release.attacks
    )
    few = rate(5, 200)
    guess = Guesses(
        attack_name="attribute",
        title="Guess of c",
        columns=("c",),
        attack=few,
        control=few,
        baseline=few,
        risk=0.0,
        risk_upper=0.04,
        p_value=0.5,
    )
    quiet = tuple(replace(found, auc_p=0.5, reversed_p=0.5) for found in attacks)
    quiet = tuple(
        replace(found, accusations=tuple(replace(each, p_value=0.5) for each in found.accusations))
        for found in quiet
    )
    release = Battery.of(quiet, (guess,))
    calibration = tuple(
        replace(known, battery=Battery.of(seen(known.battery.attacks), ())) if known.is_leak else known
        for known in results.calibration
    )
    verdict = decide(release, calibration, holdout=results.holdout)
    assert verdict.outcome is Outcome.PASS
    return replace(results, verdict=verdict, release=release, calibration=calibration)


def seen(attacks: tuple[AttackFigures, ...]) -> tuple[AttackFigures, ...]:
    """Figures of a release that is flagged."""
    return (replace(attacks[0], auc_p=1e-9), *attacks[1:])


def check(folder: Path, *options: str) -> Done:
    """Of the rows in rows.parquet, unless others are named."""
    rows = () if "--synthetic" in options else ("--synthetic", "rows.parquet")
    return tabsynth_here("policy", "check", *options, *rows, cwd=folder)


def test_without_an_audit_outsiders_are_denied(folder: Path):
    done = check(folder, "--model", "model")
    assert done.code == 3
    assert done.out.startswith("DENIED: No, the synthetic rows may not be shared with outsiders")
    assert "no audit is given" in " ".join(done.out.split())
    assert "Private output" in done.out


def test_a_private_model_whose_audit_passed_is_allowed(folder: Path):
    done = check(folder, "--model", "model", "--audit", "passed.json", "--out", "allowed.json")
    assert done.code == 0
    assert done.out.startswith("ALLOWED: Yes, the synthetic rows may be shared with outsiders")
    assert Decision.read_json(folder / "allowed.json").outcome == "allow"
    again = check(folder, "--model", "model", "--audit", "passed.json", "--out", "allowed.json")
    assert again.code == 2


def test_an_inconclusive_audit_needs_a_partner_s_sign_off(folder: Path):
    options = ("--model", "model", "--audit", "audit.json", "--for", "partners")
    done = check(folder, *options)
    assert done.code == 4
    assert done.out.startswith("NEEDS SIGN-OFF: Not yet")
    signed = check(folder, *options, "--sign-off", "A. Officer", "--reason", "few rows", "--json")
    assert signed.code == 0
    assert signed.json["ok"] is True
    assert signed.json["outcome"] == "allow"
    assert signed.json["sign_off"]["name"] == "A. Officer"


def test_a_model_without_privacy_is_denied_with_any_sign_off(folder: Path):
    options = ("--model", "open", "--audit", "passed.json", "--sign-off", "A. Officer", "--reason", "please")
    done = check(folder, *options, "--json")
    assert (done.code, done.json["ok"], done.json["exit_code"]) == (3, False, 3)
    assert check(folder, *options, "--for", "internal").code == 0


def test_an_audit_of_other_rows_is_no_evidence(folder: Path):
    options = ("--model", "model", "--audit", "passed.json")
    assert check(folder, *options, "--synthetic", "rows.parquet").code == 0
    done = check(folder, *options, "--synthetic", "train.parquet")
    assert done.code == 3
    assert "it attacked other rows" in " ".join(done.out.split())
    done = tabsynth_here("policy", "check", *options, cwd=folder)
    assert done.code == 3
    assert "are not given" in " ".join(done.out.split())
    drawn(401, 3).frame.write_parquet(folder / "others.parquet")
    done = check(folder, *options, "--synthetic", "others.parquet")
    assert done.code == 3
    assert "the one to leave has 401" in " ".join(done.out.split())


def test_audits_of_other_kinds_count_too(folder: Path):
    for outcome, code in (("pass", 0), ("fail", 3), ("inconclusive", 3)):
        data = {"format": "tabsynth-noise-audit/1", "outcome": outcome, "reasons": ["μ at most 0.3"]}
        data |= {"engine": "independent", "settings": default_settings("independent")}
        (folder / "noise.json").write_text(json.dumps(data), encoding="utf-8")
        options = ("--model", "model", "--audit", "passed.json", "--noise", "noise.json")
        assert check(folder, *options).code == code
    assert check(folder, "--model", "model", "--shadow", "noise.json").code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sign-off", "A. Officer"), "give both --sign-off and --reason"),
        (("--sign-off", " ", "--reason", "x"), "a sign-off needs a name"),
        (("--for", "partner"), "did you mean 'partners'"),
        (("--policy", "train.parquet"), "train.parquet"),
        (("--audit", "report/results.json"), "expected results of format 'tabsynth-audit/2'"),
        (("--audit", "none.json"), "cannot be read"),
    ],
)
def test_impossible_options_are_refused(folder: Path, options: tuple[str, ...], said: str):
    done = check(folder, "--model", "model", *options)
    assert done.code == 2
    assert said in done.err


def test_the_default_policy_is_printed_written_and_can_be_changed(folder: Path):
    assert tabsynth_here("policy", "init", cwd=folder).out == default_text()
    assert tabsynth_here("policy", "init", "--json", cwd=folder).json["policy"] == default_text()
    done = tabsynth_here("policy", "init", "--out", "policy.yaml", cwd=folder)
    assert done.code == 0
    assert tabsynth_here("policy", "init", "--out", "policy.yaml", cwd=folder).code == 2
    text = (folder / "policy.yaml").read_text(encoding="utf-8")
    (folder / "policy.yaml").write_text(text.replace("allowed: 1,", "allowed: 0.5,"), encoding="utf-8")
    done = check(folder, "--model", "model", "--audit", "passed.json", "--policy", "policy.yaml")
    assert done.code == 4
    assert "'policy.yaml'" in done.out


def test_the_json_schema_of_policies_is_printed(folder: Path):
    done = tabsynth_here("schema", "json-schema", "--of", "policy", cwd=folder)
    assert json.loads(done.out)["title"] == "tabsynth policy file"


def report(folder: Path, kind: str, *options: str) -> Done:
    return tabsynth_here("report", kind, *options, cwd=folder)


def test_the_internal_report_holds_everything(folder: Path):
    check(folder, "--model", "model", "--audit", "passed.json", "--out", "d.json", "--overwrite")
    options = ("--results", "report/results.json", "--audit", "passed.json", "--model", "model")
    done = report(folder, "internal", *options, "--decision", "d.json", "--out", "in.html")
    assert done.code == 0
    assert done.out.startswith("Yes, the synthetic rows may be shared with outsiders")
    page = (folder / "in.html").read_text(encoding="utf-8")
    for said in (
        "The decision, rule by rule",
        "AUC of each attack",
        "Guess of c",
        "Differentially private: ε = 1",
    ):
        assert said in page
    bare = report(folder, "internal", "--results", "report/results.json", "--out", "bare.html")
    assert bare.out.startswith("Not decided")
    assert 'id="audit"' not in (folder / "bare.html").read_text(encoding="utf-8")


def test_an_audit_of_other_rows_or_of_another_table_is_no_part_of_the_report(folder: Path):
    audit = AuditResults.read_json(folder / "passed.json")
    results = ("--results", "report/results.json", "--out", "mixed.html")
    replace(audit, released="0" * 64).write_json(folder / "of_others.json")
    done = report(folder, "internal", *results, "--audit", "of_others.json")
    assert done.code == 2
    assert (
        "these are not of one release: the audit: it attacked other rows than those that the results are of"
        in done.err
    )
    replace(audit, released="").write_json(folder / "of_any.json")
    assert "audit them again" in report(folder, "internal", *results, "--audit", "of_any.json").err
    counts = replace(audit.counts, train=600, holdout=400)
    replace(audit, counts=counts, unit="person").write_json(folder / "swapped.json")
    done = report(folder, "internal", *results, "--audit", "swapped.json", "--model", "model")
    for said in (
        "the audit knew 600 rows of train, the results 400",
        "the audit knew 400 rows of holdout, the results 600",
        "the audit attacked each person, the model protects each row",
    ):
        assert said in done.err
    data = json.loads((folder / "report/results.json").read_text(encoding="utf-8"))
    (folder / "unknown.json").write_text(json.dumps({**data, "released": ""}), encoding="utf-8")
    done = report(folder, "internal", "--results", "unknown.json", *results[2:], "--audit", "passed.json")
    assert "the results do not say which rows they are of" in done.err
    assert not (folder / "mixed.html").exists()


def test_a_model_or_a_decision_of_another_table_is_no_part_of_the_report(folder: Path):
    few = replace(SCHEMA, columns=SCHEMA.columns[:2])
    write_schema(Schema(tables=(few,)), folder / "few.yaml", private_note=False)
    fitted = ("--schema", "few.yaml", "--out", "few", "--engine", "independent")
    assert tabsynth_here("fit", "train.parquet", *fitted, cwd=folder).code == 0
    results = ("--results", "report/results.json", "--out", "mixed.html")
    done = report(folder, "internal", *results, "--model", "few")
    assert done.code == 2
    missing = [column.name for column in SCHEMA.columns[2:] if column.kind.is_modelled]
    assert f"the results are of {len(SCHEMA.columns)} columns, the model of 2" in done.err
    assert f"the model has no {', '.join(map(repr, missing[:5]))}" in done.err
    drawn(400, 3).frame.write_parquet(folder / "more.parquet")
    check(folder, "--model", "model", "--synthetic", "more.parquet", "--out", "more.json")
    done = report(folder, "internal", *results, "--decision", "more.json")
    assert done.code == 2
    assert "the decision was made for other rows than those that the results are of" in done.err
    assert not (folder / "mixed.html").exists()


def test_results_of_another_guarantee_are_refused(folder: Path):
    data = json.loads((folder / "report/results.json").read_text(encoding="utf-8"))
    (folder / "other.json").write_text(json.dumps({**data, "guarantee": "ε = 9"}), encoding="utf-8")
    done = report(folder, "internal", "--results", "other.json", "--model", "model", "--out", "x.html")
    assert done.code == 2
    assert "another guarantee" in done.err


def test_the_publishable_report_follows_the_decision(folder: Path):
    options = ("--model", "model", "--synthetic", "rows.parquet")
    for name, audit, code in (("yes.json", "passed.json", 0), ("no.json", "audit.json", 3)):
        check(folder, "--model", "model", "--audit", audit, "--out", name)
        done = report(folder, "publishable", *options, "--decision", name, "--out", f"{name}.html")
        assert done.code == code
        assert (folder / f"{name}.html").exists() == (code == 0)
    done = report(folder, "publishable", *options, "--out", "p.html", "--json", "p.json")
    assert done.code == 0
    assert done.out.startswith("Not decided on this page")
    assert json.loads((folder / "p.json").read_text(encoding="utf-8"))["audience"] is None
    assert report(folder, "publishable", *options, "--out", "q.html", "--json", "p.json").code == 2
    assert not (folder / "q.html").exists()


def test_the_publishable_report_holds_declared_rules_and_no_mined_ones(folder: Path):
    rules = (Range(column="k", lower=0), Range(column="k", upper=918_273, draft=True))
    write_schema(
        Schema(tables=(replace(SCHEMA, constraints=rules),)), folder / "ruled.yaml", private_note=False
    )
    fitted = ("--schema", "ruled.yaml", "--out", "ruled", "--engine", "independent", "--no-privacy")
    assert tabsynth_here("fit", "train.parquet", *fitted, cwd=folder).code == 0
    assert tabsynth_here("sample", "ruled", "--rows", "50", "--out", "ruled.parquet", cwd=folder).code == 0
    options = ("--model", "ruled", "--synthetic", "ruled.parquet", "--out", "r.html", "--json", "r.json")
    assert report(folder, "publishable", *options).code == 0
    found = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert [(rule["rule"], rule["n_violations"]) for rule in found["rules"]] == [("0 ≤ k", 0)]
    assert "918273" not in (folder / "r.html").read_text(encoding="utf-8").replace(",", "")


def test_a_decision_of_another_model_is_refused(folder: Path):
    check(folder, "--model", "model", "--audit", "passed.json", "--out", "mine.json")
    decided = ("--decision", "mine.json", "--out", "x.html")
    done = report(folder, "publishable", "--model", "open", "--synthetic", "rows.parquet", *decided)
    assert done.code == 3
    assert "another model" in done.err
    results = ("--results", "report/results.json", "--model", "open")
    assert report(folder, "internal", *results, *decided).code == 3
