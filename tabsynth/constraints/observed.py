"""What a fit without privacy reads off the rows for its rules: the mappings that nobody has declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.schema.rules import AnyRule, Combinations, Dependency, Hierarchy, Levels, Mapped, mapped_columns
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table


def with_rows(table: Table) -> TableSchema:
    """The schema with the rows of every mapping that has none, as they occur; such a rule is a draft."""
    rules = [_with_rows(rule, table.frame) for rule in table.schema.constraints]
    return replace(table.schema, constraints=tuple(rules))


def _with_rows(rule: AnyRule, frame: pl.DataFrame) -> AnyRule:
    if not isinstance(rule, (Combinations, Dependency, Hierarchy)) or rule.rows is not None:
        return rule
    return replace(rule, rows=observed(rule, frame), draft=True)


def observed(rule: Mapped, frame: pl.DataFrame) -> tuple[Levels, ...]:
    """The rows of a mapping as they occur; of those that determine in two ways, the more frequent one."""
    names = mapped_columns(rule)
    found = (
        frame.select(names)
        .group_by(names)
        .len("\0n")
        .sort("\0n", *names, descending=[True, *[False] * len(names)])
    )
    pairs: list[tuple[Sequence[str], Sequence[str]]] = []
    if isinstance(rule, Dependency):
        pairs = [(rule.columns, rule.determines)]
    elif isinstance(rule, Hierarchy):
        pairs = [((one,), (other,)) for one, other in pairwise(rule.columns)]
    for left, right in pairs:
        counts = found.group_by([*left, *right]).agg(pl.col("\0n").sum().alias("\0m"))
        best = counts.sort("\0m", *right, descending=[True, *[False] * len(right)]).unique(
            left, keep="first", maintain_order=True
        )
        key = pl.struct(*left, *right)
        found = found.filter(found.select(key).to_series().is_in(best.select(key).to_series().implode()))
    return tuple(found.select(names).sort(names).rows())


def fill_outside(encoded: EncodedTable, rng: np.random.Generator) -> EncodedTable:
    """The table with levels outside a discrete domain drawn evenly from it: rows of no known combination."""
    columns = {}
    for name, column in encoded.columns.items():
        outside = column.codes >= column.variable.n_levels
        if outside.any():
            codes = column.codes.copy()
            codes[outside] = rng.integers(0, column.variable.n_levels, size=int(outside.sum()))
            columns[name] = EncodedColumn(column.variable, codes, column.values)
        else:
            columns[name] = column
    return EncodedTable(encoded.n_rows, columns)
