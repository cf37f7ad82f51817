"""What is known of a release: from its model, from audits, and from its rows."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabsynth.audit import AuditResults
from tabsynth.audit.results import FORMAT as RELEASE_FORMAT
from tabsynth.audit.verdict import Outcome
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.errors import InputError, ModelFileError, PrivacyError
from tabsynth.io import read_json_object
from tabsynth.models.registry import settings_of
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy import Budget, Charge
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger_file import read_ledger_file
from tabsynth.refit.box import engine_box
from tabsynth.release.rows import RowsEvidence
from tabsynth.schema.types import TableSchema
from tabsynth.schema.unit import possible_persons, unit_words

AUDITS: Mapping[str, str] = {
    "release": "audit of the release",
    "shadow": "shadow-model audit",
    "noise": "audit of the noise",
}
"""The kinds of audits, and what they are called."""
_GUESSED = {"attributes": "attribute", "singling_out": "singling_out", "linkability": "linkability"}
RISKS: Mapping[str, str] = {
    "membership": "membership",
    "attributes": "attributes",
    "singling_out": "singling out",
    "linkability": "linkability",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvidence:
    """One audit's outcome and reasons; `fault` says why it is no evidence for this release, if it is none."""

    kind: str
    where: str
    outcome: Outcome
    reasons: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskEvidence:
    """The upper 95 % bound of one kind of risk; None where it could not be measured, for that reason."""

    kind: str
    where: str
    upper: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything a policy asks about, and where each part was found.

    `epsilon` and `delta` are those of the whole series of releases that the model's ledger knows of, ∞ and 1
    without a guarantee. `possible_persons` are columns that may name persons although the unit is the row.
    `rules` are the declared rules on the release's rows; None where they were declared and not checked.
    `rows` is the digest of these rows (`Table.digest`), "" where they were not given. `pseudonymised` are columns of
    keyed hashes. `file` is what the rows' file says of where they came from, None where none was given.
    """

    model: str
    where: str
    epsilon: float
    delta: float
    n_former: int  # charges of other fits in the series
    unit: str
    unit_is_person: bool
    possible_persons: tuple[str, ...]
    engine: str
    retains_rows: bool
    audits: tuple[AuditEvidence, ...] = ()
    risks: tuple[RiskEvidence, ...] = ()
    rules: tuple[RuleOutcome, ...] | None = ()
    rules_where: str = "the model's schema"
    rows: str = ""
    pseudonymised: tuple[str, ...] = ()
    file: RowsEvidence | None = None

    @property
    def has_guarantee(self) -> bool:
        return math.isfinite(self.epsilon)

    def audit(self, kind: str) -> AuditEvidence | None:
        return next((found for found in self.audits if found.kind == kind), None)

    def risk(self, kind: str) -> RiskEvidence | None:
        return next((found for found in self.risks if found.kind == kind), None)


def evidence_of(
    pipeline: FittedPipeline,
    *,
    model: str,
    where: str,
    audits: Mapping[str, Path] | None = None,
    n_synthetic: int | None = None,
    rows: str = "",
    rules: Sequence[RuleOutcome] | None = None,
    ledger: Path | None = None,
    file: RowsEvidence | None = None,
) -> Evidence:
    """What a model and the audits of its rows show.

    `model` is the digest of the model in the folder `where`; `audits` are files by kind (`AUDITS`);
    `n_synthetic` is the number of rows of the table that is to leave and `rows` its digest (`Table.digest`): an
    audit of other rows is no evidence for it, nor is any where they are not known. `rules` are the declared rules on that table's rows, None where they were not
    checked. `ledger` is the series' ledger file, for what was charged since the model was fitted, `file` what the rows'
    file says of them (`rows_evidence`). Raises
    `InputError` for files that hold no audit of their kind, `PrivacyError` for a ledger that is not the model's.
    """
    charges = _charges(pipeline, ledger)
    epsilon, delta = _series(pipeline, charges)
    unit = pipeline.schema.unit
    found, risks = [], []
    for kind, path in (audits or {}).items():
        if kind == "release":
            results = AuditResults.read_json(path)
            fault = _fault_of(results, unit=unit_words(unit), n_synthetic=n_synthetic, rows=rows)
            found.append(_release_audit(results, path, fault))
            risks = _risks(results, path)
        else:
            found.append(_other_audit(kind, path, pipeline))
    return Evidence(
        model=model,
        where=where,
        epsilon=epsilon,
        delta=delta,
        n_former=len(charges) - len(pipeline.charges),
        unit=unit_words(unit),
        unit_is_person=unit.column is not None,
        possible_persons=possible_persons(pipeline.schema),
        engine=pipeline.engine.name,
        retains_rows=_retains_rows(pipeline),
        audits=tuple(found),
        risks=tuple(risks),
        rules=_checked(rules, pipeline.schema),
        rows=rows,
        pseudonymised=tuple(column.name for column in pipeline.schema.columns if column.pseudonymised),
        file=file,
    )


def model_digest(folder: str | Path) -> str:
    """The SHA-256 of a model folder's manifest, which holds those of its parts, in hexadecimal."""
    path = Path(folder) / "manifest.json"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as fault:
        raise ModelFileError(f"{path}: cannot be read ({fault.strerror})") from None


def _retains_rows(pipeline: FittedPipeline) -> bool:
    """Whether cells of single rows may stand in the model as they are.

    Without privacy, pieces of at least `min_group` rows are written down; with a group of one these are rows' own.
    """
    is_exact = not isinstance(pipeline.privacy, Budget)
    alone = getattr(pipeline.engine, "min_group", 2) < 2
    return pipeline.engine.retains_rows or (is_exact and alone)


