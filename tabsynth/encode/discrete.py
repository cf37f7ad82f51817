"""Categories, booleans and mere presence, as level codes and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode.variable import Variable
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import Column, Kind, Scalar

Codes = npt.NDArray[np.unsignedinteger]


def code_dtype(n_levels: int) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned type that holds every level and the code for "outside the domain"."""
    return np.dtype(np.min_scalar_type(n_levels))


def declared_levels(column: Column) -> tuple[Scalar, ...]:
    """The categories of a discrete column in order, without null."""
    if column.categories is not None:
        return column.categories
    return (False, True) if column.kind is Kind.BOOLEAN and column.dtype == "bool" else ()


@dataclass(frozen=True, slots=True)
class DiscreteEncoder:
    """A discrete column: level codes in the order of its declared categories, then null."""

    column: Column

    @property
    def variable(self) -> Variable:
        n_categories = len(declared_levels(self.column))
        nullable = self.column.nullable
        return Variable(
            name=self.column.name,
            is_continuous=False,
            n_levels=n_categories + nullable,
            is_ordered=self.column.kind is not Kind.CATEGORICAL,
            null_code=n_categories if nullable else None,
        )

    def encode(self, series: pl.Series) -> Codes:
        """Codes, shape (n_rows,); `n_levels` where the cell is not in the domain."""
        levels, variable = declared_levels(self.column), self.variable
        outside = variable.n_levels
        null = outside if variable.null_code is None else variable.null_code
        if not levels:
            return np.where(series.is_null().to_numpy(), null, outside).astype(code_dtype(outside))
        keys = pl.Series("level", levels, dtype=polars_dtype(self.column), strict=False)
        codes = series.replace_strict(keys, range(len(levels)), default=outside, return_dtype=pl.UInt32)
        codes = codes.zip_with(series.is_not_null(), pl.Series([null], dtype=pl.UInt32))
        return codes.to_numpy().astype(code_dtype(outside))

    def decode(self, codes: Codes) -> pl.Series:
        levels = declared_levels(self.column)
        keys = pl.Series(self.column.name, [*levels, None], dtype=polars_dtype(self.column), strict=False)
        return keys.gather(np.minimum(codes, len(levels)).astype(np.uint32))


@dataclass(frozen=True, slots=True)
class PresenceEncoder:
    """A nullable text or identifier column: whether it is there (0) or missing (1)."""

    column: Column

    @property
    def variable(self) -> Variable:
        return Variable(name=self.column.name, is_continuous=False, n_levels=2, null_code=1)

    def encode(self, series: pl.Series) -> Codes:
        return series.is_null().to_numpy().astype(np.uint8)
