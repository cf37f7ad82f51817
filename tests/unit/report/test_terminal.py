from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from tabsynth.evaluate import Results
from tabsynth.metrics.base import MetricResult, Status
from tabsynth.report import render_terminal
from tabsynth.report.text import width

from .sample_results import discrete, make_results


def printed(results: Results, *, color: bool = False) -> str:
    out = StringIO()
    console = Console(
        file=out,
        width=80,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,  # whatever NO_COLOR says around the tests
        legacy_windows=False,
    )
    render_terminal(results, console)
    return out.getvalue()


def test_everything_stands_in_eighty_columns_without_colour() -> None:
    shown = printed(make_results())
    assert "\x1b" not in shown
    assert max(width(line) for line in shown.splitlines()) <= 80
    words = " ".join(shown.split())
    for said in (
        "The synthetic table is only roughly like the real table",
        "Shape error 3.12% 0.60% off",
        "Nearest-row share * 50.5% 50.0% no alarm",
        "* smoke test: a cheap alarm, not evidence of privacy.",
        "Worst columns, by shape error (",
        "Worst pairs, by trend error (117 of 120 beyond the floor)",
        "too few rows in which both columns have a",
        "Private output: computed from the real tables, not covered by any guarantee. Not for publication.",
    ):
        assert said in words


def test_colour_adds_nothing_but_colour() -> None:
    assert "\x1b[" in printed(make_results(), color=True)


def copied() -> Results:
    results = make_results()
    kept = (result for result in results.metrics if result.metric != "exact_copy_share")
    alarm = MetricResult(metric="exact_copy_share", value=1.0, floor=0.0, interval=(0.999, 1.0))
    return replace(results, metrics=(*kept, alarm))


def test_an_alarm_is_read_first() -> None:
    lines = printed(copied()).splitlines()
    assert lines[1].startswith("Strong alarm: exact copies 100% (real rows 0%).")
    assert "\x1b[1;31mStrong alarm" in printed(copied(), color=True)


def test_no_level_or_value_of_the_table_is_shown() -> None:
    canary = "Mrs. Canary"
    distribution = discrete("diagnosis", "categorical", (canary, "other"), (1, 1), 0.9)
    results = make_results([distribution, discrete("ward", "categorical", ("a", "b"), (1, 1), 0.1)])
    shown = printed(results)
    assert "diagnosis" in shown
    assert canary not in shown
    assert "times the floor" in shown


def test_names_cannot_command_the_terminal() -> None:
    name = "\x1b]0;title\x07[bold red]bold[/] \u202ereversed"
    failed = MetricResult(metric="shape_error", columns=(name,), status=Status.FAILED, reason="\x1b[2J[red]x")
    results = make_results([discrete(name, "categorical", ("a", "b"), (1, 1), 0.9)], title=name)
    shown = printed(replace(results, metrics=(*results.metrics, failed)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[red]x" in shown


def test_many_failures_are_counted() -> None:
    failed = tuple(
        MetricResult(metric="shape_error", columns=(f"c{i}",), status=Status.FAILED, reason=f"reason {i}")
        for i in range(13)
    )
    assert "and 3 more" in printed(replace(make_results(), metrics=failed))


def test_without_figures_the_sentence_stands_alone() -> None:
    shown = printed(replace(make_results(), metrics=()))
    assert "of unknown fidelity" in shown
    assert "Worst" not in shown
    assert "smoke test" not in shown
