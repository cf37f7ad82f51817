"""Released answers as arrays of plain numbers, and back: whatever the arrays hold, what is read is an answer or refused.

A file in a checkpoint may be damaged, or written by somebody. So the types and shapes come from the question and never from
the file, and texts are bytes with their lengths: no reader of a table format has a say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.privacy.grids import calendar_edges
from tabsynth.privacy.marginals import Floats, Levels, Measurement

Arrays = Mapping[str, npt.NDArray[Any]]
_DAY = {"ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
_LONGEST = 10**8  # days of a duration


def of_measurements(found: Sequence[Measurement]) -> dict[str, npt.NDArray[Any]]:
    values = {f"values.{at}": each.values for at, each in enumerate(found)}
    return {**values, "variances": np.array([each.variance for each in found])}


def measurements(arrays: Arrays, shapes: Sequence[tuple[int, ...]]) -> list[Measurement]:
    """Measurements of these shapes; raises `ValueError` or `KeyError` where the arrays are none."""
    variances = _floats(arrays["variances"], (len(shapes),))
    values = [_floats(arrays[f"values.{at}"], shape) for at, shape in enumerate(shapes)]
    if (variances < 0).any() or len(arrays) != len(shapes) + 1:
        raise ValueError
    return [Measurement(each, float(variance)) for each, variance in zip(values, variances, strict=True)]


def of_levels(found: Levels) -> dict[str, npt.NDArray[Any]]:
    numbers = {"counts": found.counts, "numbers": np.array([found.n_null, found.variance])}
    if found.values.dtype != pl.String:
        return {**numbers, "values": found.values.to_physical().to_numpy()}
    texts = [text.encode() for text in found.values.to_list()]
    content, lengths = (
        np.frombuffer(b"".join(texts), np.uint8),
        np.array([len(text) for text in texts], np.int64),
    )
    return {**numbers, "values": content, "lengths": lengths}


def levels(arrays: Arrays, dtype: pl.DataType) -> Levels:
    """Levels of a column of this type; raises `ValueError` or `KeyError` where the arrays are none."""
    values = _texts(arrays) if dtype == pl.String else _physical(arrays, dtype)
    n_null, variance = _floats(arrays["numbers"], (2,))
    if variance < 0 or len(arrays) != 3 + (dtype == pl.String):
        raise ValueError
    ascending = values.to_physical() if dtype != pl.String else values
    if not (ascending.is_sorted() and ascending.n_unique() == len(values)):
        raise ValueError
    counts = _floats(arrays["counts"], (len(values),))
    return Levels(values, counts, n_null=float(n_null), variance=float(variance))


def _floats(array: npt.NDArray[Any], shape: tuple[int, ...]) -> Floats:
    if array.dtype != np.float64 or array.shape != shape or not np.isfinite(array).all():
        raise ValueError
    return array


def _texts(arrays: Arrays) -> pl.Series:
    content, lengths = arrays["values"], arrays["lengths"]
    if content.dtype != np.uint8 or lengths.dtype != np.int64 or (content.ndim, lengths.ndim) != (1, 1):
        raise ValueError
    if ((lengths < 0) | (lengths > len(content))).any() or sum(lengths.tolist()) != len(content):
        raise ValueError
    ends = np.cumsum(lengths).tolist()
    data = content.tobytes()
    texts = [data[end - n : end].decode() for end, n in zip(ends, lengths.tolist(), strict=True)]
    return pl.Series("values", texts, dtype=pl.String)


def _physical(arrays: Arrays, dtype: pl.DataType) -> pl.Series:
    """Numbers as they are; times from the numbers that stand for them, all of which a calendar names."""
    values = arrays["values"]
    if values.ndim != 1 or values.dtype != pl.Series([], dtype=dtype).to_physical().to_numpy().dtype:
        raise ValueError
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError
    found = pl.Series("values", values)
    if isinstance(dtype, pl.Date):
        _require_between(found, *_calendar(1))
    if isinstance(dtype, pl.Duration):
        longest = _LONGEST * _DAY[dtype.time_unit]
        _require_between(found, -longest, longest)
    if isinstance(dtype, pl.Datetime):
        day = _DAY[dtype.time_unit]
        first, last = _calendar(day)
        _require_between(found, first - day, last + day)
        local = found.cast(dtype).dt.replace_time_zone(None) if dtype.time_zone else found
        _require_between(local.to_physical(), first, last)
    return found.cast(dtype)


def _calendar(per_day: int) -> tuple[int, int]:
    edges = calendar_edges(1)
    return int(edges[0]) * per_day, int(edges[-1]) * per_day - 1


def _require_between(values: pl.Series, first: int, last: int) -> None:
    if not all(first <= value <= last for value in values.to_list()):
        raise ValueError
