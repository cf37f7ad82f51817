"""What an analyst's queries give: counts over random ranges, and means by group, against train's answers.

The workload is random, as evaluations of private query answering have it (Xiao, Wang & Gehrke 2011,
"Differential privacy via wavelet transforms", TKDE 23:1200), and so is the sanity bound: the relative error of
a count divides by at least 1 % of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import not_applicable, unusable
from tabsynth.metrics.pair_view import binnings_of
from tabsynth.metrics.samples import Sample, numbers_of
from tabsynth.metrics.sampling import affordable_rows, draw_rows
from tabsynth.randomness import Streams

N_COUNTS = 500
N_GROUPINGS = 100
MAX_CONDITIONS = 3
MAX_ROWS = 100_000
MAX_CELLS_READ = 4_000_000
SANITY = 0.01  # share of the rows below which a count is not divided by itself
MIN_GROUP = 20  # train rows with a number that a group needs
MAX_GROUPS = 100
MAX_PARTS = 5

Mask = npt.NDArray[np.bool_]
Errors = npt.NDArray[np.float64]

_COUNTS = (
    f"Of {N_COUNTS} random queries each counts the rows that meet one to {MAX_CONDITIONS} conditions, each a range of numbers or "
    "ordered levels, or a set of levels. A query's error is the difference between the shares of the rows that the two "
    "tables count, over train's share or 1 %, whichever is larger"
)
_GROUPS = (
    f"Of {N_GROUPINGS} random queries each takes the mean of a number column within each group of another column. A query's error "
    "is the mean difference of a group's mean, over groups by their size in train, as a share of the number's standard "
    "deviation in train; a group that is missing counts 1, and none more"
)
_COUNT_CAVEAT = (
    "It answers for random questions, and yours are not random: one column that matters may be wrong in every one of "
    "its queries. A count of few rows is mostly chance: read it against the floor."
)
_GROUP_CAVEAT = (
    "Means only: a group's spread and shape are not looked at. Small groups vary in the real table too, and groups of "
    f"fewer than {MIN_GROUP} train rows are left out: read it against the floor."
)
INFOS = COUNT, COUNT_95, GROUP, GROUP_95 = (
    MetricInfo(
        name="count_query_error",
        title="Count queries, median error",
        group="fidelity",
        direction=Direction.LOWER,
        meaning=f"{_COUNTS}: the median, from 0 upwards.",
        caveat=_COUNT_CAVEAT,
    ),
    MetricInfo(
        name="count_query_error_95",
        title="Count queries, 95th percentile",
        group="fidelity",
        direction=Direction.LOWER,
        secondary=True,
        meaning=f"{_COUNTS}: the error that 95 % of the queries stay below, from 0 upwards.",
        caveat=_COUNT_CAVEAT,
    ),
    MetricInfo(
        name="group_query_error",
        title="Group means, median error",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        secondary=True,
        meaning=f"{_GROUPS}: the median, from 0 to 100 %.",
        caveat=_GROUP_CAVEAT,
    ),
    MetricInfo(
        name="group_query_error_95",
        title="Group means, 95th percentile",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        secondary=True,
        meaning=f"{_GROUPS}: the error that 95 % of the queries stay below, from 0 to 100 %.",
        caveat=_GROUP_CAVEAT,
    ),
)


class Condition(NamedTuple):
    """Rows whose number lies in [low, high], or whose level is among `levels`."""

    column: str
    low: float
    high: float
    levels: Mask | None  # by code; None for a range of numbers

    def holds(self, column: EncodedColumn) -> Mask:
        """Shape (n_rows,)."""
        if self.levels is not None:
            found: Mask = self.levels[column.codes]
            return found
        assert column.values is not None
        inside: Mask = (column.codes == 0) & (column.values >= self.low) & (column.values <= self.high)
        return inside


def count_share(conditions: Sequence[Condition], table: EncodedTable) -> float:
    """The share of the rows that meet every condition; the table has rows."""
    met = np.ones(table.n_rows, dtype=np.bool_)
    for condition in conditions:
        met &= condition.holds(table.columns[condition.column])
    return float(met.mean())


def relative_error(train: float, other: float) -> float:
    """Of a share of the rows, with the sanity bound."""
    return abs(other - train) / max(train, SANITY)


@dataclass(frozen=True, slots=True)
class Workload:
    """Random counts and group means; at most 100,000 rows of each table are read."""

    n_counts: int = N_COUNTS
    n_groupings: int = N_GROUPINGS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row per figure; its parts are the columns in whose queries errors are largest."""
        tables = (data.encoded_train, data.encoded_synthetic, data.encoded_holdout)
        names = list(tables[0].columns)
        if fault := unusable(data):
            return not_applicable(fault, *(info.name for info in INFOS))
        most = affordable_rows(len(names), most=MAX_ROWS, cells=MAX_CELLS_READ)
        drawn = [
            draw_rows(table, most, streams.generator("metrics/workload/rows", min(side, 1)))
            for side, table in enumerate(tables)
        ]
        counts = self._counts(drawn, streams.generator("metrics/workload/counts"))
        groups = self._groupings(drawn, streams.generator("metrics/workload/groups"))
        return (*counts, *groups)

    def _counts(self, tables: Sequence[EncodedTable], rng: np.random.Generator) -> tuple[MetricResult, ...]:
        train, synthetic, holdout = tables
        samples = {
            name: Sample.of(numbers_of(column)) if column.variable.is_continuous else None
            for name, column in train.columns.items()
        }
        queries = [draw_query(train, samples, rng) for _ in range(self.n_counts)]
        shares = [[count_share(query, table) for query in queries] for table in tables if table.n_rows]
        errors = [
            np.array([relative_error(a, b) for a, b in zip(shares[0], side, strict=True)])
            for side in shares[1:]
        ]
        asked = [tuple(condition.column for condition in query) for query in queries]
        note = f"{len(queries)} queries; {train.n_rows:,}, {synthetic.n_rows:,} and {holdout.n_rows:,} rows"
        return _rows((COUNT, COUNT_95), errors, asked, note)

    def _groupings(
        self, tables: Sequence[EncodedTable], rng: np.random.Generator
    ) -> tuple[MetricResult, ...]:
        train = tables[0]
        cells = [
            {name: binning.cells(table.columns[name]) for name, binning in binnings_of(train).items()}
            for table in tables
        ]
        numbers = {name: Scale.of(column) for name, column in train.columns.items()}
        lines = {name: line for name, line in numbers.items() if line is not None}
        pairs = [
            (by, of)
            for by in train.columns
            for of in lines
            if by != of and _n_cells(cells[0][by]) <= MAX_GROUPS
        ]
        if not pairs:
            reason = "needs a number that varies, and another column to group it by"
            return not_applicable(reason, GROUP.name, GROUP_95.name)
        chosen = [pairs[k] for k in rng.permutation(len(pairs))[: self.n_groupings]]
        errors = [
            np.array(
                [
                    lines[of].error((cells[0][by], cells[side][by]), (train.columns[of], table.columns[of]))
                    for by, of in chosen
                ]
            )
            for side, table in enumerate(tables)
            if side and table.n_rows
        ]
        note = (
            f"{len(chosen)} of {len(pairs):,} queries"
            if len(chosen) < len(pairs)
            else f"{len(pairs)} queries"
        )
        return _rows((GROUP, GROUP_95), errors, chosen, note)


