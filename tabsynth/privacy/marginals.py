"""What a private table is asked, and the exact integers that noise is added to.

The functions here are the whole of what private statistics read: each maps rows to a vector of integers.
One row more or less changes a histogram by 1 in one cell, so a person of at most k rows changes it by
integers whose absolute values sum to at most k. The same holds for `l1_distances` to fixed references, by
the triangle inequality, for each pair by itself, and for `n_distinct`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Values = npt.NDArray[Any]  # int64 or float64
Codes = npt.NDArray[np.unsignedinteger]
T = TypeVar("T")
_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """A contingency table to be counted: `codes[i]`, unsigned of shape (n_rows,), lie below `shape[i]`."""

    columns: tuple[str, ...]
    codes: tuple[Codes, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.columns) == len(self.codes) == len(self.shape) > 0
        assert all(codes.dtype.kind == "u" and codes.ndim == 1 for codes in self.codes)
        assert len({len(codes) for codes in self.codes}) == 1
        assert 0 < math.prod(self.shape) < 2**31


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Released numbers and the variance of the noise in each of them, 0 where they are exact."""

    values: Floats
    variance: float


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Released levels of a column in ascending order, their counts, that of null, and the noise's variance."""

    values: pl.Series
    counts: Floats
    n_null: float
    variance: float


def columns_of(wanted: Sequence[Marginal]) -> tuple[str, ...]:
    """Every column that is looked at, once, in the order of the marginals."""
    return tuple(dict.fromkeys(name for marginal in wanted for name in marginal.columns))


def histograms(wanted: Sequence[Marginal]) -> list[Integers]:
    """Rows in every cell of each marginal, int64 of its shape."""
    return _each(wanted, lambda _, counts: counts)


def l1_distances(pairs: Sequence[Marginal], references: Sequence[Integers]) -> Integers:
    """Σ over cells of |count - reference| for each marginal, (n_pairs,).

    References are fixed integers of the marginals' shapes: never a function of the rows that are counted.
    """
    for pair, reference in zip(pairs, references, strict=True):
        assert reference.shape == pair.shape
        assert reference.dtype == np.int64
    distances = _each(pairs, lambda i, counts: int(np.abs(counts - references[i]).sum()))
    return np.array(distances, dtype=np.int64)


def observed_values(cells: pl.Series) -> tuple[pl.Series, Integers]:
    """Distinct values but null (and NaN), ascending whatever the order of the rows, and the rows of each."""
    if cells.dtype.is_float():
        cells = cells.fill_nan(None)
    counted = pl.DataFrame([cells.alias("value")]).drop_nulls().group_by("value").len(name="n").sort("value")
    values = counted["value"].alias(cells.name)
    if cells.dtype.is_float():  # of two zeros that are one level, either may stand for it: take the plain one
        values = pl.Series(cells.name, values.to_numpy() + 0.0, dtype=cells.dtype)
    return values, counted["n"].cast(pl.Int64).to_numpy()


def n_distinct(cells: pl.Series) -> int:
    """How many different values there are, nulls aside."""
    return int(cells.drop_nulls().n_unique())


def _each(wanted: Sequence[Marginal], finish: Callable[[int, Integers], T]) -> list[T]:
    """`finish` of the position and the counts of each marginal, over all cores where there are many rows."""
    checked: set[tuple[int, int]] = set()
    for marginal in wanted:
        for codes, size in zip(marginal.codes, marginal.shape, strict=True):
            if (id(codes), size) not in checked:
                assert codes.max(initial=0) < size, f"codes beyond the shape of {marginal.columns}"
                checked.add((id(codes), size))

    def finished(i: int) -> T:
        return finish(i, _counts(wanted[i]))

    if not wanted or len(wanted[0].codes[0]) <= _BLOCK_ROWS:
        return [finished(i) for i in range(len(wanted))]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(finished, range(len(wanted))))


def _counts(marginal: Marginal) -> Integers:
    """Block by block, so that neither the joint index nor its copy inside bincount grows with the table."""
    n_cells = math.prod(marginal.shape)
    n_rows = len(marginal.codes[0])
    index = np.empty(min(n_rows, _BLOCK_ROWS), dtype=np.min_scalar_type(n_cells))
    counts = np.zeros(n_cells, dtype=np.int64)
    for start in range(0, n_rows, _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        joint = index[: min(_BLOCK_ROWS, n_rows - start)]
        joint[:] = marginal.codes[0][block]
        for codes, size in zip(marginal.codes[1:], marginal.shape[1:], strict=True):
            np.multiply(joint, size, out=joint, casting="unsafe")
            np.add(joint, codes[block], out=joint, casting="unsafe")
        counts += np.bincount(joint, minlength=n_cells)
    return counts.reshape(marginal.shape)
