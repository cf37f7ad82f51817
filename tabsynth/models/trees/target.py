"""A target's chances put right: how much more probable its class is, given the rest of the row, in the source than among drawn rows.

Boosted trees estimate both chances in the same way, so what they cannot see cancels, and what else the sequence has stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from tabsynth.privacy.class_scores import MOST_STEPS, ClassScores, n_scores, order_of_codes

Floats = npt.NDArray[np.float64]

MOST_CLASSES = 16
"""Of a target: its most frequent levels and those that are left together, or stretches of its numbers."""
_OTHER_AXIS = -1
_HELD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class TargetRatio:
    """`classes`: for the target's axes the class of every piece, (n_pieces + 1,), -1 where its other axis says it; `codes`: for all other axes
    what trees see of every piece; both have one entry more for rows without the axis. `source` and `drawn`: trees of the
    scores of classes, step by step, in the source and among drawn rows.
    """

    n_classes: int
    classes: Mapping[int, Integers]
    codes: Mapping[int, Integers]
    source: tuple[BoostedTree, ...]
    drawn: tuple[BoostedTree, ...]

    def logs(self, pieces: Mapping[int, Pieces]) -> Floats:
        """Of every row, (n_rows,): the logarithm of how much more probable its class is in the source."""
        nowhere = np.zeros(len(pieces[0]), dtype=np.int32)
        rows = [
            self.codes[axis][pieces[axis]] if axis in self.codes else nowhere for axis in range(len(pieces))
        ]
        classes = self.classes_of(pieces)
        source, drawn = (
            _log_chances([forest.logs(rows) for forest in forests], classes) for forests in self._forests
        )
        return source - drawn

    @property
    def axis(self) -> int:
        """Of the target; of numbers beside which levels stand that of the numbers."""
        return max(self.classes)

    def classes_of(self, pieces: Mapping[int, Pieces]) -> npt.NDArray[np.intp]:
        """The class of every row, (n_rows,)."""
        said = [own[pieces[axis]] for axis, own in self.classes.items()]
        found: npt.NDArray[np.intp] = np.maximum(np.max(said, axis=0), 0).astype(np.intp)
        return found

    def arrays(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        found = arrays_of(self.source, f"{prefix}source.") | arrays_of(self.drawn, f"{prefix}drawn.")
        found |= {f"{prefix}classes.{axis}": own for axis, own in self.classes.items()}
        return found | {f"{prefix}codes.{axis}": own for axis, own in self.codes.items()}

    @cached_property
    def _forests(self) -> tuple[list[Forest], list[Forest]]:
        n_axes, n = len(self.classes) + len(self.codes), n_scores(self.n_classes)
        sizes = [int(self.codes[axis].max()) + 2 if axis in self.codes else 2 for axis in range(n_axes)]
        source, drawn = (
            [Forest.of(trees[score::n], sizes) for score in range(n)] for trees in (self.source, self.drawn)
        )
        return source, drawn


def _log_chances(scores: Sequence[Floats], classes: npt.NDArray[np.intp]) -> Floats:
    """Of each row's class, (n_rows,), from the scores of all classes, or the log odds of the second."""
    if len(scores) == 1:
        return -np.logaddexp(0.0, np.where(classes == 1, -scores[0], scores[0]))
    every = np.stack(scores)
    found: Floats = every[classes, np.arange(len(classes))] - np.logaddexp.reduce(every, axis=0)
    return found


def classes_on(latents: Sequence[Latent], target: str) -> tuple[int, dict[int, Integers]]:
    """How many classes the column has, and for its axes the class of every piece."""
    found: dict[int, Integers] = {}
    n_classes = 0
    for axis, latent in enumerate(latents):
        if latent.variable.name != target:
            continue
        mass = latent.marginal.mass
        most = MOST_CLASSES - n_classes
        if latent.part is Part.VALUE:
            middle = np.cumsum(mass) - mass / 2
            place = np.arange(len(mass)) if len(mass) <= most else np.floor(middle * most).clip(0, most - 1)
            own = np.unique(place, return_inverse=True)[1].reshape(-1)
        else:
            is_level = np.ones(len(mass), dtype=np.bool_)
            if latent.variable.is_continuous:  # the level of numbers, which have an axis of their own
                is_level = latent.marginal.lower != 0
            rank = np.empty(len(mass), dtype=np.int64)
            rank[np.argsort(np.where(is_level, -mass, np.inf), kind="stable")] = np.arange(len(mass))
            last = most - 1 - (MOST_CLASSES // 2 if latent.variable.is_continuous else 0)
            own = np.where(is_level, np.minimum(rank, last), _OTHER_AXIS)
        classes = np.where(own == _OTHER_AXIS, _OTHER_AXIS, own + n_classes)
        absent = _OTHER_AXIS  # a row without a number has a level
        found[axis] = np.append(classes, absent).astype(np.int32)
        n_classes = max(n_classes, int(classes.max()) + 1)
    return n_classes, found


def fit_target(
    latents: Sequence[Latent],
    codes: Sequence[Integers],
    target: str,
    real: Mapping[int, Pieces],
    drawn: Mapping[int, Pieces],
    fit: ClassScores,
    *,
    min_leaf: int,
    min_group: int,
    rng: np.random.Generator,
) -> TargetRatio | None:
    """From pieces of rows of the source and of others that a model drew; None where the source's other columns say nothing of the target.

    `codes`: of every piece on every axis, and of a row without one.
    """
    n_classes, classes = classes_on(latents, target)
    others = [axis for axis in range(len(latents)) if axis not in classes]
    if n_classes < 2 or not others:
        return None
    nothing = TargetRatio(n_classes, classes, {}, (), ())
    theirs, ours = nothing.classes_of(real), nothing.classes_of(drawn)
    seen: dict[int, Integers] = {}
    for axis in others:
        own = codes[axis]
        if latents[axis].part is Part.LEVEL:
            place = order_of_codes(
                own[real[axis]] - ABSENT,
                theirs,
                n_codes=int(own.max()) - ABSENT + 1,
                n_classes=n_classes,
                min_group=min_group,
            )
            own = place[own - ABSENT]
        seen[axis] = own
    grown_on, asked = (
        np.stack(
            [
                seen[axis][rows[axis]] if axis in seen else np.zeros_like(rows[axis])
                for axis in range(len(latents))
            ],
            axis=1,
        )
        for rows in (real, drawn)
    )
    settings = {"n_classes": n_classes, "seed": int(rng.integers(1 << 30))}
    least = max(min_leaf, min_group)
    is_apart = rng.random(len(theirs)) < _HELD_OUT
    trees = fit(
        grown_on[~is_apart],
        theirs[~is_apart],
        min_leaf=least,
        n_steps=MOST_STEPS,
        judged_by=(grown_on[is_apart], theirs[is_apart]),
        **settings,
    )
    if not trees:
        return None
    n_steps = len(trees) // n_scores(n_classes)
    with ThreadPoolExecutor(2) as pool:
        source = pool.submit(fit, grown_on, theirs, min_leaf=least, n_steps=n_steps, **settings)
        as_drawn = pool.submit(
            fit,
            asked,
            ours,
            min_leaf=max(1, round(least * len(ours) / len(theirs))),
            n_steps=n_steps,
            **settings,
        )
        return TargetRatio(n_classes, classes, seen, tuple(source.result()), tuple(as_drawn.result()))
