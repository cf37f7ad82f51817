"""The last step of a training: the output's bias is set so that every column's shares are those of the table.

A generator of softmaxes makes a mixture of products, so a cell's share under the model is a mean of probabilities,
and raising its logit everywhere raises it. Iterative proportional fitting on the bias (Deming and Stephan 1940)
finds the smallest such change in relative entropy for each column. It mends the shares alone: dependence is
what the network learnt.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tabsynth.models.neural.fitted import FittedGenerator, shares_of

Floats = npt.NDArray[np.float64]
_ROWS = 16_384
_ROUNDS = 30
_LEAST = 1e-9  # share of a cell that no row has
_MOST = 12.0  # change of a logit in one round


def calibrated(model: FittedGenerator, rng: np.random.Generator) -> FittedGenerator:
    """The model with another output bias."""
    weight, bias = model.weights.out
    logits = model.weights.logits(model.inputs(_ROWS, rng)).astype(np.float64)
    ends = np.cumsum(model.sizes)
    changes = [
        _change(logits[:, end - size : end], np.maximum(shares_of(column), _LEAST))
        for column, size, end in zip(model.columns, model.sizes, ends.tolist(), strict=True)
    ]
    mended = (bias + np.concatenate(changes)).astype(np.float32)
    return replace(model, weights=replace(model.weights, out=(weight, mended)))


def _change(logits: Floats, wanted: Floats) -> Floats:
    """What to add to the logits of one column, (n_cells,), so that mean probabilities are as wanted."""
    wanted = wanted / wanted.sum()
    odds = np.exp(logits - logits.max(axis=1, keepdims=True)) + 1e-30
    change = np.zeros(len(wanted))
    for _ in range(_ROUNDS):
        made = odds * np.exp(change)
        found = (made / made.sum(axis=1, keepdims=True)).mean(axis=0)
        change += np.clip(np.log(wanted / np.maximum(found, 1e-300)), -_MOST, _MOST)
        change -= change.max()
    return change
