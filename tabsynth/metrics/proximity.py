"""Exact copies and nearest rows: cheap alarms, and no evidence of privacy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.intervals import wilson_interval
from tabsynth.metrics.samples import Sample, numbers_of
from tabsynth.metrics.sampling import draw_rows, take_rows
from tabsynth.randomness import Streams

MAX_ROWS = 10_000
MAX_LEVELS = 64  # of one column that have a coordinate each; rarer ones share the last
MAX_COORDINATES = 20_000_000  # rows times coordinates of one embedding
CHUNK = 1_000
CLUMPED = 10  # rows to one that counts, beyond which a reader is told

COPIES = MetricInfo(
    name="exact_copies",
    title="Exact copies",
    group="proximity",
    direction=Direction.LOWER,
    percent=True,
    meaning=(
        "The share of synthetic rows that equal some train row in every modelled column. The floor is the share of "
        "holdout rows that do: what chance and few columns explain."
    ),
    caveat=(
        "An alarm, no evidence of privacy: above its floor it proves copying, at its floor it proves nothing, "
        "for a model can leak without repeating one row, and a changed digit hides a copy."
    ),
    smoke_test=True,
)
NEAREST = MetricInfo(
    name="nearest_row_share",
    title="Nearest row in train",
    group="proximity",
    direction=Direction.HALF,
    percent=True,
    meaning=(
        "The share of synthetic rows whose nearest real row is in train rather than in an equally large sample of "
        "the holdout, ties counted half; 50 % is what fresh real rows get. The floor asks it of other holdout rows."
    ),
    caveat=(
        "An alarm, no evidence of privacy: well above 50 % the rows hug train, but at 50 % a model may still have "
        "memorised people, for statistics that are learnt too exactly leave no near row behind. The interval covers "
        "the synthetic rows alone; those with the same nearest row count together, so it is wide where they lie in clumps."
    ),
    smoke_test=True,
)


@dataclass(frozen=True, slots=True)
class ExactCopies:
    """Rows that also stand in train, over every modelled column."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (COPIES,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:  # noqa: ARG002
        train, synthetic, holdout = data.encoded_train, data.encoded_synthetic, data.encoded_holdout
        if fault := _fault({"train": train, "synthetic": synthetic}):
            return (MetricResult(metric=COPIES.name, status=Status.NOT_APPLICABLE, reason=fault),)
        rate = float(is_copy(synthetic, of=train).mean())
        return (
            MetricResult(
                metric=COPIES.name,
                value=rate,
                floor=float(is_copy(holdout, of=train).mean()) if holdout.n_rows else None,
                interval=wilson_interval(rate, synthetic.n_rows),
            ),
        )


def _fault(tables: dict[str, EncodedTable]) -> str:
    for name, table in tables.items():
        if not table.columns:
            return "no column is modelled"
        if table.n_rows == 0:
            return f"the {name} table has no rows"
    return ""


def _words(column: EncodedColumn) -> list[npt.NDArray[np.uint64]]:
    """The cells as 64-bit words: codes and, of a continuous column, the bits of its numbers."""
    words = [column.codes.astype(np.uint64)]
    if column.values is not None:
        words.append((column.values + 0).view(np.uint64))  # + 0 makes a negative zero positive
    return words


def row_hashes(table: EncodedTable) -> npt.NDArray[np.uint64]:
    """One 64-bit hash per row, shape (n_rows,): equal rows have equal hashes, the converse is likely."""
    hashes = np.zeros(table.n_rows, dtype=np.uint64)
    for column in table.columns.values():
        for words in _words(column):
            # the finaliser of splitmix64 (Steele, Lea & Flood 2014)
            mixed = hashes + words + np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            hashes = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(3)
    return hashes


def is_copy(table: EncodedTable, *, of: EncodedTable) -> npt.NDArray[np.bool_]:
    """Which rows of `table` equal some row of `of` in every column, shape (n_rows,).

    Hashes find candidates, cells decide.
    """
    hashes, known = row_hashes(table), row_hashes(of)
    order = np.argsort(known, kind="stable")
    first, last = (np.searchsorted(known[order], hashes, side=side) for side in ("left", "right"))
    copied = np.zeros(table.n_rows, dtype=np.bool_)
    pending, step = np.flatnonzero(first < last), 0
    while len(pending):
        candidates = order[first[pending] + step]
        equal = np.ones(len(pending), dtype=np.bool_)
        for name, column in table.columns.items():
            for ours, theirs in zip(_words(column), _words(of.columns[name]), strict=True):
                equal &= ours[pending] == theirs[candidates]
        copied[pending[equal]] = True
        step += 1
        pending = pending[~equal & (first[pending] + step < last[pending])]
    return copied


