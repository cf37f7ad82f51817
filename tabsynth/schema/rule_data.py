"""Rules as the mappings of a schema file."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from tabsynth.schema.rules import Rule, key_of
from tabsynth.schema.scalars import to_plain


def rule_data(rule: Rule) -> dict[str, Any]:
    """A rule as the mapping of a file, defaults left out."""
    data: dict[str, Any] = {"rule": rule.kind}
    for field in fields(rule):
        value = getattr(rule, field.name)
        if value is None or (field.default is not MISSING and value == field.default):
            continue
        if field.name == "rows":
            value = [[None if cell is None else to_plain(cell) for cell in row] for row in value]
        elif isinstance(value, tuple):
            value = list(value)
        elif field.name in ("lower", "upper"):
            value = to_plain(value)
        data[key_of(field.name)] = value
    return data
