"""What privacy a fit is asked to give."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from tabsynth.errors import UsageError
from tabsynth.schema.types import PrivacyUnit
from tabsynth.schema.unit import unit_words

NOT_ANONYMOUS = "Not anonymous by construction: made without a privacy guarantee (ε = ∞)."


@dataclass(frozen=True, slots=True)
class NoPrivacy:
    """Explicitly no guarantee: statistics are exact and the ledger stands at ε = ∞."""

    @property
    def statement(self) -> str:
        return NOT_ANONYMOUS


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Differential privacy under add-or-remove of one unit: ε > 0 and 0 < δ < 1.

    δ is a public choice, never a function of the exact number of rows. Raises `UsageError` for values
    that mean no such guarantee.
    """

    epsilon: float
    delta: float = 1e-6

    def __post_init__(self) -> None:
        for name, value in (("epsilon", self.epsilon), ("delta", self.delta)):
            if isinstance(value, bool) or not isinstance(value, Real):
                raise UsageError(f"{name} must be a number, found {type(value).__name__}")
        if not 0 < self.epsilon < float("inf"):
            raise UsageError(
                f"epsilon must be positive and finite, found {self.epsilon}; for none, ask for no privacy"
            )
        if not 0 < self.delta < 1:
            raise UsageError(f"delta must lie strictly between 0 and 1, found {self.delta}")

    @property
    def statement(self) -> str:
        return f"Differentially private: ε = {self.epsilon:g}, δ = {self.delta:g}."


Privacy = NoPrivacy | Budget
NO_PRIVACY = NoPrivacy()
DEFAULT_BUDGET = Budget(epsilon=1.0)
"""What a fit gives where nothing else is said: ε = 1 and δ = 1e-6."""


def guarantee(privacy: Privacy, unit: PrivacyUnit, *, n_public: int = 0) -> str:
    """One sentence on the privacy of a release, and on whose it is; another where public rows were taken beside the table."""
    if isinstance(privacy, NoPrivacy):
        return NOT_ANONYMOUS
    own = f"{privacy.statement.removesuffix('.')}, unit: {unit_words(unit)}."
    beside = f" Nothing is promised to anybody in the {n_public:,} public rows that were taken beside them."
    return own + beside if n_public else own