def _n_cells(cells: npt.NDArray[np.uint16]) -> int:
    return len(np.unique(cells))


def draw_query(
    train: EncodedTable, samples: Mapping[str, Sample | None], rng: np.random.Generator
) -> list[Condition]:
    """One to three conditions on different columns; ranges end at quantiles of train, which has rows."""
    names = list(train.columns)
    n = min(len(names), int(rng.integers(1, MAX_CONDITIONS + 1)))
    chosen = rng.choice(len(names), n, replace=False)
    return [_draw_condition(names[k], train.columns[names[k]], samples[names[k]], rng) for k in chosen]


def _draw_condition(
    name: str, column: EncodedColumn, sample: Sample | None, rng: np.random.Generator
) -> Condition:
    ends = np.sort(rng.random(2))
    if sample is not None and sample.n:
        low, high = sample.quantile(ends).tolist()
        return Condition(name, low, high, None)
    seen = np.unique(column.codes)  # in train: a query that nothing answers would say nothing
    levels = np.zeros(column.variable.n_levels + 1, dtype=np.bool_)
    if column.variable.is_ordered:
        first, last = np.floor(ends * len(seen)).astype(np.intp)
        levels[seen[first] : seen[last] + 1] = True
    else:
        n = int(rng.integers(1, max(2, len(seen))))  # some and, where there are two, not all
        levels[rng.choice(seen, n, replace=False)] = True
    return Condition(name, 0.0, 0.0, levels)


