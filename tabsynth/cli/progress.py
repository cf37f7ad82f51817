"""How far a command is: a bar with rate and time left on a terminal, plain lines elsewhere.

Both stay silent through the first second, so that a quick command prints its result alone.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as RichProgress

Report = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, in [0, 1]."""

PATIENCE = 1.0
"""Seconds before anything is shown."""
LINE_EVERY = 3.0
"""Seconds between plain lines."""


@contextlib.contextmanager
def progress(*, quiet: bool, n_rows: int | None = None) -> Iterator[Report]:
    """A function to report to. On stderr; nothing when `quiet`; rates in rows when `n_rows` is given."""
    if quiet:
        yield _ignore
    elif sys.stderr.isatty():
        with _bar(n_rows) as report:
            yield report
    else:
        yield _lines(n_rows)


def _ignore(_stage: str, _share: float) -> None:
    """Report to nobody."""


def _lines(n_rows: int | None) -> Report:
    """One line on stderr when there is news and the last line is a while ago."""
    started = last_line = time.monotonic()
    step_started, last_share = started, 0.0

    def report(stage: str, share: float) -> None:
        nonlocal last_line, step_started, last_share
        now = time.monotonic()
        if share < last_share:
            step_started = now
        last_share = share
        if share >= 1:
            return  # the result that follows says it
        if now - started < PATIENCE or (now - last_line < LINE_EVERY and last_line != started):
            return
        last_line = now
        print(f"{stage}: {_figures(share, now - step_started, n_rows)}", file=sys.stderr, flush=True)

    return report


def _figures(share: float, seconds: float, n_rows: int | None) -> str:
    """`40 %, 52,000 rows/s, 3 s left`."""
    parts = [f"{100 * share:.0f} %"]
    if share > 0 and seconds > 0:
        if n_rows is not None:
            parts.append(f"{share * n_rows / seconds:,.0f} rows/s")
        if share < 1:
            parts.append(f"{duration(seconds * (1 - share) / share)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def _bar(n_rows: int | None) -> Iterator[Report]:
    bar = _patient_bar(n_rows)
    with bar:
        task = bar.add_task("", total=1.0)

        def report(stage: str, share: float) -> None:
            if share < bar.tasks[0].completed:
                bar.reset(task, total=1.0)
            bar.update(task, description=stage, completed=min(share, 1.0))

        yield report


def _patient_bar(n_rows: int | None) -> RichProgress:
    """A bar that draws nothing through the first second and leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
    from rich.text import Text

    started = time.monotonic()

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            elapsed = task.elapsed or 0.0
            figures = _figures(task.completed, elapsed, n_rows).split(", ")[1:]
            return Text(", ".join(figures))

    class Patient(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            return super().get_renderables() if time.monotonic() - started >= PATIENCE else ()

    return Patient(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        Rate(),
        console=Console(stderr=True, highlight=False, markup=False),
        transient=True,
    )
