"""How many rows persons have, each person counted once: by the row, one person of many rows would weigh as many persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ModelFileError

_Integers = npt.NDArray[np.integer]
_EVEN = 3**0.5
"""Half the width of an even distribution in standard deviations."""
_MOST = 1 << 31


@dataclass(frozen=True, slots=True)
class Lengths:
    """Groups of persons by the number of their rows, shape (n_groups,) each: from `low` to `high` rows, equally likely, and how many `persons`.

    A number of rows that enough persons have is a group of its own. Rarer ones share groups, of which no more is known than a mean and a standard deviation.
    `farthest`: a number of rows that enough persons have before or after one of theirs, the greatest.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    persons: tuple[int, ...]
    farthest: int

    @classmethod
    def of(cls, rows: _Integers, *, min_group: int, most: int) -> Self:
        """From each person's number of rows, (n_persons,), at least one: groups of at least `min_group` persons, if there are as many.

        Where fewer persons in all have rare numbers of rows, they count as if they had the nearest that is not. `most`: rows of a person.
        """
        lengths, persons = np.unique(rows, return_counts=True)
        is_rare = persons < min_group
        groups: list[_Integers] = []
        if persons[is_rare].sum() >= min_group or is_rare.all():
            groups = [
                rows[np.isin(rows, few)] for few in _together(lengths[is_rare], persons[is_rare], min_group)
            ]
        common, counts = lengths[~is_rare], persons[~is_rare]
        if not groups:
            for length, n in zip(lengths[is_rare], persons[is_rare], strict=True):
                counts[np.argmin(np.abs(common - length))] += n
        ends = [*((int(n), int(n)) for n in common), *(_ends(group, most) for group in groups)]
        longest = np.sort(rows)[::-1]
        return cls(
            low=tuple(low for low, _ in ends),
            high=tuple(high for _, high in ends),
            persons=(*map(int, counts), *map(len, groups)),
            farthest=int(longest[min_group - 1]) - 1 if len(rows) >= min_group else 0,
        )

    @property
    def n_persons(self) -> int:
        return sum(self.persons)

    @property
    def mean(self) -> float:
        """Rows of a person."""
        middles = [(low + high) / 2 for low, high in zip(self.low, self.high, strict=True)]
        return float(np.average(middles, weights=self.persons))

    def draw(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Numbers of rows of `n` persons in random order, shares of groups met to within one person."""
        shares = np.cumsum(self.persons) / sum(self.persons)
        at = (rng.permutation(n) + rng.random()) / n
        group = np.minimum(np.searchsorted(shares, at, side="right"), len(shares) - 1)
        return rng.integers(np.asarray(self.low)[group], np.asarray(self.high)[group], endpoint=True)

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON; `lengths_from` reads it back."""
        groups = [list(group) for group in zip(self.low, self.high, self.persons, strict=True)]
        return {"groups": groups, "farthest": self.farthest}


def _together(lengths: _Integers, persons: _Integers, min_group: int) -> list[_Integers]:
    """Rare numbers of rows in groups of as many persons as there must be, in order; what is left at the end joins the last."""
    found: list[list[int]] = []
    waiting: list[int] = []
    n_waiting = 0
    for length, n in zip(lengths.tolist(), persons.tolist(), strict=True):
        waiting.append(length)
        n_waiting += n
        if n_waiting >= min_group:
            found.append(waiting)
            waiting, n_waiting = [], 0
    if waiting:
        found = [*found[:-1], [*(found[-1] if found else []), *waiting]]
    return [np.array(group) for group in found]


def _ends(rows: _Integers, most: int) -> tuple[int, int]:
    """From where to where even draws, between one and `most`, have about the mean of these numbers and their standard deviation, or less of it."""
    mean, spread = float(np.mean(rows)), float(np.std(rows))
    reach = min(_EVEN * spread, mean - 1, most - mean)
    return max(1, round(mean - reach)), min(most, round(mean + reach))


def lengths_from(data: Any) -> Lengths:
    """What `to_data` gave. Raises `ModelFileError` for anything that it did not give."""
    if not isinstance(data, dict) or set(data) != {"groups", "farthest"}:
        raise ModelFileError("the history does not say how many rows persons have")
    groups, farthest = data["groups"], data["farthest"]
    are_groups = (
        isinstance(groups, list)
        and len(groups) > 0
        and all(isinstance(group, list) and len(group) == 3 for group in groups)
        and all(type(number) is int and 1 <= number < _MOST for group in groups for number in group)
        and type(farthest) is int
        and 0 <= farthest < _MOST
    )
    if not are_groups or any(low > high for low, high, _ in groups):
        raise ModelFileError("the history does not say how many rows persons have")
    low, high, persons = (tuple(column) for column in zip(*groups, strict=True))
    return Lengths(low, high, persons, farthest)
