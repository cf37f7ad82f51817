"""Cells that are what the row before had: an axis for whether they are, and the level that follows from it.

Log odds know a column of many levels by its frequent ones and by groups of the others, so a rare code that comes back is drawn anew
from its group, and what many parameters say of levels that stay is kept short. Where a column repeats one of the context, whether it does has an axis of its own, drawn just before it: who
repeats takes the level as it is, and others any other level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.latent import Latent
from tabsynth.models.trees.tree import Integers, Pieces
from tabsynth.privacy.queries import Queries

Pair = tuple[str, str]
LEAST = 0.01
"""By how much of the rows cells must be equal more often than by chance."""
FEWEST_LEVELS = 3
"""Of two levels, one that is another says which."""
_OTHER, _SAME, _NONE = 0, 1, 2
_NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """Axes of levels: `base`, `of`, which is drawn later, and between them the `axis` that says whether they are the same.

    `level`, (n_pieces of base,): the piece of the same level on `of`, -1 where it has none. `pieces`: of the axis for another level, for the
    same, and for none to repeat.
    """

    base: int
    axis: int
    of: int
    level: Integers
    pieces: tuple[int, int, int]

    def wanted(self, pieces: Mapping[int, Pieces]) -> Integers:
        """The piece on `of` that would repeat the base, (n_rows,), -1 where there is none."""
        return np.where(pieces[self.base] < 0, _NOWHERE, self.level[pieces[self.base]])

    def is_known(self, pieces: Mapping[int, Pieces]) -> bool:
        """Whether these rows have both axes that `of` follows from."""
        return self.base in pieces and self.axis in pieces

    def said(self, pieces: Mapping[int, Pieces]) -> Integers:
        """The axis as it can be, (n_rows,): none where there is nothing to repeat, and only there."""
        other, _, none = self.pieces
        found = pieces[self.axis]
        found = np.where(found == none, other, found)
        return np.where(self.wanted(pieces) == _NOWHERE, none, found).astype(np.int32)

    def is_same(self, pieces: Mapping[int, Pieces]) -> npt.NDArray[np.bool_]:
        return np.asarray(pieces[self.axis] == self.pieces[_SAME], dtype=np.bool_)

    def is_missed(self, pieces: Mapping[int, Pieces]) -> npt.NDArray[np.bool_]:
        """Rows that say another level and have the same."""
        missed = (pieces[self.axis] == self.pieces[_OTHER]) & (pieces[self.of] == self.wanted(pieces))
        return np.asarray(missed, dtype=np.bool_)


def pairs_repeated(data: EncodedTable, context: Sequence[str], queries: Queries) -> list[Pair]:
    """Columns of the context, and of as many levels one that repeats it, in the order of the table; the base that is repeated most often."""
    found: list[Pair] = []
    levels = {name: levels_of(data.columns[name].variable) for name in data.columns}
    for of, n_levels in levels.items():
        bases = [name for name in context if levels[name] == n_levels]
        if of in context or n_levels < FEWEST_LEVELS or not bases:
            continue
        more_often = queries.told_by_repeat(columns=[*bases, of])
        codes = data.columns[of].codes
        more = {
            base: more_often(
                data.columns[base].codes, codes, (data.columns[base].codes < n_levels) & (codes < n_levels)
            )
            for base in bases
        }
        best = max(more, key=lambda base: more[base])
        if more[best] >= LEAST:
            found.append((best, of))
    return found


def levels_of(variable: Variable) -> int:
    """Of a column of levels, without null; 0 for numbers."""
    return 0 if variable.is_continuous else variable.n_levels - (variable.null_code is not None)


def repeat_variables(pairs: Sequence[Pair], variables: Sequence[Variable]) -> tuple[Variable, ...]:
    """The columns that say whether each pair's second is its first."""
    taken = {variable.name for variable in variables}
    found = []
    for base, of in pairs:
        name = f"{of} = {base}"
        while name in taken:
            name += "'"
        taken.add(name)
        found.append(Variable(name=name, is_continuous=False, n_levels=3, null_code=_NONE))
    return tuple(found)


def repeat_columns(pairs: Sequence[Pair], data: EncodedTable) -> EncodedTable:
    """Of every row whether it repeats, by the names of `repeat_variables`."""
    found: dict[str, EncodedColumn] = {}
    for variable, (base, of) in zip(repeat_variables(pairs, data.variables), pairs, strict=True):
        one, other = data.columns[base], data.columns[of]
        codes = np.where(one.codes == other.codes, _SAME, _OTHER)
        codes = np.where(one.codes >= levels_of(one.variable), _NONE, codes).astype(np.uint8)
        found[variable.name] = EncodedColumn(variable, codes)
    return EncodedTable(data.n_rows, found)


def repeats_on(pairs: Sequence[Pair], names: Sequence[str], latents: Sequence[Latent]) -> tuple[Repeat, ...]:
    """Where the pairs and the columns `names`, which say whether they repeat, have their axes."""
    axes = {latent.variable.name: axis for axis, latent in enumerate(latents)}
    found = []
    for name, (base, of) in zip(names, pairs, strict=True):
        codes, theirs = latents[axes[base]].marginal.lower, latents[axes[of]].marginal
        place = np.full(int(max(codes.max(), theirs.lower.max())) + 1, _NOWHERE, dtype=np.int32)
        is_level = (theirs.mass > 0) & (theirs.lower < levels_of(latents[axes[of]].variable))
        place[theirs.lower[is_level]] = np.flatnonzero(is_level)
        level = np.where(codes < levels_of(latents[axes[base]].variable), place[codes], _NOWHERE)
        at = {int(code): piece for piece, code in enumerate(latents[axes[name]].marginal.lower)}
        pieces = (at[_OTHER], at[_SAME], at[_NONE])
        found.append(Repeat(axes[base], axes[name], axes[of], level.astype(np.int32), pieces))
    return tuple(found)


def with_repeats(order: Sequence[int], repeats: Sequence[Repeat]) -> tuple[int, ...]:
    """The order with the axis of every repeat just before the one that follows from it."""
    found = list(order)
    for one in repeats:
        found.insert(found.index(one.of), one.axis)
    return tuple(found)
