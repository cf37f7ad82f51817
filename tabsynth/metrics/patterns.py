"""Structure that marginals average away: cells missing together, dependencies, and rows in the tails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.fidelity_columns import table_mean
from tabsynth.metrics.fidelity_pairs import MAX_CELLS_READ, MAX_ROWS, choose_pairs
from tabsynth.metrics.pair_view import total_variation
from tabsynth.metrics.samples import Sample, numbers_of
from tabsynth.metrics.sampling import affordable_rows, draw_rows
from tabsynth.randomness import Streams

MIN_SUPPORT = 100
MAX_PAIRS = 2_000
MAX_DEPENDENCIES = 200
OUTER = (0.005, 0.995)
MAX_PARTS = 5
PROBE = 1_000  # rows read first: most pairs that do not hold show it there

MISSINGNESS = MetricInfo(
    name="missingness_tvd",
    title="Missing together",
    group="fidelity",
    direction=Direction.LOWER,
    percent=True,
    meaning=(
        "The total variation distance, from 0 to 100 %, between the two tables' distributions of which columns are "
        "null in a row: the share of rows whose pattern of missing cells (Rubin 1976) would have to change."
    ),
    caveat=(
        "It does not see on what values missingness depends, and special values that stand for missing do not "
        "count. Many patterns and few rows are mostly noise: read it against the floor."
    ),
)
DEPENDENCIES = MetricInfo(
    name="dependencies_kept",
    title="Dependencies kept",
    group="fidelity",
    direction=Direction.HIGHER,
    percent=True,
    meaning=(
        "Of the pairs A → B where A determines B in train without exception, the share (0 to 100 %) that the "
        f"synthetic table keeps without exception. In train at least {MIN_SUPPORT} rows could have broken one: they "
        "repeat a value of A. The parts are the worst: the least share of rows that must go for the dependency to "
        "hold (g3; Kivinen & Mannila 1995)."
    ),
    caveat=(
        "One row breaks a dependency, so see the parts. Some hold in train by chance, above all where B hardly "
        "varies: the floor counts how many real rows break. A dependency counts as kept when it holds among "
        "other values, or when A no longer repeats."
    ),
)
OUTLIERS = MetricInfo(
    name="outlier_error",
    title="Outliers",
    group="fidelity",
    direction=Direction.LOWER,
    meaning=(
        "Whether as many numbers lie beyond train's .005 quantile and beyond its .995 as in train: the differences "
        "of the two shares, each divided by .005, averaged; 0 agrees, 1 is what lost tails score, and tails twice "
        "as heavy; no upper limit. The headline is the mean over number columns."
    ),
    caveat=(
        "It counts how many lie beyond, not how far: tail_error does that. It rests on 1 % of the rows, so it is "
        "noisy below some thousand rows, and blind on a side where train's quantile is its extreme and the "
        "synthetic table does not exceed it. Private tables ought to lose some of their outliers."
    ),
)


def _not_applicable(info: MetricInfo, reason: str) -> tuple[MetricResult, ...]:
    return (MetricResult(metric=info.name, status=Status.NOT_APPLICABLE, reason=reason),)


def _without_rows(data: EvalData) -> str:
    for which, table in (("train", data.encoded_train), ("synthetic", data.encoded_synthetic)):
        if table.n_rows == 0:
            return f"the {which} table has no rows"
    return ""


@dataclass(frozen=True, slots=True)
class MissingnessPatterns:
    """Which columns are null together; all rows are read."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (MISSINGNESS,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:  # noqa: ARG002
        """One row; its parts are the patterns whose shares differ most, by the names of their columns."""
        tables = [data.encoded_train, data.encoded_synthetic, data.encoded_holdout]
        if fault := _without_rows(data):
            return _not_applicable(MISSINGNESS, fault)
        names = [
            name
            for name, column in tables[0].columns.items()
            if any(_is_null(table.columns[name]).any() for table in tables)
        ]
        if not names:
            return _not_applicable(MISSINGNESS, "no cell is null in any of the tables")
        patterns, counts = pattern_counts([null_flags(table, names) for table in tables])
        train, synthetic, holdout = counts
        shares = [side / max(1, side.sum()) for side in counts]
        apart = np.abs(shares[1] - shares[0])
        worst = [i for i in np.argsort(-apart, kind="stable")[:MAX_PARTS] if apart[i] > 0]
        result = MetricResult(
            metric=MISSINGNESS.name,
            value=total_variation(train, synthetic),
            floor=total_variation(train, holdout) if holdout.sum() else None,
            reason=f"{len(patterns):,} patterns over {len(names):,} columns",
            details=tuple(
                Detail(
                    label=_pattern_name(patterns[i], names),
                    value=float(apart[i]),
                    floor=float(abs(shares[2][i] - shares[0][i])) if holdout.sum() else None,
                )
                for i in worst
            ),
        )
        return (result,)


