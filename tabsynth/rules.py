"""Rules that hold on every row, for `TableSchema.with_constraints`.

schema = schema.with_constraints(tabsynth.rules.Inequality(columns=("admitted", "discharged")))
"""

from tabsynth.schema.rules import (
    KINDS,
    AnyRule,
    Check,
    Combinations,
    Conditional,
    Dependency,
    Exactly,
    Exclusive,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    Monotone,
    NullsTogether,
    Range,
    Rule,
    Sum,
    Unique,
    title_of,
)

__all__ = [
    "KINDS",
    "AnyRule",
    "Check",
    "Combinations",
    "Conditional",
    "Dependency",
    "Exactly",
    "Exclusive",
    "Expression",
    "Formula",
    "Hierarchy",
    "Inequality",
    "Monotone",
    "NullsTogether",
    "Range",
    "Rule",
    "Sum",
    "Unique",
    "title_of",
]
