"""A column in order within groups: its cells are exchanged within each group, so its shape stays as it was."""

from __future__ import annotations

import numpy as np
import polars as pl

from tabsynth.constraints.base import Constraint
from tabsynth.constraints.rules import order_of
from tabsynth.encode.continuous import ContinuousEncoder, Values
from tabsynth.schema.rules import Monotone
from tabsynth.schema.types import TableSchema


def put_in_order(
    frame: pl.DataFrame, constraint: Constraint, schema: TableSchema
) -> tuple[pl.DataFrame, int]:
    """The rows with the rule's column sorted within each group, and how many cells that changed.

    Cells that are null or special, and rows without a place in the order, keep what they have. A strict rule
    moves equal numbers apart by the column's step; beyond its bounds they cannot go, and then the rule stays
    broken.
    """
    rule = constraint.rule
    assert isinstance(rule, Monotone)
    column = schema[rule.column]
    encoder = ContinuousEncoder(column)
    codes, values = encoder.encode(frame[rule.column])
    group = (
        frame.select(pl.struct(rule.within).rank("dense")).to_series().to_numpy()
        if rule.within
        else np.zeros(frame.height, dtype=np.int64)
    )
    order = frame.select(order_of(rule, schema).alias("order"))["order"]
    is_placed = (codes == 0) & order.is_not_null().to_numpy()
    along = order.rank("dense").fill_null(0).to_numpy()
    rows = np.flatnonzero(is_placed)
    places = rows[np.lexsort((rows, along[rows], group[rows]))]
    sign = -1 if rule.decreasing else 1
    size = values[places] * sign
    ordered = size[np.lexsort((size, group[places]))]
    if rule.strict:
        ordered = _apart(ordered, group[places], is_lattice=encoder.variable.is_lattice)
    made = values.copy()
    made[places] = ordered * sign
    return frame.with_columns(encoder.decode(codes, made)), int(np.count_nonzero(made != values))


def _apart(ordered: Values, group: Values, *, is_lattice: bool) -> Values:
    """Ascending numbers of each group at least a step apart, none lower than before."""
    span = float(np.ptp(ordered)) if len(ordered) else 0.0
    step = 1 if is_lattice else max(span, 1.0) * 1e-9
    frame = pl.DataFrame({"group": group, "value": ordered})
    rank = (pl.int_range(pl.len()) * step).over("group")
    made = frame.select(((pl.col("value") - rank).cum_max().over("group") + rank).alias("value"))
    return made["value"].to_numpy()
