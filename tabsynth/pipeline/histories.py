"""Rows of one person as a history: each is learnt beside the row before it, and drawn given it.

A table whose unit has an `order_by` is learnt with columns more: how many rows of the person come before and after, and of
every column the cell of the row before (a Markov chain of order one over rows, with its place in the history known). An
engine that draws rows given some of their cells then makes whole persons, row after row (`tabsynth.pipeline.persons`).
What never varies within a person is learnt once, and stays what it is in the person's first row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import polars as pl

from tabsynth.constraints.plan import RulePlan
from tabsynth.errors import ConstraintError, ModelFileError, UsageError
from tabsynth.models.base import Synthesizer
from tabsynth.privacy import Ledger
from tabsynth.schema.rules import Inequality, title_of
from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema
from tabsynth.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of the rows of persons beside the columns themselves.

    `constant`: the modelled columns that no person of the source has two different cells in. How many rows somebody has at most is not
    known of the source: the schema's `max_rows` bounds it.
    """

    constant: tuple[str, ...]

    @classmethod
    def of(cls, table: Table, ledger: Ledger) -> Self:
        """The history of a table whose unit has an `order_by`, charged to the ledger."""
        names = modelled(table.schema)
        ledger.charge("rows of each person, in order", (table.schema.unit.column or "",))
        ledger.charge("columns that never vary within a person", names)
        rows = in_order(table)
        later = rows.filter(pl.col(_PLACE) > 0)
        is_same = later.select(pl.col(name).eq_missing(pl.col(_before(name))).all() for name in names)
        return cls(constant=tuple(name for name in names if is_same[name][0]))

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON; `history_from` reads it back."""
        return {"constant": list(self.constant)}


def history_from(data: Any, schema: TableSchema) -> History | None:
    """What `to_data` gave, None for None. Raises `ModelFileError` for anything that is no history of that schema."""
    if (data is None) != (schema.unit.order_by is None):
        raise ModelFileError("the history is missing, or there where the unit has no order_by")
    if data is None:
        return None
    names = modelled(schema)
    if not isinstance(data, dict) or set(data) != {"constant"}:
        raise ModelFileError("the history is not one")
    constant = data["constant"]
    if not isinstance(constant, list) or constant != [name for name in names if name in constant]:
        raise ModelFileError("the history names columns that are not modelled, or not in their order")
    return History(constant=tuple(constant))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The schema in which histories are learnt: the columns of the context first, then those of the table.

    `before` and `after` count the person's other rows; `former` names, for columns that vary, the one of the row before.
    """

    before: str
    after: str
    former: Mapping[str, str]
    schema: TableSchema

    @property
    def first(self) -> tuple[str, ...]:
        """What later rows are given, in an order in which what first rows are given comes before all else."""
        return (self.before, *self.former.values(), self.after, *self.constant)

    @property
    def constant(self) -> tuple[str, ...]:
        """The columns that stay what they are in a person's first row."""
        names = (column.name for column in self.schema.columns if column.kind.is_modelled)
        mine = {self.before, self.after, *self.former, *self.former.values()}
        return tuple(name for name in names if name not in mine)

    def learnt(self, table: Table) -> Table:
        """The rows with their context, person by person in order."""
        rows = in_order(table)
        counts = {self.before: pl.col(_PLACE), self.after: pl.col(_LEFT)}
        former = {new: pl.col(_before(name)) for name, new in self.former.items()}
        frame = rows.select(
            *(cells.alias(name) for name, cells in (counts | former).items()), *table.schema.column_names
        )
        return Table(self.schema, frame)


def context_of(history: History, schema: TableSchema) -> Context:
    """How rows of that schema are learnt as histories. New names are the columns' own with `before` behind them."""
    taken = set(schema.column_names)

    def new(name: str) -> str:
        while name in taken:
            name += "'"
        taken.add(name)
        return name

    most = schema.unit.max_rows or 1
    before, after = new("rows before"), new("rows after")
    former = {name: new(f"{name} before") for name in modelled(schema) if name not in history.constant}
    counts = [
        Column(name=name, kind=Kind.INTEGER, dtype="int64", bounds=(0, most - 1)) for name in (before, after)
    ]
    lagged = [
        replace(schema[name], name=new_name, nullable=True, review=None, description=None)
        for name, new_name in former.items()
    ]
    order = schema.unit.order_by
    rules = schema.constraints
    if order in former:
        rules = (*rules, Inequality(columns=(former[order], order)))
    learnt = replace(
        schema,
        columns=(*counts, *lagged, *schema.columns),
        primary_key=(),
        unit=PrivacyUnit(),
        constraints=rules,
    )
    return Context(before=before, after=after, former=former, schema=learnt)


def modelled(schema: TableSchema) -> tuple[str, ...]:
    """The columns that engines learn."""
    return tuple(column.name for column in schema.columns if column.kind.is_modelled)


def require_histories(schema: TableSchema, recipe: Synthesizer) -> None:
    """Raise `UsageError` where the schema asks for histories that cannot be drawn; nothing where it asks for none.

    So for an engine that draws no rows given cells, a person whose name would be learnt, and a key of several columns.
    """
    unit = schema.unit
    if unit.order_by is None or unit.column is None:
        return
    so = f"the unit's order_by ({unit.order_by!r}) asks for histories"
    if not recipe.is_conditional:
        raise UsageError(
            f"{so}, which {recipe.name} cannot draw: it makes no rows given some of their cells; take another engine, such as "
            "sequential_trees, or take order_by out of the schema"
        )
    if schema[unit.column].kind is not Kind.IDENTIFIER:
        raise UsageError(
            f"{so} of persons named by {unit.column!r}, which is {schema[unit.column].kind}: make it an identifier"
        )
    if len(schema.primary_key) > 1:
        raise UsageError(
            f"{so}, whose rows cannot keep a primary key of {len(schema.primary_key)} columns: take the key out of the schema"
        )


def require_rules_of_rows(plan: RulePlan) -> None:
    """Raise `ConstraintError` naming rules of all rows together, which histories do not keep."""
    if plan.of_table:
        titles = "; ".join(title_of(one.rule) for one in plan.of_table)
        raise ConstraintError(
            f"rules of all rows together are not kept over histories: {titles}. Take them, or order_by, out of the schema"
        )


_MARK = "\0"
_PERSON, _PLACE, _LEFT = f"{_MARK}person", f"{_MARK}place", f"{_MARK}left"


def _before(name: str) -> str:
    return f"{_MARK}{name}"


def in_order(table: Table) -> pl.DataFrame:
    """The rows person by person, in the order of `order_by` and else as they stand, with what comes before and after.

    Persons stand in the order of their first rows. A row that names nobody is a person by itself.
    """
    order, names = table.schema.unit.order_by, modelled(table.schema)
    assert order is not None
    rows = table.frame.with_columns(pl.Series(_PERSON, table.unit_codes()))
    rows = rows.sort(_PERSON, order, maintain_order=True, nulls_last=True)
    return rows.with_columns(
        pl.int_range(pl.len()).over(_PERSON).alias(_PLACE),
        (pl.len() - 1 - pl.int_range(pl.len())).over(_PERSON).alias(_LEFT),
        *(pl.col(name).shift(1).over(_PERSON).alias(_before(name)) for name in names),
    )
