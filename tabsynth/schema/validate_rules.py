"""What a rule must satisfy: columns that exist and can be compared, values of their types, SQL that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from tabsynth.errors import Fault, SchemaError
from tabsynth.schema.dtypes import DTYPES
from tabsynth.schema.expressions import columns_in, type_of
from tabsynth.schema.findings import Finding, Path, at_first
from tabsynth.schema.hints import counted, did_you_mean, path_of
from tabsynth.schema.rules import (
    Combinations,
    Conditional,
    Dependency,
    Exactly,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    Mapped,
    Monotone,
    Range,
    Rule,
    Sum,
    key_of,
    mapped_columns,
    title_of,
)
from tabsynth.schema.scalars import stored_type, type_fault
from tabsynth.schema.types import Column, Kind, TableSchema

_NAMES = ("columns", "determines", "parts", "within")
_FAMILIES: Mapping[Kind, str] = {Kind.INTEGER: "number"}


def rule_findings(path: Path, table: TableSchema) -> Iterator[Finding]:
    """Everything that is wrong with the rules of a table; `path` is that of their list."""
    for index, rule in enumerate(table.constraints):
        here = (*path, index)
        found = [*_column_findings(here, rule, table)]
        yield from found
        check = _CHECKS.get(type(rule))
        if not found and check is not None:
            yield from check(here, rule, table)


def require_rules(table: TableSchema) -> None:
    """Raise `SchemaError` that lists what `rule_findings` finds, by the titles of the rules: for tables whose rules no file was read for."""
    faults = []
    for finding in rule_findings((), table):
        index, *keys = finding.path
        title = title_of(table.constraints[int(index)])
        where = f"rule {title!r}" + (f" ({path_of(*keys)})" if keys else "")
        faults.append(Fault(where, finding.what, finding.hint))
    if faults:
        raise SchemaError(f"the rules of table {table.name!r} have {counted(len(faults), 'fault')}", faults)


def _column_findings(path: Path, rule: Rule, table: TableSchema) -> Iterator[Finding]:
    names = table.column_names
    for field in _NAMES:
        given: tuple[str, ...] = getattr(rule, field, ())
        for name in given:
            if name not in names:
                what = f"no column {name!r} in this table"
                yield Finding((*path, field), what, did_you_mean(name, names))
        repeated = [name for name, count in Counter(given).items() if count > 1]
        if repeated:
            yield Finding((*path, field), f"column {repeated[0]!r} stands here twice")
        if field in ("columns", "parts") and getattr(rule, field, None) == ():
            yield Finding((*path, field), "needs at least one column")
    for field in ("column", "along"):
        one: str | None = getattr(rule, field, None)
        if one is not None and one not in names:
            what = f"no column {one!r} in this table"
            yield Finding((*path, field), what, did_you_mean(one, names))


def family_of(column: Column) -> str | None:
    """What a column's cells can be compared with: numbers, days, moments, lengths of time; None: nothing."""
    if not column.kind.is_continuous:
        return None
    return _FAMILIES.get(column.kind, column.kind.value)


def _comparable(path: Path, names: Sequence[str], table: TableSchema) -> Iterator[Finding]:
    families = [family_of(table[name]) for name in names]
    plain = [i for i, family in enumerate(families) if family is None]
    if plain:
        kind = table[names[plain[0]]].kind.value
        what = f"{names[plain[0]]!r} is of kind {kind}, which has no order here"
        yield Finding(path, what, "kinds with an order: integer, number, date, datetime, duration")
    elif len(set(families)) > 1:
        kinds = " with ".join(sorted({str(family) for family in families}))
        yield Finding(path, f"compares {kinds}", "an expression of SQL can convert one to the other")


