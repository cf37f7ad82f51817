"""One self-contained HTML page: no network, no script but its own, every name escaped.

The page is private output: it shows shares and figures of train and holdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabsynth.evaluate import Results
from tabsynth.privacy import Charge
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.report import sections, text, views
from tabsynth.report.charts import heat_maps
from tabsynth.report.sections import RuleOutcome
from tabsynth.report.summary import Report, summarise


def render_html(
    results: Results,
    *,
    ledger: Sequence[Charge] | LedgerCopy | None = None,
    constraints: Sequence[RuleOutcome] | None = None,
) -> str:
    """The report of `results` as one HTML document, under 3 MB however wide the table.

    `ledger` (a model's, or its charges) adds what was read from the private table, `constraints` how the declared rules fared.
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
    ledger: Sequence[Charge] | LedgerCopy | None = None,
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


def _context(
    report: Report, ledger: Sequence[Charge] | LedgerCopy | None, constraints: Sequence[RuleOutcome] | None
) -> dict[str, object]:
    """What the template prints."""
    columns = views.columns_view(report.columns)
    pairs = views.subject_table(report.pairs, what="pair", limit=views.MAX_PAIR_ROWS)
    maps = heat_maps(report.associations, max_columns=sections.MAX_MAP_COLUMNS) if report.associations else ()
    groups = tuple(sections.group_view(group, report.roc_curves) for group in report.groups)
    rules = tuple(sections.rule_view(outcome) for outcome in constraints or ())
    charged = sections.ledger_view(ledger) if ledger is not None else None
    links = (
        ("scores", "At a glance", True),
        ("shortfalls", "Where it falls short", True),
        ("columns", "Columns", bool(columns.table.rows)),
        ("pairs", "Pairs", bool(maps or pairs.rows)),
        *((group.id, group.title, True) for group in groups),
        ("ledger", "Ledger", charged is not None),
        ("rules", "Rules", bool(rules)),
        ("limits", "Limits", True),
        ("provenance", "Provenance", True),
    )
    return {
        "report": report,
        "facts": sections.table_facts(report.results),
        "sections": [sections.SectionLink(id=name, title=title) for name, title, shown in links if shown],
        "cards": [sections.card(group) for group in report.groups if group.has_card],
        "worst": sections.worst_blocks(report, columns),
        "failed": [views.gap_view(gap) for gap in report.failed],
        "not_applicable": [views.gap_view(gap) for gap in report.not_applicable],
        "columns": columns,
        "maps": maps,
        "maps_cut": sections.maps_cut(report),
        "pairs": pairs,
        "triples": views.subject_table(report.triples, what="triple", limit=views.MAX_PAIR_ROWS),
        "groups": groups,
        "ledger": charged,
        "rules": rules,
        "provenance": sections.provenance(report.results),
        "version": report.results.version,
    }
