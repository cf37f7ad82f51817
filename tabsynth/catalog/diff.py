"""What changed between two releases: schema, rows, privacy, and how far the columns moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tabsynth.catalog.entry import Release, TableEntry
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Column, TableSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs: in which table, what, how it was and how it is."""

    table: str
    what: str
    before: str
    after: str


def diff_releases(before: Release, after: Release) -> tuple[Difference, ...]:
    """Every difference between two releases, those of the schema first; columns that moved, the farthest first."""
    old, new = ({table.name: table for table in release.tables} for release in (before, after))
    found = [
        *_stated(
            "", {"expires": (before.expires, after.expires), "audience": (before.audience, after.audience)}
        ),
        *(
            Difference(table=name, what="table", before="there", after="gone")
            for name in old
            if name not in new
        ),
        *(
            Difference(table=name, what="table", before="absent", after="new")
            for name in new
            if name not in old
        ),
    ]
    for name in [name for name in old if name in new]:
        found += _schemas(before.table_schema(name), after.table_schema(name))
        found += _stated(
            name,
            {
                "rows": (f"{old[name].n_rows:,}", f"{new[name].n_rows:,}"),
                "guarantee": (old[name].guarantee, new[name].guarantee),
                "engine": (old[name].report.get("engine"), new[name].report.get("engine")),
            },
        )
        found += _moved(old[name], new[name])
    return tuple(found)


def _stated(table: str, values: Mapping[str, tuple[object, object]]) -> Iterator[Difference]:
    for what, (before, after) in values.items():
        if before != after:
            yield Difference(table=table, what=what, before=str(before), after=str(after))


def _schemas(before: TableSchema, after: TableSchema) -> Iterator[Difference]:
    for column in before.columns:
        if column.name not in after:
            yield _column(before.name, column, "there", "gone")
    for column in after.columns:
        if column.name not in before:
            yield _column(before.name, column, "absent", "new")
            continue
        old = before[column.name]
        for field in fields(Column):
            values = getattr(old, field.name), getattr(column, field.name)
            if values[0] != values[1]:
                yield _column(before.name, column, _short(values[0]), _short(values[1]), field.name)
    rules = [{title_of(rule) for rule in schema.constraints} for schema in (before, after)]
    for rule in sorted(rules[0] ^ rules[1]):
        held = ["held" if rule in each else "none" for each in rules]
        yield Difference(table=before.name, what=f"rule {rule}", before=held[0], after=held[1])


def _column(table: str, column: Column, before: str, after: str, field: str = "") -> Difference:
    what = f"column {column.name}" + (f", {field}" if field else "")
    return Difference(table=table, what=what, before=before, after=after)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _moved(before: TableEntry, after: TableEntry) -> list[Difference]:
    """How far each column moved, by the shares in the publishable reports: 0 the same, 1 nothing in common."""
    old, new = (_columns(table.report) for table in (before, after))
    moved = [(name, distance(old[name], new[name])) for name in old if name in new]
    return [
        Difference(table=before.name, what=f"column {name}, distance", before="0", after=f"{far:.3f}")
        for name, far in sorted(moved, key=lambda found: -found[1])
        if far >= 0.0005
    ]


def _columns(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    columns = report.get("synthetic", {}).get("columns", [])
    return {column["column"]: column for column in columns}


def distance(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """Between two columns of reports, in [0, 1]: total variation of their levels, or of where numbers lie, if more.

    Numbers count by the largest difference of their cumulative shares, straight within bins (Kolmogorov's
    distance of the histograms).
    """
    sides = [(column["edges"], column["labels"], column["shares"]) for column in (before, after)]
    levels, curves = [], []
    for edges, labels, shares in sides:
        n_bins = max(0, len(edges) - 1)
        levels.append(dict(zip(labels, shares[n_bins:], strict=True)))
        curves.append((edges, np.concatenate([[0.0], np.cumsum(shares[:n_bins])])))
    names = levels[0].keys() | levels[1].keys()
    numbers = [float(curve[1][-1]) for curve in curves]
    of_levels: float = sum(abs(levels[0].get(name, 0.0) - levels[1].get(name, 0.0)) for name in names)
    of_levels = float(of_levels + abs(numbers[0] - numbers[1])) / 2
    if not all(len(edges) for edges, _ in curves):
        return min(1.0, of_levels)
    at = np.unique(np.concatenate([curve[0] for curve in curves]))
    heights = [np.interp(at, edges, shares) for edges, shares in curves]
    return min(1.0, max(of_levels, float(np.max(np.abs(heights[0] - heights[1])))))
