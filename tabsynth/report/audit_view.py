"""An audit as the internal report prints it: verdict, what could be seen, attacks, guesses, who is exposed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabsynth.audit import AuditResults
from tabsynth.audit.attacks import TITLES
from tabsynth.audit.bound import Bound
from tabsynth.audit.figures import Accusation, AttackFigures
from tabsynth.audit.guesses import Guesses
from tabsynth.audit.rates import Rate
from tabsynth.audit.verdict import POWER, Calibrated, Outcome, p_words
from tabsynth.report import text
from tabsynth.report.audit_rows import AuditView, BandRow, ExposedRow, GroupRow, KnownRow, RateRow
from tabsynth.report.bounds import bound_view
from tabsynth.report.charts.forest import ForestRow, Guide, forest_chart
from tabsynth.report.charts.tradeoff import Measured, tradeoff_chart
from tabsynth.report.verdict import Level

_LEVELS = {Outcome.PASS: Level.MET, Outcome.FAIL: Level.FAR, Outcome.INCONCLUSIVE: Level.OFF}
_SENTENCES = {
    Outcome.PASS: "None of these attacks tells who is in train, and each leak that was planted was seen.",
    Outcome.FAIL: "The synthetic table betrays who is in train.",
    Outcome.INCONCLUSIVE: "Neither a leak nor its absence is shown.",
}
_THRESHOLDS = {"best": "best", "fpr_1": "1% false alarms", "fpr_01": "0.1% false alarms"}
_MAX_SUBGROUPS = 40


def audit_view(results: AuditResults, bound: Bound | None) -> AuditView:
    """Everything that the page prints of an audit, beside the `bound` of the guarantee where there is one."""
    measured = tuple(_measured(results.release.attacks))
    bound = results.bound or bound
    counts = results.counts
    return AuditView(
        outcome=results.outcome.value,
        level=_LEVELS[results.outcome].value,
        sentence=_SENTENCES[results.outcome],
        reasons=tuple(text.sentence(text.printable(reason)) for reason in results.verdict.reasons),
        power=_power(results),
        known=tuple(_known(found) for found in results.calibration),
        areas=_areas(results.release.attacks, bound),
        risks=_risks(results),
        accusations=tuple(_accusation_rows(results)),
        guesses=tuple(_guess_row(found, results.risk_limit) for found in results.release.guesses),
        exposed=tuple(_exposed_rows(results)),
        bands=tuple(
            BandRow(
                share=text.percent(band.share), members=_rate(band.members), chance=text.percent(band.chance)
            )
            for band in results.exposure.bands
        ),
        groups=tuple(_group_rows(results)),
        groups_cut=_groups_cut(len(results.subgroups)),
        bound=None if bound is None else bound_view(bound, measured),
        tradeoff="" if bound is not None else tradeoff_chart(None, measured),
        looked_at=(
            f"{text.count(counts.evaluated_members)} members against {text.count(counts.evaluated_non_members)} "
            f"non-members, each a {text.printable(results.unit)}; {text.count(counts.asked_members)} and "
            f"{text.count(counts.asked_non_members)} asked about; {text.count(counts.release)} of "
            f"{text.count(counts.synthetic)} synthetic rows; budget {text.printable(results.budget)}, seed {results.seed}"
        ),
        risk_limit=f"{results.risk_limit:g}",
        notes=results.notes,
    )


def _power(results: AuditResults) -> str:
    if results.detectable_share is None:
        seen = "At this size no share of copied rows is sure enough to be caught by matching."
    else:
        seen = (
            f"At this size matching alone catches a copy of {text.percent(results.detectable_share)} of train with "
            f"{POWER:.0%} probability; verbatim copies of fewer people can pass unseen."
        )
    null = f"A release made without train is flagged with at most {results.alpha:.0%} probability."
    unseen = text.enumerate_names(results.verdict.unseen)
    return f"{seen} {null}" + (f" Not seen in this run: {unseen}." if unseen else "")


def _known(found: Calibrated) -> KnownRow:
    return KnownRow(
        title=text.printable(found.title),
        auc=f"{found.battery.max_auc:.3f}",
        p_value=p_words(found.battery.p_value).removeprefix("= "),
        flagged="yes" if found.battery.flagged else "no",
        should_be="yes" if found.is_leak else "no",
        level=(Level.MET if found.is_as_expected else Level.OFF).value,
    )


def _title(attack: str) -> str:
    return TITLES.get(attack, text.sentence(attack.replace("_", " ")).rstrip("."))


def _areas(attacks: Sequence[AttackFigures], bound: Bound | None) -> str:
    guides = [Guide(value=0.5, label="chance", css="chance")]
    if bound is not None:
        if bound.gaussian is not None:
            guides.append(Guide(value=bound.gaussian.auc, label="one Gaussian", css="guide first"))
        guides.append(Guide(value=bound.auc, label="(ε, δ)", css="guide"))
    rows = [
        ForestRow(
            label=_title(found.attack),
            value=found.auc,
            lower=found.auc_interval[0],
            upper=found.auc_interval[1],
            words=f"{found.auc:.3f}",
            level=(Level.FAR if found.auc_interval[0] > 0.5 else Level.NONE).value,
        )
        for found in attacks
    ]
    return forest_chart(
        rows, label="AUC of each attack with its 95% interval", guides=guides, axis=(0.45, 0.6)
    )


def _risks(results: AuditResults) -> str:
    limit = results.risk_limit
    rows = [
        _risk_row(_title(found.attack), best.risk, best.risk_upper, limit)
        for found in results.release.attacks
        for best in found.accusations[:1]
    ]
    rows += [
        _risk_row(_guess_title(found), found.risk, found.risk_upper, limit)
        for found in results.release.guesses
        if found.risk is not None and found.risk_upper is not None
    ]
    guides = [Guide(value=0.0, label="none", css="chance"), Guide(value=limit, label=f"limit {limit:g}")]
    return forest_chart(rows, label="Risk, and its upper 95% bound", guides=guides, axis=(0.0, 0.12))


def _risk_row(label: str, risk: float, upper: float, limit: float) -> ForestRow:
    return ForestRow(
        label=label,
        value=risk,
        lower=None,
        upper=max(risk, upper),
        words=f"≤ {upper:.3f}",
        level=_risk_level(upper, limit),
    )


def _risk_level(upper: float, limit: float) -> str:
    return (Level.MET if upper < limit else Level.OFF).value


def _guess_title(found: Guesses) -> str:
    named = tuple(column for column in found.columns if column not in found.title)
    columns = text.enumerate_names(tuple(map(text.printable, named)), limit=2)
    return f"{text.printable(found.title)}: {columns}" if columns else text.printable(found.title)


def _accusation_rows(results: AuditResults) -> Iterator[RateRow]:
    for found in results.release.attacks:
        for accusation in found.accusations:
            yield RateRow(
                title=_title(found.attack),
                threshold=_THRESHOLDS.get(accusation.threshold, accusation.threshold),
                attack=_rate(accusation.attack),
                control=_rate(accusation.control),
                baseline=text.percent(accusation.baseline),
                risk=f"{accusation.risk:.3f}".replace("-", "−"),
                at_most=f"{accusation.risk_upper:.3f}",
                p_value=p_words(accusation.p_value).removeprefix("= "),
                level=_risk_level(accusation.risk_upper, results.risk_limit),
            )


def _guess_row(found: Guesses, limit: float) -> RateRow:
    known = text.enumerate_names(tuple(map(text.printable, found.known)), limit=3)
    if found.attack is None or found.control is None or found.baseline is None:
        return _unasked(found, known)
    upper = found.risk_upper or 0.0
    return RateRow(
        title=_guess_title(found),
        threshold=known,
        attack=_rate(found.attack),
        control=_rate(found.control),
        baseline=_rate(found.baseline),
        risk=f"{found.risk or 0.0:.3f}".replace("-", "−"),
        at_most=f"{upper:.3f}",
        p_value="" if found.p_value is None else p_words(found.p_value).removeprefix("= "),
        level=_risk_level(upper, limit),
        reason="" if found.of_all else "Asked of the most isolated alone; not part of the policy's bound.",
    )


def _unasked(found: Guesses, known: str) -> RateRow:
    return RateRow(
        title=_guess_title(found),
        threshold=known,
        attack="–",
        control="–",
        baseline="–",
        risk="–",
        at_most="–",
        p_value="",
        level=Level.NONE.value,
        reason=text.sentence(text.printable(found.reason)) or "Not asked.",
    )


def _rate(found: Rate) -> str:
    low, high = found.interval
    return f"{text.percent(found.value)} ({text.percent(low)} to {text.percent(high)})"


def _measured(attacks: Sequence[AttackFigures]) -> Iterator[Measured]:
    for found in attacks:
        for accusation in found.accusations:
            yield _point(found.attack, accusation)


def _point(attack: str, accusation: Accusation) -> Measured:
    threshold = _THRESHOLDS.get(accusation.threshold, accusation.threshold)
    return Measured(
        name=f"{_title(attack)}, {threshold}",
        fpr=accusation.control.value,
        fpr_interval=accusation.control.interval,
        tpr=accusation.attack.value,
        tpr_interval=accusation.attack.interval,
    )


def _exposed_rows(results: AuditResults) -> Iterator[ExposedRow]:
    for found in results.exposure.top:
        yield ExposedRow(
            rank=text.count(found.rank),
            bits=f"{found.bits:.1f}",
            by_chance=f"{found.bits_non_member:.1f}",
            attack=_title(found.attack),
            n_attacks=text.count(found.n_attacks),
        )


def _group_rows(results: AuditResults) -> Iterator[GroupRow]:
    for found in sorted(results.subgroups, key=lambda group: group.p_value)[:_MAX_SUBGROUPS]:
        yield GroupRow(
            column=text.printable(found.column),
            level=text.level(found.level),
            attack=_title(found.attack_name),
            members=_rate(found.attack),
            control=_rate(found.control),
            risk=f"{found.risk:.3f}".replace("-", "−"),
            p_value=p_words(found.p_value).removeprefix("= "),
        )


def _groups_cut(n_groups: int) -> str:
    return (
        f"The {_MAX_SUBGROUPS} with the smallest p-values of {n_groups}." if n_groups > _MAX_SUBGROUPS else ""
    )
