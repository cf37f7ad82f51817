"""What a private fit asks and is told, to replay it on a neighbouring table.

A first run is answered with noise; its answers are kept. A run on a neighbour is given the very same
answers, whatever it holds. If what is asked and what comes of it depends on released numbers alone, both
runs ask the same questions and end the same, and only the exact counts beneath differ, by no more than the
sensitivity: that is all of the data that noise has to hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.privacy.marginals import (
    Integers,
    Levels,
    Marginal,
    Measurement,
    Values,
    histograms,
    l1_distances,
    n_distinct,
    observed_values,
)
from tabsynth.privacy.noisy import NoisyQueries


@dataclass
class Transcript:
    """Answers like `queries` on a first run; without it, repeats `answers` one after the other."""

    queries: NoisyQueries | None = None
    answers: list[Any] = field(default_factory=list)
    questions: list[tuple[Any, ...]] = field(default_factory=list)
    exact: list[dict[Any, int]] = field(default_factory=list)
    is_private = True

    def replay(self) -> Transcript:
        """A run that is told what this one was told."""
        return Transcript(answers=self.answers)

    def marginals(
        self, statistic: str, wanted: Sequence[Marginal], repeats: Sequence[int] | None = None
    ) -> list[Measurement]:
        self.exact += [_by_cell(counts) for counts in histograms(wanted)]
        shapes = [(marginal.columns, marginal.shape) for marginal in wanted]
        return self._told("marginals", statistic, wanted, repeats, asked=(shapes, repeats))

    def total(self, statistic: str, n_rows: int) -> Measurement:
        self.exact.append({(): n_rows})
        return self._told("total", statistic, n_rows)

    def distinct_count(self, statistic: str, identifiers: pl.Series, columns: Sequence[str]) -> Measurement:
        self.exact.append({(): n_distinct(identifiers)})
        return self._told("distinct_count", statistic, identifiers, columns, asked=(columns,))

    def dependence_scores(
        self, statistic: str, pairs: Sequence[Marginal], references: Sequence[Integers]
    ) -> Measurement:
        self.exact += [{(): int(score)} for score in l1_distances(pairs, references)]
        frozen = [(pair.columns, pair.shape) for pair in pairs]
        fixed = [reference.tobytes() for reference in references]
        return self._told("dependence_scores", statistic, pairs, references, asked=(frozen, fixed))

    def frequent_levels(self, statistic: str, cells: pl.Series, columns: Sequence[str]) -> Levels:
        values, counts = observed_values(cells)
        # Python's datetimes have no nanoseconds: levels that differ in these alone would be one.
        levels = dict(zip(values.to_physical().to_list(), counts.tolist(), strict=True))
        self.exact.append({**levels, None: len(cells) - int(counts.sum())})
        return self._told("frequent_levels", statistic, cells, columns, asked=(columns,))

    def frequent_values(self, statistic: str, values: Values, columns: Sequence[str]) -> tuple[Any, Any]:
        found = self.frequent_levels(statistic, pl.Series(values), columns)
        return found.values.to_numpy(), found.counts

    def _told(self, method: str, statistic: str, *arguments: Any, asked: tuple[Any, ...] = ()) -> Any:
        self.questions.append((method, statistic, *asked))
        if self.queries is not None:
            self.answers.append(getattr(self.queries, method)(statistic, *arguments))
        return self.answers[len(self.questions) - 1]


def assert_neighbours(one: Transcript, other: Transcript, *, sensitivity: int) -> None:
    """Same questions; every exact vector changed by integers with absolute sum ≤ `sensitivity`."""
    assert one.questions == other.questions
    assert len(one.exact) == len(other.exact)
    for before, after in zip(one.exact, other.exact, strict=True):
        assert change(before, after) <= sensitivity


def change(before: dict[Any, int], after: dict[Any, int]) -> int:
    """Σ |after - before| over all cells of either."""
    return sum(abs(after.get(cell, 0) - before.get(cell, 0)) for cell in before.keys() | after.keys())


def _by_cell(counts: npt.NDArray[np.int64]) -> dict[Any, int]:
    return {cell: int(count) for cell, count in np.ndenumerate(counts) if count}
