"""The levels that a frame's own type lists for a column, whether they occur or not."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.schema.types import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Levels in the type's order, and whether that order means something."""

    listed: tuple[Scalar, ...]
    is_ordered: bool
