"""A target's chances put right: how much more probable its class is, given the rest of the row, in the source than among drawn rows.

Boosted trees estimate both chances in the same way, so what they cannot see cancels, and what else the sequence has stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.forest import Forest, arrays_of
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.boosted import BoostedTree
from tabsynth.privacy.class_scores import (
    MOST_PLACES,
    MOST_STEPS,
    ClassScores,
    log_chances,
    n_scores,
    places_of_codes,
)

Floats = npt.NDArray[np.float64]

MOST_CLASSES = 16
"""Of a target: its most frequent levels, and the others together."""
MOST_SAID = 5.0
"""Of a row's class, as a logarithm, either way."""
NO_CLASS = -1
"""Of levels that even together have too few rows: nothing is said of them."""
FEWEST_OF_CLASS = 30
"""Rows, whatever a leaf may have: some are held out."""
_HELD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class TargetRatio:
    """`classes`: of every level on the target's `axis`, (n_levels,), or `NO_CLASS`; `codes`: for all other axes what trees see of every piece, and of a row
    without the axis, (n_pieces + 1,). `source` and `drawn`: trees of the scores of classes, step by step, in the source and among drawn rows.
    """

    axis: int
    classes: Integers
    codes: Mapping[int, Integers]
    source: tuple[BoostedTree, ...]
    drawn: tuple[BoostedTree, ...]

    @property
    def n_classes(self) -> int:
        return int(self.classes.max()) + 1

    def logs(self, pieces: Mapping[int, Pieces]) -> Floats:
        """Of every row, (n_rows,): the logarithm of how much more probable its class is in the source."""
        classes = self.classes[pieces[self.axis]]
        rows = list(_seen(self.axis, self.codes, pieces))
        source, drawn = (
            log_chances(np.stack([forest.logs(rows) for forest in forests]), np.maximum(classes, 0))
            for forests in self._forests
        )
        return np.where(classes == NO_CLASS, 0.0, np.clip(source - drawn, -MOST_SAID, MOST_SAID))

    def arrays(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        found = arrays_of(self.source, f"{prefix}source.") | arrays_of(self.drawn, f"{prefix}drawn.")
        found |= {f"{prefix}axis": np.array([self.axis]), f"{prefix}classes": self.classes}
        return found | {f"{prefix}codes.{axis}": own for axis, own in self.codes.items()}

    @cached_property
    def _forests(self) -> tuple[list[Forest], list[Forest]]:
        n_axes, n = 1 + len(self.codes), n_scores(self.n_classes)
        sizes = [int(self.codes[axis].max()) + 2 if axis != self.axis else 2 for axis in range(n_axes)]
        source, drawn = (
            [Forest.of(trees[score::n], sizes) for score in range(n)] for trees in (self.source, self.drawn)
        )
        return source, drawn


def _seen(target: int, codes: Mapping[int, Integers], pieces: Mapping[int, Pieces]) -> Iterator[Integers]:
    """What trees see of rows, axis by axis, (n_rows,); of the target nothing."""
    for axis in range(len(codes) + 1):
        yield codes[axis][pieces[axis]] if axis != target else np.zeros(len(pieces[axis]), dtype=np.int32)


def classes_of(n_rows: npt.NDArray[np.intp], least: int) -> Integers:
    """The class of every level, (n_levels,), by how many rows have it: the most frequent first, what is left together; none has fewer than `least` rows."""
    order = np.argsort(-n_rows, kind="stable")
    n_own = int((n_rows >= least).sum())
    if n_own > MOST_CLASSES or (n_own == MOST_CLASSES and n_rows[order[n_own:]].any()):
        n_own = MOST_CLASSES - 1
    rest = n_own if n_rows[order[n_own:]].sum() >= least else NO_CLASS
    found = np.full(len(n_rows), rest, dtype=np.int32)
    found[order[:n_own]] = np.arange(n_own, dtype=np.int32)
    return found


def places_of_values(mass: Floats) -> Integers:
    """The place of every piece of numbers, and of a row without one, (n_pieces + 1,): stretches of as many rows."""
    place = np.floor((np.cumsum(mass) - mass / 2) * MOST_PLACES).clip(0, MOST_PLACES - 1)
    return np.append(np.unique(place, return_inverse=True)[1].reshape(-1), ABSENT).astype(np.int32)


def fit_target(
    latents: Sequence[Latent],
    codes: Sequence[Integers],
    target: int,
    real: Mapping[int, Pieces],
    drawn: Mapping[int, Pieces],
    fit: ClassScores,
    *,
    min_leaf: int,
    min_group: int,
    rng: np.random.Generator,
) -> TargetRatio | None:
    """From pieces of rows of the source and of others that a model drew; None where the source's other columns say nothing of the target.

    `codes`: of every piece on every axis, and of a row without one. `target`: an axis of levels.
    """
    least = max(min_leaf, min_group)
    n_levels = len(latents[target].marginal.mass)
    fewest = np.minimum(*(np.bincount(rows[target], minlength=n_levels) for rows in (real, drawn)))
    classes = classes_of(fewest, max(least, FEWEST_OF_CLASS))
    n_classes = int(classes.max()) + 1
    if n_classes < 2 or len(latents) < 2:
        return None
    real, drawn = (
        {axis: own[classes[rows[target]] != NO_CLASS] for axis, own in rows.items()} for rows in (real, drawn)
    )
    theirs, ours = classes[real[target]], classes[drawn[target]]
    settings = {"n_classes": n_classes, "seed": int(rng.integers(1 << 30))}

    def seen_by(taught: npt.NDArray[np.bool_]) -> dict[int, Integers]:
        """What trees see of every piece on the other axes, by the classes of these rows."""
        seen = {}
        for axis, latent in enumerate(latents):
            if axis == target:
                continue
            if latent.part is Part.VALUE:
                seen[axis] = places_of_values(latent.marginal.mass)
                continue
            own = codes[axis] - ABSENT
            place = places_of_codes(
                own[real[axis][taught]],
                theirs[taught],
                n_codes=int(own.max()) + 1,
                n_classes=n_classes,
                min_group=min_group,
            )
            seen[axis] = place[own]
        return seen

    def table(seen: Mapping[int, Integers], rows: Mapping[int, Pieces]) -> npt.NDArray[np.int32]:
        return np.stack(list(_seen(target, seen, rows)), axis=1)

    apart = rng.random(len(theirs)) < _HELD_OUT
    judging = table(seen_by(~apart), real)
    limits = {"min_leaf": least, "min_group": min_group}
    judged = fit(
        judging[~apart],
        theirs[~apart],
        n_steps=MOST_STEPS,
        judged_by=(judging[apart], theirs[apart]),
        **limits,
        **settings,
    )
    if not judged:
        return None
    n_steps = len(judged) // n_scores(n_classes) - 1
    seen = seen_by(np.ones(len(theirs), dtype=np.bool_))
    rows, asked = table(seen, real), table(seen, drawn)
    alike = max(1, round(least * len(asked) / len(rows)))  # of as large a share of the rows
    with ThreadPoolExecutor(2) as pool:
        source = pool.submit(fit, rows, theirs, n_steps=n_steps, **limits, **settings)
        among_drawn = pool.submit(fit, asked, ours, n_steps=n_steps, min_leaf=alike, min_group=1, **settings)
        return TargetRatio(target, classes, seen, tuple(source.result()), tuple(among_drawn.result()))
