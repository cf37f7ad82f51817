"""Which slices are thin, and where a model fails: levels and stretches of one column or two, by out-of-fold predictions.

The loss of a row is the negative logarithm of the probability that boosted trees, taught on other persons' rows, gave to
what it is (of the rarest class of the target, or not). A slice fails where its mean loss is above that of the other rows by
more than chance, with as many chances allowed for as there are slices (Bonferroni). Slices of fewer than 11 rows are counted
and never named.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.augment.slices import rarest_class, require_classes
from tabsynth.augment.splits import stratified_splits
from tabsynth.augment.stretches import COARSE, FINE, Axis, Text, axis_of
from tabsynth.augment.trial import MAX_ROWS, MIN_POSITIVE, affordable, label_of
from tabsynth.encode import EncodedColumn, EncodedTable, encode_table
from tabsynth.errors import DataError
from tabsynth.metrics.plain_learners import Boosted
from tabsynth.metrics.sampling import take_rows
from tabsynth.metrics.utility import Task
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.plain_results import PlainResults
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column
from tabsynth.table import Table

FORMAT = "tabsynth-slices/1"
MOST_LEVELS = 20  # of a column that is crossed with others
MOST_SHOWN = 20
THIN_SHARE = 0.05
_FOLDS = 3
_WORSE_THAN_EITHER = 1.25
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A slice of at least 11 rows: levels and comparisons that its rows meet, as text and as `where` takes them; None is null.

    `n_class` of its rows are of the class, None where that is from 1 to 10. `loss` is its mean loss, `z` how many standard errors
    that is above the other rows'.
    """

    where: dict[str, Text]
    n_rows: int
    n_class: int | None
    loss: float
    z: float
    is_thin: bool
    fails: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResults(PlainResults):
    """Slices that are thin or fail, the worst first; private output.

    `n_examined` slices were looked at and `n_small` more had fewer than 11 rows. `loss` is the mean over all rows.
    """

    format_name: ClassVar[str] = FORMAT
    made_by: ClassVar[str] = "tabsynth augment --find-slices"
    table: str
    target: str
    n_rows: int
    n_examined: int
    n_small: int
    loss: float
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    version: str = ""
    private_output: bool = field(default=True)

    @property
    def proposals(self) -> tuple[Finding, ...]:
        """What to try first: the slice that fails most and all that are thin and fail; the worst thin one where none is both.

        None of fewer rows of the class than a trial needs.
        """
        able = [one for one in self.findings if (one.n_class or 0) >= MIN_POSITIVE]
        failing = [one for one in able if one.fails]
        chosen = [*failing[:1], *(one for one in failing[1:] if one.is_thin)]
        if not any(one.is_thin for one in chosen):
            chosen += [one for one in able if one.is_thin][:1]
        return tuple(chosen)


