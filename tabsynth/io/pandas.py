"""Pandas frames to polars and back, with the dtypes they had. The index is left out.

Columns of dtype `object` are taken where all their values are of one Python family; what they hold comes
back as Python values. Works with pandas 2.2 and newer, 3 included.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tabsynth.errors import Fault
from tabsynth.io.arrow import declared_arrow, engine_series, to_arrow
from tabsynth.io.columns import (
    ColumnLayout,
    duplicate_faults,
    known_zone,
    nan_to_null,
    refuse,
    stored_name,
    tried,
    unnamed_faults,
    unsupported,
)
from tabsynth.io.objects import objects_as_text
from tabsynth.io.text import nulled
from tabsynth.schema.levels import Levels

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ARROW = "arrow:"
_TIME = re.compile(r"(datetime64|timedelta64)\[(s|ms|us|ns)(?:, (.+))?\]")
_MASKED = {
    **{name.capitalize(): name for name in ("int8", "int16", "int32", "int64", "float32", "float64")},
    **{"UI" + name[2:]: name for name in ("uint8", "uint16", "uint32", "uint64")},
    "boolean": "bool",
}
_NULLABLE = {numpy: masked for masked, numpy in _MASKED.items()}
_FAMILIES: tuple[tuple[type, ...], ...] = (
    (str,),
    (bool, np.bool_),
    (int, np.integer),
    (float, np.floating),
    (decimal.Decimal,),
    (dt.datetime,),
    (dt.date,),
    (dt.timedelta,),
)


def from_pandas(
    frame: pd.DataFrame, *, keep: Sequence[str] | None = None, strict: bool = True
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """The frame's columns (of `keep` only, where given) in the engine's types, and their layouts.

    NaN, NaT, NA and None become null, a category its value, Decimal float64, float16 float32, fixed
    offsets UTC. Where not `strict`, no value keeps a column out: objects are read as text, all of them where
    `keep` is given, else those of mixed types. Raises `StructureError` listing at once all labels that are not text or not unique, all
    unsupported dtypes, and all object columns of mixed types with the types found.
    """
    labels = [label for label in frame.columns if keep is None or label in keep]
    faults = [
        Fault(f"column {position}", f"its label is of type {type(label).__name__}, expected str")
        for position, label in enumerate(frame.columns)
        if not isinstance(label, str) and keep is None
    ]
    names = [label for label in labels if isinstance(label, str)]
    faults += duplicate_faults(names)
    if keep is None:
        faults += unnamed_faults(label if isinstance(label, str) else "?" for label in frame.columns)
    series, layouts = [], []
    for position, label in enumerate(frame.columns):
        if not isinstance(label, str) or (keep is not None and label not in keep):
            continue
        column = frame.iloc[:, position]
        made = _series(column) if strict else _lenient(column, as_text=keep is not None)
        if isinstance(made, Fault):
            faults.append(made)
            continue
        made = nan_to_null(made.alias(label))
        series.append(made)
        layouts.append(ColumnLayout(name=label, dtype=_source_name(column), stored=stored_name(made.dtype)))
    refuse(faults, "the pandas frame")
    return pl.DataFrame(series), tuple(layouts)


def category_levels(frame: pd.DataFrame) -> dict[str, Levels]:
    """The categories of each column that has some, in the engine's types; without those of mixed types and of times."""
    import pandas as pd

    found = {}
    for position, label in enumerate(frame.columns):
        dtype = frame.dtypes.iloc[position]
        if not isinstance(label, str) or not isinstance(dtype, pd.CategoricalDtype):
            continue
        levels = _series(dtype.categories.to_series().rename(label))
        if isinstance(levels, pl.Series) and not levels.dtype.is_temporal():
            found[label] = Levels(listed=tuple(levels.to_list()), is_ordered=bool(dtype.ordered))
    return found


def _source_name(column: pd.Series[Any]) -> str:
    """The dtype's name; `category[ordered]`, `string[python]`, `arrow:…` where `str` would not tell."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category[ordered]" if dtype.ordered else "category"
    if isinstance(dtype, pd.StringDtype):
        return f"string[{dtype.storage}]" if dtype.na_value is pd.NA else "str"
    if isinstance(dtype, pd.ArrowDtype):
        return _ARROW + str(dtype.pyarrow_dtype)
    return str(dtype)


def _lenient(column: pd.Series[Any], *, as_text: bool) -> pl.Series | Fault:
    """`_series`, where values alone are no reason for a fault; objects are text where `as_text` or mixed."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return engine_series(str(column.name), _chunks(column), strict=False)
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == object:
        column, dtype = column.astype(object), np.dtype(object)
    is_object = isinstance(dtype, pd.StringDtype) or (isinstance(dtype, np.dtype) and dtype.kind == "O")
    made = None if is_object and as_text else _series(column)
    if made is None or (is_object and isinstance(made, Fault)):
        return objects_as_text(column.astype(object).where(column.notna(), None))
    return made


