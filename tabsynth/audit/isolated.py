"""The people who stand apart: attacks on those candidates who are farthest from all others.

A copier of a handful of rare people moves no average, so they are asked about alone. Who stands apart is
decided by the reference, before any release is looked at and without knowing who is a member.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.audit.attacks import Attacker
from tabsynth.audit.close_numbers import CLOSEST, close_numbers, has_numbers
from tabsynth.audit.guesses import Question, Tally
from tabsynth.audit.neighbours import coordinates, search
from tabsynth.encode import EncodedTable
from tabsynth.metrics.samples import midranks
from tabsynth.metrics.sampling import take_rows

NAME = "isolated"
SHARES = (0.01, 0.05)
MIN_PEOPLE = 40
NEARER = 0.25
"""A released row is somebody's if it is nearer by this factor than the nearest reference row."""
CHUNK = 25_000

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Isolated:
    """The most isolated `rows` of the candidates, the farthest first, and what a blind guess knows of them."""

    attacker: Attacker
    is_member: Mask
    rows: Rows

    @classmethod
    def of(cls, attacker: Attacker, is_member: Mask) -> Isolated:
        """As many as the largest group needs."""
        n = max(MIN_PEOPLE, round(max(SHARES) * len(is_member)))
        order = np.argsort(-isolation(attacker), kind="stable")
        return cls(attacker, is_member, order[:n])

    def questions(self, release: EncodedTable) -> list[Question]:
        """Of each share of candidates: is somebody near in the `release`, and are most numbers of one close?"""
        people = take_rows(self.attacker.candidates, self.rows)
        found = {"a row": self._has_row(release)}
        if has_numbers(people):
            found["numbers"] = self._has_numbers(people, release)
        return [self._question(what, hit, n) for n in self.sizes for what, hit in found.items()]

    @property
    def sizes(self) -> list[int]:
        """How many people each group holds, ascending."""
        n = len(self.is_member)
        return sorted({min(len(self.rows), max(MIN_PEOPLE, round(share * n))) for share in SHARES})

    def members(self, n: int) -> int:
        """How many of the `n` most isolated are members."""
        return int(self.is_member[self.rows[:n]].sum())

    def _question(self, what: str, hit: Mask, n: int) -> Question:
        members = self.is_member[self.rows[:n]]
        title = f"The {n:,} most isolated: {what} of theirs"
        if members.all() or not members.any():
            return Question(attack_name=NAME, title=title, of_all=False, reason="all are on one side")
        hit = hit[:n]
        flagged = int(hit.sum())
        return Question(
            attack_name=NAME,
            title=title,
            attack=Tally.of(hit[members]),
            control=Tally.of(hit[~members]),
            baseline=Tally(hits=flagged, n=n),
            of_all=False,
        )

    def _has_row(self, release: EncodedTable) -> Mask:
        """Whether a released row is nearer than `NEARER` of the way to the nearest reference row."""
        attacker = self.attacker
        asked = attacker.embedded[self.rows]
        nearest = np.full(len(self.rows), np.inf)
        for start in range(0, release.n_rows, CHUNK):
            some = take_rows(release, np.arange(start, min(start + CHUNK, release.n_rows)))
            near = search(asked, coordinates(attacker.space, some), bandwidth=attacker.bandwidth)
            nearest = np.minimum(nearest, near.squared_distance)
        known: Scores = attacker.near_reference.squared_distance[self.rows]
        found: Mask = nearest <= NEARER**2 * known
        return found

    def _has_numbers(self, people: EncodedTable, release: EncodedTable) -> Mask:
        """Whether more than half of the numbers are as close as can be to released ones, and not to others."""
        n_columns = sum(column.variable.is_continuous for column in people.columns.values())
        lead = close_numbers(people, to=release) - self.attacker.close_reference[self.rows]
        found: Mask = lead > 0.5 * n_columns * -np.log(CLOSEST)
        return found


def isolation(attacker: Attacker) -> Scores:
    """How far each candidate stands apart, in (0, 1]: the larger of two ranks.

    One is of the distance to the nearest reference row, the other of how improbable the candidate's cells
    are in the reference, each for itself.
    """
    distance: Scores = attacker.near_reference.squared_distance
    ranks = [midranks(score) for score in (distance, surprise(attacker.candidates, attacker.reference))]
    return np.maximum(*ranks) / attacker.candidates.n_rows


def surprise(people: EncodedTable, reference: EncodedTable) -> Scores:
    """−log of the share of the reference with that level, or with numbers so extreme; summed over columns."""
    total = np.zeros(people.n_rows)
    for name, column in people.columns.items():
        known = reference.columns[name]
        counts = np.bincount(known.codes, minlength=column.variable.n_levels + 1)
        n = len(known.codes) + 1
        total -= np.log((counts[column.codes] + 0.5) / n)
        if column.values is None or known.values is None:
            continue
        numbers = np.sort(known.values[known.codes == 0])
        below, up_to = (np.searchsorted(numbers, column.values, side=side) for side in ("left", "right"))
        beyond = np.minimum(up_to, len(numbers) - below)  # as low, or as high
        tail = np.minimum(1.0, 2.0 * (beyond + 0.5) / (len(numbers) + 1))
        total -= np.where(column.codes == 0, np.log(tail), 0.0)
    return total
