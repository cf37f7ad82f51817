"""Columns that may name persons although the schema protects rows: what to ask the schema's author."""

from __future__ import annotations

from tabsynth.schema import yamltext
from tabsynth.schema.guess.names import names_a_person, words_of
from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema

_MANY_LEVELS = 50
_TIMES = (Kind.DATE, Kind.DATETIME)
_BIRTH = frozenset({"birth", "birthday", "birthdate", "born", "dob"})
USUAL_MAX_ROWS = 20
"""Put forward for `max_rows`; a number read off the data would tell how often one person is in it."""


def possible_persons(table: TableSchema) -> tuple[str, ...]:
    """Columns that may name persons who have several rows; none where the schema already says who a person is.

    Identifiers that may repeat, and categories of many levels (more than 50) that are named after persons.
    """
    if table.unit.column is not None:
        return ()
    return tuple(column.name for column in table.columns if _may_name_persons(column))


def _may_name_persons(column: Column) -> bool:
    if column.kind is Kind.IDENTIFIER:
        return not column.unique
    many = column.kind is Kind.CATEGORICAL and len(column.categories or ()) > _MANY_LEVELS
    return many and names_a_person(column.name)


def unit_words(unit: PrivacyUnit) -> str:
    """Whose presence is protected, in words: "row", or "person (column patient_nbr, at most 5 rows)"."""
    if unit.column is None:
        return "row"
    return f"person (column {unit.column}, at most {unit.max_rows} row{'' if unit.max_rows == 1 else 's'})"


def unit_cost(unit: PrivacyUnit) -> str:
    """What protecting all rows of a person costs, and what makes it less; "" where a unit is one row."""
    if unit.max_rows is None or unit.max_rows == 1:
        return ""
    return (
        f"A person counts for up to {unit.max_rows:,} rows, so the noise is {unit.max_rows:,} times that of one row: where "
        "few have so many, a smaller max_rows in the schema means less noise, and drops rows beyond it."
    )


def possible_order(table: TableSchema) -> str | None:
    """The first date or datetime that may order the rows of a person, before those that may be null; never a day of birth."""
    times = [one for one in table.columns if one.kind in _TIMES and not _BIRTH & set(words_of(one.name))]
    return min(times, key=lambda column: column.nullable).name if times else None


def order_entry(column: str) -> str:
    """What stands in a unit's braces beside its column where the rows of a person follow one another: `order_by: admitted`."""
    entry: yamltext.Plain = {"order_by": column}
    return (
        yamltext.dump({"unit": entry}, flow_keys=frozenset({"unit"}))
        .removeprefix("unit: {")
        .removesuffix("}\n")
    )


def unit_line(column: str) -> str:
    """The line of a schema file that makes `column` name the person."""
    unit: yamltext.Plain = {"column": column, "max_rows": USUAL_MAX_ROWS}
    return yamltext.dump({"unit": unit}, flow_keys=frozenset({"unit"})).rstrip("\n")


def unit_question(table: TableSchema) -> str | None:
    """One line on the columns that may name persons, for people who split or fit; None without any."""
    names = possible_persons(table)
    if not names:
        return None
    several = len(names) > 1
    who = ", ".join(names)
    return (
        f"The privacy unit of {table.name} is the row, but {who} may repeat: if {'one of them' if several else 'it'} names "
        f"persons, declare the unit in the schema, as in {unit_line(names[0])}"
    )
