"""Rows of a junction tree given states that differ from row to row, exact.

Messages go up the tree once for all different evidence at a time, with a dimension for it only where there is some:
known variables are cut out of their cliques, likelihoods multiplied on. Then states are drawn from the root down
(forward filtering, backward sampling; Koller and Friedman 2009, section 12.3.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.junction_tree import Clique, JunctionTree

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.intp]
_MOST_CELLS = 1 << 22  # of all cliques and all evidence at once


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """A likelihood of the states of one variable in every row: line `index[row]` of `table`, (n_lines, n_states)."""

    index: States
    table: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Collected:
    """A clique's table given evidence, (n_evidence or 1, states of `free` …), after all messages from below."""

    free: Clique
    table: Floats


def drawn_given(
    tree: JunctionTree,
    factors: Sequence[Floats],
    n_rows: int,
    *,
    known: Mapping[int, States],
    soft: Mapping[int, Soft],
    rng: np.random.Generator,
) -> dict[int, States]:
    """States of all variables in every row, (n_rows,): those of `known`, others drawn given them and `soft`.

    `factors` ≥ 0 have the axes of the cliques; their product is the distribution without evidence, up to a factor.
    """
    columns = [*known.values(), *(one.index for one in soft.values())]
    evidence, which = _distinct(columns, n_rows)
    free = [math.prod(tree.sizes[v] for v in clique if v not in known) for clique in tree.cliques]
    at_once = max(1, _MOST_CELLS // max(sum(free), 1))
    states = {v: np.empty(n_rows, dtype=np.intp) for clique in tree.cliques for v in clique}
    states |= {v: found.astype(np.intp) for v, found in known.items()}
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(0, len(evidence) + at_once, at_once))
    uniform = rng.random((n_rows, len(tree.cliques)))
    for k, start in enumerate(range(0, len(evidence), at_once)):
        lines = evidence[start : start + at_once]
        rows = order[starts[k] : starts[k + 1]]
        some = {v: lines[:, i] for i, v in enumerate(known)}
        likely = {v: one.table[lines[:, len(known) + i]] for i, (v, one) in enumerate(soft.items())}
        collected = _collect(tree, factors, some, likely)
        _draw(tree, collected, states, rows, which[rows] - start, uniform[rows])
    return states


def _distinct(columns: Sequence[States], n_rows: int) -> tuple[States, States]:
    """The different lines of several columns, (n_lines, n_columns), and the line of every row."""
    if not columns:
        return np.zeros((1, 0), dtype=np.intp), np.zeros(n_rows, dtype=np.intp)
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    if math.prod(sizes) < 1 << 62:
        keys, which = np.unique(np.ravel_multi_index(list(columns), sizes), return_inverse=True)
        return np.stack(np.unravel_index(keys, sizes), axis=1), which.reshape(-1)
    lines, which = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return lines, which.reshape(-1)


def _collect(
    tree: JunctionTree, factors: Sequence[Floats], known: Mapping[int, States], soft: Mapping[int, Floats]
) -> list[_Collected]:
    found: list[_Collected | None] = [None] * len(tree.cliques)
    messages: list[list[tuple[Clique, Floats]]] = [[] for _ in tree.cliques]
    homes = {v: next(i for i, clique in enumerate(tree.cliques) if v in clique) for v in soft}
    for i in range(len(tree.cliques) - 1, -1, -1):
        clique = tree.cliques[i]
        fixed = tuple(v for v in clique if v in known)
        free = tuple(v for v in clique if v not in known)
        turned = factors[i].transpose([clique.index(v) for v in (*fixed, *free)])
        table = turned[tuple(known[v] for v in fixed)] if fixed else turned[None]
        for v, home in homes.items():
            if home == i:
                table = table * _onto(soft[v], (v,), free)
        for axes, message in messages[i]:
            table = table * _onto(message, axes, free)
        found[i] = _Collected(free, table)
        if i:
            kept = tuple(v for v in free if v in tree.separators[i])
            gone = tuple(1 + k for k, v in enumerate(free) if v not in kept)
            message = table.sum(axis=gone) if gone else table
            total = message.reshape(len(message), -1).sum(axis=1)
            scale = np.where(total > 0, total, 1.0).reshape([-1] + [1] * len(kept))
            messages[tree.parents[i]].append((kept, message / scale))
    return [one for one in found if one is not None]


def _onto(table: Floats, axes: Clique, free: Clique) -> Floats:
    """A table of evidence and `axes`, which stand in the order they have in `free`, so that it multiplies onto all of `free`."""
    shape = iter(table.shape[1:])
    return table.reshape([len(table), *(next(shape) if v in axes else 1 for v in free)])


def _draw(
    tree: JunctionTree,
    collected: Sequence[_Collected],
    states: dict[int, States],
    rows: States,
    line: States,
    uniform: Floats,
) -> None:
    """Draw the free states of some rows, whose evidence is `line`, from the root down."""
    for i, one in enumerate(collected):
        given = tuple(v for v in one.free if v in tree.separators[i])
        new = tuple(v for v in one.free if v not in given)
        if not new:
            continue
        n_given, n_new = (math.prod(tree.sizes[v] for v in some) for some in (given, new))
        lead = len(one.table)
        turned = one.table.transpose([0, *(1 + one.free.index(v) for v in (*given, *new))])
        ends = np.cumsum(turned.reshape(lead * n_given, n_new), axis=1)
        total = ends[:, -1:]
        even = np.arange(1, n_new + 1) / n_new
        ends = np.where(total > 0, ends / np.where(total > 0, total, 1.0), even)
        ends[:, -1] = 1.0
        at = line if lead > 1 else np.zeros(len(rows), dtype=np.intp)
        for v in given:
            at = at * tree.sizes[v] + states[v][rows]
        ends += np.arange(lead * n_given)[:, None]
        joint = np.searchsorted(ends.ravel(), at + uniform[:, i], side="right") - at * n_new
        joint = np.clip(joint, 0, n_new - 1)
        for v in reversed(new):
            joint, states[v][rows] = np.divmod(joint, tree.sizes[v])
