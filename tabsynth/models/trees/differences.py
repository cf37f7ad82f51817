"""Numbers that are told by a difference: an axis for how far one column lies above another, and the number that agrees with it.

Trees and log odds know a column of numbers by its bins. Where another one is equal to it in many rows, a day later, or in general much closer
than a bin is wide, they cannot say so: stays get a wrong length, and bills that are paid to the cent are not. So what lies
between the two has an axis of its own, drawn before the later of them, whose number is then drawn where that axis says. What is
equal is equal, and numbers keep the values that the column itself has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Marginal, Values
from tabsynth.models.spans import nearest_pieces
from tabsynth.models.trees.axes import ABSENT
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams

Pair = tuple[str, str]
_BINS = 16
_NONE = 1
_FARTHEST = 2.0**61
NEAR = 0.25
"""How far numbers lie from those that the same column held before, in parts of how far from those of other rows, to be told by them."""


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Axes of numbers: `base`, `of`, which is drawn later, and what `of` is above it, which is drawn in between.

    `level`: the axis that says whether there is a difference, which follows from the two; None where there always is.
    `low` and `high`, (n_pieces,): how far above its base a number may lie, by the piece of the difference (`windows`).
    """

    base: int
    axis: int
    of: int
    level: int | None
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
    apart: Sequence[str] = (),
) -> list[Pair]:
    """Columns of numbers of which the second, drawn later and none of the `first`, is told by how far it lies above the first, in the order in which they are drawn.

    Those that are `apart` are told by one another alone.
    """
    pairs = []
    drawn = [latents[axis].variable for axis in order if latents[axis].part is Part.VALUE]
    for is_lattice in (True, False):
        names = [variable.name for variable in drawn if variable.is_lattice == is_lattice]
        own = [name for name in names if name in apart]
        rng = streams.generator("sequential_trees.differences", int(is_lattice))
        pairs += [pair for pair in _bases(names, data, queries, rng) if pair[1] not in (*first, *apart)]
        if own:
            rng = streams.generator("sequential_trees.differences.apart", int(is_lattice))
            pairs += [pair for pair in _bases(own, data, queries, rng) if pair[1] not in first]
    return _as_drawn(pairs, latents, order)


def _bases(
    names: Sequence[str], data: EncodedTable, queries: Queries, rng: np.random.Generator
) -> list[Pair]:
    if len(names) < 2:
        return []
    found = queries.told_by_difference(columns=names)([data.columns[name].as_float() for name in names], rng)
    return [(names[base], names[of]) for of, base in found.items()]


def with_step(
    step: Pair,
    find: Callable[[Sequence[int]], list[Pair]],
    data: EncodedTable,
    latents: Sequence[Latent],
    order: Sequence[int],
    context: Collection[str],
    *,
    min_group: int,
) -> tuple[tuple[int, ...], list[Pair]]:
    """The order of the axes, and the pairs that `find` gives in it, with `step`, whose first is one of the `context`.

    What would tell the step's second, and is drawn now, is drawn after it, to be told by it instead. A column of the context that tells it tells it still if it lies
    between the two in all rows. No step is taken where fewer than `min_group` rows have both numbers, or these are too large to be subtracted.
    """
    base, of = (data.columns[name] for name in step)
    pairs = find(order)
    if not _can_be_told(base, of, min_group=min_group):
        return tuple(order), pairs
    while (teller := {second: first for first, second in pairs}.get(step[1])) not in (None, *context):
        assert teller is not None
        order = _moved(step[1], teller, latents, order)
        pairs = find(order)
    if teller is not None and _lies_between(data.columns[teller], base, of):
        return tuple(order), pairs
    return tuple(order), _as_drawn([step, *(pair for pair in pairs if pair[1] != step[1])], latents, order)


def with_before(
    candidates: Sequence[Pair],
    pairs: Sequence[Pair],
    data: EncodedTable,
    latents: Sequence[Latent],
    order: Sequence[int],
    rng: np.random.Generator,
    *,
    min_group: int,
) -> list[Pair]:
    """The pairs, and those of the candidates whose second is told by nothing yet and lies near the first, which held the same before."""
    told = {second for _, second in pairs}
    found = []
    for base, of in candidates:
        columns = data.columns[base], data.columns[of]
        if of not in told and _can_be_told(*columns, min_group=min_group) and _stays_near(*columns, rng):
            found.append((base, of))
    return _as_drawn([*pairs, *found], latents, order)


def _stays_near(base: EncodedColumn, of: EncodedColumn, rng: np.random.Generator) -> bool:
    """Whether numbers are much closer to those before than to those before in other rows, on average."""
    rows = (base.codes == 0) & (of.codes == 0)
    one, other = base.as_float()[rows], of.as_float()[rows]
    apart = np.abs(other - rng.permutation(one)).mean()
    return bool(np.abs(other - one).mean() <= NEAR * apart)


def _can_be_told(base: EncodedColumn, of: EncodedColumn, *, min_group: int) -> bool:
    """Whether enough rows have both numbers, and these can be subtracted."""
    if base.values is None or of.values is None:
        return False
    are_there = (base.codes == 0) & (of.codes == 0)
    largest = max(np.abs(column.as_float()[are_there]).max(initial=0) for column in (base, of))
    return bool(are_there.sum() >= min_group and largest < _FARTHEST)


