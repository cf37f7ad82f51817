"""The ledger: every statistic that left a private table, charged before it was released.

Only exact releases exist so far: each stands in the ledger with ε = ∞, so that a model says what was
read even when nothing was protected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

EXACT = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One release: which statistic of which columns, and the mechanism that released it."""

    statistic: str
    columns: tuple[str, ...]
    mechanism: str = EXACT

    @property
    def epsilon(self) -> float:
        return math.inf


@dataclass(slots=True)
class Ledger:
    """Append-only list of charges; `epsilon` is what they compose to.

    A charge is recorded before its statistic is computed, so a computation that fails stays charged.
    """

    _charges: list[Charge] = field(default_factory=list)

    @property
    def charges(self) -> tuple[Charge, ...]:
        return tuple(self._charges)

    @property
    def epsilon(self) -> float:
        return max((charge.epsilon for charge in self._charges), default=0.0)

    def charge(self, statistic: str, columns: Sequence[str]) -> None:
        self._charges.append(Charge(statistic=statistic, columns=tuple(columns)))


def charges_to_data(charges: Sequence[Charge]) -> list[dict[str, object]]:
    """Plain data for JSON; ε is left out, as it follows from the mechanism."""
    return [asdict(charge) for charge in charges]


def charges_from_data(data: Sequence[Mapping[str, object]]) -> tuple[Charge, ...]:
    return tuple(
        Charge(
            statistic=str(entry["statistic"]),
            columns=tuple(str(name) for name in entry["columns"]),  # type: ignore[attr-defined]
            mechanism=str(entry["mechanism"]),
        )
        for entry in data
    )
