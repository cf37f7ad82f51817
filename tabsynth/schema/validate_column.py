"""What a column must satisfy: a storage that holds its kind, values of their types, statements signed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import polars as pl

from tabsynth.schema.dtypes import DTYPES
from tabsynth.schema.findings import Finding, Path, at_first
from tabsynth.schema.generators import generator_findings
from tabsynth.schema.hints import counted, did_you_mean
from tabsynth.schema.scalars import stored_type, type_fault, zone_named
from tabsynth.schema.types import Column, Domain, Kind, Origin, Scalar

RESOLUTIONS = ("day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond")
TEXT_FORMATS = ("first_name", "last_name", "name", "email", "phone", "address", "city", "company", "sentence")
CLOCK_FORMATS = ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f")
_NUMBER_FORMAT = r"0(\.0{1,15})?"

INTEGER_DTYPES = tuple(name for name in DTYPES if name.startswith(("int", "uint")))
_FLOATS = ("float32", "float64")
_DATETIMES = tuple(name for name in DTYPES if name.startswith("datetime"))
_DURATIONS = tuple(name for name in DTYPES if name.startswith("duration"))
STORAGE: Mapping[Kind, tuple[str, ...]] = {
    Kind.INTEGER: (*INTEGER_DTYPES, *_FLOATS, "string"),
    Kind.NUMBER: (*_FLOATS, *INTEGER_DTYPES, "string"),
    Kind.CATEGORICAL: DTYPES,
    Kind.ORDINAL: DTYPES,
    Kind.BOOLEAN: ("bool", "string", *INTEGER_DTYPES),
    Kind.DATE: ("date", "string"),
    Kind.DATETIME: (*_DATETIMES, "string"),
    Kind.DURATION: _DURATIONS,
    Kind.TEXT: ("string",),
    Kind.IDENTIFIER: ("string", *INTEGER_DTYPES, *_FLOATS),
}
_MOST_DECIMALS = 15
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def column_findings(path: Path, column: Column) -> Iterator[Finding]:
    if column.dtype not in DTYPES:
        yield Finding((*path, "dtype"), f"unknown dtype {column.dtype!r}", did_you_mean(column.dtype, DTYPES))
        return
    able = STORAGE[column.kind]
    if column.dtype not in able:
        hint = "one of: " + ", ".join(able)
        yield Finding((*path, "dtype"), f"{column.dtype} cannot store kind {column.kind.value}", hint)
        return
    for check in _CHECKS:
        yield from check(path, column)


def _bounds_findings(path: Path, column: Column) -> Iterator[Finding]:
    if column.bounds is None:
        return
    path = (*path, "bounds")
    if not column.kind.is_continuous:
        yield Finding(path, f"kind {column.kind.value} has no bounds", "list its categories instead")
        return
    faults = [type_fault(bound, column.kind.value, column) for bound in column.bounds]
    yield from (Finding((*path, i), fault) for i, fault in enumerate(faults) if fault)
    if any(faults):
        return
    lower, upper = column.bounds
    if lower > upper:  # type: ignore[operator]  # both are of the kind's one type by now
        yield Finding(path, "the lower bound is above the upper bound", "write [lower, upper]")
    if column.kind is Kind.INTEGER:
        yield from _range_findings(path, column.bounds, column)


def _range_findings(path: Path, values: Sequence[Scalar], column: Column) -> Iterator[Finding]:
    """Whole numbers and times that the stored type has no 64 (or fewer) bits for."""
    limits = stored_limits(column.dtype)
    if limits is None:
        return
    lowest, highest = limits
    outside = [i for i, value in enumerate(values) if not lowest <= _physical(value) <= highest]
    yield from at_first(path, outside, f"does not fit {column.dtype}")


def stored_limits(dtype: str) -> tuple[int, int] | None:
    """What a type holds, whole numbers as they are and times in microseconds; None where all fits."""
    if dtype in INTEGER_DTYPES:
        bits = int(dtype.lstrip("uint"))
        return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    per_microsecond = {"[ns]": 1000, "[us]": 1}.get(dtype[-4:])
    most = None if per_microsecond is None else (2**63 - 1) // per_microsecond
    return None if most is None else (-most, most)


def _physical(value: Scalar) -> int:
    if isinstance(value, dt.datetime):
        return ((value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH) // _MICROSECOND
    if isinstance(value, dt.timedelta):
        return value // _MICROSECOND
    return cast(int, value)


def _levels_findings(path: Path, values: Sequence[Scalar], column: Column) -> Iterator[Finding]:
    """Faults of categories or special values: of the stored type, in its range, each once."""
    wanted = stored_type(column.dtype)
    faults: dict[str, list[int]] = {}
    for i, value in enumerate(values):
        fault = type_fault(value, wanted, column)
        if fault:
            faults.setdefault(fault, []).append(i)
    for fault, positions in faults.items():
        hint = "write it in quotes" if wanted == "string" else ""
        yield from at_first(path, positions, fault, hint)
    if faults:
        return
    yield from _range_findings(path, values, column)
    n_repeated = len(values) - len(set(values))
    if n_repeated:
        yield Finding(path, f"{counted(n_repeated, 'value')} repeated", "list each once")


def _categories_findings(path: Path, column: Column) -> Iterator[Finding]:
    path, kind = (*path, "categories"), column.kind
    if column.categories is None:
        implied = kind is Kind.BOOLEAN and column.dtype == "bool"
        if kind.is_discrete and not implied and column.domain.origin is not Origin.DRAFT:
            what = f"required for kind {kind.value} where the domain is {column.domain.origin.value}"
            yield Finding(path, what, "list every level")
        return
    if not kind.is_discrete:
        yield Finding(
            path,
            f"kind {kind.value} has no categories",
            "kinds with categories: categorical, ordinal, boolean",
        )
        return
    if not column.categories and not column.nullable:
        yield Finding(path, "no level at all in a column that is never null", "list every level")
    if kind is Kind.BOOLEAN and len(column.categories) > 2:
        yield Finding(path, f"a boolean has two levels, found {len(column.categories)}", "kind: categorical")
    yield from _levels_findings(path, column.categories, column)


def _special_findings(path: Path, column: Column) -> Iterator[Finding]:
    path = (*path, "special_values")
    if column.special_values and not column.kind.is_continuous:
        yield Finding(
            path, f"kind {column.kind.value} has no special values", "list them among the categories"
        )
        return
    yield from _levels_findings(path, column.special_values, column)


def _detail_findings(path: Path, column: Column) -> Iterator[Finding]:
    """Keys that only some kinds have: decimals, resolution, timezone, unique."""
    kind = column.kind
    if column.decimals is not None:
        if kind is not Kind.NUMBER:
            yield Finding((*path, "decimals"), f"kind {kind.value} has no decimals", "only numbers have them")
        elif not 0 <= column.decimals <= _MOST_DECIMALS:
            yield Finding(
                (*path, "decimals"), f"must lie in 0 to {_MOST_DECIMALS}", "leave it out for any number"
            )
    if column.resolution is not None:
        if kind not in (Kind.DATETIME, Kind.DURATION):
            hint = "only datetimes and durations have one"
            yield Finding((*path, "resolution"), f"kind {kind.value} has no resolution", hint)
        elif column.resolution not in RESOLUTIONS:
            what = f"unknown resolution {column.resolution!r}"
            yield Finding((*path, "resolution"), what, did_you_mean(column.resolution, RESOLUTIONS))
    if column.timezone is not None:
        if kind is not Kind.DATETIME:
            yield Finding(
                (*path, "timezone"), f"kind {kind.value} has no timezone", "only datetimes have one"
            )
        elif zone_named(column.timezone) is None:
            what = f"no time zone {column.timezone!r}"
            yield Finding((*path, "timezone"), what, "names such as Europe/Vienna or UTC")
    if kind is Kind.DATETIME and column.dtype == "string":
        has_offset = "%z" in (column.format or "") or "%:z" in (column.format or "")
        if has_offset != (column.timezone is not None):
            what = "a datetime held as text has a timezone exactly when its format has %z or %:z"
            yield Finding((*path, "timezone"), what, "name the zone in which to write it, or drop the offset")
    if column.unique and kind is not Kind.IDENTIFIER:
        yield Finding(
            (*path, "unique"), f"only identifiers are unique, this is {kind.value}", "kind: identifier"
        )


def _format_findings(path: Path, column: Column) -> Iterator[Finding]:
    path, kind = (*path, "format"), column.kind
    if kind in (Kind.DATE, Kind.DATETIME):
        if column.format is None and column.dtype == "string":
            yield Finding(path, f"required for a {kind.value} held as text", "a pattern such as %Y-%m-%d")
        elif column.format is not None and not _is_strftime(column.format, kind):
            yield Finding(path, "is not a strftime pattern", "such as %Y-%m-%d; fractions of seconds are %.f")
    elif column.format is not None and kind is Kind.TEXT:
        if column.format not in TEXT_FORMATS:
            yield Finding(
                path, f"unknown format {column.format!r}", did_you_mean(column.format, TEXT_FORMATS)
            )
    elif column.format is not None and kind is Kind.DURATION:
        if column.format not in CLOCK_FORMATS:
            yield Finding(path, "is not a form of durations", "one of: " + ", ".join(CLOCK_FORMATS))
    elif column.format is not None and kind is Kind.NUMBER:
        if re.fullmatch(_NUMBER_FORMAT, column.format) is None:
            yield Finding(path, "is not a form of numbers", "the fewest decimals: 0, 0.0, 0.00 and so on")
    elif column.format is not None and kind is not Kind.IDENTIFIER:
        hint = "dates, times, numbers, text and identifiers have one"
        yield Finding(path, f"kind {kind.value} has no format", hint)


def _is_strftime(pattern: str, kind: Kind) -> bool:
    """Whether polars (chrono) can write dates by `pattern`."""
    if "%" not in pattern or ".%f" in pattern:
        return False
    moment: dt.date = dt.date(2020, 1, 31) if kind is Kind.DATE else dt.datetime(2020, 1, 31, tzinfo=dt.UTC)
    try:
        pl.Series([moment]).dt.strftime(pattern)
    except pl.exceptions.PolarsError:
        return False
    return True


def _domain_findings(path: Path, column: Column) -> Iterator[Finding]:
    domain: Domain = column.domain
    if domain.origin is not Origin.PUBLIC:
        return
    missing = [
        key for key, value in (("by", domain.by), ("source", domain.source)) if not (value or "").strip()
    ]
    if missing:
        hint = "say who states that the domain is public, and on what source"
        yield Finding((*path, "domain"), f"public without {' and '.join(missing)}", hint)


_CHECKS: tuple[Callable[[Path, Column], Iterator[Finding]], ...] = (
    _bounds_findings,
    _categories_findings,
    _special_findings,
    _detail_findings,
    _format_findings,
    generator_findings,
    _domain_findings,
)
