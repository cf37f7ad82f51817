"""Rows of one person as a history: each is learnt beside the row before it, and drawn given it.

A table whose unit has an `order_by` is learnt with columns more: how many rows of the person come before and after, and of
every column that varies the cell of the row before (a Markov chain of order one over rows, with its place in the history known). An
engine that is told of such a context then makes whole persons, row after row (`tabsynth.pipeline.persons`). What never varies within a
person is learnt once, and stays what it is in the person's first row. How many rows persons have is counted by persons, not by rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl

from tabsynth.constraints.plan import RulePlan
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.successions import in_succession, places_in
from tabsynth.encode.table import encoder_of
from tabsynth.errors import ConstraintError, ModelFileError, UsageError
from tabsynth.models.auto import Auto
from tabsynth.models.base import ContextualSynthesizer, Synthesizer, Told
from tabsynth.pipeline.lengths import Lengths, lengths_from
from tabsynth.privacy import Ledger
from tabsynth.schema.generators import may_say_unique
from tabsynth.schema.rules import (
    AnyRule,
    Combinations,
    Dependency,
    Hierarchy,
    Inequality,
    Monotone,
    title_of,
)
from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema
from tabsynth.schema.validate import require_unit
from tabsynth.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of the rows of persons beside the columns themselves.

    `constant`: the columns, that of persons aside, that no person of the source has two different cells in. `lagged`: the modelled ones of the others whose
    cell of the row before a row is learnt beside; of numbers and times as many must have one as make a group. `lengths`: how many rows persons have. `is_strict`: whether the order column rises from row to row, where it otherwise may stay.
    """

    constant: tuple[str, ...]
    lagged: tuple[str, ...]
    lengths: Lengths
    is_strict: bool

    @classmethod
    def of(cls, table: Table, ledger: Ledger, *, min_group: int) -> Self:
        """The history of a table whose unit has an `order_by`, charged to the ledger.

        All persons have one row where fewer than `min_group` rows have one before, or one whose place in the order is known. It is strict where fewer than `min_group` rows have the same place in the order as the one before, or where person and order make the primary key.
        """
        schema, unit = table.schema, table.schema.unit
        assert unit.column is not None
        assert unit.order_by is not None
        names = tuple(name for name in schema.column_names if name != unit.column)
        ledger.charge("rows of each person, in order", (unit.column, unit.order_by))
        ledger.charge("columns that never vary within a person", names)
        order = in_succession(table)
        persons = table.unit_codes()[order]
        counts, place = places_in(persons)
        now = np.flatnonzero(place > 0)
        rows = table.frame.select(names)[order]
        stays = {name: _stays(rows[name], now) for name in names}
        ties = stays[unit.order_by] & rows[unit.order_by][now].is_not_null().to_numpy()
        constant = tuple(name for name in names if stays[name].all())
        lagged = tuple(
            name
            for name in modelled(schema)
            if name not in constant and _n_told(schema[name], rows[name][now - 1]) >= min_group
        )
        is_followed = len(now) >= min_group and (
            unit.order_by in (*constant, *lagged) or not schema[unit.order_by].kind.is_modelled
        )
        rows_of = counts[place == 0]
        return cls(
            constant=constant,
            lagged=lagged,
            lengths=Lengths.of(
                rows_of if is_followed else np.ones_like(rows_of),
                min_group=min_group,
                most=unit.max_rows or 1,
            ),
            is_strict=_is_key(schema) or int(ties.sum()) < min_group,
        )

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON; `history_from` reads it back."""
        return {
            "constant": list(self.constant),
            "lagged": list(self.lagged),
            "lengths": self.lengths.to_data(),
            "is_strict": self.is_strict,
        }


def _stays(
    cells: pl.Series, now: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether the cells at these positions are those just before, nulls being equal."""
    return cells[now].eq_missing(cells[now - 1]).to_numpy()


def _n_told(column: Column, cells: pl.Series) -> int:
    """How many of the cells an engine can learn something of: numbers, or all that have levels."""
    encoder = encoder_of(column)
    if not isinstance(encoder, ContinuousEncoder):
        return len(cells)
    return int((encoder.encode(cells)[0] == 0).sum())


