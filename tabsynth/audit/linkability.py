"""Linkability: two parties hold half of the attributes each, and find that theirs are of one person.

WP29 Opinion 05/2014, 3. Each party looks for the released rows that are nearest to its half of a person;
where one released row is nearest to both halves, they link them. Of people who were in train this succeeds
more often than of people who were not, if the release holds rows that are somebody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from tabsynth.audit.guesses import Question, Tally
from tabsynth.audit.neighbours import Matrix, coordinates, distances, rounding_of, space_of
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedTable
from tabsynth.metrics.pair_view import binnings_of
from tabsynth.metrics.sampling import take_columns, take_rows

NAME, TITLE = "linkability", "Linkability"
MAX_CELLS = 4_000_000  # distances that are held at once, for either half
DEPENDENCE_ROWS = 2_000

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Halves:
    """The columns of either party, and how they were told apart, in words."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    how: str


def halves_of(people: EncodedTable, quasi_identifiers: tuple[str, ...]) -> Halves:
    """Quasi-identifiers against all others, or else columns dealt in turn, the most dependent first.

    So either party has columns that say something of the other's. Dependence is mutual information, over the
    columns' cells among people, in sum over all others; it does not look at who is a member.
    """
    names = tuple(people.columns)
    known = tuple(name for name in names if name in quasi_identifiers)
    rest = tuple(name for name in names if name not in known)
    if known and rest:
        return Halves(known, rest, "quasi-identifiers against all other columns")
    step = max(1, people.n_rows // DEPENDENCE_ROWS)  # of either side
    some = take_rows(people, np.arange(0, people.n_rows, step))
    binnings = binnings_of(some)
    cells = {name: binning.cells(some.columns[name]).astype(np.intp) for name, binning in binnings.items()}
    total = dict.fromkeys(names, 0.0)
    for one, other in combinations(names, 2):
        shared = mutual_information(cells[one], cells[other])
        total[one] += shared
        total[other] += shared
    order = sorted(names, key=lambda name: (-total[name], name))
    return Halves(tuple(order[::2]), tuple(order[1::2]), "columns dealt in turn, the most dependent first")


def mutual_information(one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> float:
    """Of the empirical distribution of two equally long arrays of cells, in nats."""
    width = int(other.max(initial=0)) + 1
    joint = np.bincount(one * width + other, minlength=(int(one.max(initial=0)) + 1) * width)
    table = joint.reshape(-1, width) / max(1, len(one))
    product = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    there = table > 0
    return float((table[there] * np.log(table[there] / product[there])).sum())


def linkability(release: EncodedTable, asked: Candidates, halves: Halves, *, seed: int) -> tuple[Question]:
    """How often both halves of a person are nearest to one released row.

    The baseline is the rate of members where the released halves are shuffled against each other.
    """
    if not halves.second:
        return (Question(attack_name=NAME, title=TITLE, reason="needs two columns that are modelled"),)
    parts = []
    for names in (halves.first, halves.second):
        people, rows = (take_columns(table, names) for table in (asked.rows, release))
        space = space_of(people, [people, rows])
        parts.append((coordinates(space, people), coordinates(space, rows)))
    shuffled = np.random.default_rng(seed).permutation(release.n_rows)
    linked, blind = _links(parts[0], parts[1], shuffled)
    members = asked.is_member
    question = Question(
        attack_name=NAME,
        title=TITLE,
        columns=halves.second,
        known=halves.first,
        attack=Tally.of(linked[members]),
        control=Tally.of(linked[~members]),
        baseline=Tally.of(blind[members]),
        reason=halves.how,
    )
    return (question,)


def _links(
    first: tuple[Matrix, Matrix], second: tuple[Matrix, Matrix], shuffled: npt.NDArray[np.intp]
) -> tuple[Mask, Mask]:
    """Of each person, whether one row is nearest by both halves, and whether so with the second one shuffled."""
    n_people, n_rows = len(first[0]), len(first[1])
    linked, blind = np.zeros(n_people, dtype=np.bool_), np.zeros(n_people, dtype=np.bool_)
    step = max(1, MAX_CELLS // max(1, n_rows))
    for start in range(0, n_people, step):
        block = slice(start, start + step)
        one, other = (_nearest(people[block], rows) for people, rows in (first, second))
        linked[block] = (one & other).any(axis=1)
        blind[block] = (one & other[:, shuffled]).any(axis=1)
    return linked, blind


def _nearest(people: Matrix, rows: Matrix) -> Mask:
    """Which rows are as near as the nearest, but for rounding; shape (n_people, n_rows)."""
    found = distances(people, rows)
    nearest: Mask = found <= (found.min(axis=1) + rounding_of(people))[:, None]
    return nearest
