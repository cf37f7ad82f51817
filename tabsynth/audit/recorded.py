"""Queries that write down what was asked, what was exact and what was told; and that can be told it again.

The noise is the real one, drawn by `NoisyQueries`. Played back to the fit of a neighbouring table, the same
numbers must lead to the same questions: a fit that asks something else has looked at the table itself.
Tapes hold exact counts: they are for built-in public tables alone, and are never written to a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.privacy.marginals import (
    Integers,
    Levels,
    Marginal,
    Measurement,
    columns_of,
    histograms,
    l1_distances,
    n_distinct,
    observed_values,
)
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.noisy import NoisyQueries

Floats = npt.NDArray[np.float64]
Answer = list[Measurement] | Measurement | Levels
_A = TypeVar("_A", list[Measurement], Measurement, Levels)


class AskedOtherwiseError(Exception):
    """A neighbouring table, told the same numbers, was asked something else."""


class NothingLeftError(Exception):
    """The last release of the plan, or of the tape, has been given: nothing that follows may read the table."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that a query is asked but for the rows: equal questions about one table have equal exact answers."""

    kind: str
    statistic: str
    columns: tuple[tuple[str, ...], ...]
    shapes: tuple[tuple[int, ...], ...] = ()
    repeats: tuple[int, ...] = ()
    references: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """One answer. `exact`, `told` and `variance`, of the noise that was charged, have shape (n_numbers,).

    `sizes` cuts them into releases; `levels` are the values that a thresholded histogram of this table
    looks at, None elsewhere. Of such a histogram `exact` and `told` hold the count of null alone.
    """

    question: Question
    answer: Answer
    exact: Floats
    told: Floats
    variance: Floats
    sizes: tuple[int, ...]
    sensitivity: int
    levels: pl.Series | None = None


@dataclass
class Tape:
    """Releases in the order in which they were asked for."""

    releases: list[Release] = field(default_factory=list)


