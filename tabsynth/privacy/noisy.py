"""Differentially private statistics: charged first, within a plan that was fixed before any data were read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl

from tabsynth.errors import PrivacyError
from tabsynth.privacy import noise
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.marginals import (
    Floats,
    Integers,
    Levels,
    Marginal,
    Measurement,
    Values,
    columns_of,
    histograms,
    l1_distances,
    n_distinct,
    observed_values,
)
from tabsynth.privacy.mechanisms import DiscreteGaussian, SampledGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.plan import BudgetPlan, PlannedPart

if TYPE_CHECKING:
    from tabsynth.privacy.checkpoint import Checkpoint

_Mechanism = TypeVar("_Mechanism", DiscreteGaussian, ThresholdedDiscreteGaussian, SampledGaussian)


@dataclass(frozen=True, slots=True)
class NoisyQueries:
    """Statistics with discrete Gaussian noise, each part of `plan` used at most as often as it says.

    Every method takes its releases off the plan and charges them before it reads a row or draws noise. One
    that asks for more than its part has left, for a statistic that is not planned, or for one planned in
    another way raises `PrivacyError` with nothing released and nothing charged; a release that fails after
    its charge stays charged. Whether a method raises never depends on the rows.
    """

    ledger: Ledger
    plan: BudgetPlan
    _spent: dict[str, int] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def is_private(self) -> bool:
        return True

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where a training keeps how far it is; None where nobody asked for that."""
        return None

    def left(self, statistic: str) -> int:
        """Releases of a planned statistic that may still be asked for."""
        return self._planned(statistic).part.count - self._spent.get(statistic, 0)

    def marginals(
        self, statistic: str, wanted: Sequence[Marginal], repeats: Sequence[int] | None = None
    ) -> list[Measurement]:
        """Noisy counts of each marginal, the mean of `repeats` ≥ 1 releases of it; cells may be negative."""
        times = [1] * len(wanted) if repeats is None else [int(n) for n in repeats]
        if len(times) != len(wanted) or any(n < 1 for n in times):
            raise PrivacyError(f"{statistic!r}: each marginal is released a whole number of times, from 1")
        if not wanted:
            return []
        scale = self._charge(DiscreteGaussian, statistic, columns_of(wanted), sum(times)).scale
        values = noise.averages(histograms(wanted), scale=scale, repeats=times)
        return [Measurement(found, variance=scale**2 / n) for found, n in zip(values, times, strict=True)]

    def total(self, statistic: str, n_rows: int) -> Measurement:
        """Noisy number of rows, shape (); it may be negative."""
        return self._number(statistic, (), lambda: n_rows)

    def distinct_count(self, statistic: str, identifiers: pl.Series, columns: Sequence[str]) -> Measurement:
        """Noisy number of different identifiers, shape (); it may be negative."""
        return self._number(statistic, columns, lambda: n_distinct(identifiers))

    def dependence_scores(
        self, statistic: str, pairs: Sequence[Marginal], references: Sequence[Integers]
    ) -> Measurement:
        """Noisy Σ |count - reference| of each pair, (n_pairs,), each a release of its own.

        References must be made of released numbers alone, so that they are the same for neighbouring
        tables; only then one unit changes a score by at most the rows it may have.
        """
        if not pairs:
            return Measurement(np.zeros(0), variance=0.0)
        scale = self._charge(DiscreteGaussian, statistic, columns_of(pairs), len(pairs)).scale
        scores = noise.discrete_gaussian(l1_distances(pairs, references), scale=scale)
        return Measurement(scores.astype(np.float64), variance=scale**2)

    def frequent_levels(self, statistic: str, cells: pl.Series, columns: Sequence[str]) -> Levels:
        """Values whose noisy count reaches the part's threshold, ascending, with their noisy counts.

        Null is a level that every table may have, so its noisy count is released whatever it is. Nothing is
        released of values below the threshold, nor how many there are. Values that no more rows hold than one
        unit may have are passed over, which spares noise for each of a wide column's many values; thresholds
        are set for that (`tabsynth.privacy.accountant.threshold_delta`).
        """
        mechanism = self._charge(ThresholdedDiscreteGaussian, statistic, columns, 1)
        values, counts = observed_values(cells)
        is_shared = counts > mechanism.sensitivity
        null_and_shared = np.concatenate([[len(cells) - counts.sum()], counts[is_shared]])
        released = noise.discrete_gaussian(null_and_shared, scale=mechanism.scale).astype(np.float64)
        is_frequent = released[1:] >= mechanism.threshold
        return Levels(
            values.filter(pl.Series(is_shared)).filter(pl.Series(is_frequent)),
            released[1:][is_frequent],
            n_null=float(released[0]),
            variance=mechanism.scale**2,
        )

    def frequent_values(
        self, statistic: str, values: Values, columns: Sequence[str]
    ) -> tuple[Values, Floats]:
        """`frequent_levels` of int64 or float64 values."""
        found = self.frequent_levels(statistic, pl.Series(values), columns)
        return found.values.to_numpy(), found.counts

    def training(self, statistic: str, columns: Sequence[str]) -> SampledGaussian:
        """The mechanism of all steps of a planned training, which are charged at once, before the first.

        Whoever trains samples and adds noise as it says, in no more steps (`tabsynth.privacy.dpsgd`). One that ends early, or
        never, stays charged.
        """
        return self._charge(SampledGaussian, statistic, columns, self._planned(statistic).part.count)

    def _number(self, statistic: str, columns: Sequence[str], count: Callable[[], int]) -> Measurement:
        scale = self._charge(DiscreteGaussian, statistic, columns, 1).scale
        noisy = noise.discrete_gaussian(np.array(count(), dtype=np.int64), scale=scale)
        return Measurement(noisy.astype(np.float64), variance=scale**2)

    def _planned(self, statistic: str) -> PlannedPart:
        try:
            return self.plan[statistic]
        except KeyError:
            raise PrivacyError(f"{statistic!r} is not part of the budget plan") from None

    def _charge(
        self, kind: type[_Mechanism], statistic: str, columns: Sequence[str], releases: int
    ) -> _Mechanism:
        """Take `releases` off the plan and charge them, or raise `PrivacyError`; the mechanism they have."""
        with self._lock:
            charged = self._take(kind, statistic, releases)
            self.ledger.charge(statistic, columns, charged)
        return charged

    def _take(self, kind: type[_Mechanism], statistic: str, releases: int) -> _Mechanism:
        """Take `releases` off the plan, or raise `PrivacyError`; the mechanism they have."""
        mechanism = self._planned(statistic).mechanism
        if not isinstance(mechanism, kind):
            raise PrivacyError(f"{statistic!r} is planned as another kind of release")
        left = self.left(statistic)
        if releases > left:
            raise PrivacyError(f"{statistic!r}: {releases} releases asked for, {left} left of the plan")
        self._spent[statistic] = self._spent.get(statistic, 0) + releases
        return replace(mechanism, count=releases)
