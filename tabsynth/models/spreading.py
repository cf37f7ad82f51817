"""Rows that leave little to chance: positions that fill [0, 1) evenly, within groups and beside other columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Groups = npt.NDArray[np.signedinteger]

_GOLDEN = (5**0.5 - 1) / 2
_KEY_BITS = 38  # of the keys that rows are spread by, which leaves 25 for their group


def even_positions(
    group: Groups, n_groups: int, rng: np.random.Generator, *, beside: Integers | None = None
) -> Floats:
    """Positions in [0, 1) that fill it evenly within each group, (n_rows,).

    Systematic sampling: the k rows of a group stand at (i + u) / k, so that any share of the group is met
    to within one row instead of by chance (Cochran 1977, chapter 8). Their order is random; with `beside`, a
    key of each row, rows of a group whose keys are close stand far apart, as points of a golden-section
    lattice do (Niederreiter 1992, chapter 3), so that any stretch of keys meets the shares too.
    """
    n_rows = len(group)
    order = _in_groups(group, n_groups, rng) if beside is None else _spread(group, beside, rng)
    counts = np.bincount(group, minlength=n_groups)
    starts = np.cumsum(counts) - counts
    positions = np.empty(n_rows)
    ordered = group[order]
    positions[order] = (np.arange(n_rows) - starts[ordered] + rng.random(n_groups)[ordered]) / counts[ordered]
    return np.minimum(positions, np.nextafter(1.0, 0.0))


def _in_groups(group: Groups, n_groups: int, rng: np.random.Generator) -> Groups:
    """The rows group by group, in random order."""
    shuffled = rng.permutation(len(group))
    keys = group[shuffled]
    if n_groups <= 1 << 16:
        keys = keys.astype(np.uint16)  # which numpy sorts by radix, several times quicker
    return shuffled[np.argsort(keys, kind="stable")]


def _spread(group: Groups, beside: Integers, rng: np.random.Generator) -> Groups:
    """The rows group by group, neighbours in `beside` spread over the whole of their group.

    Each group starts at a random one of its places, so that every row is as likely to stand at any.
    """
    n_rows = len(group)
    shuffled = rng.permutation(n_rows)
    keys = (group << _KEY_BITS) + beside
    by_key = shuffled[np.argsort(keys[shuffled])]
    lattice = np.empty(n_rows)
    lattice[by_key] = (np.arange(n_rows) * _GOLDEN) % 1
    order = np.argsort(group + lattice)
    counts = np.bincount(group)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    turned = np.arange(n_rows) - starts + np.repeat(rng.integers(0, np.maximum(counts, 1)), counts)
    return order[starts + turned % np.repeat(counts, counts)]


def order_of_neighbours(
    states: Sequence[Groups], sizes: Sequence[int], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """A key that puts similar rows side by side, (n_rows,): columns in random order, to and fro.

    As many columns as 38 bits hold.
    """
    key = np.zeros(len(states[0]), dtype=np.int64)
    most = 1
    for v in rng.permutation(len(states)):
        if most * sizes[v] > 1 << _KEY_BITS:
            break
        most *= sizes[v]
        key = key * sizes[v] + np.where(key % 2 == 1, sizes[v] - 1 - states[v], states[v])
    return key
