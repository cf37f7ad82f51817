"""95 % intervals: Wilson for rates, DeLong for areas under ROC curves, bootstrap for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.metrics.samples import midranks

Z_95 = 1.959963984540054  # the .975 quantile of the standard normal


class Auc(NamedTuple):
    """An area under a ROC curve and its 95 % interval, None where there are too few rows for one."""

    value: float
    interval: tuple[float, float] | None


def delong_auc(positive: npt.NDArray[np.float64], negative: npt.NDArray[np.float64]) -> Auc:
    """P(a positive's score exceeds a negative's), ties counted half, with DeLong's interval.

    The variance is that of DeLong, DeLong & Clarke-Pearson (1988, Biometrics 44:837, eq. 4-7), computed
    from midranks (Sun & Xu 2014, IEEE SPL 21:1389, eq. 8-10); the interval is symmetric on the logit
    scale, so it stays in [0, 1]. Where the scores separate perfectly that variance is 0 and the bound is
    the exact binomial one over min(n) disjoint pairs: .025 ** (1/n). Scores have shapes (n_positive,)
    and (n_negative,), both at least 1 long.
    """
    n_positive, n_negative = len(positive), len(negative)
    ranks = midranks(np.concatenate([positive, negative]))
    above = (ranks[:n_positive] - midranks(positive)) / n_negative
    below = 1.0 - (ranks[n_positive:] - midranks(negative)) / n_positive
    auc = float(np.clip(above.mean(), 0.0, 1.0))
    if min(n_positive, n_negative) < 2:
        return Auc(auc, None)
    bound = 0.025 ** (1.0 / min(n_positive, n_negative))
    if auc == 1.0:
        return Auc(auc, (bound, 1.0))
    if auc == 0.0:
        return Auc(auc, (0.0, 1.0 - bound))
    variance = above.var(ddof=1) / n_positive + below.var(ddof=1) / n_negative
    half = Z_95 * float(np.sqrt(variance)) / (auc * (1.0 - auc))
    logit = float(np.log(auc / (1.0 - auc)))
    return Auc(auc, (_expit(logit - half), _expit(logit + half)))


def _expit(x: float) -> float:
    return float(0.5 * (1.0 + np.tanh(0.5 * x)))


def wilson_interval(rate: float, n: float) -> tuple[float, float]:
    """Wilson's (1927) score interval of a rate over n rows, or what is worth as many, n >= 1.

    Conservative where a row may count half, since that only lowers the variance.
    """
    centre = (rate + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * float(np.sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n**2)))
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def bootstrap_interval(
    statistic: Callable[[npt.NDArray[np.float64]], float],
    *,
    n: int,
    rng: np.random.Generator,
    n_replicates: int = 200,
) -> tuple[float, float] | None:
    """Percentile interval of `statistic(weights)` over resamples of n rows.

    `weights`, shape (n,), says how often each row was drawn. Replicates in which the statistic is
    undefined (NaN) are left out; None where that leaves fewer than half of them.
    """
    replicates = np.array(
        [
            statistic(np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64))
            for _ in range(n_replicates)
        ]
    )
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < n_replicates / 2:
        return None
    lower, upper = np.quantile(defined, [0.025, 0.975])
    return float(lower), float(upper)
