"""What was done to a statistic before it was released: frozen values that accountants interpret.

Every private statistic of this package is a vector of integers, to which OpenDP adds discrete Gaussian
noise, or a choice among candidates. The sensitivity of a mechanism is stated here once and for all:

`DiscreteGaussian(scale, sensitivity, count)` stands for `count` releases, each a vector of integers plus
independent discrete Gaussian noise of parameter `scale` (Canonne, Kamath and Steinke 2020) in every cell,
where adding or removing one privacy unit changes the vector by integers whose absolute values sum to at
most `sensitivity`: a histogram of rows changes by at most the rows a unit may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """No noise at all: ε = ∞."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteGaussian:
    """`count` histograms with discrete Gaussian noise of parameter `scale` > 0 in every cell.

    One unit changes each by integers whose absolute values sum to at most `sensitivity` ≥ 1.
    """

    scale: float
    sensitivity: int = 1
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdedDiscreteGaussian:
    """`count` histograms of unknown categories: noisy counts of the observed ones above `threshold`.

    Noise as in `DiscreteGaussian`; a unit may bring up to `sensitivity` categories nobody else has, and
    the probability that any of them passes the threshold adds to δ.
    """

    scale: float
    threshold: int
    sensitivity: int = 1
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """`count` selections of a candidate by noisy maximum, each `epsilon`-DP (pure, bounded range)."""

    epsilon: float
    count: int = 1


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
    name = next(name for name, kind in _NAMES.items() if type(mechanism) is kind)
    return {"mechanism": name, **asdict(mechanism)}


def mechanism_from_data(data: Mapping[str, Any]) -> Mechanism:
    """The mechanism that `mechanism_to_data` wrote; raises `KeyError` or `TypeError` for anything else."""
    parameters = dict(data)
    return _NAMES[parameters.pop("mechanism")](**parameters)
