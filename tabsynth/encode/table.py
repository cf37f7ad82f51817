"""A whole table to encoded columns and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode.variable import Variable
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """Codes (smallest unsigned dtype) of one column and, if it is continuous, the numbers beside them.

    `codes` and `values` have shape (n_rows,). `values` (int64 or float64) is 0 where the code is not 0.
    """

    variable: Variable
    codes: npt.NDArray[np.unsignedinteger]
    values: npt.NDArray[np.int64] | npt.NDArray[np.float64] | None = None

    def as_float(self) -> npt.NDArray[np.float64]:
        """The numbers of a continuous column as float64, NaN where the cell is not a number.

        In units of the variable's step; good for ranks, bins and distances.
        """
        assert self.values is not None
        return np.where(self.codes == 0, self.values.astype(np.float64), np.nan)


@dataclass(frozen=True, slots=True)
class EncodedTable:
    """Encoded columns of the modelled kinds, by name, in the schema's order."""

    n_rows: int
    columns: Mapping[str, EncodedColumn]


def encode_table(table: Table) -> EncodedTable: ...


def decode_table(encoded: EncodedTable, schema: TableSchema) -> Table: ...
