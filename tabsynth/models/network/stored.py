"""A stored network, checked before a model is built on it: nothing in a model folder is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import Variable
from tabsynth.errors import ModelFileError
from tabsynth.models.network.choice import Function
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.fitted import FittedBayesianNetwork
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.public_cells import PublicCells
from tabsynth.models.stored import require_names

Arrays = Mapping[str, npt.NDArray[Any]]
_MOST_CELLS = 1 << 28
_LARGEST_POTENTIAL = 1e4
_ROUNDING = 1e-6  # by how much shares may miss 1


def restore_network(
    variables: Sequence[Variable], arrays: Arrays, parameters: Mapping[str, Any]
) -> FittedBayesianNetwork:
    """What `FittedBayesianNetwork.arrays` and `.parameters` gave.

    Raises `ModelFileError` unless every array has the type, shape and meaning that fitting gives it, the
    cliques hold each column once or more and run together as a junction tree's must, and every potential
    lies within a clique.
    """
    require_names(parameters, ["cliques", "potentials", "leaves", "target"], what="parameters")
    n, target = len(variables), parameters["target"]
    _require(target is None or (type(target) is int and 0 <= target < n), "target", "not a column")
    cliques = _groups(parameters, "cliques", n)
    scopes = _groups(parameters, "potentials", n)
    pairs = _groups(parameters, "leaves", n)
    _require(all(len(pair) == 2 for pair in pairs), "leaves", "not pairs of columns")
    columns_arrays = ("lower", "upper", "counts", "coarse", "base")
    require_names(
        arrays,
        [f"column.{v}.{name}" for v in range(n) for name in columns_arrays]
        + [f"potential.{k}" for k in range(len(scopes))]
        + [f"leaf.{k}" for k in range(len(pairs))],
        what="arrays",
    )
    columns = tuple(stored_column(variable, v, arrays) for v, variable in enumerate(variables))
    sizes = [column.n_coarse for column in columns]
    tree = _tree(cliques, sizes, pairs)
    base = tuple(_shares(arrays, f"column.{v}.base", size, least=1e-300) for v, size in enumerate(sizes))
    potentials = tuple(
        _array(arrays, f"potential.{k}", tuple(sizes[v] for v in scope), least=-_LARGEST_POTENTIAL)
        for k, scope in enumerate(scopes)
    )
    _require(
        all((potential <= _LARGEST_POTENTIAL).all() for potential in potentials), "potentials", "too large"
    )
    for scope in scopes:
        _require(any(set(scope) <= set(clique) for clique in cliques), "potentials", "outside every clique")
    leaves = tuple(_leaf(k, pair, columns, arrays) for k, pair in enumerate(pairs))
    model = LogLinear(tree, base, scopes, potentials)
    try:
        model.beliefs  # noqa: B018  # kept for sampling
    except FloatingPointError:
        raise ModelFileError("'potentials': they leave no state possible") from None
    return FittedBayesianNetwork(columns, model, leaves, target)


def _groups(parameters: Mapping[str, Any], name: str, n_columns: int) -> tuple[tuple[int, ...], ...]:
    """Lists of distinct column positions."""
    data = parameters[name]
    _require(isinstance(data, list) and all(isinstance(group, list) for group in data), name, "not lists")
    for group in data:
        is_position = all(type(v) is int and 0 <= v < n_columns for v in group)
        _require(bool(group) and is_position and len(set(group)) == len(group), name, "not columns")
    return tuple(tuple(group) for group in data)


def _tree(
    cliques: Sequence[tuple[int, ...]], sizes: Sequence[int], pairs: Sequence[tuple[int, ...]]
) -> JunctionTree:
    children, parents = [child for child, _ in pairs], [parent for _, parent in pairs]
    wanted = set(range(len(sizes))) - set(children)
    held = {v for clique in cliques for v in clique}
    _require(held == wanted and len(set(children)) == len(children), "cliques", "not every column")
    _require(set(parents) <= wanted, "leaves", "on columns outside the tree")
    _require(len(cliques) <= len(wanted), "cliques", "more than columns")
    if not cliques:
        return JunctionTree((), (), (), ())
    n_cells = sum(math.prod(sizes[v] for v in clique) for clique in cliques)
    _require(n_cells <= _MOST_CELLS, "cliques", "too many cells")
    tree = JunctionTree.of(cliques, sizes)
    met: set[int] = set()
    for clique, separator in zip(tree.cliques, tree.separators, strict=True):
        _require(set(clique) & met == set(separator), "cliques", "not those of a junction tree")
        met |= set(clique)
    return tree


def stored_column(variable: Variable, v: int, arrays: Arrays) -> NetworkColumn:
    """Column number `v` from its arrays; raises `ModelFileError` for what no column has."""
    dtype = np.dtype(np.float64 if variable.is_continuous and not variable.is_lattice else np.int64)
    name = f"column.{v}"
    n_numbers = arrays[f"{name}.lower"].size if variable.is_continuous else 0
    _require(n_numbers > 0 or not variable.is_continuous, name, "no cells for its numbers")
    lower = _array(arrays, f"{name}.lower", (n_numbers,), dtype=dtype)
    upper = _array(arrays, f"{name}.upper", (n_numbers,), dtype=dtype)
    is_apart = upper[:-1] < lower[1:] if variable.is_lattice else upper[:-1] <= lower[1:]
    _require(bool((lower <= upper).all() and is_apart.all()), name, "cells out of order")
    cells = PublicCells(variable, lower, upper)
    counts = _shares(arrays, f"{name}.counts", cells.n_cells, least=0.0, may_miss=True)
    coarse = _array(arrays, f"{name}.coarse", (cells.n_cells,), dtype=np.dtype(np.uint16)).astype(np.intp)
    is_numbered = len(coarse) > 0 and np.array_equal(np.unique(coarse), np.arange(coarse.max() + 1))
    _require(is_numbered, f"{name}.coarse", "not numbered without gaps")
    return NetworkColumn(cells, counts, coarse)


def _leaf(k: int, pair: tuple[int, ...], columns: Sequence[NetworkColumn], arrays: Arrays) -> Leaf:
    child, parent = pair
    shape = (columns[parent].cells.n_cells, columns[child].cells.n_cells)
    conditional = _array(arrays, f"leaf.{k}", shape, least=0.0)
    _require(
        bool(np.allclose(conditional.sum(axis=1), 1.0, atol=_ROUNDING)), f"leaf.{k}", "not distributions"
    )
    return Leaf(Function(child, parent), conditional)


def _array(
    arrays: Arrays,
    name: str,
    shape: tuple[int, ...],
    *,
    dtype: np.dtype[Any] = np.dtype(np.float64),  # noqa: B008
    least: float | None = None,
) -> npt.NDArray[Any]:
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        found = f"{array.dtype} of shape {array.shape}"
        raise ModelFileError(f"array {name!r}: expected {dtype} of shape {shape}, found {found}")
    _require(bool(np.isfinite(array).all()), name, "not finite everywhere")
    _require(least is None or bool((array >= least).all()), name, "values below what they can be")
    return array


def _shares(
    arrays: Arrays, name: str, n: int, *, least: float, may_miss: bool = False
) -> npt.NDArray[np.float64]:
    """Shares that sum to 1, or to less where they may be of a table that holds hardly a row."""
    shares = _array(arrays, name, (n,), least=least)
    _require(bool((shares <= 1 + _ROUNDING).all()), name, "values above what they can be")
    total = float(shares.sum())
    _require(total <= 1 + _ROUNDING and (total >= 1 - _ROUNDING or may_miss), name, "not a distribution")
    return shares


def _require(holds: bool, name: str, fault: str) -> None:
    if not holds:
        raise ModelFileError(f"{name!r}: {fault}")
