"""How the columns of a schema are shown: in words and counts, without the value of any cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.cli.session import Session, printable

if TYPE_CHECKING:
    from tabsynth.schema.types import Column, TableSchema

_MOST_SHOWN = 60


def show_columns(session: Session, table: TableSchema) -> None:
    """The columns as a compact table: what each is and what is known of it, no value of any cell."""
    if session.json_output or session.quiet:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("column", "kind", "role", "domain"):
        shown.add_column(head, overflow="fold")
    for column in table.columns[:_MOST_SHOWN]:
        role = "" if column.role is None else column.role.value.replace("_", "-")
        shown.add_row(Text(printable(column.name)), column.kind.value, role, _domain(column))
    Console(highlight=False, markup=False).print(shown)
    if len(table.columns) > _MOST_SHOWN:
        session.show(f"… and {len(table.columns) - _MOST_SHOWN:,} columns more, in the file\n")


def _domain(column: Column) -> str:
    """What is known of a column's domain, in words: `9 categories, may be null`."""
    from tabsynth.schema.generators import generator_of
    from tabsynth.schema.types import Kind

    parts = []
    if not column.kind.is_modelled:
        found = generator_of(column)
        if found is not None:
            parts.append(f"made anew ({found.make.replace('_', ' ')})")
        else:
            is_open = column.kind is Kind.TEXT and column.role is None
            parts.append("free text: mask, replace or drop it" if is_open else "made anew")
    if column.unique:
        parts.append("unique")
    if column.categories is None and column.dtype == "bool":
        parts.append("true or false")
    if column.categories is not None:
        parts.append(count(len(column.categories), "category", "categories"))
    if column.bounds is not None:
        parts.append("range drafted" if column.domain.origin.value == "draft" else "range stated")
    if column.decimals:
        parts.append(count(column.decimals, "decimal"))
    if column.special_values:
        parts.append(count(len(column.special_values), "special value"))
    if column.nullable:
        parts.append("may be null")
    return ", ".join(parts)


def to_review(table: TableSchema) -> tuple[Column, ...]:
    """Columns whose draft noticed something that nobody has looked at yet."""
    return tuple(column for column in table.columns if column.review)


def column_data(column: Column) -> dict[str, object]:
    return {
        "kind": column.kind.value,
        "role": None if column.role is None else column.role.value,
        "review": column.review,
        "dtype": column.dtype,
        "nullable": column.nullable,
        "n_categories": None if column.categories is None else len(column.categories),
        "n_special_values": len(column.special_values),
    }


def count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
