"""The first sentence of a report: may I share this?"""

from __future__ import annotations

from tabsynth.decision import Answer, Decision, Reason
from tabsynth.report import text

_MOST_NAMED = 3


def share_sentence(decision: Decision | None) -> str:
    """One sentence that answers the question, with what stands in the way."""
    if decision is None:
        return "Not decided: no policy was checked, so treat the synthetic rows as private."
    audience = text.printable(decision.audience)
    if decision.outcome is Answer.ALLOW:
        said = f"Yes, the synthetic rows may be shared with {audience}"
        if decision.sign_off is None or not decision.signed:
            return f"{said}: every rule of the policy is met."
        signer = text.printable(decision.sign_off.name)
        return f"{said}: {signer} signed off {_named(decision.signed)}, and every other rule is met."
    named = _named(tuple(found for found in decision.unmet if found.answer is decision.outcome))
    if decision.outcome is Answer.SIGN_OFF:
        return f"Not yet, sharing the synthetic rows with {audience} needs a named sign-off for: {named}."
    return f"No, the synthetic rows may not be shared with {audience}; against it stand: {named}."


def _named(reasons: tuple[Reason, ...]) -> str:
    titles = tuple(text.printable(reason.title[0].lower() + reason.title[1:]) for reason in reasons)
    return text.enumerate_names(titles, limit=_MOST_NAMED)
