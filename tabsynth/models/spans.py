"""Stretches of numbers: which share of a piece they cover, and where in it a number may lie.

Spans are pairs of ends, both inclusive, ascending and apart, in encoded units: whole numbers on a lattice, floats
on the line. Within a piece of a marginal numbers lie evenly, so the share that is covered is a share of its width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from tabsynth.models.marginal import Floats, Marginal, Values, width_of

Span = tuple[int | float, int | float]
Mask = npt.NDArray[np.bool_]
Pieces = npt.NDArray[np.intp]

LINE: tuple[Span, ...] = ((-np.inf, np.inf),)
LATTICE: tuple[Span, ...] = ((-(2**63), 2**63 - 1),)
_CLOSE = 1e-6  # how wide a value of the line is taken, in widths of the narrowest piece, where several are asked for


def is_inside(values: Values, spans: Sequence[Span]) -> Mask:
    """Which values lie in one of the spans, shape of `values`."""
    if not spans:
        return np.zeros(len(values), dtype=np.bool_)
    lows, highs = _ends(spans, values.dtype)
    at = np.searchsorted(lows, values, side="right") - 1
    return np.asarray((at >= 0) & (values <= highs[np.maximum(at, 0)]))


def snapped(values: Values, spans: Sequence[Span]) -> Values:
    """Values outside the spans moved to the nearest end of one, shape of `values`."""
    lows, highs = _ends(spans, values.dtype)
    at = np.searchsorted(lows, values, side="right") - 1
    below, above = np.maximum(at, 0), np.minimum(at + 1, len(lows) - 1)
    inside = (at >= 0) & (values <= highs[below])
    to_below = np.abs(values.astype(np.float64) - highs[below])
    to_above = np.abs(lows[above].astype(np.float64) - values)
    nearer = (at >= 0) & ((to_below <= to_above) | (at == len(lows) - 1))
    return np.where(inside, values, np.where(nearer, highs[below], lows[above]))


def _ends(spans: Sequence[Span], dtype: np.dtype[np.generic]) -> tuple[Values, Values]:
    return np.array([low for low, _ in spans], dtype=dtype), np.array(
        [high for _, high in spans], dtype=dtype
    )


def covered(marginal: Marginal, spans: Sequence[Span]) -> Floats:
    """The share of each piece that lies within the spans, in [0, 1], (n_pieces,)."""
    lower, upper, step = marginal.lower, marginal.upper, int(marginal.is_lattice)
    total = np.zeros(len(lower))
    for low, high in zip(*_ends(spans, lower.dtype), strict=True):
        first, last = np.maximum(lower, low), np.minimum(upper, high)
        meets = last >= first
        total[meets] += _widths(first[meets], last[meets], is_lattice=marginal.is_lattice) + step
    whole = _widths(lower, upper, is_lattice=marginal.is_lattice) + step
    is_point = upper == lower
    share = np.divide(total, whole, out=np.zeros(len(lower)), where=whole > 0)
    share = np.where(is_point, is_inside(lower, spans), np.minimum(share, 1.0))
    return np.asarray(share, dtype=np.float64)


def _widths(lower: Values, upper: Values, *, is_lattice: bool) -> Floats:
    if is_lattice:
        return width_of(lower, upper)
    return np.asarray(upper / 2 - lower / 2, dtype=np.float64)  # halved, or the largest numbers overflow


def weights(marginal: Marginal, spans: Sequence[Span]) -> Floats:
    """How much of each piece the spans leave, (n_pieces,), up to a common factor.

    Shares, as long as they have a probability. Single values of a line that have none count by their density;
    zeros where there is neither.
    """
    share = covered(marginal, spans)
    if marginal.is_lattice or (share * marginal.mass).sum() > 0:
        return share
    points = np.array([low for low, high in spans if low == high], dtype=np.float64)
    found = np.zeros(len(share))
    for point in points:
        found += (marginal.lower <= point) & (point <= marginal.upper)
    width = np.asarray(marginal.upper / 2 - marginal.lower / 2, dtype=np.float64)
    density = np.divide(found, width, out=np.zeros(len(share)), where=width > 0)
    top = density.max(initial=0.0)
    return density / top if top > 0 else density


def values_within(marginal: Marginal, pieces: Pieces, share: Floats, spans: Sequence[Span]) -> Values:
    """The values at shares in [0, 1] of the way through what the spans leave of pieces, shape of both."""
    values = marginal.values_within(pieces, share)
    cover = covered(marginal, spans)
    partly = np.flatnonzero(cover[pieces] < 1)
    lows, highs = _ends(spans, values.dtype)
    for piece in np.unique(pieces[partly]):
        rows = partly[pieces[partly] == piece]
        first, last = np.maximum(lows, marginal.lower[piece]), np.minimum(highs, marginal.upper[piece])
        meets = last >= first
        if meets.any():
            values[rows] = _along(first[meets], last[meets], share[rows], is_lattice=marginal.is_lattice)
    return values


def _along(first: Values, last: Values, share: Floats, *, is_lattice: bool) -> Values:
    """Values at shares of the way through several stretches, one after the other."""
    width = _widths(first, last, is_lattice=is_lattice) + int(is_lattice)
    if not width.sum() > 0:  # points of a line, each as likely as another
        width = np.ones(len(first))
    ends = np.cumsum(width) / width.sum()
    at = np.minimum(np.searchsorted(ends, share, side="right"), len(ends) - 1)
    inner = np.clip((share - np.r_[0.0, ends[:-1]][at]) / (width[at] / width.sum()), 0, 1)
    stretches = Marginal(first, last, width / width.sum(), is_lattice=is_lattice)
    return stretches.values_within(at, inner)


def nearest_pieces(marginal: Marginal, values: Values) -> tuple[Pieces, Mask]:
    """The piece of every value, and whether it lies in it; others get the nearest piece that has a probability."""
    able = np.flatnonzero(marginal.mass > 0)
    lower, upper = marginal.lower[able], marginal.upper[able]
    found = marginal.pieces_of(values).astype(np.intp)
    is_in = (marginal.lower[found] <= values) & (values <= marginal.upper[found]) & (marginal.mass[found] > 0)
    at = np.searchsorted(lower, values, side="right") - 1
    below, above = np.maximum(at, 0), np.minimum(at + 1, len(able) - 1)
    to_below = np.where(at >= 0, values.astype(np.float64) - upper[below], np.inf)
    to_above = np.where(at + 1 < len(able), lower[above].astype(np.float64) - values, np.inf)
    return np.where(is_in, found, able[np.where(to_below <= to_above, below, above)]), np.asarray(is_in)


def latent_intervals(marginal: Marginal, pieces: Pieces, values: Values) -> tuple[Floats, Floats]:
    """The latent interval of every value, given its piece; both ends are equal for a point of a stretch on the line.

    Points at the very ends of the line are drawn in a little, to the middle 99 % of their piece, so that the
    position is finite.
    """
    low, high = marginal.cuts[pieces].copy(), marginal.cuts[pieces + 1].copy()
    lower, upper, mass = marginal.lower[pieces], marginal.upper[pieces], marginal.mass[pieces]
    at = np.clip(values, lower, upper)
    below, width = marginal.cumulative[pieces], _widths(lower, upper, is_lattice=marginal.is_lattice)
    stretch = np.flatnonzero(upper > lower)
    if marginal.is_lattice:
        offset, n = width_of(lower, at)[stretch], width[stretch] + 1
        inner = ndtri(np.minimum(below[stretch] + offset / n * mass[stretch], 1.0))
        low[stretch] = np.where(offset > 0, inner, low[stretch])
        inner = ndtri(np.minimum(below[stretch] + (offset + 1) / n * mass[stretch], 1.0))
        high[stretch] = np.where(offset < n - 1, inner, high[stretch])
        share = (width_of(lower, at) + 0.5) / (width + 1)
        is_point = ~(low < high)
    else:
        share = np.divide(at / 2 - lower / 2, width, out=np.full(len(at), 0.5), where=width > 0)
        share = np.clip(share, 0.005, 0.995)
        is_point = (upper > lower) | ~(low < high)
    position = ndtri(np.clip(below + share * mass, 1e-300, 1 - 1e-16))
    return np.where(is_point, position, low), np.where(is_point, position, high)


def latent_sets(marginal: Marginal, spans: Sequence[Span]) -> tuple[Floats, Floats]:
    """The latent intervals that values within the spans come from: ends, ascending and apart, both (n_intervals,).

    Both ends are equal for one point of the line. Empty where the spans have no probability, nor a density.
    """
    left = weights(marginal, spans)
    if not (left * marginal.mass).sum() > 0:
        return np.zeros(0), np.zeros(0)
    cover = covered(marginal, spans)
    if not (cover * marginal.mass).sum() > 0:
        return _of_points(marginal, np.array([low for low, _ in spans], dtype=np.float64))
    whole = np.flatnonzero((cover >= 1) & (marginal.mass > 0))
    ends = [(marginal.cuts[whole], marginal.cuts[whole + 1])]
    partly = np.flatnonzero((cover > 0) & (cover < 1) & (marginal.mass > 0))
    ends += [_in_piece(marginal, int(piece), spans) for piece in partly]
    low, high = (np.concatenate([pair[side] for pair in ends]) for side in (0, 1))
    return joined(low, high)


def _in_piece(marginal: Marginal, piece: int, spans: Sequence[Span]) -> tuple[Floats, Floats]:
    lows, highs = _ends(spans, marginal.lower.dtype)
    lower, upper = marginal.lower[[piece]], marginal.upper[[piece]]
    first, last = np.maximum(lows, lower), np.minimum(highs, upper)
    first, last = first[last >= first], last[last >= first]
    step = int(marginal.is_lattice)
    lower, upper = np.broadcast_to(lower, first.shape).copy(), np.broadcast_to(upper, first.shape).copy()
    whole = _widths(lower, upper, is_lattice=marginal.is_lattice) + step
    start = _widths(lower, first, is_lattice=marginal.is_lattice) / whole
    end = (_widths(lower, last, is_lattice=marginal.is_lattice) + step) / whole
    below, mass = marginal.cumulative[piece], marginal.mass[piece]
    low = np.where(first == lower, marginal.cuts[piece], ndtri(np.minimum(below + start * mass, 1.0)))
    high = np.where(last == upper, marginal.cuts[piece + 1], ndtri(np.minimum(below + end * mass, 1.0)))
    return low, high


def _of_points(marginal: Marginal, points: Floats) -> tuple[Floats, Floats]:
    pieces, is_in = nearest_pieces(marginal, points)
    points, pieces = points[is_in], pieces[is_in]
    low, high = latent_intervals(marginal, pieces, points)
    if len(points) == 1:
        return low, high
    width = marginal.upper[pieces] / 2 - marginal.lower[pieces] / 2
    reach = _CLOSE * marginal.mass[pieces] * (width.min() / width)
    share = np.clip((points / 2 - marginal.lower[pieces] / 2) / width, 0.005, 0.995)
    middle = marginal.cumulative[pieces] + share * marginal.mass[pieces]
    return joined(ndtri(middle - reach), ndtri(np.minimum(middle + reach, 1 - 1e-16)))


def joined(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The same stretches, ascending, with those that touch as one."""
    order = np.lexsort((high, low))
    low, high = low[order], np.maximum.accumulate(high[order]) if len(high) else high
    begins = np.r_[True, low[1:] > high[:-1]] if len(low) else np.zeros(0, dtype=np.bool_)
    last = np.r_[np.flatnonzero(begins)[1:] - 1, len(low) - 1] if len(low) else np.zeros(0, dtype=np.intp)
    return low[begins], high[last]


