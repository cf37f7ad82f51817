"""Stored parameters, checked before a model is built on them.

A model folder's hashes can be made anew by whoever writes the folder, so nothing in it is believed: every
array has the type, the shape and the meaning that fitting gives it, or `ModelFileError` names the part
that has not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ModelFileError
from tabsynth.models.marginal import Family, Floats, Marginal

Arrays = Mapping[str, npt.NDArray[Any]]
_ROUNDING = 1e-6  # by how much masses may miss 1


def require_names(found: Collection[str], wanted: Collection[str], *, what: str) -> None:
    """Raise `ModelFileError` unless `found` has exactly the names in `wanted`."""
    missing, n_unknown = sorted(set(wanted) - set(found)), len(set(found) - set(wanted))
    if missing or n_unknown:
        named = f" ({', '.join(missing[:3])}, …)" if missing else ""
        raise ModelFileError(f"{what}: {len(missing)} missing{named}, {n_unknown} unknown")


def stored_marginal(arrays: Arrays, index: int, *, is_lattice: bool, n_levels: int | None) -> Marginal:
    """Marginal number `index`: of levels, `n_levels` of them, or of numbers where that is None.

    Raises `ModelFileError` unless types and shapes are those of `Marginal`, everything is finite, the masses
    are a probability distribution, the codes of levels a permutation, and the pieces of numbers apart and in order.
    """
    name = f"marginal.{index}"
    dtype = np.dtype(np.int64 if is_lattice else np.float64)
    n_pieces = n_levels if n_levels is not None else max(1, arrays[f"{name}.lower"].size)
    lower = stored_array(arrays, f"{name}.lower", dtype, (n_pieces,))
    upper = stored_array(arrays, f"{name}.upper", dtype, (n_pieces,))
    mass = stored_array(arrays, f"{name}.mass", np.dtype(np.float64), (n_pieces,))
    is_share = ((mass >= 0) & (mass <= 1 + _ROUNDING)).all()
    _require(is_share and abs(mass.sum() - 1) <= _ROUNDING, f"{name}.mass", "not a distribution")
    if n_levels is None:
        _require((lower <= upper).all(), name, "pieces that end before they start")
        is_apart = upper[:-1] < lower[1:] if is_lattice else upper[:-1] <= lower[1:]
        _require(is_apart.all(), name, "pieces that overlap or are not in ascending order")
    else:
        _require((np.sort(lower) == np.arange(n_levels)).all(), f"{name}.lower", "not every level once")
        _require((lower == upper).all(), f"{name}.upper", "not the same levels as the lower ends")
    return Marginal(lower, upper, mass, is_lattice=is_lattice)


def stored_normal(arrays: Arrays, n_latents: int) -> tuple[Floats, Floats]:
    """Mean, (n_latents,), and covariance, (n_latents, n_latents), of a normal distribution.

    Raises `ModelFileError` unless both are finite and the covariance is symmetric and positive definite.
    """
    mean = stored_array(arrays, "mean", np.dtype(np.float64), (n_latents,))
    covariance = stored_array(arrays, "covariance", np.dtype(np.float64), (n_latents, n_latents))
    with np.errstate(over="ignore"):
        is_symmetric = np.allclose(covariance, covariance.T, rtol=1e-9, atol=1e-9)
    _require(is_symmetric, "covariance", "not symmetric")
    try:
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ModelFileError("array 'covariance': not positive definite") from None
    return mean, covariance


def stored_families(parameters: Mapping[str, Any], axes: Collection[str]) -> dict[str, Family]:
    """The parametric choices of some of the `axes`, from JSON data: the only parameters beside arrays.

    Raises `ModelFileError` for anything else among the parameters.
    """
    require_names(parameters, ["families"], what="parameters")
    families = parameters["families"]
    if not isinstance(families, dict) or not all(_is_family(family) for family in families.values()):
        raise ModelFileError("parameters: the families are not in the form in which they are stored")
    if not families.keys() <= set(axes):
        raise ModelFileError("parameters: families of axes that have none")
    return {axis: Family(**family) for axis, family in families.items()}


def _is_family(data: object) -> bool:
    return (
        isinstance(data, dict)
        and data.keys() == {"name", "aic", "failed"}
        and isinstance(data["name"], str)
        and isinstance(data["aic"], dict)
        and all(type(aic) in (int, float) for aic in data["aic"].values())
        and isinstance(data["failed"], dict)
        and all(isinstance(reason, str) for reason in data["failed"].values())
    )


def stored_array(arrays: Arrays, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The array of that name; raises `ModelFileError` unless it has that type and shape and is finite."""
    array = arrays[name]
    if array.dtype != dtype or array.shape != shape:
        found = f"{array.dtype} of shape {array.shape}"
        raise ModelFileError(f"array {name!r}: expected {dtype} of shape {shape}, found {found}")
    _require(np.isfinite(array).all(), name, "not finite everywhere")
    return array


def _require(holds: bool | np.bool_, name: str, fault: str) -> None:
    if not holds:
        raise ModelFileError(f"array {name!r}: {fault}")
