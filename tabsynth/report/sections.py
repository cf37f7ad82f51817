"""The parts of the page around the columns: cards, groups of figures, ledger, rules, provenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.constraints.change import Change
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.evaluate import Results, RocCurve
from tabsynth.privacy import Charge
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.privacy.mechanisms import Exact, Mechanism, describe, once, releases
from tabsynth.report import text, views
from tabsynth.report.charts import roc_chart
from tabsynth.report.score import Score
from tabsynth.report.summary import Group, Report
from tabsynth.report.verdict import Level
from tabsynth.report.views import Fact

MAX_MAP_COLUMNS = 30
_MAX_CARD_ROWS = 5
_PARTS_LEAD = {"detection": "Given away mostly by"}
_PARTS_TITLE = {"detection": "What gave it away"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    title: str
    question: str
    smoke_test: bool
    score: views.ScoreView
    strip: str
    gist: str
    others: tuple[views.ScoreView, ...]
    rest: str  # of the group's figures that the card leaves out
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    name: str
    auc: str
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RocView:
    svg: str
    curves: tuple[CurveView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    id: str
    title: str
    smoke_test: bool
    roc: RocView | None
    parts_title: str
    scores: tuple[views.ScoreRow, ...]
    folded: tuple[views.ScoreRow, ...] = ()
    folded_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionLink:
    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    statistic: str
    mechanism: str
    n_releases: str
    epsilon: str
    columns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    total: str
    rows: tuple[LedgerRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    name: str
    form: str
    n_touched: str
    change: str
    n_rows: str
    n_violations: str
    level: str
    words: str


def table_facts(results: Results) -> list[Fact]:
    facts = [
        Fact(name="Train rows", value=text.count(results.n_train)),
        Fact(name="Holdout rows", value=text.count(results.n_holdout)),
        Fact(name="Synthetic rows", value=text.count(results.n_synthetic)),
        Fact(name="Columns", value=text.count(results.n_columns)),
    ]
    if results.target is not None:
        facts.append(Fact(name="Target", value=text.printable(results.target)))
    return facts


def card(group: Group) -> CardView:
    row = views.score_row(group.headline)
    shown = group.telling[:_MAX_CARD_ROWS]
    n_left = len(group.others) - len(shown)
    return CardView(
        title=group.title,
        question=group.question,
        smoke_test=group.smoke_test,
        score=row.score,
        strip=row.strip,
        gist=_gist(group, row) if len(shown) < 3 or group.headline.result.value is None else "",
        others=tuple(views.score_view(score) for score in shown),
        rest=f"{text.count(n_left)} more" if n_left else "",
        anchor=_group_id(group),
    )


def _gist(group: Group, row: views.ScoreRow) -> str:
    """What stands on a card that has room: the parts that weigh most, else what the figure means, or why it failed."""
    if group.headline.result.value is None:
        return text.sentence(row.score.reason or row.score.words)
    parts = tuple(f"{part.name} ({part.value})" for part in row.details[:3])
    if parts:
        return f"{_PARTS_LEAD.get(group.name, 'Mostly')} {text.enumerate_names(parts)}."
    return row.score.meaning


def _group_id(group: Group) -> str:
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in group.name.lower())
    return f"group-{slug}"


def worst_blocks(report: Report, columns: views.ColumnsView) -> list[views.WorstBlock]:
    anchors = {card.title: card.anchor for card in columns.cards}
    blocks = (
        views.worst_block(report.columns, title="Worst columns", what="column", anchors=anchors),
        views.worst_block(report.pairs, title="Worst pairs", what="pair", anchors={}),
    )
    return [block for block in blocks if block is not None]


def maps_cut(report: Report) -> str:
    if report.associations is None or len(report.associations.columns) <= MAX_MAP_COLUMNS:
        return ""
    n_columns = text.count(len(report.associations.columns))
    return f"Drawn: the {MAX_MAP_COLUMNS} of {n_columns} columns whose associations changed most."


def group_view(group: Group, curves: Sequence[RocCurve]) -> GroupView:
    roc = None
    if group.name == "detection" and curves:
        roc = RocView(
            svg=roc_chart(curves),
            curves=tuple(
                CurveView(
                    name=text.printable(curve.name), auc=f"{curve.auc:.3f}", css="other" if i else "first"
                )
                for i, curve in enumerate(curves)
            ),
        )
    return GroupView(
        id=_group_id(group),
        title=group.title,
        smoke_test=group.smoke_test,
        roc=roc,
        parts_title=_PARTS_TITLE.get(group.name, "Its parts"),
        scores=tuple(views.score_row(score) for score in _worst_first(group)),
        folded=tuple(views.score_row(score) for score in group.folded),
        folded_title=_folded_title(group),
    )


def _worst_first(group: Group) -> tuple[Score, ...]:
    """The leading figures: the headline, then from worst to best level, those of one level in their order."""
    rest = (score for score in group.leading if score is not group.headline)
    return (group.headline, *sorted(rest, key=lambda score: -score.verdict.level.rank))


def _folded_title(group: Group) -> str:
    """How many secondary figures there are, and how many of them are off."""
    if not group.folded:
        return ""
    n_off = sum(score.verdict.level in (Level.OFF, Level.FAR) for score in group.folded)
    n = len(group.folded)
    figures = "figure" if n == 1 else "figures"
    said = f"{text.count(n_off)} beyond the floor, worst first" if n_off else "none beyond the floor"
    return f"{text.count(n)} more {figures} of {group.title.lower()} ({said})"


def ledger_view(ledger: Sequence[Charge] | LedgerCopy) -> LedgerView:
    """Charges gathered by statistic and mechanism, and what they compose to."""
    charges = ledger.charges if isinstance(ledger, LedgerCopy) else tuple(ledger)
    gathered: defaultdict[tuple[str, Mechanism], list[Charge]] = defaultdict(list)
    for charge in charges:
        gathered[charge.statistic, once(charge.mechanism)].append(charge)
    rows = tuple(
        LedgerRow(
            statistic=text.printable(statistic),
            mechanism=text.printable(describe(mechanism)),
            n_releases=text.count(sum(releases(charge.mechanism) for charge in found)),
            epsilon="∞" if isinstance(mechanism, Exact) else "",
            columns=text.enumerate_names(
                tuple(dict.fromkeys(text.printable(name) for charge in found for name in charge.columns))
            ),
        )
        for (statistic, mechanism), found in gathered.items()
    )
    return LedgerView(total=_total(ledger, charges), rows=rows)


def _total(ledger: Sequence[Charge] | LedgerCopy, charges: tuple[Charge, ...]) -> str:
    if not charges:
        return "Nothing was read."
    if any(isinstance(charge.mechanism, Exact) for charge in charges):
        return "At least one of them was exact, so the whole stands at ε = ∞."
    if not isinstance(ledger, LedgerCopy) or ledger.cap is None:
        return ""
    delta = ledger.cap.delta
    own = epsilon_of((charge.mechanism for charge in charges), delta)
    said = f"Together they compose to ε = {own:.3g} at δ = {delta:g}."
    if ledger.series is None and not ledger.former:
        return said
    whole = f"With the {text.count(len(ledger.former))} charges before them the series stands at"
    return f"{said} {whole} ε = {ledger.epsilon(delta):.3g} of {ledger.cap.epsilon:g}."


def rule_view(outcome: RuleOutcome) -> RuleView:
    holds = outcome.n_violations == 0
    return RuleView(
        name=text.printable(outcome.rule),
        form=outcome.form or "–",
        n_touched=text.count(outcome.n_swapped + outcome.n_redrawn)
        if outcome.form and outcome.is_counted
        else "–",
        change=_changed(outcome.change),
        n_rows=text.count(outcome.n_rows),
        n_violations=text.count(outcome.n_violations),
        level=(Level.MET if holds else Level.FAR).value,
        words="holds" if holds else "broken",
    )


def _changed(change: Change | None) -> str:
    if change is None:
        return "–"
    trend = "" if change.trend is None else f", pairs {100 * change.trend:.2f} %"
    return f"shape {100 * change.shape:.2f} %{trend}"


def provenance(results: Results) -> list[Fact]:
    facts = [
        Fact(name="tabsynth", value=results.version or "version not recorded"),
        Fact(name="Seed of the evaluation", value=str(results.seed)),
        *table_facts(results),
    ]
    titles = {info.name: info.title.lower() for info in results.infos}
    facts += [
        Fact(name=f"Seconds for {titles.get(name, name)}", value=f"{seconds:.1f}")
        for name, seconds in results.seconds.items()
    ]
    return facts
