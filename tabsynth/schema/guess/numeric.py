"""Columns of whole numbers and floats: identifiers, codes, integers or numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.schema.guess.cells import Cells, key_verdict
from tabsynth.schema.guess.numbers import decimals_of, special_values
from tabsynth.schema.types import Column, Kind, Scalar

_FEWEST_ROW_NUMBERS = 20
_MOST_CODES = 100


def guess_integers(cells: Cells) -> Column:
    """An identifier, a code list or an integer; whole floats come here too, and turn into numbers."""
    values = cells.distinct.sort().to_numpy()
    if _are_row_numbers(cells, values):
        return cells.identifier(unique=True)
    is_key = key_verdict(cells)
    if is_key:
        return cells.identifier(unique=cells.is_unique)
    hints, n_distinct = cells.hints, cells.n_distinct
    is_coded = hints.is_code or hints.is_nominal or is_key is False
    few = n_distinct <= (10 if hints.is_nominal and not hints.is_code else _MOST_CODES)
    if n_distinct <= 2 or hints.is_code_list or is_key is False or (is_coded and few):
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
    decimals = decimals_of(values)
    if decimals == 0 and len(finite) == cells.n_distinct:
        return guess_integers(cells)
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


def _unsigned(cells: Cells) -> Column:
    """Integers beyond 2**63 are hashes or keys more often than amounts; too large for int64 either way."""
    if cells.n_distinct <= _MOST_CODES:
        return cells.categorical()
    return cells.identifier(unique=cells.is_unique)


def _measured(cells: Cells, values: npt.NDArray[Any], *, kind: Kind, decimals: int | None) -> Column:
    """An integer or number with bounds from the data, special values set aside."""
    present = cells.present
    specials = special_values(values, count=lambda v: int((present == v).sum()), n_present=cells.n_present)
    if specials:
        values = values[~np.isin(values, np.asarray(specials, dtype=values.dtype))]
    bounds: tuple[Scalar, Scalar] | None = (values[0].item(), values[-1].item()) if len(values) else None
    return Column(
        name=cells.name,
        kind=kind,
        dtype=cells.stored,
        role=cells.hints.role,
        nullable=cells.nullable,
        bounds=bounds,
        special_values=tuple(specials),
        decimals=decimals,
    )
