"""Whether a learner can tell synthetic rows from real ones, and by which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode import EncodedTable
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, RocCurve, Status
from tabsynth.metrics.intervals import Auc, delong_auc
from tabsynth.metrics.learners import Boosting, Features, Matrix, in_parallel, predict
from tabsynth.metrics.sampling import affordable_rows, drawn_rows, take_rows
from tabsynth.randomness import Streams
from tabsynth.table import person_codes

N_FOLDS = 3
MIN_ROWS = 10
MAX_ROWS = 20_000
MAX_CELLS_READ = 5_000_000
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
        "The interval does not cover the luck of the folds. Where the schema says who a person is, all rows of "
        "a person are in one fold; the interval takes rows as independent all the same."
    ),
)
PMSE = MetricInfo(
    name="c2st_pmse",
    title="Propensity error",
    group="detection",
    direction=Direction.LOWER,
    meaning=(
        "The mean squared distance from one half of the probability of being synthetic (pMSE, from 0 to 0.25; Snoke "
        "et al. 2018) that the trees of the two-sample test give to rows they have not seen: 0 is guessing, 0.25 is "
        "certainty. The floor asks the same of train rows against holdout rows."
    ),
    caveat=(
        "Trees that are sure without reason raise it where nothing can be told apart, so only its distance to the "
        "floor counts, and figures of other learners are not comparable. An exact copy of train scores the floor: "
        "this says nothing about privacy."
    ),
)


class Trial(NamedTuple):
    """One cross-validated attempt to tell two tables apart."""

    auc: Auc
    roc: RocCurve
    shares: dict[str, float]  # of the total gain, by column
    pmse: float


class Side(NamedTuple):
    """Rows of one table and who each belongs to, shape (n_rows,): one code, one person, on any side.

    `persons` is None where rows stand for themselves: in synthetic tables, and where no person is declared.
    """

    rows: EncodedTable
    persons: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class TwoSampleTest:
    """Classifier two-sample test (Lopez-Paz & Oquab 2017): synthetic against holdout."""

    max_rows: int = MAX_ROWS
    n_folds: int = N_FOLDS
    n_rounds: int = 200

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (C2ST, PMSE)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """Two rows; both trials read the same number of rows of each side."""
        tables = (data.encoded_synthetic, data.encoded_train, data.encoded_holdout)
        n_columns = len(tables[0].columns)
        smallest = min(table.n_rows for table in tables)
        if n_columns == 0 or smallest < MIN_ROWS:
            reason = (
                f"needs {MIN_ROWS} rows of each table, the smallest has {smallest}"
                if n_columns
                else "no column to learn from"
            )
            return _not_applicable(reason)
        n = min(smallest, affordable_rows(n_columns, most=self.max_rows, cells=MAX_CELLS_READ))
        synthetic, train, holdout = (
            _drawn(table, persons, n, streams.generator("metrics/detection/rows", side))
            for side, (table, persons) in enumerate(zip(tables, _persons(data), strict=True))
        )
        fewest = min(n if side.persons is None else len(np.unique(side.persons)) for side in (train, holdout))
        if fewest < MIN_ROWS:
            reason = f"needs {MIN_ROWS} persons in train and in holdout, one of them has {fewest}"
            return _not_applicable(reason)
        value, floor = self.trials(
            {
                "synthetic against holdout": (synthetic, holdout),
                "train against holdout": (train, holdout),
            },
            streams=streams,
        )
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
        propensity = MetricResult(
            metric=PMSE.name, value=value.pmse, floor=floor.pmse, reason=f"{n:,} rows of each table"
        )
        return result, propensity

    def trials(self, tables: Mapping[str, tuple[Side, Side]], *, streams: Streams) -> list[Trial]:
        """For each named pair, out-of-fold scores of the first against the second."""
        contests = [Contest.of(pair, self.n_folds, streams) for pair in tables.values()]
        seed = int(streams.generator("metrics/detection/learner").integers(2**31))
        learner = Boosting(seed=seed, n_rounds=self.n_rounds)
        calls = [
            partial(contest.score_fold, fold, learner) for contest in contests for fold in range(self.n_folds)
        ]
        found = in_parallel(calls)
        by_contest = [found[k : k + self.n_folds] for k in range(0, len(found), self.n_folds)]
        return [
            contest.trial(name, folds)
            for name, contest, folds in zip(tables, contests, by_contest, strict=True)
        ]


def _not_applicable(reason: str) -> tuple[MetricResult, ...]:
    return tuple(
        MetricResult(metric=info.name, status=Status.NOT_APPLICABLE, reason=reason) for info in (C2ST, PMSE)
    )


def _persons(data: EvalData) -> tuple[npt.NDArray[np.int64] | None, ...]:
    """Who the rows of synthetic, train and holdout belong to, real persons by the same codes."""
    unit = data.train.schema.unit.column
    if unit is None:
        return None, None, None
    codes = person_codes(pl.concat([data.train.frame[unit], data.holdout.frame[unit]]))
    return None, codes[: data.train.n_rows], codes[data.train.n_rows :]


def _drawn(
    table: EncodedTable, persons: npt.NDArray[np.int64] | None, n: int, rng: np.random.Generator
) -> Side:
    rows = drawn_rows(table.n_rows, n, rng)
    return Side(take_rows(table, rows), None if persons is None else persons[rows])


def folds_of(sides: Sequence[Side], n_folds: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """The fold of each row, sides one after the other: as many persons (or rows) of a side in each.

    All rows of a person are in the same fold, on both sides.
    """
    known = [side.persons for side in sides if side.persons is not None]
    fold_of = np.full(1 + max((int(codes.max(initial=0)) for codes in known), default=0), -1)
    folds = []
    for side in sides:
        if side.persons is None:
            folds.append(rng.permutation(side.rows.n_rows) % n_folds)
            continue
        present = np.unique(side.persons)
        new = present[fold_of[present] < 0]
        fold_of[new] = rng.permutation(len(new)) % n_folds
        folds.append(fold_of[side.persons])
    return np.concatenate(folds)


class FoldScores(NamedTuple):
    """What a learner says of the rows of one fold, and how much each feature helped it."""

    rows: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float64]
    gains: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contest:
    """Two tables to be told apart: label 1 for the rows of the first, 0 for those of the second."""

    features: Features
    matrix: Matrix
    labels: npt.NDArray[np.float64]
    folds: npt.NDArray[np.intp]

    @classmethod
    def of(cls, pair: tuple[Side, Side], n_folds: int, streams: Streams) -> Self:
        tables = [side.rows for side in pair]
        features = Features.of(tables)
        return cls(
            features,
            np.concatenate([features.matrix(table) for table in tables]),
            np.repeat([1.0, 0.0], [table.n_rows for table in tables]),
            folds_of(pair, n_folds, streams.generator("metrics/detection/folds")),
        )

    def score_fold(self, fold: int, learner: Boosting) -> FoldScores:
        """Score the rows of `fold` by a learner that has seen the others."""
        out = self.folds == fold
        booster = learner.fit(
            self.matrix[~out], self.labels[~out], features=self.features, objective={"objective": "binary"}
        )
        gains = booster.feature_importance(importance_type="gain")
        return FoldScores(np.flatnonzero(out), predict(booster, self.matrix[out]), gains)

    def trial(self, name: str, folds: Sequence[FoldScores]) -> Trial:
        scores = np.empty(len(self.labels))
        for fold in folds:
            scores[fold.rows] = fold.scores
        positive, negative = scores[self.labels == 1], scores[self.labels == 0]
        auc = delong_auc(positive, negative)
        roc = roc_curve(positive, negative, name=name, auc=auc.value)
        gains = np.sum([fold.gains for fold in folds], axis=0)
        return Trial(auc, roc, self.features.by_owner(gains), propensity_error(scores, self.labels))


def propensity_error(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.float64]) -> float:
    """The mean squared distance of the probabilities from the share of label 1 (Snoke et al. 2018)."""
    return float(np.mean((scores - labels.mean()) ** 2))


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
