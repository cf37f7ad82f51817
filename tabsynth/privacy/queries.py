"""Every number that a fit takes out of the private table is read here, and charged first.

Engines see counts and second moments, never rows. These statistics add up over batches of rows, and they
are what noise is added to where privacy is asked for; without privacy they are exact and the ledger says
so. All of them take plain arrays, so that nothing here knows how cells were encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.privacy.class_scores import ClassScores, fit_class_scores
from tabsynth.privacy.density_ratio import DensityRatio, fit_density_ratio
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.log_odds import LogOdds, fit_log_odds
from tabsynth.privacy.marginals import (
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
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.splits import CountByLeaf, Splits, count_by_leaf, grow_splits
from tabsynth.privacy.told_by_difference import BasesOf, bases_of
from tabsynth.privacy.told_by_repeat import MoreOften, more_often

__all__ = ["AnyQueries", "Levels", "Marginal", "Measurement", "NoisyQueries", "Queries", "ScoreMoments"]

Floats = npt.NDArray[np.float64]
_DENSE_RANGE = 1 << 20


@dataclass(frozen=True, eq=False)
class ScoreMoments:
    """Pairwise moments of scores over the rows where both columns are present; all of shape (p, p).

    `n[i, j]` rows; `products[i, j]` = Σ z_i z_j; `sums[i, j]` = Σ z_i and `squares[i, j]` = Σ z_i²,
    both over rows where j is present too.
    """

    n: Floats
    products: Floats
    sums: Floats
    squares: Floats

    def correlation(self) -> Floats:
        """Pairwise-complete Pearson correlation, 0 where either column does not vary, shape (p, p)."""
        n = np.maximum(self.n, 1)
        covariance = self.products / n - self.sums * self.sums.T / n**2
        variance = np.maximum(self.squares / n - (self.sums / n) ** 2, 0)
        spread = np.sqrt(variance * variance.T)
        correlation: Floats = np.divide(
            covariance, spread, out=np.zeros_like(covariance), where=spread > 1e-12
        )
        correlation = np.clip(correlation, -1, 1)
        np.fill_diagonal(correlation, 1.0)
        return correlation


@dataclass(frozen=True, slots=True)
class Queries:
    """Exact statistics of a private table, each charged to the ledger before it is computed."""

    ledger: Ledger

    @property
    def is_private(self) -> bool:
        return False

    def marginals(
        self, statistic: str, wanted: Sequence[Marginal], repeats: Sequence[int] | None = None
    ) -> list[Measurement]:
        """Counts of each marginal; `repeats` say nothing where there is no noise."""
        del repeats
        self.ledger.charge(statistic, columns_of(wanted))
        return [Measurement(counts.astype(np.float64), variance=0.0) for counts in histograms(wanted)]

    def total(self, statistic: str, n_rows: int) -> Measurement:
        """Number of rows, shape ()."""
        self.ledger.charge(statistic, ())
        return Measurement(np.array(n_rows, dtype=np.float64), variance=0.0)

    def distinct_count(self, statistic: str, identifiers: pl.Series, columns: Sequence[str]) -> Measurement:
        """Number of different identifiers, shape (); nulls are none."""
        self.ledger.charge(statistic, columns)
        return Measurement(np.array(n_distinct(identifiers), dtype=np.float64), variance=0.0)

    def dependence_scores(
        self, statistic: str, pairs: Sequence[Marginal], references: Sequence[Integers]
    ) -> Measurement:
        """Σ over cells of |count - reference| of each pair, (n_pairs,)."""
        self.ledger.charge(statistic, columns_of(pairs))
        return Measurement(l1_distances(pairs, references).astype(np.float64), variance=0.0)

    def frequent_levels(self, statistic: str, cells: pl.Series, columns: Sequence[str]) -> Levels:
        """Every value that occurs, ascending, and the rows that hold each, or null."""
        self.ledger.charge(statistic, columns)
        values, counts = observed_values(cells)
        n_null = float(len(cells) - counts.sum())
        return Levels(values, counts.astype(np.float64), n_null=n_null, variance=0.0)

    def frequent_values(
        self, statistic: str, values: Values, columns: Sequence[str]
    ) -> tuple[Values, Floats]:
        """`frequent_levels` of int64 or float64 values."""
        found = self.frequent_levels(statistic, pl.Series(values), columns)
        return found.values.to_numpy(), found.counts

    def row_count(self, n_rows: int) -> int:
        """How many rows the table has."""
        self.ledger.charge("row count", ())
        return n_rows

    def distinct_share(self, identifiers: pl.Series, *, column: str) -> float:
        """How many different identifiers there are per row that has one, in (0, 1]; 1 where none has."""
        self.ledger.charge("number of distinct identifiers", (column,))
        present = identifiers.drop_nulls()
        return present.n_unique() / len(present) if len(present) else 1.0

    def level_counts(
        self, codes: npt.NDArray[np.unsignedinteger], n_levels: int, *, column: str
    ) -> Callable[[], Floats]:
        """Charge now, count when called: rows at each level, (n_levels,), without codes past the last."""
        self.ledger.charge("counts of levels", (column,))
        return lambda: np.bincount(codes, minlength=n_levels)[:n_levels].astype(np.float64)

    def value_counts(self, values: Values, *, column: str) -> Callable[[], tuple[Values, Floats]]:
        """Charge now, count when called: distinct values, ascending, and the rows that hold each."""
        self.ledger.charge("counts of values", (column,))
        return lambda: _value_counts(values)

    def splits(self, *, columns: Sequence[str]) -> Callable[..., Splits]:
        """Charge now; what is returned is `grow_splits`, to be called once for the tree of these columns."""
        self.ledger.charge("splits of a tree", columns)
        return grow_splits

    def leaf_counts(self, *, columns: Sequence[str]) -> CountByLeaf:
        """Charge now; what is returned is `count_by_leaf`, for the leaves of the tree of these columns."""
        self.ledger.charge("counts by leaf", columns)
        return count_by_leaf

    def log_odds(self, *, columns: Sequence[str]) -> LogOdds:
        """Charge now; what is returned is `fit_log_odds`, to be called once for the last of these columns."""
        self.ledger.charge("log odds by column", columns)
        return fit_log_odds

    def density_ratio(self, *, columns: Sequence[str]) -> DensityRatio:
        """Charge now; what is returned is `fit_density_ratio`, for the rows of these columns against drawn ones."""
        self.ledger.charge("density ratio to drawn rows", columns)
        return fit_density_ratio

    def class_scores(self, *, columns: Sequence[str]) -> ClassScores:
        """Charge now; what is returned is `fit_class_scores`, for the last of these columns by the others, and the order that these get by it."""
        self.ledger.charge("scores of a target's classes", columns)
        return fit_class_scores

    def told_by_difference(self, *, columns: Sequence[str]) -> BasesOf:
        """Charge now; what is returned is `bases_of`, for the numbers of these columns."""
        self.ledger.charge("differences of numbers", columns)
        return bases_of

    def told_by_repeat(self, *, columns: Sequence[str]) -> MoreOften:
        """Charge now; what is returned is `more_often`, for codes of these columns."""
        self.ledger.charge("equal cells", columns)
        return more_often

    def rows_as_they_are(
        self, arrays: Sequence[Values | None], chosen: npt.NDArray[np.intp], *, columns: Sequence[str]
    ) -> list[Any]:
        """The cells of the chosen rows, of each array that there is: for engines that say `retains_rows` alone."""
        self.ledger.charge("rows as they are", columns)
        return [None if array is None else array[chosen] for array in arrays]

    def gradients(self, *, columns: Sequence[str]) -> None:
        """Charge for a training on the rows, whose gradients pass into weights without bound or noise."""
        self.ledger.charge("gradients of rows", columns)

    def score_sums_by_level(
        self,
        pieces: npt.NDArray[np.unsignedinteger],
        n_levels: int,
        scores: npt.NDArray[np.float32],
        *,
        columns: Sequence[str],
    ) -> Floats:
        """Σ of each score over the rows of each level, shape (n_levels, n_scores)."""
        from scipy.sparse import csr_array

        self.ledger.charge("sums of scores by level", columns)
        n_rows = len(pieces)
        one_hot = csr_array(
            (np.ones(n_rows, np.float32), pieces.astype(np.int32), np.arange(n_rows + 1, dtype=np.int64)),
            shape=(n_rows, n_levels),
        )
        return np.asarray(one_hot.T @ scores, dtype=np.float64)

    def score_moments(
        self,
        blocks: Iterable[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]],
        *,
        columns: Sequence[str],
    ) -> ScoreMoments:
        """Moments of scores over blocks of rows: (scores, presence), both (n_block, p), 0 where absent.

        Presence None says that every column is present in every row.
        """
        self.ledger.charge("second moments of scores", columns)
        p = len(columns)
        n, products, sums, squares = (np.zeros((p, p)) for _ in range(4))
        for scores, presence in blocks:
            products += scores.T @ scores
            if presence is None:
                n += len(scores)
                sums += scores.sum(axis=0, dtype=np.float64)[:, None]
                squares += np.einsum("ij,ij->j", scores, scores, dtype=np.float64)[:, None]
            else:
                n += presence.T @ presence
                sums += scores.T @ presence
                squares += (scores * scores).T @ presence
        return ScoreMoments(n, products, sums, squares)


AnyQueries = Queries | NoisyQueries
"""What an engine with and without privacy is given; both answer the same questions."""


def _value_counts(values: Values) -> tuple[Values, Floats]:
    if len(values) and values.dtype.kind == "i":
        low, high = int(values.min()), int(values.max())
        if high - low < _DENSE_RANGE:
            counts = np.bincount(values - low)
            found = np.flatnonzero(counts)
            return found + low, counts[found].astype(np.float64)
    distinct, counts = np.unique(values, return_counts=True)
    return distinct, counts.astype(np.float64)
