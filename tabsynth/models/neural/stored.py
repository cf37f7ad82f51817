"""A stored generator, checked before a model is built on it: nothing in a model folder is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import Variable
from tabsynth.errors import ModelFileError
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.stored import stored_column
from tabsynth.models.neural.fitted import NOTHING, FittedGenerator, Weights
from tabsynth.models.stored import require_names

Arrays = Mapping[str, npt.NDArray[Any]]
_MOST_LAYERS = 64
_LARGEST = 1e6


def restore_generator(
    variables: Sequence[Variable],
    arrays: Arrays,
    parameters: Mapping[str, Any],
    *,
    is_conditional: bool = True,
) -> FittedGenerator:
    """What `FittedGenerator.arrays` and `.parameters` gave, of a generator with conditions or without.

    Raises `ModelFileError` unless every array has the type, shape and meaning that fitting gives it, and layers
    follow from each other.
    """
    require_names(parameters, ["depth"], what="parameters")
    depth = parameters["depth"]
    if type(depth) is not int or not min(len(variables), 1) <= depth <= _MOST_LAYERS:
        raise ModelFileError(f"'depth': not a whole number of layers up to {_MOST_LAYERS}")
    require_names(
        arrays,
        [
            f"column.{v}.{name}"
            for v in range(len(variables))
            for name in ("lower", "upper", "counts", "coarse")
        ]
        + [f"layer.{k}.{name}" for k in range(depth) for name in ("weight", "bias", "scale", "shift")]
        + ["out.weight", "out.bias"],
        what="arrays",
    )
    columns = tuple(stored_column(variable, v, arrays) for v, variable in enumerate(variables))
    weights = _weights(columns, arrays, depth, is_conditional=is_conditional)
    return FittedGenerator(columns, weights, is_conditional)


def _weights(
    columns: Sequence[NetworkColumn], arrays: Arrays, depth: int, *, is_conditional: bool
) -> Weights:
    if not columns:
        return NOTHING
    n_cells = sum(column.n_coarse for column in columns)
    first = arrays["layer.0.weight"]
    least = n_cells if is_conditional else 0
    if first.ndim != 2 or first.shape[1] <= least or not len(first):
        raise ModelFileError("array 'layer.0.weight': not of noise and of every cell")
    width, n_inputs = first.shape
    layers = []
    for k in range(depth):
        weight = _matrix(arrays, f"layer.{k}.weight", (width, n_inputs + k * width))
        bias, scale, shift = (
            _matrix(arrays, f"layer.{k}.{name}", (width,)) for name in ("bias", "scale", "shift")
        )
        layers.append((weight, bias, scale, shift))
    out = _matrix(arrays, "out.weight", (n_cells, n_inputs + depth * width))
    return Weights(tuple(layers), (out, _matrix(arrays, "out.bias", (n_cells,))))


def _matrix(arrays: Arrays, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    array = arrays[name]
    if array.dtype != np.float32 or array.shape != shape:
        found = f"{array.dtype} of shape {array.shape}"
        raise ModelFileError(f"array {name!r}: expected float32 of shape {shape}, found {found}")
    if not (np.abs(array) <= _LARGEST).all():  # false for what is no number, too
        raise ModelFileError(f"array {name!r}: not within {_LARGEST:g} of 0 everywhere")
    return array
