"""Which people are attacked: the most isolated, and some at random; drawn and named by unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.audit.neighbours import coordinates, space_of
from tabsynth.encode import EncodedTable
from tabsynth.metrics.sampling import drawn_rows, take_rows
from tabsynth.randomness import Streams

Rows = npt.NDArray[np.intp]
Units = npt.NDArray[np.int64]

ISOLATED, RANDOM = "isolated", "random"
GROUPS = (ISOLATED, RANDOM)
N_NEIGHBOURS = 5
MAX_ASKED = 10_000
MAX_KNOWN = 20_000
"""Rows of train that may be found isolated, and rows among which their neighbours are sought."""
BLOCK = 256


@dataclass(frozen=True, slots=True)
class Chosen:
    """Units of train: the targets and as many null units, each isolated ones first, most isolated first.

    Null units are never in a shadow table. Both have shape (2 n_each,).
    """

    targets: Units
    nulls: Units


def isolation(table: EncodedTable, units: Units, *, streams: Streams) -> npt.NDArray[np.float64]:
    """Of each row, its mean distance to its nearest neighbours of other units; NaN where not asked.

    After Meeus et al. (2023, Achilles' heels): records far from their `N_NEIGHBOURS` nearest are the ones
    that synthetic rows betray. Distances are those of the space of the other attacks. Of a large table
    `MAX_ASKED` rows are asked, among `MAX_KNOWN`.
    """
    rng = streams.generator("shadow/isolation")
    asked = drawn_rows(table.n_rows, MAX_ASKED, rng)
    known = drawn_rows(table.n_rows, MAX_KNOWN, rng)
    space = space_of(table, [table])
    rows = coordinates(space, take_rows(table, known))
    norms = np.einsum("ij,ij->i", rows, rows)
    n_near = min(N_NEIGHBOURS, len(known) - 1)
    found = np.full(table.n_rows, np.nan)
    for start in range(0, len(asked), BLOCK):
        block = asked[start : start + BLOCK]
        queries = coordinates(space, take_rows(table, block))
        distances = queries @ (-2.0 * rows.T) + norms + np.einsum("ij,ij->i", queries, queries)[:, None]
        distances[units[block][:, None] == units[known]] = np.inf  # nobody is a neighbour of their own
        nearest = np.partition(distances, n_near - 1, axis=1)[:, :n_near]
        is_other = np.isfinite(nearest)
        farthest = np.where(is_other, nearest, 0.0).max(axis=1, keepdims=True)  # where fewer are of others
        nearest = np.where(is_other, nearest, farthest)
        found[block] = np.sqrt(np.maximum(nearest, 0.0)).mean(axis=1)
    return found


def choose(isolated: npt.NDArray[np.float64], units: Units, *, n_each: int, streams: Streams) -> Chosen:
    """The `n_each` most isolated units and `n_each` at random as targets, and the next of either kind as nulls.

    A unit is as isolated as its most isolated row. There must be `4 * n_each` units at least.
    """
    present, position = np.unique(units, return_inverse=True)
    farthest = np.full(len(present), -np.inf)
    np.maximum.at(farthest, position, np.nan_to_num(isolated, nan=-np.inf, posinf=-np.inf))
    order = np.argsort(-farthest, kind="stable")
    first, rest = present[order[: 2 * n_each]], present[order[2 * n_each :]]
    drawn = streams.generator("shadow/random targets").permutation(rest)[: 2 * n_each]
    return Chosen(
        np.concatenate([first[:n_each], drawn[:n_each]]), np.concatenate([first[n_each:], drawn[n_each:]])
    )
