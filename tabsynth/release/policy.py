"""What must hold before synthetic rows leave, by the audience they go to.

A policy is data: limits, and what it comes to where they are not met. `tabsynth.release.evaluate` holds
evidence against it. The defaults (`default_policy.yaml`, beside this file) follow the rule that fits without
a guarantee, or with ε above 3, do not go to outsiders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabsynth.decision import Answer
from tabsynth.errors import UsageError
from tabsynth.schema.hints import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Up to `allowed` it is allowed, up to `sign_off` with a sign-off, above denied."""

    allowed: float
    sign_off: float

    def answer(self, value: float) -> Answer:
        """What a value comes to; a value that is no number is denied."""
        if value <= self.allowed:
            return Answer.ALLOW
        return Answer.SIGN_OFF if value <= self.sign_off else Answer.DENY


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRule:
    """`required` is "stated" or "person"."""

    required: str
    otherwise: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRule:
    """Which audits must have passed, and what one that has not comes to."""

    required: tuple[str, ...]
    missing: Answer
    inconclusive: Answer
    failed: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """The upper 95 % bound of each risk in `of` must be below `below`."""

    below: float
    of: tuple[str, ...]
    otherwise: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRule:
    """What rows come to that are known not to be the model's, and what those come to of which it is not known."""

    unknown: Answer
    otherwise: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """What must hold for one audience."""

    name: str
    description: str
    epsilon: Limits
    without_guarantee: Answer
    delta: Limits
    unit: UnitRule
    audits: AuditRule
    risk: RiskRule
    rows_are_the_models: RowsRule
    rules_otherwise: Answer
    retained_rows_otherwise: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy by audience; `name` says which one it is: a file's name, or "defaults"."""

    name: str
    audiences: Mapping[str, Audience]

    def audience(self, name: str) -> Audience:
        """The rules for an audience; `UsageError` that lists the audiences for any other name."""
        if name not in self.audiences:
            hint = did_you_mean(name, self.audiences)
            raise UsageError(f"the policy {self.name!r} has no audience {name!r} ({hint})")
        return self.audiences[name]
