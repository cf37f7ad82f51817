"""Arrow tables and Arrow IPC files (`.arrow`, `.feather`, `.ipc`) to polars and back.

Every file is read through pyarrow and validated in full: a damaged file must end in an error, and
neither a crash of the process nor a panic may take its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tabsynth.errors import Fault, StructureError
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
from tabsynth.io.files import require_file
from tabsynth.io.text import with_decimals
from tabsynth.schema.levels import Levels

if TYPE_CHECKING:
    import pyarrow as pa

_NAMELESS = re.compile(r"__index_level_\d+__")
_ZONED = re.compile(r"timestamp\[(\w+), tz=(.+)\]")
_DECIMAL = re.compile(r"decimal(?:32|64|128|256)\((\d+), (-?\d+)\)")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")


def read_arrow(
    path: str | Path, *, columns: Sequence[str] | None = None, strict: bool = True
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """The columns of an IPC file or stream (those of `columns` it has, where given) and their layouts.

    Where not `strict`, values beyond the engine's types wrap around without an error. Raises
    `StructureError` where the file is damaged, and listing all columns of unsupported types.
    """
    path = Path(path)
    require_file(path)
    table = tried(lambda: _read_ipc(path), *_arrow_errors())
    if table is None:
        raise StructureError(
            f"{path.name} cannot be read as an Arrow file", [Fault("", "it is damaged or of another format")]
        )
    return from_arrow(table, keep=columns, strict=strict)


def _read_ipc(path: Path) -> pa.Table:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        magic = file.read(6)
        file.seek(0)
        opened = pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)
        with opened as reader:
            table = reader.read_all()
    table.validate(full=True)
    return table


def _arrow_errors() -> tuple[type[BaseException], ...]:
    import pyarrow as pa

    return (pa.ArrowException, OSError, UnicodeDecodeError)


def from_arrow(
    table: pa.Table, *, keep: Sequence[str] | None = None, strict: bool = True
) -> tuple[pl.DataFrame, tuple[ColumnLayout, ...]]:
    """The columns of an Arrow table (of `keep` only, where given) as polars, and their layouts.

    Dictionaries become their values, decimals float64 (15 significant digits), half floats float32, seconds
    milliseconds, fixed offsets UTC; NaN becomes null. Where `keep` does not ask for it, a pandas index without a name is left
    out, as that of a frame is. Where not `strict`, values beyond the engine's types
    wrap around. Raises `StructureError` listing every duplicate
    name and every nested, binary or otherwise unsupported type.
    """
    if keep is None:
        index = _nameless_index(table.schema)
        keep = [name for name in table.schema.names if name not in index] if index else None
    fields = [field for field in table.schema if keep is None or field.name in keep]
    faults = [
        *duplicate_faults(field.name for field in fields),
        *unnamed_faults(field.name for field in fields),
    ]
    series, layouts = [], []
    for position, field in enumerate(table.schema):
        if keep is not None and field.name not in keep:
            continue
        made = engine_series(field.name, table.column(position), strict=strict)
        if isinstance(made, Fault):
            faults.append(made)
            continue
        series.append(made)
        layouts.append(ColumnLayout(name=field.name, dtype=str(field.type), stored=stored_name(made.dtype)))
    refuse(faults, "the Arrow table")
    return pl.DataFrame(series), tuple(layouts)


def _nameless_index(schema: pa.Schema) -> frozenset[str]:
    """The columns that pandas declares to be an index without a name, by its own metadata."""
    raw = (schema.metadata or {}).get(b"pandas", b"{}")
    declared = tried(lambda: json.loads(raw), ValueError, RecursionError)
    found = declared.get("index_columns") if isinstance(declared, dict) else None
    names = found if isinstance(found, list) else []
    return frozenset(name for name in names if isinstance(name, str) and _NAMELESS.fullmatch(name))


def dictionary_levels(table: pa.Table) -> dict[str, Levels]:
    """The levels of each column that is an ordered dictionary; of any other a dictionary says how cells are stored."""
    import pyarrow as pa

    found = {}
    for position, field in enumerate(table.schema):
        if not pa.types.is_dictionary(field.type) or not field.type.ordered:
            continue
        chunks = table.column(position).unify_dictionaries().chunks
        target = _engine_type(field.type)
        if target is None or not chunks:
            continue
        levels = tried(partial(chunks[0].dictionary.cast, target), *_arrow_errors())
        if levels is not None and not pa.types.is_temporal(target) and not levels.null_count:
            found[field.name] = Levels(listed=tuple(levels.to_pylist()), is_ordered=True)
    return found


def engine_series(name: str, column: pa.ChunkedArray, *, strict: bool = True) -> pl.Series | Fault:
    """One Arrow column in the engine's type, or the fault that keeps it out."""
    target = _engine_type(column.type)
    if target is None:
        return unsupported(name, str(column.type))
    cast = tried(lambda: _cast(column, target, strict=strict), *_arrow_errors())
    if cast is None:
        return Fault(f"column {name!r}", f"has values of {column.type} that do not fit into {target}")
    return nan_to_null(pl.Series(name, pl.from_arrow(cast)))