def history_from(data: Any, schema: TableSchema) -> History | None:
    """What `to_data` gave, None for None. Raises `ModelFileError` for anything that is no history of that schema."""
    if (data is None) != (schema.unit.order_by is None):
        raise ModelFileError("the history is missing, or there where the unit has no order_by")
    if data is None:
        return None
    if not isinstance(data, dict) or set(data) != {"constant", "lagged", "lengths", "is_strict"}:
        raise ModelFileError("the history is not one")
    constant, lagged = data["constant"], data["lagged"]
    names = [name for name in schema.column_names if name != schema.unit.column]
    if not isinstance(constant, list) or constant != [name for name in names if name in constant]:
        raise ModelFileError("the history names columns that the table lacks, or not in their order")
    able = [name for name in names if name not in constant and schema[name].kind.is_modelled]
    if not isinstance(lagged, list) or lagged != [name for name in able if name in lagged]:
        raise ModelFileError(
            "the history names columns of the row before that do not vary, or not in their order"
        )
    if not isinstance(data["is_strict"], bool):
        raise ModelFileError("the history does not say whether its order is strict")
    lengths = lengths_from(data["lengths"])
    if max(*lengths.high, lengths.farthest + 1) > (schema.unit.max_rows or 0):
        raise ModelFileError("the history has persons of more rows than the unit's max_rows")
    return History(
        constant=tuple(constant), lagged=tuple(lagged), lengths=lengths, is_strict=data["is_strict"]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The schema in which histories are learnt: the columns of the context first, then those of the table.

    `before` and `after` count the person's other rows, up to a number that enough persons reach; `former` names, for columns
    that vary, the one of the row before. `person` names the person; `constant` are the modelled columns that stay what they are in a person's first
    row, `kept` the others that do, which are made anew: identifiers and texts.
    """

    before: str
    after: str
    former: Mapping[str, str]
    person: str
    constant: tuple[str, ...]
    kept: tuple[str, ...]
    schema: TableSchema
    step: tuple[str, str] | None
    """The order column of the row before and that of the row, where these are modelled and vary."""

    def told(self, learnt: Collection[str]) -> Told:
        """What an engine is told that learns these columns, of which rules may have made others."""
        given = (self.before, *self.former.values(), self.after)
        step = self.step if self.step is not None and set(self.step) <= set(learnt) else None
        before = tuple(
            (former, name)
            for name, former in self.former.items()
            if {former, name} <= set(learnt)
            and self.schema[name].kind.is_continuous
            and (former, name) != step
        )
        return Told(
            tuple(name for name in given if name in learnt),
            tuple(name for name in self.constant if name in learnt),
            step,
            before,
        )

    @property
    def farthest(self) -> int:
        """The greatest number of rows before or after that is told from greater ones."""
        bounds = self.schema[self.before].bounds
        assert bounds is not None
        return int(bounds[1])  # type: ignore[arg-type]

    def learnt(self, table: Table) -> Table:
        """The rows with their context, person by person in order."""
        order = in_succession(table)
        rows = table.frame[order]
        counts, place = places_in(table.unit_codes()[order])
        added = [
            pl.Series(name, np.minimum(numbers, self.farthest))
            for name, numbers in ((self.before, place), (self.after, counts - 1 - place))
        ]
        is_later = pl.Series(place > 0)
        for name, new in self.former.items():
            added.append(pl.select(pl.when(is_later).then(rows[name].shift(1)).alias(new)).to_series())
        return Table(self.schema, pl.DataFrame([*added, *rows.get_columns()]))


def context_of(history: History, schema: TableSchema) -> Context:
    """How rows of that schema are learnt as histories. New names are the columns' own with `before` behind them."""
    taken = set(schema.column_names)

    def new(name: str) -> str:
        while name in taken:
            name += "'"
        taken.add(name)
        return name

    before, after = new("rows before"), new("rows after")
    former = {name: new(f"{name} before") for name in history.lagged}
    counts = [
        Column(name=name, kind=Kind.INTEGER, dtype="int64", bounds=(0, history.lengths.farthest))
        for name in (before, after)
    ]
    lagged = [
        replace(schema[name], name=new_name, nullable=True, review=None, description=None)
        for name, new_name in former.items()
    ]
    order = schema.unit.order_by
    assert order is not None
    assert schema.unit.column is not None
    rules = tuple(rule for rule in schema.constraints if not is_kept_by_order(rule, schema))
    for rule in schema.constraints:
        if isinstance(rule, Monotone) and is_kept_by_order(rule, schema) and rule.column in former:
            pair = (former[rule.column], rule.column)
            pair = pair[::-1] if rule.decreasing else pair
            rules = (*rules, Inequality(name=title_of(rule), columns=pair, strict=rule.strict))
    step = None
    if order in former:
        step = (former[order], order)
        how = "rises" if history.is_strict else "never falls"
        name = f"{order} {how} from row to row of one {schema.unit.column}"
        rules = (*rules, Inequality(name=name, columns=step, strict=history.is_strict))
    learnt = replace(
        schema,
        columns=(*counts, *lagged, *schema.columns),
        primary_key=(),
        unit=PrivacyUnit(),
        constraints=rules,
    )
    names = modelled(schema)
    return Context(
        before=before,
        after=after,
        former=former,
        person=schema.unit.column,
        constant=tuple(name for name in history.constant if name in names),
        kept=tuple(name for name in history.constant if name not in names),
        schema=learnt,
        step=step,
    )


def require_rises(history: History, schema: TableSchema) -> None:
    """Raise `ConstraintError` naming rules by which a column that never varies within a person would rise there."""
    rules = [
        rule
        for rule in schema.constraints
        if isinstance(rule, Monotone)
        and rule.strict
        and rule.column in history.constant
        and is_kept_by_order(rule, schema)
    ]
    if rules and history.lengths.mean > 1:
        titles = "; ".join(map(title_of, rules))
        raise ConstraintError(
            f"columns that never vary within a person ({schema.unit.column}) cannot rise or fall there: {titles}"
        )


def describe_lone(history: History, schema: TableSchema, n_rows: int) -> str:
    """In a sentence, that all persons will have one row though in the `n_rows` that were learnt some have more; "" else."""
    if history.lengths.mean > 1 or n_rows == history.lengths.n_persons:
        return ""
    return (
        f"Fewer persons ({schema.unit.column}) have a second row than make a group (min_group), so that every person "
        "gets one row: there are no histories."
    )


def modelled(schema: TableSchema) -> tuple[str, ...]:
    """The columns that engines learn."""
    return tuple(column.name for column in schema.columns if column.kind.is_modelled)


def require_histories(schema: TableSchema, recipe: Synthesizer) -> None:
    """Raise where the schema asks for histories that cannot be drawn; do nothing where it asks for none.

    `SchemaError` for a unit that is none, `UsageError` for an engine that is told of no context, a person whose name would be learnt or is
    made by a generator that repeats, and a key of several columns, unless these are the person and the order.
    """
    unit = schema.unit
    if unit.order_by is None:
        return
    require_unit(schema)
    assert unit.column is not None
    so = f"the unit's order_by ({unit.order_by!r}) asks for histories"
    if not isinstance(recipe, ContextualSynthesizer | Auto):
        raise UsageError(
            f"{so}, which {recipe.name} does not draw: take sequential_trees, or take order_by out of the schema"
        )
    if schema[unit.column].kind is not Kind.IDENTIFIER:
        raise UsageError(
            f"{so} of persons named by {unit.column!r}, which is {schema[unit.column].kind}: make it an identifier"
        )
    if not may_say_unique(schema[unit.column]):
        raise UsageError(
            f"{so} of persons named by {unit.column!r}, whose generator gives several persons one name, or follows another column: take "
            "one that can be unique"
        )
    if len(schema.primary_key) > 1 and not _is_key(schema):
        raise UsageError(
            f"{so}, whose rows cannot keep a primary key of {len(schema.primary_key)} columns unless it is the person and "
            "order_by: take the key out of the schema"
        )


def _is_key(schema: TableSchema) -> bool:
    """Whether a person and a place in the order make the primary key."""
    return set(schema.primary_key) == {schema.unit.column, schema.unit.order_by}


def is_kept_by_order(rule: AnyRule, schema: TableSchema) -> bool:
    """Whether a rule of all rows says that a column never falls, or rises, from row to row of a person: that is then one of each row and the one before.

    Not where a cell may be none, over which the next could fall, and not where the order itself would have to fall.
    """
    unit = schema.unit
    if not isinstance(rule, Monotone) or rule.within != (unit.column,):
        return False
    if rule.along not in (None, unit.order_by) or (rule.decreasing and rule.column == unit.order_by):
        return False
    columns = (schema[rule.column], schema[unit.order_by or rule.column])
    are_whole = not any(column.nullable or column.special_values for column in columns)
    return are_whole and columns[0].kind.is_continuous


def require_rules_of_rows(plan: RulePlan, schema: TableSchema) -> None:
    """Raise `ConstraintError` naming rules of all rows together that histories do not keep; mappings that the rows will say are none."""
    of_table = [
        one.rule
        for one in plan.of_table
        if not isinstance(one.rule, Combinations | Dependency | Hierarchy)
        and not is_kept_by_order(one.rule, schema)
    ]
    if of_table:
        raise ConstraintError(
            f"rules of all rows together are not kept over histories: {'; '.join(map(title_of, of_table))}. Take them, or "
            "order_by, out of the schema"
        )
