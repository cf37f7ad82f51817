"""Which slices are thin, and where a model fails: levels of one column or two, by out-of-fold predictions.

The loss of a row is the negative logarithm of the probability that boosted trees, taught on other persons' rows, gave to
what it is (of the rarest class of the target, or not). A slice fails where its mean loss is above that of the other rows by
more than chance, with as many chances allowed for as there are slices (Bonferroni). Slices of fewer than 11 rows are counted
and never named.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.augment.slices import rarest_class, require_classes
from tabsynth.augment.splits import stratified_splits
from tabsynth.augment.trial import MAX_ROWS, MIN_POSITIVE, affordable, label_of
from tabsynth.encode import EncodedTable, decode_table, encode_table
from tabsynth.encode.table import EncodedColumn
from tabsynth.errors import DataError
from tabsynth.metrics.plain_learners import Boosted
from tabsynth.metrics.sampling import take_rows
from tabsynth.metrics.utility import Task
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.plain_results import PlainResults
from tabsynth.randomness import Streams
from tabsynth.schema.types import TableSchema
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
    """A slice of at least 11 rows: the levels that it holds columns at, as text; None is null.

    `n_class` of its rows are of the class, None where that is from 1 to 10. `loss` is its mean loss, `z` how many standard errors
    that is above the other rows'.
    """

    where: dict[str, str | None]
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
        """What to try first: slices that are thin and fail."""
        return tuple(one for one in self.findings if one.is_thin and one.fails)


def find_slices(
    table: Table,
    *,
    target: str,
    max_rows: int = MAX_ROWS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> SliceResults:
    """Look at every level of every column, and every pair of levels of columns with 20 or fewer.

    Columns of numbers are not cut: of them only nulls and special values are slices, as conditions hold single values.
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
        name: column
        for name, column in encoded.columns.items()
        if name != target and table.schema[name].kind.is_modelled
    }
    found, n_examined, n_small = list[_Cells](), 0, 0
    for cells in _cells(columns, is_class, losses):
        n_examined += int((cells.is_slice & (cells.n >= MIN_GROUP)).sum())
        n_small += int((cells.is_slice & (cells.n > 0) & (cells.n < MIN_GROUP)).sum())
        found.append(cells)
    findings = _worth_telling(found, columns, table.schema, losses, max(1, n_examined))
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

    Whether it is a slice (no column at "a number"), rows, rows of the class, sums of losses and of their squares.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    is_slice: npt.NDArray[np.bool_]
    n: Floats
    n_class: Floats
    loss: Floats
    square: Floats

    def codes(self, cell: int) -> tuple[int, ...]:
        return tuple(int(code) for code in np.unravel_index(cell, self.shape))

    @property
    def mean(self) -> Floats:
        return self.loss / np.maximum(self.n, 1)


def _cells(
    columns: Mapping[str, EncodedColumn], is_class: npt.NDArray[np.bool_], losses: Floats
) -> Iterator[_Cells]:
    for name, column in columns.items():
        yield _counted((name,), (column,), is_class, losses)
    few = [name for name, column in columns.items() if 1 < column.variable.n_levels <= MOST_LEVELS]
    for pair in itertools.combinations(few, 2):
        yield _counted(pair, tuple(columns[name] for name in pair), is_class, losses)


def _counted(
    names: tuple[str, ...],
    columns: tuple[EncodedColumn, ...],
    is_class: npt.NDArray[np.bool_],
    losses: Floats,
) -> _Cells:
    shape = tuple(column.variable.n_levels for column in columns)
    flat = np.ravel_multi_index([column.codes.astype(np.int64) for column in columns], shape)
    size = int(np.prod(shape))
    weights = (None, is_class.astype(np.float64), losses, losses**2)
    counts = (np.bincount(flat, weights=weight, minlength=size).astype(np.float64) for weight in weights)
    is_slice = np.ones(shape, dtype=np.bool_)
    for axis, column in enumerate(columns):
        if column.values is not None:
            np.moveaxis(is_slice, axis, 0)[0] = False
    return _Cells(names, shape, is_slice.ravel(), *counts)


def _worth_telling(
    found: list[_Cells],
    columns: Mapping[str, EncodedColumn],
    schema: TableSchema,
    losses: Floats,
    n_examined: int,
) -> list[Finding]:
    """Slices that fail, and single levels that are thin; failing ones first, by how far they are above the rest."""
    from scipy.stats import norm

    limit = float(norm.isf(0.05 / n_examined))
    n_rows, whole, whole_square = len(losses), float(losses.sum()), float((losses**2).sum())
    of_one = {cells.names[0]: cells.mean for cells in found if len(cells.names) == 1}
    findings = []
    for cells in found:
        rest = np.maximum(n_rows - cells.n, 1)
        rest_mean = (whole - cells.loss) / rest
        variance = np.maximum(cells.square / np.maximum(cells.n, 1) - cells.mean**2, 0) / np.maximum(
            cells.n, 1
        )
        variance += np.maximum((whole_square - cells.square) / rest - rest_mean**2, 0) / rest
        z = (cells.mean - rest_mean) / np.sqrt(np.maximum(variance, 1e-12))
        for cell in np.flatnonzero(cells.is_slice & (cells.n >= MIN_GROUP) & (cells.n < n_rows)):
            codes = cells.codes(int(cell))
            fails, is_thin = bool(z[cell] > limit), bool(cells.n[cell] < THIN_SHARE * n_rows)
            if len(codes) == 2:
                parents = max(of_one[name][code] for name, code in zip(cells.names, codes, strict=True))
                fails = fails and bool(cells.mean[cell] > _WORSE_THAN_EITHER * parents)
            if fails or (is_thin and len(codes) == 1):
                findings.append(_finding(cells, int(cell), codes, columns, schema, z=float(z[cell]), is_thin=is_thin, fails=fails))  # fmt: skip
    return sorted(findings, key=lambda one: (not one.fails, -one.z, one.n_rows))


def _finding(
    cells: _Cells,
    cell: int,
    codes: tuple[int, ...],
    columns: Mapping[str, EncodedColumn],
    schema: TableSchema,
    *,
    z: float,
    is_thin: bool,
    fails: bool,
) -> Finding:
    n_class = int(cells.n_class[cell])
    return Finding(
        where={
            name: _text(columns[name], code, schema) for name, code in zip(cells.names, codes, strict=True)
        },
        n_rows=int(cells.n[cell]),
        n_class=None if 0 < n_class < MIN_GROUP else n_class,
        loss=float(cells.mean[cell]),
        z=z,
        is_thin=is_thin,
        fails=fails,
    )


def _text(column: EncodedColumn, code: int, schema: TableSchema) -> str | None:
    """The level as text, None for null."""
    variable = column.variable
    if code == variable.null_code:
        return None
    values: Any = None if column.values is None else np.zeros(1, dtype=column.values.dtype)
    one = EncodedColumn(variable, np.array([code], dtype=column.codes.dtype), values)
    single = TableSchema(name="level", columns=(schema[variable.name],))
    cell: Any = decode_table(EncodedTable(1, {variable.name: one}), single)[variable.name][0]
    return str(cell)
