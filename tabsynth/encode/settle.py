"""Every cell inside its domain, as differentially private statistics need it.

A cell outside the domain becomes one of the domain drawn evenly, a number beyond the bounds the bound. What
becomes of a row depends on that row and on fresh entropy alone, so one row more changes the table by one
row; nothing is said of how many cells were outside.
"""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

from tabsynth.encode.table import EncodedColumn, EncodedTable
from tabsynth.encode.variable import Variable


def settle(encoded: EncodedTable) -> EncodedTable:
    """The table with all codes below `n_levels` and all numbers within bounds; entropy is the system's.

    Raises `ValueError` for a domain that has no level, and for numbers without bounds.
    """
    rng = np.random.Generator(np.random.PCG64(secrets.randbits(128)))
    columns = {name: _settled(column, rng) for name, column in encoded.columns.items()}
    return EncodedTable(encoded.n_rows, columns)


def _settled(column: EncodedColumn, rng: np.random.Generator) -> EncodedColumn:
    variable, codes = column.variable, column.codes
    if variable.n_levels == 0:
        raise ValueError(f"column {variable.name!r} has no level")
    outside = codes >= variable.n_levels
    n_outside = int(np.count_nonzero(outside))
    if column.values is None:
        if n_outside:
            codes = codes.copy()
            codes[outside] = rng.integers(0, variable.n_levels, size=n_outside)
        return EncodedColumn(variable, codes)
    if variable.lower is None or variable.upper is None:
        raise ValueError(f"column {variable.name!r} has no bounds")
    values = column.values
    beyond = ((values < variable.lower) | (values > variable.upper)) & (codes == 0)
    if n_outside or beyond.any():  # else no copy: columns may be large
        values, codes = values.copy(), codes.copy()
        values[beyond] = np.clip(values[beyond], variable.lower, variable.upper)
        codes[outside] = 0
        values[outside] = _even(variable, n_outside, rng)
    return EncodedColumn(variable, codes, values)


def _even(
    variable: Variable, n: int, rng: np.random.Generator
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """`n` numbers between the bounds, each as likely as any other."""
    assert variable.lower is not None
    assert variable.upper is not None
    if variable.is_lattice:
        return rng.integers(int(variable.lower), int(variable.upper), size=n, endpoint=True, dtype=np.int64)
    share = rng.random(n)
    between = variable.lower * (1 - share) + variable.upper * share  # a bound may be missed by rounding
    return np.clip(between, variable.lower, variable.upper)
