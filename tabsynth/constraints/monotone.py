"""A column in order within groups: its cells are exchanged within each group, so its shape stays as it was.

Cells of columns that share other rules with it go along with its own, so that what held of a row holds of the row they come to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from tabsynth.constraints.base import Constraint
from tabsynth.constraints.rules import order_of
from tabsynth.encode.continuous import ContinuousEncoder, Values
from tabsynth.schema.rules import Monotone
from tabsynth.schema.types import TableSchema


def put_in_order(
    frame: pl.DataFrame, constraint: Constraint, schema: TableSchema, *, tied: Collection[str] = ()
) -> tuple[pl.DataFrame, int, int]:
    """The rows with the rule's column sorted within each group; how many of its cells were exchanged, and how many moved apart.

    The cells of the columns `tied` go with it from row to row. Cells that are null or special, and rows without a place in the
    order, keep what they have. A strict rule moves equal numbers apart by the column's step; beyond its bounds they cannot go,
    and then the rule stays broken.
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
    taken = np.lexsort((size, group[places]))
    ordered = size[taken]
    giver = np.arange(frame.height)
    giver[places] = places[taken]
    frame = frame.with_columns(frame[name].gather(giver) for name in tied)
    n_apart = 0
    if rule.strict:
        sorted_only = ordered
        ordered = _apart(ordered, group[places], is_lattice=encoder.variable.is_lattice)
        n_apart = int(np.count_nonzero(ordered != sorted_only))
    made = values.copy()
    made[places] = ordered * sign
    n_changed = int(np.count_nonzero(made != values))
    return frame.with_columns(encoder.decode(codes, made)), max(n_changed - n_apart, 0), n_apart


def tied_columns(
    constraint: Constraint, others: Sequence[Constraint], *, fixed: Collection[str]
) -> tuple[str, ...]:
    """The columns whose cells go with those of an ordered column, so that the `others`, all rules of the table, hold on.

    They are those that share a rule with it, near or far. None where these are the order itself, are put in order by a rule of their
    own, or `fixed`: then the column is sorted alone. Columns that say which rows are a group are the same in each of its rows.
    """
    rule = constraint.rule
    assert isinstance(rule, Monotone)
    plain = [set(one.columns) - {*rule.within} for one in others if not isinstance(one.rule, Monotone)]
    found, size = {rule.column}, 0
    while len(found) > size:
        size = len(found)
        found |= {name for names in plain if names & found for name in names}
    ordered = [one.columns for one in others if isinstance(one.rule, Monotone) and one is not constraint]
    is_free = not found & {rule.along, *fixed, *(name for names in ordered for name in names)}
    return tuple(sorted(found - {rule.column})) if is_free else ()


def _apart(ordered: Values, group: Values, *, is_lattice: bool) -> Values:
    """Ascending numbers of each group at least a step apart, none lower than before."""
    span = float(np.ptp(ordered)) if len(ordered) else 0.0
    step = 1 if is_lattice else max(span, 1.0) * 1e-9
    frame = pl.DataFrame({"group": group, "value": ordered})
    rank = (pl.int_range(pl.len()) * step).over("group")
    made = frame.select(((pl.col("value") - rank).cum_max().over("group") + rank).alias("value"))
    return made["value"].to_numpy()
