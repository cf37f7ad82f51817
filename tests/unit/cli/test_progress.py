"""Progress: silent at first, then a bar on a terminal or lines elsewhere."""

from __future__ import annotations

import io
import sys
import time

import pytest

from tabsynth.cli import progress as module
from tabsynth.cli.progress import duration, progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (12.4, "12 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7512, "2 h 5 min"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_quick_work_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=False) as report:
        report("reading", 0.0)
        report("reading", 1.0)
    assert capsys.readouterr() == ("", "")


def test_lines_come_after_a_second_and_then_seldom(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with progress(quiet=False, n_rows=1000) as report:
        for second in range(9):
            clock[0] = 100.0 + second
            report("sampling", second / 10)
    assert capsys.readouterr().err.splitlines() == [
        "sampling: 10 %, 100 rows/s, 9.0 s left",
        "sampling: 40 %, 100 rows/s, 6.0 s left",
        "sampling: 70 %, 100 rows/s, 3.0 s left",
    ]


def test_a_step_that_begins_anew_has_its_own_clock(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with progress(quiet=False) as report:
        for second, share in ((0, 0.5), (50, 0.9), (55, 1.0), (60, 0.0), (70, 0.5)):
            clock[0] = 100.0 + second
            report("step", share)
    assert capsys.readouterr().err.splitlines() == [
        "step: 90 %, 5.6 s left",
        "step: 0 %",
        "step: 50 %, 10 s left",
    ]


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with progress(quiet=False, n_rows=1000) as report:
        report("sampling", 0.25)
        time.sleep(0.3)
        shown = terminal.getvalue()
        report("writing", 0.0)
    assert "sampling" in shown
    assert "25%" in shown
    assert "rows/s" in shown
    assert "left" in shown
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is cleared


def test_a_quick_bar_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress(quiet=False) as report:
        report("reading", 0.5)
        time.sleep(0.15)
    assert "reading" not in terminal.getvalue()
    assert "%" not in terminal.getvalue()


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with progress(quiet=True) as report:
        report("reading", 0.5)
    assert capsys.readouterr() == ("", "")
