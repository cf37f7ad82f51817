"""Hold a table against the rules of its schema: counts, never cells.

Of a real table the counts are private: no budget is charged for them, so they are for the eyes of those alone who
may see the table. A differentially private fit never calls this on the source.
"""

from __future__ import annotations

import polars as pl

from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.constraints.rules import constraints_of
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import TableSchema


def check_rules(frame: pl.DataFrame, schema: TableSchema) -> tuple[RuleOutcome, ...]:
    """How many rows of `frame`, which is of the schema, break each of its rules, in order."""
    return tuple(
        RuleOutcome(
            rule=title_of(one.rule), n_rows=frame.height, n_violations=int(one.violations(frame).sum())
        )
        for one in constraints_of(schema)
    )
