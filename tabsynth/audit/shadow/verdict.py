"""Pass, fail or inconclusive, from the attack, its controls and their bounds."""

from __future__ import annotations

from tabsynth.audit.bound import Bound
from tabsynth.audit.rates import ALPHA
from tabsynth.audit.shadow.controls import ShadowControl
from tabsynth.audit.shadow.figures import ALL, N_MEANS, MeanFigures, ShadowBattery, TargetFigures
from tabsynth.audit.shadow.targets import GROUPS
from tabsynth.audit.verdict import RISK_LIMIT, Outcome, Verdict, p_words

AUC_LIMIT = 0.5 + RISK_LIMIT / 2
"""What an attacker of risk `RISK_LIMIT` at every threshold reaches: TPR = FPR + risk · (1 − FPR)."""


def decide(engine: ShadowBattery, controls: tuple[ShadowControl, ...], *, bound: Bound | None) -> Verdict:
    """Fail: a mean or a target is told, corrected for all tests, and not shown to lie below `AUC_LIMIT`.

    Pass: the null is quiet, every copier is flagged, and the upper bound of both groups' mean is below
    `AUC_LIMIT`; a leak may be shown, and shown to be small. Anything else is inconclusive.
    """
    unseen = tuple(known.title for known in controls if known.is_leak and not known.is_as_expected)
    if loud := [known for known in controls if not known.is_leak and not known.is_as_expected]:
        reason = (
            f"{loud[0].title}: flagged too (corrected p {p_words(loud[0].battery.p_value)}), so what is flagged "
            f"proves nothing: one of the {ALPHA:.0%} false alarms; another seed draws other coins"
        )
        return Verdict(outcome=Outcome.INCONCLUSIVE, reasons=(reason,), unseen=unseen)
    means, targets = told(engine)
    uppers = [mean.auc_interval[1] for mean in means] + [target.auc_interval[1] for target in targets]
    if uppers and max(uppers) >= AUC_LIMIT:
        reasons = [*_told_words(engine, means, targets), *_beyond(engine, bound)]
        return Verdict(outcome=Outcome.FAIL, reasons=tuple(reasons), unseen=unseen)
    reasons = [f"could not have seen: {', '.join(unseen)}"] if unseen else []
    highest = max(engine.mean(group).auc_interval[1] for group in GROUPS)
    if highest >= AUC_LIMIT:
        reasons.append(
            f"the upper bound of the mean AUC is {highest:.3f}, not below {AUC_LIMIT:g}: more fits would narrow it"
        )
    if reasons:
        return Verdict(outcome=Outcome.INCONCLUSIVE, reasons=tuple(reasons), unseen=unseen)
    shown = "a leak is shown, and shown to be small" if engine.flagged else "the engine was not flagged"
    seen = f"every copier was flagged, null records were not, and {shown}"
    size = f"mean AUC at most {highest:.3f} (95 %), below {AUC_LIMIT:g}, which a risk of {RISK_LIMIT} reaches"
    return Verdict(outcome=Outcome.PASS, reasons=(seen, size), unseen=())


def told(engine: ShadowBattery) -> tuple[list[MeanFigures], list[TargetFigures]]:
    """The means and the targets that the attack tells, at the level of the whole battery."""
    means = [mean for mean in engine.means if 2 * N_MEANS * mean.p_value <= ALPHA]
    return means, [target for target in engine.targets if 2 * target.p_corrected <= ALPHA]


def _told_words(engine: ShadowBattery, means: list[MeanFigures], targets: list[TargetFigures]) -> list[str]:
    words = [
        f"mean AUC of {'all' if mean.group == ALL else mean.group} records {mean.auc:.3f} "
        f"({mean.auc_interval[0]:.3f}-{mean.auc_interval[1]:.3f})"
        for mean in means
    ]
    if targets:
        words.append(f"{len(targets)} of {len(engine.targets)} records each by itself")
    return [
        (
            f"who was in is told from who was not: {'; '.join(words)} (corrected p {p_words(engine.p_value)}). An engine "
            f"that ignores these records is flagged in at most {ALPHA:.0%} of audits"
        )
    ]


def _beyond(engine: ShadowBattery, bound: Bound | None) -> list[str]:
    """A line where even the lower end of a mean lies above what the stated guarantee allows anybody."""
    if bound is None:
        return []
    lowest = max(mean.auc_interval[0] for mean in engine.means)
    if lowest <= bound.auc:
        return []
    return [
        (
            f"this is more than ε = {bound.epsilon:g}, δ = {bound.delta:g} allows any attacker (AUC {bound.auc:.3f}): the "
            "stated guarantee does not hold"
        )
    ]
