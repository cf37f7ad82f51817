"""What an audit of an engine's noise found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tabsynth.audit.verdict import Outcome
from tabsynth.plain_results import PlainResults

FORMAT = "tabsynth-noise-audit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseShare:
    """Of one statistic: the root mean square of its noise, as a share of the scale that was charged."""

    statistic: str
    numbers: int
    share: float
    is_too_little: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigures:
    """One pair of neighbouring tables, attacked over `runs` fits of each.

    `mu` is the attack's estimate, `mu_lower` and `epsilon_lower` are what it proves: 95 % bounds that hold
    for all pairs at once. They come from normal scores (`is_normal`) or from error rates alone;
    `counts_mu_lower` and `counts_epsilon_lower` always from error rates. `exceeds` says that a bound is
    above what was accounted or claimed. `half_mu_lower` and `half_epsilon_lower` are the bounds of the same
    attack on half the noise, None where it could not be asked for, and `sees_half` says that they were above.
    `faults` are direct proofs, in words, `ended` the fits that gave no rows.
    """

    name: str
    title: str
    runs: int
    attack: str
    mu: float | None
    mu_lower: float
    epsilon_lower: float
    is_normal: bool
    counts_mu_lower: float
    counts_epsilon_lower: float
    exceeds: bool
    half_mu: float | None
    half_mu_lower: float | None
    half_epsilon_lower: float | None
    sees_half: bool
    power: float | None
    faults: tuple[str, ...] = ()
    noise: tuple[NoiseShare, ...] = ()
    releases: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseResults(PlainResults):
    """Everything an audit of an engine's noise found. Of built-in tables alone, so nothing in it is private.

    `accounted_mu` is what the ledger's account comes to, or what was stated; None where only (ε, δ) is
    claimed. `highest_mu` and `highest_epsilon` are what error rates could have proved in as many runs, had
    every release been told rightly. `false_alarm_rate` bounds how often an engine that keeps its promise fails.
    """

    format_name: ClassVar[str] = FORMAT
    engine: str
    settings: dict[str, Any]
    attack_on: str  # "statistics", "rows"
    epsilon: float
    delta: float
    rows_of_unit: int
    accounted_mu: float | None
    gaussian_mu: float
    outcome: Outcome
    reasons: tuple[str, ...]
    pairs: tuple[PairFigures, ...]
    runs: int
    highest_mu: float
    highest_epsilon: float
    false_alarm_rate: float
    weakened: float
    budget: str | None
    seconds: float
    version: str
    private_output: bool = False
