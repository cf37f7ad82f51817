"""Numbers that are told by a difference: an axis for how far one column lies above another, and the number that agrees with it.

Trees and log odds know a column of numbers by its bins. Where another one is equal to it in many rows, a day later, or in general much closer
than a bin is wide, they cannot say so: stays get a wrong length, and bills that are paid to the cent are not. So what lies
between the two has an axis of its own, drawn before the later of them, whose number is then drawn where that axis says. What is
equal is equal, and numbers keep the values that the column itself has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Floats, Marginal, Values, width_of
from tabsynth.models.spans import Span, is_inside
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams

Pair = tuple[str, str]
_FARTHEST = 1 << 61
_BINS = 16
_NONE = 1


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Axes of numbers: `base`, `of`, which is drawn later, and what `of` is above it, which is drawn in between.

    `low` and `high`, (n_pieces,): how far above its base a number may lie, by the piece of the difference (`windows`).
    """

    base: int
    axis: int
    of: int
    low: Values
    high: Values


def pairs_told(
    data: EncodedTable,
    latents: Sequence[Latent],
    order: Sequence[int],
    queries: Queries,
    streams: Streams,
    *,
    first: Sequence[str] = (),
) -> list[Pair]:
    """Columns of numbers of which the second, drawn later and none of the `first`, is told by how far it lies above the first, in the order in which they are drawn."""
    pairs = []
    drawn = [latents[axis].variable for axis in order if latents[axis].part is Part.VALUE]
    for is_lattice in (True, False):
        names = [variable.name for variable in drawn if variable.is_lattice == is_lattice]
        if len(names) < 2:
            continue
        bases_of = queries.told_by_difference(columns=names)
        rng = streams.generator("sequential_trees.differences", int(is_lattice))
        found = bases_of([data.columns[name].as_float() for name in names], rng)
        pairs += [(names[base], names[of]) for of, base in found.items() if names[of] not in first]
    place = {variable.name: k for k, variable in enumerate(drawn)}
    return sorted(pairs, key=lambda pair: place[pair[1]])


def difference_variables(pairs: Sequence[Pair], variables: Sequence[Variable]) -> tuple[Variable, ...]:
    """The columns of what each pair's second is above its first."""
    known = {variable.name: variable for variable in variables}
    found: list[Variable] = []
    for base, of in pairs:
        name = f"{of} − {base}"
        while name in known or any(one.name == name for one in found):
            name += "'"
        has_levels = known[base].n_levels > 1 or known[of].n_levels > 1
        found.append(
            Variable(
                name=name,
                is_continuous=True,
                n_levels=1 + has_levels,
                is_ordered=True,
                is_lattice=known[of].is_lattice,
                null_code=_NONE if has_levels else None,
            )
        )
    return tuple(found)


def difference_columns(pairs: Sequence[Pair], data: EncodedTable) -> EncodedTable:
    """The rows' differences, by the names of `difference_variables`."""
    found: dict[str, EncodedColumn] = {}
    for variable, (base, of) in zip(difference_variables(pairs, data.variables), pairs, strict=True):
        low, high = data.columns[base], data.columns[of]
        assert low.values is not None
        assert high.values is not None
        codes = np.zeros(data.n_rows, dtype=np.uint8)
        if variable.n_levels > 1:
            codes[(low.codes != 0) | (high.codes != 0)] = _NONE
        values = np.where(codes == 0, high.values - low.values, high.values.dtype.type(0))
        found[variable.name] = EncodedColumn(variable, codes, values)
    return EncodedTable(data.n_rows, found)


def differences_on(pairs: Sequence[Pair], latents: Sequence[Latent]) -> tuple[Difference, ...]:
    """Where the pairs and their differences, which the last latents are of, have their axes of numbers."""
    axes = {latent.variable.name: axis for axis, latent in enumerate(latents) if latent.part is Part.VALUE}
    names = tuple(dict.fromkeys(latent.variable.name for latent in latents))[-len(pairs) :] if pairs else ()
    return tuple(
        Difference(axes[base], axes[name], axes[of], *windows(latents[axes[name]].marginal))
        for name, (base, of) in zip(names, pairs, strict=True)
    )


