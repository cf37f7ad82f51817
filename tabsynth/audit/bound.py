"""What any attacker at all could do against a stated (ε, δ)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, sqrt

from tabsynth.errors import UsageError
from tabsynth.privacy.accountant import analytic_gaussian


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianBound:
    """The best membership attacker against one Gaussian mechanism of that `mu` (sensitivity over noise)."""

    mu: float
    auc: float
    tpr_at_1: float
    tpr_at_01: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The best membership attacker that (ε, δ) allows: AUC, and TPR at 1 % and 0.1 % FPR.

    `gaussian` is the tighter bound of one Gaussian mechanism that is (ε, δ)-DP and no better: what noise of
    this kind allows, where (ε, δ) alone would allow more. None at δ = 0, which no Gaussian noise reaches.
    """

    epsilon: float
    delta: float
    auc: float
    tpr_at_1: float
    tpr_at_01: float
    gaussian: GaussianBound | None = None


def best_tpr(fpr: float, *, epsilon: float, delta: float) -> float:
    """The highest true positive rate at a false positive rate in [0, 1].

    Kairouz, Oh & Viswanath (2015): TPR ≤ δ + e^ε FPR and 1 − TPR ≥ e^−ε (1 − δ − FPR).
    """
    steep = delta + exp(min(epsilon, 700.0)) * fpr
    flat = 1.0 - exp(-epsilon) * (1.0 - delta - fpr)
    return min(1.0, steep, flat)


def bound_of(epsilon: float, delta: float) -> Bound:
    """The closed form; `UsageError` unless ε ≥ 0 is finite and 0 ≤ δ < 1.

    The area is that under the polygon (0, δ), (α, 1 − α), (1 − δ, 1), (1, 1) with α = (1 − δ)/(1 + e^ε).
    """
    if not (isfinite(epsilon) and epsilon >= 0 and 0 <= delta < 1):
        raise UsageError("the stated ε must be finite and at least 0, and δ at least 0 and below 1")
    knee = (1.0 - delta) / (1.0 + exp(min(epsilon, 700.0)))
    area = knee * (delta + 1.0 - knee) / 2 + (1.0 - delta - knee) * (2.0 - knee) / 2 + delta
    return Bound(
        epsilon=epsilon,
        delta=delta,
        auc=area,
        tpr_at_1=best_tpr(0.01, epsilon=epsilon, delta=delta),
        tpr_at_01=best_tpr(0.001, epsilon=epsilon, delta=delta),
        gaussian=gaussian_bound(gaussian_mu(epsilon, delta)) if delta > 0 else None,
    )


def gaussian_mu(epsilon: float, delta: float) -> float:
    """The μ at which one Gaussian mechanism is (ε, δ)-DP and at no larger one; ε ≥ 0 and 0 < δ < 1.

    δ = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ) (Balle & Wang 2018, Theorem 8).
    """
    return exp(analytic_gaussian(epsilon, delta)[0] / 2)


def gaussian_bound(mu: float) -> GaussianBound:
    """The trade-off of testing N(0, 1) against N(`mu`, 1), whose AUC is Φ(μ/√2) (Dong, Roth & Su 2019)."""
    from scipy.special import ndtr

    return GaussianBound(
        mu=mu,
        auc=float(ndtr(mu / sqrt(2.0))),
        tpr_at_1=gaussian_tpr(0.01, mu=mu),
        tpr_at_01=gaussian_tpr(0.001, mu=mu),
    )


def gaussian_tpr(fpr: float, *, mu: float) -> float:
    """The highest true positive rate at a false positive rate in [0, 1]: Φ(Φ⁻¹(FPR) + μ)."""
    from scipy.special import ndtr, ndtri

    return float(ndtr(ndtri(fpr) + mu))
