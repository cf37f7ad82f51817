"""Conditions on columns that are not learnt as they are: as cells of the learnt ones, or as rows to wait for.

A condition on a column that stands for itself is handed to the model. One on columns of a combined variable
holds that variable at the levels that agree. One on a computed column is met by drawing again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tabsynth.constraints.base import Mask
from tabsynth.constraints.conflict import Claim, claim_of, judged
from tabsynth.constraints.plan import RulePlan
from tabsynth.constraints.steps import Combine
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.table import EncodedColumn, encoder_of
from tabsynth.errors import ConditionError
from tabsynth.models.condition import Condition
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Column, TableSchema

_NEAR = 1e-9


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """Conditions for the model, the `asked` ones on the schema's columns that they come from, and those `waiting` of these."""

    conditions: tuple[Condition, ...]
    asked: tuple[Condition, ...]
    waiting: tuple[str, ...]
    schema: TableSchema

    def missed(self, frame: pl.DataFrame) -> Mask:
        """Rows that miss a condition on the columns that are there."""
        missed = np.zeros(frame.height, dtype=np.bool_)
        for one in self.asked:
            if one.column in frame.columns:
                missed |= ~holds(one, frame[one.column], self.schema[one.column])
        return missed

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The conditions that are asked, in words."""
        return tuple(_claim(one, self.schema[one.column]) for one in self.asked)


def held_at(conditions: Sequence[Condition], plan: RulePlan) -> Held:
    """What to hold the model at for conditions on columns of the schema.

    Raises `ConditionError` naming the rules that forbid them.
    """
    _require_allowed(conditions, plan)
    waiting = [one.column for one in conditions if plan.sources([one.column]) != (one.column,)]
    found = [one for one in conditions if one.column not in waiting]
    for step in plan.steps:
        if not isinstance(step, Combine):
            continue
        mine = [one for one in conditions if one.column in step.makes]
        if not mine:
            continue
        codes = agreeing(step, mine)
        if not codes:
            raise ConditionError(_excluded(step, mine, plan))
        found.append(Condition(column=step.name, codes=codes))
        waiting = [name for name in waiting if name not in step.makes]
    return Held(conditions=tuple(found), asked=tuple(conditions), waiting=tuple(waiting), schema=plan.schema)


def _claim(condition: Condition, column: Column) -> Claim:
    name = condition.column
    return Claim(f"the condition on {name!r}", (name,), lambda frame: ~holds(condition, frame[name], column))


def _excluded(step: Combine, conditions: Sequence[Condition], plan: RulePlan) -> str:
    """That the rules which make one variable of columns leave nothing under the conditions, and which these are."""
    asked = [_claim(one, plan.schema[one.column]) for one in conditions]
    rules = [claim_of(one) for one in plan.sure if set(one.columns) <= step.makes.keys()]
    names = ", ".join(one.column for one in conditions)
    said = f"the condition cannot be met: no combination of {names} that the rules allow has it"
    excluded = judged(asked, rules, plan.schema)
    if excluded:
        return f"{said}; no row meets all of these: {'; '.join(excluded)}"
    return f"{said}; among the rules {'; '.join(one.title for one in rules)}"


def holds(condition: Condition, cells: pl.Series, column: Column) -> Mask:
    """The cells that keep to a condition. A number of the line may be off by rounding where one value is asked for."""
    encoder = encoder_of(column)
    assert encoder is not None
    if not isinstance(encoder, ContinuousEncoder):
        return condition.holds(EncodedColumn(encoder.variable, encoder.encode(cells)))
    if not encoder.variable.is_lattice:
        spans = tuple(_widened(low, high) for low, high in condition.spans)
        condition = Condition(column=condition.column, codes=condition.codes, spans=spans)
    return condition.holds(EncodedColumn(encoder.variable, *encoder.encode(cells)))


def _widened(low: float, high: float) -> tuple[float, float]:
    if low != high:
        return low, high
    reach = _NEAR * max(1.0, abs(low))
    return low - reach, high + reach


def agreeing(step: Combine, conditions: Sequence[Condition]) -> tuple[int, ...]:
    """The levels of a combined variable whose cells keep to the conditions."""
    rows = step.combined.frame([*range(len(step.rows))])
    columns = {column.name: column for column in step.columns}
    kept = np.ones(rows.height, dtype=np.bool_)
    for one in conditions:
        kept &= holds(one, rows[one.column], columns[one.column])
    return tuple(np.flatnonzero(kept).tolist())


def _require_allowed(conditions: Sequence[Condition], plan: RulePlan) -> None:
    """Raise `ConditionError` where cells that are asked for break a rule by themselves."""
    cells = {one.column: _only(one, plan.schema[one.column]) for one in conditions}
    row = pl.DataFrame([cell for cell in cells.values() if cell is not None])
    broken = [
        title_of(one.rule)
        for one in plan.per_row
        if row.width and set(one.columns) <= set(row.columns) and one.violations(row).any()
    ]
    if broken:
        raise ConditionError(f"the condition cannot be met: it breaks {'; '.join(broken)}")


def _only(condition: Condition, column: Column) -> pl.Series | None:
    """The one cell that a condition leaves, as a series of one; None where it leaves more."""
    encoder = encoder_of(column)
    if len(condition.codes) > 1 or any(low != high for low, high in condition.spans[:2]):
        return None
    codes = np.array(condition.codes, dtype=np.uint32)
    if isinstance(encoder, ContinuousEncoder):
        if len(condition.spans) > 1:
            return None
        kind = np.int64 if encoder.variable.is_lattice else np.float64
        values = np.array([condition.spans[0][0] if condition.spans else 0], dtype=kind)
        return encoder.decode(codes, values)
    return None if encoder is None or not hasattr(encoder, "decode") else encoder.decode(codes)
