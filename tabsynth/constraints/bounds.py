"""What ranges and inequalities leave of the columns' bounds, and whether it is anything."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tabsynth.schema.rules import AnyRule, Inequality, Range, Rule
from tabsynth.schema.types import Column, Kind, Scalar, TableSchema


def narrowed(column: Column, rule: Range) -> tuple[Any, Any] | None:
    """The column's bounds within the range, as inclusive ones; None where they cannot be written as such."""
    if column.kind not in (Kind.INTEGER, Kind.NUMBER, Kind.DATE) or column.dtype in ("string", "float32"):
        return None
    known: tuple[Any, Any] = column.bounds or (None, None)
    lower, upper = rule.lower, rule.upper
    if rule.strict:
        lower = None if lower is None else _beside(lower, column, up=True)
        upper = None if upper is None else _beside(upper, column, up=False)
    lowers = [end for end in (known[0], lower) if end is not None]
    uppers = [end for end in (known[1], upper) if end is not None]
    return (max(lowers), min(uppers)) if lowers and uppers else None


def _beside(value: Any, column: Column, *, up: bool) -> Any:
    """The next value that the column can hold."""
    if column.kind is Kind.DATE:
        return value + dt.timedelta(days=1 if up else -1)
    if column.kind is Kind.INTEGER:
        return math.floor(value) + 1 if up else math.ceil(value) - 1
    if column.decimals is None:
        return math.nextafter(value, math.inf if up else -math.inf)
    steps = Decimal(repr(float(value))).scaleb(column.decimals)
    whole = math.floor(steps) + 1 if up else math.ceil(steps) - 1
    return float(Decimal(whole).scaleb(-column.decimals))


def are_contradictory(rules: Sequence[AnyRule], schema: TableSchema) -> bool:
    """Whether ranges, inequalities and bounds leave some column without nulls no value at all."""
    able = {
        c.name: c for c in schema.columns if c.kind.is_continuous and not c.nullable and not c.special_values
    }
    ends: dict[str, list[Any]] = {name: [*(column.bounds or (None, None))] for name, column in able.items()}
    for rule in rules:
        if isinstance(rule, Range) and rule.column in able:
            _hold(ends[rule.column], rule.lower, rule.upper)
    pairs = [
        (one, other, rule.strict)
        for rule in rules
        if isinstance(rule, Inequality)
        for one, other in pairwise([name for name in rule.columns if name in able])
    ]
    if _has_strict_cycle(pairs):
        return True
    for _ in range(len(able) + 1):
        for one, other, _strict in pairs:
            _hold(ends[other], ends[one][0], None)
            _hold(ends[one], None, ends[other][1])
    strictly = {rule.column for rule in rules if isinstance(rule, Range) and rule.strict}
    return any(
        low is not None and high is not None and (low > high or (low == high and name in strictly and _is_open(rules, name, low)))
        for name, (low, high) in ends.items()
    ) or any(
        strict and _meet(ends[one][0], ends[other][1]) for one, other, strict in pairs
    )  # fmt: skip


def _meet(lower: Scalar | None, upper: Scalar | None) -> bool:
    """Whether nothing lies strictly between the least of one column and the greatest of another."""
    return lower is not None and upper is not None and lower >= upper  # type: ignore[operator]


def _is_open(rules: Sequence[AnyRule], name: str, value: Any) -> bool:
    return any(
        isinstance(rule, Range) and rule.column == name and rule.strict and value in (rule.lower, rule.upper)
        for rule in rules
    )


def _hold(ends: list[Any], lower: Any, upper: Any) -> None:
    if lower is not None:
        ends[0] = lower if ends[0] is None else max(ends[0], lower)
    if upper is not None:
        ends[1] = upper if ends[1] is None else min(ends[1], upper)


def _has_strict_cycle(pairs: Sequence[tuple[str, str, bool]]) -> bool:
    """Whether columns that follow one another come round again with a strict step among them."""
    after: dict[str, set[str]] = {}
    for one, other, _ in pairs:
        after.setdefault(one, set()).add(other)

    def reaches(start: str, end: str) -> bool:
        seen, todo = {start}, [start]
        while todo:
            for name in after.get(todo.pop(), ()):
                if name == end:
                    return True
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
        return False

    return any(strict and reaches(other, one) for one, other, strict in pairs)


def smallest(
    rules: Sequence[AnyRule], is_contradictory: Callable[[Sequence[AnyRule]], bool]
) -> tuple[Rule, ...]:
    """A smallest set of rules that contradict each other still: none of them can be left out."""
    left = list(rules)
    for rule in rules:
        without = [other for other in left if other is not rule]
        if is_contradictory(without):
            left = without
    return tuple(left)
