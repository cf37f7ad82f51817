"""Parquet files to polars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tabsynth.errors import Fault, StructureError
from tabsynth.io.arrow import from_arrow
from tabsynth.io.columns import ColumnLayout, tried
from tabsynth.io.files import require_file

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(
    path: str | Path, *, columns: Sequence[str] | None = None, strict: bool = True
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """The columns of a Parquet file (those of `columns` that it has, where given) and their layouts.

    Where not `strict`, values beyond the engine's types wrap around without an error.

    Raises `StructureError` where the file is damaged, and listing all columns of unsupported types.
    """
    import pyarrow as pa

    path = Path(path)
    require_file(path)
    table = tried(lambda: _read(path, columns), pa.ArrowException, OSError, UnicodeError)
    if table is None:
        fault = Fault("", "it is damaged or of another format")
        raise StructureError(f"{path.name} cannot be read as a Parquet file", [fault])
    return from_arrow(table, keep=columns, strict=strict)


def _read(path: Path, columns: Sequence[str] | None) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        table = file.read(columns=names)
    # polars trusts what it is handed: text that is not UTF-8 would be undefined behaviour there
    table.validate(full=True)
    return table
