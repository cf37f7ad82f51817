"""What any attacker at all could do against a stated (ε, δ)."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite

from tabsynth.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The best membership attacker that (ε, δ) allows: AUC, and TPR at 1 % and 0.1 % FPR."""

    epsilon: float
    delta: float
    auc: float
    tpr_at_1: float
    tpr_at_01: float


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
    )