def _range(path: Path, rule: Range, table: TableSchema) -> Iterator[Finding]:
    yield from _comparable((*path, "column"), [rule.column], table)
    column = table[rule.column]
    ends = [(end, getattr(rule, end)) for end in ("lower", "upper")]
    if all(value is None for _, value in ends):
        yield Finding(path, "a range needs lower, upper or both")
    faults = [
        (end, type_fault(value, column.kind.value, column))
        for end, value in ends
        if value is not None and column.kind.is_continuous
    ]
    yield from (Finding((*path, end), fault) for end, fault in faults if fault)
    if rule.lower is None or rule.upper is None or any(fault for _, fault in faults):
        return
    low: Any = rule.lower
    if low > rule.upper or (rule.strict and low == rule.upper):
        yield Finding(path, "no value lies in this range", "lower must be below upper")


def _inequality(path: Path, rule: Inequality, table: TableSchema) -> Iterator[Finding]:
    if len(rule.columns) < 2:
        yield Finding((*path, "columns"), "an inequality needs at least 2 columns")
    yield from _comparable((*path, "columns"), rule.columns, table)


def _sum(path: Path, rule: Sum, table: TableSchema) -> Iterator[Finding]:
    yield from _comparable((*path, "parts"), [*rule.parts, rule.column], table)
    if rule.column in rule.parts:
        yield Finding((*path, "parts"), "the total is one of its own parts")
    family = family_of(table[rule.column])
    if family not in (None, "number", "duration"):
        yield Finding((*path, "column"), f"{family}s cannot be added")
    yield from _tolerance(path, rule.tolerance)


def _tolerance(path: Path, tolerance: float | None) -> Iterator[Finding]:
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        yield Finding((*path, "tolerance"), "must be a finite number, 0 or more")


def _formula(path: Path, rule: Formula, table: TableSchema) -> Iterator[Finding]:
    column = table[rule.column]
    if column.kind not in (Kind.INTEGER, Kind.NUMBER):
        yield Finding((*path, "column"), f"kind {column.kind.value} cannot be computed", "integer or number")
    yield from _tolerance(path, rule.tolerance)
    if rule.decimals is not None and not 0 <= rule.decimals <= 15:
        yield Finding((*path, "decimals"), "must lie in 0 to 15")
    found = sql_type((*path, "sql"), rule.sql, table)
    if isinstance(found, Finding):
        yield found
    elif not found.is_numeric():
        yield Finding((*path, "sql"), "gives no number", "compute a number from the other columns")
    elif rule.column in columns_in(rule.sql):
        yield Finding((*path, "sql"), f"computes {rule.column!r} from itself")


def _mapping(path: Path, rule: Mapped, table: TableSchema) -> Iterator[Finding]:
    names = mapped_columns(rule)
    if len(names) < 2:
        yield Finding((*path, "columns"), "a mapping needs at least 2 columns")
    if isinstance(rule, Dependency) and (set(rule.columns) & set(rule.determines) or not rule.determines):
        yield Finding(
            (*path, "determines"), "names other columns than those that determine them, at least one"
        )
    free = [name for name in names if not table[name].kind.is_modelled]
    if free:
        what = f"{free[0]!r} is {table[free[0]].kind.value}, which is made anew and cannot be mapped"
        yield Finding((*path, "columns"), what, "a column with categories can")
    if rule.rows is None or free:
        return
    path = (*path, "rows")
    if not rule.rows:
        yield Finding(path, "holds no row at all")
    uneven = [i for i, row in enumerate(rule.rows) if len(row) != len(names)]
    yield from at_first(path, uneven, f"expected {len(names)} cells, one for each column")
    if uneven:
        return
    faults: dict[str, list[int]] = {}
    for i, row in enumerate(rule.rows):
        for value, name in zip(row, names, strict=True):
            fault = _level_fault(value, table[name])
            if fault:
                faults.setdefault(fault, []).append(i)
    for fault, positions in faults.items():
        yield from at_first(path, positions, fault)
    if len(set(rule.rows)) < len(rule.rows):
        yield Finding(path, f"{len(rule.rows) - len(set(rule.rows))} repeated", "list each once")
    elif not faults:
        yield from _determinism(path, rule)


def _level_fault(value: Any, column: Column) -> str | None:
    """Why a cell of a mapping cannot stand in its column."""
    if value is None:
        return None if column.nullable else f"a null for {column.name!r}, which is never null"
    fault = type_fault(value, stored_type(column.dtype), column)
    if fault:
        return fault
    if column.categories is not None and value not in column.categories:
        return f"not a declared category of {column.name!r}"
    return None


