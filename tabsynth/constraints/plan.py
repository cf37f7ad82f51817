"""How each rule of a table is met, decided from the schema alone: by construction where that can be, else by repair.

A plan is a function of the schema and of whether the fit is private, so a stored model needs none of its own.
In a private fit only columns whose domains are stated to be public are reparametrised: what is learnt then has
bounds and levels that follow from public facts, and the rules cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from tabsynth.constraints.base import Constraint, RowConstraint
from tabsynth.constraints.bounds import are_contradictory, narrowed, smallest
from tabsynth.constraints.cells import number
from tabsynth.constraints.groups import gather
from tabsynth.constraints.reach import widened
from tabsynth.constraints.rules import computed_value, constraints_of, is_per_row
from tabsynth.constraints.steps import Combine, Compute, Narrow, Recompute, Step
from tabsynth.errors import ConstraintError, PrivacyError
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import (
    AnyRule,
    Combinations,
    Dependency,
    Formula,
    Hierarchy,
    Range,
    Rule,
    Sum,
    Unique,
    title_of,
)
from tabsynth.schema.types import Column, Kind, Origin, TableSchema
from tabsynth.table import Table

May = Callable[[Column], bool]
"""Whether a column may be reparametrised."""

NARROWED = "narrower bounds"
COMBINED = "one variable of allowed rows"
COMPUTED = "computed, not learnt"
RECOMPUTED = "computed over what was learnt"
NUMBERED = "identifiers that never repeat"
REPAIRED = "repair"

_MOST_MADE, _MOST_MADE_PRIVATE = 4096, 256
"""The longest list of rows that is made of the levels of columns; noise is spread over all of them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RulePlan:
    """The rules of `schema`, the schema `working` that is learnt in its place, and the steps between them.

    `forms` says of each rule, in order, by which form it is met.
    """

    schema: TableSchema
    working: TableSchema
    constraints: tuple[Constraint, ...]
    forms: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def per_row(self) -> tuple[Constraint, ...]:
        """The rules of single rows."""
        return tuple(one for one in self.constraints if is_per_row(one.rule))

    @property
    def forms_per_row(self) -> tuple[str, ...]:
        """The forms of `per_row`."""
        pairs = zip(self.constraints, self.forms, strict=True)
        return tuple(form for one, form in pairs if is_per_row(one.rule))

    @cached_property
    def sure(self) -> tuple[Constraint, ...]:
        """The rules of single rows that construction ensures."""
        pairs = zip(self.constraints, self.forms, strict=True)
        return tuple(one for one, form in pairs if form in (NARROWED, COMBINED, COMPUTED))

    @cached_property
    def repaired(self) -> tuple[Constraint, ...]:
        """Of `checked` what construction alone does not ensure."""
        return tuple(one for one in self.checked if one not in self.sure)

    @cached_property
    def checked(self) -> tuple[Constraint, ...]:
        """The rules of single rows, and that computed cells lie in their columns' domains."""
        within = [
            _in_domain(one, self.schema)
            for one, form in zip(self.constraints, self.forms, strict=True)
            if form in (COMPUTED, RECOMPUTED)
        ]
        return (*self.per_row, *within)

    @property
    def of_table(self) -> tuple[Constraint, ...]:
        """The rules of all rows together that need more than the identifiers' own counting."""
        return tuple(
            one
            for one, form in zip(self.constraints, self.forms, strict=True)
            if not is_per_row(one.rule) and form == REPAIRED
        )

    def apply(self, table: Table) -> Table:
        """The rows as they are learnt."""
        frame = table.frame
        for step in self.steps:
            frame = step.apply(frame)
        return Table(self.working, frame.select(self.working.column_names)) if self.steps else table

    def invert(self, frame: pl.DataFrame, *, only: Collection[str] | None = None) -> pl.DataFrame:
        """Sampled rows with the columns of the schema; others, and their order, as they come.

        `only` names the columns that are wanted: steps that make none of them are left out.
        """
        wanted, steps = set(self.schema.column_names if only is None else only), []
        for step in self.steps:
            if only is None or wanted & set(step.makes):
                steps.append(step)
                wanted |= {part for parts in step.makes.values() for part in parts}
        for step in reversed(steps):
            frame = step.invert(frame)
        return frame

    def recomputed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Finished rows with every column that others give computed again where it is there."""
        for step in reversed(self.steps):
            if isinstance(step, (Compute, Recompute)):
                frame = Recompute(step.column, step.value, step.parts).invert(frame)
        return frame

    def sources(self, names: Sequence[str]) -> tuple[str, ...]:
        """The learnt columns that the columns `names` come from."""
        found: dict[str, None] = {}
        for name in names:
            ways = {name}
            for step in self.steps:
                ways = {part for way in ways for part in step.makes.get(way, (way,))}
            found |= dict.fromkeys(sorted(ways))
        return tuple(found)

    def taken_from(self, names: Collection[str]) -> frozenset[str]:
        """The learnt columns of which `apply` reads any of the columns `names`."""
        found = set(names)
        for step in self.steps:
            if isinstance(step, Combine) and any(column.name in found for column in step.columns):
                found.add(step.name)
            if isinstance(step, Compute) and step.column.name in found:
                found.add(step.presence)
        return frozenset(found & set(self.working.column_names))

    def bought(self, learnt: TableSchema) -> TableSchema:
        """The schema once the domains of `learnt`, which is `working` with what a fit bought, are known.

        Without the notes of rules: what `tabsynth constraints suggest` notes are exact counts of private rows.
        Bounds that were bought of a column that others give are widened to what these give: noise cut them, and
        may have hidden them.
        """
        columns = []
        for column in self.schema.columns:
            is_known = column.domain.origin is Origin.PUBLIC and not _lacks_bounds(column)
            columns.append(column if is_known or column.name not in learnt else learnt[column.name])
        known = replace(self.schema, columns=tuple(columns))
        for step in reversed(self.steps):
            if isinstance(step, Recompute) and known[step.column.name].domain.origin is Origin.CHARGED:
                target, parts = known[step.column.name], [known[name] for name in step.parts]
                known = known.with_column(widened(target, computed_value(self._giver(target), known), parts))
        return replace(
            known,
            constraints=tuple(replace(rule, note=None) for rule in self.schema.constraints),
            primary_key=learnt.primary_key if self.working.primary_key else self.schema.primary_key,
            description=learnt.description,
        )

    def _giver(self, column: Column) -> Formula | Sum:
        """The rule that a recomputed column is given by."""
        pairs = zip(self.constraints, self.forms, strict=True)
        rules = (one.rule for one, form in pairs if form == RECOMPUTED)
        return next(rule for rule in rules if isinstance(rule, (Formula, Sum)) and rule.column == column.name)


def plan_rules(schema: TableSchema, *, is_private: bool) -> RulePlan:
    """The plan for a schema. Raises `ConstraintError` where rules leave no row, naming a smallest set that does.

    Where `is_private`, raises `PrivacyError` for rules that are drafts, and for mappings without their rows.
    """
    constraints = constraints_of(schema)
    if is_private:
        _require_public(schema.constraints)
    if not constraints:
        return RulePlan(schema=schema, working=schema, constraints=(), forms=(), steps=())
    _require_room(schema)
    forms = [REPAIRED] * len(constraints)

    def may(column: Column) -> bool:
        is_free = not is_private or (column.domain.origin is Origin.PUBLIC and not _lacks_bounds(column))
        return is_free and column.kind.is_modelled

    numbered, computed = _numbered(constraints, schema, forms), _computed(constraints, schema, forms, may)
    made = {step.column.name for step in computed}
    narrow = _narrow(constraints, schema, forms, lambda column: may(column) and column.name not in made)
    combine = _combined(
        constraints,
        schema,
        forms,
        lambda column: may(column) and column.name not in made,
        most_made=_MOST_MADE_PRIVATE if is_private else _MOST_MADE,
    )
    schema = replace(schema, columns=tuple(numbered.get(column.name, column) for column in schema.columns))
    steps: tuple[Step, ...] = (*narrow, *computed, *combine)
    working = replace(schema, constraints=())
    for step in steps:
        working = step.schema(working)
    if not all(name in working for name in schema.primary_key):
        working = replace(working, primary_key=())
    return RulePlan(schema=schema, working=working, constraints=constraints, forms=tuple(forms), steps=steps)


def _in_domain(constraint: Constraint, schema: TableSchema) -> Constraint:
    """That the column of a formula or a sum holds no cell that its column cannot hold."""
    column = schema[constraint.columns[0]]
    cells = number(column)
    broken = pl.lit(value=False)
    if column.bounds is not None:
        broken = (cells < column.bounds[0]) | (cells > column.bounds[1])
    if polars_dtype(column).is_float():
        broken = broken.fill_null(value=False) | pl.col(column.name).is_infinite()
    if not column.nullable:
        broken = broken.fill_null(value=False) | pl.col(column.name).is_null()
    return RowConstraint(constraint.rule, constraint.columns, broken)


def _lacks_bounds(column: Column) -> bool:
    return column.kind.is_continuous and column.bounds is None


def _require_public(rules: Sequence[AnyRule]) -> None:
    """Raise `PrivacyError` naming every rule that holds, or would have to read, what nobody says is public."""
    drafts = [title_of(rule) for rule in rules if rule.draft]
    unlisted = [
        title_of(rule)
        for rule in rules
        if isinstance(rule, (Combinations, Hierarchy, Dependency)) and rule.rows is None
    ]
    faults = []
    if drafts:
        faults.append(
            f"mined from private data and not stated by anybody: {'; '.join(drafts)} (remove `draft` from those "
            "that are public knowledge, and leave the others out)"
        )
    if unlisted:
        faults.append(
            f"mappings whose rows would be read off the data: {'; '.join(unlisted)} (list them as `rows`, name a "
            "CSV of them as `file`, or leave the rule out)"
        )
    if faults:
        raise PrivacyError("no private fit can follow these rules; nothing was read. " + ". ".join(faults))


def _require_room(schema: TableSchema) -> None:
    rules = schema.constraints
    if are_contradictory(rules, schema):
        _refuse(
            smallest(rules, lambda some: are_contradictory(some, schema)), "and the bounds of their columns "
        )


def _refuse(rules: Sequence[Rule], beside: str = "") -> None:
    titles = "; ".join(title_of(rule) for rule in rules)
    raise ConstraintError(f"no row can meet these rules {beside}together: {titles or 'none'}")


def _numbered(constraints: Sequence[Constraint], schema: TableSchema, forms: list[str]) -> dict[str, Column]:
    """Identifiers that a rule wants to be unique: counted instead of drawn."""
    found = {}
    for index, constraint in enumerate(constraints):
        rule = constraint.rule
        if not isinstance(rule, Unique):
            continue
        names = [name for name in rule.columns if schema[name].kind is Kind.IDENTIFIER]
        if any(schema[name].unique for name in names):
            forms[index] = NUMBERED
        elif len(rule.columns) == len(names) == 1:
            forms[index] = NUMBERED
            found[names[0]] = replace(schema[names[0]], unique=True)
    return found


def _narrow(constraints: Sequence[Constraint], schema: TableSchema, forms: list[str], may: May) -> list[Step]:
    steps: list[Step] = []
    for index, constraint in enumerate(constraints):
        rule = constraint.rule
        if not isinstance(rule, Range) or not may(schema[rule.column]):
            continue
        bounds = narrowed(schema[rule.column], rule)
        if bounds is not None:
            steps.append(Narrow(schema[rule.column], bounds))
            schema = steps[-1].schema(schema)
            forms[index] = NARROWED
    return steps


def _computed(
    constraints: Sequence[Constraint], schema: TableSchema, forms: list[str], may: May
) -> list[Compute | Recompute]:
    """Columns that formulas and sums give, each once, in an order in which they can be undone last first."""
    steps: list[Compute | Recompute] = []
    made: dict[str, set[str]] = {}
    for index, constraint in enumerate(constraints):
        rule = constraint.rule
        if not isinstance(rule, (Formula, Sum)) or rule.column in made:
            continue
        target, parts = schema[rule.column], constraint.columns[1:]
        reached = {rule.column, *(name for name, used in made.items() if rule.column in used)}
        needs = {*parts, *(name for part in parts for name in made.get(part, ()))}
        if reached & needs or polars_dtype(target) == pl.String:
            continue
        is_free = all(may(schema[name]) for name in constraint.columns)
        is_whole = target.nullable or not any(
            schema[name].nullable or schema[name].special_values for name in parts
        )
        value = computed_value(rule, schema)
        if is_free and is_whole and not target.special_values:
            steps.append(Compute(target, value, parts))
            forms[index] = COMPUTED
        else:
            steps.append(Recompute(target, value, parts))
            forms[index] = RECOMPUTED
        made = {name: used | needs if rule.column in used else used for name, used in made.items()}
        made[rule.column] = needs
    return _users_first(steps)


def _users_first(steps: list[Compute | Recompute]) -> list[Compute | Recompute]:
    """Every column before those that it is computed from, so that undoing them backwards finds its parts."""
    ordered: list[Compute | Recompute] = []
    left = list(steps)
    while left:
        used = {part for step in left for part in step.parts if part != step.column.name}
        free = next(step for step in left if step.column.name not in used)
        ordered.append(free)
        left.remove(free)
    return ordered


def _combined(
    constraints: Sequence[Constraint], schema: TableSchema, forms: list[str], may: May, *, most_made: int
) -> list[Step]:
    able = [i for i, one in enumerate(constraints) if is_per_row(one.rule) and forms[i] == REPAIRED]
    groups = gather(
        [constraints[i] for i in able],
        schema,
        may=may,
        most_made=most_made,
    )
    steps: list[Step] = []
    for group in groups:
        rules = [constraints[able[i]].rule for i in group.rules]
        if not group.rows:
            _refuse(_smallest_listed(rules, schema, may, most_made))
        for i in group.rules:
            forms[able[i]] = COMBINED
        columns = tuple(schema[name] for name in group.columns)
        steps.append(Combine(columns, tuple(group.rows), _free_name(group.columns, schema)))
    return steps


def _smallest_listed(
    rules: Sequence[AnyRule], schema: TableSchema, may: May, most_made: int
) -> tuple[Rule, ...]:
    def leaves_none(some: Sequence[AnyRule]) -> bool:
        constraints = constraints_of(replace(schema, constraints=tuple(some)))
        groups = gather(constraints, schema, may=may, most_made=most_made)
        return any(not group.rows for group in groups)

    return smallest(rules, leaves_none)


def _free_name(names: Sequence[str], schema: TableSchema) -> str:
    name = " × ".join(names)
    while name in schema:
        name += "'"
    return name
