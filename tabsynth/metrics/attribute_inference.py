"""Attribute inference with a control: is a sensitive value guessed better for those who were in train?

The design is that of Stadler, Oprisanu & Troncoso (2022, "Synthetic data – anonymisation groundhog day",
USENIX Security) and Giomi et al. (2023, "A unified framework for quantifying privacy risk in synthetic
data", PETS): what can be inferred of rows that the model never saw is knowledge of the population, and only
what is inferred beyond that of train rows was learnt from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.cells import not_applicable, sensitive_or_target
from tabsynth.metrics.intervals import wilson_interval
from tabsynth.metrics.learners import Boosting, Features, in_parallel, predict
from tabsynth.metrics.samples import Sample, numbers_of
from tabsynth.metrics.sampling import take_rows
from tabsynth.randomness import Streams

MAX_ROWS = 10_000  # that a learner sees, and that are guessed on each side
MIN_ROWS = 20
MAX_CLASSES = 20
MAX_COLUMNS = 5
N_PARTS = 4  # into which numbers are cut, at train's quartiles

ACCURACY, GAP = INFOS = (
    MetricInfo(
        name="attribute_accuracy",
        title="Attribute inference, accuracy",
        group="disclosure",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "Gradient boosted trees learn a sensitive column from all others on synthetic rows, and guess it for train "
            "rows: the share guessed rightly, numbers by their quarter of train. The floor is the share among train "
            "rows that the same learner guesses after seeing half of the holdout, so none of them."
        ),
        caveat=(
            "A useful table lets much be inferred of everybody, in train or not; that is no leak of train's people. "
            "Above the floor it may be memory, or only more rows to learn from: read the gap."
        ),
    ),
    MetricInfo(
        name="attribute_gap",
        title="Attribute inference, memorisation gap",
        group="disclosure",
        direction=Direction.LOWER,
        meaning=(
            "The accuracy of that learner on train rows less its accuracy on holdout rows that nobody learnt from, in "
            "[-1, 1]: what the synthetic table says of the people it was made from beyond what it says of anybody. "
            "The floor is the gap of a learner that saw other holdout rows, 0 but for chance."
        ),
        caveat=(
            "A gap shown to be above 0 is a leak through this learner. A gap at 0 shows only that this learner found "
            "none on average: a few memorised people hardly move a mean, and one attacker is not every attacker. The "
            "interval and the test take rows as independent and cover their draw, not the fit's."
        ),
    ),
)


def gap_interval(first: float, n_first: int, second: float, n_second: int) -> tuple[float, float]:
    """95 % interval of a difference of two rates from independent rows, n >= 1 each.

    Newcombe's hybrid score interval (1998, Statistics in Medicine 17:873, method 10).
    """
    (low, high), (low_2, high_2) = wilson_interval(first, n_first), wilson_interval(second, n_second)
    gap = first - second
    below = math.hypot(first - low, high_2 - second)
    above = math.hypot(high - first, second - low_2)
    return gap - below, gap + above


def gap_p_value(first: float, n_first: int, second: float, n_second: int) -> float:
    """Two-sided p-value of equal rates: the z test with a pooled variance; 1 where nothing varies."""
    pooled = (first * n_first + second * n_second) / (n_first + n_second)
    variance = pooled * (1 - pooled) * (1 / n_first + 1 / n_second)
    if variance <= 0:
        return 1.0
    return math.erfc(abs(first - second) / math.sqrt(2 * variance))


@dataclass(frozen=True, slots=True)
class Labels:
    """How the cells of one column become classes: a code its own, a number its quarter of train."""

    edges: npt.NDArray[np.float64]
    is_continuous: bool
    n_codes: int

    @classmethod
    def of(cls, train: EncodedColumn) -> Labels:
        edges = np.empty(0)
        if train.variable.is_continuous:
            sample = Sample.of(numbers_of(train))
            if sample.n:
                edges = np.unique(sample.quantile(np.arange(1, N_PARTS) / N_PARTS))
        return cls(edges, train.variable.is_continuous, train.variable.n_levels + 1)

    def labels(self, column: EncodedColumn) -> npt.NDArray[np.intp]:
        """The class of each row, shape (n_rows,)."""
        codes = column.codes.astype(np.intp)
        if not self.is_continuous or column.values is None:
            return codes
        quarters = np.searchsorted(self.edges, column.values, side="right")
        return np.where(codes == 0, self.n_codes + quarters, codes)


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows to learn from (synthetic, half of the holdout) and rows to guess (train, the other half)."""

    synthetic: EncodedTable
    control: EncodedTable
    train: EncodedTable
    outside: EncodedTable

    @classmethod
    def of(cls, data: EvalData, *, most: int, streams: Streams) -> Sides:
        rng = streams.generator("metrics/attribute/rows")
        holdout = rng.permutation(data.encoded_holdout.n_rows)
        half = len(holdout) // 2
        n_learn = min(data.encoded_synthetic.n_rows, half, most)
        rows = [rng.permutation(table.n_rows) for table in (data.encoded_synthetic, data.encoded_train)]
        return cls(
            take_rows(data.encoded_synthetic, rows[0][:n_learn]),
            take_rows(data.encoded_holdout, holdout[:half][:n_learn]),
            take_rows(data.encoded_train, rows[1][:most]),
            take_rows(data.encoded_holdout, holdout[half:][:most]),
        )

    @property
    def fewest(self) -> int:
        return min(table.n_rows for table in (self.synthetic, self.train, self.outside))


