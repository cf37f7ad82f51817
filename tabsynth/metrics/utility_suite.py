"""More than one learner and more than one question: TSTR, TRTS and augmentation, importances, groups.

TSTR and TRTS are Esteban, Hyland & Rätsch's (2017, "Real-valued medical time series generation"). All fits of the suite
share one draw of rows, so figures can be compared with each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.metrics.attribute_inference import Labels
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.cells import named_columns, not_applicable
from tabsynth.metrics.intervals import bootstrap_interval, delong_auc
from tabsynth.metrics.learners import in_parallel
from tabsynth.metrics.plain_learners import Boosted, Forest, Learner, Linear, Matrix, Taught, n_classes_of
from tabsynth.metrics.samples import midranks
from tabsynth.metrics.sampling import join_rows
from tabsynth.metrics.scores import Scorer, binary_auc, macro_auc, r2_score
from tabsynth.metrics.utility import Task, Unusable, Utility
from tabsynth.randomness import Streams

MAX_ROWS = 10_000  # that a learner sees of each table, and that are asked
MIN_COLUMNS = 3  # whose importances can be ranked
MIN_GROUP = 100  # holdout rows of a group
MIN_CLASS = 10  # of them, of each class
MAX_GROUP_COLUMNS = 5
MAX_GROUPS = 20
MAX_BOOTSTRAP_CLASSES = 10

LEARNERS = {"boosting": "boosted trees", "linear": "linear model", "forest": "random forest"}
_MODEL = {
    "boosting": "gradient boosted trees",
    "linear": "logistic regression (ridge regression of a number)",
    "forest": "a random forest",
}
_SCORE = "by the area under the ROC curve (of more than two classes the mean over one-against-rest curves), or R² of a number"
_SIZE = f"At most {MAX_ROWS:,} rows of each table"
_CAVEAT = "One target; the interval covers the rows that were asked, not the luck of the draw or of the synthetic table."

_SAID = {
    "tstr": (
        "TSTR",
        (
            "Trained on synthetic, tested on real: {who} learns the target from synthetic rows and is scored on the "
            f"holdout, {_SCORE}. The floor is the same on train rows (TRTR). {_SIZE}."
        ),
        "Learners differ in what they need: a linear model is content with means and pairs.",
    ),
    "trts": (
        "TRTS",
        (
            "Trained on real, tested on synthetic: {who} learns from train rows and is scored on synthetic ones, "
            f"{_SCORE}. The floor is its score on the holdout (TRTR). {_SIZE}. Well below the floor, synthetic rows do "
            "not follow what holds in train."
        ),
        (
            "Above the floor is no merit: the table then draws the pattern too strongly, or repeats train rows. A "
            "collapsed table of easy rows scores highest."
        ),
    ),
    "augmented": (
        "Augmentation",
        (
            "Trained on train and synthetic rows together: {who} is scored on the holdout, "
            f"{_SCORE}. The floor is train rows alone. {_SIZE}."
        ),
        (
            "A copy of train changes little, and so does a useless table beside enough real rows. A gain that the "
            "interval does not clear is chance."
        ),
    ),
}


def _scheme_info(scheme: str, learner: str) -> MetricInfo:
    who = _MODEL[learner]
    title, meaning, caveat = _SAID[scheme]
    return MetricInfo(
        name=f"{scheme}_{learner}",
        title=f"{title}, {LEARNERS[learner]}",
        group="utility",
        direction=Direction.HIGHER,
        secondary=True,
        meaning=meaning.format(who=who),
        caveat=f"{caveat} {_CAVEAT}",
    )


SCHEMES = tuple(
    (scheme, learner)
    for scheme in ("tstr", "trts", "augmented")
    for learner in LEARNERS
    if (scheme, learner) != ("tstr", "boosting")  # `Utility` has it, on more rows
)
IMPORTANCE = MetricInfo(
    name="importance_agreement",
    title="Feature importance",
    group="utility",
    direction=Direction.HIGHER,
    meaning=(
        "Whether a model trained on synthetic rows leans on the same columns: Spearman's rank correlation, from -1 to 1, "
        "between the columns' shares of the gain of boosted trees that learn the target on synthetic and on train rows. "
        f"The floor is that of trees trained on the holdout. {_SIZE}. The parts are the shares that differ most."
    ),
    caveat=(
        "Columns that hardly matter are ranked by chance, in real tables too: read the floor. Of two columns that say "
        "the same, trees take either. It compares rankings, not how well the model does."
    ),
)
GROUPS = MetricInfo(
    name="group_utility",
    title="Utility, worst group",
    group="utility",
    direction=Direction.HIGHER,
    meaning=(
        "The score on the holdout of boosted trees trained on synthetic rows, within the group where they fall furthest "
        f"behind trees trained on train rows, whose score there is the floor: {_SCORE}. Groups are the levels of the "
        "quasi-identifiers and sensitive columns (quarters of train for numbers), or else of the columns with most "
        f"levels; each has at least {MIN_GROUP} holdout rows. They are numbered as the schema orders the levels that occur."
    ),
    caveat=(
        "The worst of several groups is partly chance, so it lies below the floor even for fresh real rows: look whether "
        "one group stands out among the parts. Smaller groups, which synthetic tables lose first, are not asked."
    ),
)
INFOS = (*(_scheme_info(*scheme) for scheme in SCHEMES), IMPORTANCE, GROUPS)


@dataclass(frozen=True, slots=True)
class UtilitySuite:
    """Three learners by three schemes, agreement of importances, and utility by group."""

    max_rows: int = MAX_ROWS
    n_rounds: int = 100
    n_trees: int = 100

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """A row for each figure; where there is no usable target each says why."""
        try:
            task, _ = Utility(max_rows=self.max_rows).task(data, streams)
        except Unusable as fault:
            return not_applicable(fault.reason, *(info.name for info in INFOS))
        seed = int(streams.generator("metrics/suite/learner").integers(2**31))
        learners: dict[str, Learner] = {
            "boosting": Boosted(seed, self.n_rounds),
            "linear": Linear(),
            "forest": Forest(seed, self.n_trees),
        }
        found = _Fits.of(task, learners)
        schemes = [_scheme_row(scheme, learner, found, streams) for scheme, learner in SCHEMES]
        return (*schemes, _importance_row(found), *_group_rows(found, data))


@dataclass(frozen=True, slots=True)
class _Fits:
    """Every fit: by learner and table learnt from; predictions for the holdout, then for synthetic rows."""

    task: Task
    scorer: Scorer
    learnt: dict[tuple[str, str], Taught]
    varies: bool  # whether the target does in the synthetic table

    @classmethod
    def of(cls, task: Task, learners: dict[str, Learner]) -> _Fits:
        from sklearn.exceptions import ConvergenceWarning

        varies = bool(np.ptp(task.labels(task.synthetic)) > 0)
        tables = {"train": task.train, "both": join_rows(task.train, task.synthetic)}
        if varies:
            tables["synthetic"] = task.synthetic
        jobs = [(learner, which) for learner in learners for which in tables]
        jobs.append(("boosting", "holdout"))
        tables["holdout"] = task.holdout
        asked = (task.holdout, task.synthetic)
        calls = {job: partial(learners[job[0]].teach, task, tables[job[1]], asked) for job in jobs}
        boosted = [job for job in jobs if job[0] == "boosting"]
        found = dict(zip(boosted, in_parallel([calls[job] for job in boosted]), strict=True))
        # one after the other: scikit-learn sets the process's warning filters while it fits
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps are enough for ranks
            found |= {job: calls[job]() for job in jobs if job not in found}
        scorer = {0: r2_score, 2: binary_auc}.get(n_classes_of(task), macro_auc)
        return cls(task, scorer, found, varies)

    def score(self, learner: str, learnt_from: str, *, on: EncodedTable) -> float:
        return self.scored(self.predicted(learner, learnt_from, on=on), on=on)

    def predicted(self, learner: str, learnt_from: str, *, on: EncodedTable) -> Matrix:
        return self.learnt[learner, learnt_from].predictions[0 if on is self.task.holdout else 1]

    def scored(self, predictions: Matrix, *, on: EncodedTable) -> float:
        labels = self.task.labels(on)
        return self.scorer(labels, predictions)(np.ones(len(labels)))

    @property
    def measure(self) -> str:
        return "R²" if self.scorer is r2_score else "AUC"

    def interval(
        self, predictions: Matrix, *, on: EncodedTable, rng: np.random.Generator
    ) -> tuple[float, float] | None:
        labels = self.task.labels(on)
        if self.scorer is binary_auc:
            return delong_auc(predictions[labels == 1], predictions[labels == 0]).interval
        if n_classes_of(self.task) > MAX_BOOTSTRAP_CLASSES:
            return None
        return bootstrap_interval(self.scorer(labels, predictions), n=len(labels), rng=rng, n_replicates=100)


def _scheme_row(scheme: str, learner: str, fits: _Fits, streams: Streams) -> MetricResult:
    task = fits.task
    name = f"{scheme}_{learner}"
    floor = fits.score(learner, "train", on=task.holdout)
    if not fits.varies and scheme != "augmented":
        reason = "the target does not vary in the synthetic table"
        return MetricResult(metric=name, floor=floor, status=Status.FAILED, reason=reason)
    learnt_from = {"tstr": "synthetic", "trts": "train", "augmented": "both"}[scheme]
    asked = task.synthetic if scheme == "trts" else task.holdout
    predictions = fits.predicted(learner, learnt_from, on=asked)
    rng = streams.generator("metrics/suite/bootstrap")
    return MetricResult(
        metric=name,
        value=fits.scored(predictions, on=asked),
        floor=floor,
        interval=fits.interval(predictions, on=asked, rng=rng),
        reason=f"{fits.measure}; {task.train.n_rows:,} rows of each table, {asked.n_rows:,} rows asked",
    )


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties sharing their mean rank; None where a side has one value only."""
    ranks = [midranks(np.asarray(side, dtype=np.float64)) for side in (first, second)]
    centred = [side - side.mean() for side in ranks]
    scale = float(np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum()))
    return float(np.clip(centred[0] @ centred[1] / scale, -1.0, 1.0)) if scale > 0 else None


