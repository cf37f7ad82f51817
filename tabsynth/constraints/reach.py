"""How far a column that others give can reach, by their domains alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.discrete import DiscreteEncoder, declared_levels
from tabsynth.schema.types import Column, Kind, Scalar
from tabsynth.schema.validate_column import stored_limits

Values = npt.NDArray[np.int64] | npt.NDArray[np.float64]

_SIGNED = -(2**63), 2**63 - 1
_MOST_ROWS = 2**16
_MOST_PLACES = 2**10 + 1


def widened(column: Column, value: pl.Expr, parts: Sequence[Column]) -> Column:
    """A column of numbers with bounds that hold what `value` makes of cells of `parts`, and its own as before.

    The parts' domains are tried at both ends and evenly between: exact for values that are monotone in each
    part, such as sums, products and years of dates; others may reach further between the places tried. No further
    than the stored type holds. As it is, where it has no bounds, a part has none or too many levels, or `value` cannot be
    computed for all of these cells: a fit that is paid for must not fail for what its domains hold.
    """
    if column.bounds is None or column.kind not in (Kind.INTEGER, Kind.NUMBER) or not parts:
        return column
    n_places = min(math.floor(_MOST_ROWS ** (1 / len(parts))), _MOST_PLACES)
    if n_places < 2:
        return column
    cells = [_places(part, n_places) for part in parts]
    sizes = [0 if one is None else len(one) for one in cells]
    if not 0 < math.prod(sizes) <= _MOST_ROWS:
        return column
    grid = np.unravel_index(np.arange(math.prod(sizes)), sizes)
    frame = pl.DataFrame(
        [one.gather(place) for one, place in zip(cells, grid, strict=True) if one is not None]
    )
    try:
        made = frame.select(value.alias("made"))["made"]
    except pl.exceptions.PolarsError:
        return column
    made = made.filter(made.is_finite().fill_null(value=False))
    if made.is_empty():
        return column
    low, high = made.min(), made.max()
    lower, upper = column.bounds
    return replace(column, bounds=(min(lower, _as(column, low)), max(upper, _as(column, high))))


def _as(column: Column, number: object) -> Scalar:
    """`number` as a bound of the column, within what its type holds."""
    if column.kind is Kind.INTEGER:
        lowest, highest = stored_limits(column.dtype) or _SIGNED
        return min(max(round(float(str(number))), lowest), highest)
    most = float(np.finfo(np.float32 if column.dtype == "float32" else np.float64).max)
    return min(max(float(str(number)), -most), most)


def _places(column: Column, n_places: int) -> pl.Series | None:
    """Cells of a domain: all levels, or `n_places` evenly from the lower bound to the upper; None for no domain."""
    if not column.kind.is_continuous:
        levels = declared_levels(column)
        return DiscreteEncoder(column).decode(np.arange(len(levels), dtype=np.uint32)) if levels else None
    encoder = ContinuousEncoder(column)
    variable = encoder.variable
    if column.bounds is None or variable.lower is None or variable.upper is None:
        return None
    lower, upper = variable.lower, variable.upper
    values: Values
    if variable.is_lattice:  # by whole numbers: no float holds all of 64 bits
        steps = (int(lower) + (int(upper) - int(lower)) * k // (n_places - 1) for k in range(n_places))
        values = np.unique(np.fromiter(steps, dtype=np.int64))
    else:
        part = np.linspace(0.0, 1.0, n_places)
        values = np.unique((1 - part) * lower + part * upper)
    return encoder.decode(np.zeros(len(values), dtype=np.uint8), values)
