"""What guesses about people are worth: how often they are right of members, of non-members, and blind."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.audit.figures import ALPHA, Rate, clopper_pearson, rate, risk_of
from tabsynth.metrics.base import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """One question that an attacker answers about people with the help of a release.

    `attack` is how often it is answered rightly of train's people, `control` of people of the holdout, about
    whom a release can tell no more than the population does, and `baseline` without the release. `risk` is
    (attack - control)/(1 - control), `risk_upper` its upper 95 % bound, over the whole battery at once;
    `p_value` is Fisher's exact of attack against control, one-sided. `columns` are what was guessed, `known`
    what the attacker knew before. Where the question could not be put, `status` and `reason` say why and the
    rates are None. Holds no cell and no row.
    """

    attack_name: str  # "singling_out", "linkability", "attribute"
    title: str
    columns: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    attack: Rate | None = None
    control: Rate | None = None
    baseline: Rate | None = None
    risk: float | None = None
    risk_upper: float | None = None
    p_value: float | None = None
    status: Status = Status.OK
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Right guesses, and all guesses, of one kind."""

    hits: int
    n: int


def guesses_of(
    attack_name: str,
    title: str,
    *,
    attack: Tally,
    control: Tally,
    baseline: Tally,
    n_rates: int,
    columns: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
) -> Guesses:
    """The figures of a question; `n_rates` questions and thresholds share the bound of the risk."""
    from scipy.stats import hypergeom

    highest = clopper_pearson(attack.hits, attack.n, alpha=ALPHA / n_rates)[1]
    lowest = clopper_pearson(control.hits, control.n, alpha=ALPHA / n_rates)[0]
    members, others = rate(attack.hits, attack.n), rate(control.hits, control.n)
    p_value = hypergeom.sf(attack.hits - 1, attack.n + control.n, attack.n, attack.hits + control.hits)
    return Guesses(
        attack_name=attack_name,
        title=title,
        columns=columns,
        known=known,
        attack=members,
        control=others,
        baseline=rate(baseline.hits, baseline.n),
        risk=risk_of(members.value, others.value),
        risk_upper=max(0.0, risk_of(highest, lowest)),
        p_value=float(p_value),
    )
