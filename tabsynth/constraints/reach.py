"""How far a column that others give can reach, by their domains alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from tabsynth.constraints.base import computing
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.discrete import DiscreteEncoder, declared_levels
from tabsynth.schema.types import Column, Kind, Scalar

_MOST_ROWS = 2**16
_MOST_PLACES = 2**10 + 1


def widened(column: Column, value: pl.Expr, parts: Sequence[Column]) -> Column:
    """A column of numbers with bounds that hold what `value` makes of cells of `parts`, and its own as before.

    The parts' domains are tried at both ends and evenly between: exact for values that are monotone in each
    part, such as sums, products and years of dates; others may reach further between the places tried. As it is,
    where it has no bounds, or a part has none or too many levels.
    """
    if column.bounds is None or column.kind not in (Kind.INTEGER, Kind.NUMBER) or not parts:
        return column
    n_places = min(math.floor(_MOST_ROWS ** (1 / len(parts))), _MOST_PLACES)
    cells = [_places(part, n_places) for part in parts]
    sizes = [0 if one is None else len(one) for one in cells]
    if n_places < 2 or not 0 < math.prod(sizes) <= _MOST_ROWS:
        return column
    grid = np.unravel_index(np.arange(math.prod(sizes)), sizes)
    frame = pl.DataFrame(
        [one.gather(place) for one, place in zip(cells, grid, strict=True) if one is not None]
    )
    with computing(f"what gives {column.name!r}"):
        made = frame.select(value.alias("made"))["made"]
    made = made.filter(made.is_finite().fill_null(value=False))
    if made.is_empty():
        return column
    low, high = made.min(), made.max()
    lower, upper = column.bounds
    return replace(column, bounds=(min(lower, _as(column, low)), max(upper, _as(column, high))))


def _as(column: Column, number: object) -> Scalar:
    return round(float(str(number))) if column.kind is Kind.INTEGER else float(str(number))


def _places(column: Column, n_places: int) -> pl.Series | None:
    """Cells of a domain: all levels, or `n_places` evenly from the lower bound to the upper; None for no domain."""
    if not column.kind.is_continuous:
        levels = declared_levels(column)
        return DiscreteEncoder(column).decode(np.arange(len(levels), dtype=np.uint32)) if levels else None
    encoder = ContinuousEncoder(column)
    variable = encoder.variable
    if column.bounds is None or variable.lower is None or variable.upper is None:
        return None
    values = np.linspace(variable.lower, variable.upper, n_places)
    values = np.unique(np.rint(values).astype(np.int64)) if variable.is_lattice else np.unique(values)
    return encoder.decode(np.zeros(len(values), dtype=np.uint8), values)
