"""Numbers where their differences put them: as rows are drawn, piece by piece, and once more as numbers, within what conditions ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn
from tabsynth.models.latent import Latent
from tabsynth.models.marginal import Floats, Marginal, Values, width_of
from tabsynth.models.spans import Span, covered, is_inside
from tabsynth.models.trees.differences import Difference
from tabsynth.models.trees.tree import Pieces

_FARTHEST = 1 << 61
_NOTHING = 1e-12


def settled(
    base: Values, allowed: tuple[Values, Values], shares: Floats, of: Values, marginal: Marginal
) -> Values:
    """Numbers `of` within what is `allowed` above `base`, the lowest and the highest, all (n_rows,).

    Those that are, stay. Others are drawn anew, by `shares` in [0, 1), from their column's own distribution, so that frequent values stay
    frequent. Where that has nothing within what is allowed they stay if they are on the side of the base that it allows, and else are the nearest number that it allows.
    """
    low, high = (_sum(base, ends) for ends in allowed)
    moved = np.flatnonzero((of < low) | (of > high))
    if not len(moved):
        return of
    low, high, shares = low[moved], high[moved], shares[moved]
    first, last = _below(marginal, low, inclusive=False), _below(marginal, high, inclusive=True)
    anywhere = np.clip(first + shares * (last - first), 0, np.nextafter(1, 0))
    piece = np.clip(
        np.searchsorted(marginal.cumulative, anywhere, side="right") - 1, 0, len(marginal.mass) - 1
    )
    mass = marginal.mass[piece]
    within = np.clip(
        (anywhere - marginal.cumulative[piece]) / np.where(mass > 0, mass, 1), 0, np.nextafter(1, 0)
    )
    drawn = np.clip(marginal.values_within(piece, within), low, high)
    found = of.copy()
    is_there = last - first > _NOTHING
    found[moved[is_there]] = drawn[is_there]
    rest = moved[~is_there]
    on_side = _is_on_side(of[rest] - base[rest], allowed[0][rest], allowed[1][rest])
    near = np.where(of[rest] < low[~is_there], low[~is_there], high[~is_there])
    found[rest] = np.where(on_side, of[rest], near)
    return found


def _is_on_side(above: Values, low: Values, high: Values) -> npt.NDArray[np.bool_]:
    """Whether differences keep to the side of zero that is allowed, (n_rows,)."""
    not_below = (low < 0) | np.where(low == 0, above >= 0, above > 0)
    not_above = (high > 0) | np.where(high == 0, above <= 0, above < 0)
    return not_below & not_above


def _sum(one: Values, other: Values) -> Values:
    if one.dtype.kind == "f":
        return np.asarray(one + other)
    limit = np.int64(_FARTHEST)
    return np.asarray(np.clip(one, -limit, limit) + np.clip(other, -limit, limit))


def _below(marginal: Marginal, values: Values, *, inclusive: bool) -> Floats:
    """The probability of numbers below `values`, or at most these, (n_rows,)."""
    at = np.searchsorted(marginal.lower, values, side="right") - 1
    piece = np.maximum(at, 0)
    lower, upper = marginal.lower[piece], marginal.upper[piece]
    step = float(marginal.is_lattice)
    whole = (width_of(lower, upper) if marginal.is_lattice else upper - lower) + step
    is_point = upper == lower
    reach = values.astype(np.float64) - lower + (step if inclusive else 0.0)
    share = np.clip(np.divide(reach, whole, out=np.ones(len(values)), where=whole > 0), 0.0, 1.0)
    share = np.where(is_point, (values > lower) | (inclusive & (values == lower)), share)
    found = marginal.cumulative[piece] + share * marginal.mass[piece]
    if not marginal.is_lattice:  # an atom stands just before the stretch that starts at it
        before = np.maximum(piece - 1, 0)
        is_atom = (piece > 0) & (marginal.lower[before] == values) & (marginal.upper[before] == values)
        found = np.where(is_atom & (not inclusive), marginal.cumulative[before], found)
    return np.where(at < 0, 0.0, found)


def is_missed(
    one: Difference,
    latents: Sequence[Latent],
    pieces: Mapping[int, Pieces],
    shares: Mapping[int, Floats],
    rows: npt.NDArray[np.intp],
) -> npt.NDArray[np.bool_]:
    """Which of these rows have a number on the axis `of` that the other two put elsewhere, in a stretch and not at one place, (n_rows,)."""
    at = {axis: np.maximum(pieces[axis][rows], 0).astype(np.intp) for axis in (one.base, one.axis, one.of)}
    base, of = (
        latents[axis].marginal.values_within(at[axis], shares[axis][rows]) for axis in (one.base, one.of)
    )
    low, high = one.low[at[one.axis]], one.high[at[one.axis]]
    are_there = (pieces[one.base][rows] >= 0) & (pieces[one.axis][rows] >= 0)
    return are_there & (low < high) & ((of < _sum(base, low)) | (of > _sum(base, high)))


def settle_pieces(
    one: Difference, latents: Sequence[Latent], pieces: dict[int, Pieces], shares: dict[int, Floats]
) -> None:
    """Move rows on the axis `of` to where the other two put them, and the difference to what it then is; rows that lack one of the three stay."""
    marginals = {axis: latents[axis].marginal for axis in (one.base, one.axis, one.of)}
    rows = np.flatnonzero(np.all([pieces[axis] >= 0 for axis in marginals], axis=0))
    at = {axis: pieces[axis][rows].astype(np.intp) for axis in marginals}
    base, before = (
        marginals[axis].values_within(at[axis], shares[axis][rows]) for axis in (one.base, one.of)
    )
    allowed = one.low[at[one.axis]], one.high[at[one.axis]]
    after = settled(base, allowed, shares[one.axis][rows], before, marginals[one.of])
    for axis, values in ((one.of, after), (one.axis, after - base)):
        pieces[axis], shares[axis] = pieces[axis].copy(), shares[axis].copy()
        pieces[axis][rows], shares[axis][rows] = _standing(marginals[axis], values)


def _standing(marginal: Marginal, values: Values) -> tuple[npt.NDArray[np.intp], Floats]:
    """The pieces that numbers fall in and how far into these, both (n_rows,)."""
    piece = marginal.pieces_of(values).astype(np.intp)
    lower, upper = marginal.lower[piece], marginal.upper[piece]
    step = float(marginal.is_lattice)
    reach = values.astype(np.float64) - lower + step / 2
    whole = (width_of(lower, upper) if marginal.is_lattice else upper - lower) + step
    share = np.divide(reach, whole, out=np.zeros(len(values)), where=whole > 0)
    return piece, np.clip(share, 0, np.nextafter(1, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What conditions leave of columns: cells that every row has, and the spans that numbers are to lie in."""

    given: Mapping[str, EncodedColumn]
    spans: Mapping[str, tuple[Span, ...]]

    def left(self, latent: Latent) -> float:
        """The share of the column's numbers that may be drawn: none where every row has its own."""
        name = latent.variable.name
        if name in self.given:
            return 0.0
        if name not in self.spans:
            return 1.0
        return float((covered(latent.marginal, self.spans[name]) * latent.marginal.mass).sum())


