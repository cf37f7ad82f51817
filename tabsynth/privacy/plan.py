"""Where a privacy budget will go, fixed before any data are touched.

An engine says which statistics it wants and what share of the budget each is worth (`Part`). The budget is
shared out as *precision*, count · sensitivity² / scale²: the quantity that adds up over Gaussian noise.
`make_plan` finds the largest total precision that the accountant allows and with it every noise scale.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.privacy.budget import Budget
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian


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
