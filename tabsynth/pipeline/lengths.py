"""How many rows persons have, each person counted once: by the row, one person of many rows would weigh as many persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ModelFileError

_Integers = npt.NDArray[np.integer]
_MOST = 2**53


@dataclass(frozen=True, slots=True)
class Lengths:
    """Groups of persons by the number of their rows, shape (n_groups,) each: from `low` to `high` rows, and how many `persons`.

    Lengths within a group are not told apart and equally likely.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    persons: tuple[int, ...]

    @classmethod
    def of(cls, rows: _Integers, *, min_group: int) -> Self:
        """From each person's number of rows, (n_persons,), at least one: groups of at least `min_group` persons, if there are as many.

        The last group, if it is of several lengths, ends where its mean stays what it is, if that is before the longest.
        """
        lengths, persons = np.unique(rows, return_counts=True)
        groups: list[list[int]] = []
        waiting: list[int] = []
        for place in range(len(lengths)):
            waiting.append(place)
            if persons[waiting].sum() >= min_group:
                groups.append(waiting)
                waiting = []
        if waiting:
            groups = [*groups[:-1], [*(groups[-1] if groups else []), *waiting]]
        high = [int(lengths[group[-1]]) for group in groups]
        last = groups[-1]
        low = int(lengths[last[0]])
        mean = float(np.average(lengths[last], weights=persons[last]))
        high[-1] = min(int(2 * mean - low), high[-1]) if len(last) > 1 else high[-1]
        return cls(
            low=tuple(int(lengths[group[0]]) for group in groups),
            high=tuple(high),
            persons=tuple(int(persons[group].sum()) for group in groups),
        )

    @property
    def mean(self) -> float:
        """Rows of a person."""
        middles = [(low + high) / 2 for low, high in zip(self.low, self.high, strict=True)]
        return float(np.average(middles, weights=self.persons))

    @property
    def farthest(self) -> int:
        """A number of rows that as many persons as make a group have before or after one of theirs."""
        return self.low[-1] - 1

    def draw(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Numbers of rows of `n` persons in random order, shares of groups met to within one person."""
        shares = np.cumsum(self.persons) / sum(self.persons)
        at = (rng.permutation(n) + rng.random()) / n
        group = np.minimum(np.searchsorted(shares, at, side="right"), len(shares) - 1)
        return rng.integers(np.asarray(self.low)[group], np.asarray(self.high)[group], endpoint=True)

    def to_data(self) -> list[list[int]]:
        """Plain data for JSON; `lengths_from` reads it back."""
        return [list(group) for group in zip(self.low, self.high, self.persons, strict=True)]


def lengths_from(data: Any) -> Lengths:
    """What `to_data` gave. Raises `ModelFileError` for anything that it did not give."""
    are_groups = (
        isinstance(data, Sequence)
        and len(data) > 0
        and all(isinstance(group, list) and len(group) == 3 for group in data)
        and all(type(number) is int and 1 <= number <= _MOST for group in data for number in group)
    )
    if not are_groups:
        raise ModelFileError("the history does not say how many rows persons have")
    low, high, persons = (tuple(column) for column in zip(*data, strict=True))
    ends = [end for group in zip(low, high, strict=True) for end in group]
    if ends != sorted(ends) or any(after <= before for before, after in zip(high, low[1:], strict=False)):
        raise ModelFileError("numbers of rows of persons are not in order")
    return Lengths(low, high, persons)
