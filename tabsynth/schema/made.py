"""Columns that a schema cannot have learnt: identifiers by its own words, and texts that nobody says how to make.

Only the schema is read, never a cell, so a private fit may refuse by it.
"""

from __future__ import annotations

from dataclasses import replace

from tabsynth.errors import Fault, PrivacyError, SchemaError
from tabsynth.schema.generators import generator_of
from tabsynth.schema.types import Column, Kind, Role, TableSchema

_ORDERED_BY_NAME = (Kind.INTEGER, Kind.NUMBER, Kind.CATEGORICAL)

_REMEDIES = (
    "drop it from the schema; or replace it, generator: {make: template, text: …}; or mask it, generator: {make: mask}; "
    "or say what it is: make: name, email, address, sentence and the like"
)


def unmade(table: TableSchema) -> tuple[Fault, ...]:
    """Every column that a fit refuses: an identifier that would be learnt, free text without a way to make it."""
    return tuple(
        Fault(f"column {column.name!r}", *found)
        for column in table.columns
        if (found := _fault(column, table)) is not None
    )


def require_made(table: TableSchema, *, is_private: bool) -> None:
    """Raise `SchemaError` that lists what `unmade` finds, and `PrivacyError` for keyed hashes in a private fit."""
    faults = unmade(table)
    if faults:
        raise SchemaError(
            f"table {table.name!r} has columns that are neither learnt nor copied, so nothing was read",
            faults,
        )
    hashed = [column.name for column in table.columns if column.pseudonymised]
    if hashed and is_private:
        raise PrivacyError(
            f"columns are keyed hashes, which name real persons to whoever holds the key: {', '.join(hashed)}. No private "
            "fit takes them; leave them out, or fit the table as it was before"
        )


def reviewed(table: TableSchema) -> TableSchema:
    """The table without what its draft noticed of single columns."""
    return replace(table, columns=tuple(replace(column, review=None) for column in table.columns))


def _fault(column: Column, table: TableSchema) -> tuple[str, str] | None:
    if column.kind is Kind.TEXT and generator_of(column) is None and column.role is None:
        return "free text is never learnt, and nothing says what stands in its place", _REMEDIES
    if not column.kind.is_modelled:
        return None
    if column.role is Role.IDENTIFIER:
        return (
            f"its role is identifier, but kind {column.kind.value} would be learnt",
            "kind: identifier or text with a generator, or another role",
        )
    if column.kind not in _ORDERED_BY_NAME or column.learnt_because:
        return None
    names_rows = table.primary_key == (column.name,)
    if names_rows or table.unit.column == column.name:
        what = "names each row" if names_rows else "names the person"
        hint = "kind: identifier, or say in learnt_because why it is none"
        return f"it {what}, but kind {column.kind.value} would be learnt", hint
    return None
