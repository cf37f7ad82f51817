"""The report in a terminal: the first sentence, the headline figures, what is worst, what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tabsynth.evaluate import Results
from tabsynth.metrics.base import Direction
from tabsynth.report import text
from tabsynth.report.score import Score
from tabsynth.report.summary import Gap, Report, Subject, summarise
from tabsynth.report.verdict import Level

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {Level.MET: "green", Level.NEAR: "cyan", Level.OFF: "yellow", Level.FAR: "red", Level.NONE: "dim"}
_N_WORST = 5
_N_FAILED = 10


def render_terminal(results: Results, console: Console) -> None:
    """Print the report of `results` to `console`; reads well at 80 columns and without colour.

    Columns are named, levels and values never: what a terminal shows ends up in logs.
    """
    from rich.text import Text

    report = summarise(results)
    console.print(Text(report.title, style="bold"))
    if report.alarm:
        console.print(Text(report.alarm, style="bold red"))
    if report.steered:
        console.print(Text(report.steered, style="yellow"))
    console.print(Text(report.finding))
    console.print()
    console.print(_headline_table(report))
    console.print(Text("Floor: the same figure for real holdout rows against train.", style="dim"))
    if n_folded := sum(len(group.folded) for group in report.groups if group.has_card):
        console.print(Text(f"{text.count(n_folded)} more figures are in the report.", style="dim"))
    if any(group.smoke_test for group in report.groups if group.has_card):
        console.print(Text("* smoke test: a cheap alarm, not evidence of privacy.", style="dim"))
    for title, subjects in (("Worst columns", report.columns), ("Worst pairs", report.pairs)):
        short = [subject for subject in subjects if subject.score.verdict.level.rank > 0]
        if short:
            metric = text.printable(short[0].score.info.title).lower()
            found = f"{text.count(len(short))} of {text.count(len(subjects))} beyond the floor"
            console.print(Text(f"\n{title}, by {metric} ({found})", style="bold"))
            console.print(_worst_table(short[:_N_WORST]))
    if report.failed:
        console.print(Text("\nFigures that could not be computed", style="bold"))
        console.print(_failed_table(report.failed))
    console.print()
    console.print(
        Text(
            "Private output: computed from the real tables, not covered by any guarantee. Not for publication.",
            style="bold yellow",
        )
    )


def _table(*heads: tuple[str, bool]) -> Table:
    """An open table of `heads`: a name, and whether the column holds numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head, is_number in heads:
        table.add_column(
            head,
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
            header_style="dim",
        )
    return table


def _verdict(score: Score) -> tuple[str, str]:
    return score.verdict.words, _STYLES[score.verdict.level]


def _headline_table(report: Report) -> Table:
    from rich.text import Text

    table = _table(("figure", False), ("synthetic", True), ("floor", True), ("verdict", False))
    for group in (group for group in report.groups if group.has_card):
        shown = (group.headline, *(score for score in group.leading if score is not group.headline))
        for i, score in enumerate(shown):
            title = text.printable(score.info.title) + (" *" if score.info.smoke_test else "")
            table.add_row(
                Text(title, style="" if i else "bold"),
                Text(score.value_text),
                Text(score.floor_text, style="dim"),
                Text(*_verdict(score)),
                end_section=score is shown[-1],
            )
    return table


def _worst_table(subjects: Sequence[Subject]) -> Table:
    from rich.text import Text

    table = _table(("name", False), ("synthetic", True), ("floor", True), ("verdict", False), ("why", False))
    for subject in subjects:
        words, style = _verdict(subject.score)
        table.add_row(
            Text(text.shorten(subject.title, 36)),
            Text(subject.score.value_text),
            Text(subject.score.floor_text, style="dim"),
            Text(words, style=style),
            Text(subject.reasons[0] if subject.reasons else _times_floor(subject.score)),
        )
    return table


def _times_floor(score: Score) -> str:
    value, floor = score.result.value, score.result.floor
    if score.info.direction is not Direction.LOWER or value is None or not floor:
        return ""
    return f"{value / floor:.1f} times the floor"


def _failed_table(failed: Sequence[Gap]) -> Table:
    from rich.text import Text

    table = _table(("figure", False), ("of", False), ("reason", False))
    for gap in failed[:_N_FAILED]:
        subjects = text.enumerate_names(gap.subjects, limit=2) or "the whole table"
        table.add_row(Text(gap.title), Text(text.shorten(subjects, 40)), Text(gap.reason))
    if len(failed) > _N_FAILED:
        table.add_row(Text(f"and {len(failed) - _N_FAILED} more"), Text(""), Text(""))
    return table
