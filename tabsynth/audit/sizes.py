"""How much an audit looks at, by the time it may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tabsynth.encode import Variable
from tabsynth.errors import UsageError
from tabsynth.metrics.proximity import MAX_LEVELS

MIN_ROWS = 200
"""Rows of each table, and persons of each real one, below which no audit is made."""

USUAL_COORDINATES = 120
MIN_ASKED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The most rows that are looked at: `candidates` of either side, `release` and `reference` rows.

    Guesses are made about `asked` people of either side, or fewer where a row has more than
    `USUAL_COORDINATES` coordinates.
    """

    candidates: int
    release: int
    reference: int
    asked: int


BUDGETS = {
    "2m": Sizes(candidates=10_000, release=25_000, reference=10_000, asked=20_000),
    "20m": Sizes(candidates=30_000, release=75_000, reference=30_000, asked=60_000),
    "4h": Sizes(candidates=100_000, release=250_000, reference=100_000, asked=200_000),
}


def sizes_of(budget: str) -> Sizes:
    """The sizes of a budget; `UsageError` that lists them for any other name."""
    if budget not in BUDGETS:
        raise UsageError(f"the budget {budget!r} is not one of {', '.join(BUDGETS)}")
    return BUDGETS[budget]


def for_columns(sizes: Sizes, variables: Sequence[Variable]) -> Sizes:
    """The sizes for a table of those columns: nearest rows take as long as a row has coordinates."""
    n = sum(variable.is_continuous + min(variable.n_levels, MAX_LEVELS) for variable in variables)
    return replace(sizes, asked=max(MIN_ASKED, sizes.asked * USUAL_COORDINATES // max(n, USUAL_COORDINATES)))
