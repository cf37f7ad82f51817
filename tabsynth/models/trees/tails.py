"""Heavy tails of numbers: few rows far out, which carry most of what two columns have in common by Pearson's correlation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Floats
from tabsynth.models.trees.tree import Integers
from tabsynth.privacy.splits import Counts

_HEAVY = 1 / 8  # of a column's variance in one bin


def _values(latent: Latent) -> Floats:
    """The middle of every piece, (n_pieces,), in [-1, 1]: in a unit of their own, so that no power of them is too large."""
    marginal = latent.marginal
    middle = marginal.lower / 2.0 + marginal.upper / 2.0
    scaled: Floats = middle / max(float(np.abs(middle).max()), 1e-300)
    return scaled


def has_heavy_tails(latent: Latent) -> bool:
    """Whether the axis is of numbers whose fourth moment, standardised, is above that of a normal distribution."""
    if latent.part is not Part.VALUE:
        return False
    mass, values = latent.marginal.mass, _values(latent)
    centred = values - mass @ values
    return bool(mass @ centred**4 > 3 * (mass @ centred**2) ** 2)


def cut(latent: Latent, place: Floats, rows: Counts, min_group: int) -> Floats:
    """The places of pieces, (n_pieces,), numbered anew: halved by rows while more than an eighth of the variance is in one.

    Strata of a heavy tail (Dalenius and Hodges 1959): Pearson's correlation rests on them.
    """
    values = _values(latent)
    centred = values - rows @ values / max(rows.sum(), 1)
    spread = rows * centred**2
    most = _HEAVY * spread.sum()

    def parts_of(pieces: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
        if len(pieces) == 1 or not spread[pieces].sum() > most:
            return [pieces]
        total = np.cumsum(rows[pieces])
        half = int(np.clip(np.searchsorted(total, total[-1] / 2, side="right"), 1, len(pieces) - 1))
        if min(total[half - 1], total[-1] - total[half - 1]) < min_group:
            return [pieces]
        return [*parts_of(pieces[:half]), *parts_of(pieces[half:])]

    found = np.empty(len(place))
    parts = [part for one in np.unique(place) for part in parts_of(np.flatnonzero(place == one))]
    for number, part in enumerate(parts):
        found[part] = number
    return found


def far_out(latent: Latent, bins: Integers) -> Floats | None:
    """How many standard deviations from the mean the numbers of every bin lie, (n_bins,); None for axes without heavy tails."""
    if not has_heavy_tails(latent):
        return None
    share = np.bincount(bins, weights=latent.marginal.mass)
    sums = np.bincount(bins, weights=latent.marginal.mass * _values(latent))
    centred = np.where(share > 0, sums / np.maximum(share, 1e-300) - sums.sum(), 0.0)
    deviation = np.sqrt(share @ centred**2)
    return centred / deviation if deviation > 0 else None
