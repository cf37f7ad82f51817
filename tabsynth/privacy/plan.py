"""Where a privacy budget will go, fixed before any data are touched.

An engine says which statistics it wants and what share of the budget each is worth (`Part`). The budget is
shared out as *precision*, count · sensitivity² / scale²: the quantity that adds up over Gaussian noise.
`make_plan` finds the largest total precision that the accountant allows and with it every noise scale.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.privacy.accountant import analytic_gaussian, delta_of, threshold_delta
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.mechanisms import (
    LARGEST_SCALE,
    DiscreteGaussian,
    SampledGaussian,
    ThresholdedDiscreteGaussian,
)

_THRESHOLD_SHARE = 0.01  # of δ, for all thresholds together
_TOLERANCE = 1e-3  # of precision
_FAR = 700.0

PlannedMechanism = DiscreteGaussian | ThresholdedDiscreteGaussian | SampledGaussian


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A statistic that a fit will ask for, at most `count` releases of it with one noise scale.

    `share` > 0 is what it takes of the total precision, relative to the other parts. `is_thresholded`: a
    histogram of unknown categories, whose threshold takes its part of δ. A release that shall be more
    precise is asked for several times and averaged, so that `count` and the scale stay fixed whatever
    is chosen on the way.

    `sampling_rate`: sums over Poisson samples of the rows, `count` of them, instead of histograms.
    """

    statistic: str
    share: float
    count: int = 1
    is_thresholded: bool = False
    sampling_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPart:
    """A part with its mechanism: all `count` releases, with the scale and threshold they will have."""

    part: Part
    mechanism: PlannedMechanism


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
    """The mechanisms of all `parts` with the least noise that `budget` allows, within 0.1 % of precision.

    `sensitivity` ≥ 1: rows that one unit may have. Thresholds share 1 % of δ. Reads no data. Raises
    `UsageError` naming every part that is not what a part may be, and where the budget is too small for
    noise of at most 2^53; `PrivacyError` for sums over samples where a unit has several rows, and should the
    result not fit its budget.
    """
    _refuse_faults(parts, sensitivity)
    _require_single_rows(parts, sensitivity)
    of_thresholds = _THRESHOLD_SHARE * budget.delta if any(part.is_thresholded for part in parts) else 0.0
    precision = _largest_precision(parts, budget, sensitivity, budget.delta - of_thresholds)
    gaussians = _gaussians(parts, sensitivity, precision)
    n_thresholded = sum(part.count for part in parts if part.is_thresholded)
    planned = tuple(
        PlannedPart(
            part=part,
            mechanism=_thresholded(noise, of_thresholds / n_thresholded)
            if isinstance(noise, DiscreteGaussian) and part.is_thresholded
            else noise,
        )
        for part, noise in zip(parts, gaussians, strict=True)
    )
    return checked_plan(BudgetPlan(budget=budget, sensitivity=sensitivity, parts=planned))


def checked_plan(plan: BudgetPlan) -> BudgetPlan:
    """The plan, if the accountant finds that its mechanisms fit its budget; otherwise raises `PrivacyError`."""
    if not delta_of((planned.mechanism for planned in plan.parts), plan.budget.epsilon) <= plan.budget.delta:
        raise PrivacyError(
            f"the plan takes more than ε = {plan.budget.epsilon:g}, δ = {plan.budget.delta:g}; nothing was read"
        )
    return plan


def _refuse_faults(parts: Sequence[Part], sensitivity: int) -> None:
    faults = [] if parts else ["a budget plan needs at least one part"]
    if type(sensitivity) is not int or sensitivity < 1:
        faults.append("the rows that one unit may have must be a whole number of 1 or more")
    for part in parts:
        if not 0 < part.share < math.inf:
            faults.append(f"{part.statistic}: its share must be positive and finite, found {part.share}")
        if type(part.count) is not int or part.count < 1:
            faults.append(
                f"{part.statistic}: its count must be a whole number of 1 or more, found {part.count}"
            )
        if part.sampling_rate is not None and not 0 < part.sampling_rate <= 1:
            faults.append(
                f"{part.statistic}: its sampling rate must be in (0, 1], found {part.sampling_rate}"
            )
        if part.sampling_rate is not None and part.is_thresholded:
            faults.append(f"{part.statistic}: sums over samples have no threshold")
    names = Counter(part.statistic for part in parts)
    faults += [f"{name}: a statistic of {count} parts" for name, count in names.items() if count > 1]
    if faults:
        raise UsageError("; ".join(faults))


