"""Many independent fits, in chunks over processes, until there are enough or the time is over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most `runs` of each job, and no chunk begun after `seconds`, but `least` runs of each in any case."""

    runs: int
    seconds: float | None
    least: int
    chunk: int


@dataclass(frozen=True, slots=True)
class Job(Generic[R]):
    """`work(n)` gives `n` runs; it and what it gives can be sent to another process."""

    name: str
    work: Callable[[int], R]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    jobs: Sequence[Job[R]], *, limits: Limits, workers: int, report: Callable[[float], None]
) -> Iterator[tuple[str, R]]:
    """The results of all chunks as they end, each with its job's name; all jobs get as many runs.

    With one worker everything happens in this process. `report` hears the share that is done.
    """
    began = time.monotonic()
    n_chunks = -(-limits.runs // limits.chunk)
    n_least = -(-limits.least // limits.chunk)

    def rounds() -> Iterator[int]:
        for number in range(n_chunks):
            used = time.monotonic() - began
            if limits.seconds is not None and number >= n_least and used > limits.seconds:
                return
            of_time = 0.0 if limits.seconds is None else used / limits.seconds
            report(min(1.0, max(of_time, number / n_chunks)))
            yield min(limits.chunk, limits.runs - number * limits.chunk)

    if workers == 1:
        for n in rounds():
            for job in jobs:
                yield job.name, job.work(n)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: dict[Future[R], str] = {}
        try:
            for n in rounds():
                waiting |= {pool.submit(job.work, n): job.name for job in jobs}
                while len(waiting) > max(len(jobs), workers):
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield waiting.pop(future), future.result()
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
