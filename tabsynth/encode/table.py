"""A whole table to encoded columns and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.discrete import Codes, DiscreteEncoder, PresenceEncoder
from tabsynth.encode.variable import Variable
from tabsynth.schema.types import Column, TableSchema
from tabsynth.table import Table


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """Codes (smallest unsigned dtype) of one column and, if it is continuous, the numbers beside them.

    `codes` and `values` have shape (n_rows,). `values` (int64 or float64) is 0 where the code is not 0.
    """

    variable: Variable
    codes: Codes
    values: npt.NDArray[np.int64] | npt.NDArray[np.float64] | None = None

    def as_float(self) -> npt.NDArray[np.float64]:
        """The numbers of a continuous column as float64, NaN where the cell is not a number.

        In units of the variable's step; good for ranks, bins and distances.
        """
        if self.values is None:
            raise TypeError(f"column {self.variable.name!r} is discrete: it has codes, not numbers")
        return np.where(self.codes == 0, self.values.astype(np.float64), np.nan)


@dataclass(frozen=True, slots=True)
class EncodedTable:
    """Encoded columns by name, in the schema's order."""

    n_rows: int
    columns: Mapping[str, EncodedColumn]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(column.variable for column in self.columns.values())


Encoder = DiscreteEncoder | ContinuousEncoder | PresenceEncoder


def encoder_of(column: Column) -> Encoder | None:
    """The encoder of a column; None for text and identifiers that are never missing."""
    if column.kind.is_discrete:
        return DiscreteEncoder(column)
    if column.kind.is_continuous:
        return ContinuousEncoder(column)
    return PresenceEncoder(column) if column.nullable else None


def variables_of(schema: TableSchema) -> tuple[Variable, ...]:
    """What a model sees of each column, without any data."""
    encoders = (encoder_of(column) for column in schema.columns)
    return tuple(encoder.variable for encoder in encoders if encoder is not None)


def encode_table(table: Table, *, known: Mapping[str, EncodedColumn] | None = None) -> EncodedTable:
    """Encode every column that an engine learns; `table` is already in the schema's dtypes.

    Those of the same table that are `known` are taken as they are.
    """
    columns: dict[str, EncodedColumn] = {}
    for column in table.schema.columns:
        if known is not None and column.name in known:
            columns[column.name] = known[column.name]
            continue
        encoder, series = encoder_of(column), table.frame[column.name]
        if isinstance(encoder, ContinuousEncoder):
            columns[column.name] = EncodedColumn(encoder.variable, *encoder.encode(series))
        elif encoder is not None:
            columns[column.name] = EncodedColumn(encoder.variable, encoder.encode(series))
    return EncodedTable(table.n_rows, columns)


def decode_table(encoded: EncodedTable, schema: TableSchema) -> pl.DataFrame:
    """Cells of every discrete and continuous column, in the schema's order and stored types.

    Text and identifiers are not among them: they are made anew (see `tabsynth.encode.surrogate`).
    """
    series = []
    for column in schema.columns:
        encoder = encoder_of(column)
        if encoder is None or isinstance(encoder, PresenceEncoder):
            continue
        found = encoded.columns[column.name]
        if isinstance(encoder, ContinuousEncoder):
            assert found.values is not None
            series.append(encoder.decode(found.codes, found.values))
        else:
            series.append(encoder.decode(found.codes))
    return pl.DataFrame(series)