def _cast(column: pa.ChunkedArray, target: pa.DataType, *, strict: bool) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        values = [chunk.dictionary.cast(target, safe=strict).take(chunk.indices) for chunk in column.chunks]
        return pa.chunked_array(values, target)
    return column if column.type == target else column.cast(target, safe=strict)


def _engine_type(found: pa.DataType) -> pa.DataType | None:
    """The Arrow type that polars takes over without loss of meaning, None where there is none."""
    import pyarrow as pa

    is_a = pa.types
    if is_a.is_dictionary(found):
        # text held as views can be neither taken by index nor encoded again
        return pa.string() if str(found.value_type) == "string_view" else _engine_type(found.value_type)
    if is_a.is_null(found):
        return pa.string()
    if is_a.is_float16(found):
        return pa.float32()
    if is_a.is_decimal(found):
        return pa.float64()
    if is_a.is_date64(found):
        return pa.date32()
    if is_a.is_timestamp(found):
        zone = found.tz if found.tz is None or known_zone(found.tz) else "UTC"
        return pa.timestamp("ms" if found.unit == "s" else found.unit, zone)
    if is_a.is_duration(found):
        return pa.duration("ms" if found.unit == "s" else found.unit)
    plain = (is_a.is_integer, is_a.is_floating, is_a.is_boolean, is_a.is_date32)
    text = (is_a.is_string, is_a.is_large_string)
    if any(test(found) for test in (*plain, *text)) or str(found) == "string_view":
        return found
    return None


def arrow_array(
    series: pl.Series, target: pa.DataType, *, levels: Sequence[object] | None, is_ordered: bool = False
) -> pa.Array:
    """The series as an Arrow array of type `target`; a dictionary holds the declared `levels`, if any.

    Without declared levels a dictionary holds those that occur. Without, or where `is_ordered` does not say that their
    order means something, it is not ordered. Raises pyarrow's own errors where a value does not fit.
    """
    import pyarrow as pa

    array = series.to_arrow()
    if pa.types.is_dictionary(target):
        return _dictionary(array, target, levels, is_ordered=is_ordered)
    if pa.types.is_null(target) and array.null_count == len(array):
        return pa.nulls(len(array))
    if pa.types.is_decimal(target):
        # straight from floats pyarrow either refuses to round or lets what is too large overflow
        return with_decimals(series, max(target.scale, 0)).to_arrow().cast(target)
    # float16 has fewer digits than what it was widened to: rounding is what its owner expects
    return array if array.type == target else array.cast(target, safe=not pa.types.is_float16(target))


def _dictionary(
    array: pa.Array, target: pa.DataType, levels: Sequence[object] | None, *, is_ordered: bool
) -> pa.Array:
    import pyarrow as pa
    from pyarrow import compute

    encoded = array.dictionary_encode()
    declared = None if levels is None else pa.array(levels, type=array.type)
    if declared is not None:
        codes = compute.index_in(array, value_set=declared)
        if codes.null_count == array.null_count:
            encoded = pa.DictionaryArray.from_arrays(codes, declared)
    indices = tried(lambda: encoded.indices.cast(target.index_type), pa.ArrowInvalid)
    return pa.DictionaryArray.from_arrays(
        encoded.indices if indices is None else indices,
        encoded.dictionary.cast(target.value_type),
        ordered=is_ordered
        and target.ordered
        and declared is not None
        and encoded.dictionary.equals(declared),
    )


def declared_arrow(wanted: pl.DataType, found: str) -> str:
    """The Arrow type of `wanted`, as a dictionary of its values where `found` is one; see `schema_layout`."""
    plain = str(pl.Series([], dtype=wanted).to_arrow().type)
    if plain == "large_string" and "large_string" not in found:
        plain = "string"
    dictionary = _DICTIONARY.fullmatch(found)
    if dictionary is None:
        return plain
    return f"dictionary<values={plain}, indices=int32, ordered={dictionary[3]}>"


def to_arrow(
    series: pl.Series, *, dtype: str, levels: Sequence[object] | None, is_ordered: bool = False
) -> pa.Array | Fault:
    """The series in the Arrow type that the layout names, or the fault that keeps it out."""
    target = arrow_type(dtype)
    array = tried(lambda: arrow_array(series, target, levels=levels, is_ordered=is_ordered), *_arrow_errors())
    if array is None:
        return Fault(f"column {series.name!r}", f"has values of {series.dtype} that do not fit into {dtype}")
    return array


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type whose `str` is `name`. Raises ValueError for a name that no layout holds."""
    import pyarrow as pa

    if zoned := _ZONED.fullmatch(name):
        return pa.timestamp(zoned[1], zoned[2])
    if decimal := _DECIMAL.fullmatch(name):
        precision, scale = int(decimal[1]), int(decimal[2])
        return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
    if dictionary := _DICTIONARY.fullmatch(name):
        return pa.dictionary(
            arrow_type(dictionary[2]), arrow_type(dictionary[1]), ordered=dictionary[3] == "1"
        )
    return pa.type_for_alias(name)
