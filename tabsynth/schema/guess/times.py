"""Dates and datetimes: the formats of those held as text, resolutions, special dates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tabsynth.schema.guess.numbers import special_values
from tabsynth.schema.types import Scalar

_SAMPLE = 20
_NANOSECONDS = {
    "day": 86_400_000_000_000,
    "hour": 3_600_000_000_000,
    "minute": 60_000_000_000,
    "second": 1_000_000_000,
    "millisecond": 1_000_000,
    "microsecond": 1_000,
    "nanosecond": 1,
}
_UNITS = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_SHAPE = re.compile(
    r"(?P<date>\d{4}(?P<sep>[-/.])\d{1,2}(?P=sep)\d{1,2}|\d{1,2}(?P<other>[-/.])\d{1,2}(?P=other)(?:\d{4}|\d{2})|\d{8}"
    r"|\d{1,2}[- ][^\W\d_]{3,9}[- ](?:\d{4}|\d{2})|[^\W\d_]{3,9} \d{1,2},? \d{4})"
    r"(?:(?P<between>T| )(?P<clock>\d{1,2}:\d{2})(?P<second>:\d{2}(?P<fraction>[.]\d{1,9})?)?(?P<noon> ?[AaPp][Mm])?"
    r"(?P<zone>Z| UTC|[+-]\d{2}:?\d{2})?)?"
)
_FRACTIONS = {0: "", 4: "%.3f", 7: "%.6f", 10: "%.9f"}
_FIRST_YEAR, _LAST_YEAR = 1000, 9999


@dataclass(frozen=True, slots=True)
class TextMoments:
    """Distinct texts read as dates or datetimes by one format; `moments` stands beside the texts."""

    format: str
    moments: pl.Series
    timezone: str | None = None

    @property
    def is_date(self) -> bool:
        return self.moments.dtype == pl.Date


def read_moments(texts: pl.Series, *, says_date: bool) -> TextMoments | None:
    """The one format by which every distinct text is a date or a datetime, None where none or several are.

    A format must write every text back as it was (letter case aside). Day and month in either order are
    told apart by the data, except with dots, where the day is first. Eight digits count as a date only
    where `says_date` (the name does). Times with differing UTC offsets are read as UTC.
    """
    sample = texts.head(_SAMPLE).to_list()
    shapes = [_SHAPE.fullmatch(text) for text in sample]
    if not sample or not all(shapes) or (sample[0].isdigit() and not says_date):
        return None
    assert shapes[0] is not None
    found = [read for form in _formats(shapes[0]) if (read := _read(texts, form)) is not None]
    if not found:
        return _read_offsets(texts, shapes[0])
    is_clear = all(read.moments.equals(found[0].moments) for read in found)
    return found[0] if is_clear else None


def are_moments(texts: pl.Series) -> bool:
    """Whether distinct texts look like dates or datetimes, whether or not one format reads them all."""
    sample = texts.head(_SAMPLE).to_list()
    is_shaped = [_SHAPE.fullmatch(text) is not None and not text.isdigit() for text in sample]
    return bool(is_shaped) and all(is_shaped)


def _formats(shape: re.Match[str]) -> Iterator[str]:
    """Candidate formats for texts of the shape of one of them."""
    for date in _date_formats(shape["date"], shape["sep"] or shape["other"] or ""):
        if shape["between"] is None:
            yield date
            yield date.replace("%d", "%-d").replace("%m", "%-m")
            continue
        for fraction in dict.fromkeys((_FRACTIONS.get(len(shape["fraction"] or ""), "%.f"), "%.f")):
            clock = _clock_format(shape, fraction)
            zone = shape["zone"] or ""
            yield f"{date}{shape['between']}{clock}{zone}"
            unpadded = date.replace("%d", "%-d").replace("%m", "%-m")
            for loose in dict.fromkeys((clock, clock.replace("%H", "%-H").replace("%I", "%-I"))):
                yield f"{unpadded}{shape['between']}{loose}{zone}"
            if shape["second"] is None:
                break


def _clock_format(shape: re.Match[str], fraction: str) -> str:
    hour = "%I" if shape["noon"] else "%H"
    seconds = f":%S{fraction}" if shape["second"] else ""
    noon = " %p" if (shape["noon"] or "").startswith(" ") else "%p" if shape["noon"] else ""
    return f"{hour}:%M{seconds}{noon}"


def _date_formats(date: str, separator: str) -> tuple[str, ...]:
    if date.isdigit():
        return ("%Y%m%d",)
    if not separator:
        return _named_month_formats(date)
    year = "%Y" if re.search(r"\d{4}", date) else "%y"
    if re.match(r"\d{4}", date):
        return (separator.join(("%Y", "%m", "%d")),)
    day_first = separator.join(("%d", "%m", year))
    return (day_first,) if separator == "." else (day_first, separator.join(("%m", "%d", year)))


def _named_month_formats(date: str) -> tuple[str, ...]:
    """Formats of `31 Jan 2020`, `31-JAN-20`, `Jan 31, 2020`, with short and long names of months."""
    if date[0].isdigit():
        mark = "-" if "-" in date else " "
        year = "%Y" if re.search(r"\d{4}", date) else "%y"
        return tuple(mark.join(("%d", month, year)) for month in ("%b", "%B"))
    comma = "," if "," in date else ""
    return tuple(f"{month} %d{comma} %Y" for month in ("%b", "%B"))


def _read(texts: pl.Series, form: str) -> TextMoments | None:
    wanted: pl.Date | pl.Datetime = pl.Datetime("us") if "%M" in form else pl.Date()
    if _parse(texts.head(_SAMPLE), form, wanted) is None:
        return None
    moments = _parse(texts, form, wanted)
    return None if moments is None else TextMoments(form, moments)


def _parse(texts: pl.Series, form: str, wanted: pl.Date | pl.Datetime) -> pl.Series | None:
    moments = texts.str.strptime(wanted, form, strict=False)
    if moments.null_count() or not moments.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR).all():
        return None
    written = moments.dt.strftime(form).str.to_lowercase()
    return moments if (written == texts.str.to_lowercase()).all() else None


def _read_offsets(texts: pl.Series, shape: re.Match[str]) -> TextMoments | None:
    """ISO datetimes whose UTC offsets differ, as happens over a change of clocks, as moments in UTC."""
    if not shape["sep"] or not re.fullmatch(r"[+-]\d{2}:?\d{2}", shape["zone"] or ""):
        return None
    mark = "%:z" if ":" in shape["zone"] else "%z"
    date = shape["sep"].join(("%Y", "%m", "%d"))
    fraction = "%.f" if shape["second"] else ""
    form = f"{date}{shape['between']}{_clock_format(shape, fraction)}{mark}"
    moments = texts.str.strptime(pl.Datetime("us"), form, strict=False)
    return None if moments.null_count() else TextMoments(form, moments, timezone="UTC")


def resolution_of(moments: pl.Series) -> str | None:
    """The coarsest unit of which all distinct datetimes or durations are whole multiples; None for none."""
    unit = _UNITS[moments.dtype.time_unit]  # type: ignore[attr-defined]  # Datetime and Duration have one
    left = moments.to_physical()
    if left.is_empty():
        return None
    for name, nanoseconds in _NANOSECONDS.items():
        step = nanoseconds // unit
        if step >= 1 and (left % step == 0).all():
            return name
    return None


def bounds_of(moments: pl.Series) -> tuple[Scalar, Scalar] | None:
    """Least and greatest of distinct dates, datetimes or durations; None for none or beyond Python's years."""
    if moments.is_empty():
        return None
    try:
        lower, upper = moments.min(), moments.max()
    except (ValueError, OverflowError):
        return None
    assert isinstance(lower, (dt.date, dt.timedelta))
    assert isinstance(upper, (dt.date, dt.timedelta))
    if getattr(moments.dtype, "time_unit", "us") == "ns" and _has_nanoseconds(moments.to_physical().max()):
        upper += dt.timedelta(microseconds=1)  # Python drops the nanoseconds
    return lower, upper


def _has_nanoseconds(physical: object) -> bool:
    return isinstance(physical, int) and physical % 1000 > 0 and physical < 2**63 - 1000


def special_moments(moments: pl.Series, cells: pl.Series) -> pl.Series:
    """Which distinct moments are special values, as a mask; `cells` are all that are present."""
    physical = moments.to_physical()
    order = physical.arg_sort()
    values = physical.gather(order).to_numpy().astype(np.int64)
    stored = cells.to_physical()
    return physical.is_in(
        special_values(values, count=lambda v: int((stored == v).sum()), n_present=len(cells))
    )
