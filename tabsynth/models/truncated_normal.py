"""Draws from a normal distribution held inside intervals, of one variable and of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from tabsynth.models.conditions import AxisSet

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

N_SWEEPS = 6
PROPOSALS = 8
_FEWEST = 4096
_LOOKED_AT = 256


def truncated_normal(
    mean: Floats, spread: float, lower: float | Floats, upper: float | Floats, uniform: Floats
) -> Floats:
    """Normal draws within (lower, upper) by inversion; `mean` and `uniform` have the result's shape.

    Works in the nearer tail, so that intervals far out keep their precision.
    """
    low, high = (lower - mean) / spread, (upper - mean) / spread
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    below, above = ndtr(low), ndtr(high)
    drawn = ndtri(below + uniform * (above - below))
    drawn = np.clip(drawn, np.maximum(low, -38), np.minimum(high, 38))
    placed: Floats = mean + spread * np.where(flip, -drawn, drawn)
    return placed


def interval_mass(low: Floats, high: Floats) -> Floats:
    """The probability between two positions of a standard normal, exact in either tail."""
    flip = low > 0
    found: Floats = ndtr(np.where(flip, -low, high)) - ndtr(np.where(flip, -high, low))
    return np.maximum(found, 0.0)


def union_normal(
    mean: Floats, spread: float, lower: Floats, upper: Floats, uniform: Floats
) -> tuple[Floats, Floats]:
    """Normal draws within any of k intervals, and the probability of these, both (n,).

    `lower` and `upper` are (1, k) or (n, k). Draws lie strictly inside; where all intervals have probability zero, in the first.
    """
    centre = mean[:, None]
    mass = interval_mass((lower - centre) / spread, (upper - centre) / spread)
    if mass.shape[1] == 1:
        low, high = (np.broadcast_to(ends[:, 0], mean.shape) for ends in (lower, upper))
        total = mass[:, 0]
    else:
        ends = np.cumsum(mass, axis=1)
        total = ends[:, -1]
        target = uniform * total
        at = np.minimum((ends <= target[:, None]).sum(axis=1), mass.shape[1] - 1)
        rows = np.arange(len(mean))
        before = ends[rows, at] - mass[rows, at]
        uniform = np.clip(
            np.divide(target - before, mass[rows, at], out=uniform.copy(), where=mass[rows, at] > 0), 0, 1
        )
        low, high = (np.broadcast_to(side, mass.shape)[rows, at] for side in (lower, upper))
    drawn = truncated_normal(mean, spread, low, high, uniform)
    return np.clip(drawn, np.nextafter(low, np.inf), np.nextafter(high, -np.inf)), total


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Draws of all axes, (n, m), and how many of `n` independent rows they are worth; `met` is false for rows that could not be met."""

    normals: Floats
    effective: float
    met: npt.NDArray[np.bool_]


