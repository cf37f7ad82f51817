"""One-way distributions, cut into ordered pieces along a standard normal axis.

A marginal of a column is a list of pieces in order: a level, an atom (one value that many rows share)
or a stretch of the line or lattice on which values lie evenly. Piece j covers the latent interval
(cuts[j], cuts[j+1]) of a standard normal variable, whose probability is the piece's mass. That one shape
serves categories, zero-inflated amounts and smooth numbers alike, and it is made from counts, so noise
can be added to what it is made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[Any]  # int64 on a lattice, float64 on the line


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A chosen parametric family, every family's AIC, and why others could not be fitted."""

    name: str
    aic: Mapping[str, float] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Marginal:
    """Pieces in order: `lower` and `upper` values (inclusive on a lattice) and `mass` (sums to 1).

    All three have shape (n_pieces,). For levels, lower = upper = the level's code, in the order that
    the latent axis gives them.
    """

    lower: Values
    upper: Values
    mass: Floats
    is_lattice: bool

    @cached_property
    def cumulative(self) -> Floats:
        """Probability below each piece, shape (n_pieces + 1,), from 0 to 1."""
        cumulative: Floats = np.minimum(np.r_[0.0, np.cumsum(self.mass[:-1]), 1.0], 1.0)
        return cumulative

    @cached_property
    def cuts(self) -> Floats:
        """Latent boundaries, shape (n_pieces + 1,), from -inf to inf."""
        cuts: Floats = ndtri(self.cumulative)
        return cuts

    @cached_property
    def scores(self) -> Floats:
        """Mean of the latent variable within each piece, shape (n_pieces,)."""
        density = _normal_density(self.cuts)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = (density[:-1] - density[1:]) / self.mass
        inside = np.clip(self.cuts, -8, 8)
        return np.where(self.mass > 1e-12, scores, (inside[:-1] + inside[1:]) / 2)

    @property
    def score_spread(self) -> float:
        """Standard deviation of the scores, in [0, 1]."""
        return float(np.sqrt((self.mass * self.scores**2).sum()))

    def hermite_coefficients(self, n_terms: int) -> Floats:
        """α_k = E[s(Z) He_k(Z)] / √k! for k = 1 … n_terms, shape (n_terms,), s the piece's score."""
        return np.array([(self.scores * moments).sum() for moments in self._hermite_moments(n_terms)])

    def hermite_moments(self, n_terms: int) -> Floats:
        """E[He_k(Z) / √k!; Z in the piece] for k = 1 … n_terms, shape (n_pieces, n_terms)."""
        return np.stack(list(self._hermite_moments(n_terms)), axis=1)

    def _hermite_moments(self, n_terms: int) -> Iterator[Floats]:
        """One k after the other: [He_{k-1}(a) φ(a) - He_{k-1}(b) φ(b)] / √k! for the piece (a, b).

        Normalised Hermite polynomials keep the recursion stable.
        """
        finite = np.clip(self.cuts, -30, 30)
        weight = _normal_density(self.cuts)
        previous, current = np.zeros_like(finite), weight.copy()  # h_{k-2} φ, h_{k-1} φ
        for k in range(1, n_terms + 1):
            yield (current[:-1] - current[1:]) / np.sqrt(k)
            previous, current = current, (finite * current - np.sqrt(k - 1) * previous) / np.sqrt(k)

    def pieces_of(self, values: Values) -> npt.NDArray[np.unsignedinteger]:
        """The piece each value falls in, shape of `values`; values beyond the ends join the end pieces."""
        index = np.searchsorted(self.lower, values, side="right") - 1
        np.clip(index, 0, len(self.mass) - 1, out=index)
        if not self.is_lattice:
            before = np.maximum(index - 1, 0)  # an atom stands just before the stretch that starts at it
            index = np.where((self.lower[before] == values) & (self.upper[before] == values), before, index)
        smallest = np.min_scalar_type(len(self.mass))
        return index.astype(smallest)

    def values_at(self, latent: Floats) -> Values:
        """Values at positions on the latent axis, shape of `latent`: the inverse distribution function."""
        index = np.searchsorted(self.cuts[1:-1], latent, side="right")
        rows = np.flatnonzero(self._is_stretch[index])
        share = np.zeros(len(latent))
        if len(rows):
            piece = index[rows]
            share[rows] = np.clip((ndtr(latent[rows]) - self.cumulative[piece]) / self.mass[piece], 0, 1)
        return self.values_within(index, share)

    def values_within(self, pieces: npt.NDArray[np.intp], share: Floats) -> Values:
        """The values at shares in [0, 1] of the way through pieces, shape of both."""
        values = self.lower[pieces]
        rows = np.flatnonzero((self.upper > self.lower)[pieces])
        if not len(rows):
            return values
        lower, upper, at = self.lower[pieces[rows]], self.upper[pieces[rows]], share[rows]
        if self.is_lattice:
            width = width_of(lower, upper)
            steps = np.minimum(at * (width + 1), np.nextafter(2.0**64, 0)).astype(np.uint64)
            values[rows] = (lower.view(np.uint64) + np.minimum(steps, gap(lower, upper))).view(np.int64)
        else:
            values[rows] = lower * (1 - at) + upper * at
        return values

    @cached_property
    def _is_stretch(self) -> npt.NDArray[np.bool_]:
        return (self.upper > self.lower) & (self.mass > 0)

    def latent_interval(self, value: float) -> tuple[float, float] | None:
        """The latent interval of one value, both ends equal for a point of a stretch on the line.

        None where the value's probability (or density) is zero. Points at the very ends of the line are
        drawn in a little, to the middle 99 % of their piece, so that the position is finite.
        """
        at = np.asarray([value]).astype(self.lower.dtype)
        piece = int(self.pieces_of(at)[0])
        lower, upper, mass = self.lower[piece], self.upper[piece], self.mass[piece]
        if not lower <= at[0] <= upper or mass <= 0:
            return None
        low, high = float(self.cuts[piece]), float(self.cuts[piece + 1])
        if lower == upper:
            return (low, high) if low < high else None
        below = self.cumulative[piece]
        if self.is_lattice:
            width, offset = int(upper) - int(lower) + 1, int(at[0]) - int(lower)
            if offset > 0:
                low = float(ndtri(below + offset / width * mass))
            if offset < width - 1:
                high = float(ndtri(below + (offset + 1) / width * mass))
            if low < high:
                return low, high
            share = (offset + 0.5) / width  # one value of so many that its interval is a point
        else:
            share = float(np.clip((at[0] / 2 - lower / 2) / (upper / 2 - lower / 2), 0.005, 0.995))
        position = float(ndtri(min(below + share * mass, 1 - 1e-16)))
        return position, position


def gap(lower: Values, upper: Values) -> npt.NDArray[np.uint64]:
    """Upper - lower of int64 values, exact however far apart they are; upper ≥ lower."""
    return upper.view(np.uint64) - lower.view(np.uint64)


def width_of(lower: Values, upper: Values) -> Floats:
    """The same as float64, for shares of it."""
    return gap(lower, upper).astype(np.float64)


def _normal_density(at: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * np.clip(at, -40, 40) ** 2) / np.sqrt(2 * np.pi)
    return density


def level_marginal(counts: Floats, order: npt.NDArray[np.int64] | None = None) -> Marginal:
    """Levels from their counts, shape (n_levels,); `order` lists the codes along the latent axis.

    Counts that sum to nothing give equal masses: with no data every level is as likely as another.
    """
    order = np.arange(len(counts)) if order is None else order
    total = counts.sum()
    mass = counts[order] / total if total > 0 else np.full(len(counts), 1 / max(len(counts), 1))
    return Marginal(order.astype(np.int64), order.astype(np.int64), mass, is_lattice=True)
