"""Weights that leave every column as it is: what pieces of each axis add to log weights so that its bins are as frequent as wanted.

Iterative proportional fitting (Deming and Stephan 1940) of all columns at once, one after another, of weighted rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.trees.differences import Difference, signs_of
from tabsynth.models.trees.tree import Integers, Pieces

Floats = npt.NDArray[np.float64]
SWEEPS = 12
_CALIBRATING = 6
_MOST_COUNTED = 5.0
LEAST_KEPT = 0.25
"""The share of drawn rows that is kept at least, on average."""
_BINS = 32
_SPARE_ROWS = 5.0  # added to either side of a comparison, so that rare bins are hardly moved
_ALWAYS_KEPT = 0.005
_LEAST_LOG = -50.0
MOST_ADDED = 5.0
"""To a log weight by one axis, either way."""


def cells_of(
    latents: Sequence[Latent], bins: Sequence[Integers], differences: Sequence[Difference] = ()
) -> tuple[Integers, ...]:
    """For each axis the cell of every piece, (n_pieces + 1,), the last for rows without one: levels by themselves or their bins, numbers in 32, differences by sign."""
    signs = {one.axis for one in differences}
    found = []
    for axis, latent in enumerate(latents):
        mass = latent.marginal.mass
        own: Integers = bins[axis]
        if axis in signs:
            own = np.unique(signs_of(latent.marginal), return_inverse=True)[1].reshape(-1).astype(np.int32)
        elif latent.part is Part.VALUE:
            middle = np.cumsum(mass) - mass / 2
            place = np.where(mass >= 1 / _BINS, _BINS + np.arange(len(mass)), np.floor(middle * _BINS))
            own = np.unique(place, return_inverse=True)[1].reshape(-1).astype(np.int32)
        found.append(np.append(own, int(own.max(initial=-1)) + 1).astype(np.int32))
    return tuple(found)


def wanted_in(
    latents: Sequence[Latent], cells: Sequence[Integers], gates: Mapping[int, tuple[int, int]]
) -> list[Floats]:
    """For each axis the share of the source's rows in every cell, (n_cells,)."""
    wanted: list[Floats] = []
    for axis, latent in enumerate(latents):
        present = 1.0
        if axis in gates:
            level, number = gates[axis]
            present = float(latents[level].marginal.mass[number])
        shares = np.append(present * latent.marginal.mass, 1 - present)
        wanted.append(np.bincount(cells[axis], weights=shares).astype(np.float64))
    return wanted


def bound_of(logs: Floats) -> float:
    """From which log weight on rows are always kept: half a percent of them, or more where fewer than a quarter would be kept."""
    weights = np.sort(np.exp(np.maximum(logs - logs.max(), _LEAST_LOG)))
    above = np.arange(len(weights) - 1, -1, -1)
    kept = (np.cumsum(weights) / weights + above) / len(weights)  # were each of the weights the bound
    most = int(np.flatnonzero(kept >= LEAST_KEPT)[-1])
    return float(np.log(weights[min(most, int((1 - _ALWAYS_KEPT) * len(weights)))]) + logs.max())


def fit_margins(
    logs: Floats, pieces: Mapping[int, Pieces], cells: Sequence[Integers], wanted: Sequence[Floats]
) -> tuple[tuple[npt.NDArray[np.float32], ...], float]:
    """What pieces of each axis add to the log weights of drawn rows, (n_pieces + 1,), and the bound of the sums.

    Rows weighed by them, none more than the bound, have `wanted` shares in cells, up to `_SPARE_ROWS` on either side. Trees draw
    most columns as they are, but these rows have theirs by chance, so each is counted as much as takes that off (calibration: Deville and
    Särndal 1992); where a column is off by more than chance, it is put right.
    """
    rows = [own[pieces[axis]] for axis, own in enumerate(cells)]
    counted = np.ones(len(logs))
    by_chance = [axis for axis, shares in enumerate(wanted) if _is_by_chance(rows[axis], shares)]
    for _ in range(_CALIBRATING):
        for axis in by_chance:
            shares = wanted[axis]
            have = np.bincount(rows[axis], weights=counted, minlength=len(shares))
            counted *= np.clip(len(logs) * shares / np.maximum(have, 1e-9), 1 / _MOST_COUNTED, _MOST_COUNTED)[
                rows[axis]
            ]
    logs, bound = logs.copy(), bound_of(logs)
    added = [np.zeros(len(shares)) for shares in wanted]
    for _ in range(SWEEPS):
        weight = np.exp(np.maximum(logs - bound, _LEAST_LOG))
        for axis, shares in enumerate(wanted):
            have = np.bincount(rows[axis], weights=counted * np.minimum(weight, 1.0), minlength=len(shares))
            have *= len(logs) / have.sum()
            step = np.log((len(logs) * shares + _SPARE_ROWS) / (have + _SPARE_ROWS))
            step = np.clip(added[axis] + step, -MOST_ADDED, MOST_ADDED) - added[axis]
            added[axis] += step
            weight *= np.exp(step)[rows[axis]]
        logs = np.log(weight) + bound
        bound = bound_of(logs)
    margins = tuple(total[own].astype(np.float32) for total, own in zip(added, cells, strict=True))
    return margins, bound


def _is_by_chance(rows: Integers, shares: Floats) -> bool:
    """Whether the cells of these rows are as frequent as wanted but for chance, by Pearson's statistic and three standard deviations of it."""
    expected = len(rows) * shares
    may = expected >= _SPARE_ROWS
    have = np.bincount(rows, minlength=len(shares))
    statistic = float(((have - expected)[may] ** 2 / expected[may]).sum())
    freedom = max(int(may.sum()) - 1, 1)
    return bool(statistic <= freedom + 3 * np.sqrt(2 * freedom))
