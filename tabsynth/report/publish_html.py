"""A `Publishable` as one self-contained page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from tabsynth.evaluate.alone import AloneColumn
from tabsynth.report import sections, text
from tabsynth.report.bounds import bound_view
from tabsynth.report.charts.distribution import Series, series_chart
from tabsynth.report.charts.heatmap import HeatMap, heat_map
from tabsynth.report.page import render_page
from tabsynth.report.publish import Publishable
from tabsynth.report.reasons import level_or_bin_name
from tabsynth.report.views import MAX_CHARTS, Fact

_MAX_LEVEL_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCard:
    anchor: str
    title: str
    kind: str
    svg: str
    table_head: str
    table: tuple[ShareRow, ...]


def render_publishable(release: Publishable) -> str:
    """The page, under 3 MB however wide the table."""
    return render_page("publishable.html", _context(release))


def write_publishable(release: Publishable, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the page to `path`, whole or not at all, and return the path.

    Raises `OutputExistsError` where `path` exists and `overwrite` is not set.
    """
    from tabsynth.io import atomic_path

    page = render_publishable(release)
    with atomic_path(Path(path), overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def release_sentence(release: Publishable) -> str:
    """One sentence that answers a receiver's question: may I share this?"""
    audience = "" if release.audience is None else text.printable(release.audience)
    if release.has_guarantee and audience:
        return (
            f"Yes, with {audience}: that is whom it was released for, and its guarantee holds whoever has it and "
            "whatever else they know."
        )
    if release.has_guarantee:
        return (
            "Not decided on this page: its guarantee holds whoever has it, but whether it may leave is for whoever "
            "answers for the source."
        )
    within = f"Only within {audience}, whom it was released for" if audience else "No"
    return f"{within}: it was made without a privacy guarantee and is not anonymous by construction."


def _context(release: Publishable) -> dict[str, object]:
    """What the template prints."""
    drawn = release.synthetic.columns[:MAX_CHARTS]
    rules = tuple(sections.rule_view(outcome) for outcome in release.rules)
    links = (
        ("guarantee", "Guarantee", True),
        ("bound", "What any attacker could do", release.bound is not None),
        ("ledger", "Ledger", True),
        ("domains", "Domains", True),
        ("rules", "Rules", bool(rules)),
        ("columns", "The synthetic table", True),
        ("limits", "Before using it", True),
        ("yardsticks", "Yardsticks", True),
    )
    shown_map = _map(release)
    return {
        "page_title": f"{text.printable(release.title)} · synthetic table",
        "print_header": _print_header(release),
        "title": release.title,
        "share": release_sentence(release),
        "facts": _facts(release),
        "sections": [sections.SectionLink(id=name, title=title) for name, title, shown in links if shown],
        "has_guarantee": release.has_guarantee,
        "guarantee": release.guarantee,
        "guarantee_words": _guarantee_words(release),
        "bound": None if release.bound is None else bound_view(release.bound),
        "unit": "row" if release.unit == "row" else "person",
        "unit_words": f"each {release.unit}",
        "ledger": sections.ledger_view(release.ledger),
        "domains": release.domains,
        "rules": rules,
        "columns_note": _columns_note(release),
        "cut": ""
        if len(drawn) == len(release.synthetic.columns)
        else f"The first {MAX_CHARTS} columns are drawn.",
        "cards": tuple(_card(i, column) for i, column in enumerate(drawn)),
        "map": shown_map,
        "map_cut": _map_cut(release),
        "released": release.audience is not None,
        "version": release.version,
    }


def _print_header(release: Publishable) -> str:
    if release.has_guarantee:
        return "Publishable: made from the model and the synthetic rows alone."
    return "No privacy guarantee: not anonymous by construction."


def _facts(release: Publishable) -> list[Fact]:
    facts = [
        Fact(name="Synthetic rows", value=text.count(release.synthetic.n_rows)),
        Fact(name="Columns", value=text.count(len(release.domains))),
        Fact(name="Engine", value=text.printable(release.engine)),
        Fact(
            name="Protected is each",
            value=text.printable(release.unit) if release.has_guarantee else "nobody",
        ),
    ]
    if release.n_learnt is not None:
        facts.append(Fact(name="Learnt from, a noisy number of rows", value=text.count(release.n_learnt)))
    return facts


def _guarantee_words(release: Publishable) -> str:
    if release.privacy is None:
        return (
            "Nothing is guaranteed of these rows nor of the charts below: what they say of a person in the source is "
            "not limited by the method."
        )
    return (
        f"Adding or removing one {'row' if release.unit == 'row' else 'person'} of the source changes the probability "
        f"of whatever was released by a factor of at most e^ε = {_factor(release.privacy.epsilon)}, up to δ."
    )


def _factor(epsilon: float) -> str:
    return f"{math.exp(epsilon):.3g}" if epsilon < 20 else "astronomical size"


def _columns_note(release: Publishable) -> str:
    note = "The rows that are handed out, counted; a receiver can draw these charts too."
    if release.has_guarantee:
        return f"{note} What they say of the source is covered by the guarantee."
    return f"{note} Nothing is guaranteed: they were made without privacy."


def _card(position: int, column: AloneColumn) -> ColumnCard:
    series = Series(
        column=column.column,
        labels=column.labels,
        edges=column.edges,
        edge_labels=column.edge_labels,
        scale=column.scale,
        tables=("synthetic",),
        shares=(column.shares,),
    )
    rows = [
        ShareRow(name=level_or_bin_name(series, i), value=text.percent(share))
        for i, share in enumerate(column.shares[:_MAX_LEVEL_ROWS])
    ]
    return ColumnCard(
        anchor=f"column-{position}",
        title=text.printable(column.column),
        kind=column.kind,
        svg=series_chart(series),
        table_head="from – to" if column.edges else "level",
        table=tuple(rows),
    )


def _map(release: Publishable) -> HeatMap | None:
    found = release.synthetic
    if len(found.associated) < 2:
        return None
    return heat_map("Synthetic", found.associated, found.associations, signed=False)


def _map_cut(release: Publishable) -> str:
    n_modelled, n_shown = len(release.synthetic.columns), len(release.synthetic.associated)
    return "" if n_shown == n_modelled else f"Shown are the first {n_shown} of {n_modelled} columns."
