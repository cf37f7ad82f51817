"""How many rows persons have in the three tables, as a chart needs it."""

from __future__ import annotations

from tabsynth.evaluate.results import Distribution, Histories
from tabsynth.metrics.base import EvalData
from tabsynth.metrics.histories import HISTORIES, ROWS_PER_PERSON, STAYS, rows_per_person, same_length
from tabsynth.schema.types import Kind

MAX_ROWS = 12


def histories(data: EvalData) -> Histories | None:
    """What a report needs beside the figures of histories; None where the schema does not order the rows of a person."""
    unit = data.train.schema.unit
    if unit.column is None or unit.order_by is None:
        return None
    return Histories(
        person=unit.column,
        order_by=unit.order_by,
        distance_metric=HISTORIES.name,
        stay_metric=STAYS.name,
        rows_metric=ROWS_PER_PERSON.name,
        rows=rows_distribution(data),
    )


def rows_distribution(data: EvalData) -> Distribution:
    """The shares of persons with 1, 2, 3, … rows; more than 12, or than the schema's max_rows, share the last level."""
    counts = same_length(*(rows_per_person(table) for table in (data.train, data.holdout, data.synthetic)))
    longest = max(1, len(counts[0]) - 1)
    last = min(longest, MAX_ROWS)
    is_open = last < longest or last == data.train.schema.unit.max_rows
    train, holdout, synthetic = (
        tuple(float(n) / max(1, int(own.sum())) for n in (*own[1:last], own[last:].sum())) for own in counts
    )
    return Distribution(
        column=f"rows per {data.train.schema.unit.column}",
        kind=Kind.INTEGER.value,
        labels=(*map(str, range(1, last)), f"{last}+" if is_open else f"{last}"),
        train=train,
        holdout=holdout,
        synthetic=synthetic,
    )