def settle_columns(
    differences: Sequence[Difference],
    latents: Sequence[Latent],
    columns: Mapping[str, EncodedColumn],
    pieces: Mapping[int, Pieces],
    shares: Mapping[int, Floats],
    asked: Asked,
) -> dict[str, EncodedColumn]:
    """The columns with numbers where their differences put them.

    From the column of which conditions leave least, if any, to those that it is told by or that it tells, and on from these, so that what was asked for is what others follow.
    No number leaves the spans that were asked for.
    """
    found = {**columns, **{name: column for name, column in asked.given.items() if name in columns}}
    for one, is_turned in _outwards(
        differences, {axis: asked.left(latents[axis]) for axis in _columns_in(differences)}
    ):
        start, end = (one.of, one.base) if is_turned else (one.base, one.of)
        name = latents[end].variable.name
        if name in asked.given:
            continue
        base, of = found[latents[start].variable.name], found[name]
        assert base.values is not None
        assert of.values is not None
        rows = np.flatnonzero((base.codes == 0) & (of.codes == 0) & (pieces[one.axis] >= 0))
        at, share = pieces[one.axis][rows].astype(np.intp), shares[one.axis][rows]
        allowed = (-one.high[at], -one.low[at]) if is_turned else (one.low[at], one.high[at])
        values = of.values.copy()
        values[rows] = _within_spans(
            base.values[rows], allowed, share, values[rows], latents[end].marginal, asked.spans.get(name)
        )
        found[name] = EncodedColumn(of.variable, of.codes, values)
    return found


def _within_spans(
    base: Values,
    allowed: tuple[Values, Values],
    shares: Floats,
    of: Values,
    marginal: Marginal,
    spans: tuple[Span, ...] | None,
) -> Values:
    """As `settled`, but that no number leaves the spans: in the first of them, from the nearest on, that have any of what is allowed."""
    if spans is None:
        return settled(base, allowed, shares, of, marginal)
    low, high = (_sum(base, ends) for ends in allowed)
    found, left = of.copy(), np.flatnonzero((of < low) | (of > high))
    for first, last in sorted(spans, key=lambda span: float(span[0]) - float(span[1])):
        if not len(left):
            break
        ends = np.maximum(low[left], first), np.minimum(high[left], last)
        can = np.flatnonzero(ends[0] <= ends[1])
        rows = left[can]
        narrowed = ends[0][can].astype(of.dtype) - base[rows], ends[1][can].astype(of.dtype) - base[rows]
        after = settled(base[rows], narrowed, shares[rows], of[rows], marginal)
        found[rows] = np.where(is_inside(after, [(first, last)]), after, of[rows])
        left = np.delete(left, can)
    return found


def _columns_in(differences: Sequence[Difference]) -> set[int]:
    return {axis for one in differences for axis in (one.base, one.of)}


def _outwards(
    differences: Sequence[Difference], left: Mapping[int, float]
) -> Iterator[tuple[Difference, bool]]:
    """Every difference once, from columns of which less is left; whether it is asked the other way round, for its base.

    `left`: of every column's numbers the share that may be drawn. Where nothing was asked they come in the order in which columns are drawn.
    """
    waiting = list(differences)
    reached: set[int] = set()
    while waiting:
        start = min(
            (axis for one in waiting for axis in (one.base, one.of) if axis not in reached),
            key=lambda axis: left[axis],
        )
        reached.add(start)
        while touching := [one for one in waiting if (one.base in reached) or (one.of in reached)]:
            one = touching[0]
            waiting.remove(one)
            is_turned = one.base not in reached
            if one.base in reached and one.of in reached:
                continue
            yield one, is_turned
            reached |= {one.base, one.of}
