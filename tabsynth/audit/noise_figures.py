"""From attacked fits to bounds, and from these to pass, fail or inconclusive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.audit.gaussian import counts_bound, estimated_mu, normal_bound, power
from tabsynth.audit.neighbouring import Pair
from tabsynth.audit.noise_results import NoiseShare, PairFigures
from tabsynth.audit.released import Attacked, NoiseSeen
from tabsynth.audit.rows_attack import Releases, attack_rows
from tabsynth.audit.verdict import Outcome
from tabsynth.privacy import Budget

ALPHA = 0.05
"""How often an engine that keeps its promise fails, at most, all pairs and bounds together; unless said."""
RARE = 1e-6
"""The share of it that goes to each check of noise by itself."""
WEAKENED = 0.5
LIKELIHOOD = "likelihood ratio of all releases"
EVEN = 0.95
"""The least precision of a run over the largest: down to here ratios are taken to be normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed: (ε, δ), and μ where one is accounted or stated; over how many pairs it is tested.

    `alpha`: how often an engine that keeps its promise may fail.
    """

    budget: Budget
    mu: float | None
    n_pairs: int
    alpha: float = ALPHA

    def level(self, n_bounds: int) -> float:
        """Of each of `n_bounds` bounds of each pair, the level at which all of them hold with 1 - `alpha`."""
        return self.alpha / (self.n_pairs * n_bounds)

    def is_exceeded(self, *, mu: float, epsilon: float) -> bool:
        """Whether lower bounds are above it."""
        return epsilon > self.budget.epsilon or (self.mu is not None and mu > self.mu)


def figures_of_releases(pair: Pair, found: Attacked, claim: Claim, *, mu: float | None) -> PairFigures:
    """The bounds of the likelihood ratio, and what the releases showed by themselves; `mu` is the plan's, if it has one."""
    level, delta = claim.level(2), claim.budget.delta
    runs = min(len(side) for side in found.ratios)
    faults = [_times(fault, n) for fault, n in sorted(found.faults.items())]
    faults += _too_precise(found, mu)
    noise = tuple(_share_of(statistic, seen) for statistic, seen in sorted(found.noise.items()) if seen.n)
    faults += [
        f"the noise of {one.statistic!r} was {one.share:.2f} of what was charged"
        for one in noise
        if one.is_too_little
    ]
    faults += _unique(found, delta)
    if runs < 2:
        return _nothing(pair, LIKELIHOOD, runs=runs, faults=faults)
    real, weak = ([np.array(side[:runs]) for side in sides] for sides in (found.ratios, found.weak))
    is_normal = None not in (mu, claim.mu) and found.precisions[0] >= EVEN * found.precisions[1] > 0
    bound = normal_bound if is_normal else counts_bound
    lower, half = (bound(*sides, alpha=level, delta=delta) for sides in (real, weak))
    counted = counts_bound(*real, alpha=level, delta=delta)
    # normal scores speak of μ; the ε of that μ is the Gaussian's, which discrete noise may miss by a little
    exceeds = claim.is_exceeded(mu=max(lower.mu, counted.mu), epsilon=counted.epsilon)
    sees_half = claim.is_exceeded(mu=half.mu, epsilon=0.0 if is_normal else half.epsilon)
    return PairFigures(
        name=pair.name,
        title=pair.title,
        attack=LIKELIHOOD,
        runs=runs,
        mu=estimated_mu(*real),
        mu_lower=lower.mu,
        epsilon_lower=lower.epsilon,
        is_normal=is_normal,
        counts_mu_lower=counted.mu,
        counts_epsilon_lower=counted.epsilon,
        exceeds=exceeds,
        half_mu=estimated_mu(*weak),
        half_mu_lower=half.mu,
        half_epsilon_lower=half.epsilon,
        sees_half=sees_half,
        power=power(mu, runs, alpha=level, share=WEAKENED) if is_normal and mu else None,
        faults=tuple(faults),
        noise=noise,
        releases=found.releases,
    )


