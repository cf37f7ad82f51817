"""What may be told outside of a release, and nothing else.

A `Publishable` is made of a model, the synthetic table, the rules that its schema declares, and one bit of a
decision. It has no field for a figure that was computed from train or holdout, for an audit, or for a
reason of a decision: what it cannot hold it cannot leak. All of it follows from what the ledger was charged
for, or, without privacy, from rows that are handed out anyway.

The decision to release rests on audits, which look at private rows: that a release was allowed is one bit
that no budget was charged for. It says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from tabsynth.audit.bound import Bound, bound_of
from tabsynth.check import check_cells
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.decision import Answer, Decision
from tabsynth.errors import DataError, PolicyError
from tabsynth.evaluate.alone import Alone, alone
from tabsynth.pipeline import FittedPipeline
from tabsynth.plain_results import PlainResults
from tabsynth.privacy import Budget
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.schema.types import Column, Origin
from tabsynth.schema.unit import unit_words
from tabsynth.table import Table

FORMAT = "tabsynth-publishable/1"
_ORIGINS = {
    Origin.PUBLIC: "public",
    Origin.CHARGED: "bought with the budget",
    Origin.DRAFT: "read off the source, unprotected",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainStatement:
    """Where the knowledge of a column's domain came from, and the public source of a public one."""

    column: str
    kind: str
    origin: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishable(PlainResults):
    """A release for people outside.

    `audience` is whom it was allowed to go to, None where no decision is stated. `n_learnt` is the noisy
    number of rows that was charged; None without privacy, where only the exact number is known. `ledger` is
    without the name of its file and source. `bound` is None without a guarantee.
    """

    format_name: ClassVar[str] = FORMAT
    is_indented: ClassVar[bool] = True

    title: str
    guarantee: str
    privacy: Budget | None
    unit: str
    engine: str
    n_learnt: int | None
    domains: tuple[DomainStatement, ...]
    ledger: LedgerCopy
    bound: Bound | None
    rules: tuple[RuleOutcome, ...]
    synthetic: Alone
    audience: str | None = None
    version: str = ""

    @property
    def has_guarantee(self) -> bool:
        return self.privacy is not None


def publishable(
    pipeline: FittedPipeline,
    synthetic: Table,
    *,
    rules: Sequence[RuleOutcome] = (),
    decision: Decision | None = None,
) -> Publishable:
    """What may be told of the rows `synthetic` that `pipeline` made.

    `rules` are the declared rules, checked on the synthetic rows. Of `decision` its outcome is kept, and for
    whom; `PolicyError` where it does not allow the release, or was made for other rows. `DataError` where
    cells lie outside the domains of the model's schema: the model did not make these rows.
    """
    if decision is not None and decision.outcome is not Answer.ALLOW:
        raise PolicyError(
            f"the decision for {decision.audience!r} does not allow the release ({decision.outcome.value}): there "
            "is nothing to publish"
        )
    if decision is not None and decision.rows != synthetic.digest():
        whose = "other rows than these" if decision.rows else "no rows in particular"
        raise PolicyError(f"the decision was made for {whose}: check these (policy check --synthetic)")
    if faults := check_cells(synthetic):
        raise DataError("these rows are not what the model makes", faults)
    privacy = pipeline.privacy if isinstance(pipeline.privacy, Budget) else None
    ledger = pipeline.ledger
    return Publishable(
        title=pipeline.schema.name,
        guarantee=pipeline.guarantee,
        privacy=privacy,
        unit=unit_words(pipeline.schema.unit),
        engine=pipeline.engine.name,
        n_learnt=None if privacy is None else pipeline.n_rows,
        domains=tuple(_statement(column) for column in pipeline.schema.columns),
        ledger=LedgerCopy(former=ledger.former, charges=ledger.charges, cap=ledger.cap),
        bound=None if privacy is None else bound_of(privacy.epsilon, privacy.delta),
        rules=tuple(rules),
        synthetic=alone(synthetic),
        audience=None if decision is None else decision.audience,
        version=version("tabsynth"),
    )


def _statement(column: Column) -> DomainStatement:
    source = column.domain.source if column.domain.origin is Origin.PUBLIC else None
    return DomainStatement(
        column=column.name,
        kind=column.kind.value,
        origin=_ORIGINS[column.domain.origin],
        source=source or "",
    )
