"""Rows whose frequencies a density ratio corrects: drawn ones are kept by chance, chosen among, or exchanged."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.models.halving import halved
from tabsynth.models.spreading import order_of_neighbours
from tabsynth.models.trees.drawing import Drawn, Model, draw_rest, draw_rows, joined
from tabsynth.models.trees.margins import bound_of, cells_of
from tabsynth.models.trees.proposals import Asked, Proposed, draw_asked
from tabsynth.models.trees.ratios import Ratio
from tabsynth.models.truncated_normal import effective_share, systematic

Floats = npt.NDArray[np.float64]

CHOSEN_FROM = 4
"""Rows drawn under conditions for each that is chosen."""
_LEAST_SHARE = 1 / 8
_MANY = 256
"""Rows, from which on what is kept is spread: how many the chances of a few add up to depends on each of them, so the likely ones would come too seldom."""
_MOST_DRAWN = 64
"""Rows drawn for each that is wanted, after which the rest are taken as they come: of an honest model never."""


class Refined(Model, Protocol):
    """A model, and the ratio that refines it."""

    @property
    def ratio(self) -> Ratio | None: ...


def draw_kept(model: Refined, n_rows: int, rng: np.random.Generator, *, spread: bool = True) -> Drawn:
    """Rows on all axes, kept with a chance in proportion to the ratio (von Neumann 1951), as they are without one."""
    if model.ratio is None or not n_rows:
        return draw_rows(model, n_rows, rng, spread=spread)
    parts: list[Drawn] = []
    left, n_drawn, share = n_rows, 0, 0.5
    while left and n_drawn < _MOST_DRAWN * n_rows:
        n_more = math.ceil(left / share) + 16
        drawn = draw_rows(model, n_more, rng, spread=spread)
        chance = model.ratio.chance(drawn.pieces)
        kept = (
            _spread(model, drawn, chance, left, rng)
            if spread and left >= _MANY
            else np.flatnonzero(rng.random(n_more) < chance)
        )
        parts.append(drawn.rows(kept[:left]))
        left, n_drawn = max(left - len(kept), 0), n_drawn + n_more
        share = max(len(kept) / n_more, _LEAST_SHARE)
    if left:
        parts.append(draw_rows(model, left, rng, spread=spread))
    return joined(parts)


def _spread(
    model: Refined, drawn: Drawn, chance: Floats, most: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Positions of rows to keep in proportion to `chance`, as many as the chances' sum and at most `most`, evenly among similar rows.

    Systematic sampling of rows in order of likeness (Cochran 1977, chapter 8).
    """
    cells = cells_of(model.latents, model.bins, model.differences)
    states = [own[drawn.pieces[axis]].astype(np.intp) for axis, own in enumerate(cells)]
    order = np.argsort(order_of_neighbours(states, [int(own.max()) + 1 for own in cells], rng))
    total = np.cumsum(chance[order])
    n_kept = min(most, int(total[-1]))  # so that no row is taken twice
    comb = (np.arange(n_kept) + rng.random()) / n_kept * total[-1]
    return np.sort(order[np.minimum(np.searchsorted(total, comb, side="right"), len(order) - 1)])


def draw_evenly(model: Refined, n_rows: int, rngs: Sequence[np.random.Generator]) -> Drawn:
    """Rows on all axes as `draw_kept` has them, but that less is left to chance: of as many for each of `rngs`, those that speak for all.

    Cells of all pairs of axes are about as frequent among them as among those that they come of (kernel thinning: `halved`), of every two together with a target that was named.
    There are 2, 4, … of `rngs`, and rows are drawn by each of them at once; one alone draws independent rows.
    """
    if len(rngs) == 1 or not n_rows or not model.latents:
        return draw_kept(model, n_rows, rngs[0], spread=False)
    with ThreadPoolExecutor(max_workers=min(len(rngs), os.cpu_count() or 1)) as pool:
        drawn = joined(list(pool.map(lambda own: draw_kept(model, n_rows, own), rngs)))
    cells = cells_of(model.latents, model.bins, model.differences)
    target = None if model.ratio is None or model.ratio.target is None else model.ratio.target.axis
    while drawn.n_rows > n_rows:
        states = [own[drawn.pieces[axis]].astype(np.intp) for axis, own in enumerate(cells)]
        drawn = drawn.rows(halved(states, [int(own.max()) + 1 for own in cells], rngs[0], target=target))
    return drawn


def choose_asked(model: Refined, n_rows: int, asked: Asked, rng: np.random.Generator) -> Proposed:
    """Rows on all axes that meet what is asked of all alike: of several for each, those that the ratio chooses.

    Under conditions ratios differ from what they are elsewhere, so they are bounded for the rows at hand: no row is taken twice.
    """
    if model.ratio is None:
        found = draw_asked(model, n_rows, asked, rng)
        draw_rest(model, found.drawn, rng)
        return found
    n_drawn = CHOSEN_FROM * n_rows
    found = draw_asked(model, n_drawn, asked, rng, n_each=1)
    draw_rest(model, found.drawn, rng)
    logs = model.ratio.logs(found.drawn.pieces)
    bound = min(model.ratio.bound, bound_of(logs))
    weight = np.exp(np.minimum(logs - bound, 0.0))
    chosen = systematic(weight, n_rows, rng)
    effective = min(float(n_rows), found.effective * effective_share(weight))
    return Proposed(found.drawn.rows(chosen), effective, asked.is_moved)