def with_differences(
    order: Sequence[int], differences: Sequence[Difference], latents: Sequence[Latent]
) -> tuple[int, ...]:
    """The order with the axes of every difference just before the number that it tells."""
    found = list(order)
    for one in differences:
        levels = latents[one.axis].variable.n_levels > 1
        at = found.index(one.of)
        found[at:at] = [one.axis - 1, one.axis] if levels else [one.axis]
    return tuple(found)


def signs_of(marginal: Marginal) -> Integers:
    """Of every piece of a difference, (n_pieces,): 2 above zero, 0 below it, 1 where it is zero or on both sides.

    What refines a sequence sees no more of it: the two columns say the rest, and more would take trees from other columns.
    """
    return np.where(marginal.lower > 0, 2, np.where(marginal.upper < 0, 0, 1)).astype(np.int32)


def windows(marginal: Marginal) -> tuple[Values, Values]:
    """How far above its base a number may lie, by the piece of its difference: the ends of sixteenths of the rows, cut at zero, both (n_pieces,); zero alone is itself."""
    mass, lower, upper = marginal.mass, marginal.lower, marginal.upper
    place = np.floor((np.cumsum(mass) - mass / 2) * _BINS).clip(0, _BINS - 1).astype(np.intp)
    side = signs_of(marginal)
    is_zero = (lower == 0) & (upper == 0)
    key = np.unique(np.stack([place, side, is_zero], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    low, high = (np.full(key.max() + 1, end, dtype=lower.dtype) for end in (upper.max(), lower.min()))
    np.minimum.at(low, key, lower)
    np.maximum.at(high, key, upper)
    return low[key], high[key]


def settled(
    base: Values, allowed: tuple[Values, Values], shares: Floats, of: Values, marginal: Marginal
) -> Values:
    """Numbers `of` within what is `allowed` above `base`, the lowest and the highest, all (n_rows,).

    Those that are, stay. Others are drawn anew, by `shares` in [0, 1), from their column's own distribution where it has any probability
    there, so that frequent values stay frequent; else evenly.
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
    drawn = marginal.values_within(piece, within)
    evenly = low + (shares * (high - low)).astype(low.dtype)
    found = of.copy()
    found[moved] = np.clip(np.where(last - first > 1e-12, drawn, evenly), low, high)
    return found


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

    def holds(self, name: str) -> bool:
        """Whether no number of the column may move."""
        return name in self.given or (
            name in self.spans and all(low == high for low, high in self.spans[name])
        )

    def is_free(self, name: str) -> bool:
        return name not in self.given and name not in self.spans


def settle_columns(
    differences: Sequence[Difference],
    latents: Sequence[Latent],
    columns: Mapping[str, EncodedColumn],
    pieces: Mapping[int, Pieces],
    shares: Mapping[int, Floats],
    asked: Asked,
) -> dict[str, EncodedColumn]:
    """The columns with every number where its difference puts it, in the order in which they are drawn.

    No number leaves the spans that were asked for. Where it would have to, its base moves instead, if that is free and no other difference is about it.
    """
    found = dict(columns)
    for one in differences:
        base_name, name = (latents[axis].variable.name for axis in (one.base, one.of))
        base, of = asked.given.get(base_name, found[base_name]), found[name]
        of = asked.given.get(name, of)
        assert base.values is not None
        assert of.values is not None
        rows = np.flatnonzero((base.codes == 0) & (of.codes == 0) & (pieces[one.axis] >= 0))
        at, share = pieces[one.axis][rows].astype(np.intp), shares[one.axis][rows]
        low, high = one.low[at], one.high[at]
        here, there = base.values[rows], of.values[rows]
        after = (
            there if asked.holds(name) else settled(here, (low, high), share, there, latents[one.of].marginal)
        )
        if name in asked.spans:
            after = np.where(is_inside(after, asked.spans[name]), after, there)
        if not asked.holds(name):
            found[name] = _with(of, rows, after)
        if not asked.is_free(name) and asked.is_free(base_name) and _is_alone(one.base, differences):
            moved = settled(after, (-high, -low), share, here, latents[one.base].marginal)
            found[base_name] = _with(base, rows, moved)
    return found


def _with(column: EncodedColumn, rows: npt.NDArray[np.intp], values: Values) -> EncodedColumn:
    assert column.values is not None
    changed = column.values.copy()
    changed[rows] = values
    return EncodedColumn(column.variable, column.codes, changed)


def _is_alone(base: int, differences: Sequence[Difference]) -> bool:
    return sum(base in (one.base, one.of) for one in differences) == 1