@dataclass(frozen=True, slots=True)
class AttributeInference:
    """Accuracy and memorisation gap of each sensitive column, or of the target where none is named."""

    n_rounds: int = 50
    max_rows: int = MAX_ROWS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """Rows of each column; the one with the largest gap speaks for the table."""
        names = sensitive_or_target(data)
        metrics = [info.name for info in INFOS]
        if not names:
            return not_applicable(
                "not applicable: neither a sensitive column nor a target was named", *metrics
            )
        if len(data.encoded_train.columns) < 2:
            return not_applicable("there is no other column to infer it from", *metrics)
        sides = Sides.of(data, most=self.max_rows, streams=streams)
        if sides.fewest < MIN_ROWS:
            reason = f"needs {MIN_ROWS} rows of synthetic, train and each half of the holdout, found {sides.fewest}"
            return not_applicable(reason, *metrics)
        seed = int(streams.generator("metrics/attribute/learner").integers(2**31))
        learner = Boosting(seed=seed, n_rounds=self.n_rounds)
        results = [row for name in names[:MAX_COLUMNS] for row in self._of_column(name, sides, learner)]
        left_out = (
            f"; the first {MAX_COLUMNS} of {len(names)} are attacked" if len(names) > MAX_COLUMNS else ""
        )
        return (*_headlines(results, left_out), *results)

    def _of_column(self, name: str, sides: Sides, learner: Boosting) -> tuple[MetricResult, ...]:
        labels = Labels.of(sides.train.columns[name])
        guessed = [labels.labels(table.columns[name]) for table in (sides.train, sides.outside)]
        n_classes = len(np.unique(np.concatenate(guessed)))
        if not 2 <= n_classes <= MAX_CLASSES:
            reason = f"the column has {n_classes:,} classes in the real rows; from 2 to {MAX_CLASSES} can be guessed"
            return tuple(
                MetricResult(metric=info.name, columns=(name,), status=Status.NOT_APPLICABLE, reason=reason)
                for info in INFOS
            )
        learnt, control = in_parallel(
            [
                partial(_accuracies, name, table, sides, labels, learner)
                for table in (sides.synthetic, sides.control)
            ]
        )
        n_train, n_outside = sides.train.n_rows, sides.outside.n_rows
        tested = learnt[0], n_train, learnt[1], n_outside
        lower, upper = gap_interval(*tested)
        gap = learnt[0] - learnt[1]
        return (
            MetricResult(
                metric=ACCURACY.name,
                columns=(name,),
                value=learnt[0],
                floor=control[0],
                interval=wilson_interval(learnt[0], n_train),
            ),
            MetricResult(
                metric=GAP.name,
                columns=(name,),
                value=gap,
                floor=control[0] - control[1],
                interval=(min(gap, lower), max(gap, upper)),
                reason=(
                    f"{n_train:,} train rows against {n_outside:,} others, learnt from {sides.synthetic.n_rows:,}; "
                    f"two-sample test of a gap of 0: p = {gap_p_value(*tested):.2g}"
                ),
            ),
        )


def _accuracies(
    name: str, learn_from: EncodedTable, sides: Sides, labels: Labels, learner: Boosting
) -> tuple[float, float]:
    """On train rows and on the others, of a learner that has seen `learn_from`."""
    asked = sides.train, sides.outside
    found = guessed_labels(name, learn_from, asked, labels, learner)
    shares = [
        float((guess == labels.labels(table.columns[name])).mean())
        for guess, table in zip(found, asked, strict=True)
    ]
    return shares[0], shares[1]


def guessed_labels(
    name: str, learn_from: EncodedTable, asked: Sequence[EncodedTable], labels: Labels, learner: Boosting
) -> list[npt.NDArray[np.intp]]:
    """The label of column `name` that a learner of `learn_from` guesses for each row of each table."""
    classes, learnt = np.unique(labels.labels(learn_from.columns[name]), return_inverse=True)
    if len(classes) == 1:
        return [np.full(table.n_rows, classes[0]) for table in asked]
    features = Features.of((learn_from, *asked), without=name)
    objective: dict[str, str | int] = {"objective": "multiclass", "num_class": len(classes)}
    if len(classes) == 2:
        objective = {"objective": "binary"}
    # every round grows one tree per class
    learner = replace(learner, n_rounds=max(20, 2 * learner.n_rounds // len(classes)))
    booster = learner.fit(
        features.matrix(learn_from), learnt.astype(np.float64), features=features, objective=objective
    )
    guessed = []
    for table in asked:
        scores = predict(booster, features.matrix(table))
        place = (scores > 0.5).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        guessed.append(classes[place])
    return guessed


def _headlines(rows: list[MetricResult], left_out: str) -> list[MetricResult]:
    """The rows of the column with the largest gap, without its name among the columns."""
    gaps = [row for row in rows if row.metric == GAP.name]
    n_tests = sum(row.value is not None for row in gaps)
    many = f"; the largest of {n_tests} gaps, so p counts {n_tests} times" if n_tests > 1 else ""
    worst = max(gaps, key=lambda row: -2.0 if row.value is None else row.value).columns
    headlines = []
    for row in rows:
        if row.columns == worst:
            said = f"{worst[0]}: {row.reason}" if row.reason else worst[0]
            headlines.append(
                MetricResult(
                    metric=row.metric,
                    value=row.value,
                    floor=row.floor,
                    interval=row.interval,
                    status=row.status,
                    reason=f"{said}{many if row.metric == GAP.name else ''}{left_out}",
                )
            )
    return headlines
