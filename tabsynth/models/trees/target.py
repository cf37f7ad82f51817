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
from tabsynth.privacy.class_scores import MOST_STEPS, ClassScores, n_scores, order_of_codes

Floats = npt.NDArray[np.float64]

MOST_CLASSES = 16
"""Of a target: its most frequent levels, and the others together."""
_HELD_OUT = 0.2


@dataclass(frozen=True, eq=False)
class TargetRatio:
    """`classes`: of every level on the target's `axis`, (n_levels,); `codes`: for all other axes what trees see of every piece, and of a row
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
            _log_chances([forest.logs(rows) for forest in forests], classes) for forests in self._forests
        )
        return source - drawn

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


def _log_chances(scores: Sequence[Floats], classes: Integers) -> Floats:
    """Of each row's class, (n_rows,), from the scores of all classes, or the log odds of the second."""
    if len(scores) == 1:
        return -np.logaddexp(0.0, np.where(classes == 1, -scores[0], scores[0]))
    every = np.stack(scores)
    found: Floats = every[classes, np.arange(len(classes))] - np.logaddexp.reduce(every, axis=0)
    return found


def classes_of(mass: Floats) -> Integers:
    """The class of every level, (n_levels,), from how frequent they are: the most frequent ones first, what is left together."""
    rank = np.empty(len(mass), dtype=np.int32)
    rank[np.argsort(-mass, kind="stable")] = np.arange(len(mass), dtype=np.int32)
    return np.minimum(rank, np.int32(MOST_CLASSES - 1))


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
    classes = classes_of(latents[target].marginal.mass)
    n_classes = int(classes.max()) + 1
    if n_classes < 2 or len(latents) < 2:
        return None
    theirs, ours = classes[real[target]], classes[drawn[target]]
    seen = {axis: own for axis, own in enumerate(codes) if axis != target}
    for axis, own in seen.items():
        if latents[axis].part is Part.LEVEL:
            place = order_of_codes(
                own[real[axis]] - ABSENT,
                theirs,
                n_codes=int(own.max()) - ABSENT + 1,
                n_classes=n_classes,
                min_group=min_group,
            )
            seen[axis] = place[own - ABSENT]
    rows, asked = (np.stack(list(_seen(target, seen, table)), axis=1) for table in (real, drawn))
    settings = {"n_classes": n_classes, "seed": int(rng.integers(1 << 30))}
    least = max(min_leaf, min_group)
    is_apart = rng.random(len(rows)) < _HELD_OUT
    judged = fit(
        rows[~is_apart],
        theirs[~is_apart],
        min_leaf=least,
        n_steps=MOST_STEPS,
        judged_by=(rows[is_apart], theirs[is_apart]),
        **settings,
    )
    if not judged:
        return None
    n_steps = len(judged) // n_scores(n_classes)
    alike = max(1, round(least * len(asked) / len(rows)))  # of as large a share of the rows
    with ThreadPoolExecutor(2) as pool:
        source = pool.submit(fit, rows, theirs, min_leaf=least, n_steps=n_steps, **settings)
        among_drawn = pool.submit(fit, asked, ours, min_leaf=alike, n_steps=n_steps, **settings)
        return TargetRatio(target, classes, seen, tuple(source.result()), tuple(among_drawn.result()))
