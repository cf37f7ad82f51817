"""Cells as text: read by the schema's type, and written by its decimals and formats.

`parse` never raises over a cell: what it cannot read becomes null and is counted. Its strictness is the
type's, not the spelling's: `5.0` and `1e+05` are integers, `007` is 7, spaces around a number are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import polars as pl

from tabsynth.errors import Fault, SchemaError
from tabsynth.io.columns import tried
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import Column, Kind

Unit = Literal["ms", "us", "ns"]

DATE_FORMAT = "%Y-%m-%d"
DATETIME_FORMAT = "%Y-%m-%d %H:%M:%S"

_TRUE = ("true", "t", "yes", "y", "1", "1.0")
_FALSE = ("false", "f", "no", "n", "0", "0.0")
_INFINITE = r"(?i)^[+-]?inf(?:inity)?$"
_LARGEST_EXACT = 2.0**53

# ISO 8601 (weeks, months and years have no fixed length and are left out), pandas, and a clock
_CLOCK = r"(?P<hours>[0-9]{1,9}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
_ISO_TIME = r"(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
_ISO_SECONDS = r"(?:(?P<seconds>[0-9]{1,12})(?:\.(?P<fraction>[0-9]+))?S)?"
DURATIONS = (
    rf"^(?P<sign>[+-])?P(?:(?P<days>[0-9]{{1,9}})D)?(?:T{_ISO_TIME}{_ISO_SECONDS})?$",
    rf"^(?P<days>-?[0-9]{{1,9}}) days?(?: \+?{_CLOCK})?$",
    rf"^(?P<sign>[+-])?{_CLOCK}$",
)


def parse(
    text: pl.Series, column: Column, *, null_marks: Sequence[str], decimal: str = "."
) -> tuple[pl.Series, int]:
    """Read `text` (String) as the column's type; also how many cells could not be read.

    In a column that is not of strings an empty field and every null mark are null, quoted or not. Dates
    and datetimes follow `column.format`, or ISO 8601 without one. With a timezone, cells with an offset
    are converted to it and the others are local times in it (of two, the earlier); without one, a cell
    with an offset cannot be read (unless `format` asks for it by `%z`: the times are then in UTC).
    Numbers have the decimal mark `decimal`; those of a column held as text get a point in its place.
    """
    wanted = polars_dtype(column)
    if wanted == pl.String():
        is_number = column.kind in (Kind.NUMBER, Kind.INTEGER)
        return (with_points(text, decimal=decimal) if is_number else text), 0
    text = without_marks(text, null_marks=null_marks)
    n_null = text.null_count()
    if wanted.is_numeric():
        text = swapped_marks(text, decimal=decimal)
    if wanted.is_integer():
        parsed = _integers(text, wanted)
    elif wanted.is_float():
        parsed, n_nan = _floats(text, wanted)
        n_null += n_nan
    elif wanted == pl.Boolean():
        parsed = _booleans(text)
    elif wanted == pl.Date():
        parsed = _dates(text, column.format)
    elif isinstance(wanted, pl.Datetime):
        parsed = _datetimes(text, wanted, column.format)
    else:
        assert isinstance(wanted, pl.Duration)
        parsed = _durations(text, wanted, column.format)
    return parsed, parsed.null_count() - n_null


def swapped_marks(text: pl.Series, *, decimal: str) -> pl.Series:
    """Numbers written with the decimal mark `decimal` as with a point; a point in them becomes a comma.

    So a cell that mixes both up is no number, and is not read as another one a thousand times as large.
    """
    return text if decimal == "." else text.str.replace_many([".", ","], [",", "."])


def with_points(text: pl.Series, *, decimal: str) -> pl.Series:
    """The text with a point in cells that are numbers with the decimal mark `decimal`, others as they are.

    A single point where `decimal` is another mark becomes that mark, as in `swapped_marks`: so `1.234` is no number there.
    """
    if decimal == ".":
        return text
    is_pointed = text.str.contains(_one_mark("."))
    pointed = text.str.replace(_one_mark("."), f"${{1}}{decimal}${{2}}")
    return pointed.zip_with(is_pointed, text.str.replace(_one_mark(decimal), "${1}.${2}"))


def with_mark(text: pl.Series, *, decimal: str) -> pl.Series:
    """The inverse of `with_points`; exponents are minded too."""
    if decimal == ".":
        return text
    is_marked = text.str.contains(_one_mark(decimal))
    plain = text.str.replace(r"^([+-]?[0-9]*)\.([0-9]+(?:[eE][+-]?[0-9]+)?)$", f"${{1}}{decimal}${{2}}")
    return with_points(text, decimal=decimal).zip_with(is_marked, plain)


def _one_mark(mark: str) -> str:
    """The form of a number with `mark` in it, once."""
    return rf"^(\s*[+-]?[0-9]*){re.escape(mark)}([0-9]+\s*)$"


def may_be_grouped(text: pl.Series) -> bool:
    """Whether the points of these numbers may group thousands: each stands before three digits and after one to three.

    So it is where there is a point, and none is missing from 1,000 on, nor any number below 1 written with it.
    """
    cells = text.str.strip_chars()
    is_pointed = cells.str.contains(r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$")
    is_short = cells.str.contains(r"^[+-]?[0-9]{1,3}$")
    return bool(is_pointed.any() and (is_pointed | is_short).all())


def without_marks(text: pl.Series, *, null_marks: Sequence[str]) -> pl.Series:
    """The text with null marks and empty fields made null, spaces around them or not."""
    marks = {"", *null_marks}
    found = text.is_in(list(marks))
    return nulled(text, found) if found.any() else text


def nulled(series: pl.Series, mask: pl.Series) -> pl.Series:
    """The series with null where `mask` is true."""
    keep = ~mask.fill_null(value=False)
    return pl.select(pl.when(keep).then(series).alias(series.name)).to_series()


def _retried(text: pl.Series, parsed: pl.Series, *attempts: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`parsed` with its failures tried again, by each of `attempts` in turn, on the failures alone."""
    for attempt in attempts:
        failed = parsed.is_null() & text.is_not_null()
        if not failed.any():
            break
        rows = failed.arg_true()
        parsed = parsed.scatter(rows, attempt(text.gather(rows)))
    return parsed


