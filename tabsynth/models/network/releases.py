"""How a fixed number of releases of one scale is divided among pairs of columns and columns alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.triangulation import Pair
from tabsynth.models.network.workload import Workload

Floats = npt.NDArray[np.float64]

MEAN_ABSOLUTE = math.sqrt(2 / math.pi)  # of a standard normal variable
_COLUMN_WEIGHT = 0.85  # of the error in a column's own counts, against that in a pair's
_MERGED_WEIGHT = (
    0.1  # for each column of the table, of the error in fine cells that share a coarse one: no pair tells of
)
_LEAST_MERGED_WEIGHT = 1.5  # them, and an error in a column is one in every pair with it


@dataclass(frozen=True, slots=True)
class Releases:
    """How `n` more releases are best divided among pairs of columns with `sizes` cells and columns of `fine` cells.

    `merged`: how many of a column's fine cells share their coarse cell with others. `spent`: releases of pairs made before;
    `known`: what every column's own counts are worth already.
    """

    sizes: Sequence[int]
    fine: Sequence[int]
    merged: Sequence[int]
    known: float
    n: int
    workload: Workload
    spent: Mapping[Pair, int]

    def best(self, pairs: Sequence[Pair]) -> Floats:
        """Further releases of each pair and then of each column, not yet whole, (n_pairs + n_columns,).

        Least Σ cells / √(releases + what is known already): in proportion to cells^(2/3), by water-filling.
        Of a column in some pair only merged cells count, as its pairs tell of the others.
        """
        told = {v for pair in pairs for v in pair}
        weights = np.array(
            [self._cells(pair) ** (2 / 3) * self.workload.releases(pair) for pair in pairs]
            + [self._weight(v, is_told=v in told) for v in range(len(self.fine))]
        )
        given = np.array(
            [float(self.spent.get(pair, 0)) for pair in pairs] + [self.known for _ in self.fine],
            dtype=np.float64,
        )
        if math.isinf(self.known):
            weights[len(pairs) :], given[len(pairs) :] = 0.0, 0.0
        is_open = weights > 0
        for _ in range(len(weights) + 1):
            level = (self.n + given[is_open].sum()) / max(weights[is_open].sum(), 1e-300)
            is_wanting = is_open & (weights * level > given)
            if (is_wanting == is_open).all():
                break
            is_open = is_wanting
        return np.where(is_open, weights * level - given, 0.0)

    def noise(self, pairs: Sequence[Pair], scale: float) -> dict[Pair, float]:
        """The sum of absolute errors that noise makes in each pair's counts."""
        cells = np.array([self._cells(pair) for pair in pairs], dtype=np.float64)
        releases = self.best(pairs)[: len(pairs)] + [self.spent.get(pair, 0) for pair in pairs]
        errors = MEAN_ABSOLUTE * cells * scale / np.sqrt(np.maximum(releases, 1e-9))
        return dict(zip(pairs, errors.tolist(), strict=True))

    def _weight(self, v: int, *, is_told: bool) -> float:
        alone = 0 if is_told else self.fine[v]
        merged_weight = max(_MERGED_WEIGHT * len(self.fine), _LEAST_MERGED_WEIGHT)
        return max(_COLUMN_WEIGHT * math.pow(alone, 2 / 3), merged_weight * math.pow(self.merged[v], 2 / 3))

    def _cells(self, pair: Pair) -> int:
        return self.sizes[pair[0]] * self.sizes[pair[1]]


def rounded(wanted: Floats, least: npt.NDArray[np.int64], n_releases: int) -> list[int]:
    """Whole releases near `wanted`, each at least `least`, `n_releases` in all (largest remainders)."""
    spare = n_releases - int(least.sum())
    above = np.maximum(wanted - least, 0)
    if spare <= 0 or above.sum() <= 0:
        return [int(n) for n in least]
    above = spare * above / above.sum()
    repeats = least + np.floor(above).astype(np.int64)
    rest = n_releases - int(repeats.sum())
    repeats[np.argsort(-(above % 1), kind="stable")[:rest]] += 1
    return [int(n) for n in repeats]
