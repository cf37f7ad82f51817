"""Structs in Apache Thrift's compact protocol, of bytes that nobody has checked."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from typing import Any

Fields = Mapping[int, Any]
_DEEPEST = 12


class DamagedError(Exception):
    """The bytes are none that were written so; its words follow the name of what they are."""


class Thrift:
    """Reads what begins at a place: whole numbers, texts as bytes, lists, and structs by their fields' numbers."""

    def __init__(self, content: mmap.mmap | bytes, start: int, end: int) -> None:
        self._content, self.at, self._end = content, start, end

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of the struct that begins here. Raises `DamagedError`."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            if number in found:
                raise _damaged()
            found[number] = self._value(head & 15, depth, is_field=True)
        return found

    def _value(self, kind: int, depth: int, *, is_field: bool) -> Any:
        if depth > _DEEPEST:
            raise _damaged()
        if kind in (1, 2):  # true and false; within lists each has a byte of its own
            return kind == 1 if is_field else self._byte() == 1
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 8:
            return self._bytes(self._unsigned())
        if kind == 12:
            return self.struct(depth + 1)
        if kind in (3, 7):
            return self._bytes(1 if kind == 3 else 8)
        if kind not in (9, 10):
            raise _damaged()
        head = self._byte()
        n = self._unsigned() if head >> 4 == 15 else head >> 4
        if n > self._end - self.at:  # each takes a byte at least
            raise _damaged()
        return [self._value(head & 15, depth + 1, is_field=False) for _ in range(n)]

    def _bytes(self, n: int) -> bytes:
        start = self.at
        self.at += n
        if self.at > self._end:
            raise _damaged()
        return self._content[start : self.at]

    def _byte(self) -> int:
        if self.at >= self._end:
            raise _damaged()
        self.at += 1
        return self._content[self.at - 1]

    def _unsigned(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise _damaged()

    def _signed(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)


def whole(found: object) -> int:
    """A number that must be there, 0 or more."""
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise _damaged()
    return found


def listed(found: object) -> Sequence[Any]:
    """A list that must be there."""
    if not isinstance(found, list):
        raise _damaged()
    return found


def struct_of(found: object) -> Fields:
    """A struct that must be there."""
    if not isinstance(found, dict):
        raise _damaged()
    return found


def _damaged() -> DamagedError:
    return DamagedError("is damaged, or of a form that no bundle has")
