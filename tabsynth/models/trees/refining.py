"""Refining a sequence of trees: rows drawn from it are told from real ones, and what tells them apart is taken off.

A drawn row is then kept with a chance in proportion to the density ratio (discriminator rejection sampling: Azadi et al. 2019).
Estimated ratios are noisy, and would bend the columns that the trees have right: the weights are fitted to these again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from tabsynth.models.latent import Latent
from tabsynth.models.trees.drawing import Drawn, Model, draw_rest, joined
from tabsynth.models.trees.margins import MOST_ADDED, cells_of, fit_margins, wanted_in
from tabsynth.models.trees.ratios import Ratio, codes_of
from tabsynth.models.trees.target import fit_target
from tabsynth.models.trees.tree import Pieces
from tabsynth.privacy.class_scores import ClassScores
from tabsynth.privacy.density_ratio import LEAST_ROWS, MOST_TREES, DensityRatio
from tabsynth.randomness import Streams

DRAWN_PER_ROW = 3
"""Rows that a table's rows are told from, for each of these."""
FEWEST_DRAWN, ENOUGH_DRAWN = 32_768, 98_304
"""Of small tables at least so many, of large ones no more."""
MOST_PER_ROW = 8
"""Of the smallest: trees count rows in a leaf, whosever they are."""
FEWEST_WEIGHED, MOST_WEIGHED = 32_768, 262_144
"""Rows for weights that keep columns as they are."""
FEWEST_TREES, TREES_TIMES_ROWS = 100, 150_000_000
"""Of a round, in tables of more than 150,000 rows: each row that is drawn asks all trees."""
TREES_TIMES_COLUMNS = 4
"""Of a round, for each row: where rows are few for their columns, more trees tell new rows apart no better, and those that were fitted to only too well."""
MOST_ROUNDS = 16
_KNOWN = 0.2
"""By so much less do trees flatter themselves on rows that a sequence was fitted to, whose chance it has followed in part (measured: a fortieth to two fifths, a quarter as a rule)."""
_AT_ONCE = 16_384


