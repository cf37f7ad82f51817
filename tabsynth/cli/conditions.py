"""`--where "column=value"`: text to the value of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tabsynth.errors import ConditionError

if TYPE_CHECKING:
    from tabsynth.schema.types import Column, TableSchema


def read_conditions(texts: Sequence[str], schema: TableSchema) -> dict[str, Any]:
    """Values by column, None for `column=`; split at the first `=` that a column's name stands before.

    Raises `ConditionError` that lists every text without such a name, every value that is not of its
    column's type, and every column that is named twice.
    """
    faults: list[str] = []
    conditions: dict[str, Any] = {}
    for text in texts:
        column, value = _split(text, schema)
        if column is None:
            faults.append(_no_column(text, schema))
        elif column.name in conditions:
            faults.append(f"{column.name!r} is held at two values")
        else:
            try:
                conditions[column.name] = _cell(value, column)
            except ValueError:
                conditions[column.name] = None
                faults.append(f"{column.name!r} expects {_expected(column)}")
    if faults:
        raise ConditionError("--where cannot be meant so: " + "; ".join(faults))
    return conditions


def _split(text: str, schema: TableSchema) -> tuple[Column | None, str]:
    parts = text.split("=")
    for n_parts in range(1, len(parts)):
        left = "=".join(parts[:n_parts])
        for name in (left, left.strip()):
            if name in schema:
                return schema[name], "=".join(parts[n_parts:])
    return None, ""


def _no_column(text: str, schema: TableSchema) -> str:
    from tabsynth.schema.hints import did_you_mean

    name, sign, _ = text.partition("=")
    if not sign:
        return "expected column=value (column= for null), found no ="
    return f"no column {name.strip()!r} ({did_you_mean(name.strip(), schema.column_names)})"


def _cell(text: str, column: Column) -> Any:
    """The text as a Python value of the column's stored type; ValueError where it is none."""
    if text == "":
        return None
    import polars as pl

    from tabsynth.io.text import parse

    series = pl.Series("value", [text], dtype=pl.String)
    parsed, n_failed = parse(series, column, null_marks=())
    if n_failed:
        raise ValueError(column.name)
    return parsed.item()


def _expected(column: Column) -> str:
    words = {"b": "true or false", "i": "a whole number", "u": "a whole number", "f": "a number"}
    by_dtype = {"date": "a date such as 2020-01-31", "datetime": "a time such as 2020-01-31 12:30:00"}
    plain = column.dtype.partition("[")[0]
    return by_dtype.get(plain) or words.get(plain[0]) or f"a {plain}"
