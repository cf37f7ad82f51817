"""What the readers of other tools' metadata share: gathered faults, typed keys, masks from patterns."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from tabsynth.errors import SchemaError
from tabsynth.schema.findings import Finding, Path
from tabsynth.schema.hints import counted, did_you_mean
from tabsynth.schema.scalars import describe, from_plain
from tabsynth.schema.types import Scalar, Schema
from tabsynth.schema.validate import schema_findings

Wanted = TypeVar("Wanted")

_TYPE_NAMES = {str: "text", bool: "true or false", list: "a list", dict: "a mapping", int: "a whole number"}
_ELEMENT = re.compile(
    r"(?P<digit>\\d|\[0-9\])|(?P<letter>\[A-Z\]|\[A-Za-z\]|\[a-zA-Z\]|\[A-Z0-9\]|\[A-Za-z0-9\]|\[a-zA-Z0-9\]|\\w)"
    r"|\\(?P<escaped>[^\w\s])|(?P<literal>[A-Za-z0-9 _:;,/@=&%!~\"'<>-])"
)
_TIMES = re.compile(r"\{(\d{1,3})(?:,\1)?\}")


class Faults:
    """Gathers what cannot be read or has no counterpart; `finish` raises it all at once."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.found: list[Finding] = []

    def add(self, path: Path, what: str, hint: str = "") -> None:
        self.found.append(Finding(path, what, hint))

    def take(
        self, data: Mapping[str, object], path: Path, key: str, wanted: type[Wanted], default: Wanted
    ) -> Wanted:
        """`data[key]` if it is there and of the type `wanted`, else `default`; the wrong type is a fault."""
        value = data.get(key)
        if value is None:
            return default
        if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
            return value
        self.add((*path, key), f"expected {_TYPE_NAMES[wanted]}, found {describe(value)}")
        return default

    def take_names(self, data: Mapping[str, object], path: Path, key: str) -> tuple[str, ...]:
        """One name or a list of names."""
        value = data.get(key)
        names = [value] if isinstance(value, str) else value
        if names is None:
            return ()
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return tuple(names)
        self.add((*path, key), "expected a name or a list of names")
        return ()

    def take_mappings(
        self, data: Mapping[str, object], path: Path, key: str
    ) -> list[tuple[Path, dict[str, object]]]:
        """The mappings in a list, each with its path."""
        read = []
        for index, item in enumerate(self.take(data, path, key, list, [])):
            if isinstance(item, dict):
                read.append(((*path, key, index), item))
            else:
                self.add((*path, key, index), f"expected a mapping, found {describe(item)}")
        return read

    def refuse_other_keys(self, data: Iterable[str], path: Path, known: Iterable[str]) -> None:
        names = frozenset(known)
        for key in data:
            if key not in names:
                self.add((*path, key), "is not supported", did_you_mean(key, names) if key else "")

    def finish(self, schema: Schema) -> Schema:
        """`schema`, if nothing was wrong in the file or is in the schema itself; raises `SchemaError` else."""
        paths = [finding.path for finding in self.found]
        meant = (f for f in schema_findings(schema) if not any(f.path[: len(path)] == path for path in paths))
        faults = [finding.as_fault() for finding in (*self.found, *meant)]
        if faults:
            raise SchemaError(f"{self._where} has {counted(len(faults), 'fault')}", faults)
        return schema


def mask_of_pattern(pattern: str) -> str | None:
    r"""The identifier mask (`#` a digit, `?` a capital letter) of a simple regular expression, None for others.

    >>> mask_of_pattern(r"HID_[0-9]{3}"), mask_of_pattern(r"^[A-Z]{2}-\d{4}$"), mask_of_pattern(r"(a|b)+")
    ('HID_###', '??-####', None)
    """
    rest, mask = pattern.removeprefix("^").removesuffix("$"), ""
    while rest:
        element = _ELEMENT.match(rest)
        if element is None:
            return None
        rest = rest[element.end() :]
        mark = (
            "#"
            if element["digit"]
            else "?"
            if element["letter"]
            else element["escaped"] or element["literal"]
        )
        if mark in "#?" and not (element["digit"] or element["letter"]):
            return None
        times = _TIMES.match(rest)
        if times:
            rest = rest[times.end() :]
        mask += mark * (int(times[1]) if times else 1)
    return mask or None


def chrono_format(pattern: str) -> str:
    """Python's strftime pattern as polars reads it: fractions of seconds are `%.f`."""
    return pattern.replace(".%f", "%.f")


def read_value(
    value: object, wanted: str, *, pattern: str | None = None, timezone: str | None = None
) -> Scalar:
    """A value in native form or as text: a numeral, ISO 8601, or written by `pattern` (strftime).

    A datetime that ends in Z loses it where the column has no timezone. Raises ValueError, without the
    value, where it is none of `wanted`.
    """
    if isinstance(value, str) and wanted in ("integer", "number"):
        value = _numeral(value)
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and pattern is not None:
        value = _by_pattern(value, wanted, pattern)
    if isinstance(value, str) and wanted == "datetime" and timezone is None:
        value = value.removesuffix("Z")
    return from_plain(value, wanted, timezone=timezone)


def _numeral(text: str) -> float | str:
    for read in (int, float):
        with contextlib.suppress(ValueError):
            return read(text)
    return text


def _by_pattern(text: str, wanted: str, pattern: str) -> str:
    """ISO 8601 text of a moment written by `pattern`; the text itself where it was not."""
    try:
        moment = dt.datetime.strptime(text, pattern)  # noqa: DTZ007  # the pattern says whether it has a zone
    except ValueError:
        return text
    return moment.date().isoformat() if wanted == "date" else moment.isoformat()


def dtype_of_levels(levels: Sequence[object]) -> str | None:
    """The stored type that holds all levels: string, bool, int64 or float64; None for a mixture."""
    if all(isinstance(level, str) for level in levels):
        return "string"
    if all(isinstance(level, bool) for level in levels):
        return "bool"
    if any(isinstance(level, bool) or not isinstance(level, (int, float)) for level in levels):
        return None
    return "int64" if all(isinstance(level, int) for level in levels) else "float64"
