"""The risk of groups of people: one attack's rates within each level of a few columns."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.audit.rates import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """What one attack flags among members and non-members of one group; no part of the verdict.

    `level` is a level that the schema declares, "missing", a quarter of the reference's numbers, or "all other
    levels". `p_value` is Fisher's exact, one-sided, times the number of groups that were tested.
    """

    column: str
    level: str
    attack_name: str
    attack: Rate
    control: Rate
    risk: float
    p_value: float
