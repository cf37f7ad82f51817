"""One-way distributions, cut into ordered pieces along a standard normal axis.

A marginal of a column is a list of pieces in order: a level, an atom (one value that many rows share)
or a stretch of the line or lattice on which values lie evenly. Piece j covers the latent interval
(cuts[j], cuts[j+1]) of a standard normal variable, whose probability is the piece's mass. That one shape
serves categories, zero-inflated amounts and smooth numbers alike, and it is made from counts, so noise
can be added to what it is made from.

It holds no single row's value unless at least `min_group` rows share it: rarer values are pooled into
stretches of at least `min_group` rows whose ends lie between values, and the outermost group on
either side becomes a generalised Pareto tail with the group's mean and spread of excesses (the limit
law of excesses: Pickands 1975), held within the declared bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[Any]  # int64 on a lattice, float64 on the line

MIN_GROUP = 11  # the smallest cell that health agencies publish (CMS cell size suppression policy)
MAX_ATOMS = 4096
MAX_STRETCHES = 1024
_TAIL_QUANTILES = np.array([0.0, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995])


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
        """α_k = E[s(Z) He_k(Z)] / √k! for k = 1 … n_terms, shape (n_terms,), s the piece's score.

        The mean of He_k over an interval is [He_{k-1}(a) φ(a) - He_{k-1}(b) φ(b)] / mass; normalised
        Hermite polynomials keep the recursion stable.
        """
        finite = np.clip(self.cuts, -30, 30)
        weight = _normal_density(self.cuts)
        previous, current = np.zeros_like(finite), weight.copy()  # h_{k-2} φ, h_{k-1} φ
        alphas = np.empty(n_terms)
        for k in range(1, n_terms + 1):
            alphas[k - 1] = (self.scores * (current[:-1] - current[1:])).sum() / np.sqrt(k)
            previous, current = current, (finite * current - np.sqrt(k - 1) * previous) / np.sqrt(k)
        return alphas

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
        values = self.lower[index]
        is_stretch = self._is_stretch[index]
        if not is_stretch.any():
            return values
        rows = np.flatnonzero(is_stretch)
        piece = index[rows]
        share = np.clip((ndtr(latent[rows]) - self.cumulative[piece]) / self.mass[piece], 0, 1)
        lower, upper = self.lower[piece], self.upper[piece]
        if self.is_lattice:
            width = _width(lower, upper)
            steps = np.minimum(share * (width + 1), np.nextafter(2.0**64, 0)).astype(np.uint64)
            values[rows] = (lower.view(np.uint64) + np.minimum(steps, _gap(lower, upper))).view(np.int64)
        else:
            values[rows] += share * (upper - lower)
        return values

    @cached_property
    def _is_stretch(self) -> npt.NDArray[np.bool_]:
        return (self.upper > self.lower) & (self.mass > 0)

    def latent_interval(self, value: float) -> tuple[float, float] | None:
        """The latent interval of one value; None where its probability (or density) is zero."""
        at = np.asarray([value]).astype(self.lower.dtype)
        piece = int(self.pieces_of(at)[0])
        lower, upper, mass = self.lower[piece], self.upper[piece], self.mass[piece]
        if not lower <= at[0] <= upper or mass <= 0:
            return None
        if lower == upper:
            return float(self.cuts[piece]), float(self.cuts[piece + 1])
        if self.is_lattice:
            width, offset = int(upper) - int(lower) + 1, int(at[0]) - int(lower)
            shares = (offset / width, (offset + 1) / width)
        else:
            shares = (float((at[0] - lower) / (upper - lower)),) * 2
        below = self.cumulative[piece]
        return float(ndtri(below + shares[0] * mass)), float(ndtri(below + shares[1] * mass))


def _gap(lower: Values, upper: Values) -> npt.NDArray[np.uint64]:
    """upper - lower of int64 values, exact however far apart they are; upper ≥ lower."""
    return upper.view(np.uint64) - lower.view(np.uint64)


def _width(lower: Values, upper: Values) -> Floats:
    """The same as float64, for shares of it."""
    return _gap(lower, upper).astype(np.float64)


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


def empirical_marginal(
    values: Values,
    counts: Floats,
    *,
    is_lattice: bool,
    bounds: tuple[float | None, float | None] = (None, None),
    min_group: int = MIN_GROUP,
) -> Marginal:
    """Pieces from distinct `values` (ascending) and their `counts`, both of shape (n_distinct,).

    Values shared by at least `min_group` rows (at most 4,096 of them) become atoms; the others are
    pooled into at most about 1,024 stretches, finer towards the tails.
    """
    if len(values) == 0:
        zero = np.zeros(1, dtype=values.dtype)
        return Marginal(zero, zero, np.ones(1), is_lattice)
    frequent = max(min_group, np.partition(counts, -MAX_ATOMS)[-MAX_ATOMS] if len(counts) > MAX_ATOMS else 0)
    is_atom = counts >= frequent
    atoms, atom_counts = values[is_atom], counts[is_atom]
    lower, upper, mass = _stretches(values[~is_atom], counts[~is_atom], is_lattice, bounds, min_group)
    lower, upper, mass = cut_at_atoms(lower, upper, mass, atoms, is_lattice)
    lower, upper = np.r_[lower, atoms], np.r_[upper, atoms]
    mass = np.r_[mass, atom_counts]
    order = np.lexsort((upper, lower))
    return Marginal(lower[order], upper[order], mass[order] / mass.sum(), is_lattice)


def _stretches(
    values: Values,
    counts: Floats,
    is_lattice: bool,
    bounds: tuple[float | None, float | None],
    min_group: int,
) -> tuple[Values, Values, Floats]:
    """Stretches that tile the span of `values`, each with the mass of at least `min_group` rows."""
    if len(values) == 0:
        return values, values, counts
    ends = _group_ends(counts, min_group)
    starts = np.r_[0, ends[:-1] + 1]
    mass = np.add.reduceat(counts, starts)
    gap_lower, gap_upper = values[ends[:-1]], values[starts[1:]]
    if is_lattice:
        upper_inner = (gap_lower >> 1) + (gap_upper >> 1) + (gap_lower & gap_upper & 1)  # their floored mean
        lower_inner = upper_inner + 1
    else:
        upper_inner = lower_inner = gap_lower + (gap_upper - gap_lower) / 2
    first, last = values[0], values[-1]
    lower, upper = np.r_[first, lower_inner], np.r_[upper_inner, last]
    above = _tail(
        upper[-1:], lower[-1:], values[starts[-1] :], counts[starts[-1] :], mass[-1], 1, is_lattice, bounds[1]
    )
    if len(ends) == 1:
        return above
    below = _tail(
        lower[:1], upper[:1], values[: ends[0] + 1], counts[: ends[0] + 1], mass[0], -1, is_lattice, bounds[0]
    )
    return (
        np.r_[below[0], lower[1:-1], above[0]],
        np.r_[below[1], upper[1:-1], above[1]],
        np.r_[below[2], mass[1:-1], above[2]],
    )


def _group_ends(counts: Floats, min_group: int) -> npt.NDArray[np.int64]:
    """Index of the last value of each group: groups grow from `min_group` rows inwards from both tails."""
    cumulative = np.cumsum(counts)
    total = cumulative[-1]
    largest = max(min_group, total / MAX_STRETCHES)
    sizes, size, reached = [], float(min_group), 0.0
    while size < largest and reached + size < total / 2:
        sizes.append(size)
        reached += size
        size *= 1.25
    tail = np.cumsum(sizes)
    middle = np.arange(reached + largest, total - reached, largest)
    ranks = np.r_[tail, middle, total - tail[::-1]]
    ends = np.unique(np.searchsorted(cumulative, ranks, side="left"))
    ends = np.r_[ends[ends < len(counts) - 1], len(counts) - 1]
    kept, below = [], 0.0  # values shared by several rows shift the ends: merge what fell short
    for end in ends[:-1]:
        if cumulative[end] - below >= min_group:
            kept.append(end)
            below = cumulative[end]
    while kept and total - cumulative[kept[-1]] < min_group:
        kept.pop()
    return np.array([*kept, len(counts) - 1], dtype=np.int64)


def _tail(
    outer: Values,
    inner: Values,
    values: Values,
    counts: Floats,
    mass: float,
    side: int,
    is_lattice: bool,
    bound: float | None,
) -> tuple[Values, Values, Floats]:
    """The outermost group as a Pareto tail beyond its inner edge (side 1: upwards, -1: downwards)."""
    excesses = np.abs(values.astype(np.float64) - float(inner[0]))[::side]
    edges = float(inner[0]) + side * _pareto_quantiles(excesses, counts[::side], _TAIL_QUANTILES)
    if bound is not None:
        edges = np.minimum(edges, float(bound)) if side > 0 else np.maximum(edges, float(bound))
    share = np.diff(np.r_[_TAIL_QUANTILES, 1.0])[:-1]
    share = share / share.sum()
    near, far = edges[:-1], edges[1:]
    if is_lattice and max(abs(float(outer[0])), abs(float(inner[0]))) >= 2.0**53:
        return np.minimum(outer, inner), np.maximum(outer, inner), np.array([mass])
    if is_lattice:
        far = np.rint(far)
        near = np.r_[near[0], far[:-1] + side]
        keep = (far - near) * side >= 0
        if not keep.any():
            return inner, inner, np.array([mass])
        near, far, share = near[keep], far[keep], share[keep] / share[keep].sum()
    else:
        keep = far != near
        if not keep.any():
            return inner, inner, np.array([mass])
        near, far, share = near[keep], far[keep], share[keep] / share[keep].sum()
    lower, upper = (near, far) if side > 0 else (far[::-1], near[::-1])
    share = share if side > 0 else share[::-1]
    return lower.astype(outer.dtype), upper.astype(outer.dtype), share * mass


def _pareto_quantiles(excesses: Floats, counts: Floats, at: Floats) -> Floats:
    """Quantiles of the generalised Pareto distribution fitted to ascending excesses, shape of `at`.

    By probability-weighted moments (Hosking and Wallis 1987, equation 2), the shape held in [-0.5, 0.9]
    and the mean kept; a shape of 0 is the exponential distribution.
    """
    total = counts.sum()
    mean = float((excesses * counts).sum() / total)
    above = 1 - (np.cumsum(counts) - counts / 2) / total
    spread = mean - 2 * float((excesses * counts * above).sum() / total)
    shape = float(np.clip(2 - mean / spread, -0.5, 0.9)) if spread > 1e-9 * mean > 0 else -0.5
    growth = -np.log1p(-at) if abs(shape) < 1e-6 else ((1 - at) ** -shape - 1) / shape
    quantiles: Floats = mean * (1 - shape) * growth
    return quantiles


def cut_at_atoms(
    lower: Values, upper: Values, mass: Floats, atoms: Values, is_lattice: bool
) -> tuple[Values, Values, Floats]:
    """Split stretches at the atoms that lie inside them; mass follows length."""
    if len(lower) == 0 or len(atoms) == 0:
        return lower, upper, mass
    owner = np.searchsorted(lower, atoms, side="right") - 1
    inside = (owner >= 0) & (atoms <= upper[np.maximum(owner, 0)])
    if not is_lattice:
        inside &= (atoms > lower[np.maximum(owner, 0)]) & (atoms < upper[np.maximum(owner, 0)])
    cut, owner = atoms[inside], owner[inside]
    step = 1 if is_lattice else 0
    starts, start_owner = np.r_[lower, cut + step], np.r_[np.arange(len(lower)), owner]
    order = np.lexsort((starts, start_owner))
    starts, start_owner = starts[order], start_owner[order]
    ends = np.r_[upper, cut - step]
    end_owner = np.r_[np.arange(len(lower)), owner]
    ends = ends[np.lexsort((ends, end_owner))]
    is_empty = ends < starts
    length = np.where(is_empty, 0.0, (_width(starts, ends) if is_lattice else ends - starts) + step)
    whole = np.bincount(start_owner, weights=length, minlength=len(lower))
    points = whole == 0
    share = np.where(points[start_owner], 1.0, length / np.where(points, 1.0, whole)[start_owner])
    keep = (length > 0) | (points[start_owner] & (step == 0))
    kept = (mass[start_owner] * share)[keep]
    if kept.size:  # a piece of a tail may lie on atoms alone: its mass goes to the other stretches
        kept *= mass.sum() / kept.sum()
    return starts[keep], ends[keep], kept
