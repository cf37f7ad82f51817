"""A stored density ratio, checked before rows are thinned by it: nothing in a model folder is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ModelFileError
from tabsynth.models.latent import Latent, Part
from tabsynth.models.stored import require_names
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.differences import Difference
from tabsynth.models.trees.forest import NODE_PARTS
from tabsynth.models.trees.margins import MOST_ADDED
from tabsynth.models.trees.ratios import PREFIX, Ratio, codes_of
from tabsynth.models.trees.refining import MOST_ROUNDS
from tabsynth.models.trees.target import MOST_CLASSES, NO_CLASS, TargetRatio
from tabsynth.models.trees.tree import Integers
from tabsynth.privacy.boosted import MOST_LEAVES, BoostedTree
from tabsynth.privacy.class_scores import MOST_PLACES, MOST_STEPS, n_scores
from tabsynth.privacy.density_ratio import MOST_TREES

Arrays = Mapping[str, npt.NDArray[Any]]
TARGET = f"{PREFIX}target."
_MOST_ADDED_BY_TREE = 100.0
_MOST_BOUND = 1e6
_MOST_STORED = MOST_ROUNDS * MOST_TREES


def restore_ratio(
    arrays: Arrays,
    latents: Sequence[Latent],
    bins: Sequence[Integers],
    differences: Sequence[Difference],
) -> Ratio | None:
    """What `Ratio.arrays` gave; None where there is none of it.

    Raises `ModelFileError` unless every array has the type, shape and meaning that fitting gives it: not too many trees, of at most `MOST_LEAVES` leaves whose
    nodes are all reached once, over axes that there are, and finite numbers.
    """
    own = [name for name in arrays if name.startswith(PREFIX)]
    if not own:
        return None
    margins = [f"{PREFIX}margin.{axis}" for axis in range(len(latents))]
    target = [name for name in own if name.startswith(TARGET)]
    wanted = [*_names_of_trees(PREFIX), f"{PREFIX}bound", *margins]
    require_names([name for name in own if name not in target], wanted, what="arrays")
    trees = _trees(arrays, PREFIX, len(latents), _MOST_STORED)
    codes = codes_of(latents, bins, differences)
    added = tuple(
        _within(arrays, name, len(own), MOST_ADDED) for name, own in zip(margins, codes, strict=True)
    )
    bound = _typed(arrays, f"{PREFIX}bound", np.float64, 1)
    _require(np.abs(bound[0]) <= _MOST_BOUND, f"{PREFIX}bound", "not a finite log ratio")
    return Ratio(codes, trees, added, float(bound[0]), _target(arrays, target, latents))


def _names_of_trees(prefix: str) -> list[str]:
    return [f"{prefix}{part}" for part in (*NODE_PARTS, "start")]


def _trees(arrays: Arrays, prefix: str, n_axes: int, most: int) -> tuple[BoostedTree, ...]:
    n_nodes = arrays[f"{prefix}column"].size
    parts = {part: _typed(arrays, f"{prefix}{part}", dtype, n_nodes) for part, dtype in NODE_PARTS.items()}
    start = _typed(arrays, f"{prefix}start", np.int64, arrays[f"{prefix}start"].size)
    is_cut = start.size > 0 and start[0] == 0 and start[-1] == n_nodes and (np.diff(start) > 0).all()
    _require(is_cut, f"{prefix}start", "not the beginnings of its trees")
    _require(start.size <= most + 1, f"{prefix}start", f"more than {most:,} trees")
    trees = []
    for first, end in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
        tree = BoostedTree(**{part: array[first:end] for part, array in parts.items()})
        _require_tree(tree, prefix, n_axes)
        trees.append(tree)
    return tuple(trees)


def _target(arrays: Arrays, own: Sequence[str], latents: Sequence[Latent]) -> TargetRatio | None:
    """An axis of levels with their classes, codes on all others, and as many trees for every class."""
    if not own:
        return None
    key = f"{TARGET}axis"
    _require(key in own, key, "missing")
    axis = int(_typed(arrays, key, np.int64, 1)[0])
    is_axis = 0 <= axis < len(latents) and latents[axis].part is Part.LEVEL
    _require(is_axis, key, "no axis of levels")
    others = {other: f"{TARGET}codes.{other}" for other in range(len(latents)) if other != axis}
    trees = [f"{TARGET}source.", f"{TARGET}drawn."]
    wanted = [
        key,
        f"{TARGET}classes",
        *others.values(),
        *(name for prefix in trees for name in _names_of_trees(prefix)),
    ]
    require_names(own, wanted, what="arrays")
    classes = _codes(arrays, f"{TARGET}classes", len(latents[axis].marginal.mass), NO_CLASS, MOST_CLASSES - 1)
    n_classes = int(classes.max()) + 1
    _require(n_classes > 1, f"{TARGET}classes", "a single class")
    codes = {}
    for other, name in others.items():
        size = len(latents[other].marginal.mass) + 1
        codes[other] = _codes(arrays, name, size, ABSENT, MOST_PLACES - 1)
    source, drawn = (
        _trees(arrays, prefix, len(latents), (MOST_STEPS + 1) * MOST_CLASSES) for prefix in trees
    )
    for found, prefix in ((source, trees[0]), (drawn, trees[1])):
        is_even = len(found) % n_scores(n_classes) == 0
        _require(is_even, f"{prefix}start", "not as many trees for every class")
    return TargetRatio(axis, classes, codes, source, drawn)


def _codes(arrays: Arrays, name: str, size: int, least: int, most: int) -> Integers:
    array = _typed(arrays, name, np.int32, size)
    _require(
        ((array >= least) & (array <= most)).all(), name, f"codes that are not within {least} and {most}"
    )
    return array


def _require_tree(tree: BoostedTree, prefix: str, n_axes: int) -> None:
    name, n_nodes = f"{prefix}column", len(tree.column)
    inner = np.flatnonzero(tree.column != -1)
    _require(((tree.column >= -1) & (tree.column < n_axes)).all(), name, "asks for axes that there are not")
    _require(n_nodes - len(inner) <= MOST_LEAVES, name, f"a tree of more than {MOST_LEAVES} leaves")
    children = np.r_[tree.left[inner], tree.right[inner]]
    is_tree = np.array_equal(np.sort(children), np.arange(1, n_nodes))
    is_preorder = (tree.left[inner] == inner + 1).all() and (tree.right[inner] > inner + 1).all()
    _require(is_tree and is_preorder and _is_nested(tree, inner), f"{prefix}left", "not a tree in preorder")
    leaves = tree.column == -1
    _require(
        (tree.left[leaves] == -1).all() and (tree.right[leaves] == -1).all(),
        f"{prefix}left",
        "leaves with children",
    )
    _require(
        (np.abs(tree.value) <= _MOST_ADDED_BY_TREE).all(),
        f"{prefix}value",
        "sums of logarithms that are not finite",
    )
    _require((tree.threshold >= -1).all(), f"{prefix}threshold", "values below -1")


def _is_nested(tree: BoostedTree, inner: npt.NDArray[np.intp]) -> bool:
    """Whether what stands on the left of every node ends where what stands on its right begins."""
    ends = np.arange(1, len(tree.column) + 1)
    for node in inner[::-1].tolist():
        if ends[tree.left[node]] != tree.right[node]:
            return False
        ends[node] = ends[tree.right[node]]
    return True


def _typed(arrays: Arrays, name: str, dtype: Any, size: int) -> npt.NDArray[Any]:
    array = arrays[name]
    if array.dtype != dtype or array.shape != (size,):
        found = f"{array.dtype} of shape {array.shape}"
        raise ModelFileError(f"array {name!r}: expected {np.dtype(dtype)} of shape ({size},), found {found}")
    return array


def _within(arrays: Arrays, name: str, size: int, most: float) -> npt.NDArray[np.float32]:
    array = _typed(arrays, name, np.float32, size)
    _require((np.abs(array) <= most).all(), name, f"log ratios that are not within ±{most}")
    return array


def _require(holds: bool | np.bool_, name: str, fault: str) -> None:
    if not holds:
        raise ModelFileError(f"array {name!r}: {fault}")
