"""Coordinates in which the fit of a log-linear model is about as steep in every direction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FEWEST = 16.0  # rows that a cell is taken to hold, at least, where its curvature is estimated


class Coordinates:
    """Positions, as many as there are θ, for measured tables `counts` over `variables` with ridges λ v.

    Each cell is scaled by an estimate of the curvature's diagonal, n p + λ v, with p as measured. That leaves
    what tables share: k tables that hold a column can all raise one of its cells, and together they curve k
    times as much as one of them alone. So the mean of these k directions is shrunk by √k; a table's own is
    the root of the share that each of its cells has in the column's. `gradient` is the transpose of `theta`.
    """

    def __init__(
        self, variables: Sequence[tuple[int, ...]], counts: Sequence[Floats], ridges: Sequence[Floats]
    ) -> None:
        seen = [np.maximum(y, _FEWEST) for y in counts]
        self._variables, self._shapes = variables, [y.shape for y in counts]
        self._ends = np.cumsum([0, *(y.size for y in counts)])
        self._scale = np.concatenate(
            [(1 / np.sqrt(y + r)).ravel() for y, r in zip(seen, ridges, strict=True)] or [np.empty(0)]
        )
        self._directions = [
            [np.sqrt(y / y.sum(axis=_others(y, axis), keepdims=True)) for axis in range(y.ndim)] for y in seen
        ]
        self._holding = [
            sum(v in table for table in variables) for v in range(1 + max(map(max, variables), default=-1))
        ]

    def unpacked(self, theta: Floats) -> list[Floats]:
        """A view of the part of each table, in its shape."""
        parts = zip(self._ends[:-1], self._ends[1:], self._shapes, strict=True)
        return [theta[a:b].reshape(shape) for a, b, shape in parts]

    def theta(self, position: Floats) -> Floats:
        return np.asarray(self._evened(position) * self._scale)

    def gradient(self, of_theta: Floats) -> Floats:
        return self._evened(of_theta * self._scale)

    def _evened(self, position: Floats) -> Floats:
        position = position.copy()
        tables = self.unpacked(position)
        along: dict[int, Floats] = {}
        for members, table, directions in zip(self._variables, tables, self._directions, strict=True):
            for axis, (v, direction) in enumerate(zip(members, directions, strict=True)):
                along[v] = along.get(v, 0.0) + (table * direction).sum(axis=_others(table, axis))
        moved = {
            v: sums * (1 / math.sqrt(self._holding[v]) - 1) / self._holding[v] for v, sums in along.items()
        }
        for members, table, directions in zip(self._variables, tables, self._directions, strict=True):
            for axis, (v, direction) in enumerate(zip(members, directions, strict=True)):
                np.add(table, np.expand_dims(moved[v], _others(table, axis)) * direction, out=table)
        return position


def _others(table: Floats, axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(table.ndim) if other != axis)
