"""What the checks of a schema find, before it is known where the schema came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabsynth.errors import Fault
from tabsynth.schema.hints import counted, path_of

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault and its path as a tuple, so that a reader of files can add the line."""

    path: Path
    what: str
    hint: str = ""

    def as_fault(self, *, line: int | None = None) -> Fault:
        return Fault(path_of(*self.path), f"line {line}: {self.what}" if line else self.what, self.hint)


def at_first(path: Path, positions: Sequence[int], what: str, hint: str = "") -> Iterator[Finding]:
    """One finding at the first of several positions, so that a list of thousands stays readable."""
    if positions:
        more = f", and so {counted(len(positions) - 1, 'more value')}" if len(positions) > 1 else ""
        yield Finding((*path, positions[0]), what + more, hint)
