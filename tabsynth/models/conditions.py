"""Conditions and given cells, as sets on the latent axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ConditionError
from tabsynth.models.condition import Condition, Given
from tabsynth.models.latent import Latent, Part
from tabsynth.models.spans import (
    LATTICE,
    LINE,
    covered,
    joined,
    latent_intervals,
    latent_sets,
    nearest_pieces,
)

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class AxisSet:
    """Intervals of one axis, ascending and apart, `lower` and `upper` of shape (r, k): r = 1 for all rows alike, else n_rows.

    Both ends are equal where a row is held at one position. Where `gate` is (axis, low, high), rows whose position
    on that other axis is not between low and high are free.
    """

    lower: Floats
    upper: Floats
    gate: tuple[int, float, float] | None = None

    @property
    def is_point(self) -> npt.NDArray[np.bool_]:
        """Which of the r rows are held at one position."""
        return np.asarray((self.lower[:, 0] == self.upper[:, 0]) & (self.lower.shape[1] == 1))

    def rows(self, chosen: Rows) -> AxisSet:
        """The intervals of some rows."""
        if len(self.lower) == 1:
            return self
        return AxisSet(self.lower[chosen], self.upper[chosen], self.gate)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What is asked of each axis, and which rows' given cells had to be moved to what the model makes, (n_rows,)."""

    sets: Mapping[int, AxisSet]
    is_moved: npt.NDArray[np.bool_]

    def alike(self) -> Iterator[tuple[Rows, dict[int, Floats], dict[int, AxisSet]]]:
        """Rows whose axes are held alike, the positions of axes held at one, (n,), and the sets of the others."""
        n_rows = len(self.is_moved)
        if not n_rows:
            return
        kind = np.zeros((n_rows, len(self.sets)), dtype=np.uint8)
        gates = {one.gate[0] for one in self.sets.values() if one.gate is not None}
        for k, (axis, one) in enumerate(self.sets.items()):
            is_free = np.isneginf(one.lower[:, 0]) & np.isposinf(one.upper[:, -1])
            is_free &= (one.lower.shape[1] == 1) & (axis not in gates)
            kind[:, k] = np.where(is_free, 0, np.where(one.is_point, 2, 1))
        for pattern, rows in _groups(kind):
            points, within = {}, {}
            for (axis, one), what in zip(self.sets.items(), pattern, strict=True):
                if what == 2:
                    points[axis] = np.broadcast_to(one.rows(rows).lower[:, 0], len(rows))
                elif what == 1:
                    within[axis] = one.rows(rows)
            yield rows, points, within


def _groups(kind: npt.NDArray[np.uint8]) -> Iterator[tuple[list[int], Rows]]:
    if kind.shape[1] == 0:
        yield [], np.arange(len(kind))
        return
    patterns, which = np.unique(kind, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        yield pattern.tolist(), np.flatnonzero(which.reshape(-1) == k)


def held_axes(latents: Sequence[Latent], conditions: Sequence[Condition], given: Given, n_rows: int) -> Held:
    """What conditions and given cells ask of the axes; raises `ConditionError` where the model never goes there."""
    asked = {condition.column: condition for condition in conditions}
    sets: dict[int, AxisSet] = {}
    is_moved = np.zeros(n_rows, dtype=np.bool_)
    level_of: dict[str, int] = {}
    for axis, latent in enumerate(latents):
        name = latent.variable.name
        if latent.part is Part.LEVEL:
            level_of[name] = axis
        if name in given:
            sets[axis], moved = _given_set(latent, given)
            is_moved |= moved
        elif name in asked:
            found = _asked_set(latents, axis, asked[name], level_of.get(name))
            if found is not None:
                sets[axis] = found
    return Held(sets, is_moved)


def _asked_set(
    latents: Sequence[Latent], axis: int, condition: Condition, level: int | None
) -> AxisSet | None:
    latent = latents[axis]
    if latent.part is Part.LEVEL:
        low, high = level_intervals(latent, number_left(latents, condition))
        if not len(low):
            raise impossible(condition.column)
        return AxisSet(low[None], high[None])
    if 0 not in condition.codes or condition.spans in (LINE, LATTICE):
        return None
    low, high = latent_sets(latent.marginal, condition.spans)
    if not len(low):
        if condition.codes == (0,):
            raise impossible(condition.column)
        return None  # the level axis leaves out numbers then
    if level is None or condition.codes == (0,):
        return AxisSet(low[None], high[None])
    gate = latents[level].level_interval(0)
    return None if gate is None else AxisSet(low[None], high[None], (level, *gate))


def number_left(latents: Sequence[Latent], condition: Condition) -> tuple[int, ...]:
    """The condition's codes, less that of numbers where the model makes none of those that are asked for."""
    if 0 not in condition.codes or not condition.spans:
        return condition.codes
    for latent in latents:
        if latent.variable.name == condition.column and latent.part is Part.VALUE:
            if not len(latent_sets(latent.marginal, condition.spans)[0]):
                return tuple(code for code in condition.codes if code)
            cover = (covered(latent.marginal, condition.spans) * latent.marginal.mass).sum()
            if not cover > 0 and any(latent.variable.n_levels > code > 0 for code in condition.codes):
                return _without_points(latents, condition)
    return condition.codes


def _without_points(latents: Sequence[Latent], condition: Condition) -> tuple[int, ...]:
    """Beside levels that have a probability, single values of a line that have only a density never come."""
    for latent in latents:
        if latent.variable.name == condition.column and latent.part is Part.LEVEL:
            others = tuple(code for code in condition.codes if code)
            if len(level_intervals(latent, others)[0]):
                return others
    return condition.codes


def impossible(column: str) -> ConditionError:
    """The error for a condition that the model never meets."""
    return ConditionError(f"column {column!r}: the condition has probability zero under the model")


def level_intervals(latent: Latent, codes: Sequence[int]) -> tuple[Floats, Floats]:
    """The latent intervals of some levels, ascending, those that touch as one; none where all have probability zero."""
    found = [interval for code in codes if (interval := latent.level_interval(code)) is not None]
    ends = np.array(found, dtype=np.float64).reshape(-1, 2)
    ends = ends[ends[:, 0] < ends[:, 1]]
    return joined(ends[:, 0], ends[:, 1])


def _given_set(latent: Latent, given: Given) -> tuple[AxisSet, npt.NDArray[np.bool_]]:
    """The interval of every row's given cell, and the rows in which it is not one that the model makes."""
    column, marginal = given[latent.variable.name], latent.marginal
    if latent.part is Part.LEVEL:
        pieces = latent.pieces(column).astype(np.intp)
        low, high = marginal.cuts[pieces], marginal.cuts[pieces + 1]
        is_off = ~(low < high)
        return AxisSet(
            np.where(is_off, -np.inf, low)[:, None], np.where(is_off, np.inf, high)[:, None]
        ), is_off
    assert column.values is not None
    pieces, is_in = nearest_pieces(marginal, column.values)
    low, high = latent_intervals(marginal, pieces, column.values)
    is_number = column.codes == 0
    low, high = np.where(is_number, low, -np.inf), np.where(is_number, high, np.inf)
    return AxisSet(low[:, None], high[:, None]), is_number & ~is_in
