"""Buy what a draft says of numbers and times: bounds, decimals, resolution, words beside them, null-ability."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.privacy import grids
from tabsynth.privacy.cells import (
    MOST_DECIMALS,
    decimals_needed,
    on_lattice,
    positions,
    resolution_needed,
    resolutions,
    step_of,
    words,
)
from tabsynth.privacy.marginals import Marginal
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.schema.scalars import zone_named
from tabsynth.schema.types import Column, Kind, Scalar

LEVELS = "levels of drafted columns"
BOUNDS = "bounds of drafted columns"
FORMS = "forms of drafted columns"
_ODD_CELLS = 0.002
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """A noisy histogram and the standard deviation of its noise."""

    noisy: npt.NDArray[np.float64]
    deviation: float

    def is_found(self, cell: int) -> bool:
        """Whether a cell holds more than noise would in all but one of 1,000 cases."""
        return bool(self.noisy[cell] > grids.significant(self.deviation, 1))


def noisy_counts(
    part: str, column: Column, codes: npt.NDArray[np.integer], n_cells: int, queries: NoisyQueries
) -> Counts:
    """Noisy rows at each of the codes 0 … n_cells - 1 of a column."""
    marginal = Marginal((column.name,), (codes.astype(np.uint16, copy=False),), (n_cells,))
    [found] = queries.marginals(part, [marginal])
    return Counts(found.values, found.variance**0.5)


def is_whole(column: Column) -> bool:
    """Whether the storage knows whole numbers only, so that there are no decimals to ask for."""
    return column.dtype.startswith(("int", "uint"))


def has_words(column: Column) -> bool:
    """Whether words may stand among numbers held as text; a text that is no date is never a level."""
    return column.dtype == "string" and column.kind in (Kind.INTEGER, Kind.NUMBER)


def buy_line(column: Column, series: pl.Series, queries: NoisyQueries) -> Column:
    """A continuous column, empty of all that is bought, with what the cells say through noise; without bounds where that is nothing."""
    places = positions(column, series)
    if column.kind is Kind.NUMBER:
        column = replace(column, format=None, decimals=_decimals(column, places, queries))
        if column.decimals is not None:
            places = on_lattice(places, column.decimals)
    elif _is_time(column):
        column = replace(column, resolution=_resolution(column, series, places, queries))
    if has_words(column):
        found = queries.frequent_levels(LEVELS, words(column, series), (column.name,))
        column = replace(column, special_values=tuple(found.values.to_list()))
    ends, is_nullable = _coarse(column, places, series, queries)
    return replace(_bounded(column, places, ends, queries), nullable=is_nullable)


def buy_bounds(column: Column, series: pl.Series, queries: NoisyQueries) -> Column:
    """A continuous column whose domain is stated but for its bounds, with bounds that the cells say through noise, if any."""
    specials = pl.Series(column.special_values, dtype=series.dtype, strict=False)
    numbers = series.zip_with(
        ~series.is_in(specials.implode()).fill_null(value=False), pl.Series([None], dtype=series.dtype)
    )
    places = positions(column, numbers)
    if column.kind is Kind.NUMBER and column.decimals is not None:
        places = on_lattice(places, column.decimals)
    ends, _ = _coarse(column, places, series, queries)
    return _bounded(column, places, ends, queries)


def _bounded(
    column: Column,
    places: pl.Series,
    ends: tuple[grids.Edges, grids.Edges] | None,
    queries: NoisyQueries,
) -> Column:
    if ends is None:
        return column
    low, high = _trimmed(column, places, ends, queries)
    return replace(column, bounds=(_scalar(column, low), _scalar(column, high)))


def _decimals(column: Column, numbers: pl.Series, queries: NoisyQueries) -> int | None:
    """The fewest with which all but 0.2 % of cells, or what noise may be, are written; None for any."""
    if is_whole(column):
        return 0
    n_cells = MOST_DECIMALS + 2
    needed = decimals_needed(numbers.to_numpy(), is_single=column.dtype == "float32")
    needed[numbers.is_null().to_numpy()] = n_cells
    found = _coarsest(noisy_counts(FORMS, column, needed, n_cells + 1, queries), n_cells)
    return None if found is None or found > MOST_DECIMALS else found


def _resolution(column: Column, series: pl.Series, places: pl.Series, queries: NoisyQueries) -> str | None:
    names = resolutions(column)
    needed = resolution_needed(column, series)
    needed[places.is_null().to_numpy()] = len(names)
    found = _coarsest(noisy_counts(FORMS, column, needed, len(names) + 1, queries), len(names))
    return None if found is None else names[found]


def _coarsest(counts: Counts, n_cells: int) -> int | None:
    """The first of `n_cells` beyond which few rows lie, None where the table is lost in noise.

    Rows beyond are those that noise would not put there; where it hides in which cell of a run beyond the first cell they are,
    the last one is taken: decimals too many are drawn as evenly as the column's numbers, decimals too few lose what it says.
    """
    noisy = counts.noisy[:n_cells]
    found = grids.occupied(noisy, counts.deviation)
    if not found:
        return None
    total = float(noisy.sum())
    holds_rows = np.zeros(n_cells, dtype=np.bool_)  # runs overlap: no row may count twice
    for first, last in found:
        holds_rows[first : last + 1] |= first > 0
    for cell in range(n_cells - 1):
        beyond = float(noisy[cell + 1 :][holds_rows[cell + 1 :]].sum())
        if beyond <= _ODD_CELLS * total:
            return cell
    return n_cells - 1


def _edges(column: Column, places: pl.Series) -> grids.Edges:
    if column.kind is Kind.DATE:
        return grids.calendar_edges(1)
    if column.kind is Kind.DATETIME:
        return grids.calendar_edges(grids.DAY)
    if column.kind is Kind.DURATION:
        return grids.duration_edges()
    return grids.real_edges() if places.dtype.is_float() else grids.whole_edges()


def _coarse(
    column: Column, places: pl.Series, series: pl.Series, queries: NoisyQueries
) -> tuple[tuple[grids.Edges, grids.Edges] | None, bool]:
    """The cells in which values begin and end, by the grid of the whole type; whether cells may be missing."""
    edges = _edges(column, places)
    n_cells = len(edges) - 1
    codes = grids.cells_of(places.fill_null(0).to_numpy(), edges, is_whole_line=True)
    codes[places.is_null().to_numpy()] = n_cells + 1
    codes[series.is_null().to_numpy()] = n_cells
    counts = noisy_counts(BOUNDS, column, codes, n_cells + 2, queries)
    noisy, is_nullable = counts.noisy[:n_cells], counts.is_found(n_cells)
    found = grids.occupied(noisy, counts.deviation)
    if not found:
        return None, is_nullable
    first, within = min(found)
    lower = (first - grids.n_spare(noisy[:first][::-1], counts.deviation), within)
    within, last = max(found, key=lambda run: run[::-1])
    upper = (within, last + grids.n_spare(noisy[last + 1 :], counts.deviation))
    return (_subgrid(column, edges, lower), _subgrid(column, edges, upper)), is_nullable


def _subgrid(column: Column, edges: grids.Edges, run: grids.Run) -> grids.Edges:
    """Even cells of one run of coarse ones, whose ends stay as they are."""
    low, beyond = edges[run[0]].item(), edges[run[1] + 1].item()
    if isinstance(low, float):
        inner = grids.real_subgrid(low, beyond)
    else:
        inner = grids.whole_subgrid(low, beyond - 1, least=_step(column), times=_is_time(column))
    return np.concatenate([edges[[run[0]]], inner[(inner > low) & (inner < beyond)], edges[[run[1] + 1]]])


def _trimmed(
    column: Column, places: pl.Series, ends: tuple[grids.Edges, grids.Edges], queries: NoisyQueries
) -> tuple[float, float]:
    """Least and greatest position, each within the coarse cells where it was found."""
    edges = np.unique(np.concatenate(ends))
    n_cells = len(edges) - 1
    codes = grids.cells_of(places.fill_null(0).to_numpy(), edges, is_whole_line=False)
    codes[places.is_null().to_numpy()] = n_cells
    counts = noisy_counts(BOUNDS, column, codes, n_cells + 1, queries)
    lower, upper = ((edges >= end[0]) & (edges < end[-1]) for end in ends)
    noisy = counts.noisy[:n_cells]
    first = grids.lower_end(noisy[lower[:-1]], counts.deviation)
    last = grids.lower_end(noisy[upper[:-1]][::-1], counts.deviation)
    low = edges[:-1][lower[:-1]][first].item()
    start, beyond = (side[upper[:-1]][::-1][last].item() for side in (edges[:-1], edges[1:]))
    if beyond <= low:  # overlapping ends that noise drew past each other
        low, beyond = ends[0][0].item(), ends[1][-1].item()
    if column.decimals and beyond - start > 1:
        return low, beyond  # a round number, where the last cell holds several
    return _on_steps(column, low, beyond)


def _on_steps(column: Column, low: float, beyond: float) -> tuple[float, float]:
    """The first position from `low` and the last one before `beyond`, on the line `beyond` itself."""
    if isinstance(low, float):
        return low, 0.0 if 0 < beyond < 1e-300 else beyond
    step = _step(column)
    return low // step * step, max(low // step, (beyond - 1) // step) * step


def _is_time(column: Column) -> bool:
    return column.kind in (Kind.DATETIME, Kind.DURATION)


def _step(column: Column) -> int:
    return step_of(column) if _is_time(column) else 1


def _scalar(column: Column, place: float) -> Scalar:
    """A position as the schema writes it, within what the storage and the calendar hold."""
    if column.kind is Kind.NUMBER:
        return float(place) if column.decimals is None else place / 10**column.decimals
    whole = int(place)
    if column.kind is Kind.DURATION:
        return whole * _MICROSECOND
    if column.kind is Kind.DATE:
        return (_EPOCH + dt.timedelta(days=whole)).date()
    if column.kind is Kind.DATETIME:
        # A day in from the ends of the calendar, so that no zone leads beyond them.
        first, last = _EPOCH.replace(year=1, day=2), _EPOCH.replace(year=9999, month=12, day=30)
        whole = min(max(whole, (first - _EPOCH) // _MICROSECOND), (last - _EPOCH) // _MICROSECOND)
        return _in_zone(column, _EPOCH + whole * _MICROSECOND)
    if is_whole(column):
        limits = np.iinfo(column.dtype)
        whole = min(max(whole, int(limits.min)), int(limits.max))
    return whole


def _in_zone(column: Column, moment: dt.datetime) -> dt.datetime:
    zone = zone_named(column.timezone)
    return moment.replace(tzinfo=None) if zone is None else moment.astimezone(zone)


def placeholder_bounds(column: Column) -> tuple[Scalar, Scalar]:
    """The public bounds of a column of that kind where noise hides its own: 0 and 1, of times a year or a day."""
    first, last = dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(2000, 12, 31, tzinfo=dt.UTC)
    if column.kind is Kind.DATE:
        return first.date(), last.date()
    if column.kind is Kind.DATETIME:
        return _in_zone(column, first), _in_zone(column, last)
    if column.kind is Kind.DURATION:
        return dt.timedelta(0), dt.timedelta(days=1)
    return (0, 1) if column.kind is Kind.INTEGER else (0.0, 1.0)
