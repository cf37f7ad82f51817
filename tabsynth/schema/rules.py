"""Rules that hold on every row: what a schema states of several columns, or of all rows, together.

Each class is one kind of rule, named in files by `KINDS`. A rule speaks of the cells as they mean, numbers and
times; a null, or a special value beside numbers, breaks no rule that compares (as in SQL, where CHECK refuses
only what is false). What a rule does is in `tabsynth.constraints`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from tabsynth.schema.types import Scalar

Levels = tuple[Scalar | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule has: a name for reports, and whether it is a draft.

    A `draft` was mined from private data (`tabsynth constraints suggest`) and nobody has stated yet that it is
    public; a private fit refuses it. `note` is for people, such as the support of a draft.
    """

    kind: ClassVar[str]
    name: str | None = None
    note: str | None = None
    draft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Rule):
    """A column between `lower` and `upper`, inclusive unless `strict`; either may be left out."""

    kind = "range"
    column: str
    lower: Scalar | None = None
    upper: Scalar | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inequality(Rule):
    """Numbers or times in ascending order, column by column; without ties where `strict`."""

    kind = "inequality"
    columns: tuple[str, ...]
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinations(Rule):
    """The cells of `columns` stand together only as one of `rows`; None in a row is null.

    Without `rows` a fit without privacy takes those that occur.
    """

    kind = "combinations"
    columns: tuple[str, ...]
    rows: tuple[Levels, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy(Rule):
    """Each of `columns` determines the next (town, region, country); `rows` as in `Combinations`."""

    kind = "hierarchy"
    columns: tuple[str, ...]
    rows: tuple[Levels, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(Rule):
    """The cells of `columns` determine those of `determines`; `rows` hold both, in that order."""

    kind = "dependency"
    columns: tuple[str, ...]
    determines: tuple[str, ...]
    rows: tuple[Levels, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula(Rule):
    """`column` is what `sql`, an expression of polars' SQL, computes from other columns, within `tolerance`.

    The result is rounded to `decimals` first, where they are given.
    """

    kind = "formula"
    column: str
    sql: str
    tolerance: float | None = None
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Rule):
    """`column` is the sum of `parts`, within `tolerance`."""

    kind = "sum"
    column: str
    parts: tuple[str, ...]
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactly(Rule):
    """Exactly `count` of `columns` are true, or 1: with a count of 1 the columns are a one-hot code."""

    kind = "exactly"
    columns: tuple[str, ...]
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique(Rule):
    """No two rows have the same cells in all of `columns`; rows with a null among them never clash."""

    kind = "unique"
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional(Rule):
    """Where `condition` is true, `then` is not false; elsewhere `otherwise` is not: all three are polars' SQL."""

    kind = "conditional"
    condition: str
    then: str
    otherwise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NullsTogether(Rule):
    """The cells of `columns` are all null or none is."""

    kind = "nulls_together"
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusive(Rule):
    """At most one of `columns` is not null."""

    kind = "exclusive"
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monotone(Rule):
    """`column` never falls within rows that agree in `within`, taken in the order of `along`.

    Without `along` in the order of the rows, without `within` over the whole table. `decreasing`: it never
    rises; `strict`: nor does it stay.
    """

    kind = "monotone"
    column: str
    within: tuple[str, ...] = ()
    along: str | None = None
    decreasing: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression(Rule):
    """`sql`, a true-or-false expression of polars' SQL over the columns as they are stored, is not false."""

    kind = "expression"
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Rule):
    """`function` gives, for a polars frame of `columns`, a true or false for each row by that row alone.

    Of Python alone: neither a schema file nor a model folder can hold it.
    """

    kind = "check"
    columns: tuple[str, ...]
    function: Callable[[Any], Any]


AnyRule = (
    Range
    | Inequality
    | Combinations
    | Hierarchy
    | Dependency
    | Formula
    | Sum
    | Exactly
    | Unique
    | Conditional
    | NullsTogether
    | Exclusive
    | Monotone
    | Expression
    | Check
)
Mapped = Combinations | Hierarchy | Dependency

KINDS: Mapping[str, type[Rule]] = {
    rule.kind: rule
    for rule in (
        Range,
        Inequality,
        Combinations,
        Hierarchy,
        Dependency,
        Formula,
        Sum,
        Exactly,
        Unique,
        Conditional,
        NullsTogether,
        Exclusive,
        Monotone,
        Expression,
    )
}
"""The kinds that files can hold."""

_KEYS = {"condition": "if", "otherwise": "else"}
"""Keys of files that are no names in Python, by the field."""


def key_of(field: str) -> str:
    """The key of a rule's field in a file."""
    return _KEYS.get(field, field)


def keys_of(kind: str) -> dict[str, bool]:
    """The keys of a kind of rule in a file, and whether each is required; `rows` may come from a `file`."""
    found = {key_of(field.name): field.default is MISSING for field in fields(KINDS[kind])}
    return {**found, **({"file": False} if "rows" in found else {})}


def mapped_columns(rule: Mapped) -> tuple[str, ...]:
    """The columns that the rows of a mapping speak of, in their order."""
    return (*rule.columns, *rule.determines) if isinstance(rule, Dependency) else rule.columns


def title_of(rule: Rule) -> str:
    """The rule in words: its name, or what it says."""
    return rule.name or _sentence(rule)


def _sentence(rule: Rule) -> str:
    if isinstance(rule, Range):
        return _range_sentence(rule)
    if isinstance(rule, Inequality):
        return (" < " if rule.strict else " ≤ ").join(rule.columns)
    if isinstance(rule, Dependency):
        return f"{', '.join(rule.columns)} → {', '.join(rule.determines)}"
    if isinstance(rule, Hierarchy):
        return " → ".join(rule.columns)
    if isinstance(rule, Formula):
        return f"{rule.column} = {rule.sql}"
    if isinstance(rule, Sum):
        return f"{rule.column} = {' + '.join(rule.parts)}"
    if isinstance(rule, Exactly):
        return f"exactly {rule.count} of {', '.join(rule.columns)}"
    if isinstance(rule, Conditional):
        otherwise = f" else {rule.otherwise}" if rule.otherwise else ""
        return f"if {rule.condition} then {rule.then}{otherwise}"
    if isinstance(rule, Monotone):
        within = f" within {', '.join(rule.within)}" if rule.within else ""
        along = f" along {rule.along}" if rule.along else ""
        return f"{rule.column} never {'rises' if rule.decreasing else 'falls'}{along}{within}"
    if isinstance(rule, Expression):
        return rule.sql
    words = {
        "combinations": "combinations of",
        "unique": "unique",
        "nulls_together": "null together:",
        "exclusive": "at most one of",
        "check": "a Python function of",
    }
    columns: tuple[str, ...] = getattr(rule, "columns", ())
    return f"{words[rule.kind]} {', '.join(columns)}"


def _range_sentence(rule: Range) -> str:
    sign = "<" if rule.strict else "≤"
    left = "" if rule.lower is None else f"{rule.lower} {sign} "
    right = "" if rule.upper is None else f" {sign} {rule.upper}"
    return f"{left}{rule.column}{right}"
