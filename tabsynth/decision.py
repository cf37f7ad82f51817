"""May this be shared? The answer of a policy, rule by rule, as plain data.

A decision is private output: what was found includes figures of an audit. What may be told outside is its
outcome alone (`tabsynth.report.publish`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from tabsynth.errors import InputError, UsageError
from tabsynth.plain_results import PlainResults

FORMAT = "tabsynth-decision/1"
_LONGEST = 2_000


class Answer(StrEnum):
    """What a rule says, and what all of them say together."""

    ALLOW = "allow"
    SIGN_OFF = "needs sign-off"
    DENY = "deny"


_STRICTNESS = {Answer.ALLOW: 0, Answer.SIGN_OFF: 1, Answer.DENY: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule: what it answers, what it asks for, what was found, and where the evidence is."""

    rule: str  # the rule's key in the policy, such as "epsilon" or "risk.membership"
    title: str
    answer: Answer
    required: str
    found: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """Who answers for the rules that may be signed off, why, and since when.

    Raises `UsageError` for a blank name or reason, and for one of more than 2,000 characters.
    """

    name: str
    reason: str
    on: dt.date

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("reason", self.reason)):
            if not 1 <= len(text.strip()) <= _LONGEST:
                raise UsageError(f"a sign-off needs a {what} of 1 to {_LONGEST:,} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(PlainResults):
    """Whether a release may go to an audience, with one reason for every rule of the policy.

    `model` is the digest of the model it was made for, `rows` that of the rows, "" where none were given. A sign-off counts for the rules that may be signed
    off and for no other: a rule that denies, denies.
    """

    format_name: ClassVar[str] = FORMAT
    made_by: ClassVar[str] = "tabsynth policy check --out"
    is_indented: ClassVar[bool] = True

    audience: str
    policy: str  # the policy's file, or "defaults"
    model: str
    reasons: tuple[Reason, ...]
    on: dt.date
    sign_off: SignOff | None = None
    rows: str = ""
    version: str = ""
    private_output: bool = True

    @property
    def before_sign_off(self) -> Answer:
        """The strictest answer of any rule; no rule at all denies."""
        answers = [reason.answer for reason in self.reasons]
        return max(answers, key=_STRICTNESS.__getitem__, default=Answer.DENY)

    @property
    def outcome(self) -> Answer:
        """What holds: allow, needs sign-off, or deny."""
        found = self.before_sign_off
        return Answer.ALLOW if found is Answer.SIGN_OFF and self.sign_off is not None else found

    @property
    def signed(self) -> tuple[Reason, ...]:
        """The rules that the sign-off stands for; none where nobody signed, or where a rule denies."""
        if self.sign_off is None or self.outcome is not Answer.ALLOW:
            return ()
        return tuple(reason for reason in self.reasons if reason.answer is Answer.SIGN_OFF)

    @property
    def unmet(self) -> tuple[Reason, ...]:
        """The rules that do not allow it, strictest first."""
        found = [reason for reason in self.reasons if reason.answer is not Answer.ALLOW]
        return tuple(sorted(found, key=lambda reason: -_STRICTNESS[reason.answer]))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that strict JSON can hold, with the format and the outcome."""
        return {"format": FORMAT, "outcome": self.outcome.value, **PlainResults.to_dict(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote; `InputError` for another format, damage, or an outcome that its reasons contradict."""
        try:
            decision = cls.read_fields({name: value for name, value in data.items() if name != "outcome"})
        except UsageError as fault:
            raise InputError(f"the results are damaged: {fault}") from None
        if data.get("outcome") != decision.outcome.value:
            raise InputError("the results are damaged: its outcome is not what its reasons come to")
        return decision
