"""Many fits at once, each counted and forgotten; as many as were asked for, or as a time allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tabsynth.audit.shadow.game import Game
from tabsynth.audit.shadow.processes import spread
from tabsynth.audit.shadow.queries import Counts, Questions
from tabsynth.audit.shadow.store import Store
from tabsynth.encode import encode_table
from tabsynth.errors import UsageError
from tabsynth.metrics.learners import n_threads
from tabsynth.models.base import Progress
from tabsynth.refit import Refit
from tabsynth.table import Table

SECONDS = {"2m": 120.0, "20m": 1_200.0, "4h": 14_400.0}
FOR_FITS = 0.8
"""Of a budget's time; the rest is for the attack itself."""
MIN_FITS, MAX_FITS = 40, 2_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many fits: `n_fits`, or as many as `seconds` allow on `workers` processes.

    `announce` hears the seconds of a fit and how many will be made, before the rest of them is.
    """

    seconds: float
    n_fits: int | None
    workers: int
    announce: Callable[[float, int], None]
    progress: Progress


@dataclass(kw_only=True)
class Shadows:
    """What the fits gave: counts by fit, and the seconds of a fit, wall time over all workers."""

    counts: dict[int, Counts] = field(default_factory=dict)
    seconds_each: float = 0.0


def seconds_of(budget: str) -> float:
    """The time of a budget; `UsageError` that lists them for any other name."""
    if budget not in SECONDS:
        raise UsageError(f"the budget {budget!r} is not one of {', '.join(SECONDS)}")
    return SECONDS[budget]


def workers_of(workers: int | None) -> int:
    """As many processes as asked for, or as there are processors."""
    if workers is not None and workers < 1:
        raise UsageError(f"there must be 1 worker at least, found {workers}")
    return n_threads() if workers is None else workers


def count_fit(refit: Refit, table: Table, seed: int, questions: Questions) -> Counts:
    """Counts of one release, shape (n_targets, n_queries + 1); the last is its number of rows."""
    made = refit(table, seed)
    counts = questions.counts(encode_table(made))
    return np.concatenate([counts, np.full((len(counts), 1), made.n_rows)], axis=1)


def run_fits(refit: Refit, game: Game, questions: Questions, *, plan: Plan, store: Store | None) -> Shadows:
    """All fits, those in the store and those that are missing.

    The first fits warm the processes up and the next are timed; all count. Raises `UsageError` where the
    time buys fewer than `MIN_FITS`.
    """
    began = time.monotonic()
    found = Shadows(counts={} if store is None else store.known())

    def make(fits: Iterable[int], *, of: int) -> None:
        todo = [fit for fit in fits if fit not in found.counts]
        for fit, counts in _counted(refit, game, questions, todo, workers=plan.workers):
            found.counts[fit] = counts
            if store is not None:
                store.add(fit, counts)
            plan.progress("Shadow fits", len(found.counts) / max(of, len(found.counts)))

    missing = [fit for fit in range(plan.n_fits or MAX_FITS) if fit not in found.counts]
    timed = [missing[: plan.workers], missing[plan.workers : 2 * plan.workers]]
    for batch in timed:
        start = time.monotonic()
        make(batch, of=plan.n_fits or MAX_FITS)
        if batch:
            found.seconds_each = (time.monotonic() - start) / len(batch)
    n_fits = plan.n_fits or _affordable(
        found, left=FOR_FITS * plan.seconds - (time.monotonic() - began), at_once=plan.workers
    )
    plan.announce(found.seconds_each, n_fits)
    start, n_before = time.monotonic(), len(found.counts)
    make(range(n_fits), of=n_fits)
    if len(found.counts) > n_before:
        found.seconds_each = (time.monotonic() - start) / (len(found.counts) - n_before)
    found.counts = {fit: found.counts[fit] for fit in range(n_fits)}
    return found


def _affordable(found: Shadows, *, left: float, at_once: int) -> int:
    n_fits = len(found.counts) + int(max(left, 0.0) / max(found.seconds_each, 1e-4))
    n_fits -= n_fits % 2
    if n_fits < MIN_FITS:
        raise UsageError(
            f"a fit takes {found.seconds_each * at_once:.1f} s, so this budget buys {n_fits} of them, fewer than "
            f"{MIN_FITS}: smaller shadow tables (--rows), a larger --budget, or --fits"
        )
    return min(n_fits, MAX_FITS)


def _counted(
    refit: Refit, game: Game, questions: Questions, fits: list[int], *, workers: int
) -> Iterator[tuple[int, Counts]]:
    """Each fit's counts as they come, here or in processes of one thread each."""
    calls = (partial(_numbered, fit, refit, game.table(fit), game.seed(fit), questions) for fit in fits)
    return spread(calls, workers=min(workers, max(1, len(fits))))


def _numbered(fit: int, refit: Refit, table: Table, seed: int, questions: Questions) -> tuple[int, Counts]:
    return fit, count_fit(refit, table, seed, questions)
