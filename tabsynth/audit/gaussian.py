"""Lower confidence bounds of μ and ε from an attacker's scores on two neighbouring tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CUTS = 39
MOST = 1000.0
"""The largest μ that is spoken of: scores that do not vary at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowerBounds:
    """What scores prove at a level: μ of a Gaussian mechanism, and ε at the stated δ; 0 proves nothing."""

    mu: float
    epsilon: float


def gaussian_delta(mu: float, epsilon: float) -> float:
    """δ at `epsilon` of a mechanism of that μ ≥ 0 (Balle & Wang 2018; Dong, Roth & Su 2022, corollary 1)."""
    from scipy.stats import norm

    if mu <= 0:
        return 0.0
    second = math.exp(min(700.0, epsilon + float(norm.logcdf(-mu / 2 - epsilon / mu))))
    return max(0.0, float(norm.cdf(mu / 2 - epsilon / mu)) - second)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The least ε ≥ 0 at which a mechanism of that μ has at most `delta` > 0."""
    from scipy.optimize import brentq

    if gaussian_delta(mu, 0.0) <= delta:
        return 0.0
    most = 1.0
    while gaussian_delta(mu, most) > delta:
        most *= 2
    return float(brentq(lambda epsilon: gaussian_delta(mu, epsilon) - delta, 0.0, most, xtol=1e-9))


def gaussian_mu(epsilon: float, delta: float) -> float:
    """The largest μ that is (ε, δ)-differentially private, for δ > 0."""
    from scipy.optimize import brentq

    most = 1.0
    while gaussian_delta(most, epsilon) < delta:
        most *= 2
    return float(brentq(lambda mu: gaussian_delta(mu, epsilon) - delta, 0.0, most, xtol=1e-12))


def estimated_mu(without: Floats, beside: Floats) -> float:
    """The difference of means in standard deviations, of two samples of one size."""
    spread = math.sqrt((without.var(ddof=1) + beside.var(ddof=1)) / 2)
    lead = float(beside.mean() - without.mean())
    if lead == 0:
        return 0.0
    return math.copysign(min(MOST, abs(lead) / spread if spread > 0 else MOST), lead)


def normal_bound(without: Floats, beside: Floats, *, alpha: float, delta: float) -> LowerBounds:
    """The lower bound of level `alpha`, exact for normal scores of one variance, shapes (n,) each.

    Student's t is then noncentral with μ √(n/2).
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, norm

    n = len(without)
    found = estimated_mu(without, beside)
    if abs(found) == MOST:
        return LowerBounds(mu=max(found, 0.0), epsilon=gaussian_epsilon(max(found, 0.0), delta))
    t, freedom = found * math.sqrt(n / 2), 2 * n - 2
    reach = (-norm.ppf(alpha) + 3) * math.sqrt(1 + t**2 / (2 * freedom))
    centre = brentq(lambda ncp: nct.sf(t, freedom, ncp) - alpha, t - reach, t, xtol=1e-4)
    mu = max(0.0, float(centre) / math.sqrt(n / 2))
    return LowerBounds(mu=mu, epsilon=gaussian_epsilon(mu, delta))


def counts_bound(without: Floats, beside: Floats, *, alpha: float, delta: float) -> LowerBounds:
    """The same from error rates alone, whatever the distribution of the scores, shapes (n,) each.

    The threshold that would prove most on the first halves is tried on the second ones; both rates there
    have Clopper-Pearson bounds of level `alpha`/4, half for μ and half for ε. A μ-GDP mechanism has
    Φ⁻¹(TPR) - Φ⁻¹(FPR) ≤ μ; an (ε, δ) one TPR ≤ e^ε FPR + δ, and 1 - FPR ≤ e^ε (1 - TPR) + δ.
    """
    half = len(without) // 2
    first, second = (without[:half], beside[:half]), (without[half:], beside[half:])
    cuts = np.unique(np.quantile(np.concatenate(first), np.linspace(0.0125, 0.9875, _CUTS)))
    cuts = np.concatenate([[cuts[0] - 1.0], cuts])
    tried = [_bounds_at(cut, *first, alpha=alpha, delta=delta) for cut in cuts]
    best_mu = cuts[int(np.argmax([found.mu for found in tried]))]
    best_epsilon = cuts[int(np.argmax([found.epsilon for found in tried]))]
    return LowerBounds(
        mu=max(0.0, _bounds_at(best_mu, *second, alpha=alpha, delta=delta).mu),
        epsilon=max(0.0, _bounds_at(best_epsilon, *second, alpha=alpha, delta=delta).epsilon),
    )


def highest(runs: int, *, alpha: float, delta: float) -> LowerBounds:
    """What `counts_bound` would prove of `runs` of each table were every one of them told rightly."""
    return _from_rates(0, runs - runs // 2, runs - runs // 2, alpha=alpha, delta=delta)


def power(mu: float, runs: int, *, alpha: float, share: float = 0.5) -> float:
    """How likely `normal_bound` exceeds `mu` where the noise is `share` of what it should be; approximate."""
    from scipy.stats import norm

    def error(of: float) -> float:
        return math.sqrt(2 / runs + of**2 / (4 * runs))

    critical = mu - norm.ppf(alpha) * error(mu)
    return float(norm.cdf((mu / share - critical) / error(mu / share)))


def _bounds_at(cut: float, without: Floats, beside: Floats, *, alpha: float, delta: float) -> LowerBounds:
    n_false, n_true = int((without > cut).sum()), int((beside > cut).sum())
    return _from_rates(n_false, n_true, len(without), alpha=alpha, delta=delta)


def _from_rates(n_false: int, n_true: int, n: int, *, alpha: float, delta: float) -> LowerBounds:
    """Both bounds, below 0 where the rates prove nothing."""
    from scipy.stats import beta, norm

    level = alpha / 4
    least = float(beta.ppf(level, n_true, n - n_true + 1)) if n_true else 0.0
    most = float(beta.isf(level, n_false + 1, n - n_false)) if n_false < n else 1.0
    sides = ((least - delta, most), (1 - most - delta, 1 - least))
    ratios = [math.log(over / under) for over, under in sides if over > 0 and under > 0]
    return LowerBounds(mu=float(norm.ppf(least) - norm.ppf(most)), epsilon=max(ratios, default=-math.inf))
