"""Conditions and given cells, as likelihoods of a network's fine cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn
from tabsynth.errors import ConditionError
from tabsynth.models.condition import Condition, Given
from tabsynth.models.conditions import impossible
from tabsynth.models.network.columns import Cells, NetworkColumn
from tabsynth.models.network.completing import Soft, drawn_given
from tabsynth.models.network.leaves import Leaf, given_cells
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.spans import Span

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A network once conditions are known: columns with the fine cells that are left, leaves that keep to theirs.

    `evidence` is the likelihood of coarse cells, `spans` where the numbers of a column may lie.
    """

    columns: tuple[NetworkColumn, ...]
    leaves: tuple[Leaf, ...]
    evidence: Mapping[int, Floats]
    spans: Mapping[int, tuple[Span, ...]]

    def encoded(self, v: int, fine: Cells, rng: np.random.Generator) -> EncodedColumn:
        """Codes and values of column v in every row's fine cell."""
        return self.columns[v].encoded(fine, rng, spans=self.spans.get(v))


def told(columns: Sequence[NetworkColumn], leaves: Sequence[Leaf], conditions: Sequence[Condition]) -> Told:
    """What conditions say. Raises `ConditionError` for one that no fine cell meets."""
    position = {column.variable.name: v for v, column in enumerate(columns)}
    held: dict[int, Floats] = {}
    spans: dict[int, tuple[Span, ...]] = {}
    for condition in conditions:
        v = position[condition.column]
        held[v] = columns[v].likelihood(condition)
        is_leaf = any(leaf.function.child == v for leaf in leaves)
        if not (held[v] if is_leaf else held[v] * columns[v].counts).any():
            raise impossible(condition.column)
        if condition.spans:
            spans[v] = condition.spans
    left = given_cells(columns, leaves, held)
    if not all(column.counts.any() for column in left.values()):
        raise none_together(conditions)
    return Told(
        columns=tuple(left.get(v, column) for v, column in enumerate(columns)),
        leaves=tuple(leaf.within(held[leaf.function.child]) if leaf.function.child in held else leaf for leaf in leaves),
        evidence={v: column.coarse_counts for v, column in left.items()},
        spans=spans,
    )  # fmt: skip


def none_together(conditions: Sequence[Condition]) -> ConditionError:
    """The error for conditions of which each is met, but never all."""
    names = ", ".join(repr(condition.column) for condition in conditions)
    return ConditionError(f"the conditions on {names} together have probability zero under the model")


def completed(
    model: LogLinear, known: Told, given: Given, n_rows: int, rng: np.random.Generator
) -> tuple[dict[int, Cells], int]:
    """The fine cell of every column in rows with given cells, and of how many rows these had to be moved.

    They are, to the nearest cell, where no cell holds a given number; and where the model never makes the given cells of
    leaves together, or with that of their parent, those of leaves say nothing of the others.
    """
    fine, is_moved = {}, np.zeros(n_rows, dtype=np.bool_)
    children = {leaf.function.child for leaf in known.leaves}
    for v, column in enumerate(known.columns):
        if column.variable.name in given:
            fine[v], is_in = column.cells_at(given[column.variable.name])
            is_moved |= ~is_in
            if v not in children:
                is_moved |= column.counts[fine[v]] <= 0
    hanging: dict[int, list[Leaf]] = {}
    for leaf in known.leaves:
        if leaf.function.child in fine:
            hanging.setdefault(leaf.function.parent, []).append(leaf)
    soft, inner = {}, {}
    for parent, some in hanging.items():
        if parent in fine:
            for leaf in some:
                is_moved |= leaf.conditional[fine[parent], fine[leaf.function.child]] <= 0
            continue
        soft[parent], inner[parent], is_off = _likelihood(known.columns[parent], some, fine)
        is_moved |= is_off
    states = drawn_given(
        model.tree,
        model.factors(dict(known.evidence)),
        n_rows,
        known={v: known.columns[v].coarse[cells] for v, cells in fine.items() if v not in children},
        soft=soft,
        rng=rng,
    )
    for v, coarse in states.items():
        if v in inner:
            fine[v] = _fine_by_line(inner[v], soft[v].index, coarse, rng)
        elif v not in fine:
            fine[v] = known.columns[v].fine_of(coarse, rng)
    for leaf in known.leaves:
        if leaf.function.child not in fine:
            fine[leaf.function.child] = leaf.draw(fine[leaf.function.parent], rng)
    return fine, int(is_moved.sum())


def _likelihood(
    parent: NetworkColumn, leaves: Sequence[Leaf], fine: Mapping[int, Cells]
) -> tuple[Soft, list[NetworkColumn], npt.NDArray[np.bool_]]:
    """What given cells of leaves say of their parent: of its coarse cells, and of the fine ones inside these."""
    sizes = [leaf.conditional.shape[1] for leaf in leaves]
    keys = np.ravel_multi_index([fine[leaf.function.child] for leaf in leaves], sizes)
    found, line = np.unique(keys, return_inverse=True)
    cells = np.unravel_index(found, sizes)
    weights = np.ones((len(found), parent.cells.n_cells))
    for leaf, at in zip(leaves, cells, strict=True):
        weights = weights * leaf.conditional[:, at].T
    weights = parent.shares * weights
    is_off = ~(weights.sum(axis=1) > 0)
    weights[is_off] = parent.shares
    columns = [replace(parent, counts=row) for row in weights]
    table = np.stack([column.coarse_counts for column in columns])
    return Soft(line.reshape(-1), table), columns, is_off[line.reshape(-1)]


def _fine_by_line(
    columns: Sequence[NetworkColumn], line: Cells, coarse: Cells, rng: np.random.Generator
) -> Cells:
    fine = np.empty(len(coarse), dtype=np.intp)
    order = np.argsort(line, kind="stable")
    ends = np.searchsorted(line[order], np.arange(len(columns) + 1))
    for k, column in enumerate(columns):
        rows = order[ends[k] : ends[k + 1]]
        if len(rows):
            fine[rows] = column.fine_of(coarse[rows], rng)
    return fine
