"""Slices counted: the cells of one column or two, with their rows, and the losses of a model in them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tabsynth.augment.stretches import COARSE, FINE, Axis, Text, axis_of
from tabsynth.encode import EncodedColumn
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.schema.types import Column

MOST_LEVELS = 20  # of a column that is crossed with others
WORSE_THAN_EITHER = 1.25
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cells:
    """All cells of one column or two; (n_cells,) each.

    Whether it is a slice, rows, rows of the class, sums of losses and of their squares. Of one column each reaches from the
    cell `first` of its axis to the cell `last`; of two, `parents` is the worst mean loss of each column by itself there.
    """

    axes: tuple[Axis, ...]
    is_slice: Mask
    n: Floats
    n_class: Floats
    loss: Floats
    square: Floats
    parents: tuple[Floats, ...] = ()
    first: npt.NDArray[np.intp] | None = None
    last: npt.NDArray[np.intp] | None = None

    def places(self, cell: int) -> tuple[int, ...]:
        """The cell of each column."""
        shape = tuple(axis.n_cells for axis in self.axes)
        return tuple(int(place) for place in np.unravel_index(cell, shape))

    def is_level(self, cell: int) -> bool:
        """Whether it is a level of one column, and no stretch, which is as rare as quantiles make it."""
        return self.first is not None and self.axes[0].is_level(int(self.first[cell]))

    def where(self, cell: int) -> dict[str, Text]:
        """What its rows meet."""
        if self.first is not None and self.last is not None:
            [axis] = self.axes
            return {axis.column.name: axis.text(int(self.first[cell]), int(self.last[cell]))}
        return {
            axis.column.name: axis.text(place, place)
            for axis, place in zip(self.axes, self.places(cell), strict=True)
        }

    @property
    def mean(self) -> Floats:
        return self.loss / np.maximum(self.n, 1)


def cells_of(columns: Mapping[Column, EncodedColumn], is_class: Mask, losses: Floats) -> Iterator[Cells]:
    """Every column by itself, then pairs of those with few levels and coarser stretches."""
    alone = dict[str, Cells]()
    for column, encoded in columns.items():
        cells = _counted((axis_of(column, encoded, at=FINE),), is_class, losses)
        alone[column.name] = cells
        yield cells
    coarse = (axis_of(column, encoded, at=COARSE) for column, encoded in columns.items())
    few = [axis for axis in coarse if 1 < axis.is_slice.sum() <= MOST_LEVELS]
    worst = {axis.column.name: _worst_within(axis, alone[axis.column.name]) for axis in few}
    for pair in itertools.combinations(few, 2):
        parents = tuple(worst[axis.column.name] for axis in pair)
        yield replace(_counted(pair, is_class, losses), parents=parents)


def _worst_within(axis: Axis, alone: Cells) -> Floats:
    """The largest mean loss of the finer cells of the column that rows of each cell are in, (n_cells,)."""
    [fine] = alone.axes
    found = np.zeros(axis.n_cells)
    np.maximum.at(found, axis.codes, np.where(alone.n >= MIN_GROUP, alone.mean, 0.0)[fine.codes])
    return found


def _counted(axes: tuple[Axis, ...], is_class: Mask, losses: Floats) -> Cells:
    shape = tuple(axis.n_cells for axis in axes)
    flat = np.ravel_multi_index([axis.codes for axis in axes], shape)
    weights = (None, is_class.astype(np.float64), losses, losses**2)
    n, n_class, loss, square = (
        np.bincount(flat, weights=weight, minlength=math.prod(shape)).astype(np.float64) for weight in weights
    )
    is_slice = functools.reduce(np.logical_and.outer, [axis.is_slice for axis in axes])
    return Cells(axes, is_slice.ravel(), n, n_class, loss, square)


def above_rest(cells: Cells, losses: Floats) -> Floats:
    """How many standard errors the mean loss of each cell is above that of the other rows, (n_cells,)."""
    rest, n = np.maximum(len(losses) - cells.n, 1), np.maximum(cells.n, 1)
    rest_mean = (losses.sum() - cells.loss) / rest
    variance = np.maximum(cells.square / n - cells.mean**2, 0) / n
    variance += np.maximum(((losses**2).sum() - cells.square) / rest - rest_mean**2, 0) / rest
    found: Floats = (cells.mean - rest_mean) / np.sqrt(np.maximum(variance, 1e-12))
    return found


def joined(cells: Cells, fails: Mask) -> Cells:
    """Cells of one column, with neighbouring stretches that fail about equally as one; as two, if it were all of them: no range."""
    n_stretches = cells.axes[0].n_stretches
    mean = np.where(fails & (cells.n >= MIN_GROUP), cells.mean, np.nan)
    mean[n_stretches:] = np.nan
    low, high = np.minimum(mean[1:], mean[:-1]), np.maximum(mean[1:], mean[:-1])
    begins = np.r_[True, ~(high <= WORSE_THAN_EITHER * low)]
    begins[n_stretches // 2] |= not begins[1:n_stretches].any()
    starts = np.flatnonzero(begins)
    n, n_class, loss, square = (
        np.add.reduceat(sums, starts) for sums in (cells.n, cells.n_class, cells.loss, cells.square)
    )
    return Cells(
        cells.axes,
        cells.is_slice[starts],
        n,
        n_class,
        loss,
        square,
        first=starts,
        last=np.r_[starts[1:], len(mean)] - 1,
    )
