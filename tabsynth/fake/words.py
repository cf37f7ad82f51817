"""Texts of a pattern by their number: numbers that differ give texts that differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.fake.hashing import MOST, U64
from tabsynth.schema.automata import Automaton
from tabsynth.schema.patterns import compile_pattern


@dataclass(frozen=True)
class Words:
    """The texts of one pattern, in an order of their own.

    Where they are more than 2**62, their first characters are drawn by `bits`, down to a state from which no
    more than that many end, and the number counts the ends.
    """

    pattern: str

    @cached_property
    def automaton(self) -> Automaton:
        return compile_pattern(self.pattern)

    @cached_property
    def capacity(self) -> int:
        """How many numbers, from 0, are sure to give different texts."""
        counts = self.automaton.counts
        if counts[0] <= MOST:
            return counts[0]
        waiting, seen, found = [0], {0}, set[int]()
        for at in waiting:
            if self.automaton.accepting[at]:
                return 1  # a text that ends before the number is read
            for _, to in self.automaton.edges[at]:
                if counts[to] <= MOST:
                    found.add(to)
                elif to not in seen:
                    seen.add(to)
                    waiting.append(to)
        return min(counts[at] for at in found)

    def write(self, numbers: U64, bits: Callable[[int], U64]) -> pl.Series:
        """The text of each number below `capacity`; `bits` gives 64 for each row and each position."""
        automaton = self.automaton
        n, length = len(numbers), max(1, automaton.longest)
        letters = np.zeros((n, length), dtype="<U1")
        state, rank = np.zeros(n, dtype=np.int64), numbers.copy()
        done = np.zeros(n, dtype=bool)
        for position in range(automaton.longest):
            drawn = (
                bits(position) if any(automaton.counts[at] > MOST for at in np.unique(state[~done])) else rank
            )
            here = np.where(done, -1, state)  # a row that is moved must not be moved once more
            for at in np.unique(here[here >= 0]).tolist():
                rows = np.flatnonzero(here == at)
                if automaton.accepting[at] and automaton.counts[at] <= MOST:
                    ends = rank[rows] == 0
                    done[rows[ends]] = True
                    rows = rows[~ends]
                    rank[rows] -= np.uint64(1)
                if len(rows):
                    _step(automaton, at, rows, rank, drawn, state, letters[:, position])
        return pl.Series(letters.view(f"<U{length}").ravel().astype(object), dtype=pl.String)


def _step(
    automaton: Automaton,
    at: int,
    rows: npt.NDArray[np.int64],
    rank: U64,
    drawn: U64,
    state: npt.NDArray[np.int64],
    letters: npt.NDArray[np.str_],
) -> None:
    """One more character for `rows`, all in one state: by rank, or drawn where too many texts follow."""
    chars = np.array([char for char, _ in automaton.edges[at]])
    targets = np.array([to for _, to in automaton.edges[at]])
    counts = [automaton.counts[to] for _, to in automaton.edges[at]]
    if automaton.counts[at] <= MOST:
        ends = np.cumsum(np.array(counts, dtype=np.uint64))
        chosen = np.searchsorted(ends, rank[rows], side="right")
        begins = np.concatenate([np.zeros(1, dtype=np.uint64), ends[:-1]])
        rank[rows] -= begins[chosen]
    else:
        whole = sum(counts)
        shares = np.cumsum([count / whole for count in counts])
        chosen = np.searchsorted(shares, drawn[rows] / 2.0**64, side="right").clip(max=len(chars) - 1)
    letters[rows] = chars[chosen]
    state[rows] = targets[chosen]