def meet(one: Sequence[Span], other: Sequence[Span]) -> tuple[Span, ...]:
    """What lies in both, ascending and apart."""
    found = [(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) <= min(b, d)]
    return tuple(sorted(found))


def union(spans: Sequence[Span], *, is_lattice: bool) -> tuple[Span, ...]:
    """The same stretches, ascending, with those that touch as one."""
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= (found[-1][1] + 1 if is_lattice else found[-1][1]):
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def complement(points: Sequence[int | float], *, is_lattice: bool) -> tuple[Span, ...]:
    """All numbers but these."""
    (low, high), *_ = LATTICE if is_lattice else LINE
    found: list[Span] = []
    for point in sorted(set(points)):
        before = point - 1 if is_lattice else float(np.nextafter(point, -np.inf))
        if low <= before:
            found.append((low, before))
        low = point + 1 if is_lattice else float(np.nextafter(point, np.inf))
    return tuple([*found, (low, high)] if low <= high else found)


def without(span: Span, others: Sequence[Span]) -> tuple[Span, ...]:
    """What is left of one span, ascending and apart. Whole numbers are taken for those of a lattice."""
    low, high = span
    is_lattice = isinstance(low, int) and isinstance(high, int)
    found: list[Span] = []
    for first, last in sorted(others):
        if last < low or first > high:
            continue
        before = first - 1 if is_lattice else float(np.nextafter(first, -np.inf))
        if low <= before:
            found.append((low, before))
        low = last + 1 if is_lattice else float(np.nextafter(last, np.inf))
        if not is_lattice and last == np.inf:
            return tuple(found)
    return tuple([*found, (low, high)] if low <= high else found)
