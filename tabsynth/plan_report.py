"""A budget plan for people: where ε goes in a fit, what noise each part carries, what would make it less.

It is worked out from the schema and the engine alone; nothing of any table is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.models.auto import settled
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import DEFAULT_ENGINE, recipe_of
from tabsynth.privacy.accountant import delta_of
from tabsynth.privacy.budget import DEFAULT_BUDGET, Budget, guarantee
from tabsynth.privacy.domains import describe_purchase, drafted, purchase_share, unbounded
from tabsynth.privacy.mechanisms import SampledGaussian, ThresholdedDiscreteGaussian, precision
from tabsynth.privacy.plan import BudgetPlan, PlannedPart
from tabsynth.private_fit import plan_fit
from tabsynth.source import AnySchema, only_table

COMPOSITION = (
    "the smaller of two proven bounds for the discrete Gaussian: its privacy loss distributions, composed "
    "numerically, and zero-concentrated differential privacy; δ of thresholds is added in full"
)
_CELL = 0.01  # of the rows: the cell whose error is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One part: its share of the precision, its releases and the noise of a single one.

    `deviation` is the standard deviation of the noise in every count, or, of a training's gradients, over the most
    that one row moves their sum. `relative_error` is that over a hundredth of the guessed rows, None without a
    guess and for gradients. `threshold` is the noisy count from which a level
    is released, for histograms of unknown levels.
    """

    statistic: str
    share: float
    n_releases: int
    deviation: float
    relative_error: float | None = None
    threshold: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """A plan, part by part; `delta` is what it composes to at the budget's ε, at most the budget's.

    `purchase` says in words what domains are bought, "" where none is; `draft_columns` and
    `unbounded_columns` are those, and `purchase_share` what they take of the precision. `plan` is what a fit
    follows.
    """

    engine: str
    guarantee: str
    budget: Budget
    delta: float
    rows: tuple[PlanRow, ...]
    n_guessed: int | None
    draft_columns: tuple[str, ...]
    unbounded_columns: tuple[str, ...]
    purchase_share: float
    purchase: str
    composition: str
    plan: BudgetPlan

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "engine": self.engine,
            "guarantee": self.guarantee,
            "epsilon": self.budget.epsilon,
            "delta": self.budget.delta,
            "composed_delta": self.delta,
            "composition": self.composition,
            "sensitivity": self.plan.sensitivity,
            "guessed_rows": self.n_guessed,
            "draft_columns": list(self.draft_columns),
            "unbounded_columns": list(self.unbounded_columns),
            "purchase_share": self.purchase_share,
            "parts": [
                {
                    "statistic": row.statistic,
                    "share": row.share,
                    "releases": row.n_releases,
                    "noise": row.deviation,
                    "relative_error": row.relative_error,
                    "threshold": row.threshold,
                }
                for row in self.rows
            ],
        }


def budget_plan(
    schema: AnySchema,
    *,
    engine: str | Synthesizer = DEFAULT_ENGINE,
    settings: Mapping[str, Any] | None = None,
    privacy: Budget = DEFAULT_BUDGET,
    rows: int | None = None,
) -> PlanReport:
    """Where a budget goes in a fit of a table with that schema (or of that schema file), before any table is read.

    `rows` is a guess of how many there are, to say what the noise means. Raises `PrivacyError` where the
    engine cannot be private, `UsageError` for anything else that cannot be planned.
    """
    refuse((None if rows is None else whole_number_fault(rows, "the guessed number of rows"),))
    recipe = recipe_of(engine, settings)
    table = only_table(schema)
    recipe = settled(recipe, table, is_private=True)
    plan = plan_fit(table, recipe, privacy)
    whole = math.fsum(_precision(planned) for planned in plan.parts)
    return PlanReport(
        engine=recipe.name,
        guarantee=guarantee(privacy, table.unit),
        budget=privacy,
        delta=delta_of((planned.mechanism for planned in plan.parts), privacy.epsilon),
        rows=tuple(_row(planned, whole, rows) for planned in plan.parts),
        n_guessed=rows,
        draft_columns=tuple(column.name for column in drafted(table)),
        unbounded_columns=tuple(column.name for column in unbounded(table)),
        purchase_share=purchase_share(plan),
        purchase=describe_purchase(table, plan),
        composition=COMPOSITION,
        plan=plan,
    )


def _precision(planned: PlannedPart) -> float:
    return precision(planned.mechanism)


def _row(planned: PlannedPart, whole: float, n_rows: int | None) -> PlanRow:
    mechanism = planned.mechanism
    counts = not isinstance(mechanism, SampledGaussian)
    return PlanRow(
        statistic=planned.part.statistic,
        share=_precision(planned) / whole,
        n_releases=mechanism.count,
        deviation=mechanism.scale,
        relative_error=mechanism.scale / (_CELL * n_rows) if n_rows and counts else None,
        threshold=mechanism.threshold if isinstance(mechanism, ThresholdedDiscreteGaussian) else None,
    )
