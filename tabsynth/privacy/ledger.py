"""The ledger: every statistic that left a private table, charged before it was released.

A ledger holds mechanisms with their parameters; ε follows from all of them together, at any δ. One with a
cap refuses what would exceed it before anything is recorded. `tabsynth.privacy.ledger_file` keeps a ledger
over several fits.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from tabsynth.errors import BudgetError, UsageError
from tabsynth.privacy.accountant import delta_of, epsilon_left, epsilon_of
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.mechanisms import (
    EXACT,
    DiscreteGaussian,
    Exact,
    Mechanism,
    SampledGaussian,
    ThresholdedDiscreteGaussian,
    mechanism_from_data,
    mechanism_to_data,
)

COPY = "copy of a tabsynth ledger, not to be continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One entry: which statistic of which columns, and the mechanism that released it."""

    statistic: str
    columns: tuple[str, ...]
    mechanism: Mechanism = EXACT


class Ledger:
    """Append-only charges of one fit, after those of former fits of its series; `epsilon` composes them all.

    A charge is recorded before its statistic is computed, so a computation that fails stays charged. With
    a `cap` the whole series stays within it. Safe to use from several threads.
    """

    def __init__(self, cap: Budget | None = None, *, former: Sequence[Charge] = ()) -> None:
        self._cap = cap
        self._former = tuple(former)
        self._charges: list[Charge] = []
        self._reserved: Counter[Mechanism] = Counter()
        self._lock = threading.Lock()

    @property
    def cap(self) -> Budget | None:
        """What the series may come to; None for no limit."""
        return self._cap

    @property
    def former(self) -> tuple[Charge, ...]:
        """Charges of the fits before this one."""
        return self._former

    @property
    def charges(self) -> tuple[Charge, ...]:
        """Charges of this fit."""
        return tuple(self._charges)

    def epsilon(self, delta: float) -> float:
        """ε that all charges of the series compose to at `delta`; 0 before the first, ∞ where one was exact."""
        return epsilon_of(self._spent(), delta)

    def reserve(self, mechanisms: Iterable[Mechanism]) -> None:
        """Set room aside for all `mechanisms` of a plan, so that charging them cannot fail for want of it.

        Records nothing. Raises `BudgetError` where they do not fit under the cap all together.
        """
        wanted = _single(mechanisms)
        with self._lock:
            self._require_room(wanted)
            self._reserved += wanted

    def set_aside(self) -> Counter[Mechanism]:
        """What is reserved and not charged yet, by all who charge here."""
        return self._reserved

    def free(self) -> None:
        """Give back what was set aside and not charged: a fit that has ended needs it no more."""
        with self._lock:
            self._reserved.clear()

    def charge(self, statistic: str, columns: Sequence[str], mechanism: Mechanism = EXACT) -> None:
        """Record a release that is about to happen; only when this has returned may noise be drawn.

        Raises `BudgetError`, with nothing recorded, where it does not fit under the cap beside what is
        spent and reserved.
        """
        entry = Charge(statistic=statistic, columns=tuple(columns), mechanism=mechanism)
        wanted = _single((mechanism,))
        with self._lock:
            was_reserved = wanted <= self._reserved
            if not was_reserved:
                self._require_room(wanted)
            self._record(entry)
            self._charges.append(entry)
            if was_reserved:
                self._reserved -= wanted

    def left(self) -> float:
        """ε, at the cap's δ, of the least noise that a further release could have; ∞ without a cap."""
        return math.inf if self._cap is None else epsilon_left(self._spent(), self._cap)

    def copy(self) -> LedgerCopy:
        """The ledger as it stands, for a model to carry."""
        with self._lock:
            return LedgerCopy(former=self._former, charges=self.charges, cap=self._cap)

    def _record(self, entry: Charge) -> None:
        """Make the charge last; a ledger in memory has nothing to do."""

    def _spent(self) -> list[Mechanism]:
        return [entry.mechanism for entry in (*self._former, *self._charges)]

    def _require_room(self, wanted: Counter[Mechanism]) -> None:
        cap = self._cap
        if cap is None:
            return
        taken = [*self._spent(), *_counted(self.set_aside())]
        if delta_of([*taken, *_counted(wanted)], cap.epsilon) <= cap.delta:
            return
        raise BudgetError(
            f"the ledger's cap of ε = {cap.epsilon:g}, δ = {cap.delta:g} does not allow it: "
            f"about ε = {epsilon_left(taken, cap):.2g} is left; nothing was released"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCopy:
    """A ledger as it stood when a model was saved: a record to read, never to continue.

    `series` names the ledger file (None for a ledger in memory) and `head` the state it was in, so that a
    file that was set back can be told (`tabsynth.privacy.ledger_file.LedgerRecord.holds`).
    """

    former: tuple[Charge, ...]
    charges: tuple[Charge, ...]
    cap: Budget | None = None
    source: str | None = None
    series: str | None = None
    head: str | None = None

    def epsilon(self, delta: float) -> float:
        """ε of the whole series up to then, at `delta`."""
        return epsilon_of((entry.mechanism for entry in (*self.former, *self.charges)), delta)


def rows_per_unit(charges: Iterable[Charge]) -> int:
    """The most rows of one unit that any of `charges` protects; 1 where none is private."""
    mechanisms = (charge.mechanism for charge in charges)
    noisy = (DiscreteGaussian, ThresholdedDiscreteGaussian, SampledGaussian)
    return max((found.sensitivity for found in mechanisms if isinstance(found, noisy)), default=1)


def charges_to_data(charges: Sequence[Charge]) -> list[dict[str, object]]:
    """Plain data for JSON; ε is left out, as it follows from the mechanisms."""
    return [charge_to_data(charge) for charge in charges]


def charge_to_data(charge: Charge) -> dict[str, object]:
    """Plain data of one charge."""
    return {
        "statistic": charge.statistic,
        "columns": list(charge.columns),
        "mechanism": mechanism_to_data(charge.mechanism),
    }


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


def copy_to_data(copy: LedgerCopy) -> dict[str, object]:
    """Plain data for JSON, marked as a copy."""
    return {
        "kind": COPY,
        "series": copy.series,
        "source": copy.source,
        "cap": None if copy.cap is None else asdict(copy.cap),
        "head": copy.head,
        "former": charges_to_data(copy.former),
        "charges": charges_to_data(copy.charges),
    }


def copy_from_data(data: object) -> LedgerCopy:
    """The copy that `copy_to_data` wrote; raises `ValueError` for anything else."""
    names = {"kind", "series", "source", "cap", "head", "former", "charges"}
    if not isinstance(data, dict) or data.keys() != names or data["kind"] != COPY:
        raise ValueError(f"a copy of a ledger holds {', '.join(sorted(names))}")
    texts = {name: data[name] for name in ("series", "source", "head")}
    if not all(text is None or isinstance(text, str) for text in texts.values()):
        raise ValueError("series, source and head of a copied ledger are texts or nothing")
    return LedgerCopy(
        former=charges_from_data(data["former"]),
        charges=charges_from_data(data["charges"]),
        cap=None if data["cap"] is None else budget_from_data(data["cap"]),
        **texts,
    )


def budget_from_data(data: object) -> Budget:
    """The budget that was written as its ε and δ; raises `ValueError` for anything else."""
    if not isinstance(data, dict) or data.keys() != {"epsilon", "delta"}:
        raise ValueError("a cap holds epsilon and delta")
    if not all(type(value) in (int, float) for value in data.values()):
        raise ValueError("a cap's epsilon and delta are numbers")
    try:
        return Budget(epsilon=data["epsilon"], delta=data["delta"])
    except UsageError as fault:
        raise ValueError(str(fault)) from None


def _single(mechanisms: Iterable[Mechanism]) -> Counter[Mechanism]:
    """How often each mechanism occurs, counted one release at a time."""
    releases: Counter[Mechanism] = Counter()
    for mechanism in mechanisms:
        if isinstance(mechanism, Exact):
            releases[mechanism] += 1
        else:
            releases[replace(mechanism, count=1)] += mechanism.count
    return releases


def _counted(releases: Counter[Mechanism]) -> list[Mechanism]:
    """The mechanisms of `_single` again."""
    return [
        mechanism if isinstance(mechanism, Exact) else replace(mechanism, count=count)
        for mechanism, count in releases.items()
    ]
