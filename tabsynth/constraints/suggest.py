"""Rules that a table seems to keep, as drafts with their support: to be read, and confirmed or thrown away.

What is found is read off the data and so is private, each rule by itself: that no row breaks it may hold by chance,
or say something of one person. A rule is proposed where at least `MIN_SUPPORT` rows speak of it and at most a share
`MOST_EXCEPTIONS` of them breaks it. Sought are inequalities between two columns, dependencies and hierarchies,
products and sums of two columns, columns that are null or zero together or by the level of another column, one-hot
codes, and unique columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np
import polars as pl

from tabsynth.constraints.cells import number
from tabsynth.constraints.rules import constraint_of
from tabsynth.schema.rules import (
    AnyRule,
    Conditional,
    Dependency,
    Exactly,
    Formula,
    Hierarchy,
    Inequality,
    NullsTogether,
    Sum,
    Unique,
)
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.schema.validate_rules import family_of
from tabsynth.table import Table

MIN_SUPPORT = 100
MOST_EXCEPTIONS = 0.01
_MOST_LEVELS = 40
_MOST_NUMBERS = 12
_CHANCE = 0.1  # how often random pairs of the two columns must break an inequality for it to say anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A draft of a rule; `support` rows speak of it, `exceptions` of them break it."""

    rule: AnyRule
    support: int
    exceptions: int


def suggest_rules(table: Table, *, seed: int = 0) -> tuple[Suggestion, ...]:
    """Drafts of rules for a table, those without exceptions first. Private output."""
    found = []
    for rule, support in _candidates(table, np.random.default_rng(seed)):
        exceptions = int(constraint_of(rule, table.schema).violations(table.frame).sum())
        if support >= MIN_SUPPORT and exceptions <= MOST_EXCEPTIONS * support:
            note = f"support {support:,} rows, {exceptions:,} exceptions"
            made = replace(rule, draft=True, note=note)
            found.append(Suggestion(rule=made, support=support, exceptions=exceptions))
    return tuple(sorted(_without_implied(found), key=lambda one: one.exceptions > 0))


def _candidates(table: Table, rng: np.random.Generator) -> Iterator[tuple[AnyRule, int]]:
    yield from _inequalities(table, rng)
    yield from _dependencies(table)
    yield from _sums_and_products(table)
    yield from _nulls(table)
    yield from _zeros(table)
    yield from _codes(table)
    yield from _keys(table)


def _share(mask: pl.Series) -> float:
    """Of a mask, the share that is true."""
    return int(mask.sum()) / max(len(mask), 1)


def _numbers(table: Table) -> dict[str, Column]:
    """Columns of numbers or times that are not constant."""
    return {
        column.name: column
        for column in table.schema.columns
        if column.kind.is_continuous and table.frame[column.name].n_unique() > 2
    }


def _levels(table: Table) -> dict[str, Column]:
    return {
        column.name: column
        for column in table.schema.columns
        if column.kind.is_discrete and 2 <= table.frame[column.name].n_unique() <= table.n_rows / 10
    }


def _inequalities(table: Table, rng: np.random.Generator) -> Iterator[tuple[AnyRule, int]]:
    """Pairs in order whose cells would not be so if they were paired at random."""
    columns = _numbers(table)
    cells = table.frame.select(number(column).alias(name) for name, column in columns.items())
    shuffled = cells[rng.permutation(cells.height)]
    for one, other in permutations(columns, 2):
        if family_of(columns[one]) != family_of(columns[other]):
            continue
        support = int((cells[one].is_not_null() & cells[other].is_not_null()).sum())
        is_broken = (cells[one] > cells[other]).fill_null(value=False)
        by_chance = (cells[one] > shuffled[other]).fill_null(value=False)
        if support and is_broken.sum() <= MOST_EXCEPTIONS * support and _share(by_chance) > _CHANCE:
            yield Inequality(columns=(one, other)), support


def _dependencies(table: Table) -> Iterator[tuple[AnyRule, int]]:
    """Pairs of which the first has the more levels: another one for each of its levels would mean nothing."""
    columns = _levels(table)
    n_levels = {name: table.frame[name].n_unique() for name in columns}
    for one, other in permutations(columns, 2):
        if n_levels[one] < n_levels[other] or (n_levels[one] == n_levels[other] and one > other):
            continue
        counts = table.frame.group_by(one, other).len().group_by(one).agg(pl.col("len").max())
        repeated = table.frame.group_by(one).len().filter(pl.col("len") > 1)["len"].sum()
        kept = int(counts["len"].sum())
        most = int(table.frame[other].value_counts()["count"].to_numpy().max(initial=0))
        is_common = most > (1 - MOST_EXCEPTIONS) * table.n_rows
        if not is_common and kept >= (1 - MOST_EXCEPTIONS) * table.n_rows:
            yield Dependency(columns=(one,), determines=(other,)), int(repeated)


def _sums_and_products(table: Table) -> Iterator[tuple[AnyRule, int]]:
    numbers = {
        name: column
        for name, column in _numbers(table).items()
        if column.kind in (Kind.INTEGER, Kind.NUMBER) and column.dtype != "string"
    }
    if len(numbers) > _MOST_NUMBERS:
        return
    frame = table.frame.select(pl.col(name).cast(pl.Float64) for name in numbers)
    n_there = frame.select(pl.all().is_not_null().sum())
    for target in numbers:
        for one, other in combinations([name for name in numbers if name != target], 2):
            support = min(int(n_there[name].item()) for name in (target, one, other))
            quoted = [f'"{name}"' for name in (one, other)]
            for rule in (
                Sum(column=target, parts=(one, other)),
                Formula(column=target, sql=" * ".join(quoted)),
            ):
                head = constraint_of(rule, table.schema).violations(table.frame.head(2000))
                if head.mean() <= 2 * MOST_EXCEPTIONS:
                    yield rule, support