def _require_single_rows(parts: Sequence[Part], sensitivity: int) -> None:
    sampled = [part.statistic for part in parts if part.sampling_rate is not None]
    if sampled and sensitivity > 1:
        raise PrivacyError(
            f"{', '.join(sampled)}: samples are of rows, and here a unit has up to {sensitivity} of them, which would "
            "not be protected as one; nothing was read. Declare one row per unit (max_rows: 1), or choose an "
            "engine that counts"
        )


def _gaussians(
    parts: Sequence[Part], sensitivity: int, precision: float
) -> tuple[DiscreteGaussian | SampledGaussian, ...]:
    """Every part's noise where all shares together have that precision."""
    total = math.fsum(part.share for part in parts)
    scales = [_scale(part, sensitivity, part.share * precision / total) for part in parts]
    if max(scales) > LARGEST_SCALE:
        raise UsageError("the budget is too small: noise of more than 2^53 would be needed")
    return tuple(
        DiscreteGaussian(scale=scale, sensitivity=sensitivity, count=part.count)
        if part.sampling_rate is None
        else SampledGaussian(scale=scale, sampling_rate=part.sampling_rate, count=part.count)
        for part, scale in zip(parts, scales, strict=True)
    )


def _scale(part: Part, sensitivity: int, precision: float) -> float:
    """The noise at which all releases of a part have that precision (`tabsynth.privacy.mechanisms.precision`)."""
    of_one = precision / part.count
    if part.sampling_rate is not None:
        of_one = math.log1p(of_one / part.sampling_rate**2)
    return sensitivity / math.sqrt(max(of_one, 1e-300))


def _largest_precision(parts: Sequence[Part], budget: Budget, sensitivity: int, delta: float) -> float:
    """The largest precision at which noise alone takes at most `delta` at the budget's ε, or just below.

    Brackets ln precision within `_TOLERANCE`, by secants of ln δ from the analytic Gaussian's answer, which
    is all but exact where noise is large: two or three calls of the accountant as a rule. Ends, as strides
    double and every third step halves the bracket.
    """

    def excess(position: float) -> float:
        found = delta_of(_gaussians(parts, sensitivity, math.exp(position)), budget.epsilon)
        return math.log(found / delta) if found > 0 else -_FAR

    position, slope = analytic_gaussian(budget.epsilon, delta)
    position -= _TOLERANCE / 2
    fits, too_much = (-math.inf, -_FAR), (math.inf, _FAR)  # (position, excess)
    step = 0
    while True:
        over = max(min(excess(position), _FAR), -_FAR)
        if over <= 0:
            fits = (position, over)
        else:
            too_much = (position, over)
        width = too_much[0] - fits[0]
        if width <= _TOLERANCE * 1.001:
            return math.exp(fits[0])
        if math.isinf(width):
            stride = max(min(abs(over) / slope + _TOLERANCE / 2, 1.0), _TOLERANCE * 2**step)
            position += stride if over <= 0 else -stride
        else:
            share = 0.5 if step % 3 == 2 else -fits[1] / (too_much[1] - fits[1])
            margin = min(_TOLERANCE / 2, width / 3)
            position = fits[0] + min(max(share * width, margin), width - margin)
        step += 1


def _thresholded(noise: DiscreteGaussian, delta: float) -> ThresholdedDiscreteGaussian:
    """The least threshold that adds at most `delta` per release."""

    def at(threshold: int) -> ThresholdedDiscreteGaussian:
        return ThresholdedDiscreteGaussian(
            scale=noise.scale, threshold=threshold, sensitivity=noise.sensitivity, count=noise.count
        )

    low, high = 0, noise.sensitivity + 1
    while threshold_delta(at(high)) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if threshold_delta(at(middle)) <= delta:
            high = middle
        else:
            low = middle
    return at(high)
