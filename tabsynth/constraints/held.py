"""Conditions on columns that are not learnt as they are: as cells of the learnt ones, or as rows to wait for.

A condition on a column that stands for itself is handed to the model. One on a column of a combined variable
holds that variable at its one level that agrees, or at several in turn: then each row is drawn under one of them,
in the shares that a pilot sample of the model gives. One on a computed column is met by drawing again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tabsynth.constraints.base import Mask
from tabsynth.constraints.plan import RulePlan
from tabsynth.constraints.steps import Combine
from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.schema.rules import title_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Held:
    """Conditions for the model, in one or more variants; `missed` marks rows that miss one of the columns `waiting`."""

    conditions: tuple[Condition, ...]
    variants: tuple[Condition, ...] = ()
    waiting: tuple[str, ...] = ()
    missed: Callable[[pl.DataFrame], Mask] | None = None


def held_at(cells: Mapping[str, pl.Series], conditions: Sequence[Condition], plan: RulePlan) -> Held:
    """What to hold the model at, for columns held at `cells` (a series of one each) and as `conditions`.

    Raises `ConditionError` naming the rules that forbid them.
    """
    _require_allowed(cells, plan)
    intact, variants = list(conditions), ()
    waiting = [name for name in cells if plan.sources([name]) != (name,)]
    intact = [condition for condition in conditions if condition.column not in waiting]
    for step in plan.steps:
        if not isinstance(step, Combine):
            continue
        names = [column.name for column in step.columns if column.name in cells]
        if not names:
            continue
        codes = _agreeing(step, {name: cells[name] for name in names})
        if not len(codes):
            raise ConditionError(
                f"the condition cannot be met: no combination of {', '.join(names)} that the rules allow has it"
            )
        found = tuple(Condition(column=step.name, code=int(code)) for code in codes)
        if len(found) == 1:
            intact.append(found[0])
            waiting = [name for name in waiting if name not in names]
        elif len(found) > len(variants):
            variants = found  # type: ignore[assignment]
    missed = None
    if waiting:
        asked = {name: cells[name] for name in waiting}
        missed = lambda frame: _misses(frame, asked)  # noqa: E731
    return Held(conditions=tuple(intact), variants=variants, waiting=tuple(waiting), missed=missed)


def _misses(frame: pl.DataFrame, cells: Mapping[str, pl.Series]) -> Mask:
    missed = np.zeros(frame.height, dtype=np.bool_)
    for name, cell in cells.items():
        column, asked = frame[name], cell.item()
        if column.dtype.is_float() and asked is not None:
            near = ((column - asked).abs() <= 1e-9 * max(1.0, abs(asked))).fill_null(value=False)
            missed |= ~near.to_numpy()
        else:
            missed |= ~column.eq_missing(pl.Series([asked], dtype=column.dtype)).to_numpy()
    return missed


def _agreeing(step: Combine, cells: Mapping[str, pl.Series]) -> Any:
    """The levels of a combined variable that have those cells."""
    rows = step.combined.frame([*range(len(step.rows))])
    return np.flatnonzero(~_misses(rows, cells))


def _require_allowed(cells: Mapping[str, pl.Series], plan: RulePlan) -> None:
    """Raise `ConditionError` where the conditions alone break a rule."""
    if not cells:
        return
    row = pl.DataFrame([cell.alias(name) for name, cell in cells.items()])
    broken = [
        title_of(one.rule)
        for one in plan.per_row
        if set(one.columns) <= set(cells) and one.violations(row).any()
    ]
    if broken:
        raise ConditionError(f"the condition cannot be met: it breaks {'; '.join(broken)}")
