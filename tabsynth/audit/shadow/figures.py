"""What the counts tell of who was in: a learner for each target, areas, their means, and one corrected test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tabsynth.audit.figures import FIXED, Accusation, accusation, rank_sum_p_value
from tabsynth.audit.rates import ALPHA
from tabsynth.audit.shadow.processes import spread
from tabsynth.audit.shadow.queries import Counts
from tabsynth.audit.shadow.targets import GROUPS
from tabsynth.metrics.intervals import delong_auc
from tabsynth.metrics.samples import midranks

N_TREES, FEW_TREES, FEW_FITS = 100, 30, 50
"""Trees of a forest, and those of one that fewer than so many fits teach: there is little to tell apart."""
MOST_EQUAL = 3
N_REPLICATES = 1_000
ALL = "all"
N_MEANS = len(GROUPS) + 1
VALIDATION_SHARE = 1 / 3

Labels = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFigures:
    """One target, named by its rank in its group; the attack on it over the evaluated fits.

    `auc_interval` is DeLong's 95 %. `p_value` is that of the rank sum, one-sided, and `p_corrected` Holm's
    over all targets. The target was in `n_in` of the evaluated fits and in `n_out` not.
    """

    group: str  # "isolated", "random"
    rank: int
    auc: float
    auc_interval: tuple[float, float]
    p_value: float
    p_corrected: float
    n_in: int
    n_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanFigures:
    """The mean area over a group of targets, with a 95 % bootstrap interval over fits.

    `p_value` is one-sided against one half: coins of different targets are independent, so under no leak the
    areas are, and their rank-sum variances add up. `accusations` are rates at false positive rates fixed on
    a third of the evaluated fits, computed on the rest, over all targets of the group together.
    """

    group: str  # "isolated", "random", "all"
    n_targets: int
    auc: float
    auc_interval: tuple[float, float]
    p_value: float
    accusations: tuple[Accusation, ...]

    def at(self, threshold: str) -> Accusation | None:
        """The accusation at that threshold; None where there are too few fits for it."""
        return next((found for found in self.accusations if found.threshold == threshold), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowBattery:
    """The attack on one generator. `p_value` spends half of its error on the means (Bonferroni) and half on
    the targets (Holm); `flagged` says that it is at most `ALPHA`, which a generator that ignores the targets
    reaches with a probability of at most `ALPHA`.
    """

    targets: tuple[TargetFigures, ...]
    means: tuple[MeanFigures, ...]
    p_value: float
    flagged: bool

    def mean(self, group: str) -> MeanFigures:
        """The mean over that group."""
        return next(found for found in self.means if found.group == group)


def battery_of(
    counts: npt.NDArray[np.int64], labels: Labels, *, seed: int, workers: int = 1
) -> ShadowBattery:
    """Counts of shape (n_fits, n_targets, n_features) and labels (n_fits, n_targets), half of either group.

    Forests learn from fits of even number and are judged on those of odd number.
    """
    n_targets = counts.shape[1]
    calls = (partial(_numbered, k, counts[:, k], labels[:, k], seed=seed + k) for k in range(n_targets))
    found = dict(spread(calls, workers=workers))
    scores = np.column_stack([found[k] for k in range(n_targets)])
    return figures_of(scores, labels[1::2], seed=seed)


def _numbered(target: int, counts: Counts, labels: Labels, *, seed: int) -> tuple[int, Scores]:
    return target, _scores(counts, labels, seed=seed)


def _scores(counts: Counts, labels: Labels, *, seed: int) -> Scores:
    """The log odds of "in" for each odd fit, taught on the even ones; 0 where nothing can be learnt.

    A forest reads all counts. It drowns a copy that is rare in the chance of its other counts, so a logistic
    regression weighs its out-of-bag votes against how many rows equal the target everywhere, and are near to
    it everywhere (the first two questions).
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    known = labels[::2]
    if known.all() or not known.any():
        return np.zeros(len(labels[1::2]))
    forest = RandomForestClassifier(
        n_estimators=N_TREES if len(known) >= FEW_FITS else FEW_TREES,
        min_samples_leaf=2,
        oob_score=True,
        random_state=seed,
        n_jobs=1,
    )
    forest.fit(counts[::2], known)
    votes = np.nan_to_num(forest.oob_decision_function_[:, 1], nan=0.5)  # a fit that is in every bag
    odds = LogisticRegression(C=10.0).fit(_weighed(votes, counts[::2]), known)
    asked = _weighed(forest.predict_proba(counts[1::2])[:, 1], counts[1::2])
    return np.asarray(odds.decision_function(asked), dtype=np.float64)


def _weighed(votes: Scores, counts: Counts) -> npt.NDArray[np.float64]:
    return np.column_stack([votes - 0.5, np.minimum(counts[:, :2], MOST_EQUAL)])


