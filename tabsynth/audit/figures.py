"""What the scores of a battery are worth: rates, areas, risks, their bounds, and one corrected test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.audit.guesses import Guesses, Question, guesses_of
from tabsynth.audit.rates import ALPHA, Rate, clopper_pearson, rate, risk_of
from tabsynth.audit.split import Candidates
from tabsynth.metrics.intervals import Z_95, Auc, delong_auc
from tabsynth.metrics.samples import midranks

MAX_CONTROL = 0.25
"""Thresholds that flag more than this share of non-members accuse nobody."""
FIXED = {"fpr_1": (0.01, 100), "fpr_01": (0.001, 1_000)}
"""Of each fixed threshold: its false positive rate, and the non-members it takes to set it."""

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accusation:
    """What a threshold set on the validation part does on the rest.

    `attack` and `control` are the shares of members and non-members flagged, `baseline` what a blind guess
    that flags as many candidates gets right of members. `risk` is (attack − control)/(1 − control) and
    `risk_upper` its upper 95 % bound, over the whole battery at once. `p_value` is Fisher's exact, one-sided.
    """

    threshold: str  # "best", "fpr_1", "fpr_01"
    attack: Rate
    control: Rate
    baseline: float
    risk: float
    risk_upper: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackFigures:
    """One attack on one release; `auc_interval` is DeLong's 95 %, `auc_p` one-sided against one half (`area_p_value`).

    `reversed_p` is the p-value of the other side: non-members score higher.
    """

    attack: str
    auc: float
    auc_interval: tuple[float, float]
    auc_p: float
    reversed_p: float
    accusations: tuple[Accusation, ...]

    def at(self, threshold: str) -> Accusation | None:
        """The accusation at that threshold; None where there are too few rows for it."""
        return next((found for found in self.accusations if found.threshold == threshold), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """All attacks on one release, and their maximum after Bonferroni over `n_tests` tests.

    `p_value` is the smallest of all times their number; `flagged` says that it is at most `ALPHA`, which
    a release made without train reaches with a probability of at most `ALPHA`. `strongest` is its attack.
    `reversed_p` is the same for non-members above members, over the areas alone. `guesses` are the other
    questions put to the release; their tests and bounds are among those of the battery.
    """

    attacks: tuple[AttackFigures, ...]
    n_tests: int
    p_value: float
    flagged: bool
    strongest: str
    max_auc: float
    risk_upper: float
    reversed_p: float
    guesses: tuple[Guesses, ...] = ()

    @classmethod
    def of(cls, attacks: tuple[AttackFigures, ...], guesses: tuple[Guesses, ...]) -> Battery:
        """The maximum over these figures."""
        tests = [
            (p, figures.attack)
            for figures in attacks
            for p in (figures.auc_p, *(accusation.p_value for accusation in figures.accusations))
        ]
        tests += [(guess.p_value, guess.attack_name) for guess in guesses if guess.p_value is not None]
        smallest, strongest = min(tests)
        p_value = min(1.0, smallest * len(tests))
        return cls(
            attacks=attacks,
            n_tests=len(tests),
            p_value=p_value,
            flagged=p_value <= ALPHA,
            strongest=strongest,
            max_auc=max(figures.auc for figures in attacks),
            risk_upper=max(
                [accusation.risk_upper for figures in attacks for accusation in figures.accusations]
                + [guess.risk_upper for guess in guesses if guess.of_all and guess.risk_upper is not None]
            ),
            reversed_p=min(1.0, len(attacks) * min(figures.reversed_p for figures in attacks)),
            guesses=guesses,
        )

    @property
    def widest(self) -> str:
        """The title of the guess whose bound is that of the whole battery; empty where it is an attack's."""
        bounds = ((guess.risk_upper, guess.title) for guess in self.guesses if guess.of_all)
        return next((title for bound, title in bounds if bound == self.risk_upper), "")


def battery_of(
    scores: Mapping[str, Scores], candidates: Candidates, questions: Sequence[Question] = ()
) -> Battery:
    """Every figure, from scores of shape (n_candidates,) and what was asked beside them."""
    n_rates = len(scores) * len(_thresholds(np.zeros(len(candidates.is_member)), candidates))
    n_guesses = sum(question.was_put and question.of_all for question in questions)
    # guesses, if there are any, and accusations share the bound, one half each
    guesses = tuple(guesses_of(question, n_rates=2 * max(1, n_guesses)) for question in questions)
    n_rates *= 2 if n_guesses else 1
    found = tuple(_figures(name, score, candidates, n_rates=n_rates) for name, score in scores.items())
    return Battery.of(found, guesses)


