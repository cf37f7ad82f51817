"""The schema as a bundle holds it: what is public or paid for, and nothing that was read off the source."""

from __future__ import annotations

from dataclasses import replace

from tabsynth.schema.guess.textual import without_note
from tabsynth.schema.types import Column, CsvDialect, Domain, Origin, TableSchema
from tabsynth.table import Table

STATED_BY = "whoever released it"
AS_IN_ROWS = "the synthetic rows"


def shareable_schema(table: Table) -> TableSchema:
    """The schema of rows that are handed out.

    Drafted domains become what the rows show by themselves: levels and special values that occur in them, nulls
    if there are any, no bounds, no decimals, and no promise that no cell occurs twice but of a key. Drafted rules, notes of rules, what a draft noticed of a column or
    somebody wrote about it for the inside, and the names of those who stated domains are left out. The CSV is plain: commas, UTF-8, ISO dates and times; an empty field is null.
    """
    schema = table.schema
    return replace(
        schema,
        columns=tuple(_column(column, table) for column in schema.columns),
        constraints=tuple(replace(rule, note=None) for rule in schema.constraints if not rule.draft),
        csv=CsvDialect(),
    )


def _column(column: Column, table: Table) -> Column:
    column = replace(without_note(column), review=None, learnt_because=None, pseudonymised=None)
    is_text = column.dtype == "string"
    if column.kind.is_time and not is_text:
        column = replace(column, format=None)
    if column.domain.origin is Origin.PUBLIC:
        return replace(column, domain=Domain(origin=Origin.PUBLIC, by=STATED_BY, source=column.domain.source))
    if column.domain.origin is Origin.CHARGED:
        return replace(column, domain=Domain(origin=Origin.CHARGED))
    cells = table.frame[column.name]
    levels = (*(column.categories or ()), *column.special_values)
    present = set(cells.drop_nulls().unique().to_list()) if levels else set()
    return replace(
        column,
        unique=column.unique and (column.name,) == table.schema.primary_key,
        decimals=None,
        bounds=None,
        categories=None if column.categories is None else tuple(v for v in column.categories if v in present),
        special_values=tuple(value for value in column.special_values if value in present),
        nullable=cells.null_count() > 0 or not cells.len(),
        domain=Domain(origin=Origin.DRAFT, source=AS_IN_ROWS),
    )