def _integers(text: pl.Series, wanted: pl.DataType) -> pl.Series:
    def by_way_of_float(text: pl.Series) -> pl.Series:
        value = text.str.strip_chars().cast(pl.Float64, strict=False)
        whole = nulled(value, (value != value.floor()) | (value.abs() > _LARGEST_EXACT))
        return whole.cast(wanted, strict=False)

    def stripped(text: pl.Series) -> pl.Series:
        digits = text.str.strip_chars().str.replace(r"\.0*$", "")
        return digits.cast(wanted, strict=False)

    return _retried(text, text.cast(wanted, strict=False), stripped, by_way_of_float)


def _floats(text: pl.Series, wanted: pl.DataType) -> tuple[pl.Series, int]:
    """Floats, and how many cells said NaN, which is null and no fault."""

    def stripped(text: pl.Series) -> pl.Series:
        return text.str.strip_chars().cast(pl.Float64, strict=False)

    value = _retried(text, text.cast(pl.Float64, strict=False), stripped)
    n_nan = int(value.is_nan().sum())
    value = value.fill_nan(None).cast(wanted)
    infinite = value.is_infinite()
    if infinite.any():
        overflow = infinite & ~text.str.strip_chars().str.contains(_INFINITE)
        value = nulled(value, overflow)
    return value, n_nan


def _booleans(text: pl.Series) -> pl.Series:
    lowered = text.str.strip_chars().str.to_lowercase()
    known = lowered.is_in([*_TRUE, *_FALSE])
    return nulled(lowered.is_in(list(_TRUE)), ~known)


def _dates(text: pl.Series, pattern: str | None) -> pl.Series:
    if pattern is not None:
        return text.str.to_date(_parse_pattern(pattern), strict=False)

    def midnights(text: pl.Series) -> pl.Series:
        moment = _iso_moments(text.str.strip_chars(), "us")
        day = moment.dt.date()
        return nulled(day, moment != day.cast(pl.Datetime("us")))

    return _retried(text, text.str.to_date(DATE_FORMAT, strict=False), midnights)


def _datetimes(text: pl.Series, wanted: pl.Datetime, pattern: str | None) -> pl.Series:
    zone = wanted.time_zone
    moment = _moments(text, "us", zone, pattern)
    if wanted.time_unit == "us":
        return moment
    narrow = moment.cast(wanted, strict=False)
    if wanted.time_unit == "ms":
        return narrow
    # read as nanoseconds directly, a year outside 1677–2262 wraps around without a word
    return nulled(_moments(text, "ns", zone, pattern), narrow.is_null())


def _moments(text: pl.Series, unit: Unit, zone: str | None, pattern: str | None) -> pl.Series:
    if pattern is not None:
        parsed = text.str.to_datetime(_parse_pattern(pattern), time_unit=unit, strict=False)
        return _in_zone(parsed, zone)
    local = _in_zone(_iso_moments(text, unit), zone)
    if zone is None:
        return local

    def with_offset(text: pl.Series) -> pl.Series:
        spaced = text.str.strip_chars().str.replace("T", " ", literal=True)
        forms = (f"{DATETIME_FORMAT}%.f%#z", f"{DATETIME_FORMAT}%.f %#z", "%Y-%m-%d %H:%M%#z")
        first, *rest = (spaced.str.to_datetime(form, time_unit=unit, strict=False) for form in forms)
        for other in rest:
            first = first.zip_with(first.is_not_null(), other)
        return first.dt.convert_time_zone(zone)

    return _retried(text, local, with_offset)


