"""Whose information leaves the private table, and what it costs."""

from tabsynth.privacy.budget import DEFAULT_BUDGET, NO_PRIVACY, Budget, NoPrivacy, Privacy, guarantee
from tabsynth.privacy.ledger import Charge, Ledger

__all__ = [
    "DEFAULT_BUDGET",
    "NO_PRIVACY",
    "Budget",
    "Charge",
    "Ledger",
    "NoPrivacy",
    "Privacy",
    "guarantee",
]
