"""Where a privacy budget will go, fixed before any data are touched.

An engine says which statistics it wants and what share of the budget each is worth (`Part`). The budget is
shared out as *precision*, count · sensitivity² / scale²: the quantity that adds up over Gaussian noise.
`make_plan` finds the largest total precision that the accountant allows and with it every noise scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.privacy.accountant import delta_of
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian

_THRESHOLD_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A statistic that a fit will ask for, at most `count` releases of it with one noise scale.

    `share` > 0 is what it takes of the total precision, relative to the other parts. `is_thresholded`: a
    histogram of unknown categories, whose threshold takes its part of δ. A release that shall be more
    precise is asked for several times and averaged, so that `count` and the scale stay fixed whatever
    is chosen on the way.
    """

    statistic: str
    share: float
    count: int = 1
    is_thresholded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPart:
    """A part with its mechanism: all `count` releases, with the scale and threshold they will have."""

    part: Part
    mechanism: DiscreteGaussian | ThresholdedDiscreteGaussian


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """Every part of a fit with its mechanism; together they compose to at most `budget`.

    `sensitivity`: rows that one unit may have.
    """

    budget: Budget
    sensitivity: int
    parts: tuple[PlannedPart, ...]

    def __getitem__(self, statistic: str) -> PlannedPart:
        for planned in self.parts:
            if planned.part.statistic == statistic:
                return planned
        raise KeyError(statistic)


def make_plan(parts: Sequence[Part], budget: Budget, *, sensitivity: int = 1) -> BudgetPlan:
    """The mechanisms of all `parts` with the least noise that `budget` allows.

    `sensitivity`: rows that one unit may have. Raises `UsageError` where no part is given or one is not
    what a part may be.
    """
    if not parts:
        raise UsageError("a budget plan needs at least one part")
    low, high = 0.0, 1.0
    while _fits(parts, budget, sensitivity, high):
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if _fits(parts, budget, sensitivity, middle):
            low = middle
        else:
            high = middle
    planned = _planned(parts, budget, sensitivity, low)
    if delta_of((part.mechanism for part in planned), budget.epsilon) > budget.delta:
        raise PrivacyError("the plan does not fit its budget")
    return BudgetPlan(budget=budget, sensitivity=sensitivity, parts=planned)


def _fits(parts: Sequence[Part], budget: Budget, sensitivity: int, precision: float) -> bool:
    planned = _planned(parts, budget, sensitivity, precision)
    return delta_of((part.mechanism for part in planned), budget.epsilon) <= budget.delta


def _planned(
    parts: Sequence[Part], budget: Budget, sensitivity: int, precision: float
) -> tuple[PlannedPart, ...]:
    from scipy.stats import norm

    total = sum(part.share for part in parts)
    releases = sum(part.count for part in parts if part.is_thresholded)
    planned = []
    for part in parts:
        scale = sensitivity * math.sqrt(part.count * total / (part.share * precision))
        mechanism: DiscreteGaussian | ThresholdedDiscreteGaussian
        if part.is_thresholded:
            tail = _THRESHOLD_SHARE * budget.delta / releases / sensitivity / 1.02
            threshold = math.ceil(sensitivity + 1 + scale * float(norm.isf(tail)))
            mechanism = ThresholdedDiscreteGaussian(
                scale=scale, threshold=threshold, sensitivity=sensitivity, count=part.count
            )
        else:
            mechanism = DiscreteGaussian(scale=scale, sensitivity=sensitivity, count=part.count)
        planned.append(PlannedPart(part=part, mechanism=mechanism))
    return tuple(planned)
