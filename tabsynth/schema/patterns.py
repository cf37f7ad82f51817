r"""Regular expressions of bounded length as automata: which texts they hold, and exactly how many.

Understood are letters and signs, escapes (`\d` a digit, `\w` a letter, digit or `_`, all of ASCII), classes
(`[A-Z0-9]`), groups, alternatives (`|`) and the bounded repeats `?`, `{3}` and `{1,4}`. `*`, `+`, `.`, negated classes, look-around and
back-references are refused: what has no bound cannot be counted. `^` in front and `$` at the end are allowed.

A pattern is turned into a deterministic automaton without cycles (Thompson 1968; subset construction, Rabin and
Scott 1959), so that a text that can be read in two ways still counts once.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 200
_MOST_STATES = 5_000
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_"}
_UNBOUNDED = frozenset("*+")
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


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Automaton:
    r"""The automaton of a pattern. Raises `PatternError` for what has no bound or is not understood.

    >>> compile_pattern(r"P-\d{2}[AB]?").size, compile_pattern("(a|a|ab?)").size
    (300, 2)
    """
    reader = _Reader(pattern)
    return _determined(reader.net, reader.read())


@dataclass(slots=True)
class _Net:
    """A nondeterministic automaton under construction: free moves, and moves by a character of a set."""

    free: list[list[int]]
    moves: list[list[tuple[frozenset[str], int]]]

    def state(self) -> int:
        if len(self.free) >= _MOST_STATES:
            raise PatternError("the pattern is too large")
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


class _Reader:
    """Recursive descent over a pattern; each part is a pair of states, its entry and its exit."""

    def __init__(self, pattern: str) -> None:
        inner = pattern.removeprefix("^")
        ends = inner.endswith("$") and not inner.endswith("\\$")
        self._text = inner[:-1] if ends else inner
        self._at = 0
        self.net = _Net([], [])

    def read(self) -> tuple[int, int]:
        part = self._alternatives()
        if self._at < len(self._text):
            raise PatternError("a bracket is closed that was never opened")
        return part

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        if not char:
            raise PatternError("the pattern ends too early")
        self._at += 1
        return char

    def _alternatives(self) -> tuple[int, int]:
        entry, leave = self.net.state(), self.net.state()
        while True:
            first, last = self._sequence()
            self.net.free[entry].append(first)
            self.net.free[last].append(leave)
            if self._peek() != "|":
                return entry, leave
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        entry = leave = self.net.state()
        while self._peek() not in ("", "|", ")"):
            first, last = self._repeated()
            self.net.free[leave].append(first)
            leave = last
        return entry, leave

    def _repeated(self) -> tuple[int, int]:
        begun = len(self.net.free)
        first, last = self._atom()
        while self._peek() and self._peek() in "?{*+":
            low, high = self._bounds()
            first, last = self._copies(first, last, begun, low, high)
        return first, last

    def _copies(self, first: int, last: int, begun: int, low: int, high: int) -> tuple[int, int]:
        ended = len(self.net.free)
        parts = []
        for _ in range(high):
            start, shift = self.net.copied(first, begun, ended)
            parts.append((start, last + shift))
        entry, leave = self.net.state(), self.net.state()
        at = entry
        for number, (start, end) in enumerate(parts):
            if number >= low:
                self.net.free[at].append(leave)
            self.net.free[at].append(start)
            at = end
        self.net.free[at].append(leave)
        return entry, leave

    def _bounds(self) -> tuple[int, int]:
        char = self._next()
        if char in _UNBOUNDED:
            raise PatternError(f"{char} has no bound: write {{1,8}} or the like")
        if char == "?":
            return 0, 1
        inner, closed, rest = self._text[self._at :].partition("}")
        self._at = len(self._text) - len(rest)
        low, comma, high = inner.partition(",")
        bounds = (low, high if comma else low)
        if not closed or not all(bound.isascii() and bound.isdigit() for bound in bounds):
            raise PatternError("a repeat is {3} or {1,4}, with both bounds")
        least, most = int(bounds[0]), int(bounds[1])
        if least > most or most > LONGEST:
            raise PatternError(f"a repeat goes from low to high, and up to {LONGEST}")
        return least, most

    def _atom(self) -> tuple[int, int]:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._one_of(self._class())
        if char == "\\":
            return self._one_of(_escaped(self._next()))
        if char in ".^$*+?{":
            raise PatternError(f"{char} is not understood here: write \\{char} for the sign itself")
        return self._one_of(char)

    def _group(self) -> tuple[int, int]:
        if self._text.startswith("?:", self._at):
            self._at += 2
        elif self._peek() == "?":
            raise PatternError("groups are (…) or (?:…)")
        part = self._alternatives()
        if self._next() != ")":
            raise PatternError("a bracket is not closed")
        return part

    def _class(self) -> str:
        if self._peek() == "^":
            raise PatternError("negated classes are not understood: list what may stand there")
        chars = ""
        while (char := self._next()) != "]":
            found = _escaped(self._next()) if char == "\\" else char
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                end = self._next()
                if len(found) != 1 or ord(end) < ord(found):
                    raise PatternError("a range in a class goes from low to high")
                found = "".join(map(chr, range(ord(found), ord(end) + 1)))
            chars += found
        if not chars:
            raise PatternError("a class holds nothing")
        return chars

    def _one_of(self, chars: str) -> tuple[int, int]:
        entry, leave = self.net.state(), self.net.state()
        self.net.moves[entry].append((frozenset(chars), leave))
        return entry, leave


def _escaped(char: str) -> str:
    if char in _CLASSES:
        return _CLASSES[char]
    if char.isalnum():
        raise PatternError(f"\\{char} is not understood: \\d and \\w are, and signs after a \\")
    return char


def _determined(net: _Net, part: tuple[int, int]) -> Automaton:
    """The subset construction, and the counts from the ends backwards."""
    first, last = part
    begin = _reached(net, frozenset({first}))
    numbers = {begin: 0}
    edges: list[_Edges] = []
    waiting = [begin]
    for state in waiting:
        targets: dict[str, set[int]] = {}
        for at in state:
            for chars, to in net.moves[at]:
                for char in chars:
                    targets.setdefault(char, set()).add(to)
        found = []
        for char in sorted(targets):
            to_state = _reached(net, frozenset(targets[char]))
            if to_state not in numbers:
                if len(numbers) >= _MOST_STATES:
                    raise PatternError("the pattern is too large")
                numbers[to_state] = len(numbers)
                waiting.append(to_state)
            found.append((char, numbers[to_state]))
        edges.append(tuple(found))
    accepting = tuple(last in state for state in waiting)
    counts, depths = _counted(edges, accepting)
    if depths[0] > LONGEST:
        raise PatternError(f"its texts would have up to {depths[0]} characters, more than {LONGEST}")
    return Automaton(tuple(edges), accepting, counts, depths[0])


def _reached(net: _Net, states: frozenset[int]) -> frozenset[int]:
    found, waiting = set(states), list(states)
    for at in waiting:
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
