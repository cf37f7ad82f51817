"""A marginal as a table: a row for each joint cell, in the values of its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tabsynth.arguments import refuse
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.discrete import DiscreteEncoder
from tabsynth.encode.table import encoder_of
from tabsynth.io.text import render
from tabsynth.models.explicit import Axis, CellProbabilities, ExplicitModel
from tabsynth.models.public_cells import PublicCells, Values
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Column, TableSchema

MOST_COLUMNS = 3
PROBABILITY = "probability"
_FEWEST_DIGITS = 4  # of the ends of intervals off a lattice
_MOST_NAMED = 3  # levels in the name of a group


def positions_of(names: Sequence[str], model: ExplicitModel, schema: TableSchema) -> tuple[int, ...]:
    """Where the model has these columns, 1 to 3 different ones; raises `UsageError` that lists what is wrong."""
    known = {variable.name: v for v, variable in enumerate(model.variables)}
    refuse(
        f"name columns one by one, as texts, found {type(name).__name__}"
        for name in names
        if not isinstance(name, str)
    )
    faults = [] if 1 <= len(names) <= MOST_COLUMNS else [f"a marginal is of 1 to {MOST_COLUMNS} columns"]
    for at, name in enumerate(names):
        if name in names[:at]:
            faults.append(f"column {name!r} is named twice")
        elif name not in known and name in schema.column_names:
            kind = schema[name].kind.value
            faults.append(f"column {name!r} is not modelled: a column of kind {kind} is made anew")
        elif name not in known:
            faults.append(f"no column {name!r} ({did_you_mean(str(name), known)})")
    refuse(faults)
    return tuple(known[name] for name in names)


def marginal_frame(found: CellProbabilities, columns: Sequence[Column]) -> pl.DataFrame:
    """One column per axis and then `probability`; the last axis runs fastest.

    Cells of one value each are in the column's stored type; otherwise all are text, as `cell_labels` has it.
    """
    shape = found.probabilities.shape
    at = np.unravel_index(np.arange(found.probabilities.size), shape)
    labels = [cell_labels(axis, column) for axis, column in zip(found.axes, columns, strict=True)]
    named = [label.gather(rows.astype(np.uint32)) for label, rows in zip(labels, at, strict=True)]
    probability = PROBABILITY
    while probability in {column.name for column in columns}:
        probability += "_"
    return pl.DataFrame([*named, pl.Series(probability, found.probabilities.ravel())])


def cell_labels(axis: Axis, column: Column) -> pl.Series:
    """What each group of cells holds, (n_groups,): its one value in the stored type, or text for all groups.

    As text, numbers from a to b are "[a, b]", both ends included (off a lattice they are rounded as far as
    they stay apart), and several levels or intervals stand beside each other. Null alone is null.
    """
    cells, group = axis.cells, axis.group
    single = _values(cells, column)
    members = [np.flatnonzero(group == g).tolist() for g in range(axis.n_groups)]
    if single is not None and all(len(cell) == 1 for cell in members):
        return single.gather([cell[0] for cell in members])
    n_numbers = cells.n_numbers
    lower, upper = _end_texts(cells, column)
    levels = _level_texts(cells, column)
    texts: list[str | None] = []
    for group_cells in members:
        numbers = [cell for cell in group_cells if cell < n_numbers]
        words = [_interval(lower[a], upper[b]) for a, b in _runs(numbers)]
        named = [levels[cell - n_numbers] for cell in group_cells if cell >= n_numbers]
        is_null = not words and named == [None]
        n_more = len(named) - _MOST_NAMED if len(named) > _MOST_NAMED + 1 else 0
        words += ["null" if name is None else name for name in (named[:_MOST_NAMED] if n_more else named)]
        text = ", ".join(words)
        texts.append(None if is_null else f"{text} and {n_more} more" if n_more else text)
    return pl.Series(column.name, texts, dtype=pl.String)


def _interval(lower: str, upper: str) -> str:
    return lower if lower == upper else f"[{lower}, {upper}]"


def _runs(cells: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of every run of neighbours among ascending cells."""
    runs: list[tuple[int, int]] = []
    for cell in cells:
        if runs and runs[-1][1] == cell - 1:
            runs[-1] = (runs[-1][0], cell)
        else:
            runs.append((cell, cell))
    return runs


def _values(cells: PublicCells, column: Column) -> pl.Series | None:
    """The value of every cell in the column's stored type; None where a cell holds several."""
    if (cells.lower != cells.upper).any():
        return None
    numbers, levels = _numbers(cells.lower, column), _levels(cells, column)
    return pl.concat([numbers, levels]) if len(numbers) else levels


def _numbers(values: Values, column: Column) -> pl.Series:
    encoder = encoder_of(column)
    if not isinstance(encoder, ContinuousEncoder):
        return pl.Series(column.name, [], dtype=pl.String)
    return encoder.decode(np.zeros(len(values), dtype=np.uint8), values)


def _levels(cells: PublicCells, column: Column) -> pl.Series:
    encoder, variable = encoder_of(column), cells.variable
    codes = np.arange(variable.n_levels).astype(np.min_scalar_type(variable.n_levels))
    if isinstance(encoder, ContinuousEncoder):
        return encoder.decode(codes, np.zeros(len(codes), dtype=cells.lower.dtype))[1:]
    if isinstance(encoder, DiscreteEncoder):
        return encoder.decode(codes)
    return pl.Series(column.name, ["present", None], dtype=pl.String)


def _level_texts(cells: PublicCells, column: Column) -> list[str | None]:
    return render(_levels(cells, column), None).cast(pl.String).to_list()


def _end_texts(cells: PublicCells, column: Column) -> tuple[list[str], list[str]]:
    if cells.variable.is_lattice or not cells.n_numbers:
        ends = (_numbers(values, column) for values in (cells.lower, cells.upper))
        lower, upper = (render(values, column).cast(pl.String).to_list() for values in ends)
        return lower, upper
    edges = np.unique(np.r_[cells.lower, cells.upper])
    digits = _FEWEST_DIGITS
    while digits < 17 and len(np.unique([float(f"{edge:.{digits}g}") for edge in edges])) < len(edges):
        digits += 1
    lower, upper = (
        [f"{float(f'{value:.{digits}g}')!r}".removesuffix(".0") for value in values.tolist()]
        for values in (cells.lower, cells.upper)
    )
    return lower, upper
