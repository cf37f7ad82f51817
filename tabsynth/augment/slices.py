"""Which rows are too few, and how many of them are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.errors import ConditionError, DataError, UsageError
from tabsynth.models.condition import Condition
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import TableSchema
from tabsynth.where import conditions_of

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """So many rows of the slice for so many others; both 1 or more."""

    thin: int
    rest: int

    def __str__(self) -> str:
        return f"{self.thin}:{self.rest}"

    def missing(self, *, n_thin: int, n_rest: int) -> int:
        """How many rows of the slice are to be added; 0 where there are enough."""
        return max(0, -(-n_rest * self.thin // self.rest) - n_thin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So much of the result, strictly between 0 and 1, is synthetic."""

    synthetic: float

    def __post_init__(self) -> None:
        if not 0 < self.synthetic < 1:
            raise UsageError(
                f"the share of synthetic rows lies strictly between 0 and 1, found {self.synthetic}"
            )

    def __str__(self) -> str:
        return f"{100 * self.synthetic:.4g} % synthetic rows"

    def missing(self, *, n_thin: int, n_rest: int) -> int:
        """How many rows are to be added, to the nearest."""
        return round((n_thin + n_rest) * self.synthetic / (1 - self.synthetic))


Amount = Ratio | Share
"""How many rows are wanted."""

MOST_ADDED = 10_000_000
"""Rows that are added are held in memory together."""


def read_ratio(text: str) -> Ratio:
    """`1:10` as one row of the slice for ten others. Raises `UsageError` for anything else."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 2 or not all(part.isdecimal() and len(part) <= 18 and int(part) > 0 for part in parts):
        raise UsageError(f"a ratio is two whole numbers of 1 or more such as 1:10, found {text!r:.60}")
    return Ratio(thin=int(parts[0]), rest=int(parts[1]))


def read_amount(to: str | None, synthetic_share: float | None) -> Amount:
    """The ratio, or the share of synthetic rows. Raises `UsageError` unless one of the two is given."""
    if to is not None and synthetic_share is None:
        return read_ratio(to)
    if to is None and synthetic_share is not None:
        return Share(synthetic=synthetic_share)
    raise UsageError(
        "say how many rows are wanted, by a ratio (to) or by the share of synthetic rows (synthetic_share), not by both"
    )


def rows_wanted(
    amount: Amount,
    *,
    label: str,
    n_thin: int,
    n_rest: int,
    among: str = "",
    nothing: str = "nothing is to be added",
) -> int:
    """How many rows of the slice are to be added to these, which are the rows `among` all; 1 or more.

    Raises `UsageError` where none is, and where they are more than are held in memory.
    """
    n_wanted = amount.missing(n_thin=n_thin, n_rest=n_rest)
    if n_wanted == 0 and isinstance(amount, Share):
        raise UsageError(f"{amount} beside {n_thin + n_rest:,} {among}rows are none: {nothing}")
    if n_wanted == 0:
        raise UsageError(
            f"{label} has {n_thin:,} {among}rows for {n_rest:,} others, which is {amount} or more already: {nothing}"
        )
    if n_wanted > MOST_ADDED:
        raise UsageError(
            f"{n_wanted:,} rows would be added, and {MOST_ADDED:,} is the most, since they are held in memory together: ask for "
            "fewer, or fit the table (tabsynth fit) and have tabsynth sample --where write them in batches"
        )
    return n_wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The rows that more are wanted of: the conditions they meet, in a user's values and as a model takes them.

    `label` names the columns, never a value.
    """

    where: Mapping[str, Any]
    conditions: tuple[Condition, ...]
    label: str

    def mask(self, table: EncodedTable) -> Mask:
        """The rows that meet all conditions, (n_rows,)."""
        met = np.ones(table.n_rows, dtype=np.bool_)
        for condition in self.conditions:
            met &= condition.holds(table.columns[condition.column])
        return met

    def without(self, column: str) -> Slice:
        """The rows that meet the conditions on other columns."""
        return Slice(
            where={name: value for name, value in self.where.items() if name != column},
            conditions=tuple(one for one in self.conditions if one.column != column),
            label=self.label,
        )


def slice_of(
    table: EncodedTable, schema: TableSchema, *, target: str | None, where: Mapping[str, Any] | None
) -> Slice:
    """The rows that meet `where`, or those of the rarest class of `target` where nothing is said.

    Raises `UsageError` where neither is named, for an unknown target or one without classes, `DataError` where the
    target has fewer than two classes, `ConditionError` for conditions that cannot be met or that no row meets.
    """
    if target is not None:
        require_classes(schema, target)
    if where:
        found = Slice(where=dict(where), conditions=conditions_of(where, schema), label=_columns(where))
    elif target is None:
        raise UsageError(
            "say which rows are too few: name a target, whose rarest class is meant, or conditions"
        )
    else:
        code = rarest_class(table, target)
        values = {target: _class_values(schema, target)[code]}
        found = Slice(
            where=values,
            conditions=(Condition.at(target, code),),
            label=f"the rarest class of {target!r}",
        )
    if not found.mask(table).any():
        raise ConditionError("no row of the table meets the conditions: there is nothing to learn from")
    return found


def require_classes(schema: TableSchema, target: str) -> None:
    """Raise `UsageError` unless the target is a column of classes."""
    if target not in schema:
        raise UsageError(
            f"the target {target!r} is not a column of table {schema.name!r} ({did_you_mean(target, schema.column_names)})"
        )
    if not schema[target].kind.is_discrete:
        raise UsageError(
            f"the target {target!r} is of kind {schema[target].kind.value}: a column of classes is wanted (categorical, "
            "ordinal or boolean)"
        )


def rarest_class(table: EncodedTable, target: str) -> int:
    """The code of the least frequent class that occurs, null left out; the later one of equals.

    Raises `DataError` where fewer than two classes occur.
    """
    column = table.columns[target]
    counts = np.bincount(column.codes, minlength=column.variable.n_levels)[: column.variable.n_levels]
    counts = counts.astype(np.int64)
    if column.variable.null_code is not None:
        counts[column.variable.null_code] = 0
    occurs = np.flatnonzero(counts)
    if len(occurs) < 2:
        raise DataError(
            f"the target {target!r} has {len(occurs)} classes among the rows: two or more are wanted"
        )
    return int(occurs[::-1][counts[occurs[::-1]].argmin()])


def _class_values(schema: TableSchema, target: str) -> tuple[Any, ...]:
    from tabsynth.encode.discrete import declared_levels

    return declared_levels(schema[target])


def _columns(where: Mapping[str, Any]) -> str:
    return f"the slice by {', '.join(map(repr, where))}"
