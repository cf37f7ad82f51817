"""Python objects as text, each by itself: what a column of them says must not depend on its other cells."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable

import numpy as np
import polars as pl


def objects_as_text(values: Iterable[object]) -> pl.Series:
    """The texts that `tabsynth.io.text.parse` reads the values from; null for what has none."""
    return pl.Series([_as_text(value) for value in values], dtype=pl.String)


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (int, np.integer, decimal.Decimal)):
        return str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        sign, length = ("-", -value) if value < dt.timedelta(0) else ("", value)
        return f"{sign}P{length.days}DT{length.seconds}.{length.microseconds:06}S"
    return None
