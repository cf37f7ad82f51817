"""Rules of few levels as one list: the rows of cells that may stand together in the columns of several rules."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tabsynth.constraints.base import Constraint
from tabsynth.constraints.cells import Combined, levels_of
from tabsynth.schema.rules import Combinations, Dependency, Exactly, Hierarchy, Levels
from tabsynth.schema.types import Column, Scalar, TableSchema

MOST_LISTED = 65_536
"""The longest list of rows that is made of declared ones."""


@dataclass(kw_only=True)
class Group:
    """Columns, the rows of cells that may stand in them, and the rules (by position) that say so."""

    columns: tuple[str, ...]
    rows: list[Levels]
    rules: list[int] = field(default_factory=list)


def gather(
    constraints: Sequence[Constraint],
    schema: TableSchema,
    *,
    may: Callable[[Column], bool],
    most_made: int,
) -> list[Group]:
    """Groups of disjoint columns for as many rules as can be listed; a group without rows contradicts itself.

    Columns for which `may` is false are left alone. `most_made` bounds the lists that are made of all levels of
    the columns rather than of declared rows.
    """
    groups: list[Group] = []
    for index in sorted(range(len(constraints)), key=lambda i: _rank(constraints[i])):
        constraint = constraints[index]
        if not all(may(schema[name]) for name in constraint.columns):
            continue
        near = [group for group in groups if set(group.columns) & set(constraint.columns)]
        joined = _joined(constraint, near, schema, most_made)
        if joined is None:
            continue
        joined.rows = _kept(joined, constraint, schema)
        joined.rules = [*(i for group in near for i in group.rules), index]
        groups = [group for group in groups if group not in near]
        groups.append(joined)
        if not joined.rows:
            return [joined]
    return groups


def _rank(constraint: Constraint) -> int:
    """Declared rows first: they bound what is made of levels."""
    return 0 if _declared(constraint) is not None else 1


def _declared(constraint: Constraint) -> tuple[Levels, ...] | None:
    rule = constraint.rule
    return rule.rows if isinstance(rule, (Combinations, Hierarchy, Dependency)) else None


def _joined(
    constraint: Constraint, near: Sequence[Group], schema: TableSchema, most_made: int
) -> Group | None:
    """All rows of the rule's columns and of the groups near it, before the rule is asked; None for too many."""
    declared = _declared(constraint)
    if declared is not None:
        joined = Group(columns=constraint.columns, rows=list(declared))
        for group in near:
            found = _natural_join(joined, group)
            if found is None:
                return None
            joined = found
        return joined
    known = {name for group in near for name in group.columns}
    new = tuple(name for name in constraint.columns if name not in known)
    made = _made(constraint, new, schema, most_made)
    if made is None:
        return None
    size = math.prod(len(group.rows) for group in near) * len(made)
    if size > (MOST_LISTED if near and not new else most_made):
        return None
    columns = (*(name for group in near for name in group.columns), *new)
    rows = [
        tuple(itertools.chain.from_iterable(parts))
        for parts in itertools.product(*(group.rows for group in near), made)
    ]
    return Group(columns=columns, rows=rows)


def _made(
    constraint: Constraint, new: Sequence[str], schema: TableSchema, most_made: int
) -> list[Levels] | None:
    """Every row of the levels of `new`; of a code with few true columns those that have as many."""
    levels = [levels_of(schema[name]) for name in new]
    rule = constraint.rule
    if isinstance(rule, Exactly) and len(new) == len(rule.columns):
        flags = [_flags(schema[name]) for name in new]
        if all(flags) and math.comb(len(new), rule.count) <= most_made:
            return list(_codes(flags, rule.count))  # type: ignore[arg-type]
    if not all(levels) or math.prod(len(found or ()) for found in levels) > most_made:
        return None
    return list(itertools.product(*levels))  # type: ignore[arg-type]


def _flags(column: Column) -> tuple[Scalar, Scalar] | None:
    """A column's two cells, false and true, where it has no others."""
    levels = levels_of(column) or ()
    if column.nullable or len(levels) != 2:
        return None
    one, other = levels
    if (one, other) in ((0, 1), (1, 0)) and one is not None and other is not None:  # True equals 1
        return (one, other) if other == 1 else (other, one)
    return None


def _codes(flags: Sequence[tuple[Scalar, Scalar]], count: int) -> Iterator[Levels]:
    for chosen in itertools.combinations(range(len(flags)), count):
        yield tuple(pair[at in chosen] for at, pair in enumerate(flags))


def _natural_join(one: Group, other: Group) -> Group | None:
    """Rows that agree in the columns of both; None for too many."""
    shared = [name for name in one.columns if name in other.columns]
    extra = [at for at, name in enumerate(other.columns) if name not in shared]
    here = [one.columns.index(name) for name in shared]
    there = [other.columns.index(name) for name in shared]
    by_key: dict[Levels, list[Levels]] = {}
    for row in other.rows:
        by_key.setdefault(tuple(row[at] for at in there), []).append(tuple(row[at] for at in extra))
    rows: list[Levels] = []
    for row in one.rows:
        rows += [(*row, *rest) for rest in by_key.get(tuple(row[at] for at in here), ())]
        if len(rows) > MOST_LISTED:
            return None
    return Group(columns=(*one.columns, *(other.columns[at] for at in extra)), rows=rows)


def _kept(group: Group, constraint: Constraint, schema: TableSchema) -> list[Levels]:
    """The rows of a group that do not break the rule."""
    if not group.rows:
        return []
    cells = Combined(tuple(schema[name] for name in group.columns), tuple(group.rows))
    broken = constraint.violations(cells.frame([*range(len(group.rows))]))
    return [row for row, is_broken in zip(group.rows, broken.tolist(), strict=True) if not is_broken]
