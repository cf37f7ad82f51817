"""Identifiers made anew by counting, with nothing taken from the source.

They are not derived from real ones, but they may coincide with some: identifiers are counted from 1, as
those of many sources are.

A unique identifier counts through its mask, so it never repeats; one that names persons with several
rows is drawn from a pool of the right size. What has a generator gets its number here, and is written by
`tabsynth.fake` once the other cells of its row stand.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.errors import UsageError
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.generators import MASK, is_counted
from tabsynth.schema.types import Column, Kind

_ALPHABETS = {"#": "0123456789", "?": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Makes one text or identifier column; `distinct_share` in (0, 1] of rows hold distinct identifiers."""

    column: Column
    distinct_share: float = 1.0

    def make(self, n_total: int, start: int, n_rows: int, *, streams: Streams, block: int) -> pl.Series:
        """Cells of rows start … start + n_rows - 1 of a table of `n_total` rows."""
        if self.column.kind is Kind.TEXT:
            return pl.repeat(MASK, n_rows, dtype=pl.String, eager=True).alias(self.column.name)
        return self.numbered(self.numbers(n_total, start, n_rows, streams=streams, block=block))

    def numbers(
        self, n_total: int, start: int, n_rows: int, *, streams: Streams, block: int
    ) -> npt.NDArray[np.int64]:
        """The numbers of the identifiers of those rows, (n_rows,), counted from 1."""
        if self.column.unique or self.distinct_share >= 1:
            return np.arange(start + 1, start + n_rows + 1, dtype=np.int64)
        pool = pool_size(max(1, round(n_total * self.distinct_share)), n_total)
        rng = streams.generator("surrogate", hash_name(self.column.name), block)
        return rng.integers(1, pool + 1, size=n_rows)

    def numbered(self, numbers: npt.NDArray[np.int64]) -> pl.Series:
        """Identifiers number `numbers`, counted from 1. Raises `UsageError` where the column holds no such."""
        wanted, name = polars_dtype(self.column), self.column.name
        if wanted != pl.String:
            series = pl.Series(name, numbers).cast(wanted, strict=False)
            if series.null_count():
                raise UsageError(
                    f"column {name!r}: {self.column.dtype} cannot hold identifiers up to {numbers.max()}"
                )
            return series
        if not is_counted(self.column):
            return pl.Series(name, numbers).cast(pl.String)
        mask = self.column.format or "ID########"
        return pl.Series(name, _masked(mask, numbers, name), dtype=pl.String)


def pool_size(n_distinct: int, n_draws: int) -> int:
    """The pool from which `n_draws` even draws give about `n_distinct` different members.

    Solves pool · (1 - exp(-n_draws / pool)) = n_distinct by bisection.
    """
    low, high = float(n_distinct), max(4.0 * n_draws * n_draws, 4.0)
    if n_distinct >= n_draws:
        return math.ceil(high)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if -middle * math.expm1(-n_draws / middle) < n_distinct else (low, middle)
    return max(1, round(high))


def hash_name(name: str) -> int:
    """A stable small integer for a column's name."""
    return zlib.crc32(name.encode())


def _masked(mask: str, numbers: npt.NDArray[np.int64], name: str) -> list[str]:
    """Each number written through the mask: `#` a digit, `?` a letter, anything else itself."""
    capacity = math.prod(len(_ALPHABETS[char]) for char in mask if char in _ALPHABETS)
    if len(numbers) and int(numbers.max()) > capacity:
        raise UsageError(
            f"column {name!r}: its format holds {capacity} identifiers, {numbers.max()} are needed"
        )
    left, parts = numbers - 1, []
    for char in reversed(mask):
        alphabet = _ALPHABETS.get(char)
        if alphabet is None:
            parts.append(np.full(len(numbers), char))
        else:
            left, digit = np.divmod(left, len(alphabet))
            parts.append(np.array(list(alphabet))[digit])
    rows = np.stack(parts[::-1], axis=1) if parts else np.empty((len(numbers), 0), dtype="<U1")
    return ["".join(row) for row in rows.tolist()]
