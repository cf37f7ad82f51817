"""What a learner trained on synthetic rows is worth on real ones: TSTR against TRTR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.intervals import bootstrap_interval, delong_auc
from tabsynth.metrics.learners import Boosting, Features, Matrix, in_parallel, predict
from tabsynth.metrics.sampling import affordable_rows, take_rows
from tabsynth.metrics.scores import Scorer, binary_auc, macro_auc, macro_f1, r2_score
from tabsynth.randomness import Streams

MIN_ROWS = 10
MAX_ROWS = 100_000
MAX_CELLS_READ = 40_000_000
MAX_CLASSES = 50

_MEANING = (
    "Trained on synthetic, tested on real: gradient boosted trees learn the target from synthetic rows and "
    "are scored on the holdout"
)
_FLOOR = "The floor is the same learner trained on as many train rows (TRTR)"
_CAVEAT = (
    "One target and one learner: a table can serve this task and fail another. The interval covers the "
    "holdout's rows, not the luck of the synthetic table."
)

INFOS = (
    MetricInfo(
        name="tstr_auc",
        title="Utility (AUC)",
        group="utility",
        direction=Direction.HIGHER,
        chance=0.5,
        meaning=(
            f"{_MEANING} by the area under the ROC curve (the mean over one-against-rest curves with more than "
            f"two classes). {_FLOOR}."
        ),
        caveat=f"{_CAVEAT} A rank measure: predicted probabilities may still be off.",
    ),
    MetricInfo(
        name="tstr_f1",
        title="Utility (macro F1)",
        group="utility",
        direction=Direction.HIGHER,
        meaning=f"{_MEANING} by the F1 of each class, averaged with equal weight. {_FLOOR}.",
        caveat=f"{_CAVEAT} Rare classes weigh as much as common ones, so a few rows can move it.",
    ),
    MetricInfo(
        name="tstr_r2",
        title="Utility (R²)",
        group="utility",
        direction=Direction.HIGHER,
        chance=0.0,
        meaning=f"{_MEANING} by the share of the target's variance explained; below 0 is worse than its mean. {_FLOOR}.",
        caveat=f"{_CAVEAT} With heavy tails a few extreme rows decide it.",
    ),
)

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.float64]
Scorers = Mapping[str, Scorer]


class Unusable(Exception):  # noqa: N818
    """Why a target cannot be scored; `metric` names the row that says so."""

    def __init__(self, metric: str, reason: str) -> None:
        super().__init__(reason)
        self.metric, self.reason = metric, reason


@dataclass(frozen=True, slots=True)
class Task:
    """The rows of each table that have a usable target, and the learner's objective."""

    target: str
    synthetic: EncodedTable
    train: EncodedTable
    holdout: EncodedTable
    objective: Mapping[str, str | int]
    label: Callable[[EncodedColumn], Labels]

    def labels(self, table: EncodedTable) -> Labels:
        return self.label(table.columns[self.target])

    def predictions(self, learn_from: EncodedTable, learner: Boosting) -> Matrix:
        """On the holdout, of a learner that has seen `learn_from`."""
        features = Features.of((self.synthetic, self.train, self.holdout), without=self.target)
        booster = learner.fit(
            features.matrix(learn_from), self.labels(learn_from), features=features, objective=self.objective
        )
        return predict(booster, features.matrix(self.holdout))


