"""Marginals from counts, in which no value stands that fewer than `min_group` rows share.

Values that at least `min_group` rows share become atoms. Rarer values are pooled in groups of at least
`min_group` rows, and a group becomes a stretch between the middles of the gaps to its neighbours; on a
lattice the middle is rounded, so it may fall on a value. The outermost groups become generalised Pareto
tails with the group's mean and spread of excesses (the limit law of excesses: Pickands 1975), held
within the declared bounds, so no extreme of the source is written down. Fewer rare rows than a group are
counted at their nearest atoms.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tabsynth.models.marginal import Floats, Marginal, Values, gap, width_of

MIN_GROUP = 11  # the smallest cell that health agencies publish (CMS cell size suppression policy)
MAX_ATOMS = 4096
MAX_STRETCHES = 1024
_TAIL_QUANTILES = np.array([0.0, 0.24, 0.48, 0.74, 0.9, 0.97, 0.995])
"""The ends of a tail's pieces; 1 - q is nobody's square, or a bounded tail could end a piece on a rare value."""
_INT64 = np.iinfo(np.int64)

Bounds = tuple[float | None, float | None]
Stretches = tuple[Values, Values, Floats]


def empirical_marginal(
    values: Values,
    counts: Floats,
    *,
    is_lattice: bool,
    bounds: Bounds = (None, None),
    are_declared: bool = True,
    min_group: int = MIN_GROUP,
) -> Marginal:
    """Pieces from distinct `values` (ascending) and their `counts`, both of shape (n_distinct,).

    At most 4,096 atoms and about 1,024 stretches, finer towards the tails. Fewer rows than `min_group`
    in all say nothing but the bounds, where these are declared and not merely those of the stored type:
    values lie evenly between them. Raises ValueError where there are some rows, fewer than `min_group`,
    and no declared bounds.
    """
    total = counts.sum()
    if total == 0:
        zero = np.zeros(1, dtype=values.dtype)
        return Marginal(zero, zero, np.ones(1), is_lattice)
    if total < min_group:
        return _between_bounds(bounds if are_declared else (None, None), values.dtype, is_lattice)
    frequent = max(min_group, np.partition(counts, -MAX_ATOMS)[-MAX_ATOMS] if len(counts) > MAX_ATOMS else 0)
    is_atom = counts >= frequent
    atoms, atom_counts, rest, rest_counts = split_atoms(values, counts, is_atom, min_group)
    lower, upper, mass = _stretches(rest, rest_counts, atoms, is_lattice, bounds, min_group)
    lower, upper, mass = cut_at_atoms(lower, upper, mass, atoms, is_lattice)
    lower, upper = np.r_[lower, atoms], np.r_[upper, atoms]
    mass = np.r_[mass, atom_counts]
    order = np.lexsort((upper, lower))
    return Marginal(lower[order], upper[order], mass[order] / mass.sum(), is_lattice)


def _between_bounds(bounds: Bounds, dtype: np.dtype[np.generic], is_lattice: bool) -> Marginal:
    if bounds[0] is None or bounds[1] is None:
        raise ValueError("fewer rows than a group, and no bounds")
    lower, upper = (np.array([bound]).astype(dtype) for bound in bounds)
    return Marginal(lower, upper, np.ones(1), is_lattice)


def split_atoms(
    values: Values, counts: Floats, is_atom: npt.NDArray[np.bool_], min_group: int
) -> tuple[Values, Floats, Values, Floats]:
    """Atoms and their counts, then the other values and theirs; too few others join their nearest atoms."""
    atoms, atom_counts, rest, rest_counts = (
        values[is_atom],
        counts[is_atom],
        values[~is_atom],
        counts[~is_atom],
    )
    if len(atoms) == 0 or rest_counts.sum() >= min_group:
        return atoms, atom_counts, rest, rest_counts
    after = np.clip(np.searchsorted(atoms, rest), 1, max(len(atoms) - 1, 1))
    before = atoms[after - 1]
    following = atoms[np.minimum(after, len(atoms) - 1)]
    is_nearer = np.abs(rest / 2 - before / 2) <= np.abs(following / 2 - rest / 2)
    nearest = np.where(is_nearer, after - 1, np.minimum(after, len(atoms) - 1))
    joined = atom_counts + np.bincount(nearest, weights=rest_counts, minlength=len(atoms))
    return atoms, joined, rest[:0], rest_counts[:0]


def _stretches(
    values: Values, counts: Floats, atoms: Values, is_lattice: bool, bounds: Bounds, min_group: int
) -> Stretches:
    """Stretches that tile the span of `values`, each with the mass of at least `min_group` rows."""
    if len(values) == 0:
        return values, values, counts
    ends = _group_ends(counts, min_group)
    if len(ends) == 1:
        return _one_group(values, counts, atoms, is_lattice, bounds)
    starts = np.r_[0, ends[:-1] + 1]
    mass = np.add.reduceat(counts, starts)
    gap_lower, gap_upper = values[ends[:-1]], values[starts[1:]]
    if is_lattice:
        upper = (gap_lower >> 1) + (gap_upper >> 1) + (gap_lower & gap_upper & 1)  # their floored mean
        lower = upper + 1
    else:
        upper = lower = gap_lower / 2 + gap_upper / 2
    first, last = slice(0, ends[0] + 1), slice(starts[-1], None)
    below = _tail(upper[0], values[first][::-1], counts[first][::-1], -1, is_lattice, bounds[0])
    above = _tail(lower[-1], values[last], counts[last], 1, is_lattice, bounds[1])
    return (
        np.r_[below[0], lower[:-1], above[0]],
        np.r_[below[1], upper[1:], above[1]],
        np.r_[below[2], mass[1:-1], above[2]],
    )


def _one_group(values: Values, counts: Floats, atoms: Values, is_lattice: bool, bounds: Bounds) -> Stretches:
    """One group: a tail away from the atoms if it lies on one side of them, else two about its mean."""
    step = 1 if is_lattice else 0
    if len(atoms) and atoms[-1] < values[0]:
        return _tail(_shifted(atoms[-1], [step], 1, is_lattice)[0], values, counts, 1, is_lattice, bounds[1])
    if len(atoms) and atoms[0] > values[-1]:
        return _tail(
            _shifted(atoms[0], [step], -1, is_lattice)[0],
            values[::-1],
            counts[::-1],
            -1,
            is_lattice,
            bounds[0],
        )
    offset = float((_distance(values[0], values) * counts).sum() / counts.sum())
    middle = _shifted(values[0], [offset], 1, is_lattice)[0]
    distance = _distance(middle, values)
    order = np.argsort(distance)
    excesses, weights = distance[order], counts[order] / 2
    below = _tail_of(middle, excesses, weights, -1, is_lattice, bounds[0])
    above = _tail_of(_shifted(middle, [step], 1, is_lattice)[0], excesses, weights, 1, is_lattice, bounds[1])
    return np.r_[below[0], above[0]], np.r_[below[1], above[1]], np.r_[below[2], above[2]]


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
    inner: np.generic, values: Values, counts: Floats, side: int, is_lattice: bool, bound: float | None
) -> Stretches:
    """A group, `values` going outwards, as a Pareto tail beyond `inner` (side 1: upwards, -1: down)."""
    return _tail_of(inner, _distance(inner, values), counts, side, is_lattice, bound)


def _tail_of(
    inner: np.generic, excesses: Floats, counts: Floats, side: int, is_lattice: bool, bound: float | None
) -> Stretches:
    """Pareto pieces beyond `inner` with the mass of `counts`, from ascending excesses."""
    ends = (_INT64.min, _INT64.max) if is_lattice else (-np.inf, np.inf)
    bound = ends[side > 0] if bound is None else bound
    limit = max(0.0, float(side * (bound - inner.item())))
    offsets = np.minimum(_pareto_quantiles(excesses, counts, _TAIL_QUANTILES), limit)
    share = np.diff(_TAIL_QUANTILES) / _TAIL_QUANTILES[-1]
    near, far = offsets[:-1], offsets[1:]
    if is_lattice:
        far = np.rint(far)
        near = np.r_[0.0, far[:-1] + 1]
    keep = (far >= near) & (near > np.r_[-1.0, far[:-1]]) if is_lattice else far > near
    if not keep.any():  # every excess is 0, or the bound is here
        near, far, keep = np.zeros(1), np.zeros(1), np.ones(1, dtype=bool)
        share = np.ones(1)
    share = share[keep] / share[keep].sum() * counts.sum()
    near_edges, far_edges = (_shifted(inner, edges[keep], side, is_lattice) for edges in (near, far))
    if side > 0:
        return near_edges, far_edges, share
    return far_edges[::-1], near_edges[::-1], share[::-1]


def _distance(origin: np.generic, values: Values) -> Floats:
    """|values - origin|, shape of `values`, without overflow."""
    if values.dtype.kind == "f":
        return np.asarray(np.abs(values - origin), dtype=np.float64)
    origins = np.full_like(values, origin)
    apart = np.where(values >= origins, gap(origins, values), gap(values, origins))
    return np.asarray(apart, dtype=np.float64)


def _shifted(origin: np.generic, offsets: npt.ArrayLike, side: int, is_lattice: bool) -> Values:
    """Positions `offsets` away from `origin`, held within int64 on a lattice."""
    moved = [origin.item() + side * (round(x) if is_lattice else x) for x in np.asarray(offsets).tolist()]
    if is_lattice:
        return np.array([min(max(x, _INT64.min), _INT64.max) for x in moved], dtype=np.int64)
    largest = float(np.finfo(np.float64).max)
    return np.array([min(max(x, -largest), largest) for x in moved], dtype=np.float64)


def _pareto_quantiles(excesses: Floats, counts: Floats, at: Floats) -> Floats:
    """Quantiles of the generalised Pareto distribution fitted to ascending excesses, shape of `at`.

    By probability-weighted moments (Hosking and Wallis 1987, equation 2), the shape held in [-0.5, 0.9]
    and the mean kept; a shape of 0 is the exponential distribution.
    """
    share = counts / counts.sum()
    mean = float((excesses * share).sum())
    above = 1 - (np.cumsum(share) - share / 2)
    spread = mean - 2 * float((excesses * share * above).sum())
    shape = float(np.clip(2 - mean / spread, -0.5, 0.9)) if spread > 1e-9 * mean > 0 else -0.5
    growth = -np.log1p(-at) if abs(shape) < 1e-6 else ((1 - at) ** -shape - 1) / shape
    with np.errstate(over="ignore"):  # of numbers near the largest; who places them holds them within it
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
    length = np.where(is_empty, 0.0, (width_of(starts, ends) if is_lattice else ends - starts) + step)
    whole = np.bincount(start_owner, weights=length, minlength=len(lower))
    points = whole == 0
    share = np.where(points[start_owner], 1.0, length / np.where(points, 1.0, whole)[start_owner])
    keep = (length > 0) | (points[start_owner] & (step == 0))
    kept = (mass[start_owner] * share)[keep]
    if kept.size:  # a piece of a tail may lie on atoms alone: its mass goes to the other stretches
        kept *= mass.sum() / kept.sum()
    return starts[keep], ends[keep], kept
