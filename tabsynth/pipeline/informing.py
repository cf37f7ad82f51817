"""Public rows beside a private table: which fits take them, and reading them by that table's schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from tabsynth.errors import UsageError
from tabsynth.io import column_names, read_provenance, read_table
from tabsynth.io.files import is_tab_separated
from tabsynth.models.auto import Auto
from tabsynth.models.base import InformedSynthesizer, Synthesizer
from tabsynth.models.registry import ENGINES
from tabsynth.privacy import NoPrivacy, Privacy
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

_MOST_NAMED = 8


def require_informed(recipe: Synthesizer, privacy: Privacy, *, public: Any, data: Any) -> None:
    """Raise `UsageError` for `public` rows that a fit cannot take: without privacy, or by an engine that takes none.

    And for those that are the private table itself. None for `public` is right everywhere.
    """
    if public is None:
        return
    if isinstance(privacy, NoPrivacy):
        raise UsageError(
            "public rows are for private fits: without privacy nothing hides the rows of the table, so leave them out"
        )
    is_able = isinstance(recipe, InformedSynthesizer) and recipe.takes_public_rows
    if not (is_able or isinstance(recipe, Auto)):
        able = [name for name, each in ENGINES.items() if getattr(each, "takes_public_rows", False)]
        raise UsageError(f"engine {recipe.name!r} takes no public rows; engines that do: {', '.join(able)}")
    is_path = isinstance(public, (str, Path)) and isinstance(data, (str, Path))
    if public is data or (is_path and Path(public).resolve() == Path(data).resolve()):
        raise UsageError(
            "the public rows are the private table itself: nothing would be promised to anybody in it, so nothing was read"
        )


def doubt_of(public: Any) -> str:
    """What to know of public rows that a file's mark says are synthetic; "" for others, and for tables at hand."""
    mark = read_provenance(Path(public)) if isinstance(public, (str, Path)) else None
    if mark is None:
        return ""
    return (
        f"the public rows are marked as synthetic (by {mark.engine}): where they were made of the private table without privacy, "
        "what they say of it is promised to nobody"
    )


def read_public(public: Any, schema: TableSchema) -> pl.DataFrame:
    """Public rows in the types of the columns that they share with the schema; others are left out.

    A cell that is not of its column's type becomes null. Raises `UsageError` where they hold no row or share no column that
    is modelled, and `StructureError` for columns that cannot be cast.
    """
    names, frame = _columns_of(public, schema)
    if not names:
        read_table(public, strict=False)  # says what is wrong with it, if anything is
    shared = [column for column in schema.columns if column.name in names and column.kind.is_modelled]
    told = replace(schema, columns=tuple(shared), primary_key=(), constraints=())
    if shared and frame is None:
        frame = read_table(public, schema=told, strict=False)[0]
    if frame is None or not shared or not frame.height:
        theirs = ", ".join(map(repr, names[:_MOST_NAMED])) + (", …" if len(names) > _MOST_NAMED else "")
        lacking = f"share no column with the table that is learnt: theirs are {theirs}"
        what = "are none: the table of them is empty" if shared else lacking
        raise UsageError(f"the public rows {what}; nothing was charged")
    return Table.conform(frame, told, strict=False).frame


def _columns_of(public: Any, schema: TableSchema) -> tuple[tuple[str, ...], pl.DataFrame | None]:
    """The names of the columns there are, and the rows where they are at hand."""
    if isinstance(public, Table):
        return public.schema.column_names, public.frame
    if isinstance(public, (str, Path)):
        dialect = replace(schema.csv, delimiter="\t") if is_tab_separated(Path(public)) else schema.csv
        return column_names(Path(public), dialect=dialect), None
    if isinstance(public, pl.LazyFrame):
        return _columns_of(read_table(public, strict=False)[0], schema)
    names: Any = getattr(public, "column_names", None) or getattr(public, "columns", ())
    return tuple(map(str, names)), None