def find_slices(
    table: Table,
    *,
    target: str,
    max_rows: int = MAX_ROWS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> SliceResults:
    """Look at every level of every column, and every pair of levels of columns with 20 or fewer.

    Numbers and times are cut at about their tenths, finer at the ends and coarser in pairs; a stretch that many rows do not
    share by one value is told where it fails alone, as quantiles say how rare it is.
    Raises `UsageError` for an unknown target or one without classes, `DataError` where fewer than 20 rows are of its
    rarest class.
    """
    require_classes(table.schema, target)
    table, notes = affordable(table, max_rows, Streams(seed))
    encoded = encode_table(table)
    positive = rarest_class(encoded, target)
    is_class = encoded.columns[target].codes == positive
    if (n_found := int(is_class.sum())) < MIN_POSITIVE:
        raise DataError(
            f"{n_found} rows are of the class to be found: looking for slices needs {MIN_POSITIVE}"
        )
    losses = _losses(table, encoded, target, positive, seed, progress)
    progress("Looking at slices", 0.9)
    columns = {
        table.schema[name]: column
        for name, column in encoded.columns.items()
        if name != target and table.schema[name].kind.is_modelled
    }
    found, n_examined, n_small = list[_Cells](), 0, 0
    for cells in _cells(columns, is_class, losses):
        n_examined += int((cells.is_slice & (cells.n >= MIN_GROUP)).sum())
        n_small += int((cells.is_slice & (cells.n > 0) & (cells.n < MIN_GROUP)).sum())
        found.append(cells)
    findings = _worth_telling(found, losses, max(1, n_examined))
    progress("Done", 1.0)
    return SliceResults(
        table=table.schema.name,
        target=target,
        n_rows=table.n_rows,
        n_examined=n_examined,
        n_small=n_small,
        loss=float(losses.mean()),
        findings=tuple(findings[:MOST_SHOWN]),
        notes=tuple(notes),
        version=version("tabsynth"),
    )


def _losses(
    table: Table, encoded: EncodedTable, target: str, positive: int, seed: int, progress: Progress
) -> Floats:
    """The loss of every row, (n_rows,), by a model that saw no row of its person."""
    is_class = encoded.columns[target].codes == positive
    total, times = np.zeros(table.n_rows), np.zeros(table.n_rows)
    splits = stratified_splits(table, is_class, n=3 * _FOLDS, test_share=1 / _FOLDS, seed=seed)
    for number, split in enumerate(splits):
        progress("Predicting rows that were held out", 0.9 * number / (3 * _FOLDS))
        train, test = take_rows(encoded, split.train), take_rows(encoded, split.test)
        task = Task(target, train, train, test, {"objective": "binary"}, label_of(positive))
        predicted = Boosted(seed).teach(task, train, [test]).predictions[0]
        probability = np.clip(np.where(is_class[split.test], predicted, 1 - predicted), 1e-6, 1.0)
        total[split.test] -= np.log(probability)
        times[split.test] += 1
    seen = times > 0
    total[seen] /= times[seen]
    total[~seen] = total[seen].mean()  # a row that no split held out says nothing
    return total


@dataclass(frozen=True, eq=False)
class _Cells:
    """All cells of one column or two; (n_cells,) each.

    Whether it is a slice, rows, rows of the class, sums of losses and of their squares. Of one column each reaches from the
    cell `first` of its axis to the cell `last`; of two, `parents` is the worst mean loss of each column by itself there.
    """

    axes: tuple[Axis, ...]
    is_slice: npt.NDArray[np.bool_]
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
        """Whether it is one value of one column, and no stretch that is as rare as quantiles make it."""
        return (
            self.first is not None
            and self.last is not None
            and bool(self.first[cell] == self.last[cell])
            and self.axes[0].is_level(int(self.first[cell]))
        )

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


def _cells(
    columns: Mapping[Column, EncodedColumn], is_class: npt.NDArray[np.bool_], losses: Floats
) -> Iterator[_Cells]:
    alone = dict[str, _Cells]()
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


def _worst_within(axis: Axis, alone: _Cells) -> Floats:
    """The largest mean loss of the finer cells of the column that rows of each cell are in, (n_cells,)."""
    [fine] = alone.axes
    found = np.zeros(axis.n_cells)
    np.maximum.at(found, axis.codes, np.where(alone.n >= MIN_GROUP, alone.mean, 0.0)[fine.codes])
    return found


def _counted(axes: tuple[Axis, ...], is_class: npt.NDArray[np.bool_], losses: Floats) -> _Cells:
    shape = tuple(axis.n_cells for axis in axes)
    flat = np.ravel_multi_index([axis.codes for axis in axes], shape)
    weights = (None, is_class.astype(np.float64), losses, losses**2)
    n, n_class, loss, square = (
        np.bincount(flat, weights=weight, minlength=math.prod(shape)).astype(np.float64) for weight in weights
    )
    is_slice = functools.reduce(np.logical_and.outer, [axis.is_slice for axis in axes])
    return _Cells(axes, is_slice.ravel(), n, n_class, loss, square)


def _worth_telling(found: list[_Cells], losses: Floats, n_examined: int) -> list[Finding]:
    """Slices that fail, and single levels that are thin; failing ones first, by how far they are above the rest."""
    from scipy.stats import norm

    limit, n_rows = float(norm.isf(0.05 / n_examined)), len(losses)
    findings = []
    for each in found:
        cells = each if each.parents else _joined(each, _above_rest(each, losses) > limit)
        z = _above_rest(cells, losses)
        for cell in np.flatnonzero(cells.is_slice & (cells.n >= MIN_GROUP) & (cells.n < n_rows)).tolist():
            fails, is_thin = bool(z[cell] > limit), bool(cells.n[cell] < THIN_SHARE * n_rows)
            if cells.parents:
                places = cells.places(cell)
                parents = max(means[place] for means, place in zip(cells.parents, places, strict=True))
                fails = fails and bool(cells.mean[cell] > _WORSE_THAN_EITHER * parents)
            if fails or (is_thin and cells.is_level(cell)):
                findings.append(_finding(cells, cell, z=float(z[cell]), is_thin=is_thin, fails=fails))
    return sorted(findings, key=lambda one: (not one.fails, -one.z, one.n_rows))


def _above_rest(cells: _Cells, losses: Floats) -> Floats:
    """How many standard errors the mean loss of each cell is above that of the other rows, (n_cells,)."""
    rest, n = np.maximum(len(losses) - cells.n, 1), np.maximum(cells.n, 1)
    rest_mean = (losses.sum() - cells.loss) / rest
    variance = np.maximum(cells.square / n - cells.mean**2, 0) / n
    variance += np.maximum(((losses**2).sum() - cells.square) / rest - rest_mean**2, 0) / rest
    found: Floats = (cells.mean - rest_mean) / np.sqrt(np.maximum(variance, 1e-12))
    return found


def _joined(cells: _Cells, fails: npt.NDArray[np.bool_]) -> _Cells:
    """Cells of one column, with neighbouring stretches that fail about equally as one."""
    mean = np.where(fails & (cells.n >= MIN_GROUP), cells.mean, np.nan)
    mean[cells.axes[0].n_stretches :] = np.nan
    low, high = np.minimum(mean[1:], mean[:-1]), np.maximum(mean[1:], mean[:-1])
    starts = np.flatnonzero(np.r_[True, ~(high <= _WORSE_THAN_EITHER * low)])
    n, n_class, loss, square = (
        np.add.reduceat(sums, starts) for sums in (cells.n, cells.n_class, cells.loss, cells.square)
    )
    return _Cells(
        cells.axes,
        cells.is_slice[starts],
        n,
        n_class,
        loss,
        square,
        first=starts,
        last=np.r_[starts[1:], len(mean)] - 1,
    )


def _finding(cells: _Cells, cell: int, *, z: float, is_thin: bool, fails: bool) -> Finding:
    n_class = int(cells.n_class[cell])
    return Finding(
        where=cells.where(cell),
        n_rows=int(cells.n[cell]),
        n_class=None if 0 < n_class < MIN_GROUP else n_class,
        loss=float(cells.mean[cell]),
        z=z,
        is_thin=is_thin,
        fails=fails,
    )