def _checked(rules: Sequence[RuleOutcome] | None, schema: TableSchema) -> tuple[RuleOutcome, ...] | None:
    """The outcomes of the declared rules; None where there are some and they were not checked."""
    return tuple(rules) if rules is not None else None if schema.constraints else ()


def _charges(pipeline: FittedPipeline, ledger: Path | None) -> tuple[Charge, ...]:
    """All charges of the series: as the model knows them, or as its ledger file stands today."""
    known = (*pipeline.ledger.former, *pipeline.ledger.charges)
    if ledger is None:
        return known
    record = read_ledger_file(ledger)
    if not record.holds(pipeline.ledger):
        raise PrivacyError(f"{ledger} is not the ledger that the model was charged to, or was set back since")
    return tuple(charge for _, charge in record.charges)


def _series(pipeline: FittedPipeline, charges: Sequence[Charge]) -> tuple[float, float]:
    """ε and δ of the series: the larger of what is stated and what its charges compose to."""
    privacy, cap = pipeline.privacy, pipeline.ledger.cap
    if not isinstance(privacy, Budget):
        return math.inf, 1.0
    delta = privacy.delta if cap is None else max(privacy.delta, cap.delta)
    return max(privacy.epsilon, epsilon_of((charge.mechanism for charge in charges), delta)), delta


def _fault_of(results: AuditResults, *, unit: str, n_synthetic: int | None, rows: str) -> str:
    """Why an audit is no evidence for the rows that are to leave; "" where it is."""
    faults = []
    if results.unit != unit:
        faults.append(f"it attacked each {results.unit}, protected is each {unit}")
    if n_synthetic is not None and results.counts.synthetic != n_synthetic:
        faults.append(
            f"it attacked a table of {results.counts.synthetic:,} rows, the one to leave has {n_synthetic:,}"
        )
    elif not rows:
        faults.append("the rows that are to leave are not given, so it may be of others (--synthetic)")
    elif fault := fault_of_rows(results, rows, asked="those that are to leave"):
        faults.append(fault)
    return "; ".join(faults)


def fault_of_rows(results: AuditResults, rows: str, *, asked: str) -> str:
    """Why an audit says nothing of the `asked` rows, whose digest is `rows`; "" where it attacked them."""
    if not results.released:
        return "it does not say which rows it attacked: audit them again"
    return "" if results.released == rows else f"it attacked other rows than {asked}"


def _release_audit(results: AuditResults, path: Path, fault: str) -> AuditEvidence:
    return AuditEvidence(
        kind="release",
        where=str(path),
        outcome=results.outcome,
        reasons=results.verdict.reasons,
        fault=fault,
    )


def _other_audit(kind: str, path: Path, pipeline: FittedPipeline) -> AuditEvidence:
    """An audit of another kind, read by what all have: a format, an outcome and reasons.

    They stand in the object itself or in its `verdict`.
    """
    data = read_json_object(path)
    verdict = data.get("verdict")
    said = verdict if "outcome" not in data and isinstance(verdict, dict) else data
    form, outcome, reasons = data.get("format"), said.get("outcome"), said.get("reasons")
    if not isinstance(form, str) or form == RELEASE_FORMAT or kind not in form:
        raise InputError(f"{path}: expected a {AUDITS[kind]}, found the format {form!r:.60}")
    if outcome not in tuple(Outcome):
        raise InputError(f"{path}: expected an outcome of pass, fail or inconclusive")
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        raise InputError(f"{path}: expected a list of reasons")
    return AuditEvidence(
        kind=kind,
        where=str(path),
        outcome=Outcome(outcome),
        reasons=tuple(reasons),
        fault=""
        if _is_of_engine(kind, data, pipeline)
        else f"it is not of {pipeline.engine.name} as it was fitted",
    )


def _is_of_engine(kind: str, data: Mapping[str, object], pipeline: FittedPipeline) -> bool:
    """Whether an audit of an engine was of the model's: by name and settings, or by its title and unit.

    A shadow audit fits without public rows, so it says nothing of the rows of a model that was given some; the noise is the same.
    """
    engine = pipeline.engine
    if kind == "noise":
        settings = json.loads(json.dumps(settings_of(engine)))
        return data.get("engine") == engine.name and data.get("settings") == settings
    if pipeline.n_public:
        return False
    title = engine_box(engine, privacy=pipeline.privacy).title
    is_titled = str(data.get("title")).startswith(f"Shadow audit of {title} on ")
    return is_titled and data.get("unit") == unit_words(pipeline.schema.unit)


def _risks(results: AuditResults, path: Path) -> list[RiskEvidence]:
    """The largest bound of each kind that was asked about; None where any question of it could not be put."""
    accused = [found.risk_upper for attack in results.release.attacks for found in attack.accusations]
    risks = [_largest("membership", path, accused)]
    for kind, attack in _GUESSED.items():
        guesses = [guess for guess in results.release.guesses if guess.attack_name == attack]
        bounds = [guess.risk_upper for guess in guesses if guess.risk_upper is not None]
        not_put = [guess for guess in guesses if guess.risk_upper is None]
        if not_put:
            reasons = dict.fromkeys(guess.reason or "no reason given" for guess in not_put)
            risks.append(RiskEvidence(kind=kind, where=str(path), upper=None, reason="; ".join(reasons)))
        elif guesses:
            risks.append(_largest(kind, path, bounds))
    return risks


def _largest(kind: str, path: Path, bounds: Sequence[float]) -> RiskEvidence:
    """The largest bound; None where there is none, or one that is no number and would hide behind the others."""
    if not bounds or not all(map(math.isfinite, bounds)):
        return RiskEvidence(kind=kind, where=str(path), upper=None, reason="the audit holds no bound of it")
    return RiskEvidence(kind=kind, where=str(path), upper=max(bounds))
