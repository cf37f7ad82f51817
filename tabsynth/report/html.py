"""One self-contained HTML page: no network, no script but its own, every name escaped.

The page is private output: it shows shares and figures of train and holdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabsynth.audit import AuditResults
from tabsynth.audit.bound import Bound, bound_of
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.decision import Decision
from tabsynth.evaluate import Results
from tabsynth.privacy import Charge
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.report import sections, views
from tabsynth.report.audit_view import audit_view
from tabsynth.report.bounds import bound_view
from tabsynth.report.charts import heat_maps
from tabsynth.report.decision_view import decision_view
from tabsynth.report.histories import history_view
from tabsynth.report.page import PRIVATE_HEADER, render_page
from tabsynth.report.share import share_sentence
from tabsynth.report.summary import Report, summarise


def render_html(
    results: Results,
    *,
    ledger: Sequence[Charge] | LedgerCopy | None = None,
    constraints: Sequence[RuleOutcome] | None = None,
    audit: AuditResults | None = None,
    decision: Decision | None = None,
) -> str:
    """The report of `results` as one HTML document, under 3 MB however wide the table.

    `ledger` (a model's, or its charges) adds what was read from the private table, `constraints` how the
    declared rules fared (by default what the results say), `audit` what attacks on the same rows found, `decision` whether they may leave.
    """
    report = summarise(results)
    constraints = results.rules if constraints is None else constraints
    return render_page("report.html", _context(report, ledger, constraints, audit, decision))


def write_report(
    results: Results,
    path: str | Path,
    *,
    overwrite: bool = False,
    ledger: Sequence[Charge] | LedgerCopy | None = None,
    constraints: Sequence[RuleOutcome] | None = None,
    audit: AuditResults | None = None,
    decision: Decision | None = None,
) -> Path:
    """Write the report to `path`, whole or not at all, and return the path.

    Raises `OutputExistsError` where `path` exists and `overwrite` is not set.
    """
    from tabsynth.io.atomic import atomic_path

    page = render_html(results, ledger=ledger, constraints=constraints, audit=audit, decision=decision)
    with atomic_path(Path(path), overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _context(
    report: Report,
    ledger: Sequence[Charge] | LedgerCopy | None,
    constraints: Sequence[RuleOutcome] | None,
    audit: AuditResults | None,
    decision: Decision | None,
) -> dict[str, object]:
    """What the template prints."""
    bound = _bound(ledger)
    columns = views.columns_view(report.columns)
    pairs = views.subject_table(report.pairs, what="pair", limit=views.MAX_PAIR_ROWS)
    maps = heat_maps(report.associations, max_columns=sections.MAX_MAP_COLUMNS) if report.associations else ()
    histories = history_view(report.results, columns)
    groups = tuple(sections.group_view(group, report.roc_curves) for group in report.groups)
    rules = tuple(sections.rule_view(outcome) for outcome in constraints or ())
    charged = sections.ledger_view(ledger) if ledger is not None else None
    links = (
        ("decision", "Decision", decision is not None),
        ("scores", "At a glance", True),
        ("audit", "Audit", audit is not None),
        ("bound", "What any attacker could do", audit is None and bound is not None),
        ("shortfalls", "Where it falls short", True),
        ("columns", "Columns", bool(columns.table.rows)),
        ("pairs", "Pairs", bool(maps or pairs.rows)),
        ("histories", "Histories", histories is not None),
        *((group.id, group.title, True) for group in groups),
        ("ledger", "Ledger", charged is not None),
        ("rules", "Rules", bool(rules)),
        ("limits", "Limits", True),
        ("yardsticks", "Yardsticks", True),
        ("provenance", "Provenance", True),
    )
    return {
        "page_title": f"{report.title} · synthetic table report (private)",
        "print_header": PRIVATE_HEADER,
        "share": share_sentence(decision),
        "share_css": "none" if decision is None else decision.outcome.value.replace("needs ", ""),
        "decision": None if decision is None else decision_view(decision),
        "audit": None if audit is None else audit_view(audit, bound),
        "bound": None if bound is None else bound_view(bound),
        "report": report,
        "facts": sections.table_facts(report.results),
        "sections": [sections.SectionLink(id=name, title=title) for name, title, shown in links if shown],
        "cards": [sections.card(group) for group in report.groups if group.has_card],
        "worst": sections.worst_blocks(report, columns),
        "failed": [views.gap_view(gap) for gap in report.failed],
        "not_applicable": [views.gap_view(gap) for gap in report.not_applicable],
        "columns": columns,
        "maps": maps,
        "differences": views.difference_cards(report.differences),
        "histories": histories,
        "maps_cut": sections.maps_cut(report),
        "pairs": pairs,
        "triples": views.subject_table(report.triples, what="triple", limit=views.MAX_PAIR_ROWS),
        "groups": groups,
        "ledger": charged,
        "rules": rules,
        "provenance": sections.provenance(report.results),
        "version": report.results.version,
    }


def _bound(ledger: Sequence[Charge] | LedgerCopy | None) -> Bound | None:
    """What the cap of a model's ledger allows any attacker; None where nothing caps it."""
    if not isinstance(ledger, LedgerCopy) or ledger.cap is None:
        return None
    return bound_of(ledger.cap.epsilon, ledger.cap.delta)
