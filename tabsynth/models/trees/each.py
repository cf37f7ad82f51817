"""Rows with cells of their own: many rows, each given what it is, share the work of one pool.

Axes before the first that is given do not know it yet, so one pool of rows drawn on them serves all rows. What is given then chooses
among them: by leaves of its tree, in which all rows of the pool are alike, so that the choice is exact and takes a table of leaves by
different cells, not a weight for every proposal; where log odds stand on top of leaves, proposals are weighed by these. Axes that are given from the start are set once. Only what comes after is proposed
several times for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.models.trees.drawing import Drawn, Model, draw_axis, draw_rest, leaves_reached, odds_of
from tabsynth.models.trees.leaves import Counts, Floats
from tabsynth.models.trees.proposals import Asked, Proposed, again_of_each, carried, give, tilts_of
from tabsynth.models.trees.thinning import Refined
from tabsynth.models.trees.tree import Integers, Pieces

PROPOSALS_EACH = 8
"""Proposals per row where other axes follow the first that is given."""
PASSES = 4
"""How often they are proposed."""
_POOL, _FEWEST = 2, 8192
"""Rows of the pool for each row, and at least."""
_MOST_CHANCES = 1 << 22
_POOL_ROW = -1
"""In the place of an axis: which row of the pool a proposal is."""


class Start(Protocol):
    """Rows on the first axes, up to there alike for all passes: how probable what is given is, and what they are worth."""

    @property
    def log_chance(self) -> Floats: ...
    @property
    def worth(self) -> float: ...
    def propose(self, n_each: int, rng: np.random.Generator) -> Drawn:
        """`n_each` proposals for every row, one row's after another's, with what the axes that are left ask for."""
        ...

    def weight(self, drawn: Drawn) -> Floats | None:
        """How many times likelier proposals make what is given than they were drawn for; None where all are alike."""
        ...

    def whole(self, drawn: Drawn) -> Drawn:
        """Rows that come of proposals, on all axes."""
        ...


@dataclass(frozen=True, eq=False)
class Fixed:
    """Rows whose first axes are given, or that have none yet."""

    drawn: Drawn
    log_chance: Floats
    worth: float = 1.0

    def propose(self, n_each: int, rng: np.random.Generator) -> Drawn:  # noqa: ARG002
        return self.drawn.rows(np.repeat(np.arange(self.drawn.n_rows), n_each))

    def weight(self, drawn: Drawn) -> Floats | None:  # noqa: ARG002
        return None

    def whole(self, drawn: Drawn) -> Drawn:
        return drawn


@dataclass(frozen=True, eq=False)
class Pooled:
    """Rows that choose among those of a pool, by the leaf of the first given axis.

    `members` are the pool's rows leaf by leaf, `size` of each leaf, (n_leaves,); `which` of the different cells every row has,
    (n_rows,); `reach`, (n_cells, n_leaves), how probable leaves up to each are, given the cell. `needed` axes of the pool are those that
    others look at. `tilts`, (n_bins, n_pool): how many times likelier a row of the pool makes each of the axis's `bins` than its leaf.
    """

    pool: Drawn
    axis: int
    given: Pieces
    members: Counts
    size: Counts
    which: Counts
    reach: Floats
    needed: frozenset[int]
    bins: Integers
    tilts: Floats | None
    log_chance: Floats
    worth: float

    def weight(self, drawn: Drawn) -> Floats | None:
        if self.tilts is None:
            return None
        found: Floats = self.tilts[self.bins[drawn.pieces[self.axis]], drawn.pieces[_POOL_ROW]]
        return found

    def propose(self, n_each: int, rng: np.random.Generator) -> Drawn:
        n, n_leaves = len(self.which), len(self.size)
        share = (rng.random(n)[:, None] + np.arange(n_each) / n_each) % 1.0
        ends = (self.reach + np.arange(len(self.reach))[:, None]).reshape(-1)
        at = np.searchsorted(ends, (share + self.which[:, None]).reshape(-1), side="right")
        leaf = np.clip(at - np.repeat(self.which, n_each) * n_leaves, 0, n_leaves - 1)
        begins = np.cumsum(self.size) - self.size
        chosen = self.members[begins[leaf] + (rng.random(n * n_each) * self.size[leaf]).astype(np.int64)]
        pieces = {axis: self.pool.pieces[axis][chosen] for axis in self.needed}
        pieces |= {_POOL_ROW: chosen.astype(np.int32), self.axis: np.repeat(self.given, n_each)}
        return Drawn(n * n_each, pieces, {self.axis: np.zeros(n * n_each)})

    def whole(self, drawn: Drawn) -> Drawn:
        rows = drawn.pieces[_POOL_ROW]
        pieces = {axis: cells for axis, cells in drawn.pieces.items() if axis != _POOL_ROW}
        return Drawn(
            drawn.n_rows,
            {**pieces, **{axis: cells[rows] for axis, cells in self.pool.pieces.items()}},
            {**drawn.shares, **{axis: shares[rows] for axis, shares in self.pool.shares.items()}},
        )


def draw_each(model: Refined, n_rows: int, asked: Asked, rng: np.random.Generator) -> Proposed:
    """Rows with cells of their own, on all axes.

    Each is one of a few proposals, which is exchanged for one of others in further passes.
    A pass of few proposals is biased towards what is likely without the given cells. Taken with the ratio of the estimates of how
    probable these are, passes converge to the distribution given them (particle independent Metropolis-Hastings: Andrieu, Doucet and
    Holenstein 2010, section 2.4.2). Where a ratio refines the model, it is a part of the estimates.
    """
    until = 1 + max(model.order.index(axis) for axis in asked.axes)
    start, rest = _begun(model, n_rows, asked, model.order[:until], rng)
    is_exact = all(axis in asked.axes for axis in rest) and isinstance(start, Fixed)
    is_exact &= all(one.is_one_piece for axis, one in asked.within.items() if axis in rest)
    is_chosen = not rest and not (isinstance(start, Pooled) and start.tilts is not None)
    n_each = 1 if is_exact or is_chosen else PROPOSALS_EACH
    owner = np.repeat(np.arange(n_rows), n_each)
    given = {axis: pieces[owner] for axis, pieces in asked.given.items() if axis in rest}
    mine = Asked(asked.within, given, asked.is_moved[owner])
    chance, worth, current = np.full(n_rows, -np.inf), 0.0, None
    for _ in range(1 if n_each == 1 and model.ratio is None else PASSES):
        log_chance = start.log_chance.copy()
        proposed, first = start.propose(n_each, rng), 1.0
        weight = start.weight(proposed)
        if weight is not None:
            proposed, worths = again_of_each(proposed, weight, n_each, log_chance, rng)
            first = float(worths.mean())
        found, share = carried(model, proposed, mine, rest, (n_each, log_chance), rng)
        assert found is not None
        share *= first
        found = found.rows(np.arange(n_rows) * n_each)
        if model.ratio is not None:
            found = start.whole(found)
            draw_rest(model, found, rng)
            log_chance += np.minimum(model.ratio.logs(found.pieces), model.ratio.bound)
        if current is None:
            current, chance, worth = found, log_chance, share
            continue
        with np.errstate(invalid="ignore"):  # of rows that no proposal meets, now nor before
            takes = np.log(rng.random(n_rows)) < log_chance - chance
        current, chance = current.where(~takes, found), np.where(takes, log_chance, chance)
    assert current is not None
    if model.ratio is None:
        current = start.whole(current)
        draw_rest(model, current, rng)
    return Proposed(current, min(worth, 1.0) * start.worth * n_rows, asked.is_moved | np.isneginf(chance))


def _begun(
    model: Model, n_rows: int, asked: Asked, order: Sequence[int], rng: np.random.Generator
) -> tuple[Start, Sequence[int]]:
    """Where all passes start, and the axes that are left."""
    n_free = next(at for at, axis in enumerate(order) if axis in asked.axes)
    if n_free and order[n_free] in asked.given:
        looked_at = {
            int(seen)
            for axis in order[n_free + 1 :]
            for seen in (*np.unique(model.trees[axis].axis), model.gates.get(axis, (-1, 0))[0])
        }
        looked_at |= {
            seen for axis in order[n_free:] if axis in model.tilts for seen in model.tilts[axis].weights
        }
        needed = frozenset(looked_at & set(order[:n_free]))
        pooled = _pooled(model, asked.given[order[n_free]], order[: n_free + 1], needed, rng)
        if pooled is not None:
            return pooled, order[n_free + 1 :]
    drawn, log_chance = Drawn(n_rows, {}, {}), np.zeros(n_rows)
    n_given = next((at for at, axis in enumerate(order) if axis not in asked.given), len(order))
    for axis in order[:n_given]:
        with np.errstate(divide="ignore"):
            log_chance += np.log(give(model, axis, asked.given[axis], drawn))
    return Fixed(drawn, log_chance), order[n_given:]


def _pooled(
    model: Model, given: Pieces, order: Sequence[int], needed: frozenset[int], rng: np.random.Generator
) -> Pooled | None:
    """A pool on all of these axes but the last, for rows given that; None where there are too many leaves and cells."""
    n, axis = len(given), order[-1]
    pool = Drawn(max(_POOL * n, _FEWEST), {}, {})
    for free in order[:-1]:
        draw_axis(model, free, pool, rng)
    rows, leaf = leaves_reached(model, axis, pool)
    leaves, inside, size = np.unique(leaf, return_inverse=True, return_counts=True)
    cells, which = np.unique(given, return_inverse=True)
    if rows is not None or len(cells) * len(leaves) > _MOST_CHANCES:
        return None
    chance = (
        model.leaves[axis]
        .chance_of(
            model.trees[axis],
            np.tile(leaves, len(cells)),
            np.repeat(cells, len(leaves)),
        )
        .reshape(len(cells), len(leaves))
    )
    odds = odds_of(model, axis, pool, None)
    total = (chance * size).sum(axis=1)
    with np.errstate(divide="ignore"):
        log_chance = np.log(total / pool.n_rows)
    chance[total == 0] = 1.0
    return Pooled(
        pool=pool,
        axis=axis,
        given=given,
        members=np.argsort(inside.reshape(-1), kind="stable"),
        size=size,
        which=which.reshape(-1),
        reach=np.cumsum(chance * size, axis=1) / (chance * size).sum(axis=1, keepdims=True),
        needed=needed,
        bins=model.bins[axis] if odds is None else model.tilted[axis],
        tilts=None if odds is None else tilts_of(model.binned[axis], leaf, odds),
        log_chance=log_chance[which.reshape(-1)],
        worth=_worth(chance, size, np.bincount(which.reshape(-1))),
    )


def _worth(chance: Floats, size: npt.NDArray[np.int64], n_rows: npt.NDArray[np.int64]) -> float:
    """What a row is worth that chooses from a pool which others choose from, too, in (0, 1].

    Means over m choices from rows that are worth e vary by 1/m + 1/e (`n_rows` rows have each cell).
    """
    able = (chance * size).sum(axis=1) ** 2 / (chance**2 * size).sum(axis=1)
    return float((n_rows * able / (n_rows + able)).sum() / n_rows.sum())
