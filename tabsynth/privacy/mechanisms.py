"""What was done to a statistic before it was released: frozen values that accountants interpret.

Every private statistic of this package is a vector of integers, to which OpenDP adds discrete Gaussian
noise, or a choice among candidates. The sensitivity of a mechanism is stated here once and for all:

`DiscreteGaussian(scale, sensitivity, count)` stands for `count` releases, each a vector of integers plus
independent discrete Gaussian noise of parameter `scale` (Canonne, Kamath and Steinke 2020) in every cell,
where adding or removing one privacy unit changes the vector by integers whose absolute values sum to at
most `sensitivity`: a histogram of rows changes by at most the rows a unit may have.

`SampledGaussian(scale, sampling_rate, count)` stands for `count` steps of a training: each takes every row
by itself with probability `sampling_rate` (Poisson sampling), sums vectors of norm at most 1 of the rows it
took, and adds Gaussian noise of standard deviation `scale` in every coordinate.

Parameters outside their ranges raise `ValueError`, read from a file or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

LARGEST_SCALE = 2.0**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """No noise at all: ε = ∞."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteGaussian:
    """`count` histograms with discrete Gaussian noise of parameter `scale` in every cell.

    0 < `scale` ≤ 2^53. One unit changes each by integers whose absolute values sum to at most
    `sensitivity` ≥ 1.
    """

    scale: float
    sensitivity: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        _require_scale(self.scale)
        _require_whole(self.sensitivity, "sensitivity")
        _require_whole(self.count, "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdedDiscreteGaussian:
    """`count` histograms of unknown categories: those of more than `sensitivity` rows whose noisy count is ≥ `threshold`.

    Noise as in `DiscreteGaussian`; up to `sensitivity` categories may have so many rows only with one unit's,
    and the probability that any of them reaches the threshold adds to δ. Nothing is said of other categories.
    """

    scale: float
    threshold: int
    sensitivity: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        _require_scale(self.scale)
        _require_whole(self.threshold, "threshold")
        _require_whole(self.sensitivity, "sensitivity")
        _require_whole(self.count, "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledGaussian:
    """`count` noisy sums over Poisson samples of the rows, as in DP-SGD (Abadi et al. 2016).

    0 < `scale` ≤ 2^53 is the noise multiplier: the noise's standard deviation over the most that one row moves the
    sum in L2; 0 < `sampling_rate` ≤ 1. A unit is one row. Neighbours differ by a row that is added or removed.
    """

    scale: float
    sampling_rate: float
    count: int = 1

    def __post_init__(self) -> None:
        _require_scale(self.scale)
        _require_positive(self.sampling_rate, "sampling_rate")
        if self.sampling_rate > 1:
            raise ValueError("sampling_rate must be at most 1")
        _require_whole(self.count, "count")

    @property
    def sensitivity(self) -> int:
        """Rows of a unit: one, always."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """`count` selections of a candidate by noisy maximum, each `epsilon`-DP with δ = 0."""

    epsilon: float
    count: int = 1

    def __post_init__(self) -> None:
        _require_positive(self.epsilon, "epsilon")
        _require_whole(self.count, "count")


Mechanism = Exact | DiscreteGaussian | ThresholdedDiscreteGaussian | SampledGaussian | Exponential
EXACT = Exact()
_NAMES: Mapping[str, type[Mechanism]] = {
    "exact": Exact,
    "discrete_gaussian": DiscreteGaussian,
    "thresholded_discrete_gaussian": ThresholdedDiscreteGaussian,
    "sampled_gaussian": SampledGaussian,
    "exponential": Exponential,
}


def mechanism_to_data(mechanism: Mechanism) -> dict[str, Any]:
    """Plain data for JSON: the mechanism's name and its parameters."""
    return {"name": mechanism_name(mechanism), **asdict(mechanism)}


def mechanism_name(mechanism: Mechanism) -> str:
    """The name a mechanism has in files, "discrete_gaussian" for one."""
    return next(name for name, kind in _NAMES.items() if type(mechanism) is kind)


def describe(mechanism: Mechanism) -> str:
    """The mechanism in words and figures: "discrete Gaussian noise, scale 12.5" for one."""
    match mechanism:
        case Exact():
            return "exact"
        case DiscreteGaussian():
            words = f"discrete Gaussian noise, scale {mechanism.scale:.4g}"
        case ThresholdedDiscreteGaussian():
            words = f"discrete Gaussian noise, scale {mechanism.scale:.4g}, counts from {mechanism.threshold}"
        case SampledGaussian():
            steps = f"{mechanism.count:,} steps" if mechanism.count > 1 else "1 step"
            rate = f"{mechanism.sampling_rate:.4g} of the rows"
            return f"Gaussian noise, multiplier {mechanism.scale:.4g}, on sums over {rate}, {steps}"
        case Exponential():
            return f"noisy maximum, ε = {mechanism.epsilon:.4g}{_times(mechanism.count)}"
    if mechanism.sensitivity > 1:
        words += f", sensitivity {mechanism.sensitivity}"
    return words + _times(mechanism.count)


def precision(mechanism: DiscreteGaussian | ThresholdedDiscreteGaussian | SampledGaussian) -> float:
    """About the variance of the privacy loss: what Gaussian releases add up to, and sampled ones in the limit of many.

    Σ k²/σ² of whole releases; steps with rate q come to q² (e^(1/σ²) - 1) each (Dong, Roth and Su 2022), and to
    no more than if every row were taken.
    """
    ratio = mechanism.sensitivity / mechanism.scale
    single = ratio * ratio  # inf where a power would be an error
    if isinstance(mechanism, SampledGaussian) and single < 700:  # e^700 is about the largest number
        single = min(single, mechanism.sampling_rate**2 * math.expm1(single))
    return mechanism.count * single


def releases(mechanism: Mechanism) -> int:
    """How many releases it stands for."""
    return 1 if isinstance(mechanism, Exact) else mechanism.count


def once(mechanism: Mechanism) -> Mechanism:
    """The mechanism of one of its releases."""
    return mechanism if isinstance(mechanism, Exact) else replace(mechanism, count=1)


def mechanism_from_data(data: object) -> Mechanism:
    """The mechanism that `mechanism_to_data` wrote; raises `ValueError` for anything else."""
    if not isinstance(data, Mapping):
        raise ValueError(f"a mechanism is a mapping, found {type(data).__name__}")  # noqa: TRY004
    name = data.get("name")
    kind = _NAMES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"a mechanism's name is one of {', '.join(_NAMES)}")
    wanted = {field.name for field in fields(kind)}
    if data.keys() - {"name"} != wanted:
        raise ValueError(f"{name}: its parameters are {', '.join(sorted(wanted)) or 'none'}")
    return kind(**{parameter: data[parameter] for parameter in wanted})


def _require_scale(scale: object) -> None:
    _require_positive(scale, "scale")
    if scale > LARGEST_SCALE:  # type: ignore[operator]
        raise ValueError("scale must be at most 2**53")


def _require_positive(value: object, name: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive finite number")


def _require_whole(value: object, name: str) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more")


def _times(count: int) -> str:
    return f", {count} times" if count > 1 else ""
