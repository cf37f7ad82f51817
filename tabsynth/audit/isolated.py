"""The people who stand apart: attacks on those who are farthest from all others.

A copier of a handful of rare people moves no average, so they are asked about alone. Who stands apart is
decided before any release is looked at, among members and non-members alike and without knowing which is
which; so of a release made without train each is hit as often as the other, and Fisher's test is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.audit.close_numbers import CLOSEST, close_numbers, has_numbers, own_closeness
from tabsynth.audit.guesses import Question, Tally
from tabsynth.audit.neighbours import coordinates, nearest_rows, space_of
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedTable
from tabsynth.metrics.proximity import Space
from tabsynth.metrics.samples import midranks
from tabsynth.metrics.sampling import take_rows

NAME = "isolated"
SHARES = (0.01, 0.05)
"""Of all people: how many are asked about, the most isolated first."""
MIN_PEOPLE = 40
NEARER = 0.25
"""A released row is somebody's if it is nearer by this factor than the nearest other person."""
CHUNK = 25_000

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Isolated:
    """The most isolated people, the farthest first: how far, and how close their numbers, to all others.

    `distance` and `closeness` have shape (n_people,), `sizes` are how many each question is about.
    """

    people: EncodedTable
    is_member: Mask
    space: Space
    distance: Scores
    closeness: Scores
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, asked: Candidates, *, seed: int) -> Isolated:
        """Chosen by the larger of two ranks: of the distance to the nearest other, and of `surprise`.

        `seed` chooses among equals: in the order given members come first, and would be all who are chosen.
        """
        people = asked.rows
        space = space_of(people, [people])
        embedded = coordinates(space, people)
        _, distance = nearest_rows(embedded, embedded, but_themselves=True)
        rank = np.maximum(midranks(distance), midranks(surprise(people)))
        sizes = {min(people.n_rows, max(MIN_PEOPLE, round(share * people.n_rows))) for share in SHARES}
        equals = np.random.default_rng(seed).random(people.n_rows)
        first = np.lexsort((equals, -rank))[: max(sizes)]
        return cls(
            take_rows(people, first),
            asked.is_member[first],
            space,
            distance[first],
            own_closeness(people)[first],
            tuple(sorted(sizes)),
        )

    @property
    def n_members(self) -> int:
        """How many of the most isolated are members."""
        return int(self.is_member[: self.sizes[0]].sum())

    def questions(self, release: EncodedTable) -> list[Question]:
        """Of each size: is a row of theirs in the `release`, and are most of their numbers?"""
        found = {"rows": self._has_row(release)}
        if has_numbers(self.people):
            found["numbers"] = self._has_numbers(release)
        return [self._question(what, hit[:n], n) for n in self.sizes for what, hit in found.items()]

    def _question(self, what: str, hit: Mask, n: int) -> Question:
        members = self.is_member[:n]
        title = f"{n:,} most isolated: {what}"
        if members.all() or not members.any():
            return Question(attack_name=NAME, title=title, of_all=False, reason="all are on one side")
        return Question(
            attack_name=NAME,
            title=title,
            attack=Tally.of(hit[members]),
            control=Tally.of(hit[~members]),
            baseline=Tally.of(hit),
            of_all=False,
        )

    def _has_row(self, release: EncodedTable) -> Mask:
        """Whether a released row is nearer than `NEARER` of the way to the nearest other person."""
        asked = coordinates(self.space, self.people)
        nearest = np.full(len(asked), np.inf)
        for start in range(0, release.n_rows, CHUNK):
            some = take_rows(release, np.arange(start, min(start + CHUNK, release.n_rows)))
            nearest = np.minimum(nearest, nearest_rows(asked, coordinates(self.space, some))[1])
        found: Mask = nearest <= NEARER**2 * self.distance
        return found

    def _has_numbers(self, release: EncodedTable) -> Mask:
        """Whether most numbers are as close as can be to released ones, and not to those of others."""
        n_columns = sum(column.variable.is_continuous for column in self.people.columns.values())
        lead = close_numbers(self.people, to=release) - self.closeness
        found: Mask = lead > 0.5 * n_columns * -np.log(CLOSEST)
        return found


def surprise(people: EncodedTable) -> Scores:
    """−log of the share of people with that level, or with numbers so extreme; summed over columns."""
    total = np.zeros(people.n_rows)
    for column in people.columns.values():
        counts = np.bincount(column.codes, minlength=column.variable.n_levels + 1)
        total -= np.log(counts[column.codes] / people.n_rows)
        if column.values is None:
            continue
        is_number = column.codes == 0
        numbers = np.sort(column.values[is_number])
        value = column.values[is_number]
        below, up_to = (np.searchsorted(numbers, value, side=side) for side in ("left", "right"))
        beyond = np.minimum(up_to, len(numbers) - below)  # as low, or as high
        total[is_number] -= np.log(np.minimum(1.0, 2.0 * beyond / len(numbers)))
    return total
