"""Deterministic automata without cycles: which texts they hold, and exactly how many.

A pattern is turned into one by way of a nondeterministic one (Thompson 1968; subset construction, Rabin and
Scott 1959), so that a text that can be read in two ways still counts once. One that takes too many states,
transitions or steps is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 200
_MOST_STATES = 5_000
_MOST_EDGES = 200_000
_MOST_STEPS = 2_000_000
_TOO_LARGE = "the pattern is too large"
_Edges = tuple[tuple[str, int], ...]


class PatternError(ValueError):
    """A pattern that is not understood; its text says why and never quotes a cell."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """Transitions of each state as (character, next state), characters ascending; state 0 begins.

    `counts` is the number of texts that end from each state on, `accepting` whether one may end there.
    """

    edges: tuple[_Edges, ...]
    accepting: tuple[bool, ...]
    counts: tuple[int, ...]
    longest: int

    @property
    def size(self) -> int:
        """How many different texts the pattern holds."""
        return self.counts[0]


@dataclass(slots=True)
class Net:
    """A nondeterministic automaton under construction: free moves, and moves by a character of a set."""

    free: list[list[int]]
    moves: list[list[tuple[frozenset[str], int]]]

    def state(self) -> int:
        if len(self.free) >= _MOST_STATES:
            raise PatternError(_TOO_LARGE)
        self.free.append([])
        self.moves.append([])
        return len(self.free) - 1

    def copied(self, start: int, first: int, last: int) -> tuple[int, int]:
        """A copy of the states from `first` up to `last`; where `start` went, and how far all were moved."""
        shift = len(self.free) - first
        for at in range(first, last):
            self.state()
            self.free[-1] = [one + shift for one in self.free[at]]
            self.moves[-1] = [(chars, one + shift) for chars, one in self.moves[at]]
        return start + shift, shift


def determined(net: Net, part: tuple[int, int]) -> Automaton:
    """The subset construction, and the counts from the ends backwards."""
    first, last = part
    steps = _Steps()
    begin = _reached(net, frozenset({first}), steps)
    numbers = {begin: 0}
    edges: list[_Edges] = []
    waiting = [begin]
    n_edges = 0
    for state in waiting:
        found: list[tuple[str, int]] = []
        for targets, chars in _leaving(net, state, steps).items():
            to_state = _reached(net, targets, steps)
            if to_state not in numbers:
                if len(numbers) >= _MOST_STATES:
                    raise PatternError(_TOO_LARGE)
                numbers[to_state] = len(numbers)
                waiting.append(to_state)
            found.extend((char, numbers[to_state]) for char in chars)
        n_edges += len(found)
        if n_edges > _MOST_EDGES:
            raise PatternError(_TOO_LARGE)
        edges.append(tuple(sorted(found)))
    accepting = tuple(last in state for state in waiting)
    counts, depths = _counted(edges, accepting)
    if depths[0] > LONGEST:
        raise PatternError(f"its texts would have up to {depths[0]} characters, more than {LONGEST}")
    return Automaton(tuple(edges), accepting, counts, depths[0])


@dataclass(slots=True)
class _Steps:
    """How many steps a construction has taken; too many are a `PatternError`."""

    taken: int = 0

    def take(self, n: int) -> None:
        self.taken += n
        if self.taken > _MOST_STEPS:
            raise PatternError(_TOO_LARGE)


def _leaving(net: Net, state: frozenset[int], steps: _Steps) -> dict[frozenset[int], list[str]]:
    """Where each character leads from a set of states: the characters that lead to the same ones together, ascending."""
    targets: dict[str, set[int]] = {}
    for at in state:
        for chars, to in net.moves[at]:
            steps.take(len(chars))
            for char in chars:
                targets.setdefault(char, set()).add(to)
    found: dict[frozenset[int], list[str]] = {}
    for char in sorted(targets):
        found.setdefault(frozenset(targets[char]), []).append(char)
    return found


def _reached(net: Net, states: frozenset[int], steps: _Steps) -> frozenset[int]:
    found, waiting = set(states), list(states)
    for at in waiting:
        steps.take(1 + len(net.free[at]))
        for to in net.free[at]:
            if to not in found:
                found.add(to)
                waiting.append(to)
    return frozenset(found)


def _counted(edges: list[_Edges], accepting: tuple[bool, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Texts from each state on, and the length of the longest."""
    counts, depths = [0] * len(edges), [0] * len(edges)
    for at in _last_first(edges):
        counts[at] = accepting[at] + sum(counts[to] for _, to in edges[at])
        depths[at] = max((1 + depths[to] for _, to in edges[at]), default=0)
    return tuple(counts), tuple(depths)


def _last_first(edges: list[_Edges]) -> Iterator[int]:
    """Every state after those that it leads to; there are no cycles, as nothing repeats without a bound."""
    done = [False] * len(edges)
    stack: list[tuple[int, bool]] = [(0, False)]
    while stack:
        at, is_left = stack.pop()
        if is_left:
            if not done[at]:
                done[at] = True
                yield at
        elif not done[at]:
            stack.append((at, True))
            stack.extend((to, False) for to in {to for _, to in edges[at]} if not done[to])
