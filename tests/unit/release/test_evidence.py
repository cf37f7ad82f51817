"""What models and audit files show, and what is refused as evidence."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from tabsynth.audit import audit
from tabsynth.audit.figures import Battery
from tabsynth.audit.guesses import Guesses
from tabsynth.audit.noise_results import NoiseResults
from tabsynth.audit.shadow import ShadowResults
from tabsynth.audit.verdict import Outcome, decide
from tabsynth.errors import InputError, ModelFileError, PrivacyError
from tabsynth.models.registry import settings_of
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget, Ledger
from tabsynth.privacy.ledger_file import create_ledger_file
from tabsynth.release import evidence_of, model_digest
from tabsynth.release.evidence import AUDITS, _checked, _risks
from tabsynth.report import RuleOutcome
from tests.unit.audit.tables import SCHEMA, drawn

ROWS = drawn(250, 3).digest()


@pytest.fixture(scope="module")
def pipeline():
    return fit(drawn(300, 1), engine="independent", privacy=Budget(epsilon=1.0))


@pytest.fixture(scope="module")
def audited():
    return audit(drawn(250, 3), drawn(300, 1), drawn(600, 2), schema=SCHEMA)


def shown(pipeline, tmp_path, results=None, **options):
    audits = {}
    options = {"rows": ROWS, **options}
    if results is not None:
        path = tmp_path / "audit.json"
        results.write_json(path, overwrite=True)
        audits["release"] = path
    return evidence_of(pipeline, model="ab", where="model", audits=audits, **options)


def guess(**changes):
    return replace(
        Guesses(attack_name="attribute", title="Guessed", columns=("c",), risk_upper=0.04), **changes
    )


def test_a_private_model_shows_its_budget_and_unit(pipeline, tmp_path):
    found = shown(pipeline, tmp_path)
    assert found.epsilon == pytest.approx(1.0, rel=1e-3)
    assert (found.delta, found.unit, found.engine) == (1e-6, "row", "independent")
    assert (found.retains_rows, found.has_guarantee, found.n_former) == (False, True, 0)
    assert found.rules == ()


def test_a_model_without_privacy_shows_none(tmp_path):
    found = shown(fit(drawn(300, 1), engine="independent", privacy=NO_PRIVACY), tmp_path)
    assert (found.epsilon, found.delta, found.has_guarantee) == (math.inf, 1.0, False)


def test_a_model_that_writes_single_rows_down_is_said_to_keep_them(tmp_path):
    for min_group, kept in ((1, True), (2, False)):
        for engine in ("sequential_trees", "gaussian_copula"):
            open_fit = fit(drawn(60, 1), engine=engine, settings={"min_group": min_group}, privacy=NO_PRIVACY)
            assert shown(open_fit, tmp_path).retains_rows is kept


def test_the_whole_series_counts_and_not_what_one_fit_states(tmp_path):
    ledger = Ledger(Budget(epsilon=5.0))
    for _ in range(2):
        second = fit(drawn(300, 1), engine="independent", privacy=Budget(epsilon=1.0), ledger=ledger)
    found = shown(second, tmp_path)
    # two Gaussian fits of ε = 1 each compose to about √2 times the noise's precision: between 1.3 and 2
    assert 1.3 < found.epsilon < 2.0
    assert found.n_former > 0


def test_fits_since_then_count_where_the_ledger_is_given(tmp_path):
    for name in ("ledger", "other"):
        create_ledger_file(tmp_path / name, source="t", cap=Budget(epsilon=5.0))
    first, second = (
        fit(drawn(300, 1), engine="independent", privacy=Budget(epsilon=1.0), ledger=tmp_path / "ledger")
        for _ in range(2)
    )
    alone, today = shown(first, tmp_path), shown(first, tmp_path, ledger=tmp_path / "ledger")
    assert alone.epsilon == pytest.approx(1.0, rel=1e-3)
    assert 1.3 < today.epsilon < 2.0  # as above
    assert (alone.n_former, today.n_former) == (0, len(second.charges))
    with pytest.raises(PrivacyError, match="not the ledger that the model was charged to"):
        shown(first, tmp_path, ledger=tmp_path / "other")


def test_a_statement_smaller_than_the_charges_is_not_believed(pipeline, tmp_path):
    boasting = replace(pipeline, privacy=Budget(epsilon=0.01))
    assert 0.9 < shown(boasting, tmp_path).epsilon <= 1.0


def test_an_audit_shows_its_outcome_and_the_largest_bound_of_membership(pipeline, audited, tmp_path):
    found = shown(pipeline, tmp_path, audited)
    assert found.audit("release").outcome is audited.outcome
    assert found.audit("release").reasons == audited.verdict.reasons
    assert found.audit("release").fault == ""
    every = [each.risk_upper for attack in audited.release.attacks for each in attack.accusations]
    assert found.risk("membership").upper == max(every)
    assert found.audit("shadow") is None


def test_attribute_risk_is_the_largest_of_all_questions_or_not_known(pipeline, audited, tmp_path):
    def upper(*guesses):
        battery = Battery.of(audited.release.attacks, guesses)
        verdict = decide(battery, audited.calibration, holdout=audited.holdout)
        results = replace(audited, release=battery, verdict=verdict)
        risk = shown(pipeline, tmp_path, results).risk("attributes")
        return None if risk is None else (risk.upper, risk.reason)

    assert upper(guess(), guess(risk_upper=0.2)) == (0.2, "")
    assert upper(guess(), guess(risk_upper=None, reason="too few rows")) == (None, "too few rows")
    assert upper() is None
    assert upper(guess(attack_name="linkability")) is None


@pytest.mark.parametrize("worst", [float("nan"), float("inf"), None])
def test_a_bound_that_is_no_number_does_not_hide_behind_another(audited, worst):
    first = audited.release.attacks[0]
    found = [replace(first.accusations[0], risk_upper=0.01)]
    found += [] if worst is None else [replace(found[0], risk_upper=worst)]
    attacks = () if worst is None else (replace(first, accusations=tuple(found)),)
    results = replace(audited, release=replace(audited.release, attacks=attacks))
    assert _risks(results, Path("audit.json"))[0].upper is None


def test_an_audit_of_another_unit_or_table_is_no_evidence(pipeline, audited, tmp_path):
    other = replace(audited, unit="person (column p, at most 5 rows)")
    assert "protected is each row" in shown(pipeline, tmp_path, other).audit("release").fault
    assert "250 rows" in shown(pipeline, tmp_path, audited, n_synthetic=251).audit("release").fault
    assert shown(pipeline, tmp_path, audited, n_synthetic=250).audit("release").fault == ""


@pytest.mark.parametrize(
    ("rows", "said"),
    [(drawn(250, 4).digest(), "other rows than those that are to leave"), ("", "are not given")],
)
def test_an_audit_of_as_many_other_rows_is_no_evidence(pipeline, audited, tmp_path, rows, said):
    found = shown(pipeline, tmp_path, audited, n_synthetic=250, rows=rows)
    assert said in found.audit("release").fault


def test_an_audit_that_does_not_say_of_which_rows_it_is_is_no_evidence(pipeline, audited, tmp_path):
    found = shown(pipeline, tmp_path, replace(audited, released=""))
    assert "does not say which rows" in found.audit("release").fault


@pytest.mark.parametrize("nested", [False, True])
def test_other_audits_are_read_by_what_all_have(pipeline, tmp_path, nested):
    said = {"outcome": "inconclusive", "reasons": ["only 20 fits"]}
    data = {
        "format": "tabsynth-shadow-audit/7",
        "title": "Shadow audit of independent, ε = 1, δ = 1e-06 on t",
        "unit": "row",
        "anything": [1],
        **({"verdict": said} if nested else said),
    }
    path = tmp_path / "shadow.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    found = evidence_of(pipeline, model="ab", where="model", audits={"shadow": path}).audit("shadow")
    assert (found.outcome, found.reasons, found.fault) == (Outcome.INCONCLUSIVE, ("only 20 fits",), "")


@pytest.mark.parametrize(("kind", "is_fault"), [("shadow", True), ("noise", False)])
def test_fits_without_public_rows_are_no_evidence_of_one_with_some(tmp_path, kind, is_fault):
    """Of its rows; its noise is the same."""
    public = drawn(40, 8).frame
    fitted = fit(drawn(60, 1), public=public, privacy=Budget(epsilon=1.0))
    data = {
        "format": f"tabsynth-{kind}-audit/1",
        "outcome": "pass",
        "reasons": [],
        "title": "Shadow audit of bayesian_network, ε = 1, δ = 1e-06 on t",
        "unit": "row",
        "engine": "bayesian_network",
        "settings": settings_of(fitted.engine),
    }
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    fault = evidence_of(fitted, model="ab", where="model", audits={kind: path}).audit(kind).fault
    assert ("not of bayesian_network as it was fitted" in fault) == is_fault


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("shadow", {"title": "Shadow audit of bayesian_network, ε = 1, δ = 1e-06 on t"}),
        ("shadow", {"title": "Shadow audit of independent, without privacy on t"}),
        ("shadow", {"unit": "person (column p, at most 5 rows)"}),
        ("noise", {"engine": "bayesian_network"}),
        ("noise", {"settings": {"min_group": 11}}),
        ("noise", {"settings": None}),
        ("noise", {}),
    ],
)
def test_an_audit_of_another_engine_is_no_evidence(pipeline, tmp_path, kind, change):
    sound = {
        "format": f"tabsynth-{kind}-audit/1",
        "outcome": "pass",
        "reasons": [],
        "title": "Shadow audit of independent, ε = 1, δ = 1e-06 on t",
        "unit": "row",
        "engine": "independent",
        "settings": settings_of(pipeline.engine),
    }
    path = tmp_path / "audit.json"
    path.write_text(json.dumps({**sound, **change}), encoding="utf-8")
    fault = evidence_of(pipeline, model="ab", where="model", audits={kind: path}).audit(kind).fault
    assert ("not of independent as it was fitted" in fault) == bool(change)


def test_what_tells_of_which_engine_an_audit_is_stands_in_every_one():
    """That it says what is compared is shown where the audits are: `test_shadow_run`, `test_cli_audit_noise`."""
    assert {"title", "unit"} <= {found.name for found in fields(ShadowResults)}
    assert {"engine", "settings"} <= {found.name for found in fields(NoiseResults)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": None}, "expected a shadow-model audit, found the format None"),
        ({"format": "tabsynth-audit/2"}, "expected a shadow-model audit"),
        ({"format": "tabsynth-noise-audit/1"}, "expected a shadow-model audit"),
        ({"outcome": "fine"}, "pass, fail or inconclusive"),
        ({"outcome": ["pass"]}, "pass, fail or inconclusive"),
        ({"reasons": "none"}, "a list of reasons"),
        ({"reasons": [1]}, "a list of reasons"),
    ],
)
def test_files_of_other_kinds_are_refused(pipeline, tmp_path, change, said):
    path = tmp_path / "shadow.json"
    sound = {"format": "tabsynth-shadow-audit/1", "outcome": "pass", "reasons": []}
    path.write_text(json.dumps({**sound, **change}), encoding="utf-8")
    with pytest.raises(InputError, match=said):
        evidence_of(pipeline, model="ab", where="model", audits={"shadow": path})


def test_a_shadow_audit_does_not_pass_for_a_release_audit(pipeline, tmp_path):
    path = tmp_path / "shadow.json"
    path.write_text(json.dumps({"format": "tabsynth-shadow-audit/1", "outcome": "pass", "reasons": []}))
    with pytest.raises(InputError, match="expected results of format"):
        evidence_of(pipeline, model="ab", where="model", audits={"release": path})


def test_the_digest_is_of_the_whole_model(pipeline, tmp_path):
    pipeline.save(tmp_path / "a")
    pipeline.save(tmp_path / "b")
    assert model_digest(tmp_path / "a") == model_digest(tmp_path / "b")
    replace(pipeline, n_rows=pipeline.n_rows + 1).save(tmp_path / "c")
    assert model_digest(tmp_path / "a") != model_digest(tmp_path / "c")
    with pytest.raises(ModelFileError, match="cannot be read"):
        model_digest(tmp_path)


def test_every_kind_of_audit_has_a_name_for_the_policy():
    from tabsynth.release.document import AuditName

    assert set(AuditName.__args__) == set(AUDITS)


def test_columns_that_may_name_persons_are_shown(tmp_path):
    from tabsynth.schema.draft import draft_table
    from tabsynth.table import Table

    ids = np.repeat([f"P{i:04}" for i in range(100)], 3)
    frame = pl.DataFrame({"patient_id": ids, "x": np.arange(300) % 7})
    table = Table.conform(frame, draft_table(frame, name="t"))
    found = shown(fit(table, engine="independent", privacy=NO_PRIVACY), tmp_path)
    assert found.possible_persons == ("patient_id",)


def test_rules_that_are_declared_and_not_checked_are_not_taken_to_hold(pipeline, tmp_path):
    outcome = RuleOutcome(rule="x ≤ y", n_rows=9, n_violations=0)
    assert shown(pipeline, tmp_path, rules=(outcome,)).rules == (outcome,)
    assert _checked(None, SimpleNamespace(constraints=("x ≤ y",))) is None
    assert _checked((outcome,), SimpleNamespace(constraints=("x ≤ y",))) == (outcome,)
