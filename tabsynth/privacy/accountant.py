"""What mechanisms compose to: δ at an ε, and ε at a δ. Upper bounds, never less than the truth."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tabsynth.privacy.mechanisms import (
    DiscreteGaussian,
    Exact,
    Exponential,
    Mechanism,
    ThresholdedDiscreteGaussian,
)


def delta_of(mechanisms: Iterable[Mechanism], epsilon: float) -> float:
    """The least δ in [0, 1] known such that all `mechanisms` together are (`epsilon`, δ)-DP; 1 if any is exact."""
    rho = 0.0
    extra = 0.0
    for mechanism in mechanisms:
        if isinstance(mechanism, Exact):
            return 1.0
        if isinstance(mechanism, Exponential):
            rho += mechanism.count * mechanism.epsilon**2 / 2
        else:
            rho += mechanism.count * mechanism.sensitivity**2 / (2 * mechanism.scale**2)
        if isinstance(mechanism, ThresholdedDiscreteGaussian):
            extra += mechanism.count * threshold_delta(mechanism)
    return min(1.0, extra + zcdp_delta(rho, epsilon))


def epsilon_of(mechanisms: Iterable[Mechanism], delta: float) -> float:
    """The least ε ≥ 0 known such that all `mechanisms` together are (ε, `delta`)-DP; ∞ if any is exact."""
    composed = tuple(mechanisms)
    if delta_of(composed, 1e4) > delta:
        return math.inf
    if delta_of(composed, 0.0) <= delta:
        return 0.0
    low, high = 0.0, 1e4
    for _ in range(60):
        middle = (low + high) / 2
        if delta_of(composed, middle) <= delta:
            high = middle
        else:
            low = middle
    return high


def zcdp_delta(rho: float, epsilon: float) -> float:
    """δ that ρ-zCDP implies at `epsilon` (Canonne, Kamath and Steinke 2020, Proposition 12)."""
    from scipy.optimize import minimize_scalar

    if rho == 0:
        return 0.0

    def log_delta(log_order: float) -> float:
        order = 1 + math.exp(log_order)
        return (order - 1) * (order * rho - epsilon) - math.log(order - 1) + order * math.log1p(-1 / order)

    found = minimize_scalar(log_delta, bounds=(-20, 20), method="bounded")
    return min(1.0, math.exp(min(float(found.fun), 0.0)))


def threshold_delta(mechanism: ThresholdedDiscreteGaussian) -> float:
    """Probability that any category only one unit has reaches the threshold, in one release."""
    from scipy.stats import norm

    k = mechanism.sensitivity
    return min(1.0, k * float(norm.sf((mechanism.threshold - 1 - k) / mechanism.scale)) * 1.01)


def noise_of(mechanism: DiscreteGaussian | ThresholdedDiscreteGaussian) -> DiscreteGaussian:
    """The mechanism's noise alone, without a threshold."""
    return DiscreteGaussian(scale=mechanism.scale, sensitivity=mechanism.sensitivity, count=mechanism.count)
