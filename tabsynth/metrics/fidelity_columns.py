"""How far each column of one table lies from the same column of train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.samples import Comparison, Sample, numbers_of
from tabsynth.randomness import Streams

TAILS = (0.001, 0.01, 0.99, 0.999)

_FLOOR = "The floor is the same figure of the real holdout; if the two tables differ much in rows, so does their sampling noise."

INFOS = (
    MetricInfo(
        name="shape_error",
        title="Column shapes",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "The largest difference in probability that any simple question about one column can show: "
            "Kolmogorov-Smirnov for numbers, total variation for levels, both at once where a column has "
            "numbers and special values or nulls. The headline is the mean over columns."
        ),
        caveat=f"Blind to tails, which hold little probability, and to anything between columns. {_FLOOR}",
    ),
    MetricInfo(
        name="wasserstein",
        title="Distance moved",
        group="fidelity",
        direction=Direction.LOWER,
        meaning=(
            "How far numbers would have to be moved on average to turn one column into the other, as a share "
            "of train's range from its .01 to its .99 quantile."
        ),
        caveat="A few extreme values can outweigh everything else; read it beside the tail error.",
    ),
    MetricInfo(
        name="null_rate_error",
        title="Missing cells",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning="The absolute difference in the share of missing cells, for columns that may have any.",
        caveat="Says how many cells are missing, not which: whether they go missing together is in the pairs.",
    ),
    MetricInfo(
        name="category_coverage",
        title="Categories covered",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        meaning="The share of the categories seen in train that occur at all in the other table.",
        caveat=(
            "Grows with the number of rows, and a category held by one person ought to be missing from a "
            "private table: full coverage is not a virtue there."
        ),
    ),
    MetricInfo(
        name="range_coverage",
        title="Range covered",
        group="fidelity",
        direction=Direction.HIGHER,
        percent=True,
        meaning="The share of train's range, from smallest to largest number, that the other table reaches.",
        caveat=(
            "Rests on the two most extreme rows, grows with the number of rows, and covering a single "
            "person's extreme value is a risk rather than a virtue."
        ),
    ),
    MetricInfo(
        name="tail_error",
        title="Tails",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "The mean error of the .001, .01, .99 and .999 quantiles, as a share of train's range from the "
            "first of them to the last: whether rare large and small values look real."
        ),
        caveat="With fewer than some thousand rows the outer quantiles are single rows; trust the floor.",
    ),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What one column of one table is reduced to: its numbers' sample and its levels' counts.

    `levels` counts codes 0 … n_levels ("outside the domain" last), without the numbers of a continuous
    column.
    """

    sample: Sample
    levels: npt.NDArray[np.int64]

    @classmethod
    def of(cls, column: EncodedColumn) -> Profile:
        levels = np.bincount(column.codes, minlength=column.variable.n_levels + 1)
        if column.variable.is_continuous:
            levels[0] = 0
            return cls(Sample.of(numbers_of(column)), levels)
        return cls(Sample.of(np.empty(0, dtype=np.int64)), levels)

    @property
    def n(self) -> int:
        return self.sample.n + int(self.levels.sum())


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one column: a value, or why there is none."""

    value: float | None
    reason: str = ""
    parts: tuple[float, ...] = ()


def column_figures(variable: Variable, train: Profile, other: Profile) -> dict[str, Figure]:
    """Every figure that applies to this kind of column, of `other` against `train`; neither has 0 rows."""
    numbers = Comparison.of(train.sample, other.sample)
    figures = {"shape_error": Figure(numbers.event_distance(train.levels, other.levels))}
    if variable.null_code is not None:
        null_rates = [side.levels[variable.null_code] / side.n for side in (train, other)]
        figures["null_rate_error"] = Figure(abs(float(null_rates[0] - null_rates[1])))
    if variable.is_continuous:
        figures |= _number_figures(train.sample, other.sample, numbers)
    else:
        figures["category_coverage"] = _category_coverage(variable, train, other)
    return figures


def _number_figures(train: Sample, other: Sample, both: Comparison) -> dict[str, Figure]:
    names = ("wasserstein", "range_coverage", "tail_error")
    if train.n == 0 or other.n == 0:
        where = "train" if train.n == 0 else "the compared table"
        return dict.fromkeys(names, Figure(None, f"{where} has no numbers in this column"))
    spread = train.spread()
    if spread == 0:
        return dict.fromkeys(names, Figure(None, "all numbers of train are equal, so there is no range"))
    outer = train.quantile(TAILS)
    errors = np.abs(other.quantile(TAILS) - outer) / max(outer[-1] - outer[0], spread)
    low, high = float(train.values[0]), float(train.values[-1])
    reached = min(high, float(other.values[-1])) - max(low, float(other.values[0]))
    return {
        "wasserstein": Figure(both.wasserstein() / spread),
        "range_coverage": Figure(max(0.0, reached) / (high - low)),
        "tail_error": Figure(float(errors.mean()), parts=tuple(errors.tolist())),
    }


def _category_coverage(variable: Variable, train: Profile, other: Profile) -> Figure:
    seen = train.levels[: variable.n_levels] > 0
    if variable.null_code is not None:
        seen[variable.null_code] = False
    if not seen.any():
        return Figure(None, "train has no category in this column")
    covered = seen & (other.levels[: variable.n_levels] > 0)
    return Figure(float(covered.sum() / seen.sum()))


@dataclass(frozen=True, slots=True)
class ColumnFidelity:
    """Shape, distance, missing cells, coverage and tails of each column, and their means."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:  # noqa: ARG002
        """One row per column and figure, then the mean over columns of each figure."""
        train, synthetic = data.encoded_train, data.encoded_synthetic
        if train.n_rows == 0 or synthetic.n_rows == 0:
            which = "train" if train.n_rows == 0 else "synthetic"
            return tuple(
                MetricResult(
                    metric=info.name, status=Status.NOT_APPLICABLE, reason=f"the {which} table has no rows"
                )
                for info in INFOS
            )
        rows: dict[str, list[MetricResult]] = {info.name: [] for info in INFOS}
        for name in train.columns:
            for result in _column_results(data, name):
                rows[result.metric].append(result)
        means = (table_mean(name, results, of="columns") for name, results in rows.items())
        return (*means, *(result for results in rows.values() for result in results))


