"""Pairs of neighbouring tables that are as bad as can be: built in, public, nobody's data.

Each pair differs in one unit of `k` equal rows, so that a single cell of every histogram moves by k: no pair
moves the releases of counting queries farther apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, TableSchema
from tabsynth.table import Table

N_ROWS = 600
PERSON = "person"
_PUBLIC = Domain(origin=Origin.PUBLIC, by="the audit", source="a table that is built in")
_LEVELS = (
    "p",
    "q",
    "s",
)  # nobody but a unit of `outlier` is at s: few cells, as every one of them needs noise
_BOUNDS = (0, 4)
_NEW_LEVEL = "t"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two tables of one schema, `beside` with the rows of one unit more; `extra` is one of those rows."""

    name: str
    title: str
    without: Table
    beside: Table
    extra: Mapping[str, object]

    @property
    def schema(self) -> TableSchema:
        return self.without.schema

    @property
    def tables(self) -> tuple[Table, Table]:
        return self.without, self.beside


def pairs_of(k: int, *, names: tuple[str, ...] | None = None) -> tuple[Pair, ...]:
    """The pairs for a unit of `k` ≥ 1 rows; all of them, or those of `names`."""
    return tuple(make(k) for name, make in _PAIRS.items() if names is None or name in names)


def _dependent(k: int) -> Pair:
    extra = {"a": "p", "b": 3, "c": False}
    return _pair("dependent", "columns that hang together; a row against the grain", k, extra)


def _empty(k: int) -> Pair:
    extra = {"a": "p", "b": 3, "c": False}
    return _pair("empty", "no row at all; one unit alone", k, extra, frame=_frame(0))


def _outlier(k: int) -> Pair:
    extra = {"a": "s", "b": 4, "c": None}
    return _pair("outlier", "a level, a number and a gap that nobody else has", k, extra)


def _undeclared(k: int) -> Pair:
    """A category that the schema does not name, so that the domain has to be bought.

    It has as many rows without the unit as one may have: with the unit it is looked at, without it is passed over. All
    others are at one level, so that cells outside the bought domain become that.
    """
    extra = {"a": _NEW_LEVEL, "b": 4, "c": None}
    a = pl.when(pl.int_range(pl.len()) < k).then(pl.lit(_NEW_LEVEL)).otherwise(pl.lit(_LEVELS[0]))
    title = "a category nobody declared, which a unit makes frequent enough to be looked at"
    return _pair("undeclared", title, k, extra, frame=_frame(N_ROWS).with_columns(a=a), is_draft=True)


_PAIRS: Mapping[str, Callable[[int], Pair]] = {
    "dependent": _dependent,
    "empty": _empty,
    "outlier": _outlier,
    "undeclared": _undeclared,
}
PAIR_NAMES = tuple(_PAIRS)


def _pair(
    name: str,
    title: str,
    k: int,
    extra: dict[str, object],
    *,
    frame: pl.DataFrame | None = None,
    is_draft: bool = False,
) -> Pair:
    schema = _schema(k, is_draft=is_draft)
    frame = _frame(N_ROWS) if frame is None else frame
    unit = pl.DataFrame(
        {**{key: [value] * k for key, value in extra.items()}, PERSON: [frame.height] * k},
        schema=frame.schema,
    )
    first, second = (
        rows.select(column.name for column in schema.columns) for rows in (frame, pl.concat([frame, unit]))
    )
    return Pair(name, title, Table.conform(first, schema), Table.conform(second, schema), extra)


def _schema(k: int, *, is_draft: bool) -> TableSchema:
    a = Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=_LEVELS, domain=_PUBLIC)
    columns = [
        replace(a, categories=(*_LEVELS, _NEW_LEVEL), domain=Domain()) if is_draft else a,
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=_BOUNDS, domain=_PUBLIC),
        Column(name="c", kind=Kind.BOOLEAN, dtype="bool", nullable=True, domain=_PUBLIC),
    ]
    if k == 1:
        return TableSchema(name="audit", columns=tuple(columns))
    columns.append(Column(name=PERSON, kind=Kind.IDENTIFIER, dtype="int64", unique=False, domain=_PUBLIC))
    return TableSchema(name="audit", columns=tuple(columns), unit=PrivacyUnit(column=PERSON, max_rows=k))


def _frame(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    b = rng.integers(0, 4, n)
    a = np.array(_LEVELS[:2])[np.where(rng.random(n) < 0.8, b // 2, rng.integers(0, 2, n))]
    c = (b > 1) ^ (rng.random(n) < 0.1)
    types = {"a": pl.String, "b": pl.Int64, "c": pl.Boolean, PERSON: pl.Int64}
    return pl.DataFrame({"a": a, "b": b, "c": c, PERSON: np.arange(n)}, schema=types)
