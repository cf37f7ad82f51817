"""Rows of persons one after another: by person, then by the schema's `order_by`, as its cells mean and not as they are stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.table import encoder_of
from tabsynth.table import Table

Rows = npt.NDArray[np.intp]
_COUNTED = r"^(.*?)(\d{1,18})$"


def in_succession(table: Table) -> Rows:
    """Positions of the rows, (n_rows,), those of a person beside one another and in the order of `order_by`, which is not None.

    Numbers and times come before cells that are none (nulls, special values), also where they are stored as text. Identifiers that are text
    are ordered by what stands before their last digits, then by these digits' number; nulls come last. Rows that tie stay in their order. A row whose
    person is null is a person of its own.
    """
    return np.lexsort((*order_keys(table), table.unit_codes()))


def places_in(persons: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
    """How many rows the person of each row has, and how many of them come before it, (n_rows,) both; rows of a person stand together."""
    starts = np.flatnonzero(np.r_[True, persons[1:] != persons[:-1]][: len(persons)])
    lengths = np.diff(np.r_[starts, len(persons)])
    return np.repeat(lengths, lengths), np.arange(len(persons)) - np.repeat(starts, lengths)


def order_keys(table: Table) -> tuple[npt.NDArray[np.generic], ...]:
    """What orders the rows of a person, the last key first, as `numpy.lexsort` takes them."""
    name = table.schema.unit.order_by
    assert name is not None
    cells, encoder = table.frame[name], encoder_of(table.schema[name])
    if isinstance(encoder, ContinuousEncoder):
        codes, values = encoder.encode(cells)
        return values, codes != 0
    if cells.dtype != pl.String:
        return (_ranks(cells),)
    parts = pl.DataFrame({"stem": cells.str.extract(_COUNTED, 1), "number": cells.str.extract(_COUNTED, 2)})
    stem = pl.select(pl.when(parts["number"].is_null()).then(cells).otherwise(parts["stem"])).to_series()
    return _ranks(parts["number"].cast(pl.Int64)), _ranks(stem)


def _ranks(cells: pl.Series) -> npt.NDArray[np.generic]:
    return cells.rank("dense").fill_null(len(cells) + 1).to_numpy()