@dataclass(frozen=True, slots=True)
class NearestRows:
    """Whether synthetic rows lie nearer to train than to rows that the model never saw."""

    max_rows: int = MAX_ROWS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (NEAREST,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row. Half of the holdout, at most, is the reference beside train; the rest asks the floor."""
        tables = (data.encoded_synthetic, data.encoded_train, data.encoded_holdout)
        synthetic, train, holdout = tables
        fault = _fault({"train": train, "synthetic": synthetic})
        if not fault and holdout.n_rows < 2:
            fault = f"needs 2 rows of the holdout, found {holdout.n_rows}"
        if fault:
            return (MetricResult(metric=NEAREST.name, status=Status.NOT_APPLICABLE, reason=fault),)
        space = Space.of(train, tables)
        most = min(self.max_rows, max(100, MAX_COORDINATES // space.n_coordinates))
        n_reference = min(train.n_rows, holdout.n_rows // 2, most)
        rng = streams.generator("metrics/proximity/rows")
        shuffled = rng.permutation(holdout.n_rows)
        references = [
            space.embed(draw_rows(train, n_reference, rng)),
            space.embed(take_rows(holdout, shuffled[:n_reference])),
        ]
        asked = draw_rows(synthetic, most, rng)
        rest = take_rows(holdout, shuffled[n_reference:][:most])
        found = nearer(space.embed(asked), *references)
        said = f"{asked.n_rows:,} synthetic rows against {n_reference:,} rows of train and of the holdout"
        clumped = ""
        if CLUMPED * found.n_effective < asked.n_rows:
            clumped = f"; in clumps, so that they count as {round(found.n_effective):,}"
        result = MetricResult(
            metric=NEAREST.name,
            value=found.share,
            floor=nearer(space.embed(rest), *references).share,
            interval=wilson_interval(found.share, found.n_effective),
            reason=said + clumped,
        )
        return (result,)


@dataclass(frozen=True, slots=True)
class Line:
    """Where a column's numbers lie: 0 at train's .01 quantile, 1 at its .99, and a log scale beyond."""

    start: float
    spread: float

    @classmethod
    def of(cls, train: EncodedColumn) -> Line:
        sample = Sample.of(numbers_of(train))
        if sample.n == 0:
            return cls(0.0, 1.0)
        return cls(float(sample.quantile(0.01)), sample.spread() or 1.0)

    def position(self, column: EncodedColumn) -> npt.NDArray[np.float64]:
        """Shape (n_rows,); .5 where the cell is not a number."""
        assert column.values is not None
        position = (column.values - self.start) / self.spread
        inside = np.clip(position, 0.0, 1.0)
        beyond = position - inside
        position = inside + np.sign(beyond) * np.log1p(np.abs(beyond))
        return np.where(column.codes == 0, position, 0.5)


@dataclass(frozen=True, slots=True)
class Space:
    """Coordinates in which the squared distance is twice a Gower-like one.

    A level that differs counts 1; a number counts its squared difference in position. Levels that are
    rare in train share a coordinate, so rows are never taken for farther apart than they are.
    """

    lines: dict[str, Line]
    levels: dict[str, npt.NDArray[np.intp]]  # code to coordinate, where a column has several levels
    n_coordinates: int

    @classmethod
    def of(cls, train: EncodedTable, tables: Sequence[EncodedTable]) -> Space:
        lines, levels, n = {}, {}, 0
        for name, column in train.columns.items():
            if column.variable.is_continuous:
                lines[name] = Line.of(column)
                n += 1
                if not any(table.columns[name].codes.any() for table in tables):
                    continue
            counts = np.bincount(column.codes, minlength=column.variable.n_levels + 1)
            coordinates = np.empty(len(counts), dtype=np.intp)
            coordinates[np.argsort(-counts, kind="stable")] = np.minimum(
                np.arange(len(counts)), MAX_LEVELS - 1
            )
            levels[name] = coordinates
            n += int(coordinates.max()) + 1
        return cls(lines, levels, n)

    def embed(self, table: EncodedTable) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
        """Shape (n_rows, n_coordinates).

        Levels are 0 and 1, so distances between them are exact in single precision; where there are few
        coordinates, near rows may be very near, and double precision is cheap.
        """
        dtype = np.float64 if self.n_coordinates <= 64 else np.float32
        space = np.zeros((table.n_rows, self.n_coordinates), dtype=dtype)
        rows, start = np.arange(table.n_rows), 0
        for name, column in table.columns.items():
            if name in self.lines:
                space[:, start] = np.sqrt(2.0) * self.lines[name].position(column)
                start += 1
            if name in self.levels:
                coordinates = self.levels[name]
                space[rows, start + coordinates[column.codes]] = 1.0
                start += int(coordinates.max()) + 1
        return space


@dataclass(frozen=True, slots=True)
class Nearer:
    """How many queries are nearer to one table than to another, as a share, and how many of them tell something of their own."""

    share: float
    n_effective: float


def nearer(
    queries: npt.NDArray[np.floating], first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]
) -> Nearer:
    """The share of queries whose nearest row is in `first` rather than in `second`, ties counted half.

    All have shape (n_rows, n_coordinates). Distances that differ by less than rounding can explain tie. Queries with the same
    nearest row say the same: where they lie in clumps, a few coins were tossed. `n_effective` is Kish's (1965, Survey
    Sampling) effective number of them: (Σc)² / Σc² over the numbers of queries with one nearest row.
    """
    norms = [(reference**2).sum(axis=1) for reference in (first, second)]
    turned = [-2.0 * reference.T for reference in (first, second)]
    largest = max(float(norm.max()) for norm in norms)
    tolerance = 8 * float(np.finfo(queries.dtype).eps) * (1.0 + largest)
    won, counts = 0.0, np.zeros(len(first) + len(second), dtype=np.int64)
    for start in range(0, len(queries), CHUNK):
        chunk = queries[start : start + CHUNK]
        nearest, rows = [], []
        for norm, reference in zip(norms, turned, strict=True):
            distances = chunk @ reference  # less the query's own norm, which is the same for both
            distances += norm
            rows.append(distances.argmin(axis=1))
            nearest.append(np.take_along_axis(distances, rows[-1][:, None], axis=1)[:, 0])
        lead = nearest[1] - nearest[0]
        won += float((lead > tolerance).sum() + 0.5 * (np.abs(lead) <= tolerance).sum())
        winners = np.where(lead >= -tolerance, rows[0], len(first) + rows[1])
        counts += np.bincount(winners, minlength=len(counts))
    squares = float((counts.astype(np.float64) ** 2).sum())
    return Nearer(share=won / len(queries), n_effective=len(queries) ** 2 / squares)
