"""Cells of a domain (bounds, categories, special values) as plain JSON or YAML values, and back.

Whole numbers, decimals, text and booleans stand for themselves. Dates and datetimes are ISO 8601 text,
durations ISO 8601 durations of days, hours, minutes and seconds (`P1DT2H3M4.5S`).
"""

from __future__ import annotations

import datetime as dt
import math
import re
from zoneinfo import ZoneInfo

from tabsynth.schema.types import Column, Scalar

PlainScalar = bool | int | float | str

_DURATION = re.compile(
    r"(?P<sign>-?)P(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9})(?:\.(?P<fraction>\d{1,6}))?S)?)?"
)
_EXPECTED = {
    "integer": "a whole number",
    "number": "a finite number",
    "string": "text",
    "boolean": "true or false",
    "date": "a date such as 2020-01-31",
    "datetime": "a datetime such as 2020-01-31T12:30:00",
    "duration": "an ISO 8601 duration such as P1DT2H30M",
}


def stored_type(dtype: str) -> str:
    """What categories and special values are: they are of the stored type."""
    if dtype.startswith(("int", "uint")):
        return "integer"
    if dtype.startswith("float"):
        return "number"
    return {"bool": "boolean"}.get(dtype, dtype.partition("[")[0])


def to_plain(value: Scalar) -> PlainScalar:
    """`value` as JSON or YAML holds it."""
    if isinstance(value, dt.timedelta):
        return _duration_text(value)
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    return value


def from_plain(value: object, wanted: str, *, timezone: str | None = None) -> Scalar:
    """The inverse of `to_plain`; `wanted` is the value of a continuous kind, for bounds, or
    `stored_type(…)`, for levels.

    Datetimes carry a UTC offset exactly when `timezone` is given, and are returned in that zone.
    Raises ValueError, saying what was expected, without the value.
    """
    if wanted == "integer" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted == "number" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(value)
    if wanted == "boolean" and isinstance(value, bool):
        return value
    if isinstance(value, str) and wanted in ("string", "date", "datetime", "duration"):
        return value if wanted == "string" else _moment(value, wanted, timezone)
    raise ValueError(f"expected {_EXPECTED[wanted]}, found {describe(value)}")


def zone_named(name: str | None) -> ZoneInfo | None:
    """The time zone of that name, None where zoneinfo knows none."""
    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def type_fault(value: Scalar, wanted: str, column: Column) -> str | None:
    """Why a Python value cannot stand in the domain of `column` as `wanted`, None where it can."""
    try:
        from_plain(to_plain(value), wanted, timezone=column.timezone)
    except ValueError as error:
        return str(error)
    return None


def describe(value: object) -> str:
    """The type of a plain value in words that a reader of YAML knows."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if value is None:
        return "nothing"
    return "a mapping" if isinstance(value, dict) else "a list"


_BEYOND = {"greater_than": "0 or less", "greater_than_equal": "less than 0", "less_than": "1 or more"}


def found_beyond(kind: str, value: object) -> str:
    """What pydantic found where it expected something else, in words; of a number beyond 0 or 1 (by `kind`) that it is so.

    >>> found_beyond("less_than", 1.5)
    '1 or more'
    """
    is_number = isinstance(value, (int, float)) and not math.isnan(value)
    return _BEYOND.get(kind, describe(value)) if is_number else describe(value)


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"expected {_EXPECTED['number']}")
    return number


def _moment(text: str, wanted: str, timezone: str | None) -> Scalar:
    try:
        if wanted == "duration":
            return _duration(text)
        if wanted == "date":
            return dt.date.fromisoformat(text)
        moment = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"expected {_EXPECTED[wanted]}, found other text") from None
    if timezone is None and moment.tzinfo is not None:
        raise ValueError("expected a datetime without UTC offset, since the column has no timezone")
    if timezone is not None and moment.tzinfo is None:
        raise ValueError("expected a datetime with UTC offset, such as 2020-01-31T12:30:00+01:00")
    zone = zone_named(timezone)
    try:
        return moment if zone is None else moment.astimezone(zone)
    except OverflowError:
        raise ValueError("expected a datetime within the years 1 to 9999") from None


def _duration(text: str) -> dt.timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError
    parts = {name: int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
    microseconds = int((match["fraction"] or "").ljust(6, "0"))
    length = dt.timedelta(**parts, microseconds=microseconds)
    return -length if match["sign"] else length


def _duration_text(value: dt.timedelta) -> str:
    length = abs(value)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    day_part = f"{length.days}D" if length.days else ""
    time_part = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if seconds or fraction or not (day_part or time_part):
        time_part += f"{seconds}{fraction}S"
    return ("-" if value < dt.timedelta() else "") + "P" + day_part + ("T" + time_part if time_part else "")
