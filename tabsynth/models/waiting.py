"""Rows under conditions from any model: from one that draws them directly, or by waiting for them a bounded time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.errors import ConditionError, UsageError
from tabsynth.models.base import BLOCK_ROWS, NOTHING_GIVEN, ConditionalModel, FittedModel
from tabsynth.models.condition import Condition, Conditioned, Given
from tabsynth.randomness import Streams

MOST_TRIES = 40
"""Blocks of rows that are drawn in the place of one, before it is an error."""


def drawn_under(
    model: FittedModel,
    block: int,
    *,
    n_rows: int,
    streams: Streams,
    conditions: tuple[Condition, ...] = (),
    given: Given = NOTHING_GIVEN,
) -> Conditioned:
    """Block number `block` under conditions and with given cells.

    A model that cannot draw them directly is sampled until enough rows meet the conditions. Raises
    `ConditionError` where they have probability zero, or where too few rows meet them in `MOST_TRIES` blocks; `UsageError` for
    given cells where the model cannot take any.
    """
    if isinstance(model, ConditionalModel):
        return model.conditional_block(
            block, n_rows=n_rows, streams=streams, conditions=conditions, given=given
        )
    if given:
        raise UsageError(
            "the engine of this model cannot complete rows: fit one of those that draw under conditions"
        )
    return _waited(model, block, n_rows, streams, conditions)


def _waited(
    model: FittedModel, block: int, n_rows: int, streams: Streams, conditions: Sequence[Condition]
) -> Conditioned:
    kept: list[EncodedTable] = []
    n_found = n_drawn = 0
    for attempt in range(MOST_TRIES):
        own = Streams(int(streams.generator("conditions.wait", block, attempt).integers(2**63)))
        rows = model.sample_block(block, n_rows=BLOCK_ROWS if n_rows else 0, streams=own)
        meets = np.ones(rows.n_rows, dtype=np.bool_)
        for condition in conditions:
            meets &= condition.holds(rows.columns[condition.column])
        kept.append(_rows_at(rows, np.flatnonzero(meets)))
        n_found, n_drawn = n_found + kept[-1].n_rows, n_drawn + rows.n_rows
        if n_found >= n_rows:
            return Conditioned(rows=_first(kept, n_rows), effective=float(n_rows))
    names = ", ".join(repr(condition.column) for condition in conditions)
    if not n_found:
        raise ConditionError(
            f"the conditions on {names} have probability zero under the model, or close to it: none of {n_drawn:,} rows meets them"
        )
    raise ConditionError(
        f"too few rows meet the conditions on {names}: {n_found:,} of {n_drawn:,} drawn, {n_rows:,} are needed; ask for fewer"
    )


def _rows_at(table: EncodedTable, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> EncodedTable:
    columns = {
        name: EncodedColumn(
            column.variable, column.codes[rows], None if column.values is None else column.values[rows]
        )
        for name, column in table.columns.items()
    }
    return EncodedTable(len(rows), columns)


def _first(tables: Sequence[EncodedTable], n_rows: int) -> EncodedTable:
    columns = {}
    for name, first in tables[0].columns.items():
        codes = np.concatenate([table.columns[name].codes for table in tables])[:n_rows]
        values = None
        if first.values is not None:
            values = np.concatenate([table.columns[name].values for table in tables])[:n_rows]
        columns[name] = EncodedColumn(first.variable, codes, values)
    return EncodedTable(n_rows, columns)
