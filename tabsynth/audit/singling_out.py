"""Singling out: predicates made from a release alone that fit exactly one person.

A predicate isolates a person where it holds for exactly one of all (WP29 Opinion 05/2014, 3; Cohen & Nissim
2020, "Towards formalizing the GDPR's notion of singling out", PNAS 117:8344). A predicate of weight w
does so by chance with a probability of up to 1/e, so what counts is *whom*: it is tested on members and
non-members together, and if the release knows nothing of train, the one whom it isolates is a member as
often as chance has it. Given how many people are isolated, that number is hypergeometric, exactly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tabsynth.audit.guesses import Question, Tally
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.metrics.cells import cell_ids
from tabsynth.metrics.pair_view import binnings_of
from tabsynth.metrics.samples import numbers_of
from tabsynth.metrics.sampling import take_rows

NAME = "singling_out"
N_ORDERS = 12
MAX_ATTRIBUTES = 8

Mask = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]


def singling_out(
    release: EncodedTable, whole: EncodedTable, candidates: Candidates, *, seed: int
) -> tuple[Question, ...]:
    """Two questions: by one attribute, from the `whole` release, and by several, from the rows of `release`.

    The baseline of the first are as many values at random from the column's domain; of the second, the same
    predicates from released columns that were shuffled apart, which leaves their marginals.
    """
    rng, people = np.random.default_rng(seed), candidates.rows
    apart = EncodedTable(
        release.n_rows,
        {
            name: take_rows(
                EncodedTable(release.n_rows, {name: column}), rng.permutation(release.n_rows)
            ).columns[name]
            for name, column in release.columns.items()
        },
    )
    found = [
        (
            "Singling out, one attribute",
            _by_one(whole, people),
            _by_random_values(whole, people, rng),
            "",
        )
    ]
    too_few = "needs two columns that are modelled" if len(people.columns) < 2 else ""
    found.append(
        (
            "Singling out, several",
            _by_several(release, people, seed=seed),
            _by_several(apart, people, seed=seed),
            too_few,
        )
    )
    return tuple(_question(title, hit, blind, candidates, reason) for title, hit, blind, reason in found)


def _question(title: str, hit: Mask, blind: Mask, candidates: Candidates, reason: str) -> Question:
    if reason:
        return Question(attack_name=NAME, title=title, reason=reason)
    members, others = candidates.is_member, ~candidates.is_member
    return Question(
        attack_name=NAME,
        title=title,
        attack=Tally.of(hit[members]),
        control=Tally.of(hit[others]),
        baseline=Tally.of(blind[members]),
    )


def isolated_by(predicates: Ids, people: Ids) -> Mask:
    """Whom a predicate isolates: people whose id is among `predicates` and nobody else's, shape (n_people,)."""
    size = 1 + int(max(predicates.max(initial=0), people.max(initial=0)))
    asked = np.zeros(size, dtype=np.bool_)
    asked[predicates] = True
    alone = np.bincount(people, minlength=size) == 1
    isolated: Mask = (asked & alone)[people]
    return isolated


def _by_one(release: EncodedTable, people: EncodedTable) -> Mask:
    """By a cell that one released row alone holds, or by a number at or beyond the release's extremes."""
    hit = np.zeros(people.n_rows, dtype=np.bool_)
    for name, column in release.columns.items():
        of_release, of_people = cell_ids([column, people.columns[name]])
        rare = np.flatnonzero(np.bincount(of_release) == 1)
        hit |= isolated_by(rare, of_people)
        for beyond in _beyond(column, people.columns[name]):
            if beyond.sum() == 1:
                hit |= beyond
    return hit


def _beyond(released: EncodedColumn, people: EncodedColumn) -> list[Mask]:
    """Who has a number at or above the highest released one, and at or below the lowest."""
    if people.values is None or len(numbers := numbers_of(released)) == 0:
        return []
    is_number = people.codes == 0
    return [is_number & (people.values >= numbers.max()), is_number & (people.values <= numbers.min())]


def _by_random_values(release: EncodedTable, people: EncodedTable, rng: np.random.Generator) -> Mask:
    """By values drawn evenly from the released range, or from the levels, as many as were asked in earnest."""
    hit = np.zeros(people.n_rows, dtype=np.bool_)
    for name, column in release.columns.items():
        (own,) = cell_ids([column])
        n = int((np.bincount(own) == 1).sum())
        drawn = _random_cells(column, n, rng)
        of_drawn, of_people = cell_ids([drawn, people.columns[name]])
        hit |= isolated_by(of_drawn, of_people)
    return hit


def _random_cells(column: EncodedColumn, n: int, rng: np.random.Generator) -> EncodedColumn:
    if column.values is None:
        codes = rng.integers(0, column.variable.n_levels + 1, n).astype(column.codes.dtype)
        return replace(column, codes=codes)
    numbers = numbers_of(column)
    codes = np.zeros(n, dtype=column.codes.dtype)
    if len(numbers) == 0:
        return replace(column, codes=codes[:0], values=column.values[:0])
    low, high = numbers.min(), numbers.max()
    share = rng.random(n)
    with np.errstate(over="ignore", invalid="ignore"):
        values = low * (1.0 - share) + high * share
        if numbers.dtype.kind == "i":
            values = np.rint(values)
        drawn = np.clip(values, low, high).astype(numbers.dtype)
    return replace(column, codes=codes, values=drawn)


def _by_several(release: EncodedTable, people: EncodedTable, *, seed: int) -> Mask:
    """By the first attributes of a released row, in one of `N_ORDERS` random orders, that no other row shares.

    From two attributes to `MAX_ATTRIBUTES`; numbers are asked by their tenth of the release.
    """
    rng = np.random.default_rng(seed)
    binnings = binnings_of(release)
    cells = {
        name: np.concatenate(
            [binning.cells(table.columns[name]).astype(np.int64) for table in (release, people)]
        )
        for name, binning in binnings.items()
    }
    names, n = list(cells), release.n_rows
    hit = np.zeros(people.n_rows, dtype=np.bool_)
    turn = np.arange(n) % N_ORDERS
    for k in range(N_ORDERS):
        order = [names[j] for j in rng.permutation(len(names))[:MAX_ATTRIBUTES]]
        pending = turn == k
        ids = cells[order[0]]
        for name in order[1:]:
            ids = np.unique(ids * binnings[name].n_cells + cells[name], return_inverse=True)[1]
            unique = pending & (np.bincount(ids[:n], minlength=int(ids.max()) + 1)[ids[:n]] == 1)
            hit |= isolated_by(ids[:n][unique], ids[n:])
            pending &= ~unique
    return hit
