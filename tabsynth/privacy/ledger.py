"""The ledger: every statistic that left a private table, charged before it was released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.mechanisms import EXACT, Mechanism, mechanism_from_data, mechanism_to_data


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One release: which statistic of which columns, and the mechanism that released it."""

    statistic: str
    columns: tuple[str, ...]
    mechanism: Mechanism = EXACT


@dataclass(slots=True)
class Ledger:
    """Append-only list of charges; `epsilon` is what they compose to.

    A charge is recorded before its statistic is computed, so a computation that fails stays charged.
    """

    _charges: list[Charge] = field(default_factory=list)

    @property
    def charges(self) -> tuple[Charge, ...]:
        return tuple(self._charges)

    def epsilon(self, delta: float) -> float:
        """ε that all charges compose to at `delta`; 0 before the first, ∞ where one of them was exact."""
        return epsilon_of((charge.mechanism for charge in self._charges), delta)

    def charge(self, statistic: str, columns: Sequence[str], mechanism: Mechanism = EXACT) -> None:
        self._charges.append(Charge(statistic=statistic, columns=tuple(columns), mechanism=mechanism))


def charges_to_data(charges: Sequence[Charge]) -> list[dict[str, object]]:
    """Plain data for JSON; ε is left out, as it follows from the mechanisms."""
    return [
        {
            "statistic": charge.statistic,
            "columns": list(charge.columns),
            "mechanism": mechanism_to_data(charge.mechanism),
        }
        for charge in charges
    ]


def charges_from_data(data: object) -> tuple[Charge, ...]:
    """The charges that `charges_to_data` wrote; raises `ValueError` for anything else."""
    if not isinstance(data, list):
        raise ValueError("charges are a list")  # noqa: TRY004
    return tuple(charge_from_data(entry) for entry in data)


def charge_from_data(data: object) -> Charge:
    """One charge of `charges_to_data`; raises `ValueError` for anything else."""
    if not isinstance(data, dict) or data.keys() != {"statistic", "columns", "mechanism"}:
        raise ValueError("a charge holds a statistic, columns and a mechanism")
    statistic, columns = data["statistic"], data["columns"]
    if not isinstance(statistic, str):
        raise ValueError("a charge's statistic is a text")  # noqa: TRY004
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise ValueError("a charge's columns are a list of names")
    return Charge(
        statistic=statistic, columns=tuple(columns), mechanism=mechanism_from_data(data["mechanism"])
    )
