"""How a column was stored where it came from, beside the engine's own type for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from tabsynth.errors import Fault, StructureError
from tabsynth.schema.dtypes import DTYPES, dtype_name, polars_dtype
from tabsynth.schema.types import Column, Kind

T = TypeVar("T")

_ZONED = re.compile(r"(datetime\[(?:ms|us|ns)), (.+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLayout:
    """One column of a `Layout`: names of types only, never a level or a value.

    `dtype` is the type's name in the library it came from, `stored` the engine's own (`stored_name`).
    `format` is the strftime pattern of a date or datetime that was text in a form other than the default, or how
    numbers are written in a CSV. `is_grouped` says that the points of all its numbers may group thousands.
    """

    name: str
    dtype: str
    stored: str
    format: str | None = None
    is_grouped: bool = False


def stored_name(dtype: pl.DataType) -> str:
    """The schema's name of an engine type, with the zone of a zoned datetime: `datetime[us, UTC]`."""
    name = dtype_name(dtype)
    assert name is not None, dtype
    zone = getattr(dtype, "time_zone", None)
    return f"{name.removesuffix(']')}, {zone}]" if zone else name


def stored_dtype(name: str) -> pl.DataType:
    """The engine type that `stored_name` named. Raises ValueError for any other text."""
    zoned = _ZONED.fullmatch(name)
    plain, zone = (f"{zoned[1]}]", zoned[2]) if zoned else (name, None)
    if plain not in DTYPES:
        raise ValueError(f"unknown stored type {name!r}")
    return polars_dtype(Column(name="", kind=Kind.TEXT, dtype=plain, timezone=zone))


def known_zone(name: str) -> bool:
    """Whether `name` is a zone of the tz database, as polars needs; fixed offsets are not."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a missing zone is a KeyError, a folder an OSError
        return False
    return True


def tried(action: Callable[[], T], *errors: type[BaseException]) -> T | None:
    """What `action` returns, or None where it raises one of `errors`.

    The texts of the libraries' own errors quote cells, so they end here: an error raised after this
    has neither them nor their exception in its context.
    """
    try:
        return action()
    except errors:
        return None


def duplicate_faults(names: Iterable[str]) -> list[Fault]:
    """A fault for each name that stands more than once."""
    return [
        Fault(f"column {name!r}", f"appears {count} times", "give every column a name of its own")
        for name, count in Counter(names).items()
        if count > 1
    ]


def unnamed_faults(names: Iterable[str]) -> list[Fault]:
    """A fault for the columns whose name is empty, which no schema can speak of."""
    positions = [str(at) for at, name in enumerate(names, start=1) if not name]
    return (
        [Fault(f"column {', '.join(positions)}", "has no name", "name it, or leave it out")]
        if positions
        else []
    )


def unsupported(name: str, found: str, hint: str = "convert it, or leave it out") -> Fault:
    """The fault of a column whose type the engine does not hold."""
    return Fault(f"column {name!r}", f"has the unsupported type {found}", hint)


def refuse(faults: list[Fault], what: str) -> None:
    """Raise `StructureError` over `faults`, if there are any."""
    if faults:
        raise StructureError(f"{what} cannot be used", faults)


def nan_to_null(series: pl.Series) -> pl.Series:
    """NaN of a float column becomes null; infinities stay."""
    return series.fill_nan(None) if series.dtype.is_float() else series
