"""How much an audit looks at, by the time it may take."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.errors import UsageError

MIN_ROWS = 200
"""Rows of each table, and persons of each real one, below which no audit is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The most rows that are looked at: `candidates` of either side, `release` and `reference` rows.

    Of `asked` candidates of either side it is tried whether they can be linked, and secrets guessed.
    """

    candidates: int
    release: int
    reference: int
    asked: int


BUDGETS = {
    "2m": Sizes(candidates=10_000, release=25_000, reference=10_000, asked=6_000),
    "20m": Sizes(candidates=30_000, release=75_000, reference=30_000, asked=18_000),
    "4h": Sizes(candidates=100_000, release=250_000, reference=100_000, asked=60_000),
}


def sizes_of(budget: str) -> Sizes:
    """The sizes of a budget; `UsageError` that lists them for any other name."""
    if budget not in BUDGETS:
        raise UsageError(f"the budget {budget!r} is not one of {', '.join(BUDGETS)}")
    return BUDGETS[budget]
