"""What the internal report prints of an audit, as flat values."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.report.bounds import BoundView


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRow:
    """A release with a known answer."""

    title: str
    auc: str
    p_value: str
    flagged: str
    should_be: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRow:
    """An accusation, or a question, at the rates it was answered with."""

    title: str
    threshold: str
    attack: str
    control: str
    baseline: str
    risk: str
    at_most: str
    p_value: str
    level: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedRow:
    rank: str
    bits: str
    by_chance: str
    attack: str
    n_attacks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRow:
    share: str
    members: str
    chance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    column: str
    level: str
    attack: str
    members: str
    control: str
    risk: str
    p_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    outcome: str
    level: str
    sentence: str
    reasons: tuple[str, ...]
    power: str
    known: tuple[KnownRow, ...]
    areas: str  # a chart
    risks: str  # a chart
    accusations: tuple[RateRow, ...]
    guesses: tuple[RateRow, ...]
    exposed: tuple[ExposedRow, ...]
    bands: tuple[BandRow, ...]
    groups: tuple[GroupRow, ...]
    groups_cut: str
    bound: BoundView | None
    tradeoff: str  # a chart, where there is no bound
    looked_at: str
    risk_limit: str
    notes: tuple[str, ...]
