"""Types of CSV columns read off their text, over the whole file.

A type is taken only where every cell of the column has its form, so no row, however late, can surprise;
a sample may rule a type out early but never in. Text that integers would not give back stays text:
`007`, `+49`, and integers outside int64 and uint64.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tabsynth.io.text import DURATIONS, nulled, parse, swapped_marks, with_points, without_marks
from tabsynth.schema.guess.names import read_name
from tabsynth.schema.guess.strings import read_numbers
from tabsynth.schema.types import Column, Kind

_N_SAMPLE = 1000
_MOST_DECIMALS = 15

_INTEGER = r"^-?[0-9]+$"
_FLOAT = (
    r"^(?:-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    r"|[+-]?(?i:inf|infinity)|nan|NaN|NAN)$"
)
_NAN = ("nan", "NaN", "NAN")
_FINITE = r"^-?\.?[0-9]"
_LONG_INTEGER = r"^-?[0-9]{16,}$"
_DAY = r"(?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_MINUTE = r"(?:[01]\d|2[0-3]):[0-5]\d"
_BOOLEANS = (("true", "false"), ("True", "False"), ("TRUE", "FALSE"))


def _time(dtype: str, pattern: str | None = None, timezone: str | None = None) -> Column:
    return Column(name="", kind=Kind.DATETIME, dtype=dtype, format=pattern, timezone=timezone)


_TIMES = (
    (rf"^{_DAY}$", _time("date")),
    (rf"^{_DAY} {_MINUTE}:[0-5]\d(?:\.\d{{1,6}})?$", _time("datetime[us]")),
    (rf"^{_DAY}T{_MINUTE}:[0-5]\d$", _time("datetime[us]", "%Y-%m-%dT%H:%M:%S")),
    (rf"^{_DAY}T{_MINUTE}:[0-5]\d(?:\.\d{{1,6}})?$", _time("datetime[us]", "%Y-%m-%dT%H:%M:%S.%f")),
    (rf"^{_DAY} {_MINUTE}$", _time("datetime[us]", "%Y-%m-%d %H:%M")),
    (rf"^{_DAY}T{_MINUTE}$", _time("datetime[us]", "%Y-%m-%dT%H:%M")),
    (rf"^{_DAY}[T ]{_MINUTE}:[0-5]\d(?:\.\d{{1,6}})?(?:Z|\+00:?00)$", _time("datetime[us]", None, "UTC")),
    (DURATIONS[0], _time("duration[us]")),
    (r"^[0-9]{2,4}:[0-5]\d$", _time("duration[us]", "%H:%M")),
    (r"^[0-9]{2,4}:[0-5]\d:[0-5]\d$", _time("duration[us]", "%H:%M:%S")),
    (r"^[0-9]{2,4}:[0-5]\d:[0-5]\d(?:\.\d{1,6})?$", _time("duration[us]", "%H:%M:%S%.f")),
)
_ZONED = rf"^{_DAY}[T ]{_MINUTE}(?::[0-5]\d(?:\.\d{{1,6}})?)?(?:Z|[+-]\d\d:?\d\d)$"
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"


def infer(text: pl.Series, *, null_marks: Sequence[str], decimal: str = ".") -> tuple[pl.Series, str | None]:
    """The column in the narrowest meaning all its cells share, and its format if not the default.

    Integers are int64, or uint64 where they need it; numbers float64 (NaN is null); `true`/`false` in
    one spelling bool; ISO dates and datetimes `date` and `datetime[us]`, in UTC where every cell says so;
    ISO 8601 durations and times of day (`08:30`, `08:30:00`) `duration[us]`; datetimes whose UTC offsets
    differ are in UTC. Everything else, and a column of nulls alone, stays String: datetimes that share
    another offset too, so that a draft can keep it. The format of floats is the fewest decimals of a cell
    (`0`, `0.0`, `0.00`, …), so that `8033.0` is not written as `8033`. Text that is numbers
    but for a few words has points for decimal marks, save where the name speaks of codes or keys; where `decimal`
    is another mark, the format `0` says so.
    """
    cells = without_marks(text, null_marks=null_marks)
    sample = cells.head(_N_SAMPLE).drop_nulls()
    if sample.is_empty():
        sample = cells.drop_nulls().head(_N_SAMPLE)
    if sample.is_empty():
        return text, None
    found = _number(*(swapped_marks(part, decimal=decimal) for part in (cells, sample)))
    found = found or _boolean(cells, sample) or _moment(cells, sample)
    return found or _with_points(text, cells, decimal)


def _with_points(text: pl.Series, cells: pl.Series, decimal: str) -> tuple[pl.Series, str | None]:
    """Text that a draft will take for numbers beside words, with points in the numbers."""
    hints = read_name(text.name)
    if decimal == "." or hints.key or hints.is_code or hints.is_code_list:
        return text, None
    present = with_points(cells, decimal=decimal).drop_nulls()
    if read_numbers(present.unique()) is None:
        return text, None
    return with_points(text, decimal=decimal), "0"


def _all(text: pl.Series, pattern: str) -> bool:
    """Whether every cell that is not null has the form `pattern`."""
    return bool(text.str.contains(pattern).all())


def _number(cells: pl.Series, sample: pl.Series) -> tuple[pl.Series, str | None] | None:
    if not _all(sample, _FLOAT):
        return None
    numbers = nulled(cells, cells.is_in(_NAN))
    for dtype in (pl.Int64, pl.UInt64):
        integers = numbers.cast(dtype, strict=False)
        if integers.null_count() == numbers.null_count() < len(numbers):
            return (integers, None) if (integers.cast(pl.String) == numbers).all() else _float(cells)
    return _float(cells)


def _float(cells: pl.Series) -> tuple[pl.Series, str | None] | None:
    if not _all(cells, _FLOAT) or not cells.str.contains(_FINITE).any():
        return None
    if cells.str.contains(_LONG_INTEGER).any() and _all(cells, _INTEGER):
        return None
    floats, n_failed = parse(cells, Column(name="", kind=Kind.NUMBER, dtype="float64"), null_marks=())
    return None if n_failed else (floats, _fewest_decimals(cells))


def _fewest_decimals(cells: pl.Series) -> str | None:
    """The fewest decimals of a cell without an exponent, as `0`, `0.0` and so on."""
    fewest = cells.str.extract(r"^-?[0-9]*\.?([0-9]*)$").str.len_chars().min()
    if not isinstance(fewest, int):
        return None
    return f"{0:.{min(fewest, _MOST_DECIMALS)}f}"


def _boolean(cells: pl.Series, sample: pl.Series) -> tuple[pl.Series, None] | None:
    for true, false in _BOOLEANS:
        if sample.is_in([true, false]).all() and cells.is_in([true, false]).all():
            return cells == true, None
    return None


def _moment(cells: pl.Series, sample: pl.Series) -> tuple[pl.Series, str | None] | None:
    for pattern, column in _TIMES:
        if _all(sample, pattern) and _all(cells, pattern):
            parsed, n_failed = parse(cells, column, null_marks=())
            if not n_failed:
                return parsed, column.format
    if (
        _all(sample, _ZONED)
        and _all(cells, _ZONED)
        and cells.str.extract(_OFFSET).drop_nulls().n_unique() > 1
    ):
        parsed, n_failed = parse(cells, _time("datetime[us]", None, "UTC"), null_marks=())
        return None if n_failed else (parsed, None)
    return None
