"""Generations as people read them: a table in a terminal, and one HTML page with a line for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.evaluate.collapse import CollapseResults, Generation
from tabsynth.metrics.base import MetricInfo
from tabsynth.report import text
from tabsynth.report.charts.lines import line_chart
from tabsynth.report.lead import read_guarantee
from tabsynth.report.score import Score
from tabsynth.report.verdict import Level

if TYPE_CHECKING:
    from rich.console import Console

_PRIVATE = "Private output: computed from the real tables, not covered by any guarantee. Not for publication."
_STYLES = {Level.MET: "green", Level.NEAR: "cyan", Level.OFF: "yellow", Level.FAR: "red", Level.NONE: "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    """One watched figure: its line and what it means."""

    title: str
    first: str
    last: str
    floor: str
    level: str
    words: str
    svg: str
    meaning: str
    caveat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One generation's figures as text."""

    name: str
    cells: tuple[str, ...]


def lead_of(results: CollapseResults) -> str:
    """One sentence: how many generations, and how far the figures moved from the first to the last."""
    n = len(results.generations)
    worse = [info.title.lower() for info in results.watched if _has_fallen(results, info)]
    start = f"Fitted on its own output for {n} generation{'' if n == 1 else 's'}, {results.generator}"
    if n == 1:
        return f"{start} has had no chance to degrade: ask for two or more."
    if not worse:
        return f"{start} is in the last generation judged as it was in the first, in every figure watched."
    return f"{start} has become worse in {text.enumerate_names(tuple(worse), limit=8)}."


def _score(generation: Generation, info: MetricInfo) -> Score | None:
    found = generation.find(info.name)
    return None if found is None else Score.of(found, info)


def _has_fallen(results: CollapseResults, info: MetricInfo) -> bool:
    """Whether the last generation's verdict is worse than the first's."""
    first, last = (_score(results.generations[k], info) for k in (0, -1))
    if first is None or last is None:
        return False
    return last.verdict.level.rank > first.verdict.level.rank >= 0


def render_collapse(results: CollapseResults, console: Console) -> None:
    """Print the generations to `console`: one row each, the floor last; no cell is shown."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text(text.printable(results.title), style="bold"))
    console.print(Text(text.printable(lead_of(results))))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("generation", header_style="dim", no_wrap=True)
    shown = [info for info in results.watched if not info.secondary]
    for info in shown:
        title = text.printable(info.title)
        widest = max(len(word) for word in title.split())  # headings break between words alone
        table.add_column(title, justify="right", header_style="dim", min_width=widest)
    for generation in results.generations:
        scores = [_score(generation, info) for info in shown]
        cells = [
            Text("–", style="dim")
            if score is None
            else Text(score.value_text, style=_STYLES[score.verdict.level])
            for score in scores
        ]
        table.add_row(str(generation.number), *cells)
    table.add_section()
    table.add_row(
        Text("floor", style="dim"),
        *(Text(floor, style="dim") for floor in _floors(results, shown)),
    )
    console.print(table)
    console.print(Text("Floor: the same figure for real holdout rows against train.", style="dim"))
    for failed in _reasons(results):
        console.print(Text(failed, style="dim"))
    for note in results.notes:
        console.print(Text(note, style="dim"))
    console.print(Text(_PRIVATE, style="bold yellow"))


def _floors(results: CollapseResults, infos: Sequence[MetricInfo]) -> list[str]:
    floors = []
    for info in infos:
        scores = (_score(generation, info) for generation in results.generations)
        floors.append(next((score.floor_text for score in scores if score and score.floor_text != "–"), "–"))
    return floors


def _reasons(results: CollapseResults) -> list[str]:
    """Why a figure has no value, once for each figure and reason."""
    said = dict[str, None]()
    for generation in results.generations:
        for figure in generation.figures:
            if figure.value is None:
                title = next(
                    (info.title for info in results.infos if info.name == figure.metric), figure.metric
                )
                said[f"{title}: {text.printable(figure.reason)}"] = None
    return list(said)


def _figure_view(results: CollapseResults, info: MetricInfo) -> FigureView:
    scores = [_score(generation, info) for generation in results.generations]
    values = [None if score is None else score.result.value for score in scores]
    last = next(score for score in reversed(scores) if score is not None)
    floor = next((s.result.floor for s in scores if s is not None and s.result.floor is not None), None)
    return FigureView(
        title=text.printable(info.title),
        first="–" if scores[0] is None else scores[0].value_text,
        last=last.value_text,
        floor=last.floor_text,
        level=last.verdict.level.value,
        words=last.verdict.words,
        svg=line_chart(values, floor=floor, label=info.title, as_percent=info.percent),
        meaning=info.meaning,
        caveat=info.caveat,
    )


def render_collapse_html(results: CollapseResults) -> str:
    """The generations as one HTML document without a network, every name escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tabsynth.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = [
        RowView(
            name=str(generation.number),
            cells=tuple(
                "–" if (score := _score(generation, info)) is None else score.value_text
                for info in results.watched
            ),
        )
        for generation in results.generations
    ]
    return environment.get_template("collapse.html").render(
        title=text.printable(results.title),
        lead=text.printable(lead_of(results)),
        guarantee=read_guarantee(results.guarantee),
        facts=[
            ("Generator", text.printable(results.generator)),
            ("Generations", text.count(len(results.generations))),
            ("Rows of each", text.count(results.generations[-1].n_rows)),
            ("Train rows", text.count(results.n_train)),
            ("Holdout rows", text.count(results.n_holdout)),
            ("Target", text.printable(results.target or "–")),
            ("Seed", str(results.seed)),
        ],
        figures=[_figure_view(results, info) for info in results.watched],
        heads=[text.printable(info.title) for info in results.watched],
        rows=rows,
        floors=_floors(results, results.watched),
        reasons=_reasons(results),
        notes=results.notes,
        version=results.version,
    )


def write_collapse(results: CollapseResults, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the page to `path`, whole or not at all, and return the path.

    Raises `OutputExistsError` where `path` exists and `overwrite` is not set.
    """
    from tabsynth.io.atomic import atomic_path

    page = render_collapse_html(results)
    with atomic_path(Path(path), overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)