def _column_results(data: EvalData, name: str) -> Iterator[MetricResult]:
    variable = data.encoded_train.columns[name].variable
    train = Profile.of(data.encoded_train.columns[name])
    values = column_figures(variable, train, Profile.of(data.encoded_synthetic.columns[name]))
    floors: Mapping[str, Figure] = {}
    if data.encoded_holdout.n_rows:
        floors = column_figures(variable, train, Profile.of(data.encoded_holdout.columns[name]))
    for metric, figure in values.items():
        floor = floors.get(metric, Figure(None))
        parts = zip(TAILS, figure.parts, floor.parts or (None,) * len(TAILS), strict=False)
        yield MetricResult(
            metric=metric,
            columns=(name,),
            value=figure.value,
            floor=floor.value,
            status=Status.OK if figure.value is not None else Status.NOT_APPLICABLE,
            reason=figure.reason,
            details=tuple(Detail(label=f"quantile {q}", value=v, floor=f) for q, v, f in parts),
        )


def table_mean(metric: str, results: Sequence[MetricResult], *, of: str, note: str = "") -> MetricResult:
    """The mean of `results` and of their floors over the rows that have both, or a row saying why not.

    Rows without a value are left out and counted in the reason; `of` names what the rows are.
    """
    found = [result for result in results if result.value is not None]
    if not found:
        reason = f"no {of} it applies to" if not results else f"none of the {len(results)} {of} has a value"
        return MetricResult(metric=metric, status=Status.NOT_APPLICABLE, reason=reason)
    missing = len(results) - len(found)
    notes = [note] if note else []
    if missing:
        notes.append(f"mean of {len(found)} {of}; {missing} more could not be computed")
    floors = [result.floor for result in found if result.floor is not None]
    return MetricResult(
        metric=metric,
        value=float(np.mean([result.value for result in found])),
        floor=float(np.mean(floors)) if floors else None,
        reason="; ".join(notes),
    )