def figures_of(scores: Scores, labels: Labels, *, seed: int) -> ShadowBattery:
    """All figures from scores and labels of the evaluated fits, both (n_fits, n_targets)."""
    n_targets = scores.shape[1]
    p_values = np.array([_p_value(scores[:, k], labels[:, k]) for k in range(n_targets)])
    corrected = holm(p_values)
    half = n_targets // len(GROUPS)
    targets = tuple(
        _target(scores[:, k], labels[:, k], GROUPS[k // half], k % half + 1, p_values[k], corrected[k])
        for k in range(n_targets)
    )
    members = {GROUPS[0]: slice(0, half), GROUPS[1]: slice(half, None), ALL: slice(None)}
    rng = np.random.Generator(np.random.Philox(seed))
    means = tuple(_mean(group, scores[:, which], labels[:, which], rng) for group, which in members.items())
    best = min(N_MEANS * min(mean.p_value for mean in means), float(corrected.min()))
    p_value = min(1.0, 2.0 * best)
    return ShadowBattery(targets=targets, means=means, p_value=p_value, flagged=p_value <= ALPHA)


def holm(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Adjusted p-values (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((len(p_values) - np.arange(len(p_values))) * p_values[order])
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def null_error(scores: Scores, labels: Labels) -> float | None:
    """Standard error of the area where labels are coins that tell nothing, ties corrected; None for one side alone."""
    n_in = int(labels.sum())
    n_out = len(labels) - n_in
    if not n_in or not n_out:
        return None
    return float(np.sqrt(midranks(scores).var(ddof=1) / (len(labels) * n_in * n_out)))


def _p_value(scores: Scores, labels: Labels) -> float:
    if labels.all() or not labels.any():
        return 1.0
    return rank_sum_p_value(scores[labels], scores[~labels])


def _target(
    scores: Scores, labels: Labels, group: str, rank: int, p_value: float, p_corrected: float
) -> TargetFigures:
    n_in = int(labels.sum())
    one_sided = n_in in (0, len(labels))
    auc, interval = (0.5, None) if one_sided else delong_auc(scores[labels], scores[~labels])
    return TargetFigures(
        group=group,
        rank=rank,
        auc=auc,
        auc_interval=interval or (0.0, 1.0),
        p_value=float(p_value),
        p_corrected=float(p_corrected),
        n_in=n_in,
        n_out=len(labels) - n_in,
    )


def _mean(group: str, scores: Scores, labels: Labels, rng: np.random.Generator) -> MeanFigures:
    from scipy.stats import norm

    weights = _resampled(len(scores), rng)
    columns = [
        (scores[:, k], labels[:, k], error)
        for k in range(scores.shape[1])
        if (error := null_error(scores[:, k], labels[:, k])) is not None
    ]
    areas = np.array([weighted_auc(score, label, weights) for score, label, _ in columns])
    auc = float(areas[:, 0].mean()) if columns else 0.5
    variance = sum(error**2 for *_, error in columns)
    lead = float((areas[:, 0] - 0.5).sum()) if columns else 0.0
    p_value = float(norm.sf(lead / np.sqrt(variance))) if variance > 0 else 1.0
    low, high = np.quantile(areas[:, 1:].mean(axis=0), [0.025, 0.975]) if columns else (0.0, 1.0)
    return MeanFigures(
        group=group,
        n_targets=scores.shape[1],
        auc=auc,
        auc_interval=(min(float(low), auc), max(float(high), auc)),
        p_value=p_value,
        accusations=_accusations(scores, labels),
    )


def _resampled(n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How often each fit counts: once in the first row, then by drawing n of n; (1 + N_REPLICATES, n)."""
    drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(N_REPLICATES)]
    return np.array([np.ones(n), *drawn], dtype=np.float64)


def weighted_auc(scores: Scores, labels: Labels, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The area where fit i counts `weights[r, i]` times, for each r; .5 where one side counts nothing."""
    above = np.subtract.outer(scores[labels], scores[~labels])
    wins = (above > 0) + 0.5 * (above == 0)
    inside, outside = weights[:, labels], weights[:, ~labels]
    pairs = inside.sum(axis=1) * outside.sum(axis=1)
    won = np.einsum("rj,rj->r", inside @ wins, outside)
    area: npt.NDArray[np.float64] = np.divide(won, pairs, out=np.full(len(weights), 0.5), where=pairs > 0)
    return area


def _accusations(scores: Scores, labels: Labels) -> tuple[Accusation, ...]:
    """Rates at fixed false positive rates, of the targets together; thresholds from the first third of the fits."""
    n_first = round(VALIDATION_SHARE * len(scores))
    known = np.sort(scores[:n_first][~labels[:n_first]])
    asked, truth = scores[n_first:], labels[n_first:]
    if not truth.any() or truth.all():
        return ()
    found = []
    for name, (share, least) in FIXED.items():
        if len(known) >= least:
            limit = known[len(known) - 1 - int(share * len(known))]
            found.append(accusation(name, asked[truth] > limit, asked[~truth] > limit, n_rates=len(FIXED)))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The smallest areas that this many fits tell from one half with a probability of 80 %."""

    one: float
    group: float
    all: float

    @property
    def words(self) -> str:
        """What the means of the groups and a single record must reach; 1 is out of reach."""
        one = f"{self.one:.3f} of one record" if self.one < 1 else "no single record"
        return f"a mean AUC of {self.group:.3f} over either group, or {one}, from .5 with 80% probability"


def power_of(n_fits: int, *, n_each: int, share: float = 0.8) -> Power:
    """By the normal limit of the rank sum over half of the fits, at the corrected levels of `ShadowBattery`.

    The most favourable case: that the forest finds all there is to be found is not in it.
    """
    from scipy.stats import norm

    n_in = max(n_fits / 4, 1.0)
    error = float(np.sqrt((2 * n_in + 1) / (12 * n_in * n_in)))
    reach = float(norm.ppf(share))

    def least(n_tests: float, n_targets: int) -> float:
        critical = float(norm.isf(ALPHA / 2 / n_tests))
        return min(1.0, 0.5 + (critical + reach) * error / float(np.sqrt(n_targets)))

    n_targets = len(GROUPS) * n_each
    return Power(one=least(n_targets, 1), group=least(N_MEANS, n_each), all=least(N_MEANS, n_targets))
