"""Attribute inference: is a secret guessed better of those who were in train?

The control is that of Stadler et al. (2022) and Giomi et al. (2023), as in
`tabsynth.metrics.attribute_inference`: what is guessed of people of the holdout is knowledge of the population.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tabsynth.audit.guesses import Question, Tally
from tabsynth.audit.neighbours import FAR, coordinates, nearest_rows, space_of
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.attribute_inference import MAX_CLASSES, Labels, guessed_labels
from tabsynth.metrics.learners import Boosting, Features, predict
from tabsynth.metrics.proximity import Line
from tabsynth.metrics.sampling import take_columns, take_rows

NAME = "attribute"
TOLERANCE = 0.05
"""Of the range of a column between its .01 and .99 quantiles: how far off a guessed number may be."""
MAX_NAMED = 5
"""Sensitive columns that are guessed."""
MAX_UNNAMED = 3
"""Columns that are guessed where none is sensitive."""
MAX_LEARNT = 10_000
N_ROUNDS = 50
BY_NEAREST, BY_LEARNER = "nearest row", "learner"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guess:
    """A guessed cell of each person: a code and, where that is 0 in a continuous column, a number."""

    codes: npt.NDArray[np.intp]
    values: npt.NDArray[np.float64] | None = None

    @classmethod
    def of(cls, column: EncodedColumn) -> Guess:
        values = None if column.values is None else column.values.astype(np.float64)
        return cls(column.codes.astype(np.intp), values)


@dataclass(frozen=True, slots=True)
class Secret:
    """One column that is to be guessed from all others, and when a guess is right.

    A level is right if it is the person's; a number if it is off by at most `tolerance`.
    """

    name: str
    tolerance: float
    blind: Guess  # the commonest level, or the median, of one row
    labels: Labels

    @classmethod
    def of(cls, name: str, people: EncodedTable) -> Secret:
        column = people.columns[name]
        codes = np.bincount(column.codes, minlength=column.variable.n_levels + 1)
        commonest = np.array([codes.argmax()], dtype=np.intp)
        if column.values is None:
            return cls(name, 0.0, Guess(commonest), Labels.of(column))
        numbers = column.values[column.codes == 0].astype(np.float64)
        median = np.median(numbers) if len(numbers) else 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            tolerance = float(np.nan_to_num(TOLERANCE * Line.of(column).spread, nan=0.0, posinf=0.0))
        return cls(name, tolerance, Guess(commonest, np.array([median])), Labels.of(column))

    def is_right(self, guess: Guess, truth: EncodedColumn) -> Mask:
        """Of each person, shape (n_people,); a guess of one row is made of everybody."""
        right: Mask = guess.codes == truth.codes
        if guess.values is not None and truth.values is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                near = np.abs(guess.values - truth.values.astype(np.float64)) <= self.tolerance
            right &= near | (truth.codes != 0)
        return right


def secrets_of(people: EncodedTable, sensitive: tuple[str, ...]) -> tuple[Secret, ...]:
    """At most `MAX_NAMED` of the sensitive columns, or the `MAX_UNNAMED` that are hardest to guess blindly.

    Columns in which all people are the same are nobody's secret. Who is a member is not looked at.
    """
    named = [name for name in people.columns if not sensitive or name in sensitive]
    found = []
    for name in named:
        secret = Secret.of(name, people)
        right = float(secret.is_right(secret.blind, people.columns[name]).mean())
        if right < 1.0:
            found.append((right, secret))
    if sensitive:
        return tuple(secret for _, secret in found)[:MAX_NAMED]
    return tuple(secret for _, secret in sorted(found, key=lambda pair: pair[0]))[:MAX_UNNAMED]


def inferences(
    release: EncodedTable, asked: Candidates, secret: Secret, *, seed: int
) -> list[Callable[[], tuple[Question]]]:
    """The two questions of a secret, each a call: by the nearest released row, and by a learner of all."""
    if len(release.columns) < 2:
        return []
    return [
        partial(_asked, BY_NEAREST, partial(_by_nearest, release), asked, secret),
        partial(_asked, BY_LEARNER, partial(_by_learner, release, seed=seed), asked, secret),
    ]


def _asked(
    how: str,
    guess_of: Callable[[EncodedTable, Secret], Guess | str],
    asked: Candidates,
    secret: Secret,
) -> tuple[Question]:
    people, members = asked.rows, asked.is_member
    title = f"{secret.name}, by {how}"
    known = tuple(name for name in people.columns if name != secret.name)
    guess = guess_of(people, secret)
    if isinstance(guess, str):
        named = Question(attack_name=NAME, title=title, columns=(secret.name,), known=known, reason=guess)
        return (named,)
    truth = people.columns[secret.name]
    right, blind = secret.is_right(guess, truth), secret.is_right(secret.blind, truth)
    question = Question(
        attack_name=NAME,
        title=title,
        columns=(secret.name,),
        known=known,
        attack=Tally.of(right[members]),
        control=Tally.of(right[~members]),
        baseline=Tally.of(blind[members]),
    )
    return (question,)


def _by_nearest(release: EncodedTable, people: EncodedTable, secret: Secret) -> Guess:
    """The cell of the released row that is nearest in all other columns."""
    names = tuple(name for name in people.columns if name != secret.name)
    asked, rows = (take_columns(table, names) for table in (people, release))
    space = space_of(asked, [asked, rows])
    nearest, _ = nearest_rows(coordinates(space, asked), coordinates(space, rows))
    return Guess.of(take_rows(take_columns(release, (secret.name,)), nearest).columns[secret.name])


def _by_learner(release: EncodedTable, people: EncodedTable, secret: Secret, *, seed: int) -> Guess | str:
    """What boosted trees of released rows expect: a level, or the median of the number."""
    learn_from = take_rows(release, np.arange(min(release.n_rows, MAX_LEARNT)))
    learner = Boosting(seed=seed, n_rounds=N_ROUNDS)
    column = learn_from.columns[secret.name]
    if column.values is None:
        if (n_classes := len(np.unique(column.codes))) > MAX_CLASSES:
            return f"{n_classes:,} levels in the release; up to {MAX_CLASSES} can be learnt"
        (codes,) = guessed_labels(secret.name, learn_from, [people], secret.labels, learner)
        return Guess(codes)
    numbers = np.flatnonzero(column.codes == 0)
    if len(numbers) == 0:
        return "the release has no number in this column"
    taught = take_rows(learn_from, numbers)
    features = Features.of((taught, people), without=secret.name)
    with np.errstate(over="ignore", invalid="ignore"):
        line = Line.of(column)
        scaled = (column.as_float()[numbers] - line.start) / line.spread
        scaled = np.clip(np.nan_to_num(scaled, nan=0.5), -FAR, FAR)
    booster = learner.fit(
        features.matrix(taught), scaled, features=features, objective={"objective": "regression_l1"}
    )
    codes = np.zeros(people.n_rows, dtype=np.intp)
    with np.errstate(over="ignore", invalid="ignore"):
        guessed = line.start + line.spread * predict(booster, features.matrix(people))
    return Guess(codes, np.nan_to_num(guessed))
