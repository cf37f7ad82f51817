"""One self-contained HTML page: no network, no script but its own, every name escaped.

The page is private output: it shows shares and figures of train and holdout.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabsynth.evaluate import Results, RocCurve
from tabsynth.privacy import Charge
from tabsynth.report import text, views
from tabsynth.report.charts import heat_maps, roc_chart
from tabsynth.report.summary import Group, Report, summarise
from tabsynth.report.verdict import Level
from tabsynth.report.views import Fact

_MAX_MAP_COLUMNS = 30
_MAX_CARD_ROWS = 5
_PARTS_LEAD = {"detection": "Given away mostly by"}
_PARTS_TITLE = {"detection": "What gave it away"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """A declared rule in words, and how many of the rows it was checked on break it."""

    rule: str
    n_rows: int
    n_violations: int


def render_html(
    results: Results,
    *,
    ledger: Sequence[Charge] | None = None,
    constraints: Sequence[RuleOutcome] | None = None,
) -> str:
    """The report of `results` as one HTML document, under 3 MB however wide the table.

    `ledger` adds what was read from the private table, `constraints` how the declared rules fared.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tabsynth.report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    report = summarise(results)
    return environment.get_template("report.html").render(_context(report, ledger, constraints))


def _finalize(value: object) -> object:
    """What the template prints, with what would not print replaced; markup made here is left alone."""
    return text.printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def write_report(
    results: Results,
    path: str | Path,
    *,
    overwrite: bool = False,
    ledger: Sequence[Charge] | None = None,
    constraints: Sequence[RuleOutcome] | None = None,
) -> Path:
    """Write the report to `path`, whole or not at all, and return the path.

    Raises `OutputExistsError` where `path` exists and `overwrite` is not set.
    """
    from tabsynth.io.atomic import atomic_path

    page = render_html(results, ledger=ledger, constraints=constraints)
    with atomic_path(Path(path), overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CardView:
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
class _CurveView:
    name: str
    auc: str
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _RocView:
    svg: str
    curves: tuple[_CurveView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupView:
    id: str
    title: str
    smoke_test: bool
    roc: _RocView | None
    parts_title: str
    scores: tuple[views.ScoreRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SectionLink:
    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _LedgerRow:
    statistic: str
    mechanism: str
    n_releases: str
    epsilon: str
    columns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _LedgerView:
    total: str
    rows: tuple[_LedgerRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RuleView:
    name: str
    n_rows: str
    n_violations: str
    level: str
    words: str


def _context(
    report: Report, ledger: Sequence[Charge] | None, constraints: Sequence[RuleOutcome] | None
) -> dict[str, object]:
    """What the template prints."""
    columns = views.columns_view(report.columns)
    pairs = views.subject_table(report.pairs, what="pair", limit=views.MAX_PAIR_ROWS)
    maps = heat_maps(report.associations, max_columns=_MAX_MAP_COLUMNS) if report.associations else ()
    groups = tuple(_group_view(group, report.roc_curves) for group in report.groups)
    rules = tuple(_rule_view(outcome) for outcome in constraints or ())
    ledger_view = _ledger_view(ledger) if ledger is not None else None
    links = (
        ("scores", "At a glance", True),
        ("shortfalls", "Where it falls short", True),
        ("columns", "Columns", bool(columns.table.rows)),
        ("pairs", "Pairs", bool(maps or pairs.rows)),
        *((group.id, group.title, True) for group in groups),
        ("ledger", "Ledger", ledger_view is not None),
        ("rules", "Rules", bool(rules)),
        ("limits", "Limits", True),
        ("provenance", "Provenance", True),
    )
    return {
        "report": report,
        "facts": _facts(report.results),
        "sections": [_SectionLink(id=name, title=title) for name, title, shown in links if shown],
        "cards": [_card(group) for group in report.groups],
        "worst": _worst_blocks(report, columns),
        "failed": [views.gap_view(gap) for gap in report.failed],
        "not_applicable": [views.gap_view(gap) for gap in report.not_applicable],
        "columns": columns,
        "maps": maps,
        "maps_cut": _maps_cut(report),
        "pairs": pairs,
        "triples": views.subject_table(report.triples, what="triple", limit=views.MAX_PAIR_ROWS),
        "groups": groups,
        "ledger": ledger_view,
        "rules": rules,
        "provenance": _provenance(report.results),
        "version": report.results.version,
    }


def _facts(results: Results) -> list[Fact]:
    facts = [
        Fact(name="Train rows", value=text.count(results.n_train)),
        Fact(name="Holdout rows", value=text.count(results.n_holdout)),
        Fact(name="Synthetic rows", value=text.count(results.n_synthetic)),
        Fact(name="Columns", value=text.count(results.n_columns)),
    ]
    if results.target is not None:
        facts.append(Fact(name="Target", value=text.printable(results.target)))
    return facts


def _card(group: Group) -> _CardView:
    row = views.score_row(group.headline)
    shown = group.telling[:_MAX_CARD_ROWS]
    n_left = len(group.others) - len(shown)
    return _CardView(
        title=group.title,
        question=group.question,
        smoke_test=group.smoke_test,
        score=row.score,
        strip=row.strip,
        gist=_gist(group, row) if len(shown) < 3 else "",
        others=tuple(views.score_view(score) for score in shown),
        rest=f"{text.count(n_left)} more" if n_left else "",
        anchor=_group_id(group),
    )


def _gist(group: Group, row: views.ScoreRow) -> str:
    """What stands on a card that has room: the parts that weigh most, else what the figure means."""
    parts = tuple(f"{part.name} ({part.value})" for part in row.details[:3])
    if parts:
        return f"{_PARTS_LEAD.get(group.name, 'Mostly')} {text.enumerate_names(parts)}."
    return row.score.meaning


def _group_id(group: Group) -> str:
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in group.name.lower())
    return f"group-{slug}"


def _worst_blocks(report: Report, columns: views.ColumnsView) -> list[views.WorstBlock]:
    anchors = {card.title: card.anchor for card in columns.cards}
    blocks = (
        views.worst_block(report.columns, title="Worst columns", what="column", anchors=anchors),
        views.worst_block(report.pairs, title="Worst pairs", what="pair", anchors={}),
    )
    return [block for block in blocks if block is not None]


def _maps_cut(report: Report) -> str:
    if report.associations is None or len(report.associations.columns) <= _MAX_MAP_COLUMNS:
        return ""
    n_columns = text.count(len(report.associations.columns))
    return f"Drawn: the {_MAX_MAP_COLUMNS} of {n_columns} columns whose associations changed most."


def _group_view(group: Group, curves: Sequence[RocCurve]) -> _GroupView:
    roc = None
    if group.name == "detection" and curves:
        roc = _RocView(
            svg=roc_chart(curves),
            curves=tuple(
                _CurveView(
                    name=text.printable(curve.name), auc=f"{curve.auc:.3f}", css="other" if i else "first"
                )
                for i, curve in enumerate(curves)
            ),
        )
    return _GroupView(
        id=_group_id(group),
        title=group.title,
        smoke_test=group.smoke_test,
        roc=roc,
        parts_title=_PARTS_TITLE.get(group.name, "Its parts"),
        scores=tuple(views.score_row(score) for score in group.scores),
    )


def _ledger_view(ledger: Sequence[Charge]) -> _LedgerView:
    """Charges gathered by statistic and mechanism."""
    gathered: defaultdict[tuple[str, str], list[Charge]] = defaultdict(list)
    for charge in ledger:
        gathered[charge.statistic, charge.mechanism].append(charge)
    rows = tuple(
        _LedgerRow(
            statistic=text.printable(statistic),
            mechanism=text.printable(mechanism),
            n_releases=text.count(len(charges)),
            epsilon=_epsilon(max(charge.epsilon for charge in charges)),
            columns=text.enumerate_names(
                tuple(dict.fromkeys(text.printable(name) for charge in charges for name in charge.columns))
            ),
        )
        for (statistic, mechanism), charges in gathered.items()
    )
    if any(math.isinf(charge.epsilon) for charge in ledger):
        total = "At least one of them was exact, so the whole stands at ε = ∞."
    else:
        total = "" if ledger else "Nothing was read."
    return _LedgerView(total=total, rows=rows)


def _epsilon(epsilon: float) -> str:
    return "∞" if math.isinf(epsilon) else text.number(epsilon)


def _rule_view(outcome: RuleOutcome) -> _RuleView:
    holds = outcome.n_violations == 0
    return _RuleView(
        name=text.printable(outcome.rule),
        n_rows=text.count(outcome.n_rows),
        n_violations=text.count(outcome.n_violations),
        level=(Level.MET if holds else Level.FAR).value,
        words="holds" if holds else "broken",
    )


def _provenance(results: Results) -> list[Fact]:
    facts = [
        Fact(name="tabsynth", value=results.version or "version not recorded"),
        Fact(name="Seed of the evaluation", value=str(results.seed)),
        *_facts(results),
    ]
    titles = {info.name: info.title.lower() for info in results.infos}
    facts += [
        Fact(name=f"Seconds for {titles.get(name, name)}", value=f"{seconds:.1f}")
        for name, seconds in results.seconds.items()
    ]
    return facts
