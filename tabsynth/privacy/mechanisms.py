"""What was done to a statistic before it was released: frozen values that accountants interpret.

Every private statistic of this package is a vector of integers, to which OpenDP adds discrete Gaussian
noise, or a choice among candidates. The sensitivity of a mechanism is stated here once and for all:

`DiscreteGaussian(scale, sensitivity, count)` stands for `count` releases, each a vector of integers plus
independent discrete Gaussian noise of parameter `scale` (Canonne, Kamath and Steinke 2020) in every cell,
where adding or removing one privacy unit changes the vector by integers whose absolute values sum to at
most `sensitivity`: a histogram of rows changes by at most the rows a unit may have.

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
    """`count` histograms of unknown categories: those observed whose noisy count is ≥ `threshold`.

    Noise as in `DiscreteGaussian`; a unit may bring up to `sensitivity` categories nobody else has, and
    the probability that any of them reaches the threshold adds to δ. Nothing is said of a category that
    nobody has.
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
class Exponential:
    """`count` selections of a candidate by noisy maximum, each `epsilon`-DP with δ = 0."""

    epsilon: float
    count: int = 1

    def __post_init__(self) -> None:
        _require_positive(self.epsilon, "epsilon")
        _require_whole(self.count, "count")


Mechanism = Exact | DiscreteGaussian | ThresholdedDiscreteGaussian | Exponential
EXACT = Exact()
_NAMES: Mapping[str, type[Mechanism]] = {
    "exact": Exact,
    "discrete_gaussian": DiscreteGaussian,
    "thresholded_discrete_gaussian": ThresholdedDiscreteGaussian,
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
        case Exponential():
            return f"noisy maximum, ε = {mechanism.epsilon:.4g}{_times(mechanism.count)}"
    if mechanism.sensitivity > 1:
        words += f", sensitivity {mechanism.sensitivity}"
    return words + _times(mechanism.count)


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