class Scale(NamedTuple):
    """The standard deviation of a number column in train, after division by `unit`, its largest size."""

    unit: float
    deviation: float

    @classmethod
    def of(cls, train: EncodedColumn) -> Scale | None:
        """None for a discrete column, and for one that does not vary."""
        if train.values is None:
            return None
        numbers = numbers_of(train).astype(np.float64)
        unit = max(1.0, float(np.abs(numbers).max(initial=0.0)))
        deviation = float((numbers / unit).std()) if len(numbers) else 0.0
        return cls(unit, deviation) if deviation > 0 else None

    def error(
        self,
        groups: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]],
        columns: tuple[EncodedColumn, EncodedColumn],
    ) -> float:
        """The weighted difference of group means, in [0, 1]; NaN where no group is large enough."""
        n = 1 + max(int(side.max(initial=0)) for side in groups)
        counts, means = [], []
        for group, column in zip(groups, columns, strict=True):
            assert column.values is not None
            weights = (column.codes == 0).astype(np.float64)
            counts.append(np.bincount(group, weights, minlength=n))
            sums = np.bincount(group, weights * (column.values / self.unit), minlength=n)
            means.append(sums / np.maximum(1.0, counts[-1]))
        kept = counts[0] >= MIN_GROUP
        if not kept.any():
            return float("nan")
        apart = np.minimum(1.0, np.abs(means[1] - means[0]) / self.deviation)
        apart = np.where(counts[1] > 0, apart, 1.0)
        return float((counts[0] * apart)[kept].sum() / counts[0][kept].sum())


def _rows(
    infos: tuple[MetricInfo, MetricInfo],
    errors: Sequence[Errors],
    asked: Sequence[Sequence[str]],
    note: str,
) -> tuple[MetricResult, ...]:
    """Median and 95th percentile of the queries' errors, of synthetic and (the floor) of the holdout."""
    defined = np.isfinite(errors[0])
    if not defined.any():
        reason = f"no group has {MIN_GROUP} rows of train"
        return not_applicable(reason, *(info.name for info in infos))
    found = [side[defined] for side in errors]
    parts = _by_column(found, [names for names, kept in zip(asked, defined, strict=True) if kept])
    return tuple(
        MetricResult(
            metric=info.name,
            value=float(np.quantile(found[0], q)),
            floor=float(np.quantile(found[1], q)) if len(found) > 1 else None,
            reason=note,
            details=parts if k == 0 else (),
        )
        for k, (info, q) in enumerate(zip(infos, (0.5, 0.95), strict=True))
    )


def _by_column(errors: Sequence[Errors], asked: Sequence[Sequence[str]]) -> tuple[Detail, ...]:
    """The columns whose queries have the largest mean errors."""
    means: Mapping[str, list[float]] = {
        name: [
            float(np.mean([error for error, names in zip(side, asked, strict=True) if name in names]))
            for side in errors
        ]
        for name in dict.fromkeys(name for names in asked for name in names)
    }
    worst = sorted(means, key=lambda name: -means[name][0])[:MAX_PARTS]
    return tuple(
        Detail(label=name, value=means[name][0], floor=means[name][1] if len(errors) > 1 else None)
        for name in worst
    )
