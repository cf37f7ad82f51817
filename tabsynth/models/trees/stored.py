"""A stored sequence of trees, checked before a model is built on it: nothing in a model folder is believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import Variable
from tabsynth.errors import ModelFileError
from tabsynth.models.latent import Latent, Part, restore_latents
from tabsynth.models.stored import require_names, stored_array
from tabsynth.models.trees.axes import tilted_bins
from tabsynth.models.trees.differences import Difference, Pair, difference_variables, differences_on
from tabsynth.models.trees.fitted import FittedSequentialTrees
from tabsynth.models.trees.leaves import Leaves
from tabsynth.models.trees.ratios import PREFIX
from tabsynth.models.trees.repeats import Repeat, levels_of, repeat_variables, repeats_on
from tabsynth.models.trees.stored_ratio import restore_ratio
from tabsynth.models.trees.tilts import MOST_ODDS, Tilt
from tabsynth.models.trees.tree import Tree

Arrays = Mapping[str, npt.NDArray[Any]]
_NODES = ("axis", "threshold", "left", "right")
_LEAVES = ("start", "first", "last", "count", "passed")
_MOST_ROWS = 1 << 50
_MOST_WEIGHT = 1e6


def restore_trees(
    variables: Sequence[Variable], arrays: Arrays, parameters: Mapping[str, Any]
) -> FittedSequentialTrees:
    """What `FittedSequentialTrees.arrays` and `.parameters` gave.

    Raises `ModelFileError` unless every array has the type, shape and meaning that fitting gives it: trees whose nodes
    are all reached once and ask only for axes drawn before, and leaves from which every draw finds an entry.
    """
    require_names(parameters, ["order", "families", "differences", "repeats"], what="parameters")
    pairs = _pairs(parameters["differences"], variables)
    twins = _twins(parameters["repeats"], variables)
    variables = (*variables, *difference_variables(pairs, variables))
    said = repeat_variables(twins, variables)
    variables = (*variables, *said)
    own = [name for name in arrays if name.startswith(("tree.", "leaves.", "bins.", "tilt."))]
    ratio = [name for name in arrays if name.startswith(PREFIX)]
    latents = restore_latents(variables, arrays, {"families": parameters["families"]}, beside=[*own, *ratio])
    order = _order(parameters["order"], latents)
    differences = _differences(pairs, latents[: len(latents) - len(said)], order)
    repeats = _repeats(twins, [one.name for one in said], latents, order)
    wanted = [f"tree.{axis}.{name}" for axis in range(len(latents)) for name in _NODES]
    wanted += [f"leaves.{axis}.{name}" for axis in range(len(latents)) for name in _LEAVES]
    wanted += [f"leaves.{axis}.weight" for axis, latent in enumerate(latents) if latent.part is Part.VALUE]
    wanted += [f"bins.{axis}" for axis in range(len(latents))]
    free = [name for name in own if ".ranks." in name or name.startswith("tilt.")]
    require_names([name for name in own if name not in free], wanted, what="arrays")
    trees, leaves = [], []
    for axis in range(len(latents)):
        tree = _tree(arrays, axis, order[: order.index(axis)], latents)
        trees.append(tree)
        leaves.append(_leaves(arrays, axis, tree, latents[axis]))
    bins = tuple(_bins(arrays, axis, latent) for axis, latent in enumerate(latents))
    tilts = {axis: tilt for axis in order if (tilt := _tilt(arrays, axis, order, latents, bins)) is not None}
    n_free = sum(len(tree.ranks) for tree in trees) + sum(len(tilt.weights) for tilt in tilts.values())
    _require(n_free == len(free), "tree", "ranks or tilts of axes that it does not ask for")
    refined = restore_ratio(arrays, latents, bins, differences)
    return FittedSequentialTrees(
        latents, order, tuple(trees), tuple(leaves), bins, tilts, refined, differences, repeats
    )


def _pairs_of(data: object, known: Collection[str], what: str, *, kind: str) -> tuple[Pair, ...]:
    """Pairs of the `known` columns, which are all of that kind; no column is the second of two."""
    is_list = isinstance(data, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair)
        for pair in data
    )
    _require(is_list, what, "not pairs of columns")
    pairs: tuple[Pair, ...] = tuple((base, of) for base, of in data)  # type: ignore[attr-defined]
    are_known = all(base in known and of in known and base != of for base, of in pairs)
    _require(are_known, what, f"pairs of columns that are not {kind}")
    _require(len({of for _, of in pairs}) == len(pairs), what, "two of one column")
    return pairs


def _pairs(data: object, variables: Sequence[Variable]) -> tuple[Pair, ...]:
    """Of columns of numbers, as `parameters` has them; each is told by one other at most."""
    known = {variable.name: variable for variable in variables if variable.is_continuous}
    pairs = _pairs_of(data, known, "differences", kind="numbers")
    are_alike = all(known[base].is_lattice == known[of].is_lattice for base, of in pairs)
    _require(are_alike, "differences", "of whole numbers and others")
    return pairs


def _differences(
    pairs: Sequence[Pair], latents: Sequence[Latent], order: Sequence[int]
) -> tuple[Difference, ...]:
    found = differences_on(pairs, latents)
    places = [tuple(order.index(axis) for axis in (one.base, one.axis, one.of)) for one in found]
    _require(
        all(base < axis < of for base, axis, of in places), "order", "a difference that is drawn too late"
    )
    _require(
        places == sorted(places, key=lambda place: place[2]), "differences", "not in the order of the columns"
    )
    return found


def _twins(data: object, variables: Sequence[Variable]) -> tuple[Pair, ...]:
    """Of columns of levels, as `parameters` has them; each repeats one other at most."""
    known = {variable.name: levels_of(variable) for variable in variables if not variable.is_continuous}
    pairs = _pairs_of(data, known, "repeats", kind="levels")
    _require(all(known[base] == known[of] for base, of in pairs), "repeats", "pairs of other levels")
    return pairs


def _repeats(
    pairs: Sequence[Pair], names: Sequence[str], latents: Sequence[Latent], order: Sequence[int]
) -> tuple[Repeat, ...]:
    found = repeats_on(pairs, names, latents)
    are_late = all(order.index(one.base) < order.index(one.axis) < order.index(one.of) for one in found)
    _require(are_late, "order", "a repeat that is drawn too late")
    return found


def _order(data: object, latents: Sequence[Latent]) -> tuple[int, ...]:
    is_list = isinstance(data, list) and all(type(axis) is int for axis in data)
    _require(is_list and sorted(data) == list(range(len(latents))), "order", "not every axis once")  # type: ignore[call-overload]
    order: tuple[int, ...] = tuple(data)  # type: ignore[arg-type]
    for axis, latent in enumerate(latents):
        if latent.part is Part.VALUE and axis and latents[axis - 1].variable == latent.variable:
            _require(order.index(axis - 1) < order.index(axis), "order", "a number before its level")
    return order


def _tree(arrays: Arrays, axis: int, before: Sequence[int], latents: Sequence[Latent]) -> Tree:
    name = f"tree.{axis}"
    n_nodes = max(1, arrays[f"{name}.axis"].size)
    asked, threshold, left, right = (
        _integers(arrays, f"{name}.{part}", n_nodes, least=-(1 << 31), dtype=np.int32) for part in _NODES
    )
    inner = asked != -1
    _require(np.isin(asked[inner], before).all(), name, "asks for axes that are not drawn before")
    children = np.r_[left[inner], right[inner]]
    is_below = (children > np.tile(np.flatnonzero(inner), 2)).all()
    _require(is_below and np.array_equal(np.sort(children), np.arange(1, n_nodes)), name, "not a tree")
    _require((left[~inner] == -1).all() and (right[~inner] == -1).all(), name, "leaves with children")
    ranks = {}
    for other in sorted(set(asked[inner].tolist())):
        if (key := f"{name}.ranks.{other}") in arrays:
            ranks[other] = _integers(arrays, key, len(latents[other].marginal.mass), least=0, dtype=np.int32)
    return Tree(asked, threshold, left, right, ranks)


def _leaves(arrays: Arrays, axis: int, tree: Tree, latent: Latent) -> Leaves:
    name, n_nodes, n_pieces = f"leaves.{axis}", tree.n_nodes, len(latent.marginal.mass)
    n_entries = arrays[f"{name}.first"].size
    start = _integers(arrays, f"{name}.start", n_nodes + 1, least=0, dtype=np.int64)
    first = _integers(arrays, f"{name}.first", n_entries, least=0, dtype=np.int32)
    last = _integers(arrays, f"{name}.last", n_entries, least=0, dtype=np.int32)
    count = _integers(arrays, f"{name}.count", n_entries, least=1, dtype=np.int64)
    passed = _integers(arrays, f"{name}.passed", n_nodes, least=0, dtype=np.int64)
    is_cut = start[0] == 0 and start[-1] == n_entries and (np.diff(start) >= 0).all()
    _require(is_cut, f"{name}.start", "not the beginnings of its entries")
    _require((first <= last).all() and (last < n_pieces).all(), name, "runs of pieces that there are not")
    _require(
        int(count.sum(dtype=np.float64)) <= _MOST_ROWS and int(passed.max()) <= _MOST_ROWS,
        name,
        "too many rows",
    )
    weight = latent.marginal.mass
    if latent.part is Part.VALUE:
        weight = stored_array(arrays, f"{name}.weight", np.dtype(np.float64), (n_pieces,))
        is_weight = ((weight >= 0) & (weight <= _MOST_WEIGHT)).all()
        _require(is_weight, f"{name}.weight", f"weights that are not within 0 and {_MOST_WEIGHT:g}")
    cumulative = np.r_[0.0, np.cumsum(weight)]
    is_possible = (cumulative[last + 1] > cumulative[first]).all()
    _require(is_possible, name, "entries of probability zero")
    has_entries = np.diff(start) > 0
    reached = np.unique(tree.parent[(passed > 0) & (tree.parent >= 0)])
    drawn_from = np.union1d(np.flatnonzero(tree.axis == -1), reached)
    _require(
        passed[0] == 0 and (has_entries | (passed > 0))[drawn_from].all(), name, "draws that find no entry"
    )
    return Leaves(start, first, last, count, passed, weight)


def _bins(arrays: Arrays, axis: int, latent: Latent) -> npt.NDArray[np.int32]:
    name, n_pieces = f"bins.{axis}", len(latent.marginal.mass)
    bins = _integers(arrays, name, n_pieces, least=0, dtype=np.int32)
    _require(np.array_equal(np.unique(bins), np.arange(bins.max() + 1)), name, "bins without pieces")
    return bins


def _tilt(
    arrays: Arrays,
    axis: int,
    order: Sequence[int],
    latents: Sequence[Latent],
    bins: Sequence[npt.NDArray[np.int32]],
) -> Tilt | None:
    weights, n_bins = {}, int(tilted_bins(latents[axis], bins[axis]).max()) + 1
    for other in order[: order.index(axis)]:
        if (name := f"tilt.{axis}.{other}") in arrays:
            found, shape = arrays[name], (int(bins[other].max()) + 2, n_bins)
            if found.dtype != np.float32 or found.shape != shape:
                raise ModelFileError(
                    f"array {name!r}: expected float32 of shape {shape}, found {found.dtype} of shape {found.shape}"
                )
            _require((np.abs(found) <= MOST_ODDS).all(), name, f"log odds that are not within ±{MOST_ODDS}")
            weights[other] = found
    return Tilt(weights) if weights else None


def _integers(
    arrays: Arrays, name: str, size: int, *, least: int, dtype: type[np.signedinteger[Any]]
) -> npt.NDArray[Any]:
    array = arrays[name]
    if array.dtype != dtype or array.shape != (size,):
        found = f"{array.dtype} of shape {array.shape}"
        raise ModelFileError(f"array {name!r}: expected {np.dtype(dtype)} of shape ({size},), found {found}")
    _require((array >= least).all(), name, f"values below {least}")
    return array


def _require(holds: bool | np.bool_, name: str, fault: str) -> None:
    if not holds:
        raise ModelFileError(f"array {name!r}: {fault}")
