"""The kernel two-sample statistic: one distance between whole tables, and whether it can be 0.

The maximum mean discrepancy of Gretton et al. (2012, "A kernel two-sample test", JMLR 13:723), by the block
estimator of Zaremba, Gretton & Blaschko (2013, "B-test", NeurIPS): the unbiased estimate for equal sizes (eq. 4) within
disjoint blocks of rows, averaged. Blocks are independent, so their spread gives an interval that holds
whether the tables differ or not, time is linear in rows, and no matrix is larger than a block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import not_applicable
from tabsynth.metrics.proximity import MAX_COORDINATES, Space
from tabsynth.metrics.sampling import drawn_rows, take_rows
from tabsynth.randomness import Streams

MAX_ROWS = 20_000
BLOCK = 500
MIN_BLOCKS = 5  # for an interval; smaller tables are cut into this many blocks
MIN_ROWS = 2 * MIN_BLOCKS
MAX_MEDIAN_ROWS = 1_000

Points = npt.NDArray[np.float32] | npt.NDArray[np.float64]  # (n_rows, n_coordinates)

MMD = MetricInfo(
    name="mmd",
    title="Kernel distance (MMD)",
    group="fidelity",
    direction=Direction.LOWER,
    meaning=(
        "The maximum mean discrepancy between synthetic and train rows (Gretton et al. 2012): the root of how much more "
        "alike two rows of one table are than two of different tables, 0 for equal distributions, at most 1.41. Where "
        "the unbiased estimate under the root is negative by chance, its size has a minus sign. Rows are alike by a "
        "Gaussian kernel as wide as the median distance between train rows, levels and numbers on one scale."
    ),
    caveat=(
        "It sees all columns at once and none of them sharply: at this width rare kinds of rows and thin tails hardly "
        "count, and in wide tables a single broken pair drowns. Its size means nothing without the floor; interval and test take rows as independent. A copy of "
        "train scores about 0: this says nothing about privacy."
    ),
)


class Discrepancy(NamedTuple):
    """MMD² of each block, shape (n_blocks,)."""

    blocks: npt.NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(self.blocks.mean())

    @property
    def _error(self) -> float:
        return float(self.blocks.std(ddof=1)) / float(np.sqrt(len(self.blocks)))

    @property
    def interval(self) -> tuple[float, float]:
        """Student's 95 % interval over blocks."""
        from scipy import stats

        half = float(stats.t.ppf(0.975, len(self.blocks) - 1)) * self._error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """One-sided, of a discrepancy of 0: Student's t over blocks; 1 where all blocks are 0."""
        from scipy import stats

        error = self._error
        if error == 0:
            return 1.0 if self.value <= 0 else 0.0
        return float(stats.t.sf(self.value / error, len(self.blocks) - 1))


@dataclass(frozen=True, slots=True)
class KernelTwoSample:
    """MMD of synthetic from train, and of the holdout from train; at most 20,000 rows of each table."""

    max_rows: int = MAX_ROWS
    block: int = BLOCK

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (MMD,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row; as many rows are read of every table."""
        train, synthetic, holdout = data.encoded_train, data.encoded_synthetic, data.encoded_holdout
        if not train.columns:
            return not_applicable("no column is modelled", MMD.name)
        for which, table in (("train", train), ("synthetic", synthetic)):
            if table.n_rows < MIN_ROWS:
                found = f"needs {MIN_ROWS} rows of the {which} table, found {table.n_rows}"
                return not_applicable(found, MMD.name)
        space = Space.of(train, (train, synthetic, holdout))
        compared = [synthetic, *([holdout] if holdout.n_rows >= MIN_ROWS else [])]
        most = min(self.max_rows, max(MIN_ROWS, MAX_COORDINATES // space.n_coordinates))
        n = min(most, train.n_rows, *(table.n_rows for table in compared))
        points = [
            _shuffled(space, table, n, streams.generator("metrics/mmd/rows", min(side, 1)))
            for side, table in enumerate((train, *compared))
        ]
        width = median_square(points[0])
        value, *floor = (block_mmd(points[0], other, width=width, block=self.block) for other in points[1:])
        n_blocks = len(value.blocks)
        row = MetricResult(
            metric=MMD.name,
            value=signed_root(value.value),
            floor=signed_root(floor[0].value) if floor else None,
            interval=(signed_root(value.interval[0]), signed_root(value.interval[1])),
            reason=(
                f"{n:,} rows of each table in {n_blocks} blocks; test of equal distributions: "
                f"p = {value.p_value:.2g}" + (f", of real rows {floor[0].p_value:.2g}" if floor else "")
            ),
        )
        return (row,)


def signed_root(square: float) -> float:
    """The root of the size, with the sign: unbiased estimates of a square may be negative."""
    return math.copysign(math.sqrt(abs(square)), square)


def _shuffled(space: Space, table: EncodedTable, n: int, rng: np.random.Generator) -> Points:
    """Coordinates of `n` rows in random order: blocks of a sorted table would not be alike."""
    rows = drawn_rows(table.n_rows, n, rng) if n < table.n_rows else rng.permutation(n)
    return space.embed(take_rows(table, rows))


def median_square(train: Points) -> float:
    """The median squared distance between train rows that differ, over at most 1,000 of them; 1 if none do."""
    rows = train[:MAX_MEDIAN_ROWS]
    squares = _squares(rows, rows)[np.triu_indices(len(rows), 1)]
    apart = squares[squares > 1e-6]
    return float(np.median(apart)) if len(apart) else 1.0


def block_mmd(left: Points, right: Points, *, width: float, block: int) -> Discrepancy:
    """Unbiased MMD² within disjoint blocks of at most `block` rows of both tables, at least five blocks.

    The kernel is exp(-d² / (2 width)). Both have shape (n_rows, n_coordinates), in random order, n_rows at
    least 10.
    """
    n_blocks = max(MIN_BLOCKS, len(left) // block)
    parts = (np.array_split(side, n_blocks) for side in (left, right))
    return Discrepancy(np.array([_unbiased(x, y, width) for x, y in zip(*parts, strict=True)]))


def _unbiased(x: Points, y: Points, width: float) -> float:
    """Eq. 4 of Gretton et al. (2012): a mean over pairs of different indices; both have n >= 2 rows."""
    n = len(x)
    similar = [np.exp(_squares(a, b) / (-2 * width)) for a, b in ((x, x), (y, y), (x, y))]
    within_x, within_y, between = (
        (float(k.sum(dtype=np.float64)) - float(np.trace(k))) / (n * (n - 1)) for k in similar
    )
    return within_x + within_y - 2 * between


def _squares(x: Points, y: Points) -> Points:
    squares = -2.0 * (x @ y.T)
    squares += (x**2).sum(axis=1)[:, np.newaxis]
    squares += (y**2).sum(axis=1)
    clipped: Points = np.maximum(squares, 0.0)
    return clipped
