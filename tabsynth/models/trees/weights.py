"""How likely pieces are within a run of a leaf, so that draws from all leaves together have every piece as often as the source has it.

A run ends where it holds a group of rows: where a rare piece is seen, it reaches on to frequent ones, and where these alone are seen, it ends before the rare
one. Shares of the whole table within runs would so draw rare pieces too seldom. Weights are raised or lowered in turn until totals fit: iterative
proportional fitting (Deming and Stephan 1940) of counts of intervals.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
_SWEEPS = 40
_LONGEST = 2.0  # times, either way, in one sweep
_FURTHEST = 1000.0
_CLOSE = 0.002
_LEAST = 1e-12  # of all weights: less is lost in their sums


def weights_of(first: Counts, last: Counts, count: Counts, mass: Floats, n_rows: float) -> Floats:
    """Weights of pieces, (n_pieces,), by which entries from `first` to `last`, with `count` rows each, all (n_entries,), share out their rows.

    `mass`, (n_pieces,), sums to 1: of `n_rows` rows each piece is to have its share, as nearly as entries allow. A piece keeps its mass for a weight where no
    entry of several pieces holds it.
    """
    several = last > first
    alone = np.bincount(first[~several], weights=count[~several], minlength=len(mass))
    first, last, count = first[several], last[several], count[several]
    wanted = _possible(first, last, count, np.maximum(mass * n_rows - alone, 0.0))
    weight = mass.copy()
    for _ in range(_SWEEPS if len(first) else 0):
        ends = np.r_[0.0, np.cumsum(weight)]
        reach = ends[last + 1] - ends[first]
        rows = np.divide(count, reach, out=np.zeros(len(reach)), where=reach > 0)
        change = np.bincount(first, weights=rows, minlength=len(mass) + 1)
        change -= np.bincount(last + 1, weights=rows, minlength=len(mass) + 1)
        have = weight * np.cumsum(change)[:-1]
        held = have > 1e-9 * n_rows
        step = np.ones(len(mass))
        step[held] = np.clip(wanted[held] / have[held], 1 / _LONGEST, _LONGEST)
        weight = np.clip(weight * step, mass / _FURTHEST, mass * _FURTHEST)
        if np.abs(step - 1).max() < _CLOSE:
            break
    return np.where(mass > 0, np.maximum(weight, _LEAST * weight.sum()), 0.0)


def _possible(first: Counts, last: Counts, count: Counts, wanted: Floats) -> Floats:
    """Rows that pieces are to have, (n_pieces,), scaled so that where entries overlap one another there are as many as these hold."""
    reaching = np.bincount(first, minlength=len(wanted)) - np.bincount(last, minlength=len(wanted))
    together = np.cumsum(
        np.r_[0, np.cumsum(reaching)[:-1] == 0]
    )  # of pieces that an entry joins to those before
    held = np.bincount(together[first], weights=count, minlength=len(wanted))
    asked = np.bincount(together, weights=wanted, minlength=len(wanted))
    scaled: Floats = wanted * np.divide(held, asked, out=np.zeros(len(wanted)), where=asked > 0)[together]
    return scaled