def held_normals(
    mean: Floats, covariance: Floats, sets: Mapping[int, AxisSet], rng: np.random.Generator
) -> Drawn:
    """One draw per row of N(mean_row, covariance), axis k of m within `sets[k]`, which are those of `range(m)`.

    `mean` is (n, m). For m = 1 exact. Else each row is one of several proposals, which are drawn axis by axis within the
    sets (Geweke 1991; Hajivassiliou and McFadden 1998) and chosen by how probable the sets were on the way; among the
    proposals of all rows, where these are held alike. `N_SWEEPS` sweeps of Gibbs sampling then part rows
    that chose the same proposal.
    """
    n, m = mean.shape
    are_alike = all(len(one.lower) == 1 for one in sets.values()) and not np.ptp(mean, axis=0).any()
    n_each = 1 if m == 1 else PROPOSALS if not are_alike else max(PROPOSALS, -(-_FEWEST // max(n, 1)))
    owner = np.repeat(np.arange(n), n_each)
    drawn, logs = _proposed(mean[owner], covariance, {k: one.rows(owner) for k, one in sets.items()}, rng)
    if m == 1:
        met = logs > -np.inf
        return Drawn(drawn, float(met.sum()), met)
    if are_alike:
        weights = _weights(logs[None, :])[0]
        chosen = systematic(weights, n, rng)
        met = np.full(n, bool(weights.sum() > 0))
        effective = n * effective_share(weights)
    else:
        table = _weights(logs.reshape(n, n_each))
        chosen = np.arange(n) * n_each + one_of_each(table, rng)
        met = table.sum(axis=1) > 0
        square = (table**2).sum(axis=1)
        shares = np.divide(table.sum(axis=1) ** 2, n_each * square, out=np.zeros(n), where=square > 0)
        effective = float(shares.sum())
    return Drawn(_swept(drawn[chosen], mean, covariance, sets, rng), effective, met)


def effective_share(weights: Floats) -> float:
    """How many draws of equal weight these are worth, as a share of their number, in [0, 1] (Kong, Liu and Wong 1994)."""
    square = float((weights**2).sum())
    return float(weights.sum()) ** 2 / (len(weights) * square) if square > 0 else 0.0


def systematic(weights: Floats, n: int, rng: np.random.Generator) -> Rows:
    """Positions of `n` draws in proportion to their weights, by one evenly spaced comb, in random order (Kitagawa 1996)."""
    total = np.cumsum(weights)
    if n == 0 or not total[-1] > 0:
        return np.arange(n)
    comb = (np.arange(n) + rng.random()) / n * total[-1]
    at = np.searchsorted(total, comb, side="right")
    return rng.permutation(np.minimum(at, np.flatnonzero(weights)[-1]))


def one_of_each(weights: Floats, rng: np.random.Generator) -> Rows:
    """A column of each row in proportion to the weights, (n,); any where all are zero."""
    ends = np.cumsum(weights, axis=1)
    target = rng.random(len(weights)) * ends[:, -1]
    found = (ends <= target[:, None]).sum(axis=1)
    spare = rng.integers(0, weights.shape[1], len(weights))
    return np.where(ends[:, -1] > 0, np.minimum(found, weights.shape[1] - 1), spare)


def _weights(logs: Floats) -> Floats:
    """Weights of each row in proportion to their logarithms' exponentials, the greatest 1; all 0 where all are minus infinity."""
    greatest = logs.max(axis=1, keepdims=True, initial=-np.inf)
    found: Floats = np.exp(logs - np.where(np.isfinite(greatest), greatest, 0.0))
    return found


def _proposed(
    mean: Floats, covariance: Floats, sets: Mapping[int, AxisSet], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draws axis by axis, each within its set given those before, and the logarithm of the product of the sets' probabilities.

    The product itself underflows where many axes are held: 120 probabilities of 1e-3 are 1e-360.
    """
    n = len(mean)
    drawn, logs = np.empty_like(mean), np.zeros(n)
    order = _tightest_first(mean, covariance, sets)
    for place, k in enumerate(order):
        before = order[:place]
        gain = np.linalg.solve(covariance[np.ix_(before, before)], covariance[before, k])
        centre = mean[:, k] + (drawn[:, before] - mean[:, before]) @ gain
        spread = float(np.sqrt(covariance[k, k] - covariance[k, before] @ gain))
        drawn[:, k], mass = union_normal(centre, spread, *_bounds(sets[k], drawn), rng.random((n,)))
        logs += np.log(mass, out=np.full(n, -np.inf), where=mass > 0)
    return drawn, logs


def _tightest_first(mean: Floats, covariance: Floats, sets: Mapping[int, AxisSet]) -> list[int]:
    """The axes, those with the least probable sets first, as far as gates allow.

    What is drawn first decides how probable the sets of others are, and a tight set leaves it little to decide (Gibson, Glasbey and
    Elston 1994): of eight proposals with 13 held axes and five factors about seven are worth something, of an arbitrary order six.
    """
    few = np.arange(min(len(mean), _LOOKED_AT))
    mass = {}
    for k, one in sets.items():
        mine, spread = one.rows(few), np.sqrt(covariance[k, k])
        low, high = ((side - mean[few, k : k + 1]) / spread for side in (mine.lower, mine.upper))
        mass[k] = (
            float(np.log(np.maximum(interval_mass(low, high).sum(axis=1), 1e-300)).mean())
            if len(few)
            else 0.0
        )
    order: list[int] = []
    for k in sorted(mass, key=lambda axis: mass[axis]):
        gate = sets[k].gate
        order += [axis for axis in ([gate[0]] if gate else []) + [k] if axis not in order]
    return order


def _bounds(one: AxisSet, drawn: Floats) -> tuple[Floats, Floats]:
    """The intervals of one axis in every row, those of rows before a closed gate without end."""
    if one.gate is None:
        return one.lower, one.upper
    axis, low, high = one.gate
    is_held = (drawn[:, axis] >= low) & (drawn[:, axis] <= high)
    shape = (len(drawn), one.lower.shape[1])
    lower, upper = (np.broadcast_to(side, shape).copy() for side in (one.lower, one.upper))
    lower[~is_held], upper[~is_held] = np.inf, np.inf
    lower[~is_held, 0] = -np.inf
    return lower, upper


def _swept(
    drawn: Floats, mean: Floats, covariance: Floats, sets: Mapping[int, AxisSet], rng: np.random.Generator
) -> Floats:
    """The draws after sweeps of Gibbs sampling, which leave their distribution as it is."""
    precision = np.linalg.inv(covariance)
    spreads = 1 / np.sqrt(np.diag(precision))
    pulls = -precision / np.diag(precision)[:, None]
    np.fill_diagonal(pulls, 0.0)
    gates = {one.gate[0] for one in sets.values() if one.gate is not None}
    for _ in range(N_SWEEPS):
        for k, one in sets.items():
            if k in gates:  # the axes behind it say where it may go: it stays
                continue
            centre = mean[:, k] + (drawn - mean) @ pulls[k]
            moved, mass = union_normal(
                centre, float(spreads[k]), *_bounds(one, drawn), rng.random(len(drawn))
            )
            drawn[:, k] = np.where(mass > 0, moved, drawn[:, k])
    return drawn


def reindexed(sets: Mapping[int, AxisSet], axes: Sequence[int]) -> dict[int, AxisSet]:
    """The sets of some axes, by their positions among these; a gate that is not among them is open."""
    place = {axis: k for k, axis in enumerate(axes)}
    found = {}
    for axis in axes:
        one = sets[axis]
        gate = None
        if one.gate is not None and one.gate[0] in place:
            gate = (place[one.gate[0]], *one.gate[1:])
        found[place[axis]] = AxisSet(one.lower, one.upper, gate)
    return found