def _series(column: pd.Series[Any]) -> pl.Series | Fault:
    """The column in the engine's type (its name is lost), or the fault that keeps it out."""
    import pandas as pd

    name, dtype = str(column.name), column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = _series(column.cat.categories.to_series().rename(name))
        codes = pl.Series(column.cat.codes.to_numpy().astype(np.int64))
        return levels if isinstance(levels, Fault) else levels.gather(nulled(codes, codes < 0))
    if isinstance(dtype, pd.ArrowDtype):
        return engine_series(name, _chunks(column))
    if isinstance(dtype, pd.StringDtype):
        return _text(name, column.astype(object).where(column.notna(), None).tolist())
    if str(dtype) in _MASKED:
        values = pl.Series(column.to_numpy(dtype=_MASKED[str(dtype)], na_value=0))
        return nulled(values, pl.Series(column.isna().to_numpy()))
    if isinstance(dtype, pd.DatetimeTZDtype):
        local = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        return _in_zone(_from_numpy(local), str(dtype.tz))
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _objects(name, column)
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufbmM" or dtype.itemsize > 8:
        return unsupported(name, str(dtype))
    return _from_numpy(column.to_numpy())


def _chunks(column: pd.Series[Any]) -> pa.ChunkedArray:
    import pyarrow as pa

    array = pa.array(column.array)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _from_numpy(values: np.ndarray[Any, Any]) -> pl.Series:
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    if values.dtype.kind in "mM" and np.datetime_data(values.dtype)[0] == "s":
        values = values.astype(f"{values.dtype.kind}8[ms]")
    return pl.Series(values.astype(values.dtype.newbyteorder("="), copy=False))


def _in_zone(moment: pl.Series, zone: str) -> pl.Series:
    return moment.dt.replace_time_zone("UTC").dt.convert_time_zone(zone if known_zone(zone) else "UTC")


def _text(name: str, values: list[str | None]) -> pl.Series | Fault:
    made = tried(lambda: pl.Series(values, dtype=pl.String), UnicodeEncodeError)
    return made if made is not None else Fault(f"column {name!r}", "holds text that is not valid Unicode")


def _objects(name: str, column: pd.Series[Any]) -> pl.Series | Fault:
    """An object column whose values are of one Python family, or the fault that names the types found."""
    missing = column.isna().to_numpy()
    values = [None if null else value for value, null in zip(column.to_numpy(), missing, strict=True)]
    types = {type(value) for value in values if value is not None}
    families = {next((family for family in _FAMILIES if issubclass(kind, family)), (kind,)) for kind in types}
    names = ", ".join(sorted(kind.__qualname__ for kind in types))
    if len(families) > 1:
        hint = "convert the column to one type"
        return Fault(f"column {name!r}", f"holds values of several Python types: {names}", hint)
    if not families:
        return pl.Series(values, dtype=pl.String)
    family = families.pop()
    if family not in _FAMILIES:
        return unsupported(name, f"object of {names}")
    return _of_family(name, values, family[0])


def _of_family(name: str, values: list[Any], family: type) -> pl.Series | Fault:
    if family is str:
        return _text(name, [value if value is None else str(value) for value in values])
    if family is int:
        whole = [value if value is None else int(value) for value in values]
        for dtype in (pl.Int64, pl.UInt64):
            made = tried(partial(pl.Series, "", whole, dtype), OverflowError, TypeError)
            if made is not None:
                return made
        return Fault(f"column {name!r}", "holds integers beyond 64 bits", "make them text")
    if family in (float, decimal.Decimal):
        return pl.Series([value if value is None else float(value) for value in values], dtype=pl.Float64)
    if family is bool:
        return pl.Series([value if value is None else bool(value) for value in values], dtype=pl.Boolean)
    if family is dt.datetime:
        return _moments(name, values)
    return pl.Series(values, dtype=pl.Date if family is dt.date else pl.Duration("us"))


def _moments(name: str, values: list[dt.datetime | None]) -> pl.Series | Fault:
    zones = {str(value.tzinfo) if value.tzinfo else None for value in values if value is not None}
    if len(zones) > 1:
        found = ", ".join(sorted(zone or "none" for zone in zones))
        hint = "convert them to one: pandas.to_datetime(column, utc=True)"
        return Fault(f"column {name!r}", f"holds datetimes in several timezones: {found}", hint)
    (zone,) = zones
    if zone is None:
        return pl.Series(np.array(values, dtype="datetime64[us]"))
    utc = [value and value.astimezone(dt.UTC).replace(tzinfo=None) for value in values]
    return _in_zone(pl.Series(np.array(utc, dtype="datetime64[us]")), zone)


