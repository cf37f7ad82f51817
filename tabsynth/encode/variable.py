"""The model's view of one column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a model may know of a column: its levels, and the line its numbers lie on.

    Discrete (`is_continuous` False): codes 0 … n_levels-1 are the declared categories in order, then
    the null level where the column is nullable. `is_ordered` says that the categories' order means
    something; `null_code` is the null level's code or None. A nullable text or identifier column is
    discrete too, with the levels "present" and null: engines learn when it is missing, never what it
    says.

    Continuous: code 0 means "a number", whose value stands beside it; then the null level where the
    column is nullable, then each special value. Values are int64 multiples of the column's step (1 for
    integers, 10**-decimals for numbers, the resolution for times) where `is_lattice`, float64 else.
    `lower` and `upper` are the declared bounds in those units, inclusive, or else the limits of the
    stored type or the calendar, or None (`is_bounded` tells declared from implied); a number beyond them
    is still a number here.

    Any other cell (an unknown category, text where a number should be, an infinity, a null in a column
    without nulls) has code `n_levels`: one past the last.
    """

    name: str
    is_continuous: bool
    n_levels: int
    is_ordered: bool = False
    is_lattice: bool = False
    null_code: int | None = None
    lower: float | int | None = None
    upper: float | int | None = None
    is_bounded: bool = False
