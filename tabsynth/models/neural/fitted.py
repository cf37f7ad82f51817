"""A trained generator, in numpy: to sample from it takes no torch, and no privacy beyond what was charged.

Given its noise and its condition, a row's columns are independent: the model is a mixture of products. So a
condition that a user asks for needs no row to be thrown away: noise is weighted by how probable it makes
what is asked for, and the other columns follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.base import NOTHING_GIVEN
from tabsynth.models.condition import Condition, Conditioned, Given, pinned
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.conditional import Told, told
from tabsynth.models.neural.conditions import Conditions
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Cells = npt.NDArray[np.intp]

_AT_ONCE = 8192
_CANDIDATES = 8  # of noise, for each row that must meet a condition
_FEWEST = 8192
_TOGETHER = 512  # given cells at a time, each weighed against all candidates
_ENOUGH = 8.0  # candidates of about equal weight that make a row's other cells as good as exact


@dataclass(frozen=True, eq=False)
class Weights:
    """Of the generator (`tabsynth.models.neural.networks`): (weight, bias, scale, shift) of each layer, and (weight, bias)."""

    layers: Sequence[tuple[Singles, Singles, Singles, Singles]]
    out: tuple[Singles, Singles]

    def logits(self, inputs: Singles) -> Singles:
        for weight, bias, scale, shift in self.layers:
            hidden = inputs @ weight.T + bias
            hidden -= hidden.mean(axis=1, keepdims=True)
            hidden /= np.sqrt((hidden**2).mean(axis=1, keepdims=True) + np.float32(1e-5))
            inputs = np.concatenate([np.maximum(hidden * scale + shift, 0), inputs], axis=1)
        found: Singles = inputs @ self.out[0].T + self.out[1]
        return found

    @property
    def n_inputs(self) -> int:
        return int(self.layers[0][0].shape[1])


def weights_of(arrays: Mapping[str, Singles], *, depth: int) -> Weights:
    """From the arrays of a torch `Generator` of `depth` layers, by the names of its parameters."""
    layers = tuple(
        (
            arrays[f"linear.{k}.weight"],
            arrays[f"linear.{k}.bias"],
            arrays[f"norm.{k}.weight"],
            arrays[f"norm.{k}.bias"],
        )
        for k in range(depth)
    )
    return Weights(layers, (arrays["out.weight"], arrays["out.bias"]))


NOTHING = Weights((), (np.zeros((0, 0), np.float32), np.zeros(0, np.float32)))
"""Of a table without a column to generate."""


@dataclass(frozen=True, eq=False)
class FittedGenerator:
    """Columns with their fine and coarse cells, and a generator of coarse ones, from noise and, if it `is_conditional`, a cell."""

    columns: tuple[NetworkColumn, ...]
    weights: Weights
    is_conditional: bool = True

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(column.variable for column in self.columns)

    @cached_property
    def conditions(self) -> Conditions:
        return Conditions([shares_of(column) for column in self.columns])

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(column.n_coarse for column in self.columns)

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` rows."""
        return self.conditional_block(block, n_rows=n_rows, streams=streams).rows

    def conditional_block(
        self,
        block: int,
        *,
        n_rows: int,
        streams: Streams,
        conditions: tuple[Condition, ...] = (),
        given: Given = NOTHING_GIVEN,
    ) -> Conditioned:
        """The same under conditions, from noise that is weighted; raises `ConditionError` for impossible ones."""
        if not self.columns or not n_rows:
            return Conditioned(rows=self._empty(n_rows), effective=float(n_rows))
        rng = streams.generator("neural.sample", block)
        found = told(self.columns, (), conditions)
        places = [v for v, column in enumerate(self.columns) if column.variable.name in given]
        at = {v: self.columns[v].cells_at(given[self.columns[v].variable.name]) for v in places}
        fine = {v: cells for v, (cells, _) in at.items()}
        inputs, effective = self._inputs_told(found, fine, n_rows, rng)
        cells = np.concatenate(
            [self._cells(inputs[k : k + _AT_ONCE], found, rng) for k in range(0, n_rows, _AT_ONCE)]
        )
        fine = {
            v: one.fine_of(cells[:, v], rng) for v, one in enumerate(found.columns) if v not in fine
        } | fine
        rows = {
            column.variable.name: given[column.variable.name] if v in at else found.encoded(v, fine[v], rng)
            for v, column in enumerate(self.columns)
        }
        is_moved = np.zeros(n_rows, dtype=np.bool_)
        for v, (own, is_in) in at.items():
            is_moved |= ~is_in | (self.columns[v].counts[own] <= 0)
        return Conditioned(
            rows=pinned(EncodedTable(n_rows, rows), conditions),
            effective=effective,
            n_moved=int(is_moved.sum()),
        )

    def _empty(self, n_rows: int) -> EncodedTable:
        none = np.zeros(0, dtype=np.intp)
        rng = np.random.default_rng(0)
        return EncodedTable(n_rows, {c.variable.name: c.encoded(none, rng) for c in self.columns})

    def _inputs_told(
        self, found: Told, fine: Mapping[int, Cells], n: int, rng: np.random.Generator
    ) -> tuple[Singles, float]:
        """Noise and conditions, (n, n_inputs), drawn as probable as they make what is told, and what they are worth.

        Sampling and resampling (Rubin 1987): of more candidates than rows, each row takes one by its weight.
        """
        if not found.evidence and not fine:
            return self.inputs(n, rng), float(n)
        n_candidates = max(_CANDIDATES * n, _FEWEST) if not fine else _FEWEST
        candidates = self.inputs(n_candidates, rng)
        logs = [self._log_shares(candidates[k : k + _AT_ONCE]) for k in range(0, n_candidates, _AT_ONCE)]
        log_shares = np.concatenate(logs)
        log_weight = np.zeros(n_candidates)
        for v, left in found.evidence.items():
            log_weight += _log(np.exp(log_shares[:, self._of(v)]) @ left)
        if not fine:
            weight = np.exp(log_weight - log_weight.max())
            chosen = rng.permutation(_evenly(weight, n, rng))
            return candidates[chosen], min(float(n), float(weight.sum() ** 2 / (weight**2).sum()))
        picked, worth = self._picked(fine, log_weight, log_shares, rng)
        return candidates[picked], max(worth, 1.0)

    def _picked(
        self, fine: Mapping[int, Cells], log_weight: Floats, log_shares: Floats, rng: np.random.Generator
    ) -> tuple[Cells, float]:
        """A candidate for every row by how probable it makes the row's given cells, (n,), and what rows are worth.

        Rows with the same coarse cells are weighed once.
        """
        keys = np.stack([self.columns[v].coarse[cells] for v, cells in fine.items()], axis=1)
        given, line = np.unique(keys, axis=0, return_inverse=True)
        line = line.reshape(-1)
        order = np.argsort(line, kind="stable")
        first = np.searchsorted(line[order], np.arange(len(given) + 1))
        at = rng.random(len(keys))
        picked, worth = np.empty(len(keys), dtype=np.intp), 0.0
        for start in range(0, len(given), _TOGETHER):
            some = given[start : start + _TOGETHER]
            table = np.broadcast_to(log_weight, (len(some), len(log_weight))).copy()
            for place, v in enumerate(fine):
                table += log_shares[:, int(self.conditions.starts[v]) + some[:, place]].T
            weight = np.exp(table - table.max(axis=1, keepdims=True))
            ends = np.cumsum(weight, axis=1)
            each = np.minimum(1.0, (ends[:, -1] ** 2 / (weight**2).sum(axis=1)) / _ENOUGH)
            for k in range(len(some)):
                rows = order[first[start + k] : first[start + k + 1]]
                picked[rows] = np.searchsorted(ends[k], at[rows] * ends[k, -1], side="right")
                worth += len(rows) * float(each[k])
        return np.minimum(picked, len(log_weight) - 1), worth

    def _of(self, v: int) -> slice:
        start = int(self.conditions.starts[v])
        return slice(start, start + self.sizes[v])

    def _log_shares(self, inputs: Singles) -> Floats:
        """The log of the probability of every coarse cell of every column, (n, n_cells)."""
        logits = self.weights.logits(inputs).astype(np.float64)
        for v in range(len(self.columns)):
            own = logits[:, self._of(v)]
            own -= own.max(axis=1, keepdims=True)
            own -= np.log(np.exp(own).sum(axis=1, keepdims=True))
        return logits

    def inputs(self, n: int, rng: np.random.Generator) -> Singles:
        """Noise and conditions, (n, n_noise + n_cells); without conditions noise alone, (n, n_noise)."""
        if not self.is_conditional:
            return rng.standard_normal((n, self.weights.n_inputs), dtype=np.float32)
        n_cells = sum(self.sizes)
        inputs = np.zeros((n, self.weights.n_inputs), dtype=np.float32)
        n_noise = inputs.shape[1] - n_cells
        inputs[:, :n_noise] = rng.standard_normal((n, n_noise), dtype=np.float32)
        inputs[np.arange(n), n_noise + self.conditions.draw(n, rng)] = 1.0
        return inputs

    def _cells(self, inputs: Singles, found: Told, rng: np.random.Generator) -> Cells:
        """A coarse cell of every column, (n, n_columns), among those that conditions leave."""
        log_shares = self._log_shares(inputs)
        cells = np.empty((len(inputs), len(self.columns)), dtype=np.intp)
        for v, size in enumerate(self.sizes):
            shares = np.exp(log_shares[:, self._of(v)])
            if v in found.evidence:  # how much of each coarse cell is left, in [0, 1]
                shares = (shares + 1e-300) * found.evidence[v]
            ends = np.cumsum(shares, axis=1)
            at = rng.random(len(inputs)) * ends[:, -1]
            cells[:, v] = np.minimum((ends <= at[:, None]).sum(axis=1), size - 1)
        return cells

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        arrays: dict[str, npt.NDArray[Any]] = {}
        for v, column in enumerate(self.columns):
            arrays[f"column.{v}.lower"] = column.cells.lower
            arrays[f"column.{v}.upper"] = column.cells.upper
            arrays[f"column.{v}.counts"] = column.counts
            arrays[f"column.{v}.coarse"] = column.coarse.astype(np.uint16)
        for k, layer in enumerate(self.weights.layers):
            for name, array in zip(("weight", "bias", "scale", "shift"), layer, strict=True):
                arrays[f"layer.{k}.{name}"] = array
        arrays["out.weight"], arrays["out.bias"] = self.weights.out
        return arrays

    def parameters(self) -> Mapping[str, Any]:
        return {"depth": len(self.weights.layers)}


def shares_of(column: NetworkColumn) -> Floats:
    """The probability of each coarse cell by released counts, even where there are none."""
    counts = column.coarse_counts
    return counts / counts.sum() if counts.sum() > 0 else np.full(len(counts), 1 / len(counts))


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(values, 1e-300)))


def _evenly(weight: Floats, n: int, rng: np.random.Generator) -> Cells:
    """`n` positions, each as often as its weight, to within one (systematic resampling)."""
    ends = np.cumsum(weight)
    at = (np.arange(n) + rng.random()) / n * ends[-1]
    return np.asarray(np.minimum(np.searchsorted(ends, at, side="right"), len(weight) - 1))
