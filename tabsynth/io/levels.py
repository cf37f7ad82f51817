"""What the types of a frame list of levels: pandas' categories, polars' Enums, Arrow's ordered dictionaries."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from tabsynth.io.arrow import dictionary_levels
from tabsynth.io.columns import tried
from tabsynth.io.pandas import category_levels
from tabsynth.schema.levels import Levels

if TYPE_CHECKING:
    from tabsynth.io.read import Data


def declared_levels(source: Data) -> Mapping[str, Levels]:
    """The levels of each column whose type lists them, unused ones included; none of files.

    An Enum's order counts as meant, since its type has no other. Like a draft, they are as private as the frame.
    """
    if isinstance(source, pl.LazyFrame):
        found = tried(source.collect_schema, pl.exceptions.PolarsError, OSError)
        return {} if found is None else _enums(found)
    if isinstance(source, pl.DataFrame):
        return _enums(source.schema)
    pandas, pyarrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return category_levels(source)
    if pyarrow is not None and isinstance(source, pyarrow.Table):
        return dictionary_levels(source)
    return {}


def _enums(schema: pl.Schema) -> dict[str, Levels]:
    return {
        name: Levels(listed=tuple(dtype.categories.to_list()), is_ordered=True)
        for name, dtype in schema.items()
        if isinstance(dtype, pl.Enum)
    }
