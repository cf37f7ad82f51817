"""A table: a schema and the polars columns that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import polars as pl

from tabsynth.errors import Fault, StructureError
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import TableSchema


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in the schema's order and types. Made by `Table.conform`; the frame is never changed."""

    schema: TableSchema
    frame: pl.DataFrame

    @property
    def n_rows(self) -> int:
        return self.frame.height

    @classmethod
    def conform(cls, frame: pl.DataFrame, schema: TableSchema) -> Self:
        """Select the schema's columns in its order and cast them to its types.

        Raises `StructureError`, listing every missing column and every column whose type cannot be
        cast; columns that the schema does not name are left out. Cells that do not survive the cast
        count as a fault of their column's type.
        """
        faults = [
            Fault(f"column {column.name!r}", "missing from the data", "add it, or drop it from the schema")
            for column in schema.columns
            if column.name not in frame.columns
        ]
        series = []
        for column in schema.columns:
            if column.name not in frame.columns:
                continue
            found, wanted = frame[column.name], polars_dtype(column)
            cast = _cast(found, wanted)
            if cast is None:
                faults.append(
                    Fault(
                        f"column {column.name!r}",
                        f"expected {column.dtype}, found {found.dtype}",
                        "change dtype in the schema, or convert the column",
                    )
                )
            else:
                series.append(cast)
        if faults:
            raise StructureError(f"the data does not have the structure of table {schema.name!r}", faults)
        return cls(schema, pl.DataFrame(series))


def _cast(series: pl.Series, wanted: pl.DataType) -> pl.Series | None:
    """`series` as `wanted`, or None where the types do not allow it without loss."""
    if series.dtype == wanted:
        return series
    if series.dtype == pl.Null():
        return series.cast(wanted)
    try:
        cast = series.cast(wanted, strict=True)
    except pl.exceptions.PolarsError:
        return None
    if series.dtype.is_float() and wanted.is_integer() and not (cast.cast(series.dtype) == series).all():
        return None
    return cast
