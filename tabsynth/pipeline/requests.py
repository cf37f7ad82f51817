"""What a sampling is to give in each of its rows: anything, rows under conditions, in stated shares, or completed ones.

A request says for any rows, by their positions in the whole table, what the model is asked for and what must be there
in the end. It knows nothing of blocks, so rows do not depend on how the table is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Mask
from tabsynth.constraints.held import Held
from tabsynth.constraints.outcome import GroupShare
from tabsynth.models.condition import Condition, Given

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows that the model is asked for at once: their places among those asked about, and what is asked of them."""

    places: Positions
    conditions: tuple[Condition, ...] = ()
    given: Given = field(default_factory=dict)


class Request(Protocol):
    """What is asked of the rows of one sampling."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The schema's columns that are asked for something."""
        ...

    @property
    def fixed(self) -> frozenset[str]:
        """Learnt columns whose cells may not be exchanged between rows."""
        ...

    def parts(self, rows: Positions) -> Sequence[Part]:
        """What to ask the model for in the rows at these positions of the table."""
        ...

    def missed(self, frame: pl.DataFrame, rows: Positions) -> Mask:
        """Which of these rows, with some columns at least, lack what is asked for."""
        ...

    def overlaid(self, frame: pl.DataFrame, rows: Positions) -> pl.DataFrame:
        """The rows with given cells in their places."""
        ...


@dataclass(frozen=True, eq=False)
class Where:
    """The same conditions on every row."""

    held: Held

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(one.column for one in self.held.asked)

    @property
    def fixed(self) -> frozenset[str]:
        return frozenset()

    def parts(self, rows: Positions) -> Sequence[Part]:
        return [Part(np.arange(len(rows)), self.held.conditions)]

    def missed(self, frame: pl.DataFrame, rows: Positions) -> Mask:  # noqa: ARG002
        return self.held.missed(frame)

    def overlaid(self, frame: pl.DataFrame, rows: Positions) -> pl.DataFrame:  # noqa: ARG002
        return frame


@dataclass(frozen=True, eq=False)
class Shares:
    """Rows of several kinds, each under conditions of its own: row i of the table is of kind `kinds[i]`."""

    helds: tuple[Held, ...]
    kinds: npt.NDArray[np.int32]
    reached: tuple[GroupShare, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.column for held in self.helds for one in held.asked))

    @property
    def fixed(self) -> frozenset[str]:
        return frozenset()

    def parts(self, rows: Positions) -> Sequence[Part]:
        return [Part(places, self.helds[kind].conditions) for kind, places in places_of(self.kinds[rows])]

    def missed(self, frame: pl.DataFrame, rows: Positions) -> Mask:
        missed = np.zeros(len(rows), dtype=np.bool_)
        for kind, places in places_of(self.kinds[rows]):
            missed[places] = self.helds[kind].missed(frame[places])
        return missed

    def overlaid(self, frame: pl.DataFrame, rows: Positions) -> pl.DataFrame:  # noqa: ARG002
        return frame


def places_of(kinds: npt.NDArray[np.int32]) -> list[tuple[int, Positions]]:
    """Every kind that occurs, ascending, and where."""
    if not len(kinds):
        return []
    order = np.argsort(kinds, kind="stable")
    found, starts = np.unique(kinds[order], return_index=True)
    parts = np.split(order, starts[1:])
    return [(int(kind), places) for kind, places in zip(found, parts, strict=True)]
