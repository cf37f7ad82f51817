"""Synthetic rows from a file, for commands that need no real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabsynth.schema.types import TableSchema
    from tabsynth.table import Table


def read_synthetic(path: Path, schema: TableSchema) -> Table:
    """The file as a table of the schema, as `tabsynth sample` writes it. Raises `InputError` where it is none."""
    from tabsynth.config.steps import read_real

    return read_real(path, schema)
