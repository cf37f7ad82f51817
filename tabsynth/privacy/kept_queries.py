"""Noisy queries whose answers are kept in a checkpoint: a fit that is continued is told them again, free of charge.

A fit is a function of what it was told. Told the same, it asks the same, so answers are repeated in their order and
each is checked to be of the question that is asked. Only what was never asked is drawn, and charged before.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import polars as pl

from tabsynth.errors import InputError, PrivacyError
from tabsynth.privacy.checkpoint import Arrays, Checkpoint
from tabsynth.privacy.kept_answers import levels, measurements, of_levels, of_measurements
from tabsynth.privacy.ledger import Charge
from tabsynth.privacy.marginals import Integers, Levels, Marginal, Measurement, columns_of
from tabsynth.privacy.mechanisms import (
    DiscreteGaussian,
    Mechanism,
    SampledGaussian,
    ThresholdedDiscreteGaussian,
    releases,
)
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, PlannedMechanism

T = TypeVar("T")
_ASKED = "asked"


@dataclass(frozen=True, kw_only=True)
class KeptQueries(NoisyQueries):
    """`NoisyQueries` of a fit that `kept` belongs to; its ledger is the checkpoint's."""

    kept: Checkpoint
    _told: list[int] = field(default_factory=lambda: [0], repr=False)  # how many answers were given

    @property
    def checkpoint(self) -> Checkpoint:
        return self.kept

    def marginals(
        self, statistic: str, wanted: Sequence[Marginal], repeats: Sequence[int] | None = None
    ) -> list[Measurement]:
        if not wanted:
            return []
        times = [1] * len(wanted) if repeats is None else [int(n) for n in repeats]
        drawn = super().marginals
        return self._answered(
            ["marginals", statistic, *columns_of(wanted), times],
            lambda: drawn(statistic, wanted, repeats),
            lambda: self._take(DiscreteGaussian, statistic, sum(times)),
            of_measurements,
            lambda kept: measurements(kept, [marginal.shape for marginal in wanted]),
        )

    def dependence_scores(
        self, statistic: str, pairs: Sequence[Marginal], references: Sequence[Integers]
    ) -> Measurement:
        if not pairs:
            return Measurement(np.zeros(0), variance=0.0)
        drawn = super().dependence_scores
        return self._answered(
            ["scores", statistic, *columns_of(pairs), len(pairs)],
            lambda: [drawn(statistic, pairs, references)],
            lambda: self._take(DiscreteGaussian, statistic, len(pairs)),
            of_measurements,
            lambda kept: measurements(kept, [(len(pairs),)]),
        )[0]

    def frequent_levels(self, statistic: str, cells: pl.Series, columns: Sequence[str]) -> Levels:
        drawn = super().frequent_levels
        return self._answered(
            ["levels", statistic, *columns],
            lambda: drawn(statistic, cells, columns),
            lambda: self._take(ThresholdedDiscreteGaussian, statistic, 1),
            of_levels,
            lambda kept: levels(kept, cells.dtype),
        )

    def training(self, statistic: str, columns: Sequence[str]) -> SampledGaussian:
        """As before, but charged once however often the fit is continued."""
        count = self._planned(statistic).part.count
        self.kept.plan_steps(count)
        if not self.kept.is_charged(statistic):
            return super().training(statistic, columns)
        with self._lock:
            return self._take(SampledGaussian, statistic, count)

    def _number(self, statistic: str, columns: Sequence[str], count: Callable[[], int]) -> Measurement:
        drawn = super()._number
        return self._answered(
            ["number", statistic, *columns],
            lambda: [drawn(statistic, columns, count)],
            lambda: self._take(DiscreteGaussian, statistic, 1),
            of_measurements,
            lambda kept: measurements(kept, [()]),
        )[0]

    def _answered(
        self,
        asked: Sequence[object],
        ask: Callable[[], T],
        take: Callable[[], object],
        encode: Callable[[T], Arrays],
        decode: Callable[[Arrays], T],
    ) -> T:
        """The kept answer to a question, taken off the plan; a new one where there is none, kept at once."""
        words = np.frombuffer(json.dumps(asked).encode(), dtype=np.uint8)
        number = self._told[0] + 1
        if number > self.kept.n_answers:
            found = ask()
            self.kept.keep_answer({**encode(found), _ASKED: words})
        else:
            arrays = self.kept.answer(number)
            try:
                is_same = np.array_equal(arrays.pop(_ASKED), words)
                found = decode(arrays)
            except (KeyError, ValueError):
                is_same = False
            if not is_same:
                raise InputError(
                    f"answer {number} in {self.kept.folder} is damaged, or of another question: the fit cannot be continued"
                )
            with self._lock:
                take()
        self._told[0] = number
        return found


def uncharged(plan: BudgetPlan, charges: Sequence[Charge]) -> list[PlannedMechanism]:
    """What of a plan is still to be charged after `charges`, all of which must have been made by it.

    Raises `PrivacyError` for a charge that the plan does not make: with other noise, more often, or of something else. What
    a checkpoint says of its fit may have been altered; what was charged may not be used for releases with less noise.
    """
    made: Counter[str] = Counter()
    planned = {part.part.statistic: part.mechanism for part in plan.parts}
    for charge in charges:
        made[charge.statistic] += releases(charge.mechanism)
        is_planned = charge.statistic in planned and _is_of(charge.mechanism, planned[charge.statistic])
        if not is_planned or made[charge.statistic] > plan[charge.statistic].part.count:
            raise PrivacyError(
                f"the ledger's charge of {charge.statistic!r} is not what this fit would be charged: the checkpoint is "
                "of another fit or was altered; nothing was released"
            )
    left = [(planned.mechanism, planned.part.count - made[planned.part.statistic]) for planned in plan.parts]
    return [replace(mechanism, count=count) for mechanism, count in left if count > 0]


def _is_of(charged: Mechanism, planned: PlannedMechanism) -> bool:
    """Whether releases were charged as they are planned; those of a training all at once."""
    if isinstance(planned, SampledGaussian):
        return charged == planned
    return type(charged) is type(planned) and replace(planned, count=releases(charged)) == charged
