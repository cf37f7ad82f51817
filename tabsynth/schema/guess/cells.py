"""The cells of one column, as the guesses look at them."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from tabsynth.schema.guess.names import NameHints, read_name
from tabsynth.schema.types import Column, Kind, Role, Scalar

_PLAIN_NUMBER = r"^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$"


@dataclass(frozen=True, slots=True)
class Cells:
    """The present cells of a column (no null, no NaN), their distinct values, the decimal mark in text, and its name's hints."""

    name: str
    stored: str
    present: pl.Series
    distinct: pl.Series
    nullable: bool
    decimal: str = "."
    hints: NameHints = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hints", read_name(self.name))

    @property
    def n_present(self) -> int:
        return len(self.present)

    @property
    def n_distinct(self) -> int:
        return len(self.distinct)

    @property
    def is_unique(self) -> bool:
        return self.n_distinct == self.n_present and self.n_present > 0

    @property
    def distinct_rate(self) -> float:
        return self.n_distinct / max(1, self.n_present)

    def identifier(self, *, unique: bool, mask: str | None = None) -> Column:
        return Column(
            name=self.name,
            kind=Kind.IDENTIFIER,
            dtype=self.stored,
            role=Role.IDENTIFIER,
            nullable=self.nullable,
            unique=unique,
            format=mask,
        )

    def categorical(
        self,
        levels: tuple[Scalar, ...] | None = None,
        *,
        kind: Kind = Kind.CATEGORICAL,
        note: str | None = None,
    ) -> Column:
        """Distinct values in ascending order as levels, text that is all numbers in theirs, or `levels`."""
        return Column(
            name=self.name,
            kind=kind,
            dtype=self.stored,
            role=self.hints.role,
            nullable=self.nullable,
            categories=_in_order(self.distinct) if levels is None else levels,
            description=note,
        )


def _in_order(distinct: pl.Series) -> tuple[Scalar, ...]:
    levels = distinct.sort().to_list()
    if distinct.dtype == pl.String and distinct.str.contains(_PLAIN_NUMBER).all():
        levels.sort(key=float)
    return tuple(levels)


def key_verdict(cells: Cells) -> bool | None:
    """Whether a name that speaks of a key is right: True an identifier, False a code list, None neither.

    A person's key is an identifier however few persons there are; keys of other things with at most 100
    levels are codes. Weak words (`number`, `nb`, `no`) also count things, so they need many values.
    """
    key, many = cells.hints.key, cells.n_distinct > 100
    if not key:
        return None
    if key == "person":
        return True
    if key in ("weak", "weak person"):
        is_key = cells.is_unique and cells.n_present >= 20
        return True if is_key or (many and (cells.distinct_rate > 0.5 or key == "weak person")) else None
    if cells.is_unique and cells.n_present > 1:
        return True
    if key == "thing":
        return many
    return many and cells.n_present < 10 * cells.n_distinct
