"""Whether figures, audit, model and decision are of one release: what goes on one page must not be mixed."""

from __future__ import annotations

from tabsynth.audit import AuditResults
from tabsynth.decision import Decision
from tabsynth.errors import UsageError
from tabsynth.evaluate import Results
from tabsynth.pipeline import FittedPipeline
from tabsynth.release.evidence import fault_of_rows
from tabsynth.schema.unit import unit_words

_MOST_NAMED = 5


def require_one_release(
    results: Results,
    *,
    audit: AuditResults | None = None,
    pipeline: FittedPipeline | None = None,
    decision: Decision | None = None,
) -> None:
    """Raise `UsageError` that lists what shows that these are of different tables; names columns and numbers of rows."""
    faults = []
    if audit is not None:
        faults += _faults_of_audit(audit, results)
    if (
        audit is not None
        and pipeline is not None
        and audit.unit != (unit := unit_words(pipeline.schema.unit))
    ):
        faults.append(f"the audit attacked each {audit.unit}, the model protects each {unit}")
    if pipeline is not None:
        faults += _faults_of_model(pipeline, results)
    if decision is not None and decision.rows and results.released and decision.rows != results.released:
        faults.append("the decision was made for other rows than those that the results are of")
    if faults:
        raise UsageError(f"these are not of one release: {'; '.join(faults)}")


def _faults_of_audit(audit: AuditResults, results: Results) -> list[str]:
    faults = []
    for name, attacked, compared in (
        ("train", audit.counts.train, results.n_train),
        ("holdout", audit.counts.holdout, results.n_holdout),
    ):
        if attacked != compared:
            faults.append(f"the audit knew {attacked:,} rows of {name}, the results {compared:,}")
    if not results.released:
        faults.append(
            "the results do not say which rows they are of, so the audit may be of others: evaluate again"
        )
    elif fault := fault_of_rows(audit, results.released, asked="those that the results are of"):
        faults.append(f"the audit: {fault}")
    return faults


def _faults_of_model(pipeline: FittedPipeline, results: Results) -> list[str]:
    faults = []
    if results.guarantee and results.guarantee != pipeline.guarantee:
        faults.append("the results state another guarantee than the model")
    if (n := len(pipeline.schema.columns)) != results.n_columns:
        faults.append(f"the results are of {results.n_columns:,} columns, the model of {n:,}")
    others = [found.column for found in results.distributions if found.column not in pipeline.schema]
    if others:
        more = f" and {len(others) - _MOST_NAMED:,} more" if len(others) > _MOST_NAMED else ""
        faults.append(f"the model has no {', '.join(map(repr, others[:_MOST_NAMED]))}{more}")
    return faults
