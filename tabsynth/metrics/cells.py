"""Cells of one or several columns as small integers: which rows agree, and how many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn
from tabsynth.metrics.base import EvalData, MetricResult, Status

Ids = npt.NDArray[np.intp]

MAX_KEYS = 1_000_000  # of joint keys that are counted without sorting them
NO_KEYS = "not applicable: no quasi-identifiers were named"
NO_SENSITIVE = "not applicable: no sensitive column was named"


def named_columns(data: EvalData) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Quasi-identifiers and sensitive columns that are compared, in the order in which they were named."""
    known = data.encoded_train.columns
    return (
        tuple(name for name in data.quasi_identifiers if name in known),
        tuple(name for name in data.sensitive if name in known),
    )


def sensitive_or_target(data: EvalData) -> tuple[str, ...]:
    """The sensitive columns; the target where none was named."""
    _, sensitive = named_columns(data)
    if sensitive or data.target is None or data.target not in data.encoded_train.columns:
        return sensitive
    return (data.target,)


def not_applicable(reason: str, *metrics: str) -> tuple[MetricResult, ...]:
    return tuple(
        MetricResult(metric=metric, status=Status.NOT_APPLICABLE, reason=reason) for metric in metrics
    )


def unusable(data: EvalData, *, least: int = 1) -> str:
    """Why nothing can be said of these tables: no column, or too few rows of train or synthetic. Empty where it can."""
    if not data.encoded_train.columns:
        return "no column is modelled"
    for which, table in (("train", data.encoded_train), ("synthetic", data.encoded_synthetic)):
        if table.n_rows < least:
            few = f"needs {least} rows of the {which} table, found {table.n_rows}"
            return f"the {which} table has no rows" if least == 1 else few
    return ""


def cell_ids(columns: Sequence[EncodedColumn]) -> list[Ids]:
    """One id per cell and table, equal where cells are: numbers ascending, then the levels by code.

    `columns` are the same column of several tables; ids start at 0 and leave no gap over all of them.
    """
    codes = np.concatenate([column.codes for column in columns]).astype(np.intp)
    ids = codes
    if columns[0].values is not None:
        values = np.concatenate([column.values for column in columns if column.values is not None])
        is_number = codes == 0
        distinct, place = np.unique(values[is_number], return_inverse=True)
        ids = codes + len(distinct)
        ids[is_number] = place
    return split_ids(np.unique(ids, return_inverse=True)[1], [len(column.codes) for column in columns])


def split_ids(ids: Ids, lengths: Sequence[int]) -> list[Ids]:
    """One array of ids per table, of the lengths given."""
    return [np.asarray(part, dtype=np.intp) for part in np.split(ids, np.cumsum(lengths)[:-1])]


def joint_ids(columns: Sequence[Ids]) -> Ids:
    """One id per row, equal where rows agree in every one of `columns` (at least one, equally long).

    Ids start at 0 and leave no gap.
    """
    ids = joint_keys(columns)
    return np.unique(ids, return_inverse=True)[1].astype(np.intp)


def joint_keys(columns: Sequence[Ids]) -> Ids:
    """As `joint_ids`, but with gaps: below the larger of `MAX_KEYS` and the number of rows."""
    ids = columns[0]
    for other in columns[1:]:
        width = int(other.max(initial=0)) + 1
        is_wide = (int(ids.max(initial=0)) + 1) * width > MAX_KEYS
        ids = ids * width + other
        if is_wide:
            ids = np.unique(ids, return_inverse=True)[1].astype(np.intp)
    return ids
