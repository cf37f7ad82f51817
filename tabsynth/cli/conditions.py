"""Conditions and shares as they are written on a command line: `"age>=18"`, `"ward in a, b"`, `"income=>50K:0.5"`."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tabsynth.errors import ConditionError, UsageError

if TYPE_CHECKING:
    from tabsynth.schema.types import Column, TableSchema

_WORDS = re.compile(r"\s+(not\s+in|in)(?:\s+|$)")
_SIGNS = ("!=", ">=", "<=", "=", ">", "<")


def read_conditions(texts: Sequence[str], schema: TableSchema) -> dict[str, Any]:
    """What `sample(where=)` takes; None for `column=`. A text is split at the first sign that a column's name stands before.

    Raises `ConditionError` that lists every text without such a name, every value that is not of its
    column's type, and every column that is compared twice in the same way.
    """
    faults: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        column, sign, value = _split(text, schema)
        if column is None:
            faults.append(_no_column(text, schema))
            continue
        mine = found.setdefault(column.name, {})
        if sign in mine:
            faults.append(
                f"{column.name!r} is held at two values"
                if sign == "="
                else f"{column.name!r} has {sign} twice"
            )
            continue
        try:
            mine[sign] = (
                [_cell(one, column) for one in _several(value)] if "in" in sign else _cell(value, column)
            )
        except ValueError:
            mine[sign] = None
            faults.append(f"{column.name!r} expects {_expected(column)}{_slip(sign, value)}")
    if faults:
        raise ConditionError("--where cannot be meant so: " + "; ".join(faults))
    return {name: mine["="] if set(mine) == {"="} else mine for name, mine in found.items()}


def read_shares(texts: Sequence[str], schema: TableSchema, *, option: str) -> dict[str, Any]:
    """What `sample(rebalance=)` and `sample(oversample=)` take, from texts such as `income=>50K:0.5` and `sex=even`.

    Raises `UsageError` that lists every text without a column's name or a number, and every group that is named twice.
    """
    faults: list[str] = []
    found: dict[str, Any] = {}
    for text in texts:
        column, sign, rest = _split(text, schema)
        if column is None:
            faults.append(_no_column(text, schema))
            continue
        value, colon, number = rest.rpartition(":")
        if sign == "=" and not colon and rest.strip() == "even" and column.name not in found:
            found[column.name] = "even"
            continue
        try:
            share = float(number if colon else "")
            key = _cell(value, column) if sign == "=" else f"{sign}{value}"
        except ValueError:
            faults.append(f"{text!r}: expected column=value:number")
            continue
        mine = found.setdefault(column.name, {})
        if not isinstance(mine, dict) or key in mine:
            faults.append(f"{column.name!r} has a group twice")
        else:
            mine[key] = share
    if faults:
        raise UsageError(f"{option} cannot be meant so: " + "; ".join(faults))
    return found


def _slip(sign: str, value: str) -> str:
    """What is often meant by a text that no cell of the column can be; it repeats none of it."""
    rest = value.strip()
    if sign == "=" and rest[:1] in ("=", ">", "<"):
        return ": one = is enough" if rest[0] == "=" else f": {rest[0]}= is written that way round"
    if sign in ("=", "!=") and rest.lower() in ("null", "none", "nan"):
        return f": a null is column{sign} and nothing"
    if re.search(r"[<>]", rest):
        return ": give the other bound in a --where of its own"
    return ""


def _split(text: str, schema: TableSchema) -> tuple[Column | None, str, str]:
    """The column, the comparison and what follows it."""
    for at in range(len(text)):
        words = _WORDS.match(text, at)
        sign = next((sign for sign in _SIGNS if text.startswith(sign, at)), None)
        if words is None and sign is None:
            continue
        end = words.end() if words is not None else at + len(sign or "")
        for name in (text[:at], text[:at].strip()):
            if name in schema:
                return schema[name], sign or " ".join(words[1].split() if words else ()), text[end:]
    return None, "", ""


def _several(text: str) -> list[str]:
    """The values of a list, as a line of CSV: quotes around those that hold a comma."""
    return next(csv.reader([text], skipinitialspace=True), [])


def _no_column(text: str, schema: TableSchema) -> str:
    from tabsynth.schema.hints import did_you_mean

    found = re.split(r"[!<>=]", text, maxsplit=1)
    if len(found) == 1:
        return "expected column=value (column= for null), found no ="
    name = found[0].strip()
    return f"no column {name!r} ({did_you_mean(name, schema.column_names)})"


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
