"""α-precision, β-recall and authenticity, after Alaa et al. (2022), in the rows' own coordinates.

"How faithful is your synthetic data?", ICML 2022. They map rows by a trained network to a sphere; here
typical rows are those nearest to the mean in the coordinates of `tabsynth.metrics.proximity`, so nothing is
trained and the figure is the same every time. What that costs is in the caveats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import not_applicable, unusable
from tabsynth.metrics.intervals import wilson_interval
from tabsynth.metrics.proximity import MAX_COORDINATES, Space
from tabsynth.metrics.sampling import draw_rows
from tabsynth.metrics.support import N_NEIGHBOURS, Points, Squares, ball_radii, blocks_of, rounding
from tabsynth.randomness import Streams

MAX_ROWS = 5_000
N_LEVELS = 30  # of α and β

_CENTRE = (
    "It takes the commonest rows for a ball about one centre, which rows of many levels, and tables of several "
    "clusters, are not: read coverage and precision of support first, and this as a second opinion."
)
INFOS = ALPHA, BETA, AUTHENTICITY = (
    MetricInfo(
        name="alpha_precision",
        title="α-precision",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        secondary=True,
        meaning=(
            "Whether synthetic rows are as typical as train rows, from 0 to 100 % (Alaa et al. 2022): of the synthetic "
            "rows, a share α should lie in the ball about train's mean that holds the share α of train; 1 less "
            "twice the mean error over α. The floor, holdout rows, is near 100 %."
        ),
        caveat=f"{_CENTRE} Rows piled on one spot at the right distance, or a copy of train, score well.",
    ),
    MetricInfo(
        name="beta_recall",
        title="β-recall",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        secondary=True,
        meaning=(
            "Whether the typical synthetic rows cover as much of train as they should, from 0 to 100 % (Alaa et al. "
            "2022): the most typical share β of the synthetic rows should have a row in the balls, to the "
            f"{N_NEIGHBOURS}th nearest neighbour, of a share β of train; 1 less twice the mean error over β."
        ),
        caveat=(
            f"{_CENTRE} Fresh real rows do not score 100 %, as balls overlap, and above the floor is not better. "
            "A copy of train scores well."
        ),
    ),
    MetricInfo(
        name="authenticity",
        title="Authenticity",
        group="proximity",
        direction=Direction.HIGHER,
        percent=True,
        secondary=True,
        smoke_test=True,
        meaning=(
            "The share of synthetic rows that lie farther from their nearest train row than that row lies from its own "
            "nearest neighbour in train (Alaa et al. 2022), from 0 to 100 %; a copy of train scores 0 %. The floor "
            "asks it of holdout rows."
        ),
        caveat=(
            "An alarm, no evidence of privacy: it looks at distances alone, and a fifth of copied rows only lowers it "
            "by about a fifth. Where equal rows are common, both sides are low and it says little."
        ),
    ),
)


class Typicality(NamedTuple):
    """The three figures of one table, in the order of `INFOS`."""

    precision: float
    recall: float
    authenticity: float


@dataclass(frozen=True, slots=True)
class TypicalRows:
    """α-precision, β-recall and authenticity; at most 5,000 rows of each table, as many of each."""

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
            space.embed(draw_rows(table, n, streams.generator("metrics/typical/rows", min(side, 1))))
            for side, table in enumerate((train, *compared))
        ]
        value, *floor = typicality(drawn[0], drawn[1:], k=self.k)
        return tuple(
            MetricResult(
                metric=info.name,
                value=value[i],
                floor=floor[0][i] if floor else None,
                interval=wilson_interval(value[i], n) if info is AUTHENTICITY else None,
                reason=f"{n:,} rows of each table",
            )
            for i, info in enumerate(INFOS)
        )


def typicality(train: Points, others: list[Points], *, k: int) -> list[Typicality]:
    """The figures of each of `others` against `train`; every table has more than `k` rows.

    All have shape (n_rows, n_coordinates). A distance within rounding of another equals it.
    """
    centre = train.mean(axis=0)
    radii = np.sort(_from(centre, train))
    nearest, reach = ball_radii(train, k=1), ball_radii(train, k=k)
    return [
        Typicality(
            1.0 - 2.0 * _calibration_error(radii, _from(centre, other)),
            _recall(train, reach, other),
            _authentic(train, nearest, other),
        )
        for other in others
    ]


def _from(centre: npt.NDArray[np.floating], points: Points) -> npt.NDArray[np.float64]:
    distances: npt.NDArray[np.float64] = np.sqrt(((points - centre).astype(np.float64) ** 2).sum(axis=1))
    return distances


def _levels() -> npt.NDArray[np.float64]:
    return np.arange(1, N_LEVELS + 1) / N_LEVELS


def _calibration_error(radii: npt.NDArray[np.float64], distances: npt.NDArray[np.float64]) -> float:
    """The mean over α of |share of `distances` within the ball of the share α of `radii` - α|, in [0, 1/2].

    `radii` ascend. The share of train inside stands for α, for equal radii may hold more than α of it.
    """
    balls = radii[np.ceil(_levels() * len(radii)).astype(np.intp) - 1] * (1 + 1e-9)
    wanted = np.searchsorted(radii, balls, side="right") / len(radii)
    found = np.searchsorted(np.sort(distances), balls, side="right") / len(distances)
    return min(0.5, float(np.abs(found - wanted).mean()))


def _recall(train: Points, reach: Squares, other: Points) -> float:
    """1 - 2 · mean over β of |share of train rows with one of the β most typical rows in their ball - β|."""
    ranks = np.argsort(np.argsort(_from(other.mean(axis=0), other), kind="stable"), kind="stable")
    first = np.full(len(train), len(other), dtype=np.intp)  # rank of the most typical row in each ball
    slack = rounding(train, other)
    for start, squares in blocks_of(other, train):
        own = ranks[start : start + len(squares), np.newaxis]
        np.minimum(first, np.where(squares <= reach + slack, own, len(other)).min(axis=0), out=first)
    levels = _levels()
    found = np.searchsorted(np.sort(first), np.ceil(levels * len(other)), side="left") / len(train)
    return 1.0 - 2.0 * min(0.5, float(np.abs(found - levels).mean()))


def _authentic(train: Points, nearest: Squares, other: Points) -> float:
    slack = rounding(train, other)
    n = 0
    for _, squares in blocks_of(other, train):
        closest = squares.argmin(axis=1)
        n += int((squares[np.arange(len(squares)), closest] > nearest[closest] + slack).sum())
    return n / len(other)