def figures_of_rows(pair: Pair, real: Releases, weak: Releases | None, claim: Claim) -> PairFigures:
    """The bounds of the attacks on rows; `weak` are releases with too little noise, None where there are none."""
    level, delta = claim.level(1), claim.budget.delta
    runs = len(real.features[0])
    if real.ended == 2 * runs:
        return _nothing(pair, "rows", runs=runs, faults=(), ended=real.ended)
    found = attack_rows(real, alpha=level, delta=delta)
    half = None if weak is None else attack_rows(weak, alpha=level, delta=delta)
    return PairFigures(
        name=pair.name,
        title=pair.title,
        runs=runs,
        attack=found.by,
        mu=found.mu,
        mu_lower=found.lower.mu,
        epsilon_lower=found.lower.epsilon,
        is_normal=False,
        counts_mu_lower=found.lower.mu,
        counts_epsilon_lower=found.lower.epsilon,
        exceeds=claim.is_exceeded(mu=found.lower.mu, epsilon=found.lower.epsilon),
        half_mu=None if half is None else half.mu,
        half_mu_lower=None if half is None else half.lower.mu,
        half_epsilon_lower=None if half is None else half.lower.epsilon,
        sees_half=half is not None and claim.is_exceeded(mu=half.lower.mu, epsilon=half.lower.epsilon),
        power=None,
        ended=real.ended,
    )


def decide_noise(figures: Sequence[PairFigures], claim: Claim) -> tuple[Outcome, tuple[str, ...]]:
    """Fail: a bound is above what is claimed, or a check found a fault. Pass: neither, and every pair saw half the noise."""
    reasons = [f"{one.name}: {fault}" for one in figures for fault in one.faults]
    reasons += [_exceeded(one, claim) for one in figures if one.exceeds]
    if reasons:
        return Outcome.FAIL, tuple(reasons)
    blind = [one.name for one in figures if not one.sees_half]
    if blind:
        cause = (
            "half the noise could not be asked for"
            if any(one.half_mu is None for one in figures)
            else "half the noise was not seen"
        )
        return Outcome.INCONCLUSIVE, (f"{cause} with: {', '.join(blind)}. More runs may see it",)
    return Outcome.PASS, (
        "no bound is above what is claimed, and the same attack on half the noise is, for every pair of tables",
    )


def _nothing(pair: Pair, attack: str, *, runs: int, faults: Sequence[str], ended: int = 0) -> PairFigures:
    return PairFigures(
        name=pair.name,
        title=pair.title,
        runs=runs,
        attack=attack,
        mu=None,
        mu_lower=0.0,
        epsilon_lower=0.0,
        is_normal=False,
        counts_mu_lower=0.0,
        counts_epsilon_lower=0.0,
        exceeds=False,
        half_mu=None,
        half_mu_lower=None,
        half_epsilon_lower=None,
        sees_half=False,
        power=None,
        faults=tuple(faults),
        ended=ended,
    )


def _exceeded(one: PairFigures, claim: Claim) -> str:
    mu, epsilon = max(one.mu_lower, one.counts_mu_lower), max(one.epsilon_lower, one.counts_epsilon_lower)
    said = f"{one.name}: ε is at least {epsilon:.2f}, and {claim.budget.epsilon:g} is claimed"
    if claim.mu is not None and mu > claim.mu:
        said = (
            f"{one.name}: μ is at least {mu:.3f}, and {claim.mu:.3f} is accounted (ε at least {epsilon:.2f})"
        )
    return said


def _times(fault: str, n: int) -> str:
    return fault if n == 1 else f"{fault} ({n:,} times)"


def _too_precise(found: Attacked, mu: float | None) -> list[str]:
    if mu is None or math.sqrt(found.precisions[1]) <= mu * (1 + 1e-9):
        return []
    return [f"the releases differ by μ = {math.sqrt(found.precisions[1]):.3f}, and {mu:.3f} is accounted"]


def _share_of(statistic: str, seen: NoiseSeen) -> NoiseShare:
    from scipy.stats import chi2

    return NoiseShare(
        statistic=statistic,
        numbers=seen.n,
        share=math.sqrt(seen.squares / seen.n),
        is_too_little=bool(chi2.cdf(seen.squares, seen.n) < RARE),
    )


def _unique(found: Attacked, delta: float) -> list[str]:
    """A category that one table alone looks at is released with a probability of δ at most."""
    from scipy.stats import binom

    runs = sum(len(side) for side in found.ratios)
    if not found.unique_levels or binom.sf(found.unique_levels - 1, runs, delta) >= RARE:
        return []
    return [
        f"categories that one table alone looks at were released in {found.unique_levels:,} of {runs:,} fits"
    ]
