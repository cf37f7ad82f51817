"""Small networks with everything in them, and their distributions by enumeration of all joint states."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence

import numpy as np

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.network.choice import Function
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.fitted import FittedBayesianNetwork
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.leaves import Leaf
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.network.triangulation import cliques_of
from tabsynth.models.public_cells import PublicCells

NOTHING = np.zeros(0, dtype=np.int64)


def discrete(name: str, n_levels: int) -> PublicCells:
    return PublicCells(Variable(name=name, is_continuous=False, n_levels=n_levels), NOTHING, NOTHING)


def lattice(name: str, edges: Sequence[int], *, n_beside: int = 0) -> PublicCells:
    """Cells [e_i, e_{i+1} - 1], then `n_beside` levels, the first of them null."""
    variable = Variable(
        name=name,
        is_continuous=True,
        n_levels=1 + n_beside,
        is_ordered=True,
        is_lattice=True,
        null_code=1 if n_beside else None,
        lower=edges[0],
        upper=edges[-1] - 1,
        is_bounded=True,
    )
    ends = np.array(edges, dtype=np.int64)
    return PublicCells(variable, ends[:-1], ends[1:] - 1)


def line(name: str, edges: Sequence[float]) -> PublicCells:
    """Stretches between the edges, which are equal where an atom is meant."""
    variable = Variable(
        name=name,
        is_continuous=True,
        n_levels=1,
        is_ordered=True,
        lower=edges[0],
        upper=edges[-1],
        is_bounded=True,
    )
    ends = np.array(edges, dtype=np.float64)
    return PublicCells(variable, ends[:-1], ends[1:])


def column(
    cells: PublicCells, rng: np.random.Generator, *, n_coarse: int, zero: int | None = None
) -> NetworkColumn:
    """Random shares and random coarse cells; fine cell `zero` has no probability."""
    n = cells.n_cells
    coarse = np.r_[np.arange(n_coarse), rng.integers(0, n_coarse, n - n_coarse)]
    rng.shuffle(coarse)
    shares = rng.dirichlet(np.ones(n))
    if zero is not None:
        shares[zero] = 0.0
    return NetworkColumn(cells, shares / shares.sum(), coarse.astype(np.intp))


def network(
    columns: Sequence[NetworkColumn],
    pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
    *,
    functions: Sequence[tuple[int, int]] = (),
    strength: float = 1.5,
) -> FittedBayesianNetwork:
    """Random log-potentials on `pairs`; `functions` are (child, parent), the child in no pair."""
    sizes = [column.n_coarse for column in columns]
    children = {child for child, _ in functions}
    cliques = [clique for clique in cliques_of(pairs, sizes) if not children & set(clique)]
    base = tuple(rng.dirichlet(np.ones(size)) for size in sizes)
    potentials = tuple(rng.normal(0, strength, (sizes[a], sizes[b])) for a, b in pairs)
    leaves = []
    for child, parent in functions:
        n_child, n_parent = columns[child].cells.n_cells, columns[parent].cells.n_cells
        table = rng.dirichlet(np.full(n_child, 0.5), size=n_parent)
        table[rng.random(table.shape) < 0.2] = 0.0
        table[:, 0] += table.sum(axis=1) == 0
        leaves.append(Leaf(Function(child, parent), table / table.sum(axis=1, keepdims=True)))
    model = LogLinear(JunctionTree.of(cliques, sizes), base, tuple(pairs), potentials)
    return FittedBayesianNetwork(tuple(columns), model, tuple(leaves))


def coarse_joint(model: FittedBayesianNetwork, evidence: dict[int, np.ndarray] | None = None) -> np.ndarray:
    """P over coarse states of all columns, those of leaves included but held at state 0; by multiplication."""
    sizes = [column.n_coarse for column in model.columns]
    children = {leaf.function.child for leaf in model.leaves}
    shape = [1 if v in children else size for v, size in enumerate(sizes)]
    joint = np.ones(shape)
    for states in itertools.product(*map(range, shape)):
        weight = 1.0
        for v, state in enumerate(states):
            if v not in children:
                weight *= model.model.base[v][state]
                weight *= 1.0 if evidence is None or v not in evidence else evidence[v][state]
        for scope, potential in zip(model.model.variables, model.model.potentials, strict=True):
            weight *= np.exp(potential[tuple(states[v] for v in scope)])
        joint[states] = weight
    return joint / joint.sum()


def fine_joint(model: FittedBayesianNetwork) -> np.ndarray:
    """P over the fine cells of all columns, one dimension each."""
    coarse = coarse_joint(model)
    letters = string.ascii_letters
    n = len(model.columns)
    children = {leaf.function.child: leaf for leaf in model.leaves}
    operands, terms = (
        [coarse.reshape([s for v, s in enumerate(coarse.shape) if v not in children])],
        ["".join(letters[v] for v in range(n) if v not in children)],
    )
    for v, column_ in enumerate(model.columns):
        if v in children:
            operands.append(children[v].conditional)
            terms.append(letters[n + children[v].function.parent] + letters[n + v])
            continue
        inside = np.zeros((column_.n_coarse, column_.cells.n_cells))
        for cell, state in enumerate(column_.coarse):
            same = column_.coarse == state
            total = column_.counts[same].sum()
            inside[state, cell] = column_.counts[cell] / total if total > 0 else 1 / same.sum()
        operands.append(inside)
        terms.append(letters[v] + letters[n + v])
    return np.einsum(f"{','.join(terms)}->{letters[n : 2 * n]}", *operands, optimize="greedy")


def cells_in(model: FittedBayesianNetwork, rows: EncodedTable) -> np.ndarray:
    """The fine cell of every cell of `rows`, (n_rows, n_columns), one by one."""
    return np.stack([_cells(c.cells, rows.columns[c.variable.name]) for c in model.columns], axis=1)


def _cells(cells: PublicCells, rows: EncodedColumn) -> np.ndarray:
    found = []
    for k, code in enumerate(rows.codes.tolist()):
        if rows.values is None:
            found.append(code)
        elif code:
            found.append(cells.n_numbers + code - 1)
        else:
            inside = [i for i in range(cells.n_numbers) if cells.lower[i] <= rows.values[k] <= cells.upper[i]]
            atoms = [i for i in inside if cells.lower[i] == cells.upper[i]]
            found.append((atoms or inside)[-1])
    return np.array(found, dtype=np.intp)


def rows_at(model: FittedBayesianNetwork, cells: np.ndarray) -> EncodedTable:
    """Encoded rows in these fine cells, (n_rows, n_columns): numbers at the lower end of theirs, or in its middle off a lattice."""
    columns = {}
    for v, found in enumerate(model.columns):
        variable, n_numbers, at = found.variable, found.cells.n_numbers, cells[:, v]
        if not variable.is_continuous:
            columns[variable.name] = EncodedColumn(variable, at.astype(np.uint8))
            continue
        is_number = at < n_numbers
        codes = np.where(is_number, 0, at - n_numbers + 1).astype(np.uint8)
        lower, upper = (ends[np.where(is_number, at, 0)] for ends in (found.cells.lower, found.cells.upper))
        values = lower if variable.is_lattice else (lower + upper) / 2
        columns[variable.name] = EncodedColumn(
            variable, codes, np.where(is_number, values, values.dtype.type(0))
        )
    return EncodedTable(len(cells), columns)


def mixed(seed: int = 0, *, functions: bool = True) -> FittedBayesianNetwork:
    """Seven columns of every kind, a loop of four, a chain, and (with `functions`) two leaves on one column."""
    rng = np.random.default_rng(seed)
    columns = [
        column(discrete("colour", 4), rng, n_coarse=3),
        column(lattice("age", [0, 1, 2, 5, 9], n_beside=2), rng, n_coarse=3, zero=1),
        column(line("weight", [-1.0, 0.0, 0.0, 2.5]), rng, n_coarse=2),
        column(discrete("sex", 2), rng, n_coarse=2),
        column(lattice("visits", [0, 1, 2, 3]), rng, n_coarse=2),
    ]
    pairs = [(0, 1), (1, 2), (2, 3), (0, 3)]
    if not functions:
        return network(columns, pairs, rng)
    columns += [
        column(discrete("group", 3), rng, n_coarse=3),
        column(lattice("score", [0, 2, 4]), rng, n_coarse=2),
    ]
    return network(columns, [*pairs, (3, 4)], rng, functions=[(5, 1), (6, 1)])
