"""Which slices are thin, and where a model fails: levels and stretches of one column or two, by out-of-fold predictions.

The loss of a row is the negative logarithm of the probability that boosted trees, taught on other persons' rows, gave to
what it is (of the rarest class of the target, or not). A slice fails where its mean loss is above that of the other rows by
more than chance, with as many chances allowed for as there are slices (Bonferroni). Slices of fewer than 11 rows are counted
and never named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.augment.cells import WORSE_THAN_EITHER, Cells, above_rest, cells_of, joined
from tabsynth.augment.slices import rarest_class, require_classes
from tabsynth.augment.splits import stratified_splits
from tabsynth.augment.stretches import Text
from tabsynth.augment.trial import MAX_ROWS, MIN_POSITIVE, affordable, label_of
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.errors import DataError
from tabsynth.metrics.plain_learners import Boosted
from tabsynth.metrics.sampling import take_rows
from tabsynth.metrics.utility import Task
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.plain_results import PlainResults
from tabsynth.randomness import Streams
from tabsynth.table import Table

FORMAT = "tabsynth-slices/1"
MOST_SHOWN = 20
THIN_SHARE = 0.05
MOST_TRIED = 0.4  # of the rows, in a slice that is proposed
_FOLDS = 3
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

        None of fewer rows of the class than a trial needs, and none of more than two fifths of the rows, which are no few.
        """
        most = MOST_TRIED * self.n_rows
        able = [one for one in self.findings if (one.n_class or 0) >= MIN_POSITIVE and one.n_rows <= most]
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

    Numbers and times are cut at about their tenths, finer at the ends and coarser in pairs; a stretch is told where it
    fails alone, as quantiles say how rare it is.
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
    found, n_examined, n_small = list[Cells](), 0, 0
    for cells in cells_of(columns, is_class, losses):
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


def _worth_telling(found: list[Cells], losses: Floats, n_examined: int) -> list[Finding]:
    """Slices that fail, and single levels that are thin; failing ones first, by how far they are above the rest."""
    from scipy.stats import norm

    limit, n_rows = float(norm.isf(0.05 / n_examined)), len(losses)
    findings = []
    for each in found:
        cells = each if each.parents else joined(each, above_rest(each, losses) > limit)
        z = above_rest(cells, losses)
        for cell in np.flatnonzero(cells.is_slice & (cells.n >= MIN_GROUP) & (cells.n < n_rows)).tolist():
            fails, is_thin = bool(z[cell] > limit), bool(cells.n[cell] < THIN_SHARE * n_rows)
            if cells.parents:
                places = cells.places(cell)
                parents = max(means[place] for means, place in zip(cells.parents, places, strict=True))
                fails = fails and bool(cells.mean[cell] > WORSE_THAN_EITHER * parents)
            if fails or (is_thin and cells.is_level(cell)):
                findings.append(_finding(cells, cell, z=float(z[cell]), is_thin=is_thin, fails=fails))
    return sorted(findings, key=lambda one: (not one.fails, -one.z, one.n_rows))


def _finding(cells: Cells, cell: int, *, z: float, is_thin: bool, fails: bool) -> Finding:
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
