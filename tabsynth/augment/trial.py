"""Did it help? Learners taught with and without synthetic rows, asked about rows that neither they nor an engine saw.

Repeated stratified splits; only the train part is augmented. Beside nothing stand the remedies that make no row up,
class weights and random oversampling at the same ratio, and SMOTE-NC where its extra is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.augment.mixing import NO_GUARANTEE, synthetic_rows
from tabsynth.augment.results import FIGURES, NOTHING, OVERSAMPLED, SMOTE, WEIGHTS, Outcome, TrialResults
from tabsynth.augment.scores import average_precision, brier, recall_at, roc_auc
from tabsynth.augment.slices import Amount, Mask, Slice, rarest_class, require_classes, rows_wanted, slice_of
from tabsynth.augment.splits import Split, stratified_splits
from tabsynth.encode import EncodedColumn, EncodedTable, encode_table
from tabsynth.errors import DataError, TabsynthError
from tabsynth.metrics.learners import in_parallel
from tabsynth.metrics.plain_learners import Boosted, Forest, Learner, Linear
from tabsynth.metrics.sampling import drawn_rows, join_rows, take_rows
from tabsynth.metrics.utility import Task
from tabsynth.models.base import Progress, Synthesizer, no_progress
from tabsynth.models.smote import Smote
from tabsynth.privacy import NO_PRIVACY, Budget, Privacy
from tabsynth.randomness import Streams
from tabsynth.table import Table

MAX_ROWS = 50_000
MIN_POSITIVE = 20
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a learner is taught from: rows, and how much each counts (None: all alike)."""

    rows: EncodedTable
    weights: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is tried, the same for all splits."""

    table: Table
    encoded: EncodedTable
    thin: Slice
    to: Amount
    target: str
    positive: int
    recipe: Synthesizer
    privacy: Privacy
    precision: float
    seed: int


@dataclass(slots=True)
class _Found:
    """Values by arm, learner and figure as splits go by; arms that failed, and why."""

    values: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    n_train: list[int] = field(default_factory=list)
    n_test: list[int] = field(default_factory=list)
    n_positive: list[int] = field(default_factory=list)
    n_added: list[int] = field(default_factory=list)


def learners_of(seed: int) -> dict[str, Learner]:
    """The learners by what they are called."""
    return {
        "LightGBM": Boosted(seed),
        "logistic regression": Linear(),
        "random forest": Forest(seed),
    }


def trial(
    table: Table,
    *,
    to: Amount,
    recipe: Synthesizer,
    target: str,
    where: Mapping[str, Any] | None = None,
    splits: int = 5,
    test_share: float = 0.3,
    precision: float = 0.5,
    max_rows: int = MAX_ROWS,
    privacy: Privacy = NO_PRIVACY,
    seed: int = 0,
    progress: Progress = no_progress,
    learners: Mapping[str, Learner] | None = None,
) -> TrialResults:
    """Teach learners the rarest class of `target` with and without synthetic rows of the slice.

    The class is the one that `where` names, where it names one; all test rows count that meet the conditions on other
    columns. Of tables larger than `max_rows` as many rows are drawn. Persons are not split. `learners` by name are those of
    `learners_of` unless said. The result is private.

    Raises `UsageError` for an unknown target or one without classes, fewer than 2 splits, shares or a precision outside
    (0, 1), and a slice that is not thinner than `to` asks; `DataError` where fewer than 20 rows are of the class.
    """
    started = time.perf_counter()
    _require_sound(splits=splits, test_share=test_share, precision=precision, seed=seed)
    require_classes(table.schema, target)
    table, notes = affordable(table, max_rows, Streams(seed))
    encoded = encode_table(table)
    thin = slice_of(encoded, table.schema, target=target, where=where)
    held = next(
        (one.codes[0] for one in thin.conditions if one.column == target and len(one.codes) == 1), None
    )
    positive = rarest_class(encoded, target) if held is None else held
    labels = encoded.columns[target].codes == positive
    counted = thin.without(target).mask(encoded)
    if (n_found := int((labels & counted).sum())) < MIN_POSITIVE:
        raise DataError(f"{n_found} rows are of the class to be found: a trial needs {MIN_POSITIVE}")
    asked = _Asked(
        table=table, encoded=encoded, thin=thin, to=to, target=target, positive=positive, recipe=recipe,
        privacy=privacy, precision=precision, seed=seed,
    )  # fmt: skip
    if table.schema.unit.column is not None:
        notes.append(
            f"All rows of one person (column {table.schema.unit.column}) are on the same side of a split."
        )
    found, learners = _Found(), learners_of(seed) if learners is None else learners
    cut = list(stratified_splits(table, labels & counted, n=splits, test_share=test_share, seed=seed))
    for number, split in enumerate(cut):
        _one_split(asked, number, split, counted, learners, found, _part(progress, number, splits))
    progress("Done", 1.0)
    return _results(asked, found, learners, notes, time.perf_counter() - started)


def _require_sound(*, splits: int, test_share: float, precision: float, seed: int) -> None:
    refuse(
        (
            whole_number_fault(seed, "the seed"),
            whole_number_fault(splits, "the number of splits"),
            None
            if splits >= 2
            else f"a trial takes 2 splits or more, found {splits}: one says nothing of chance",
            None
            if 0 < test_share < 1
            else f"the test share lies strictly between 0 and 1, found {test_share}",
            None if 0 < precision < 1 else f"the precision lies strictly between 0 and 1, found {precision}",
        )
    )


def affordable(table: Table, max_rows: int, streams: Streams) -> tuple[Table, list[str]]:
    """At most `max_rows` rows, drawn at random, and a note where some were left out."""
    if table.n_rows <= max_rows:
        return table, []
    chosen = np.sort(drawn_rows(table.n_rows, max_rows, streams.generator("augment.trial.rows")))
    note = f"This is on {max_rows:,} rows drawn at random from {table.n_rows:,}."
    return Table(table.schema, table.frame[chosen]), [note]


def _part(progress: Progress, number: int, n: int) -> Progress:
    return lambda stage, share: progress(f"Split {number + 1} of {n}: {stage}", (number + share) / n)


def _one_split(
    asked: _Asked,
    number: int,
    split: Split,
    counted: Mask,
    learners: Mapping[str, Learner],
    found: _Found,
    progress: Progress,
) -> None:
    """Teach every learner in every way on the train part, and ask about the test part."""
    train = take_rows(asked.encoded, split.train)
    test = take_rows(asked.encoded, split.test[counted[split.test]])
    lessons = {}
    for arm, make in _arms(asked, number, split, train, progress):
        if arm in found.failed:
            continue
        try:
            lessons[arm] = make()
        except TabsynthError as error:
            if arm != SMOTE:
                raise
            found.failed[arm] = str(error)
    labels = (test.columns[asked.target].codes == asked.positive).astype(np.float64)
    for done, (arm, lesson) in enumerate(lessons.items()):
        progress(f"teaching with {arm}", 0.5 + 0.5 * done / len(lessons))
        task = Task(asked.target, lesson.rows, train, test, {"objective": "binary"}, label_of(asked.positive))
        calls = [
            partial(_score, learner, task, lesson, labels, asked.precision) for learner in learners.values()
        ]
        for name, scores in zip(learners, in_parallel(calls), strict=True):
            for figure, value in scores.items():
                found.values.setdefault((arm, name, figure), []).append(value)
    found.n_train.append(train.n_rows)
    found.n_test.append(test.n_rows)
    found.n_positive.append(int(labels.sum()))
    found.n_added.append(lessons[asked.recipe.name].rows.n_rows - train.n_rows)


def label_of(positive: int) -> Callable[[EncodedColumn], Floats]:
    """1 for cells of that code, else 0."""
    return lambda column: (column.codes == positive).astype(np.float64)


def _score(
    learner: Learner, task: Task, lesson: Lesson, labels: Floats, precision: float
) -> dict[str, float]:
    taught = learner.teach(task, lesson.rows, [task.holdout], weights=lesson.weights)
    scores = np.asarray(taught.predictions[0], dtype=np.float64)
    values = (
        average_precision(labels, scores),
        recall_at(labels, scores, precision=precision),
        roc_auc(labels, scores),
        brier(labels, scores),
    )
    return dict(zip(FIGURES, values, strict=True))


def _arms(
    asked: _Asked, number: int, split: Split, train: EncodedTable, progress: Progress
) -> Iterator[tuple[str, Callable[[], Lesson]]]:
    """The ways to teach by name, each to be made when it is wanted."""
    is_thin = asked.thin.mask(train)
    n_thin = int(is_thin.sum())
    n_wanted = rows_wanted(
        asked.to, label=asked.thin.label, n_thin=n_thin, n_rest=train.n_rows - n_thin, among="train ",
        nothing="there is nothing to try",
    )  # fmt: skip
    rng = Streams(asked.seed).generator("augment.trial.oversample", number)
    yield NOTHING, lambda: Lesson(train)
    yield WEIGHTS, lambda: Lesson(train, np.where(is_thin, (n_thin + n_wanted) / max(1, n_thin), 1.0))
    again = rng.choice(np.flatnonzero(is_thin), n_wanted)
    yield OVERSAMPLED, lambda: Lesson(join_rows(train, take_rows(train, again)))
    part = Table(asked.table.schema, asked.table.frame[split.train])
    recipes = [asked.recipe] if asked.recipe.name == SMOTE else [Smote(target=asked.target), asked.recipe]
    for at, recipe in enumerate(recipes):
        said = _stage(progress, recipe.name, at, len(recipes))
        yield recipe.name, partial(_made, asked, recipe, part, train, n_wanted, asked.seed + number, said)


def _stage(progress: Progress, name: str, at: int, n: int) -> Progress:
    return lambda _stage, share: progress(name, 0.5 * (at + share) / n)


def _made(
    asked: _Asked,
    recipe: Synthesizer,
    part: Table,
    train: EncodedTable,
    n_rows: int,
    seed: int,
    progress: Progress,
) -> Lesson:
    privacy = NO_PRIVACY if recipe is not asked.recipe else asked.privacy
    rows, _ = synthetic_rows(
        part, asked.thin, n_rows, recipe=recipe, privacy=privacy, seed=seed, progress=progress
    )
    return Lesson(join_rows(train, encode_table(Table(part.schema, rows))))


def _results(
    asked: _Asked, found: _Found, learners: Mapping[str, Learner], notes: list[str], seconds: float
) -> TrialResults:
    arms = tuple(dict.fromkeys(arm for arm, _, _ in found.values if arm not in found.failed))
    notes += [f"{arm} is left out: {why}" for arm, why in found.failed.items()]
    if isinstance(asked.privacy, Budget):
        notes.append(f"The engine was fitted with noise for ε = {asked.privacy.epsilon:g}.")
    return TrialResults(
        title=f"Augmenting {asked.table.schema.name}",
        target=asked.target,
        slice_label=asked.thin.label,
        to=str(asked.to),
        engine=asked.recipe.name,
        arms=arms,
        learners=tuple(learners),
        precision=asked.precision,
        n_rows=asked.table.n_rows,
        n_train=float(np.mean(found.n_train)),
        n_test=float(np.mean(found.n_test)),
        n_positive=float(np.mean(found.n_positive)),
        n_added=float(np.mean(found.n_added)),
        seed=asked.seed,
        outcomes=tuple(
            Outcome(arm=arm, learner=learner, figure=figure, values=tuple(values))
            for (arm, learner, figure), values in found.values.items()
            if arm in arms
        ),
        guarantee=f"{NO_GUARANTEE}.",
        notes=tuple(notes),
        seconds=seconds,
        version=version("tabsynth"),
    )