@dataclass(frozen=True)
class RecordedQueries(NoisyQueries):
    """`NoisyQueries` on `tape`. With `told`, no noise is drawn: its answers are given again.

    Raises `AskedOtherwiseError` where a question is not that of `told`, and, with `stops`, `NothingLeftError`
    after the last answer of `told` or of the plan.
    """

    tape: Tape = field(default_factory=Tape)
    told: Tape | None = None
    stops: bool = False

    def marginals(
        self, statistic: str, wanted: Sequence[Marginal], repeats: Sequence[int] | None = None
    ) -> list[Measurement]:
        times = [1] * len(wanted) if repeats is None else [int(n) for n in repeats]
        question = Question(
            "marginals",
            statistic,
            tuple(marginal.columns for marginal in wanted),
            tuple(marginal.shape for marginal in wanted),
            tuple(times),
        )
        if not wanted:
            return []
        return self._recorded(
            question,
            lambda: NoisyQueries.marginals(self, statistic, wanted, repeats),
            charge=lambda: self._charge(DiscreteGaussian, statistic, columns_of(wanted), sum(times)),
            exact=histograms(wanted),
        )

    def dependence_scores(
        self, statistic: str, pairs: Sequence[Marginal], references: Sequence[Integers]
    ) -> Measurement:
        question = Question(
            "dependence scores",
            statistic,
            tuple(pair.columns for pair in pairs),
            tuple(pair.shape for pair in pairs),
            references=tuple(np.ascontiguousarray(counts).tobytes() for counts in references),
        )
        if not pairs:
            return NoisyQueries.dependence_scores(self, statistic, pairs, references)
        return self._recorded(
            question,
            lambda: NoisyQueries.dependence_scores(self, statistic, pairs, references),
            charge=lambda: self._charge(DiscreteGaussian, statistic, columns_of(pairs), len(pairs)),
            exact=list(l1_distances(pairs, references).reshape(-1, 1)),
        )

    def total(self, statistic: str, n_rows: int) -> Measurement:
        return self._recorded(
            Question("total", statistic, ()),
            lambda: NoisyQueries.total(self, statistic, n_rows),
            charge=lambda: self._charge(DiscreteGaussian, statistic, (), 1),
            exact=[np.array([n_rows])],
        )

    def distinct_count(self, statistic: str, identifiers: pl.Series, columns: Sequence[str]) -> Measurement:
        return self._recorded(
            Question("distinct count", statistic, (tuple(columns),)),
            lambda: NoisyQueries.distinct_count(self, statistic, identifiers, columns),
            charge=lambda: self._charge(DiscreteGaussian, statistic, columns, 1),
            exact=[np.array([n_distinct(identifiers)])],
        )

    def frequent_levels(self, statistic: str, cells: pl.Series, columns: Sequence[str]) -> Levels:
        values, counts = observed_values(cells)
        is_shared = counts > self._planned(statistic).mechanism.sensitivity
        return self._recorded(
            Question("frequent levels", statistic, (tuple(columns),)),
            lambda: NoisyQueries.frequent_levels(self, statistic, cells, columns),
            charge=lambda: self._charge(ThresholdedDiscreteGaussian, statistic, columns, 1),
            exact=[np.array([len(cells) - int(counts.sum())])],
            levels=values.filter(pl.Series(is_shared)),
        )

    def _recorded(
        self,
        question: Question,
        ask: Callable[[], _A],
        *,
        charge: Callable[[], object],
        exact: Sequence[npt.NDArray[np.integer]],
        levels: pl.Series | None = None,
    ) -> _A:
        answer = ask() if self.told is None else self._told_again(question, charge)
        values, variances = _numbers(answer)
        sizes = [len(part.reshape(-1)) for part in exact]
        told = np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in values])
        spread = variances if len(variances) == len(sizes) else variances * len(sizes)
        self.tape.releases.append(
            Release(
                question=question,
                answer=answer,
                exact=np.concatenate([part.reshape(-1) for part in exact]).astype(np.float64),
                told=told,
                variance=np.repeat(spread, sizes),
                sizes=tuple(sizes),
                sensitivity=self._planned(question.statistic).mechanism.sensitivity,
                levels=levels,
            )
        )
        if self.stops and self._is_over():
            raise NothingLeftError
        return cast("_A", answer)

    def _told_again(self, question: Question, charge: Callable[[], object]) -> Answer:
        assert self.told is not None
        at = len(self.tape.releases)
        if at >= len(self.told.releases):
            raise AskedOtherwiseError("more was asked of the neighbouring table")
        recorded = self.told.releases[at]
        if recorded.question != question:
            raise AskedOtherwiseError(_difference(recorded.question, question))
        charge()
        return recorded.answer

    def _is_over(self) -> bool:
        if self.told is not None:
            return len(self.tape.releases) == len(self.told.releases)
        return all(self.left(planned.part.statistic) == 0 for planned in self.plan.parts)


def _numbers(answer: Answer) -> tuple[list[Floats], list[float]]:
    """What was told, release by release, and the variance of each."""
    if isinstance(answer, list):
        return [found.values for found in answer], [found.variance for found in answer]
    if isinstance(answer, Levels):
        return [np.array([answer.n_null])], [answer.variance]
    return [answer.values], [answer.variance]


def _difference(recorded: Question, asked: Question) -> str:
    if recorded.statistic != asked.statistic or recorded.kind != asked.kind:
        return f"{asked.statistic!r} was asked of the neighbouring table instead of {recorded.statistic!r}"
    for what, name in (("columns", "columns"), ("shapes", "numbers of cells"), ("repeats", "repetitions")):
        if getattr(recorded, what) != getattr(asked, what):
            return f"{asked.statistic!r} was asked with other {name} of the neighbouring table"
    return f"{asked.statistic!r} was asked with other references of the neighbouring table"