def _figures(name: str, scores: Scores, candidates: Candidates, *, n_rates: int) -> AttackFigures:
    evaluated = ~candidates.is_validation
    members, others = (scores[evaluated & side] for side in (candidates.is_member, ~candidates.is_member))
    auc, turned = delong_auc(members, others), delong_auc(others, members)
    return AttackFigures(
        attack=name,
        auc=auc.value,
        auc_interval=auc.interval or (0.0, 1.0),
        auc_p=area_p_value(members, others, auc),
        reversed_p=area_p_value(others, members, turned),
        accusations=tuple(
            accusation(threshold, members > limit, others > limit, n_rates=n_rates)
            for threshold, limit in _thresholds(scores, candidates).items()
        ),
    )


def area_p_value(members: Scores, others: Scores, auc: Auc) -> float:
    """One-sided p-value of "the area is one half": the larger of DeLong's and the rank-sum test's.

    Where few rows score above the common tie, DeLong's variance misses the side on which none does by
    chance, and the rank sum is skewed towards the smaller side; each holds where the other does not.
    """
    return max(auc_p_value(auc, n=min(len(members), len(others))), rank_sum_p_value(members, others))


def rank_sum_p_value(members: Scores, others: Scores) -> float:
    """Upper tail of the rank sum of `members` over all relabellings, by its normal limit; ties corrected."""
    from scipy.stats import norm

    ranks = midranks(np.concatenate([members, others]))
    error = float(np.sqrt(ranks.var(ddof=1) * len(others) / (len(members) * len(ranks))))
    lead = float(ranks[: len(members)].mean() - ranks.mean())
    return float(norm.sf(lead / error)) if error > 0 else 1.0


def auc_p_value(auc: Auc, *, n: int) -> float:
    """One-sided p-value of "the area is one half", by DeLong's variance on the logit scale.

    Where scores separate perfectly it is the exact binomial one over `n` disjoint pairs.
    """
    from scipy.stats import norm

    if auc.interval is None or auc.value <= 0.5:
        return 1.0
    if auc.value == 1.0:
        return float(0.5**n)
    low, high = (float(np.log(end / (1.0 - end))) for end in auc.interval)
    error = (high - low) / (2 * Z_95)
    return float(norm.sf(float(np.log(auc.value / (1.0 - auc.value))) / error)) if error > 0 else 1.0


def _thresholds(scores: Scores, candidates: Candidates) -> dict[str, float]:
    """By name, the score above which a candidate is called a member; from the validation part alone."""
    members, others = (
        np.sort(scores[candidates.is_validation & side])
        for side in (candidates.is_member, ~candidates.is_member)
    )
    limits = {"best": best_threshold(members, others)}
    for name, (share, least) in FIXED.items():
        if len(others) >= least:
            limits[name] = float(others[len(others) - 1 - int(share * len(others))])
    return limits


def best_threshold(members: Scores, others: Scores) -> float:
    """Where attack less control is largest while control is at most `MAX_CONTROL`; both ascending."""
    limits = np.unique(np.concatenate([members, others]))
    attack, control = (
        1.0 - np.searchsorted(side, limits, side="right") / len(side) for side in (members, others)
    )
    lead = np.where(control <= MAX_CONTROL, attack - control, -np.inf)
    return float(limits[int(lead.argmax())])


def accusation(threshold: str, members: Mask, others: Mask, *, n_rates: int) -> Accusation:
    """The figures of a rule that flags those `members` and those `others`; `n_rates` rules share the bound."""
    from scipy.stats import hypergeom

    hits, false, n, n_others = int(members.sum()), int(others.sum()), len(members), len(others)
    attack, control = rate(hits, n), rate(false, n_others)
    # both ends hold at once for all rules with 95 %
    highest = clopper_pearson(hits, n, alpha=ALPHA / n_rates)[1]
    lowest = clopper_pearson(false, n_others, alpha=ALPHA / n_rates)[0]
    return Accusation(
        threshold=threshold,
        attack=attack,
        control=control,
        baseline=(hits + false) / (n + n_others),
        risk=risk_of(attack.value, control.value),
        risk_upper=max(0.0, risk_of(highest, lowest)),
        p_value=float(hypergeom.sf(hits - 1, n + n_others, n, hits + false)),
    )
