"""Generations in the terminal and on a page, and the line of one figure."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from tabsynth.errors import OutputExistsError
from tabsynth.evaluate.collapse import CollapseResults, Generation
from tabsynth.metrics.base import MetricResult, Status
from tabsynth.metrics.registry import all_infos
from tabsynth.report.charts.lines import line_chart
from tabsynth.report.collapse import lead_of, render_collapse, render_collapse_html, write_collapse

NAMES = ("shape_error", "tstr_auc", "distinct_rows")
INFOS = tuple(info for info in all_infos() if info.name in NAMES)


def generations(shapes: list[float], utility: list[float | None]) -> CollapseResults:
    found = []
    for number, (shape, auc) in enumerate(zip(shapes, utility, strict=True), start=1):
        failed = {"status": Status.FAILED, "reason": "the target does not vary"} if auc is None else {}
        figures = (
            MetricResult(metric="shape_error", value=shape, floor=0.006),
            MetricResult(metric="tstr_auc", value=auc, floor=0.9, **failed),
            MetricResult(metric="distinct_rows", value=0.9, floor=1.0),
        )
        found.append(Generation(number=number, n_rows=500, figures=figures, seconds=1.0))
    return CollapseResults(
        title="Collapse of synthetic <b>t</b>",
        generator="an engine",
        target="y",
        n_train=500,
        n_holdout=400,
        seed=0,
        infos=INFOS,
        generations=tuple(found),
        guarantee="Not anonymous by construction: made without a privacy guarantee (ε = ∞).",
        notes=("A note.",),
    )


WORSE = generations([0.004, 0.02, 0.2], [0.9, 0.85, None])
SAME = generations([0.004, 0.004], [0.9, 0.9])


def test_the_lead_names_what_has_become_worse() -> None:
    assert lead_of(WORSE) == (
        "Fitted on its own output for 3 generations, an engine has become worse in column shapes and utility (auc)."
    )
    assert "judged as it was in the first" in lead_of(SAME)
    assert "no chance to degrade" in lead_of(generations([0.004], [0.9]))


def test_the_terminal_shows_every_generation_and_the_floor() -> None:
    buffer = StringIO()
    render_collapse(WORSE, Console(file=buffer, width=80))
    said = buffer.getvalue()
    rows = [line.split() for line in said.splitlines()]
    assert ["1", "0.40%", "0.900"] in rows
    assert ["3", "20.0%", "–"] in rows
    assert ["floor", "0.60%", "0.900"] in rows
    assert "Utility (AUC): the target does not vary" in said
    assert "Distinct rows" not in said  # a second opinion: it is on the page
    assert "Private output" in said
    assert max(map(len, said.splitlines())) <= 80


def test_the_page_holds_every_figure_and_escapes_names(tmp_path: Path) -> None:
    page = render_collapse_html(WORSE)
    assert "<b>t</b>" not in page
    assert "&lt;b&gt;t&lt;/b&gt;" in page
    assert page.count('<article class="figure">') == 3
    for info in INFOS:
        assert info.title in page
    assert "not anonymous" in page.lower()
    assert "Private output." in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    path = write_collapse(WORSE, tmp_path / "collapse.html")
    assert path.read_text(encoding="utf-8") == page
    with pytest.raises(OutputExistsError):
        write_collapse(WORSE, path)


def test_a_line_by_hand() -> None:
    svg = ET.fromstring(line_chart([0.0, 0.5, 1.0], floor=0.25, label="L"))
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in svg.iter("circle")]
    assert [x for x, _ in dots] == [52.0, 189.0, 326.0]  # first, middle and last of the axis
    bottom, middle, top = (y for _, y in dots)
    assert bottom == 136.0  # 0 stands on the axis
    assert middle == pytest.approx((bottom + top) / 2, abs=0.1)
    assert svg.get("aria-label") == "L by generation: 0, 0.500, 1.000"
    (floor,) = (line for line in svg.iter("line") if line.get("class") == "chance")
    assert float(floor.get("y1")) == pytest.approx(bottom - (bottom - top) / 4, abs=0.1)


def test_gaps_break_a_line_and_nothing_is_drawn_of_nothing() -> None:
    svg = ET.fromstring(line_chart([0.9, None, 0.8, 0.7], floor=None, label="L", as_percent=True))
    assert len(list(svg.iter("circle"))) == 3
    assert len([path for path in svg.iter("path") if path.get("class") == "roc first"]) == 2
    assert "–" in svg.get("aria-label")
    empty = ET.fromstring(line_chart([None], floor=None, label="L"))
    assert not list(empty.iter("circle"))
