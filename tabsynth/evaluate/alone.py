"""A synthetic table by itself: what its columns hold and how they go together. No real row is read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from tabsynth.encode import EncodedTable, encode_table
from tabsynth.evaluate.distributions import column_distribution
from tabsynth.metrics.fidelity_pairs import MAX_CELLS_READ, MAX_ROWS, association
from tabsynth.metrics.pair_view import PairView, binnings_of
from tabsynth.metrics.sampling import affordable_rows, draw_rows, take_columns
from tabsynth.randomness import Streams
from tabsynth.table import Table

MAX_COLUMNS = 30

Matrix = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneColumn:
    """One column of one table: bins or levels, as `Distribution` has them, and the shares of its rows.

    Levels that no row holds are left out, so nothing of the domain is said that the rows do not say.
    """

    column: str
    kind: str
    labels: tuple[str, ...]
    edges: tuple[float, ...]
    edge_labels: tuple[str, ...]
    scale: str
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A table by itself. `associations` is square over `associated`, the first 30 columns at most."""

    n_rows: int
    columns: tuple[AloneColumn, ...]
    associated: tuple[str, ...]
    associations: Matrix


def alone(table: Table, *, seed: int = 0) -> Alone:
    """What a table says by itself; `seed` fixes the rows that associations are computed on."""
    encoded = encode_table(table)
    names = tuple(encoded.columns)[:MAX_COLUMNS]
    return Alone(
        n_rows=table.n_rows,
        columns=tuple(_column(table, encoded, name) for name in encoded.columns),
        associated=names,
        associations=_associations(encoded, names, Streams(seed)),
    )


def _column(table: Table, encoded: EncodedTable, name: str) -> AloneColumn:
    found = column_distribution(table.schema[name], [encoded.columns[name]] * 3)
    n_bins = max(0, len(found.edges) - 1)
    kept = [i for i, share in enumerate(found.synthetic) if i < n_bins or share > 0]
    return AloneColumn(
        column=name,
        kind=found.kind,
        labels=tuple(found.labels[i - n_bins] for i in kept if i >= n_bins),
        edges=found.edges,
        edge_labels=found.edge_labels,
        scale=found.scale,
        shares=tuple(found.synthetic[i] for i in kept),
    )


def _associations(encoded: EncodedTable, names: tuple[str, ...], streams: Streams) -> Matrix:
    """Of every pair, |Spearman|, Cramér's V or correlation ratio by the kinds; None where it is undefined."""
    matrix: list[list[float | None]] = [[1.0 if i == j else None for j in names] for i in names]
    if encoded.n_rows and len(names) > 1:
        wanted = take_columns(encoded, names)
        most = affordable_rows(len(names), most=MAX_ROWS, cells=MAX_CELLS_READ)
        view = PairView.of(draw_rows(wanted, most, streams.generator("alone/rows")), binnings_of(wanted))
        for (i, a), (j, b) in itertools.combinations(enumerate(names), 2):
            coefficient = association(view, (a, b))[1]
            if coefficient is not None:
                matrix[i][j] = matrix[j][i] = abs(float(coefficient))
    return tuple(tuple(row) for row in matrix)