def _importance_row(fits: _Fits) -> MetricResult:
    if not fits.varies:
        reason = "the target does not vary in the synthetic table"
        return MetricResult(metric=IMPORTANCE.name, status=Status.FAILED, reason=reason)
    gains = {which: fits.learnt["boosting", which].gains for which in ("train", "synthetic", "holdout")}
    names = list(gains["train"])
    if len(names) < MIN_COLUMNS:
        return not_applicable(
            f"needs {MIN_COLUMNS} columns beside the target, found {len(names)}", IMPORTANCE.name
        )[0]
    columns = {which: [shares[name] for name in names] for which, shares in gains.items()}
    value = rank_agreement(columns["train"], columns["synthetic"])
    if value is None:
        return not_applicable("no column gains anything in train or in synthetic", IMPORTANCE.name)[0]
    worst = sorted(names, key=lambda name: -abs(gains["synthetic"][name] - gains["train"][name]))[:5]
    return MetricResult(
        metric=IMPORTANCE.name,
        value=value,
        floor=rank_agreement(columns["train"], columns["holdout"]),
        reason=f"{len(names)} columns; {fits.task.train.n_rows:,} rows of each table",
        details=tuple(
            Detail(label=name, value=gains["synthetic"][name], floor=gains["train"][name]) for name in worst
        ),
    )