def _moved(name: str, other: str, latents: Sequence[Latent], order: Sequence[int]) -> tuple[int, ...]:
    """The order with the axes of a column just before those of the other."""
    mine = [axis for axis in order if latents[axis].variable.name == name]
    found = [axis for axis in order if axis not in mine]
    at = next(place for place, axis in enumerate(found) if latents[axis].variable.name == other)
    return (*found[:at], *mine, *found[at:])


def _lies_between(column: EncodedColumn, low: EncodedColumn, high: EncodedColumn) -> bool:
    """Whether a column has a number, and one between these, wherever both have one."""
    rows = (low.codes == 0) & (high.codes == 0)
    assert column.values is not None
    assert low.values is not None
    assert high.values is not None
    values = column.values[rows]
    is_between = (low.values[rows] <= values) & (values <= high.values[rows])
    return bool((column.codes[rows] == 0).all() and is_between.all())


def _as_drawn(pairs: Sequence[Pair], latents: Sequence[Latent], order: Sequence[int]) -> list[Pair]:
    """The pairs in the order in which their seconds are drawn."""
    drawn = [latents[axis].variable.name for axis in order if latents[axis].part is Part.VALUE]
    place = {name: k for k, name in enumerate(drawn)}
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
        there = values[codes == 0]
        bounded = replace(  # so that no stretch of rare differences reaches over an order that all rows keep
            variable,
            lower=0 if len(there) and there.min() >= 0 else None,
            upper=0 if len(there) and there.max() <= 0 else None,
        )
        found[variable.name] = EncodedColumn(bounded, codes, values)
    return EncodedTable(data.n_rows, found)


def differences_on(pairs: Sequence[Pair], latents: Sequence[Latent]) -> tuple[Difference, ...]:
    """Where the pairs and their differences, which the last latents are of, have their axes of numbers."""
    axes = {latent.variable.name: axis for axis, latent in enumerate(latents) if latent.part is Part.VALUE}
    names = tuple(dict.fromkeys(latent.variable.name for latent in latents))[-len(pairs) :] if pairs else ()
    return tuple(
        Difference(
            axes[base],
            axes[name],
            axes[of],
            axes[name] - 1 if latents[axes[name]].variable.n_levels > 1 else None,
            *windows(latents[axes[name]].marginal),
        )
        for name, (base, of) in zip(names, pairs, strict=True)
    )


def with_differences(order: Sequence[int], differences: Sequence[Difference]) -> tuple[int, ...]:
    """The order with the axes of every difference just before the number that it tells."""
    found = list(order)
    for one in differences:
        at = found.index(one.of)
        found[at:at] = [one.axis] if one.level is None else [one.level, one.axis]
    return tuple(found)


def signs_of(marginal: Marginal) -> Integers:
    """Of every piece of a difference, (n_pieces,): 2 above zero, 0 below it, 1 where it is zero or on both sides.

    What refines a sequence sees no more of it: the two columns say the rest, and more would take trees from other columns.
    """
    return np.where(marginal.lower > 0, 2, np.where(marginal.upper < 0, 0, 1)).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether there is a difference: where both numbers are. `needed`: axes, and for those of levels the piece of a number; `piece`: that of a difference, and of none."""

    needed: tuple[tuple[int, int | None], ...]
    piece: tuple[int, int]

    def follows(self, pieces: Mapping[int, Pieces]) -> bool:
        """Whether these rows have all axes that it follows from."""
        return all(axis in pieces for axis, _ in self.needed)

    def pieces_of(self, pieces: Mapping[int, Pieces]) -> Integers:
        """Of every row, (n_rows,)."""
        are_there = np.all(
            [pieces[axis] >= 0 if number is None else pieces[axis] == number for axis, number in self.needed],
            axis=0,
        )
        return np.where(are_there, *self.piece).astype(np.int32)


def presence_of(one: Difference, latents: Sequence[Latent], gates: Mapping[int, tuple[int, int]]) -> Presence:
    """Of a difference that not every row has."""
    assert one.level is not None
    codes = latents[one.level].marginal.lower
    piece = (int(np.flatnonzero(codes == 0)[0]), int(np.flatnonzero(codes == _NONE)[0]))
    needed = tuple(
        gates.get(axis, (axis, None)) for axis in (one.base, one.of) if axis in gates or axis == one.base
    )
    return Presence(needed, piece)


def pieces_between(
    one: Difference, latents: Sequence[Latent], base: EncodedColumn, of: EncodedColumn
) -> dict[int, Integers]:
    """The pieces that rows of these two columns have on the axes of the difference, (n_rows,) each."""
    assert base.values is not None
    assert of.values is not None
    are_there = (base.codes == 0) & (of.codes == 0)
    values = np.where(are_there, of.values - base.values, of.values.dtype.type(0))
    found = nearest_pieces(latents[one.axis].marginal, values)[0]
    pieces = {one.axis: np.where(are_there, found, ABSENT).astype(np.int32)}
    if one.level is not None:
        codes = latents[one.level].marginal.lower
        there, none = (int(np.flatnonzero(codes == code)[0]) for code in (0, _NONE))
        pieces[one.level] = np.where(are_there, there, none).astype(np.int32)
    return pieces


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
