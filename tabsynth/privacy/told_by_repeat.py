"""How often a cell is what another column's is, beyond chance: read off the rows, for fits without privacy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.integer]
MoreOften = Callable[[Codes, Codes, npt.NDArray[np.bool_]], float]

FEWEST = 200
"""Rows in which both cells are there."""


def more_often(one: Codes, other: Codes, are_there: npt.NDArray[np.bool_]) -> float:
    """The share of rows with equal codes, less what it would be were one column's rows in random order; 0 of fewer than `FEWEST` rows.

    `one`, `other`, `are_there`: (n_rows,); codes of both columns stand for the same levels.
    """
    one, other = one[are_there].astype(np.intp), other[are_there].astype(np.intp)
    if len(one) < FEWEST:
        return 0.0
    size = int(max(one.max(), other.max())) + 1
    shares = (np.bincount(column, minlength=size) / len(one) for column in (one, other))
    return float(np.mean(one == other) - np.dot(*shares))