def group_columns(data: EvalData, holdout: EncodedTable) -> list[str]:
    """The columns whose levels are groups: those named for disclosure, else the five with most levels."""
    keys, sensitive = named_columns(data)
    named = [name for name in (*keys, *sensitive) if name != data.target]
    if named:
        return named[:MAX_GROUP_COLUMNS]
    levels = {
        name: len(np.unique(column.codes))
        for name, column in holdout.columns.items()
        if name != data.target and not column.variable.is_continuous
    }
    usable = [name for name, n in levels.items() if 2 <= n <= MAX_GROUPS]
    return sorted(usable, key=lambda name: -levels[name])[:MAX_GROUP_COLUMNS]


def _group_rows(fits: _Fits, data: EvalData) -> list[MetricResult]:
    """The row of each column, and before them that of the column which falls furthest behind."""
    if not fits.varies:
        reason = "the target does not vary in the synthetic table"
        return [MetricResult(metric=GROUPS.name, status=Status.FAILED, reason=reason)]
    names = group_columns(data, fits.task.holdout)
    rows = [row for name in names if (row := _group_row(name, fits)) is not None]
    if not rows:
        reason = f"no column has a group of {MIN_GROUP} holdout rows in which the target varies"
        return list(not_applicable(reason, GROUPS.name))
    worst = max(rows, key=lambda row: (row.floor or 0.0) - (row.value or 0.0))
    headline = MetricResult(
        metric=GROUPS.name,
        value=worst.value,
        floor=worst.floor,
        reason=f"{fits.measure}; the worst of {sum(len(row.details) for row in rows)} groups, by {worst.columns[0]}",
        details=worst.details,
    )
    return [headline, *rows]


def _group_row(name: str, fits: _Fits) -> MetricResult | None:
    task, holdout = fits.task, fits.task.holdout
    labels, truth = Labels.of(task.train.columns[name]).labels(holdout.columns[name]), task.labels(holdout)
    sides = [fits.predicted("boosting", which, on=holdout) for which in ("synthetic", "train")]
    parts = []
    for k, code in enumerate(np.unique(labels)[: 2 * MAX_GROUPS], start=1):
        inside = labels == code
        if not _is_askable(truth[inside], is_number=fits.scorer is r2_score):
            continue
        n = int(inside.sum())
        made, real = (fits.scorer(truth[inside], side[inside])(np.ones(n)) for side in sides)
        parts.append(Detail(label=f"{name}, group {k} ({n:,} rows)", value=made, floor=real))
    if not parts:
        return None
    parts.sort(key=lambda part: part.value - (part.floor or 0.0))
    return MetricResult(
        metric=GROUPS.name,
        columns=(name,),
        value=parts[0].value,
        floor=parts[0].floor,
        details=tuple(parts),
    )


def _is_askable(truth: npt.NDArray[np.float64], *, is_number: bool) -> bool:
    """Whether a group is large enough, and its target varies enough, for a score."""
    if len(truth) < MIN_GROUP:
        return False
    if is_number:
        return bool(truth.std() > 0)
    counts = np.unique(truth, return_counts=True)[1]
    return len(counts) > 1 and int(np.sort(counts)[-2]) >= MIN_CLASS