def _iso_moments(text: pl.Series, unit: Unit) -> pl.Series:
    """Local times in ISO 8601, with `T` or a space, to the fraction, the minute or the day."""

    def read(form: str) -> Callable[[pl.Series], pl.Series]:
        def attempt(text: pl.Series) -> pl.Series:
            spaced = text.str.strip_chars().str.replace("T", " ", literal=True)
            return spaced.str.to_datetime(form, time_unit=unit, strict=False)

        return attempt

    first = text.str.to_datetime(f"{DATETIME_FORMAT}%.f", time_unit=unit, strict=False)
    others = (f"{DATETIME_FORMAT}%.f", "%Y-%m-%d %H:%M")
    parsed = _retried(text, first, *(read(form) for form in others))

    def midnight(text: pl.Series) -> pl.Series:
        return text.str.to_date(DATE_FORMAT, strict=False).cast(pl.Datetime(unit))

    return _retried(text, parsed, midnight)


def _in_zone(moment: pl.Series, zone: str | None) -> pl.Series:
    found = getattr(moment.dtype, "time_zone", None)
    if found is not None and zone is not None:
        return moment.dt.convert_time_zone(zone)
    if found is not None or zone is None:
        return moment.dt.replace_time_zone(None)
    return moment.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")


def _durations(text: pl.Series, wanted: pl.Duration, pattern: str | None) -> pl.Series:
    if pattern == "%H:%M":
        text = text.str.replace(r"^(\s*[+-]?[0-9]+:[0-9]{2})(\s*)$", "${1}:00")
    digits = 9 if wanted.time_unit == "ns" else 6

    def read(pattern: str) -> Callable[[pl.Series], pl.Series]:
        def attempt(text: pl.Series) -> pl.Series:
            return _duration(text.str.strip_chars(), pattern, digits).cast(wanted)

        return attempt

    empty = pl.repeat(None, len(text), dtype=wanted, eager=True).alias(text.name)
    return _retried(text, empty, *(read(pattern) for pattern in DURATIONS))


def _duration(text: pl.Series, pattern: str, digits: int) -> pl.Series:
    """Multiples of 10**-digits seconds as Duration, null where `pattern` does not match."""
    found = text.str.extract_groups(pattern).struct.unnest()
    parts = {name: found[name] for name in found.columns}
    nothing = pl.repeat(None, len(text), dtype=pl.String, eager=True)

    def part(name: str) -> pl.Series:
        return parts.get(name, nothing).cast(pl.Int64, strict=False).fill_null(0)

    fraction = parts["fraction"].str.slice(0, digits).str.pad_end(digits, "0").cast(pl.Int64).fill_null(0)
    seconds = ((part("days") * 24 + part("hours")) * 60 + part("minutes")) * 60 + part("seconds")
    total = seconds * 10**digits + fraction
    overflow = seconds.abs() >= 2**63 // 10**digits - 1
    total = total.zip_with((parts.get("sign", nothing) != "-").fill_null(value=True), -total)
    matched = text.str.contains(pattern) & text.str.contains("[0-9]")
    return nulled(total, ~matched | overflow).cast(pl.Duration("ns" if digits == 9 else "us"))


def _parse_pattern(pattern: str) -> str:
    """The strftime pattern in chrono's letters, where `%f` alone would be nine digits."""
    return pattern.replace(".%f", "%.f").replace("%f", "%6f")


def _write_pattern(pattern: str) -> str:
    return pattern.replace("%f", "%6f")


def render(series: pl.Series, column: Column | None) -> pl.Series:
    """The series as it is written in a CSV: integers as they are, everything else as String.

    Numbers have exactly `column.decimals` decimals, or the shortest text that reads back as the same
    float; where `column.format` says how few they may have (`0`, `0.0`, …), the zeros at the end beyond
    these are left out, and others are added. Integers held as floats have none. Dates and datetimes follow
    `column.format`, durations too or are ISO 8601. Null stays null, and NaN becomes it. Raises
    `SchemaError` for a format that is no strftime pattern.
    """
    dtype = series.dtype
    if dtype == pl.String() or dtype.is_integer():
        return series
    if dtype.is_float():
        series = series.fill_nan(None)
        decimals = 0 if column is not None and column.kind is Kind.INTEGER else None
        if column is not None and column.decimals is not None:
            decimals = column.decimals
        if column is not None and column.kind is Kind.NUMBER and column.format is not None:
            return _with_fewest(series, decimals, len(column.format.partition(".")[2]))
        return series.cast(pl.String) if decimals is None else with_decimals(series, decimals)
    if dtype.is_temporal() and not isinstance(dtype, pl.Duration):
        return _formatted(series, None if column is None else column.format)
    if isinstance(dtype, pl.Duration):
        pattern = None if column is None else column.format
        return series.dt.to_string("iso") if pattern is None else _clocks(series, pattern)
    return series.cast(pl.String)


