"""Rows drawn at random where a figure does not need all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable


def take_rows(table: EncodedTable, rows: npt.NDArray[np.intp]) -> EncodedTable:
    """The rows of those indices, in that order."""
    columns = {
        name: replace(
            column,
            codes=column.codes[rows],
            values=None if column.values is None else column.values[rows],
        )
        for name, column in table.columns.items()
    }
    return EncodedTable(len(rows), columns)


def draw_rows(table: EncodedTable, n: int, rng: np.random.Generator) -> EncodedTable:
    """`n` rows without replacement, in random order if fewer than all; the table itself otherwise."""
    return table if n >= table.n_rows else take_rows(table, drawn_rows(table.n_rows, n, rng))


def drawn_rows(n_rows: int, n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """The indices of the rows that `draw_rows` draws."""
    return np.arange(n_rows) if n >= n_rows else rng.permutation(n_rows)[:n]


def affordable_rows(n_columns: int, *, most: int, cells: int) -> int:
    """How many rows to read of a table so wide: at most `most`, and about `cells` cells in all."""
    return min(most, max(1_000, cells // max(1, n_columns)))


def take_columns(table: EncodedTable, names: Sequence[str]) -> EncodedTable:
    """The columns of those names, in that order."""
    return EncodedTable(table.n_rows, {name: table.columns[name] for name in names})


def join_rows(first: EncodedTable, second: EncodedTable) -> EncodedTable:
    """The rows of two tables of the same columns, one after the other."""
    columns = {}
    for name, column in first.columns.items():
        other = second.columns[name]
        values = (
            None
            if column.values is None or other.values is None
            else np.concatenate([column.values, other.values])
        )
        columns[name] = replace(column, codes=np.concatenate([column.codes, other.codes]), values=values)
    return EncodedTable(first.n_rows + second.n_rows, columns)
