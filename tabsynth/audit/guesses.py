"""What guesses about people are worth: how often they are right of members, of non-members, and blind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.audit.rates import Rate, rate, risk_bound, risk_of
from tabsynth.metrics.base import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """One question that an attacker answers about people with the help of a release.

    `attack` is how often it is answered rightly of train's people, `control` of people of the holdout, about
    whom a release can tell no more than the population does, and `baseline` without the release. `risk` is
    (attack - control)/(1 - control), `risk_upper` its upper 95 % bound, over the whole battery at once;
    `p_value` is Fisher's exact of attack against control, one-sided. `columns` are what was guessed, `known`
    what the attacker knew before. `of_all` says that any person could be among those asked: where only the
    most isolated are, the bound is theirs and not the battery's. Where the question could not be put,
    `status` and `reason` say why and the rates are None. Holds no cell and no row.
    """

    attack_name: str  # "singling_out", "linkability", "attribute", "isolated"
    title: str
    columns: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    attack: Rate | None = None
    control: Rate | None = None
    baseline: Rate | None = None
    risk: float | None = None
    risk_upper: float | None = None
    p_value: float | None = None
    of_all: bool = True
    status: Status = Status.OK
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Right guesses, and all guesses, of one kind."""

    hits: int
    n: int

    @classmethod
    def of(cls, is_hit: npt.NDArray[np.bool_]) -> Self:
        """The tally of one answer to a person, shape (n,)."""
        return cls(hits=int(is_hit.sum()), n=len(is_hit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked of a release, and how often it was answered rightly; see `Guesses` for the fields.

    `reason` says why it could not be put, and then there are no tallies.
    """

    attack_name: str
    title: str
    columns: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    attack: Tally | None = None
    control: Tally | None = None
    baseline: Tally | None = None
    of_all: bool = True
    reason: str = ""

    @property
    def was_put(self) -> bool:
        return None not in (self.attack, self.control, self.baseline)


def guesses_of(asked: Question, *, n_rates: int) -> Guesses:
    """The figures of a question; `n_rates` questions and thresholds share the bound of the risk."""
    from scipy.stats import hypergeom

    named = Guesses(
        attack_name=asked.attack_name,
        title=asked.title,
        columns=asked.columns,
        known=asked.known,
        of_all=asked.of_all,
        status=Status.OK if asked.was_put else Status.NOT_APPLICABLE,
        reason=asked.reason,
    )
    if asked.attack is None or asked.control is None or asked.baseline is None:
        return named
    attack, control = asked.attack, asked.control
    members, others = rate(attack.hits, attack.n), rate(control.hits, control.n)
    p_value = hypergeom.sf(attack.hits - 1, attack.n + control.n, attack.n, attack.hits + control.hits)
    return replace(
        named,
        attack=members,
        control=others,
        baseline=rate(asked.baseline.hits, asked.baseline.n),
        risk=risk_of(members.value, others.value),
        risk_upper=risk_bound(members, others, n_rates=n_rates),
        p_value=float(p_value),
    )
