"""What the releases of one source cost together, by the ledger's own composition.

A release's ledger holds its own charges and those before them in its series. Two releases of one series share the
charges that both know, and each charge counts once; rows drawn twice from one model cost once. Releases of other
series, and models without a ledger file, add theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tabsynth.catalog.entry import TableEntry
from tabsynth.privacy.accountant import delta_of, epsilon_of
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.ledger import Charge, charge_to_data
from tabsynth.privacy.mechanisms import Mechanism

_LEAST_UNIT = "row"
ROW, PERSON = "row", "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """ε at `delta` of everything that the releases of a source know of, ∞ where one had no guarantee.

    `cap` is None where the source has none; `unit` is what all of them protect: where some protect a person and
    others a row, the row. `n_charges` counts each charge once.
    """

    source: str
    n_releases: int
    n_charges: int
    epsilon: float
    delta: float
    unit: str
    cap: Budget | None

    @property
    def is_within(self) -> bool:
        """Whether it is within the cap, or has none."""
        return self.cap is None or self.epsilon <= self.cap.epsilon


def protected_by(tables: Iterable[TableEntry]) -> str:
    """What all tables protect: a person where each does, however many rows it may have, or else the row."""
    return PERSON if all(table.unit.startswith(f"{PERSON} (") for table in tables) else ROW


def distinct_charges(tables: Iterable[TableEntry]) -> list[Charge]:
    """The charges of all tables, each once: charges are the same where all before them in their series are, too."""
    found: dict[str, Charge] = {}
    for table in tables:
        ledger = table.ledger
        state = f"series {ledger.series}" if ledger.series is not None else f"model {table.model}"
        for charge in (*ledger.former, *ledger.charges):
            text = json.dumps([state, charge_to_data(charge)])
            state = hashlib.sha256(text.encode()).hexdigest()
            found[state] = charge
    return list(found.values())


def compose(
    source: str, tables: Sequence[TableEntry], *, n_releases: int, cap: Budget | None, delta: float = 1e-6
) -> Composed:
    """What the tables of all releases of a source come to at the cap's δ, or at `delta` where there is no cap."""
    charges = distinct_charges(tables)
    mechanisms: list[Mechanism] = [charge.mechanism for charge in charges]
    at = cap.delta if cap is not None else max([delta, *(table.delta or 0.0 for table in tables)])
    units = {table.unit for table in tables}
    epsilon = epsilon_of(mechanisms, at)
    if cap is not None and epsilon > cap.epsilon and delta_of(mechanisms, cap.epsilon) <= cap.delta:
        epsilon = cap.epsilon  # the ledger asks for δ at the cap's ε, and its answer is as good a bound
    return Composed(
        source=source,
        n_releases=n_releases,
        n_charges=len(charges),
        epsilon=epsilon,
        delta=at,
        unit=units.pop() if len(units) == 1 else _LEAST_UNIT,
        cap=cap,
    )
