"""The nearest row and a kernel density of one table at the rows of another, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.metrics.proximity import Space

BLOCK_QUERIES = 512
BLOCK_ROWS = 8_192
BANDWIDTHS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
TUNING_ROWS = 2_000
FAR = 1e3

Matrix = npt.NDArray[np.floating]
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Near:
    """Of each query, shape (n_queries,): the squared distance to the nearest row, and the log density.

    Densities are up to a constant that is the same for all queries of one bandwidth.
    """

    squared_distance: Vector
    log_density: Vector


def space_of(reference: EncodedTable, tables: Sequence[EncodedTable]) -> Space:
    """Coordinates by the spread and the levels of `reference`."""
    with np.errstate(over="ignore", invalid="ignore"):
        return Space.of(reference, tables)


def coordinates(space: Space, table: EncodedTable) -> Matrix:
    """The table's rows in the space, shape (n_rows, n_coordinates), all finite.

    Numbers near the largest double overflow on their way: they are then put far outside.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        embedded: Matrix = space.embed(table)
    return np.nan_to_num(embedded, copy=False, nan=0.5, posinf=FAR, neginf=-FAR)


def search(queries: Matrix, rows: Matrix, *, bandwidth: float) -> Near:
    """Both figures of `rows` at `queries`; shapes (n, n_coordinates), neither empty.

    The kernel is exp(−d²/2h²), the product of a Gaussian for each number and an Aitchison-Aitken kernel
    for each level. Squared distances below what rounding can make of 0 are that value. Memory is one block.
    """
    norms, own = (np.einsum("ij,ij->i", side, side) for side in (rows, queries))
    nearest = np.full(len(queries), np.inf)
    density = np.full(len(queries), -np.inf)
    for first in range(0, len(queries), BLOCK_QUERIES):
        asked = slice(first, first + BLOCK_QUERIES)
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            distances = queries[asked] @ (-2.0 * rows[block]).T
            distances += norms[block]
            distances += own[asked, None]
            closest = distances.min(axis=1)
            nearest[asked] = np.minimum(nearest[asked], closest)
            distances -= closest[:, None]
            distances *= -0.5 / bandwidth**2
            np.exp(distances, out=distances)
            log_sum = np.log(distances.sum(axis=1, dtype=np.float64)) - closest / (2 * bandwidth**2)
            density[asked] = np.logaddexp(density[asked], log_sum)
    return Near(np.maximum(nearest, rounding_of(queries)), density)


def distances(queries: Matrix, rows: Matrix) -> Matrix:
    """Squared distances, good to rounding, shape (n_queries, n_rows); for blocks, not whole tables."""
    found: Matrix = queries @ (-2.0 * rows).T
    found += np.einsum("ij,ij->i", rows, rows)
    found += np.einsum("ij,ij->i", queries, queries)[:, None]
    return found


def nearest_rows(
    queries: Matrix, rows: Matrix, *, but_themselves: bool = False
) -> tuple[npt.NDArray[np.intp], Vector]:
    """The row nearest to each query, the first of equals, and its squared distance; shapes (n_queries,).

    With `but_themselves` the queries are the rows, and none is its own neighbour. Squared distances below
    what rounding can make of 0 are that value, as in `search`.
    """
    found = np.zeros(len(queries), dtype=np.intp)
    best = np.full(len(queries), np.inf)
    for first in range(0, len(queries), BLOCK_QUERIES):
        asked = slice(first, first + BLOCK_QUERIES)
        for start in range(0, len(rows), BLOCK_ROWS):
            block = distances(queries[asked], rows[start : start + BLOCK_ROWS])
            if but_themselves:
                own = np.arange(first, first + len(block)) - start
                inside = (own >= 0) & (own < block.shape[1])
                block[np.flatnonzero(inside), own[inside]] = np.inf
            place = block.argmin(axis=1)
            lowest = block[np.arange(len(place)), place]
            closer = lowest < best[asked]
            found[asked] = np.where(closer, start + place, found[asked])
            best[asked] = np.where(closer, lowest, best[asked])
    return found, np.maximum(best, rounding_of(queries))


def rounding_of(queries: Matrix) -> Vector:
    """What rounding can make of a squared distance of 0 from each query; of rows that are near, so as long."""
    own: Vector = np.einsum("ij,ij->i", queries, queries).astype(np.float64)
    return 8 * float(np.finfo(queries.dtype).eps) * (1.0 + 2.0 * own)


def best_bandwidth(space: Space, rows: Matrix) -> float:
    """The bandwidth under which one half of the reference is likeliest given the other half.

    `rows` embeds the reference, in random order; at most `TUNING_ROWS` of either half are read.
    """
    half = min(len(rows) // 2, TUNING_ROWS)
    known, held = rows[:half], rows[half : 2 * half]
    n_levels = np.array([int(coordinates.max()) + 1 for coordinates in space.levels.values()], dtype=float)

    def likelihood(bandwidth: float) -> float:
        found = search(held, known, bandwidth=bandwidth).log_density.mean()
        levels = np.log1p((n_levels - 1) * np.exp(-1.0 / bandwidth**2)).sum()
        return float(found - len(space.lines) * np.log(bandwidth) - levels)

    return max(BANDWIDTHS, key=likelihood) if half else BANDWIDTHS[2]
