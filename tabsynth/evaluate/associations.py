"""The association of every pair of columns in the three tables, as a heat map needs it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tabsynth.evaluate.results import Associations
from tabsynth.metrics.base import EvalData, MetricResult
from tabsynth.metrics.fidelity_pairs import MAX_CELLS_READ, MAX_ROWS, association
from tabsynth.metrics.pair_view import PairView, binnings_of
from tabsynth.metrics.sampling import affordable_rows, draw_rows, take_columns
from tabsynth.randomness import Streams

MAX_COLUMNS = 60
TABLES = ("train", "holdout", "synthetic")
_FIGURES = ("spearman_difference", "cramers_v_difference", "correlation_ratio_difference")

Pair = tuple[str, ...]
Coefficients = Mapping[str, float]  # by table


def associations(data: EvalData, results: Sequence[MetricResult], *, streams: Streams) -> Associations | None:
    """Matrices over every column, or over the 60 whose associations differ most from train's.

    Coefficients are read off the pair figures among `results`; pairs that those left out are computed.
    None where there are fewer than two columns.
    """
    names = list(data.encoded_train.columns)
    if len(names) < 2:
        return None
    known: dict[Pair, Coefficients] = {
        result.columns: {part.label: part.value for part in result.details}
        for result in results
        if result.metric in _FIGURES and result.columns
    }
    if len(names) > MAX_COLUMNS:
        names = _most_different(names, known)
    missing = [pair for pair in itertools.combinations(names, 2) if pair not in known]
    known |= _computed(data, names, missing, streams)
    train, holdout, synthetic = (_matrix(names, known, table) for table in TABLES)
    return Associations(columns=tuple(names), train=train, holdout=holdout, synthetic=synthetic)


def _most_different(names: Sequence[str], known: Mapping[Pair, Coefficients]) -> list[str]:
    """The columns with the largest difference between synthetic and train, in the order of the names."""
    largest = dict.fromkeys(names, 0.0)
    for pair, found in known.items():
        if "train" in found and "synthetic" in found:
            difference = abs(found["synthetic"] - found["train"])
            for name in pair:
                largest[name] = max(largest[name], difference)
    chosen = set(sorted(names, key=lambda name: -largest[name])[:MAX_COLUMNS])
    return [name for name in names if name in chosen]


def _computed(
    data: EvalData, names: Sequence[str], pairs: Sequence[Pair], streams: Streams
) -> dict[Pair, Coefficients]:
    encoded = {
        "train": data.encoded_train,
        "holdout": data.encoded_holdout,
        "synthetic": data.encoded_synthetic,
    }
    found: dict[Pair, dict[str, float]] = {pair: {} for pair in pairs}
    if not pairs or data.encoded_train.n_rows == 0:
        return dict(found)
    binnings = binnings_of(take_columns(data.encoded_train, names))
    most = affordable_rows(len(names), most=MAX_ROWS, cells=MAX_CELLS_READ)
    for side, (label, table) in enumerate(encoded.items()):
        rng = streams.generator("associations/rows", side)
        view = PairView.of(draw_rows(take_columns(table, names), most, rng), binnings)
        for a, b in pairs:
            _, coefficient = association(view, (a, b))
            if coefficient is not None:
                found[a, b][label] = coefficient
    return dict(found)


def _matrix(
    names: Sequence[str], known: Mapping[Pair, Coefficients], table: str
) -> tuple[tuple[float | None, ...], ...]:
    matrix: list[list[float | None]] = [[1.0 if i == j else None for j in names] for i in names]
    for (i, a), (j, b) in itertools.combinations(enumerate(names), 2):
        coefficient = known[a, b].get(table)
        if coefficient is not None:
            matrix[i][j] = matrix[j][i] = float(np.abs(coefficient))
    return tuple(tuple(row) for row in matrix)
