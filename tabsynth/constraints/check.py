"""Hold a table against the rules of its schema: counts, never cells.

Of a real table the counts are private: no budget is charged for them, so they are for the eyes of those alone who
may see the table. A differentially private fit never calls this on the source.
"""

from __future__ import annotations

import polars as pl

from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.constraints.plan import RulePlan
from tabsynth.constraints.rules import constraints_of
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import TableSchema


def check_rules(
    frame: pl.DataFrame, schema: TableSchema, *, plan: RulePlan | None = None
) -> tuple[RuleOutcome, ...]:
    """How many rows of `frame`, which is of the schema, break each of its rules, in order.

    `plan`, of the model that made the rows, says how each was met; how many rows that took is known only where rows are made.
    """
    planned = zip(plan.constraints, plan.forms, strict=True) if plan is not None else ()
    forms = {title_of(one.rule): form for one, form in planned}
    return tuple(
        RuleOutcome(
            rule=title_of(one.rule),
            n_rows=frame.height,
            n_violations=int(one.violations(frame).sum()),
            form=forms.get(title_of(one.rule), ""),
            is_counted=plan is None,
        )
        for one in constraints_of(schema)
    )
