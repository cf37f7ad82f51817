"""Attacks on one released table that must prove they can see a leak before they may say "pass"."""

from tabsynth.audit.results import AuditResults
from tabsynth.audit.run import audit

__all__ = ["AuditResults", "audit"]
