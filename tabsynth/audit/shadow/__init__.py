"""An engine, attacked by many fits of it: the query-based shadow-model attack."""

from tabsynth.audit.shadow.results import ShadowResults
from tabsynth.audit.shadow.run import shadow_audit

__all__ = ["ShadowResults", "shadow_audit"]
