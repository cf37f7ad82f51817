"""Columns of whole numbers and floats: identifiers, codes, integers or numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.schema.guess.cells import Cells, key_verdict
from tabsynth.schema.guess.numbers import decimals_of, special_values
from tabsynth.schema.types import Column, Kind, Scalar

_FEWEST_ROW_NUMBERS = 20
_MOST_CODES = 100
_MOST_DIGITS = 6
_LARGEST_DIGIT = 9


def guess_integers(cells: Cells) -> Column:
    """An identifier, a code list or an integer; whole floats come here too, and turn into numbers."""
    values = cells.distinct.sort().to_numpy()
    if _are_row_numbers(cells, values):
        return cells.identifier(unique=True)
    is_key = key_verdict(cells)
    if is_key:
        return cells.identifier(unique=cells.is_unique)
    hints, n_distinct = cells.hints, cells.n_distinct
    if is_key is None and not hints.is_quantity and _are_few_and_small(cells, values):
        return cells.categorical()
    is_coded = hints.is_code or hints.is_nominal or is_key is False
    few = n_distinct <= (10 if hints.is_nominal and not hints.is_code else _MOST_CODES)
    if n_distinct <= 2 or hints.is_code_list or hints.is_diagnosis or is_key is False or (is_coded and few):
        return cells.categorical()
    if values.dtype == np.uint64 and int(values[-1]) >= 2**63:
        return _unsigned(cells)
    is_float = values.dtype.kind == "f"
    return _measured(
        cells, values, kind=Kind.NUMBER if is_float else Kind.INTEGER, decimals=0 if is_float else None
    )


def guess_floats(cells: Cells) -> Column:
    """A number with its decimals; whole floats are treated as integers that had nulls among them."""
    finite = cells.distinct.filter(cells.distinct.is_finite())
    values = finite.sort().to_numpy()
    decimals = decimals_of_cells(cells.present)
    if decimals == 0 and len(finite) == cells.n_distinct and (values == np.rint(values)).all():
        return guess_integers(cells)
    if cells.hints.is_diagnosis:
        return cells.categorical()
    return _measured(cells, values, kind=Kind.NUMBER, decimals=decimals)


def guess_decimals(cells: Cells, scale: int) -> Column:
    """Fixed-point decimals as numbers of the same scale, where floats hold them exactly enough."""
    column = guess_floats(cells)
    largest = max(abs(float(bound)) for bound in column.bounds) if column.bounds else 0.0  # type: ignore[arg-type]
    is_exact = column.kind is Kind.NUMBER and largest * 10.0**scale < 2**53
    return replace(column, decimals=scale) if is_exact and scale <= 15 else column


def _are_row_numbers(cells: Cells, values: npt.NDArray[Any]) -> bool:
    """0 … n-1 or 1 … n in any order, in a table long enough that it is no accident."""
    n = len(values)
    if not cells.is_unique or n < _FEWEST_ROW_NUMBERS:
        return False
    return values[0] in (0, 1) and values[-1] - values[0] == n - 1


def _are_few_and_small(cells: Cells, values: npt.NDArray[Any]) -> bool:
    """At most 6 different numbers from 0 to 9, each in 10 rows on average: codes more often than counts."""
    is_small = bool(values[0] >= 0 and values[-1] <= _LARGEST_DIGIT)
    return is_small and len(values) <= _MOST_DIGITS and cells.n_present >= 10 * len(values)


def _unsigned(cells: Cells) -> Column:
    """Integers beyond 2**63 are hashes or keys more often than amounts; too large for int64 either way."""
    if cells.n_distinct <= _MOST_CODES:
        return cells.categorical()
    return cells.identifier(unique=cells.is_unique)


def bounds_on_lattice(values: npt.NDArray[Any], decimals: int | None) -> tuple[Scalar, Scalar] | None:
    """Least and greatest of ascending values, rounded as an encoder does; None of none."""
    if not len(values):
        return None
    lower, upper = values[0].item(), values[-1].item()
    return (
        (lower, upper) if decimals is None else (_on_lattice(lower, decimals), _on_lattice(upper, decimals))
    )


def decimals_of_cells(present: pl.Series) -> int | None:
    """`decimals_of` the finite ones of float cells."""
    runs = present.filter(present.is_finite()).sort().rle()
    return decimals_of(runs.struct.field("value").to_numpy(), runs.struct.field("len").to_numpy())


def _on_lattice(bound: float, decimals: int) -> float:
    """The multiple of 10**-decimals to which an encoder rounds the number."""
    return float(np.rint(bound * 10.0**decimals) / 10.0**decimals)


def _measured(cells: Cells, values: npt.NDArray[Any], *, kind: Kind, decimals: int | None) -> Column:
    """An integer or number with bounds from the data, special values set aside."""
    present = cells.present
    specials = special_values(values, count=lambda v: int((present == v).sum()), n_present=cells.n_present)
    if specials:
        values = values[~np.isin(values, np.asarray(specials, dtype=values.dtype))]
    return Column(
        name=cells.name,
        kind=kind,
        dtype=cells.stored,
        role=cells.hints.role,
        nullable=cells.nullable,
        bounds=bounds_on_lattice(values, decimals),
        special_values=tuple(specials),
        decimals=decimals,
    )
