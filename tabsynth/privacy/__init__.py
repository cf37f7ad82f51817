"""Whose information leaves the private table, and what it costs."""

from tabsynth.privacy.budget import NO_PRIVACY, Budget, NoPrivacy, Privacy
from tabsynth.privacy.ledger import Charge, Ledger

__all__ = ["NO_PRIVACY", "Budget", "Charge", "Ledger", "NoPrivacy", "Privacy"]
