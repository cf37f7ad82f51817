"""Conditions on cells, as a box on the latent axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.models.latent import Latent, Part

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Box:
    """Latent bounds of every axis, both of shape (n_latents,): (-inf, inf) where nothing is asked."""

    lower: Floats
    upper: Floats

    @property
    def points(self) -> npt.NDArray[np.int64]:
        """Axes held at one position."""
        return np.flatnonzero(self.lower == self.upper)

    @property
    def intervals(self) -> npt.NDArray[np.int64]:
        """Axes held within an interval."""
        bounded = np.isfinite(self.lower) | np.isfinite(self.upper)
        return np.flatnonzero(bounded & (self.lower != self.upper))

    def pin(self, rows: EncodedTable, conditions: Sequence[Condition]) -> EncodedTable:
        """The rows with conditioned cells at exactly their values (a stretch's end may round)."""
        columns = dict(rows.columns)
        for condition in conditions:
            column = columns[condition.column]
            codes = np.full_like(column.codes, condition.code)
            values = column.values
            if values is not None:
                number = 0 if condition.code else condition.value
                values = np.full_like(values, number)
            columns[condition.column] = EncodedColumn(column.variable, codes, values)
        return EncodedTable(rows.n_rows, columns)


def box_of(latents: Sequence[Latent], conditions: Sequence[Condition]) -> Box:
    """The box that the conditions ask for; raises `ConditionError` where the model never goes there."""
    box = Box(np.full(len(latents), -np.inf), np.full(len(latents), np.inf))
    for condition in conditions:
        axes = [k for k, latent in enumerate(latents) if latent.variable.name == condition.column]
        for k in axes:
            if latents[k].part is Part.LEVEL:
                interval = latents[k].level_interval(condition.code)
            elif condition.code == 0 and condition.value is not None:
                interval = latents[k].marginal.latent_interval(condition.value)
            else:
                continue
            if interval is None:
                raise ConditionError(
                    f"column {condition.column!r}: the condition has probability zero under the model"
                )
            if not interval[0] <= interval[1] or (
                interval[0] == interval[1] and not np.isfinite(interval[0])
            ):
                raise ArithmeticError(f"column {condition.column!r}: its latent interval is not one")
            box.lower[k], box.upper[k] = interval
    return box