def _is_null(column: EncodedColumn) -> npt.NDArray[np.bool_]:
    code = column.variable.null_code
    return np.zeros(len(column.codes), dtype=np.bool_) if code is None else column.codes == code


def null_flags(table: EncodedTable, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which cells of those columns are null, shape (n_rows, n_names)."""
    return np.column_stack([_is_null(table.columns[name]) for name in names])


def pattern_counts(
    flags: Sequence[npt.NDArray[np.bool_]],
) -> tuple[npt.NDArray[np.bool_], list[npt.NDArray[np.int64]]]:
    """The distinct rows of all tables' flags, shape (n_patterns, n_columns), and how often each has them."""
    packed = np.packbits(np.concatenate(flags), axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    sides = np.split(inverse, np.cumsum([len(side) for side in flags])[:-1])
    return np.concatenate(flags)[first], [np.bincount(side, minlength=len(first)) for side in sides]


def _pattern_name(pattern: npt.NDArray[np.bool_], names: Sequence[str]) -> str:
    null = [name for name, is_null in zip(names, pattern, strict=True) if is_null]
    if not null:
        return "nothing missing"
    more = f" and {len(null) - 3} more" if len(null) > 3 else ""
    return f"missing: {', '.join(null[:3])}{more}"


class Labelled(NamedTuple):
    """A column as labels from 0, equal cells having equal ones, shape (n_rows,); null is a cell."""

    labels: npt.NDArray[np.intp]
    n: int

    @classmethod
    def of(cls, column: EncodedColumn) -> Labelled:
        labels = column.codes.astype(np.int64)
        if column.values is not None:
            _, numbers = np.unique(column.values, return_inverse=True)
            labels = np.where(column.codes == 0, numbers + column.variable.n_levels + 1, labels)
        distinct, dense = np.unique(labels, return_inverse=True)
        return cls(dense, len(distinct))


def determines(a: Labelled, b: Labelled) -> bool:
    """Whether equal labels of `a` always come with equal labels of `b`."""
    seen = np.zeros(a.n, dtype=np.intp)
    for stop in (PROBE, len(a.labels)):
        seen[a.labels[:stop]] = b.labels[:stop]
        if not (seen[a.labels[:stop]] == b.labels[:stop]).all():
            return False
    return True


def g3_error(a: Labelled, b: Labelled) -> float:
    """The least share of rows that must go so that `a` determines `b`, in [0, 1) (Kivinen & Mannila 1995)."""
    keys, counts = np.unique(a.labels.astype(np.int64) * b.n + b.labels, return_counts=True)
    starts = np.flatnonzero(np.diff(keys // b.n, prepend=-1))
    return 1.0 - float(np.maximum.reduceat(counts, starts).sum()) / len(a.labels)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Functional dependencies between two columns that hold in train."""

    min_support: int = MIN_SUPPORT
    max_pairs: int = MAX_PAIRS
    max_rows: int = MAX_ROWS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (DEPENDENCIES,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row; as many synthetic rows are read as holdout rows, where there are any."""
        if fault := _without_rows(data):
            return _not_applicable(DEPENDENCIES, fault)
        train, synthetic, holdout = data.encoded_train, data.encoded_synthetic, data.encoded_holdout
        names = list(train.columns)
        most = affordable_rows(len(names), most=self.max_rows, cells=MAX_CELLS_READ)
        n_other = min(most, synthetic.n_rows, holdout.n_rows or synthetic.n_rows)
        drawn = [
            draw_rows(table, n, streams.generator("metrics/dependencies/rows", side))
            for side, (table, n) in enumerate(((train, most), (synthetic, n_other), (holdout, n_other)))
        ]
        cells = _labelled(drawn[0])
        held, note = self._held(names, cells, streams)
        if not held:
            reason = f"no column determines another in {drawn[0].n_rows:,} rows of train"
            return _not_applicable(DEPENDENCIES, reason)
        value = _errors(held, _labelled(drawn[1]))
        floor = _errors(held, _labelled(drawn[2])) if holdout.n_rows else None
        worst = [
            i for i in np.argsort([-error for error in value], kind="stable")[:MAX_PARTS] if value[i] > 0
        ]
        result = MetricResult(
            metric=DEPENDENCIES.name,
            value=_kept(value),
            floor=None if floor is None else _kept(floor),
            reason=f"{note}; {n_other:,} rows compared",
            details=tuple(
                Detail(label=" → ".join(held[i]), value=value[i], floor=None if floor is None else floor[i])
                for i in worst
            ),
        )
        return (result,)

    def _held(
        self, names: Sequence[str], cells: dict[str, Labelled], streams: Streams
    ) -> tuple[list[tuple[str, str]], str]:
        """The dependencies of train that are asked for, and how many there are."""
        pairs = choose_pairs(names, self.max_pairs, streams)
        held = [
            (a, b)
            for pair in pairs
            for a, b in (pair, pair[::-1])
            if cells[b].n > 1
            and len(cells[a].labels) - cells[a].n >= self.min_support
            and determines(cells[a], cells[b])
        ]
        note = f"{len(held):,} dependenc{'y' if len(held) == 1 else 'ies'}"
        if len(held) > MAX_DEPENDENCIES:
            rng = streams.generator("metrics/dependencies/choice")
            chosen = np.sort(rng.choice(len(held), MAX_DEPENDENCIES, replace=False))
            note = f"{MAX_DEPENDENCIES} of {note}, drawn at random"
            held = [held[i] for i in chosen]
        return held, note


def _labelled(table: EncodedTable) -> dict[str, Labelled]:
    return {name: Labelled.of(column) for name, column in table.columns.items()}


def _errors(held: Sequence[tuple[str, str]], cells: dict[str, Labelled]) -> list[float]:
    return [0.0 if determines(cells[a], cells[b]) else g3_error(cells[a], cells[b]) for a, b in held]


def _kept(errors: Sequence[float]) -> float:
    return sum(error == 0 for error in errors) / len(errors)


@dataclass(frozen=True, slots=True)
class Tails:
    """How many numbers lie beyond train's .005 and .995 quantiles, column by column; all rows are read."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (OUTLIERS,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:  # noqa: ARG002
        """The mean over number columns first, then one row per column, with a part for each side."""
        if fault := _without_rows(data):
            return _not_applicable(OUTLIERS, fault)
        rows = [
            _tails_of(data, name)
            for name, column in data.encoded_train.columns.items()
            if column.variable.is_continuous
        ]
        return (table_mean(OUTLIERS.name, rows, of="columns"), *rows)


def _tails_of(data: EvalData, name: str) -> MetricResult:
    tables = (data.encoded_train, data.encoded_synthetic, data.encoded_holdout)
    train, synthetic, holdout = (Sample.of(numbers_of(table.columns[name])) for table in tables)
    for which, sample in (("train", train), ("the compared table", synthetic)):
        if sample.n == 0:
            reason = f"{which} has no numbers in this column"
            return MetricResult(
                metric=OUTLIERS.name, columns=(name,), status=Status.NOT_APPLICABLE, reason=reason
            )
    errors = outlier_errors(train, synthetic)
    floors = outlier_errors(train, holdout) if holdout.n else None
    return MetricResult(
        metric=OUTLIERS.name,
        columns=(name,),
        value=float(errors.mean()),
        floor=None if floors is None else float(floors.mean()),
        details=tuple(
            Detail(label=label, value=float(errors[i]), floor=None if floors is None else float(floors[i]))
            for i, label in enumerate(("below the .005 quantile", "above the .995 quantile"))
        ),
    )


def outlier_errors(train: Sample, other: Sample) -> npt.NDArray[np.float64]:
    """The difference of the shares below and above, each over .005, shape (2,); neither is empty."""
    low, high = train.quantile(OUTER)
    of_train, of_other = (
        np.array([s.counts[s.values < low].sum(), s.counts[s.values > high].sum()]) / s.n
        for s in (train, other)
    )
    return np.asarray(np.abs(of_other - of_train) / OUTER[0], dtype=np.float64)
