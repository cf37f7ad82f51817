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

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ConditionError
from tabsynth.models.base import Condition
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.neural.conditions import Conditions
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Cells = npt.NDArray[np.intp]

_AT_ONCE = 8192
_CANDIDATES = 8  # of noise, for each row that must meet a condition
_FEWEST = 8192


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


NOTHING = Weights((), (np.zeros((0, 0), np.float32), np.zeros(0, np.float32)))
"""Of a table without a column to generate."""


@dataclass(frozen=True, eq=False)
class FittedGenerator:
    """Columns with their fine and coarse cells, and a generator of coarse ones."""

    columns: tuple[NetworkColumn, ...]
    weights: Weights

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(column.variable for column in self.columns)

    @cached_property
    def conditions(self) -> Conditions:
        return Conditions([shares_of(column) for column in self.columns])

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(column.n_coarse for column in self.columns)

    def sample_block(
        self, block: int, *, n_rows: int, streams: Streams, conditions: tuple[Condition, ...] = ()
    ) -> EncodedTable:
        """Block number `block` of `n_rows` rows; raises `ConditionError` for values without probability."""
        if not self.columns:
            return EncodedTable(n_rows, {})
        rng = streams.generator("neural.sample", block)
        held = self._held(conditions)
        parts = []
        for start in range(0, n_rows, _AT_ONCE):
            n = min(_AT_ONCE, n_rows - start)
            inputs = self._inputs(n, rng) if not held else self._inputs_given(held, n, rng)
            parts.append(self._cells(inputs, rng))
        cells = np.concatenate(parts) if parts else np.zeros((0, len(self.columns)), dtype=np.intp)
        fine = {v: column.fine_of(cells[:, v], rng) for v, column in enumerate(self.columns)}
        fine |= {v: np.full(n_rows, cell) for v, cell in held.items()}
        columns = {c.variable.name: c.encoded(fine[v], rng) for v, c in enumerate(self.columns)}
        for condition in conditions:
            columns[condition.column] = _pinned(columns[condition.column], condition)
        return EncodedTable(n_rows, columns)

    def _inputs(self, n: int, rng: np.random.Generator) -> Singles:
        """Noise and conditions, (n, n_noise + n_cells)."""
        n_cells = sum(self.sizes)
        inputs = np.zeros((n, self.weights.n_inputs), dtype=np.float32)
        n_noise = inputs.shape[1] - n_cells
        inputs[:, :n_noise] = rng.standard_normal((n, n_noise), dtype=np.float32)
        inputs[np.arange(n), n_noise + self.conditions.draw(n, rng)] = 1.0
        return inputs

    def _inputs_given(self, held: Mapping[int, int], n: int, rng: np.random.Generator) -> Singles:
        """The same, drawn as probable as they make the held cells (Rubin 1987, sampling and resampling)."""
        candidates = self._inputs(max(_CANDIDATES * n, _FEWEST), rng)
        log_weight = np.zeros(len(candidates))
        for start in range(0, len(candidates), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            logits = self.weights.logits(candidates[rows]).astype(np.float64)
            for v, cell in held.items():
                first = int(self.conditions.starts[v])
                own = logits[:, first : first + self.sizes[v]]
                top = own.max(axis=1)
                normaliser = top + np.log(np.exp(own - top[:, None]).sum(axis=1))
                log_weight[rows] += own[:, self.columns[v].coarse[cell]] - normaliser
        weight = np.cumsum(np.exp(log_weight - log_weight.max()))
        at = (np.arange(n) + rng.random()) / n * weight[-1]
        chosen = np.minimum(np.searchsorted(weight, at, side="right"), len(weight) - 1)
        return candidates[rng.permutation(chosen)]

    def _cells(self, inputs: Singles, rng: np.random.Generator) -> Cells:
        """A coarse cell of every column, (n, n_columns)."""
        logits = self.weights.logits(inputs).astype(np.float64)
        cells = np.empty((len(inputs), len(self.columns)), dtype=np.intp)
        for v, (first, size) in enumerate(zip(self.conditions.starts, self.sizes, strict=True)):
            own = logits[:, first : first + size]
            ends = np.cumsum(np.exp(own - own.max(axis=1, keepdims=True)), axis=1)
            at = rng.random(len(inputs)) * ends[:, -1]
            cells[:, v] = np.minimum((ends <= at[:, None]).sum(axis=1), size - 1)
        return cells

    def _held(self, conditions: Sequence[Condition]) -> dict[int, int]:
        """The fine cell of every column that the conditions hold."""
        position = {column.variable.name: v for v, column in enumerate(self.columns)}
        held = {}
        for condition in conditions:
            v = position[condition.column]
            cell = self.columns[v].cell_at(condition)
            if cell is None or self.columns[v].counts[cell] <= 0:
                raise ConditionError(
                    f"column {condition.column!r}: the value asked for has no probability under the model"
                )
            held[v] = cell
        return held

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


def _pinned(column: EncodedColumn, condition: Condition) -> EncodedColumn:
    """The column at exactly the value that was asked for."""
    if column.values is None or condition.code > 0:
        return column
    return EncodedColumn(column.variable, column.codes, np.full_like(column.values, condition.value))
