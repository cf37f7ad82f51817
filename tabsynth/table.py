"""A table: a schema and the polars columns that follow it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.errors import Fault, StructureError
from tabsynth.schema.dtypes import dtype_name, polars_dtype
from tabsynth.schema.types import TableSchema

_MOST_JOINED = 1 << 30
"""Bytes that polars joins to one text, of which it holds 4 GiB at most."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in the schema's order and types. Made by `Table.conform`; the frame is never changed."""

    schema: TableSchema
    frame: pl.DataFrame

    @property
    def n_rows(self) -> int:
        return self.frame.height

    def unit_codes(self) -> npt.NDArray[np.int64]:
        """Which privacy unit each row belongs to, shape (n_rows,): equal codes, same person.

        Rows where the unit is the row; a row that names no person is a unit of its own.
        """
        unit = self.schema.unit.column
        return np.arange(self.n_rows) if unit is None else person_codes(self.frame[unit])

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the names and cells, the same whatever file they were read from.

        Columns count by name and rows in order; so do no other types than text, whole numbers and floats.
        """
        whole = hashlib.sha256()
        for name in sorted(self.frame.columns):
            cells = self.frame[name].to_physical()
            is_null = cells.is_null().to_numpy()
            whole.update(f"{name}\0{len(cells)}\0".encode())
            whole.update(np.packbits(is_null).tobytes())
            whole.update(_cell_bytes(cells))
        return whole.hexdigest()

    @classmethod
    def conform(cls, frame: pl.DataFrame, schema: TableSchema, *, strict: bool = True) -> Self:
        """Select the schema's columns in its order and cast them to its types.

        A cast loses nothing but the digits that a float32 lacks. Numbers never become dates or times, nor
        these numbers; text is never parsed (`tabsynth.io` reads it by the schema before); a time with a
        zone never becomes one without, nor the other way round. A column of nulls alone takes any type.
        Where not `strict`, cells that a cast would change become null, and names and types alone decide
        whether this raises, nulls or not.

        Raises `StructureError`, listing every missing column, every column whose type cannot be cast, and
        every column with cells that a cast would change, with their number; columns that the schema does
        not name are left out.
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
            cast = _cast(frame[column.name], polars_dtype(column), strict=strict)
            if isinstance(cast, pl.Series):
                series.append(cast)
            else:
                hint = "change dtype in the schema, or convert the column"
                faults.append(Fault(f"column {column.name!r}", cast, hint))
        if faults:
            raise StructureError(f"the data does not have the structure of table {schema.name!r}", faults)
        return cls(schema, pl.DataFrame(series))


def _cell_bytes(cells: pl.Series) -> bytes:
    """The cells of a physical column; of text its lengths come first, so that no two columns say the same."""
    if cells.dtype == pl.String:
        text = cells.fill_null("")
        lengths = text.str.len_bytes().cast(pl.Int64).to_numpy()
        fits = int(lengths.sum()) < _MOST_JOINED
        joined = (text.str.join("").item() or "") if fits else "".join(text.to_list())
        return lengths.astype("<i8").tobytes() + joined.encode()
    if cells.dtype.is_float():
        return cells.fill_null(0.0).cast(pl.Float64).to_numpy().astype("<f8").tobytes()
    wide = pl.UInt64 if cells.dtype == pl.UInt64 else pl.Int64
    return cells.cast(wide).fill_null(0).to_numpy().astype("<i8").tobytes()


def person_codes(persons: pl.Series) -> npt.NDArray[np.int64]:
    """A code for each row, shape (n_rows,), equal where `persons` names the same; nulls have one each."""
    ranks = persons.rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
    nobody = ranks.max(initial=0) + 1 + np.arange(len(persons), dtype=np.int64)
    return np.where(persons.is_null().to_numpy(), nobody, ranks)


def _cast(series: pl.Series, wanted: pl.DataType, *, strict: bool) -> pl.Series | str:
    """`series` as `wanted`, or what keeps it from being cast."""
    if series.dtype == wanted:
        return series
    if strict and series.null_count() == len(series):
        return pl.Series(series.name, [None], dtype=wanted).new_from_index(0, len(series))
    different = f"expected {_named(wanted)}, found {_named(series.dtype)}"
    if not _is_castable(series.dtype, wanted):
        return different
    cast = series.cast(wanted, strict=False)
    survives = _survives(series, cast)
    if not strict:
        return cast.zip_with(survives, pl.Series([None], dtype=wanted))
    n_lost = int((~survives).sum())
    if n_lost:
        return f"{different}, with {n_lost} cell{'s' if n_lost > 1 else ''} that {_named(wanted)} cannot hold"
    return cast


def _is_castable(found: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether cells of type `found` mean the same as `wanted`, if they fit."""
    if wanted == pl.String():
        is_text = isinstance(found, (pl.Categorical, pl.Enum))
        return is_text or _is_plain_number(found) or isinstance(found, (pl.Date, pl.Datetime))
    if isinstance(wanted, pl.Datetime):
        has_zone = wanted.time_zone is not None
        if isinstance(found, pl.Datetime):
            return (found.time_zone is not None) == has_zone
        return isinstance(found, pl.Date) and not has_zone
    if isinstance(wanted, pl.Date):
        return isinstance(found, pl.Datetime) and found.time_zone is None
    if isinstance(wanted, pl.Duration):
        return isinstance(found, pl.Duration)
    return _is_plain_number(found)


def _is_plain_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype == pl.Boolean()


def _survives(series: pl.Series, cast: pl.Series) -> pl.Series:
    """Mask of the cells that `cast` gives back, or, between floats, keeps but for rounding."""
    is_rounded = series.dtype.is_float() or series.dtype.is_decimal()
    if is_rounded and cast.dtype.is_float():
        return (cast.is_infinite() == series.cast(pl.Float64).is_infinite()).fill_null(value=True)
    if cast.dtype == pl.String():
        return cast.is_null() == series.is_null()
    return cast.cast(series.dtype, strict=False).eq_missing(series)


def _named(dtype: pl.DataType) -> str:
    """The schema's name of a type, with its zone; polars' own where the schema has none."""
    zone = getattr(dtype, "time_zone", None)
    return f"{dtype_name(dtype) or dtype.base_type()}{f' in {zone}' if zone else ''}"
