"""What a table was before it was read, so that the same kind can be given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import polars as pl

from tabsynth.errors import Fault, ModelFileError
from tabsynth.io.arrow import declared_arrow, to_arrow
from tabsynth.io.columns import ColumnLayout, refuse, stored_dtype, stored_name
from tabsynth.io.pandas import declared_pandas, to_pandas
from tabsynth.io.polars import to_polars
from tabsynth.io.text import parse, render
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import Column, CsvDialect, Kind, Origin, TableSchema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Source = Literal["polars", "pandas", "arrow", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Kind of the source, and the type that each column had in it. JSON round trip.

    It holds names of columns and types only. The levels of a category or Enum are left out: they are read
    off private rows, and a layout is stored in a saved model; `to_layout` takes them from the schema.
    `dialect` is that of a CSV file, `lazy` says that a polars LazyFrame went in.
    """

    kind: Source
    columns: tuple[ColumnLayout, ...]
    lazy: bool = False
    dialect: CsvDialect | None = None

    def column(self, name: str) -> ColumnLayout | None:
        """The column of that name, None where there is none."""
        return next((column for column in self.columns if column.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        plain = asdict(self)
        if self.dialect is not None:
            plain["dialect"]["null_marks"] = list(self.dialect.null_marks)
        return {**plain, "columns": list(plain["columns"])}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The layout that `to_dict` wrote. Raises `ModelFileError` for any other data."""
        try:
            dialect = plain["dialect"]
            if dialect is not None:
                dialect = CsvDialect(**{**dialect, "null_marks": tuple(dialect["null_marks"])})
            columns = tuple(ColumnLayout(**column) for column in plain["columns"])
            kind, lazy = plain["kind"], bool(plain["lazy"])
            is_known = kind in get_args(Source)
            for column in columns:
                stored_dtype(column.stored)
        except (KeyError, TypeError, ValueError):
            is_known = False
        if not is_known:
            raise ModelFileError("the layout of the source table is damaged or of a later version")
        return cls(kind=kind, columns=columns, lazy=lazy, dialect=dialect)


def schema_layout(layout: Layout, schema: TableSchema) -> Layout:
    """The layout of a source of that kind which stores its columns as `schema` says.

    Of how the source stored them only what nobody chooses by looking at cells is kept: that a column is a
    category (ordered or not), or of pandas' masked, text or Arrow types. Whether whole numbers are floats
    because some are missing, how many digits a decimal has, whether a column is of nulls alone is not.
    """
    known = {column.name: column.dtype for column in layout.columns}
    columns = tuple(
        ColumnLayout(
            name=column.name,
            dtype=_declared(layout.kind, column, known.get(column.name, "")),
            stored=stored_name(polars_dtype(column)),
            format=column.format if layout.kind == "file" else None,
        )
        for column in schema.columns
    )
    return replace(layout, columns=columns)


def _declared(kind: Source, column: Column, found: str) -> str:
    wanted = polars_dtype(column)
    if kind == "pandas":
        return declared_pandas(wanted, found)
    if kind == "arrow":
        return declared_arrow(wanted, found)
    is_level = kind == "polars" and found in ("enum", "categorical") and wanted == pl.String()
    return found if is_level else stored_name(wanted)


def to_layout(
    frame: pl.DataFrame, layout: Layout, *, schema: TableSchema | None = None
) -> pl.DataFrame | pl.LazyFrame | pd.DataFrame | pa.Table:
    """The frame as the kind of table that `layout` describes, in the frame's own column order.

    A table from a file is a polars frame of the engine's types, for `write_frame`. Columns that were text
    are text again, dates by the schema's format. Levels of categories and Enums, and their order, come
    from `schema`; without it they are those that occur, sorted. A column that the layout does not know
    keeps its type. Raises `StructureError` listing the columns whose values do not fit their old type.
    """
    faults, made = [], {}
    layouts = {column.name: column for column in layout.columns}
    columns = {} if schema is None else {column.name: column for column in schema.columns}
    for series in frame.get_columns():
        known, column = layouts.get(series.name), columns.get(series.name)
        converted = _converted(series, layout.kind, known, column)
        if isinstance(converted, Fault):
            faults.append(converted)
        else:
            made[series.name] = converted
    refuse(faults, "the table")
    return _assembled(made, layout)


def _converted(series: pl.Series, kind: Source, known: ColumnLayout | None, column: Column | None) -> Any:
    stored = series if known is None else _as_stored(series, known, column)
    if isinstance(stored, Fault):
        return stored
    levels: Sequence[Any] | None = None if column is None else column.categories
    is_ordered = column is not None and _is_in_order(column)
    if kind == "pandas":
        if known is None:
            return stored.to_pandas()
        return to_pandas(stored, dtype=known.dtype, levels=levels, is_ordered=is_ordered)
    if kind == "arrow":
        if known is None:
            return stored.to_arrow()
        return to_arrow(stored, dtype=known.dtype, levels=levels, is_ordered=is_ordered)
    if known is None or kind == "file":
        return stored
    return to_polars(stored, dtype=known.dtype, levels=levels)


def _is_in_order(column: Column) -> bool:
    """Whether the order of a column's levels is the source's own; where levels were bought, nothing tells it."""
    return column.kind is Kind.ORDINAL and column.domain.origin is not Origin.CHARGED


def _as_stored(series: pl.Series, known: ColumnLayout, column: Column | None) -> pl.Series | Fault:
    """The series in the engine's type that the source had."""
    wanted = stored_dtype(known.stored)
    if series.dtype == wanted:
        return series
    if wanted == pl.String():
        return render(series, column).cast(pl.String)
    if series.dtype == pl.String():
        pattern = None if column is None else column.format
        asked = Column(name=known.name, kind=Kind.TEXT, dtype=known.stored, format=pattern)
        cast, n_lost = parse(series, asked, null_marks=())
    else:
        cast = series.cast(wanted, strict=False)
        n_lost = cast.null_count() - series.null_count()
    if n_lost:
        return Fault(
            f"column {series.name!r}", f"{n_lost} values do not fit from {series.dtype} into {wanted}"
        )
    return cast


def _assembled(made: dict[str, Any], layout: Layout) -> pl.DataFrame | pl.LazyFrame | pd.DataFrame | pa.Table:
    if layout.kind == "pandas":
        import pandas as pd

        return pd.DataFrame(made)
    if layout.kind == "arrow":
        import pyarrow as pa

        return pa.table(made)
    frame = pl.DataFrame([series.alias(name) for name, series in made.items()])
    return frame.lazy() if layout.lazy else frame
