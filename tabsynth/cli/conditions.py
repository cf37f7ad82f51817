"""Conditions and shares as they are written on a command line: `"age>=18"`, `"ward in a, b"`, `"income=>50K:0.5"`.

What SQL says another way is read too: `age between 18 and 65`, `ward is not null`, `ward = 'cardiology'`, in any case of letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tabsynth.errors import ConditionError, UsageError

if TYPE_CHECKING:
    from tabsynth.schema.types import Column, TableSchema

_WORDS = re.compile(
    r"\s+(not\s+in|in|not\s+between|between|is\s+not(?=\s+null\s*$)|is(?=\s+null\s*$))(?:\s+|$)",
    re.IGNORECASE,
)
_SIGNS = ("!=", "<>", ">=", "<=", "=", ">", "<")
_BOTH = re.compile(r"(.+?)\s+and\s+(.+)", re.IGNORECASE)
_LISTED = re.compile(r"""\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|[^,]*?)\s*(?:,|$)""")
_NULLS = {"is": "=", "is not": "!="}


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
        compared = _comparisons(sign, value)
        if compared is None:
            faults.append(f"{column.name!r}: {_WRITTEN[sign]}")
            continue
        for one, text_ in compared:
            if one in mine:
                faults.append(
                    f"{column.name!r} is held at two values"
                    if one == "="
                    else f"{column.name!r} has {one} twice"
                )
                continue
            try:
                mine[one] = (
                    [_cell(each, column) for each in _several(text_, column)]
                    if "in" in one
                    else _cell(text_, column)
                )
            except ValueError:
                mine[one] = None
                faults.append(f"{column.name!r} expects {_expected(column)}{_slip(one, text_)}")
    if faults:
        raise ConditionError("--where cannot be meant so: " + "; ".join(faults))
    return {name: mine["="] if set(mine) == {"="} else mine for name, mine in found.items()}


_WRITTEN = {
    "between": "between is written as in age between 18 and 65",
    "not between": "not between is two ranges, which --where cannot hold at once: draw each by itself",
}


def _comparisons(sign: str, value: str) -> list[tuple[str, str]] | None:
    """What a text compares the column by, each with a value; None for words that need another form."""
    if sign in _NULLS:
        return [(_NULLS[sign], "")]
    if "between" not in sign:
        return [(sign, value)]
    ends = _BOTH.fullmatch(value.strip())
    return None if ends is None or sign != "between" else [(">=", ends[1]), ("<=", ends[2])]


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
        if sign not in ("=", "<", "<=", ">", ">="):
            faults.append(
                f"{text!r}: a group is a value or a range, as in {column.name}=value:number; what is in no group needs none"
            )
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
                said = " ".join(words[1].lower().split()) if words else sign or ""
                return schema[name], "!=" if said == "<>" else said, text[end:]
    return None, "", ""


def _several(text: str, column: Column) -> list[str]:
    """The values of a list: quotes around those that hold a comma, parentheses around all where somebody likes them."""
    inner = text.strip()
    if (
        inner[:1] + inner[-1:] == "()"
        and not re.search(r"[()]", inner[1:-1])
        and inner not in _levels(column)
    ):
        inner = inner[1:-1].strip()
    if not inner:
        return []
    found, at = [], 0
    while match := _LISTED.match(inner, at):
        found.append(match[1])
        at = match.end()
        if not match[0].endswith(","):
            break
    return found


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
    text = _unquoted(text, column)
    if text == "":
        if column.dtype != "string":
            raise ValueError(column.name)
        return text
    import polars as pl

    from tabsynth.io.text import parse

    series = pl.Series("value", [text], dtype=pl.String)
    parsed, n_failed = parse(series, column, null_marks=())
    if n_failed:
        raise ValueError(column.name)
    return parsed.item()


def _levels(column: Column) -> tuple[Any, ...]:
    return column.categories or ()


def _unquoted(text: str, column: Column) -> str:
    """What quotes stand around, as SQL has it, unless a level of the column is written with them."""
    inner = text.strip()
    mark = inner[:1]
    if len(inner) < 2 or mark not in ("'", '"') or inner[-1] != mark or text in _levels(column):
        return text
    inner = inner[1:-1]
    return text if mark in inner.replace(mark * 2, "") else inner.replace(mark * 2, mark)


def _expected(column: Column) -> str:
    words = {"b": "true or false", "i": "a whole number", "u": "a whole number", "f": "a number"}
    by_dtype = {"date": "a date such as 2020-01-31", "datetime": "a time such as 2020-01-31 12:30:00"}
    plain = column.dtype.partition("[")[0]
    return by_dtype.get(plain) or words.get(plain[0]) or f"a {plain}"