def _determinism(path: Path, rule: Mapped) -> Iterator[Finding]:
    """Rows of a hierarchy or a dependency that determine nothing."""
    rows = rule.rows or ()
    cuts = [len(rule.columns)] if isinstance(rule, Dependency) else []
    if isinstance(rule, Hierarchy):
        cuts = list(range(1, len(rule.columns)))
    for cut in cuts:
        start = 0 if isinstance(rule, Dependency) else cut - 1
        end = None if isinstance(rule, Dependency) else cut + 1
        seen: dict[tuple[object, ...], tuple[object, ...]] = {}
        wrong = [
            i for i, row in enumerate(rows) if seen.setdefault(row[start:cut], row[cut:end]) != row[cut:end]
        ]
        names = mapped_columns(rule)
        what = f"{', '.join(names[start:cut])} does not determine {', '.join(names[cut:end])}"
        yield from at_first(path, wrong, what)


def _exactly(path: Path, rule: Exactly, table: TableSchema) -> Iterator[Finding]:
    if not 0 <= rule.count <= len(rule.columns):
        yield Finding((*path, "count"), f"must lie in 0 to {len(rule.columns)}, the number of columns")
    for name in rule.columns:
        column = table[name]
        is_flag = column.kind is Kind.BOOLEAN or stored_type(column.dtype) in ("integer", "number", "boolean")
        if not (is_flag and column.kind.is_modelled):
            what = f"{name!r} is neither true or false nor 0 or 1"
            yield Finding((*path, "columns"), what, "kind: boolean, or integers")


def _monotone(path: Path, rule: Monotone, table: TableSchema) -> Iterator[Finding]:
    yield from _comparable((*path, "column"), [rule.column], table)
    if rule.column in (*rule.within, rule.along):
        yield Finding((*path, "column"), "cannot be its own group or order")


def _conditional(path: Path, rule: Conditional, table: TableSchema) -> Iterator[Finding]:
    for field in ("condition", "then", "otherwise"):
        sql = getattr(rule, field)
        if sql is not None:
            yield from _is_true_or_false((*path, key_of(field)), sql, table)


def _expression(path: Path, rule: Expression, table: TableSchema) -> Iterator[Finding]:
    yield from _is_true_or_false((*path, "sql"), rule.sql, table)


def _is_true_or_false(path: Path, sql: str, table: TableSchema) -> Iterator[Finding]:
    found = sql_type(path, sql, table)
    if isinstance(found, Finding):
        yield found
    elif found != pl.Boolean:
        yield Finding(path, "is not true or false", "a comparison such as a <= b")


def sql_type(path: Path, sql: str, table: TableSchema) -> pl.DataType | Finding:
    """The type that an expression gives on the table, or why it gives none."""
    hint = "an expression of polars' SQL over the columns, names with spaces or points in double quotes"
    try:
        names = pl.sql_expr(sql).meta.root_names()
    except (pl.exceptions.PolarsError, ValueError):
        return Finding(path, "is not SQL that polars reads", hint)
    unknown = [name for name in names if name not in table.column_names]
    if unknown:
        what = f"no column {unknown[0]!r} in this table"
        return Finding(path, what, did_you_mean(unknown[0], table.column_names))
    if not names:
        return Finding(path, "names no column", hint)
    if any(table[name].dtype not in DTYPES for name in names):
        return pl.Boolean()  # the column's own fault is told elsewhere
    try:
        return type_of(sql, table)
    except pl.exceptions.PolarsError:
        return Finding(path, "cannot be computed from columns of these types", hint)


_CHECKS: Mapping[type[Rule], Callable[[Path, Any, TableSchema], Iterator[Finding]]] = {
    Range: _range,
    Inequality: _inequality,
    Combinations: _mapping,
    Hierarchy: _mapping,
    Dependency: _mapping,
    Formula: _formula,
    Sum: _sum,
    Exactly: _exactly,
    Monotone: _monotone,
    Conditional: _conditional,
    Expression: _expression,
}
