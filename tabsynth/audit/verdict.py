"""Pass, fail or inconclusive, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tabsynth.audit.figures import Battery
from tabsynth.audit.holdout import HoldoutCopies
from tabsynth.audit.rates import ALPHA

RISK_LIMIT = 0.09
POWER = 0.8
REVERSED_ALPHA = 0.001
"""For non-members above members: rare enough to cost honest releases nothing."""


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105  # an outcome
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A release with a known answer, and what the same battery made of it."""

    name: str
    title: str
    is_leak: bool
    battery: Battery

    @property
    def is_as_expected(self) -> bool:
        """A leak was flagged, or a release without one was not."""
        return self.battery.flagged == self.is_leak


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome, its reasons in words, and the leaks that this audit could not have seen."""

    outcome: Outcome
    reasons: tuple[str, ...]
    unseen: tuple[str, ...]


def decide(release: Battery, calibration: tuple[Calibrated, ...], *, holdout: HoldoutCopies) -> Verdict:
    """Fail: the battery flags the release, and does not flag rows that train had no part in.

    The p-value is corrected for every test of the battery, so a release made without train is failed with a
    probability of at most `ALPHA`. Pass: all leaks are seen, the null is quiet, the release is not flagged,
    and the upper bound of its risk is below `RISK_LIMIT`. Anything else is inconclusive, as is a release
    that knows the holdout better than train, or holds copies of it: they were swapped, or it was not held out.
    """
    unseen = tuple(known.title for known in calibration if known.is_leak and not known.is_as_expected)
    loud = [known.title for known in calibration if not known.is_leak and not known.is_as_expected]
    if loud:
        reason = (
            f"{', '.join(loud)}: flagged too, so what is flagged proves nothing. Holdout rows differ from "
            f"train rows (were they split at random?), or this is one of the {ALPHA:.0%} false alarms"
        )
        return Verdict(outcome=Outcome.INCONCLUSIVE, reasons=(reason,), unseen=unseen)
    if release.flagged:
        reason = (
            f"members are told from non-members (corrected p {p_words(release.p_value)}); a release made "
            f"without train is flagged in at most {ALPHA:.0%} of audits"
        )
        return Verdict(outcome=Outcome.FAIL, reasons=(reason,), unseen=unseen)
    reasons = [f"could not have seen: {', '.join(unseen)}"] if unseen else []
    if holdout.was_used:
        reasons.insert(
            0,
            f"{holdout.released.value:.0%} of non-members equal a released row and {holdout.unrelated.value:.0%} "
            "an unrelated one: was the holdout used to make the release?",
        )
    elif release.reversed_p <= REVERSED_ALPHA:
        reasons.insert(
            0,
            "the release knows holdout rows better than train rows: were the two files swapped, or holdout "
            "rows used to make it?",
        )
    if release.risk_upper >= RISK_LIMIT:
        of_what = f" ({release.widest})" if release.widest else ""
        reasons.append(
            f"the upper bound of the risk{of_what} is {release.risk_upper:.3f}, not below {RISK_LIMIT}: more "
            "rows would narrow it; a larger budget only where this one left rows out"
        )
    if reasons:
        return Verdict(outcome=Outcome.INCONCLUSIVE, reasons=tuple(reasons), unseen=unseen)
    seen = "every known leak was flagged, unrelated rows were not, and the release was not"
    risk = f"risk at most {release.risk_upper:.3f} (95 %), below {RISK_LIMIT}"
    return Verdict(outcome=Outcome.PASS, reasons=(seen, risk), unseen=())


def p_words(value: float) -> str:
    """`= 0.0123`, or `< 0.0001`."""
    return "< 0.0001" if value < 0.0001 else f"= {value:.4f}"


def fewest_flagged(*, n_members: int, n_others: int, false: int, n_tests: int) -> int | None:
    """The fewest hits among members that one of `n_tests` tests flags beside `false` among the others.

    None where even all of them are not.
    """
    from scipy.stats import hypergeom

    low, high = 0, n_members + 1
    while low < high:
        hits = (low + high) // 2
        p_value = hypergeom.sf(hits - 1, n_members + n_others, n_members, hits + false)
        low, high = (low, hits) if p_value * n_tests <= ALPHA else (hits + 1, high)
    return None if low > n_members else low


def detectable_share(*, n_members: int, n_others: int, false: int, n_tests: int) -> float | None:
    """The smallest share of members copied that matching alone flags with a probability of `POWER`.

    `false` of `n_others` evaluated non-members match by chance; members who are not copied do as often.
    None where even a copy of all is not flagged.
    """
    from scipy.stats import binom

    by_chance = false / n_others
    fewest = fewest_flagged(n_members=n_members, n_others=n_others, false=false, n_tests=n_tests)
    if fewest is None:
        return None
    for thousandth in range(1, 10_001):
        share = thousandth / 10_000
        if binom.sf(fewest - 1, n_members, by_chance + share * (1 - by_chance)) >= POWER:
            return share
    return None
