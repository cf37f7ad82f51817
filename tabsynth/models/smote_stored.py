"""Stored rows of SMOTE, checked before a model is built on them: nothing in a model folder is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ModelFileError
from tabsynth.models.smote import FittedSmote
from tabsynth.models.stored import require_names

Arrays = Mapping[str, npt.NDArray[Any]]


def restore_smote(
    variables: tuple[Variable, ...], arrays: Arrays, parameters: Mapping[str, Any]
) -> FittedSmote:
    """What `FittedSmote.arrays` and `.parameters` gave.

    Raises `ModelFileError` unless every column has codes that its variable knows and finite numbers where these say
    so, all of one length, and shares are a distribution over the classes of a target that is one of the columns.
    """
    require_names(parameters, ["target", "neighbours"], what="parameters")
    target, neighbours = parameters["target"], parameters["neighbours"]
    wanted = [f"codes.{index}" for index in range(len(variables))]
    wanted += [f"values.{index}" for index, variable in enumerate(variables) if variable.is_continuous]
    require_names(arrays, [*wanted, "shares", "is_base"], what="arrays")
    n_rows = arrays["is_base"].size
    _require(arrays["is_base"].dtype == np.bool_ and arrays["is_base"].shape == (n_rows,), "is_base")
    columns = {
        variable.name: _column(arrays, index, variable, n_rows) for index, variable in enumerate(variables)
    }
    n_classes = 1
    if target != "":
        is_class = target in columns and not columns[target].variable.is_continuous
        if not isinstance(target, str) or not is_class:
            raise ModelFileError("parameters: the target is no column of classes")
        n_classes = columns[target].variable.n_levels
    if type(neighbours) is not int or neighbours < 1:
        raise ModelFileError("parameters: neighbours is no whole number of 1 or more")
    shares = arrays["shares"]
    _require(shares.dtype == np.float64 and shares.shape == (n_classes,), "shares")
    _require(bool((shares >= 0).all()) and abs(float(shares.sum()) - 1) < 1e-6, "shares")
    return FittedSmote(EncodedTable(n_rows, columns), target, neighbours, shares, arrays["is_base"])


def _column(arrays: Arrays, index: int, variable: Variable, n_rows: int) -> EncodedColumn:
    codes = arrays[f"codes.{index}"]
    is_codes = codes.dtype == np.min_scalar_type(variable.n_levels) and codes.shape == (n_rows,)
    _require(is_codes and bool((codes < variable.n_levels).all()), f"codes.{index}")
    if not variable.is_continuous:
        return EncodedColumn(variable, codes)
    values = arrays[f"values.{index}"]
    dtype = np.int64 if variable.is_lattice else np.float64
    _require(values.dtype == dtype and values.shape == (n_rows,), f"values.{index}")
    _require(bool(np.isfinite(values).all()) and bool((values[codes != 0] == 0).all()), f"values.{index}")
    return EncodedColumn(variable, codes, values)


def _require(holds: bool | np.bool_, name: str) -> None:
    if not holds:
        raise ModelFileError(f"array {name!r}: not in the form in which it is stored")