class Settings(Protocol):
    """What refining needs of `SequentialTrees`."""

    @property
    def rounds(self) -> int: ...
    @property
    def min_leaf(self) -> int: ...
    @property
    def min_group(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Rows of the table's `n_rows`, or enough of them: their `pieces` by axis, and the axes that rows will be `given`."""

    pieces: Sequence[Pieces]
    given: Sequence[int]
    n_rows: int

    @classmethod
    def of(
        cls, pieces: Sequence[Pieces], latents: Sequence[Latent], context: Collection[str], *, n_rows: int
    ) -> Self:
        """The rows, given the columns of the context."""
        return cls(
            pieces, [axis for axis, latent in enumerate(latents) if latent.variable.name in context], n_rows
        )

    @property
    def has_enough(self) -> bool:
        return bool(self.pieces) and len(self.pieces[0]) >= LEAST_ROWS

    def begun(self, n_rows: int, rng: np.random.Generator) -> Drawn:
        """Rows on the given axes, as even a draw of the source's as there can be."""
        drawn = Drawn(n_rows, {}, {})
        if self.given:
            n_real = len(self.pieces[0])
            rows = np.concatenate([rng.permutation(n_real) for _ in range(-(-n_rows // n_real))])[:n_rows]
            drawn.pieces = {axis: self.pieces[axis][rows] for axis in self.given}
            drawn.shares = {axis: rng.random(n_rows) for axis in self.given}
        return drawn


def refine(
    model: Model, source: Source, fit: DensityRatio, settings: Settings, streams: Streams
) -> Ratio | None:
    """The ratio of real rows to drawn ones after `rounds` of telling them apart; None where nothing tells them apart.

    Every round adds trees that tell apart new rows, thinned by what the rounds before found.
    """
    if not source.has_enough:
        return None
    codes = codes_of(model.latents, model.bins, model.differences)
    cells = cells_of(model.latents, model.bins, model.differences)
    wanted = wanted_in(model.latents, cells, model.gates)
    real = _table(codes, dict(enumerate(source.pieces)))
    nothing = tuple(np.zeros(len(own), dtype=np.float32) for own in codes)
    n_weighed = int(np.clip(source.n_rows, FEWEST_WEIGHED, MOST_WEIGHED))
    most_trees = most_trees_for(source.n_rows, len({latent.variable.name for latent in model.latents}))
    has_learnt = [axis in model.tilts or tree.n_nodes > 1 for axis, tree in enumerate(model.trees)]
    flattered = 1 - _KNOWN * float(np.mean(has_learnt))
    ratio: Ratio | None = None
    drawn = _pool(model, source, _n_told_from(len(real)), streams, 0)
    for number in range(settings.rounds):
        more = fit(
            real,
            _table(codes, drawn.pieces),
            min_leaf=settings.min_leaf,
            min_group=settings.min_group,
            seed=number,
            most_trees=most_trees,
            flattered=flattered,
        )
        if not more:
            break
        trees = (*(() if ratio is None else ratio.trees), *more)
        drawn = _pool(model, source, n_weighed, streams, number + 1)  # none that the trees were grown on
        bare = Ratio(codes, trees, nothing, 0.0)
        ratio = bare.weighed(*fit_margins(bare.logs(drawn.pieces), drawn.pieces, cells, wanted))
        if number < settings.rounds - 1:
            rng = streams.generator("sequential_trees.thin", number)
            drawn = drawn.rows(np.flatnonzero(rng.random(n_weighed) < ratio.chance(drawn.pieces)))
    return ratio


def refine_target(
    model: Model,
    ratio: Ratio | None,
    source: Source,
    fit: ClassScores,
    target: int,
    settings: Settings,
    streams: Streams,
) -> Ratio | None:
    """The ratio, and on top of it how much more probable a row's class on the axis `target` is in the source, given the rest of the row.

    As it was where the rest says nothing of it. The last step, so that chances of classes are what was learned of them, whatever was done to rows before.
    """
    if not source.has_enough:
        return ratio
    codes = codes_of(model.latents, model.bins, model.differences)
    if ratio is None:
        nothing = tuple(np.zeros(len(own), dtype=np.float32) for own in codes)
        ratio = Ratio(codes, (), nothing, 0.0)
    rng = streams.generator("sequential_trees.target")
    n_weighed = int(np.clip(source.n_rows, FEWEST_WEIGHED, MOST_WEIGHED))
    drawn = _pool(model, source, _n_told_from(len(source.pieces[0])), streams, settings.rounds + 1)
    kept = drawn.rows(np.flatnonzero(rng.random(drawn.n_rows) < ratio.chance(drawn.pieces)))
    real = dict(enumerate(source.pieces))
    found = fit_target(
        model.latents,
        codes,
        target,
        real,
        kept.pieces,
        fit,
        min_leaf=settings.min_leaf,
        min_group=settings.min_group,
        rng=rng,
    )
    if found is None:
        return ratio if ratio.trees else None
    drawn = _pool(model, source, n_weighed, streams, settings.rounds + 2)  # none that scores were fitted to
    more_said = replace(ratio, target=found)
    cells, logs = cells_of(model.latents, model.bins, model.differences), more_said.logs(drawn.pieces)
    margins, bound = fit_margins(logs, drawn.pieces, cells, wanted_in(model.latents, cells, model.gates))
    summed = tuple(
        np.clip(one + more, -MOST_ADDED, MOST_ADDED) for one, more in zip(ratio.margins, margins, strict=True)
    )
    return more_said.weighed(summed, bound)


def most_trees_for(n_rows: int, n_columns: int) -> int:
    """Trees that one round may grow in a table of that size."""
    most = min(TREES_TIMES_ROWS // n_rows, TREES_TIMES_COLUMNS * n_rows // n_columns)
    return int(np.clip(most, FEWEST_TREES, MOST_TREES))


def _n_told_from(n_real: int) -> int:
    """Drawn rows for so many of the table."""
    return min(max(DRAWN_PER_ROW * n_real, min(FEWEST_DRAWN, MOST_PER_ROW * n_real)), ENOUGH_DRAWN)


def _table(codes: Sequence[Pieces], pieces: Mapping[int, Pieces]) -> Pieces:
    """Codes of rows, (n_rows, n_axes)."""
    return np.stack([own[pieces[axis]] for axis, own in enumerate(codes)], axis=1)


def _pool(model: Model, source: Source, n_rows: int, streams: Streams, number: int) -> Drawn:
    """Rows of the sequence alone, given what the source's are on the axes that are given: the same for a seed and a number, whatever the number of threads."""

    def part(block: int) -> Drawn:
        rng = streams.generator("sequential_trees.pool", number, block)
        drawn = source.begun(min(_AT_ONCE, n_rows - block * _AT_ONCE), rng)
        draw_rest(model, drawn, rng)
        return drawn

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return joined(list(pool.map(part, range(-(-n_rows // _AT_ONCE)))))