def _formatted(moment: pl.Series, pattern: str | None) -> pl.Series:
    """Dates and datetimes in the strftime pattern, or in ISO form with a space."""
    if pattern is not None:
        # polars writes nothing of what it does not know, or refuses it with an error of its own
        text = tried(lambda: moment.dt.strftime(_write_pattern(pattern)), pl.exceptions.PolarsError)
        if text is None:
            fault = Fault(f"column {moment.name!r}", f"{pattern!r} is no strftime pattern")
            raise SchemaError("a format of the schema cannot be written", [fault])
        return text
    if moment.dtype == pl.Date():
        return moment.dt.strftime(DATE_FORMAT)
    zone = getattr(moment.dtype, "time_zone", None)
    return _with_offset(moment) if zone else moment.dt.strftime(f"{DATETIME_FORMAT}%.f")


def _clocks(length: pl.Series, pattern: str) -> pl.Series:
    """Durations as hours, minutes and, where the pattern has them, seconds and fractions; others are cut off."""
    units = length.cast(pl.Duration("us")).to_physical()
    size = units.abs()

    def two_digits(parts: pl.Series) -> pl.Series:
        return parts.cast(pl.String).str.zfill(2)

    colon = pl.Series([":"])
    text = two_digits(size // 3_600_000_000) + colon + two_digits(size // 60_000_000 % 60)
    if "%S" in pattern:
        text = text + colon + two_digits(size // 1_000_000 % 60)
    if "%.f" in pattern:
        fraction = pl.Series(["."]) + (size % 1_000_000).cast(pl.String).str.zfill(6)
        text = text + fraction.str.replace(r"\.?0+$", "")
    return text.zip_with((units >= 0).fill_null(value=True), pl.Series(["-"]) + text).alias(length.name)


def _with_fewest(series: pl.Series, decimals: int | None, fewest: int) -> pl.Series:
    """Floats as text with `decimals` decimals, or as many as they need, less zeros beyond `fewest`."""
    if decimals is None:
        text = series.cast(pl.String).str.replace(r"^(-?[0-9]+\.[0-9]+)$", "${1}" + "0" * fewest)
    else:
        text = with_decimals(series, max(decimals, fewest))
    text = text.str.replace(rf"^(-?[0-9]+\.[0-9]{{{fewest}}}[0-9]*?)0+$", "${1}")
    return text.str.strip_suffix(".")


def _with_offset(moment: pl.Series) -> pl.Series:
    """Zoned datetimes as local time and offset; as UTC where the offset is not of whole minutes.

    Local mean times, before zones were agreed upon, have offsets to the second, which no ISO form holds.
    """
    form = f"{DATETIME_FORMAT}%.f%:z"
    text = moment.dt.strftime(form)
    seconds = (moment.dt.base_utc_offset() + moment.dt.dst_offset()).dt.total_seconds()
    is_whole = (seconds % 60 == 0).fill_null(value=True)
    return (
        text
        if is_whole.all()
        else text.zip_with(is_whole, moment.dt.convert_time_zone("UTC").dt.strftime(form))
    )


def with_decimals(series: pl.Series, decimals: int) -> pl.Series:
    """Floats as text with exactly `decimals` decimals; infinities as `inf`; never `-0.00`."""
    scale = 10**decimals
    value = series.cast(pl.Float64)
    units = (value * scale).round(0)
    fits = units.abs() < _LARGEST_EXACT
    whole = nulled(units, ~fits).cast(pl.Int64)
    size = whole.abs()
    text = (size // scale).cast(pl.String)
    if decimals:
        point = pl.Series(["."])
        text = text + point + (size % scale).cast(pl.String).str.zfill(decimals)
    text = text.zip_with((whole >= 0).fill_null(value=True), pl.Series(["-"]) + text)
    beyond = (value.is_not_null() & whole.is_null()).arg_true()
    # beyond 2**53 units a float has no digits to spare, so its own integer part is exact as it stands
    rows = [f"{number:.{decimals}f}" for number in value.gather(beyond)]
    result: pl.Series = text.scatter(beyond, pl.Series(rows, dtype=pl.String)) if rows else text
    return result
