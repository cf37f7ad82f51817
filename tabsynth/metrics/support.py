"""Whether synthetic rows lie where real rows lie, and whether they lie everywhere that real rows do.

By balls about rows that reach to their k-th nearest neighbour (Kynkäänniemi et al. 2019; Naeem et al.
2020), not by α-precision and β-recall (Alaa et al. 2022): those take the typical rows to be a sphere
about one centre of a learnt embedding, which rows of many levels are not, and depend on how that
embedding was trained. Balls follow the local density of any mixed table and train nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import not_applicable, unusable
from tabsynth.metrics.proximity import MAX_COORDINATES, Space
from tabsynth.metrics.sampling import draw_rows
from tabsynth.randomness import Streams

N_NEIGHBOURS = 5
MAX_ROWS = 5_000
CHUNK = 1_000

_BALL = f"whose ball reaches to its {N_NEIGHBOURS}th nearest neighbour in its own table"
_SPACE = (
    "Near is what one scale for all columns makes of it: in wide tables everything is far, and columns that do not "
    "matter count as much as those that do."
)

INFOS = (
    MetricInfo(
        name="support_coverage",
        title="Coverage of support",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        meaning=(
            "The share of train rows that have a synthetic row near, from 0 to 100 % (Naeem et al. 2020): inside the "
            f"ball about the train row, which reaches to its {N_NEIGHBOURS}th nearest neighbour in train. It falls "
            "where kinds of rows are missing: mode collapse. Fresh real rows get about 97 %."
        ),
        caveat=(
            f"A copy of train covers everything: it says nothing about privacy. {_SPACE} A kind of row rarer than "
            "the rows that are drawn for it cannot be missed."
        ),
    ),
    MetricInfo(
        name="support_recall",
        title="Recall of support",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        secondary=True,
        meaning=(
            "The share of train rows that lie near a synthetic row, from 0 to 100 % (Kynkäänniemi et al. 2019): "
            f"inside the ball of some synthetic row, {_BALL}."
        ),
        caveat=(
            "One odd synthetic row far from all others has a ball that takes in everything about it: read it beside "
            f"coverage, which has no such fault. {_SPACE}"
        ),
    ),
    MetricInfo(
        name="support_precision",
        title="Precision of support",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        meaning=(
            "The share of synthetic rows that lie where train rows lie, from 0 to 100 % (Kynkäänniemi et al. 2019): "
            f"inside the ball of some train row, {_BALL}."
        ),
        caveat=(
            "The balls of lonely train rows are large, so it forgives much; and it is highest for a table that "
            f"repeats its commonest row, or that copies train. {_SPACE}"
        ),
    ),
    MetricInfo(
        name="support_density",
        title="Density of support",
        group="fidelity",
        direction=Direction.HIGHER,
        secondary=True,
        meaning=(
            "In how many train rows' balls a synthetic row lies, on average and as a share of those it would for "
            f"fresh real rows without ties ({N_NEIGHBOURS}): from 0 without an upper limit, about 1 for real rows "
            "(Naeem et al. 2020)."
        ),
        caveat=(
            "Above the floor is not better: rows crowd where train is dense, as they do in mode collapse. Equal rows "
            f"are ties and lift it, the floor too. {_SPACE}"
        ),
    ),
)

Points = npt.NDArray[np.float32] | npt.NDArray[np.float64]  # (n_rows, n_coordinates)
Squares = npt.NDArray[np.floating]  # squared distances


class Support(NamedTuple):
    """The four figures of one table against train, in the order of `INFOS`."""

    coverage: float
    recall: float
    precision: float
    density: float


@dataclass(frozen=True, slots=True)
class SupportOverlap:
    """Coverage, recall, precision and density of support; at most 5,000 rows of each table, as many of each."""

    max_rows: int = MAX_ROWS
    k: int = N_NEIGHBOURS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row per figure. Without enough holdout rows there are values and no floors."""
        train, synthetic, holdout = data.encoded_train, data.encoded_synthetic, data.encoded_holdout
        if fault := unusable(data, least=self.k + 1):
            return not_applicable(fault, *(info.name for info in INFOS))
        space = Space.of(train, (train, synthetic, holdout))
        compared = [synthetic, *([holdout] if holdout.n_rows > self.k else [])]
        most = min(self.max_rows, max(100, MAX_COORDINATES // space.n_coordinates))
        n = min(most, train.n_rows, *(table.n_rows for table in compared))
        drawn = [
            space.embed(draw_rows(table, n, streams.generator("metrics/support/rows", side)))
            for side, table in enumerate((train, *compared))
        ]
        value, *floor = support_of(drawn[0], drawn[1:], k=self.k)
        return tuple(
            MetricResult(
                metric=info.name,
                value=value[i],
                floor=floor[0][i] if floor else None,
                reason=f"{n:,} rows of each table",
            )
            for i, info in enumerate(INFOS)
        )


def support_of(train: Points, others: list[Points], *, k: int) -> list[Support]:
    """The figures of each of `others` against `train`; every table has more than `k` rows.

    Distances that differ by less than rounding can explain tie, and what lies on a ball lies in it.
    """
    reach = ball_radii(train, k=k)
    return [_support(train, reach, other, ball_radii(other, k=k), k=k) for other in others]


def _support(train: Points, train_reach: Squares, other: Points, other_reach: Squares, *, k: int) -> Support:
    covered = np.zeros(len(train), dtype=np.bool_)
    recalled = np.zeros(len(train), dtype=np.bool_)
    n_inside = n_balls = 0
    slack = rounding(train, other)
    for start, squares in blocks_of(other, train):
        within = squares <= train_reach + slack
        covered |= within.any(axis=0)
        n_inside += int(within.any(axis=1).sum())
        n_balls += int(within.sum())
        own_reach = other_reach[start : start + len(squares), np.newaxis]
        recalled |= (squares <= own_reach + slack).any(axis=0)
    return Support(
        float(covered.mean()), float(recalled.mean()), n_inside / len(other), n_balls / (k * len(other))
    )


def ball_radii(points: Points, *, k: int) -> Squares:
    """The squared distance of each row to the k-th nearest other row of the same table, shape (n_rows,)."""
    reach = np.empty(len(points), dtype=points.dtype)
    for start, squares in blocks_of(points, points):
        own = np.arange(len(squares))
        squares[own, start + own] = np.inf
        reach[start : start + len(squares)] = np.partition(squares, k - 1, axis=1)[:, k - 1]
    return reach


def blocks_of(queries: Points, references: Points) -> Iterator[tuple[int, Squares]]:
    """Squared distances of 1,000 queries at a time to all references, and where each block starts."""
    norms = (references**2).sum(axis=1)
    turned = -2.0 * references.T
    for start in range(0, len(queries), CHUNK):
        chunk = queries[start : start + CHUNK]
        squares = chunk @ turned
        squares += norms
        squares += (chunk**2).sum(axis=1)[:, np.newaxis]
        yield start, np.maximum(squares, 0.0, out=squares)


def rounding(*tables: Points) -> float:
    largest = max(float((points**2).sum(axis=1).max()) for points in tables)
    return 8 * float(np.finfo(tables[0].dtype).eps) * (1.0 + largest)
