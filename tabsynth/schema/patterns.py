r"""Regular expressions of bounded length as automata: which texts they hold, and exactly how many.

Understood are letters and signs, escapes (`\d` a digit, `\w` a letter, digit or `_`, all of ASCII), classes
(`[A-Z0-9]`), groups, alternatives (`|`) and the bounded repeats `?`, `{3}` and `{1,4}`. `*`, `+`, `.`, negated classes, look-around and
back-references are refused: what has no bound cannot be counted. `^` in front and `$` at the end are allowed.
A schema may come from anybody, so a pattern has at most 500 characters and brackets 30 deep, a class at most 5,000
characters, and an automaton that takes too many steps or transitions is refused.
"""

from __future__ import annotations

import string
from functools import lru_cache

from tabsynth.schema.automata import LONGEST, Automaton, Net, PatternError, determined

_LONGEST_PATTERN = 500
_DEEPEST = 30
_WIDEST_CLASS = 5_000
_MOST_DIGITS = 3
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_"}
_UNBOUNDED = frozenset("*+")


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Automaton:
    r"""The automaton of a pattern. Raises `PatternError` for what has no bound or is not understood.

    >>> compile_pattern(r"P-\d{2}[AB]?").size, compile_pattern("(a|a|ab?)").size
    (300, 2)
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise PatternError(f"it has {len(pattern):,} characters, more than {_LONGEST_PATTERN}")
    reader = _Reader(pattern)
    return determined(reader.net, reader.read())


class _Reader:
    """Recursive descent over a pattern; each part is a pair of states, its entry and its exit."""

    def __init__(self, pattern: str) -> None:
        inner = pattern.removeprefix("^")
        ends = inner.endswith("$") and not inner.endswith("\\$")
        self._text = inner[:-1] if ends else inner
        self._at = 0
        self._depth = 0
        self.net = Net([], [])

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
        is_short = max(map(len, bounds)) <= _MOST_DIGITS
        least, most = (int(bound) for bound in bounds) if is_short else (0, LONGEST + 1)
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
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PatternError(f"its brackets are more than {_DEEPEST} deep")
        part = self._alternatives()
        self._depth -= 1
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
                if ord(end) - ord(found) >= _WIDEST_CLASS:
                    raise PatternError(_too_wide())
                found = "".join(map(chr, range(ord(found), ord(end) + 1)))
            chars += found
            if len(chars) > _WIDEST_CLASS:
                raise PatternError(_too_wide())
        if not chars:
            raise PatternError("a class holds nothing")
        return chars

    def _one_of(self, chars: str) -> tuple[int, int]:
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in chars):
            raise PatternError("it holds characters that no text can (NUL, or a surrogate)")
        entry, leave = self.net.state(), self.net.state()
        self.net.moves[entry].append((frozenset(chars), leave))
        return entry, leave


def _too_wide() -> str:
    return f"a class holds more than {_WIDEST_CLASS:,} characters"


def _escaped(char: str) -> str:
    if char in _CLASSES:
        return _CLASSES[char]
    if char.isalnum():
        raise PatternError(f"\\{char} is not understood: \\d and \\w are, and signs after a \\")
    return char
