"""What mechanisms compose to: δ at an ε, and ε at a δ. Upper bounds, never below the truth.

Two proven bounds are computed, each for the whole composition, and the smaller is taken:

- privacy loss distributions (`tabsynth.privacy.losses`), composed by dp-accounting;
- zero-concentrated DP, where discrete Gaussian noise costs what continuous noise does
  (Canonne, Kamath and Steinke 2020): a little looser, but exact for any δ. Sums over samples count there as
  if every row were taken, which costs no less, as divergences of mixtures are convex.

δ of thresholds is summed explicitly and added to either.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.privacy import losses
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.mechanisms import (
    DiscreteGaussian,
    Exact,
    Exponential,
    Mechanism,
    SampledGaussian,
    ThresholdedDiscreteGaussian,
    precision,
)

_MOST_PRECISION = 1e6  # Σ k²/σ² beyond which nothing is left to account
_STEPS = 1000  # grid cells per standard deviation of the composed loss, at least
_LOST_TO_GRID = 1e-4  # of the loss's variance, at most
_ERROR_PER_FACTOR = 32 * 20 * 2.0**-53  # of Fourier transforms of up to 2^20 points


def delta_of(mechanisms: Iterable[Mechanism], epsilon: float) -> float:
    """The least δ known such that all `mechanisms` together are (`epsilon`, δ)-DP, in [0, 1].

    1 where one of them is exact, 0 for none at all. Raises `ValueError` unless `epsilon` ≥ 0.
    """
    if not epsilon >= 0:
        raise ValueError("epsilon must be 0 or more")
    total = _Composition.of(mechanisms)
    return total.delta(epsilon) if total is not None else 1.0


def epsilon_of(mechanisms: Iterable[Mechanism], delta: float) -> float:
    """The least ε ≥ 0 known such that all `mechanisms` together are (ε, `delta`)-DP.

    ∞ where one of them is exact, or where `delta` is less than their thresholds take. Raises `ValueError`
    unless 0 ≤ `delta` ≤ 1.
    """
    if not 0 <= delta <= 1:
        raise ValueError("delta must lie between 0 and 1")
    total = _Composition.of(mechanisms)
    return total.epsilon(delta) if total is not None else math.inf


def threshold_delta(mechanism: ThresholdedDiscreteGaussian) -> float:
    """δ of one release: how likely a category that is looked at for one unit alone reaches the threshold, at most.

    Without the unit such a category has at most k rows, or it would be looked at anyway; the unit's k rows may
    be spread over such categories in any way. One of m more rows stays below the threshold with probability
    exp(-w(m)) or more, all of them with exp(-Σ w(m_i)), and Σ m_i ≤ k bounds the sum by k · max w(m)/m: attained
    where that m divides k, as 1 and k do.
    """
    k = mechanism.sensitivity
    rows = np.arange(k, 0, -1)
    passes = losses.tails(mechanism.threshold - 2 * k, k, mechanism.scale)
    if passes[0] >= 1:
        return 1.0
    return -math.expm1(-k * float(np.max(-np.log1p(-passes) / rows)))


def epsilon_left(spent: Iterable[Mechanism], cap: Budget) -> float:
    """ε, at the cap's δ, of the least noise that a further Gaussian release could have beside those `spent`.

    To within 2 % and from below; 0 where nothing fits. Budgets do not subtract: it is more than the
    difference between the cap's ε and what was spent.
    """
    taken = tuple(spent)
    if not taken:
        return cap.epsilon
    high = math.exp(analytic_gaussian(cap.epsilon, cap.delta)[0] / 2)
    low = high / 256
    if delta_of((*taken, _gaussian(low)), cap.epsilon) > cap.delta:
        return 0.0
    while high / low > 1.015:
        middle = math.sqrt(low * high)
        if delta_of((*taken, _gaussian(middle)), cap.epsilon) <= cap.delta:
            low = middle
        else:
            high = middle
    return epsilon_of((_gaussian(low),), cap.delta)


def _gaussian(mu: float) -> DiscreteGaussian:
    """A release that is all but a continuous Gaussian one of sensitivity `mu` and variance 1."""
    sensitivity = math.ceil(100 * mu)
    return DiscreteGaussian(scale=sensitivity / mu, sensitivity=sensitivity)


def analytic_gaussian(epsilon: float, delta: float) -> tuple[float, float]:
    """The ln μ² of the Gaussian mechanism whose δ at `epsilon` is `delta`, and the slope of ln δ there.

    δ = Φ(μ/2 - ε/μ) - exp(ε) Φ(-μ/2 - ε/μ) (Balle and Wang 2018), in logarithms. The slope is in ln μ².
    """
    from scipy.special import log_ndtr

    def log_delta(position: float) -> float:
        mu = math.exp(position / 2)
        first, second = float(log_ndtr(mu / 2 - epsilon / mu)), float(log_ndtr(-mu / 2 - epsilon / mu))
        return first + math.log(max(-math.expm1(epsilon + second - first), 1e-300))

    low, high = -80.0, 80.0
    for _ in range(60):
        middle = (low + high) / 2
        if log_delta(middle) <= math.log(delta):
            low = middle
        else:
            high = middle
    slope = (log_delta(low + 0.01) - log_delta(low - 0.01)) / 0.02
    return low, max(slope, 0.1)


def zcdp_delta(rho: float, epsilon: float) -> float:
    """δ at `epsilon` of what is `rho`-zCDP (Canonne, Kamath and Steinke 2020, Proposition 12)."""
    if rho == 0:
        return 0.0

    def log_delta(above: float) -> float:
        """At order 1 + `above`, with (1 - 1/order)^order written for small orders too."""
        order = 1 + above
        return above * (order * rho - epsilon) + above * math.log(above) - order * math.log1p(above)

    return math.exp(min(0.0, _least(log_delta)))


def zcdp_epsilon(rho: float, delta: float) -> float:
    """ε at `delta` of what is `rho`-zCDP, from the same bound; ∞ at δ = 0."""
    if rho == 0 or delta >= 1:
        return 0.0
    if delta == 0:
        return math.inf

    def epsilon(above: float) -> float:
        order = 1 + above
        return order * rho + math.log(above) - (order * math.log1p(above) + math.log(delta)) / above

    return max(0.0, _least(epsilon))


def _least(curve: Callable[[float], float]) -> float:
    """The least value found of a curve over orders above 1; any order gives a bound, the least is best.

    Convex in ln(order - 1), or near enough: golden section on [e^-25, e^25].
    """
    ratio = (math.sqrt(5) - 1) / 2
    low, high = -25.0, 25.0
    found = math.inf
    for _ in range(80):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        at_left, at_right = curve(math.exp(left)), curve(math.exp(right))
        found = min(found, at_left, at_right)
        if at_left < at_right:
            high = right
        else:
            low = left
    return found


@dataclass(frozen=True, slots=True)
class _Composition:
    """Mechanisms gathered: how often each noise occurs, and the δ of thresholds.

    `gaussians`: (scale, sensitivity) → count, `responses`: ε → count, in ascending order, so that the result
    does not depend on the order in which mechanisms came or on how their counts were split. `sampled`:
    (scale, sampling rate) → count.
    """

    gaussians: tuple[tuple[tuple[float, int], int], ...]
    responses: tuple[tuple[float, int], ...]
    sampled: tuple[tuple[tuple[float, float], int], ...]
    thresholds: float

    @classmethod
    def of(cls, mechanisms: Iterable[Mechanism]) -> _Composition | None:
        """None where a mechanism is exact."""
        gaussians: Counter[tuple[float, int]] = Counter()
        responses: Counter[float] = Counter()
        sampled: Counter[tuple[float, float]] = Counter()
        thresholded: Counter[tuple[float, int, int]] = Counter()
        for mechanism in mechanisms:
            if isinstance(mechanism, Exact):
                return None
            if isinstance(mechanism, Exponential):
                responses[float(mechanism.epsilon)] += mechanism.count
                continue
            if isinstance(mechanism, SampledGaussian):
                sampled[float(mechanism.scale), float(mechanism.sampling_rate)] += mechanism.count
                continue
            scale, sensitivity = float(mechanism.scale), mechanism.sensitivity
            gaussians[scale, sensitivity] += mechanism.count
            if isinstance(mechanism, ThresholdedDiscreteGaussian):
                thresholded[scale, sensitivity, mechanism.threshold] += mechanism.count
        thresholds = math.fsum(
            count
            * threshold_delta(
                ThresholdedDiscreteGaussian(scale=scale, sensitivity=sensitivity, threshold=threshold)
            )
            for (scale, sensitivity, threshold), count in sorted(thresholded.items())
        )
        return cls(
            tuple(sorted(gaussians.items())),
            tuple(sorted(responses.items())),
            tuple(sorted(sampled.items())),
            thresholds,
        )

    def delta(self, epsilon: float) -> float:
        if self.thresholds >= 1 or (self._is_pure and self._pure_epsilon <= epsilon):
            return min(1.0, self.thresholds)
        if epsilon == math.inf:
            return self.thresholds
        bounds = [zcdp_delta(self._rho, epsilon)]
        if self.precision <= _MOST_PRECISION:
            bounds.append(_ComposedLoss.of(self).delta(epsilon))
        return min(1.0, self.thresholds + min(bounds))

    def epsilon(self, delta: float) -> float:
        left = delta - self.thresholds
        if left < 0:
            return math.inf
        if self._is_pure and not self.responses:
            return 0.0
        bounds = [zcdp_epsilon(self._rho, left)]
        if self._is_pure:
            bounds.append(self._pure_epsilon)
        if self.precision <= _MOST_PRECISION:
            bounds.append(_ComposedLoss.of(self).epsilon(left))
        return min(bounds)

    @property
    def _is_pure(self) -> bool:
        return not self.gaussians and not self.sampled

    @property
    def _pure_epsilon(self) -> float:
        """Σ ε of pure mechanisms."""
        return math.fsum(count * epsilon for epsilon, count in self.responses)

    @property
    def precision(self) -> float:
        """Σ k²/σ² + Σ ε² + what sums over samples come to: about the variance of the loss where all are small."""
        ratios = [(k / scale, count) for (scale, k), count in self.gaussians] + list(self.responses)
        steps = (
            precision(SampledGaussian(scale=scale, sampling_rate=rate, count=count))
            for (scale, rate), count in self.sampled
        )
        return math.fsum((*(count * (ratio * ratio) for ratio, count in ratios), *steps))

    @property
    def _rho(self) -> float:
        """Σ k²/2σ² + Σ ε²/2 (Canonne, Kamath and Steinke 2020; Bun and Steinke 2016), every row in every sample."""
        ratios = [(k / scale, count) for (scale, k), count in self.gaussians] + list(self.responses)
        ratios += [(1 / scale, count) for (scale, _), count in self.sampled]
        return math.fsum(count * (ratio * ratio) for ratio, count in ratios) / 2


@dataclass(frozen=True, slots=True)
class _ComposedLoss:
    """A privacy loss distribution of dp-accounting's, and how far its arithmetic may have strayed.

    `slack` in probability: a Fourier transform is off by a few units of rounding per level and factor.
    `drift` in ε: where an atom lies between two cells of the grid is known to a few units of rounding.
    """

    distribution: Any
    slack: float
    drift: float

    @classmethod
    def of(cls, releases: _Composition) -> _ComposedLoss:
        """Compose on a grid fine enough that what it adds to the variance of the loss is `_LOST_TO_GRID`."""
        n_releases = sum(count for _, count in (*releases.gaussians, *releases.responses, *releases.sampled))
        step = math.sqrt(releases.precision) * min(1 / _STEPS, math.sqrt(6 * _LOST_TO_GRID / n_releases))
        single = [
            (losses.gaussian_loss(scale, k, step=step), count, k / scale**2)
            for (scale, k), count in releases.gaussians
        ]
        single += [(losses.response_loss(e, step=step), count, 2 * e) for e, count in releases.responses]
        factors = [_distribution(loss, count) for loss, count, _ in single]
        # Where atoms lie sparsely on the grid, a transform's error spreads over the cells between them too.
        n_errors = sum(count * max(1.0, spacing / step) for _, count, spacing in single)
        factors += [_sampled(scale, rate, count, step=step) for (scale, rate), count in releases.sampled]
        n_errors += sum(count for _, count in releases.sampled)
        return cls(
            distribution=functools.reduce(lambda composed, factor: composed.compose(factor), factors),
            slack=n_errors * _ERROR_PER_FACTOR,
            drift=n_releases * step * 1e-8,
        )

    def delta(self, epsilon: float) -> float:
        return self.slack + float(self.distribution.get_delta_for_epsilon(max(0.0, epsilon - self.drift)))

    def epsilon(self, delta: float) -> float:
        if delta <= self.slack:
            return math.inf
        return self.drift + float(self.distribution.get_epsilon_for_delta(delta - self.slack))


def _distribution(loss: losses.GriddedLoss, count: int) -> Any:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

    masses = dict(enumerate(loss.masses.tolist(), start=loss.lowest))
    single = PrivacyLossDistribution.create_from_rounded_probability(masses, loss.infinite, loss.step)
    return single.self_compose(count) if count > 1 else single


def _sampled(scale: float, rate: float, count: int, *, step: float) -> Any:
    """Sums over Poisson samples: both directions, a row added and a row removed (Zhu, Dong and Wang 2022)."""
    from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

    single = from_gaussian_mechanism(scale, sampling_prob=rate, value_discretization_interval=step)
    return single.self_compose(count) if count > 1 else single