@dataclass(frozen=True, slots=True)
class Utility:
    """TSTR for the evaluation's target, beside TRTR."""

    n_rounds: int = 200
    max_rows: int = MAX_ROWS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row for a number or a target of two classes, two rows with more classes."""
        try:
            return self._scores(data, streams)
        except Unusable as fault:
            return (MetricResult(metric=fault.metric, status=Status.NOT_APPLICABLE, reason=fault.reason),)

    def _scores(self, data: EvalData, streams: Streams) -> tuple[MetricResult, ...]:
        task, scorers = self.task(data, streams)
        return _rows(task, scorers, self._learner(task, streams), streams)

    def task(self, data: EvalData, streams: Streams) -> tuple[Task, Scorers]:
        """The rows that learners are taught and asked, and the scores by name; raises `Unusable`."""
        if data.target is None:
            raise Unusable("tstr_auc", "no target was named")
        kind = data.train.schema[data.target].kind
        if not kind.is_modelled:
            raise Unusable("tstr_auc", f"the target is of kind {kind.value}, which is not modelled")
        if len(data.encoded_train.columns) < 2:
            raise Unusable("tstr_auc", "there is no column to predict the target from")
        if kind.is_continuous:
            return self._regression(data, data.target, streams)
        return self._classification(data, data.target, streams)

    def _learner(self, task: Task, streams: Streams) -> Boosting:
        seed = int(streams.generator("metrics/utility/learner").integers(2**31))
        # every round grows one tree per class
        n_rounds = max(20, 2 * self.n_rounds // int(task.objective.get("num_class", 2)))
        return Boosting(seed=seed, n_rounds=n_rounds)

    def _regression(self, data: EvalData, target: str, streams: Streams) -> tuple[Task, Scorers]:
        tables = self._usable(data, target, lambda column: column.codes == 0, "tstr_r2", streams)
        in_train, in_holdout = (table.columns[target].as_float() for table in tables[1:])
        centre, scale = float(in_train.mean()), float(in_train.std())
        if not 0 < scale < np.inf or in_holdout.min() == in_holdout.max():
            raise Unusable(
                "tstr_r2", "the target does not vary, or beyond all scale, in train or in the holdout"
            )

        def label(column: EncodedColumn) -> Labels:
            return (column.as_float() - centre) / scale

        return Task(target, *tables, {"objective": "regression"}, label), {"tstr_r2": r2_score}

    def _classification(self, data: EvalData, target: str, streams: Streams) -> tuple[Task, Scorers]:
        column = data.encoded_train.columns[target]
        null_code = column.variable.null_code
        seen = np.unique(column.codes)
        classes = seen[(seen < column.variable.n_levels) & (seen != (-1 if null_code is None else null_code))]
        if not 2 <= len(classes) <= MAX_CLASSES:
            found = f"the target has {len(classes):,} classes in train"
            raise Unusable("tstr_auc", f"{found}; from 2 to {MAX_CLASSES} can be scored")
        tables = self._usable(
            data, target, lambda column: np.isin(column.codes, classes), "tstr_auc", streams
        )
        for name, table in (("train", tables[1]), ("holdout", tables[2])):
            if len(np.unique(table.columns[target].codes)) < 2:
                raise Unusable("tstr_auc", f"the target has one class in {name}")

        def label(column: EncodedColumn) -> Labels:
            return np.searchsorted(classes, column.codes).astype(np.float64)

        if len(classes) == 2:
            return Task(target, *tables, {"objective": "binary"}, label), {"tstr_auc": binary_auc}
        objective: dict[str, str | int] = {"objective": "multiclass", "num_class": len(classes)}
        return Task(target, *tables, objective, label), {"tstr_auc": macro_auc, "tstr_f1": macro_f1}

    def _usable(
        self,
        data: EvalData,
        target: str,
        is_usable: Callable[[EncodedColumn], Mask],
        metric: str,
        streams: Streams,
    ) -> tuple[EncodedTable, EncodedTable, EncodedTable]:
        """Rows with a usable target: as many of synthetic as of train, and those of the holdout."""
        tables = {
            "synthetic": data.encoded_synthetic,
            "train": data.encoded_train,
            "holdout": data.encoded_holdout,
        }
        found = {name: np.flatnonzero(is_usable(table.columns[target])) for name, table in tables.items()}
        for name, rows in found.items():
            if len(rows) < MIN_ROWS:
                reason = f"needs {MIN_ROWS} rows with a usable target, {name} has {len(rows)}"
                raise Unusable(metric, reason)
        most = affordable_rows(len(data.encoded_train.columns), most=self.max_rows, cells=MAX_CELLS_READ)
        n_learn = min(len(found["synthetic"]), len(found["train"]), most)
        wanted = {"synthetic": n_learn, "train": n_learn, "holdout": most}
        synthetic, train, holdout = (
            take_rows(
                table, streams.generator("metrics/utility/rows", k).permutation(found[name])[: wanted[name]]
            )
            for k, (name, table) in enumerate(tables.items())
        )
        return synthetic, train, holdout


def _rows(task: Task, scorers: Scorers, learner: Boosting, streams: Streams) -> tuple[MetricResult, ...]:
    """One row per score: of the learner that saw synthetic rows, with that of the other as floor."""
    labels = task.labels(task.holdout)
    whole = np.ones(len(labels))
    varies = np.ptp(task.labels(task.synthetic)) > 0
    learnt_from = [task.train, task.synthetic] if varies else [task.train]
    real, *made = in_parallel([partial(task.predictions, table, learner) for table in learnt_from])
    note = f"learnt from {task.train.n_rows:,} rows of each table"
    results = []
    for metric, scorer in scorers.items():
        floor = scorer(labels, real)(whole)
        if not made:
            reason = "the target does not vary in the synthetic table"
            results.append(MetricResult(metric=metric, floor=floor, status=Status.FAILED, reason=reason))
            continue
        score = scorer(labels, made[0])
        if scorer is binary_auc:
            interval = delong_auc(made[0][labels == 1], made[0][labels == 0]).interval
        else:
            rng = streams.generator("metrics/utility/bootstrap")
            interval = bootstrap_interval(score, n=len(labels), rng=rng)
        results.append(
            MetricResult(metric=metric, value=score(whole), floor=floor, interval=interval, reason=note)
        )
    return tuple(results)
