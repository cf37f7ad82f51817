"""Whether a learner can tell synthetic rows from real ones, and by which columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, RocCurve, Status
from tabsynth.metrics.intervals import Auc, delong_auc
from tabsynth.metrics.learners import Boosting, Features, predict
from tabsynth.metrics.sampling import affordable_rows, draw_rows
from tabsynth.randomness import Streams

N_FOLDS = 3
MIN_ROWS = 10
MAX_ROWS = 20_000
MAX_CELLS_READ = 20_000_000
MAX_ROC_POINTS = 200

C2ST = MetricInfo(
    name="c2st_auc",
    title="Two-sample test",
    group="detection",
    direction=Direction.HALF,
    meaning=(
        "How well gradient boosted trees tell synthetic rows from holdout rows they have not seen (area under "
        "the ROC curve, three-fold cross-validated): 0.5 is guessing, 1 is certainty. The floor asks the same "
        "of train rows against holdout rows."
    ),
    caveat=(
        "One tell-tale in one column, such as a rounding habit, is enough for 1.0, so look which columns gave "
        "it away before judging. An exact copy of train scores a perfect 0.5: this says nothing about privacy. "
        "Well under 0.5 means that both sides share rows; a little under is noise. "
        "The interval does not cover the luck of the folds."
    ),
)


class Trial(NamedTuple):
    """One cross-validated attempt to tell two tables apart."""

    auc: Auc
    roc: RocCurve
    shares: dict[str, float]  # of the total gain, by column


@dataclass(frozen=True, slots=True)
class TwoSampleTest:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): synthetic against holdout."""

    max_rows: int = MAX_ROWS
    n_folds: int = N_FOLDS
    n_rounds: int = 200

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (C2ST,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row; both trials read the same number of rows of each side."""
        tables = (data.encoded_synthetic, data.encoded_train, data.encoded_holdout)
        n_columns = len(tables[0].columns)
        smallest = min(table.n_rows for table in tables)
        if n_columns == 0 or smallest < MIN_ROWS:
            reason = (
                f"needs {MIN_ROWS} rows of each table, the smallest has {smallest}"
                if n_columns
                else "no column to learn from"
            )
            return (MetricResult(metric=C2ST.name, status=Status.NOT_APPLICABLE, reason=reason),)
        n = min(smallest, affordable_rows(n_columns, most=self.max_rows, cells=MAX_CELLS_READ))
        synthetic, train, holdout = (
            draw_rows(table, n, streams.generator("metrics/detection/rows", side))
            for side, table in enumerate(tables)
        )
        value = self.trial(synthetic, holdout, name="synthetic against holdout", streams=streams)
        floor = self.trial(train, holdout, name="train against holdout", streams=streams)
        telling = sorted(value.shares.items(), key=lambda item: -item[1])[:5]
        result = MetricResult(
            metric=C2ST.name,
            value=value.auc.value,
            floor=floor.auc.value,
            interval=value.auc.interval,
            reason=f"{n:,} rows of each table",
            details=tuple(
                Detail(label=name, value=share, floor=floor.shares[name]) for name, share in telling
            ),
            roc=(value.roc, floor.roc),
        )
        return (result,)

    def trial(self, ones: EncodedTable, zeros: EncodedTable, *, name: str, streams: Streams) -> Trial:
        """Out-of-fold scores of `ones` against `zeros`: area, curve, and who gave them away."""
        features = Features.of((ones, zeros))
        matrix = np.concatenate([features.matrix(ones), features.matrix(zeros)])
        labels = np.repeat([1.0, 0.0], [ones.n_rows, zeros.n_rows])
        rng = streams.generator("metrics/detection/folds")
        folds = np.concatenate([rng.permutation(side.n_rows) % self.n_folds for side in (ones, zeros)])
        learner = Boosting(seed=int(rng.integers(2**31)), n_rounds=self.n_rounds)
        scores, gains = np.empty(len(labels)), np.zeros(len(features.owners))
        for fold in range(self.n_folds):
            out = folds == fold
            booster = learner.fit(
                matrix[~out], labels[~out], features=features, objective={"objective": "binary"}
            )
            scores[out] = predict(booster, matrix[out])
            gains += booster.feature_importance(importance_type="gain")
        positive, negative = scores[: ones.n_rows], scores[ones.n_rows :]
        auc = delong_auc(positive, negative)
        roc = roc_curve(positive, negative, name=name, auc=auc.value)
        return Trial(auc, roc, features.by_owner(gains))


def roc_curve(
    positive: npt.NDArray[np.float64], negative: npt.NDArray[np.float64], *, name: str, auc: float
) -> RocCurve:
    """The ROC curve of the scores, from (0, 0) to (1, 1), thinned to at most 200 of its points."""
    thresholds = np.unique(np.concatenate([positive, negative]))
    false, true = (
        np.concatenate([1 - np.searchsorted(np.sort(side), thresholds) / len(side), [0.0]])[::-1]
        for side in (negative, positive)
    )
    if len(false) > MAX_ROC_POINTS:
        # evenly along the curve's length, so that steep starts and flat ends keep their shape
        length = false + true
        wanted = np.linspace(0.0, length[-1], MAX_ROC_POINTS)
        keep = np.unique(np.searchsorted(length, wanted).clip(0, len(length) - 1))
        false, true = false[keep], true[keep]
    return RocCurve(
        name=name,
        false_positive_rate=tuple(false.tolist()),
        true_positive_rate=tuple(true.tolist()),
        auc=auc,
    )
