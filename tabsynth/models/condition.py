"""What may be asked of sampled rows: that a column keep to a set of cells, or have the cells of given rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.models.spans import Mask, Span, is_inside, meet, snapped, without


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One column within a set of cells: levels by their codes, numbers within spans.

    `codes` are those that are allowed, ascending, at least one. Of a continuous column code 0 is "a number"; then
    `spans` are the stretches in which numbers may lie (`tabsynth.models.spans`), at least one. Else `spans` is ().
    """

    column: str
    codes: tuple[int, ...]
    spans: tuple[Span, ...] = ()

    @classmethod
    def at(cls, column: str, code: int, value: float | None = None) -> Self:
        """The column at one level, or at one number in encoded units."""
        spans = () if code or value is None else ((value, value),)
        return cls(column=column, codes=(code,), spans=spans)

    def holds(self, column: EncodedColumn) -> Mask:
        """Which rows keep to it, (n_rows,)."""
        found = np.isin(column.codes, self.codes)
        if column.values is not None and 0 in self.codes:
            found &= (column.codes != 0) | is_inside(column.values, self.spans)
        return found

    def pinned(self, column: EncodedColumn) -> EncodedColumn:
        """The column with cells that rounding put just outside the set moved into it."""
        codes, values = column.codes, column.values
        is_allowed = np.isin(codes, self.codes)
        if not is_allowed.all():
            codes = np.where(is_allowed, codes, codes.dtype.type(self.codes[0]))
        if values is not None:
            moved = snapped(values, self.spans) if self.spans else values
            values = np.where(codes == 0, moved, values.dtype.type(0))
        return EncodedColumn(column.variable, codes, values)


Given = Mapping[str, EncodedColumn]
"""Columns of which every row has a given cell, by name."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Conditioned:
    """Rows under conditions, and how they came about.

    `effective` in (0, n_rows] is how many independent rows they are worth: all of them where they are exact, less where rows were
    drawn again by weights (Kong, Liu and Wong 1994). `n_moved` rows had a given cell, or given cells together, that the model
    never makes: their other cells follow from the nearest ones that it does make.
    """

    rows: EncodedTable
    effective: float
    n_moved: int = 0


def with_given(rows: EncodedTable, given: Given) -> EncodedTable:
    """The rows with the given cells in their places."""
    return EncodedTable(rows.n_rows, {**rows.columns, **given}) if given else rows


def pinned(rows: EncodedTable, conditions: Sequence[Condition]) -> EncodedTable:
    """The rows with cells that rounding put just outside a condition moved into it."""
    columns = dict(rows.columns)
    for condition in conditions:
        columns[condition.column] = condition.pinned(columns[condition.column])
    return EncodedTable(rows.n_rows, columns)


def both(one: Condition, other: Condition) -> Condition | None:
    """The cells that keep to two conditions on the same column; None where none do."""
    spans = meet(one.spans, other.spans)
    codes = tuple(code for code in one.codes if code in other.codes and (code or spans or not one.spans))
    if not codes:
        return None
    return Condition(column=one.column, codes=codes, spans=spans if 0 in codes else ())


def any_of(groups: Sequence[Condition]) -> Condition:
    """Every cell of one group or another of the same column, which do not overlap."""
    codes = tuple(sorted({code for group in groups for code in group.codes}))
    spans = tuple(sorted(span for group in groups for span in group.spans))
    return Condition(column=groups[0].column, codes=codes, spans=spans)


def rest_of(groups: Sequence[Condition], whole: Condition) -> Condition | None:
    """The cells of `whole` that are in none of the groups; None where there are none."""
    spans = whole.spans
    for group in groups:
        spans = tuple(gap for span in spans for gap in without(span, group.spans))
    taken = {code for group in groups for code in group.codes if code or not whole.spans}
    codes = tuple(code for code in whole.codes if code not in taken and (code or spans or not whole.spans))
    if not codes:
        return None
    return Condition(column=whole.column, codes=codes, spans=spans if 0 in codes else ())