def _nulls(table: Table) -> Iterator[tuple[AnyRule, int]]:
    """Columns null together, and columns null exactly at some levels of another."""
    frame = table.frame
    nullable = [c.name for c in table.schema.columns if 0 < frame[c.name].null_count() < table.n_rows]
    for one, other in combinations(nullable, 2):
        if _share(frame[one].is_null() == frame[other].is_null()) >= 1 - MOST_EXCEPTIONS:
            yield NullsTogether(columns=(one, other)), frame[one].null_count()
    for name in nullable:
        for by in _levels(table):
            if by != name:
                yield from _by_level(
                    table, by, pl.col(name).is_null(), f'"{name}" IS NULL', f'"{name}" IS NOT NULL'
                )


def _zeros(table: Table) -> Iterator[tuple[AnyRule, int]]:
    """Pairs of numbers that are zero together."""
    names = [
        name
        for name, column in _numbers(table).items()
        if column.kind in (Kind.INTEGER, Kind.NUMBER) and column.dtype != "string"
    ]
    zero = {name: (table.frame[name] == 0).fill_null(value=False) for name in names}
    able = [name for name in names if 0.02 < _share(zero[name]) < 0.98]
    for one, other in combinations(able, 2):
        if _share(zero[one] == zero[other]) >= 1 - MOST_EXCEPTIONS:
            rule = Conditional(condition=f'"{one}" = 0', then=f'"{other}" = 0', otherwise=f'"{other}" <> 0')
            yield rule, int(min(zero[one].sum(), (~zero[one]).sum()))


def _by_level(
    table: Table, by: str, marked: pl.Expr, then: str, otherwise: str
) -> Iterator[tuple[AnyRule, int]]:
    """Levels of `by` at which nearly every row is marked, where at the others nearly none is."""
    shares = table.frame.group_by(by).agg(n=pl.len(), n_marked=marked.sum())
    if shares.height > _MOST_LEVELS or shares[by].null_count():
        return
    most = pl.col("n_marked") > pl.col("n") / 2
    full, rest = shares.filter(most), shares.filter(~most)
    n_full = int(full["n"].sum())
    off = n_full - int(full["n_marked"].sum()) + int(rest["n_marked"].sum())
    if not full.height or not rest.height or off > MOST_EXCEPTIONS * table.n_rows:
        return
    levels = ", ".join(_literal(level) for level in sorted(full[by].to_list()))
    condition = f'"{by}" IN ({levels})' if full.height > 1 else f'"{by}" = {levels}'
    support = min(n_full, table.n_rows - n_full)
    yield Conditional(condition=condition, then=then, otherwise=otherwise), support


def _literal(level: object) -> str:
    if isinstance(level, bool):
        return "TRUE" if level else "FALSE"
    if isinstance(level, (int, float)):
        return repr(level)
    return "'" + str(level).replace("'", "''") + "'"


def _codes(table: Table) -> Iterator[tuple[AnyRule, int]]:
    """All columns of true and false, or of 0 and 1, of which the same number is true in every row."""
    flags = [c.name for c in table.schema.columns if _is_flag(table.frame[c.name])]
    if len(flags) < 3:
        return
    n_true = table.frame.select(pl.sum_horizontal(pl.col(name).cast(pl.Int64) for name in flags)).to_series()
    usual = n_true.mode().item(0)
    if 0 < usual < len(flags):
        yield Exactly(columns=tuple(flags), count=int(usual)), table.n_rows


def _is_flag(cells: pl.Series) -> bool:
    if cells.dtype == pl.Boolean:
        return cells.n_unique() == 2
    return cells.dtype.is_integer() and cells.n_unique() == 2 and (cells.min(), cells.max()) == (0, 1)


def _keys(table: Table) -> Iterator[tuple[AnyRule, int]]:
    """Columns that never repeat and are no numbers measured, which hardly ever do."""
    for column in table.schema.columns:
        cells = table.frame[column.name].drop_nulls()
        is_key = column.kind in (Kind.IDENTIFIER, Kind.INTEGER, Kind.TEXT) and not column.unique
        if is_key and len(cells) and cells.n_unique() == len(cells):
            yield Unique(columns=(column.name,)), len(cells)


def _without_implied(found: list[Suggestion]) -> list[Suggestion]:
    """Chains of two dependencies as hierarchies, and without the dependency that these two imply."""
    pairs = {
        (one.rule.columns[0], one.rule.determines[0]): one
        for one in found
        if isinstance(one.rule, Dependency)
    }
    gone: set[tuple[str, str]] = set()
    made = []
    for (first, second), one_step in pairs.items():
        for third in [end for start, end in pairs if start == second]:
            if (first, third) in pairs and (third, second) not in pairs and (second, first) not in pairs:
                parts = [one_step, pairs[second, third]]
                n, off = min(part.support for part in parts), max(part.exceptions for part in parts)
                note = f"support {n:,} rows, {off:,} exceptions"
                rule = Hierarchy(columns=(first, second, third), draft=True, note=note)
                made.append(Suggestion(rule=rule, support=n, exceptions=off))
                gone |= {(first, second), (second, third), (first, third)}
    kept = [one for one in found if not any(one is pairs[pair] for pair in gone)]
    return [*kept, *made]


def with_suggestions(schema: TableSchema, suggestions: tuple[Suggestion, ...]) -> TableSchema:
    """The schema with the drafts that it does not hold yet."""
    known = [replace(rule, draft=False, note=None, name=None) for rule in schema.constraints]
    new = [one.rule for one in suggestions if replace(one.rule, draft=False, note=None) not in known]
    return schema.with_constraints(*new)
