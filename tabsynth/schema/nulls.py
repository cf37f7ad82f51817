"""Columns in which a text may mean a missing cell although no null mark says so."""

from __future__ import annotations

from tabsynth.schema.types import TableSchema

NULL_TEXTS = frozenset({"null", "na", "n/a", "#n/a", "<na>", "nan", "\\n"})
"""What databases, R, spreadsheets and pandas write for a missing cell, in lower case."""


def possible_nulls(table: TableSchema) -> tuple[str, ...]:
    """Columns with such a text among their categories or special values, in the table's order."""
    return tuple(
        column.name
        for column in table.columns
        if any(
            isinstance(value, str) and value.strip().casefold() in NULL_TEXTS
            for value in (*(column.categories or ()), *column.special_values)
        )
    )
