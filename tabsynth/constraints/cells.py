"""Cells as rules read them: numbers and times whatever their storage, and tuples of levels as one code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode.discrete import declared_levels
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import Levels
from tabsynth.schema.types import Column, Kind, Scalar

Codes = npt.NDArray[np.int64]


def number(column: Column) -> pl.Expr:
    """A column's cells as numbers or times; null where they are null, a special value, or not a number."""
    cells = pl.col(column.name)
    wanted = polars_dtype(column)
    if column.special_values:
        special = pl.Series("special", list(column.special_values), dtype=wanted, strict=False)
        cells = pl.when(cells.is_in(special.implode())).then(None).otherwise(cells)
    if wanted == pl.String:
        if column.kind is Kind.DATE:
            return cells.str.strptime(pl.Date, column.format, strict=False)
        if column.kind is Kind.DATETIME:
            return cells.str.strptime(pl.Datetime("us"), column.format, strict=False)
        return cells.cast(pl.Int64 if column.kind is Kind.INTEGER else pl.Float64, strict=False)
    return cells.fill_nan(None) if wanted.is_float() else cells


def levels_of(column: Column) -> tuple[Scalar | None, ...] | None:
    """Every cell that a discrete column may hold, null last; None where they are not declared, or too many."""
    if not column.kind.is_discrete:
        return None
    levels = declared_levels(column)
    if not levels:
        return None
    return (*levels, None) if column.nullable else levels


@dataclass(frozen=True, eq=False)
class Combined:
    """Tuples of levels of several columns, each with a code: its position in `rows`."""

    columns: tuple[Column, ...]
    rows: tuple[Levels, ...]

    @cached_property
    def _levels(self) -> tuple[pl.Series, ...]:
        """The different levels of each column, without null, in the order in which `rows` has them."""
        found = []
        for at, column in enumerate(self.columns):
            levels = list(dict.fromkeys(row[at] for row in self.rows if row[at] is not None))
            found.append(pl.Series(column.name, levels, dtype=polars_dtype(column), strict=False))
        return tuple(found)

    @cached_property
    def _sorted(self) -> tuple[Codes, Codes]:
        keys = self._keys(self.frame([*range(len(self.rows))]))
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def frame(self, codes: Sequence[int] | Codes) -> pl.DataFrame:
        """The cells that codes stand for."""
        return pl.DataFrame([cells.gather(np.asarray(codes, dtype=np.uint32)) for cells in self._cells])

    @cached_property
    def _cells(self) -> tuple[pl.Series, ...]:
        return tuple(
            pl.Series(column.name, [row[at] for row in self.rows], dtype=polars_dtype(column), strict=False)
            for at, column in enumerate(self.columns)
        )

    def codes(self, frame: pl.DataFrame) -> Codes:
        """The code of every row, -1 where its cells are none of `rows`."""
        keys, (known, order) = self._keys(frame), self._sorted
        if not len(known):
            return np.full(frame.height, -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where((known[at] == keys) & (keys >= 0), order[at], -1).astype(np.int64)

    def near(self, frame: pl.DataFrame) -> Codes:
        """As `codes`; elsewhere a row that agrees in as many of the first columns as any does, -1 if in none."""
        codes = self.codes(frame)
        for n_columns in range(len(self.columns) - 1, 0, -1):
            missing = np.flatnonzero(codes < 0)
            if not len(missing):
                break
            first: dict[Levels, int] = {}
            for code, row in enumerate(self.rows):
                first.setdefault(row[:n_columns], code)
            shorter = Combined(self.columns[:n_columns], tuple(first))
            places = np.array([*first.values()], dtype=np.int64)
            found = shorter.codes(frame[missing])
            codes[missing] = np.where(found >= 0, places[np.maximum(found, 0)], -1)
        return codes

    def _keys(self, frame: pl.DataFrame) -> Codes:
        """One number for the levels of each row, negative where one is unknown."""
        keys = np.zeros(frame.height, dtype=np.int64)
        unknown = np.zeros(frame.height, dtype=np.bool_)
        for column, levels in zip(self.columns, self._levels, strict=True):
            size = len(levels) + 1
            series = frame[column.name]
            code = np.full(frame.height, -1, dtype=np.int64)
            if len(levels):
                found = series.replace_strict(levels, range(len(levels)), default=-1, return_dtype=pl.Int64)
                code = found.fill_null(-1).to_numpy()
            code = np.where(series.is_null().to_numpy(), len(levels), code)
            unknown |= code < 0
            keys = keys * size + np.maximum(code, 0)
        return np.where(unknown, -1, keys)
