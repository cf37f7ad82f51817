"""A rate with its exact interval, and the risk that two rates make."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`hits` of `n`, its share, and a 95 % Clopper-Pearson interval."""

    hits: int
    n: int
    value: float
    interval: tuple[float, float]


def risk_of(attack: float, control: float) -> float:
    """(attack - control)/(1 - control): of what a release could add, the share that it does."""
    return (attack - control) / (1.0 - control) if control < 1.0 else 0.0


def risk_bound(attack: Rate, control: Rate, *, n_rates: int) -> float:
    """An upper bound of the risk, at 95 % for `n_rates` such bounds at once; in [0, 1].

    The risk is 1 less a ratio of two shares that were not hit. Its bound is recovered from their exact
    limits after Donner & Zou (2012, Statistical Methods in Medical Research 21:347, MOVER for ratios):
    nearly as narrow as a score interval, and exact where no control was hit. Where every control was, 1:
    nothing is known of what a release could add.
    """
    if control.value >= 1.0:
        return 1.0
    tail = 2 * ALPHA / n_rates
    missed, spared = 1.0 - attack.value, 1.0 - control.value
    fewest = 1.0 - clopper_pearson(attack.hits, attack.n, alpha=tail)[1]
    most = 1.0 - clopper_pearson(control.hits, control.n, alpha=tail)[0]
    product = missed * spared
    inside = max(0.0, product**2 - fewest * most * (2 * missed - fewest) * (2 * spared - most))
    lowest = (product - sqrt(inside)) / (most * (2 * spared - most))
    return min(1.0, max(0.0, 1.0 - lowest))


def rate(hits: int, n: int) -> Rate:
    """`hits` of `n` ≥ 1 with its interval."""
    return Rate(hits=hits, n=n, value=hits / n, interval=clopper_pearson(hits, n, alpha=ALPHA))


def clopper_pearson(hits: int, n: int, *, alpha: float) -> tuple[float, float]:
    """The exact interval of a rate (Clopper & Pearson 1934), each end missed with at most alpha/2."""
    from scipy.stats import beta

    low = float(beta.ppf(alpha / 2, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - alpha / 2, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
