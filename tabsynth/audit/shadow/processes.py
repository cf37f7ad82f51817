"""Work spread over processes of one thread each, or done here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def spread(calls: Iterable[Callable[[], T]], *, workers: int) -> Iterator[T]:
    """What each call gives, as it comes with several workers, in order with one.

    Threads will not do: scikit-learn sets the warning filters of the whole process in each of its tasks.
    Functions and lambdas of a script travel to the processes, whether a module holds them or not.
    """
    from threadpoolctl import threadpool_limits

    if workers == 1:
        with threadpool_limits(1):
            for call in calls:
                yield call()
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=workers, return_as="generator_unordered")
        yield from pool(delayed(_called)(call) for call in calls)


def _called(call: Callable[[], T]) -> T:
    return call()