def declared_pandas(wanted: pl.DataType, found: str) -> str:
    """The pandas dtype of `wanted`: a category, masked, text or Arrow dtype where `found` is; see `schema_layout`."""
    name = stored_name(wanted)
    if found.startswith("category") or (wanted == pl.String() and found.startswith("string")):
        return found
    if found.startswith(_ARROW):
        return _ARROW + declared_arrow(wanted, found)
    if found in _MASKED and name in _NULLABLE:
        return _NULLABLE[name]
    if wanted == pl.String():
        return "str"
    if wanted == pl.Date():
        return "object"
    return name.replace("datetime[", "datetime64[").replace("duration[", "timedelta64[")


def to_pandas(
    series: pl.Series, *, dtype: str, levels: Sequence[object] | None, is_ordered: bool = False
) -> pd.Series[Any] | Fault:
    """A series of the layout's stored type in the dtype that it names, or the fault that keeps it out.

    An ordered category stays ordered where the schema declares its `levels`, and `is_ordered` says that their order
    means something; without them categories are the values that occur, sorted, and unordered. Integers and booleans that have become nullable take
    the masked dtype of the same name.
    """
    import pandas as pd

    if dtype.startswith(_ARROW):
        array = to_arrow(series, dtype=dtype.removeprefix(_ARROW), levels=levels, is_ordered=is_ordered)
        return array if isinstance(array, Fault) else pd.Series(pd.arrays.ArrowExtensionArray(array))
    if dtype == "object":
        return pd.Series(series.to_list(), dtype=object)
    if dtype.startswith("category"):
        return _category(series, levels, is_ordered=is_ordered and dtype == "category[ordered]")
    if dtype == "str" or dtype.startswith("string"):
        is_old = dtype == "str" and not isinstance(pd.Series([""]).dtype, pd.StringDtype)
        return pd.Series(series.to_list(), dtype="object" if is_old else dtype)
    if time := _TIME.fullmatch(dtype):
        return _time(series, dtype, unit=time[2])
    if dtype in _MASKED:
        return _masked(series, dtype)
    return _plain(series, dtype)


def _category(series: pl.Series, levels: Sequence[object] | None, *, is_ordered: bool) -> pd.Series[Any]:
    import pandas as pd

    found = series.drop_nulls().unique().sort()
    if found.dtype == pl.String():
        # one text at least tells pandas its own dtype for text, which no empty index does
        categories = pd.Index([*found, ""])[:-1]
    elif found.dtype == pl.Date():
        categories = pd.Index(found.to_list(), dtype=object)
    elif found.dtype.is_temporal():
        kind = "datetime64" if isinstance(found.dtype, pl.Datetime) else "timedelta64"
        inner = stored_name(found.dtype).partition("[")[2]
        categories = pd.Index(_time(found, f"{kind}[{inner}", unit=inner[:2]))
    else:
        categories = pd.Index(found.to_numpy())
    values = found.to_list()
    positions: Sequence[int] = range(len(values))
    is_declared = levels is not None and set(values) <= set(levels)
    if levels is not None and is_declared:
        categories = pd.Index(list(levels), dtype=categories.dtype)
        known = {level: position for position, level in enumerate(levels)}
        positions = [known[value] for value in values]
    codes = series.replace_strict(found, pl.Series(positions, dtype=pl.Int64), default=-1)
    dtype = pd.CategoricalDtype(categories, ordered=is_ordered and is_declared)
    return pd.Series(pd.Categorical.from_codes(codes.to_numpy(), dtype=dtype))


def _time(series: pl.Series, dtype: str, *, unit: str) -> pd.Series[Any]:
    import pandas as pd

    if getattr(series.dtype, "time_zone", None):
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    made = pd.Series(series.to_numpy().astype(f"{dtype[: dtype.index('[')]}[{unit}]"))
    if "," not in dtype:
        return made
    zoned = pd.api.types.pandas_dtype(dtype)
    assert isinstance(zoned, pd.DatetimeTZDtype)
    return pd.Series(made.dt.tz_localize("UTC").dt.tz_convert(zoned.tz))


def _masked(series: pl.Series, dtype: str) -> pd.Series[Any]:
    import pandas as pd

    values = series.fill_null(value=False) if dtype == "boolean" else series.fill_null(0)
    made: pd.Series[Any] = pd.Series(values.to_numpy()).astype(dtype)  # type: ignore[call-overload]
    made[series.is_null().to_numpy()] = pd.NA
    return made


def _plain(series: pl.Series, dtype: str) -> pd.Series[Any] | Fault:
    import pandas as pd

    if dtype in _NULLABLE and not dtype.startswith("float") and series.null_count():
        return _masked(series, _NULLABLE[dtype])
    values = series.to_numpy()
    if dtype == "float16":
        n_lost = int((np.isfinite(values) & (np.abs(values) > np.finfo(np.float16).max)).sum())
        if n_lost:
            return Fault(f"column {series.name!r}", f"{n_lost} values do not fit into float16")
    return pd.Series(values.astype(dtype))
