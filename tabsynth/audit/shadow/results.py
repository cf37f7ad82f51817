"""What an audit by shadow models found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tabsynth.audit.bound import Bound
from tabsynth.audit.rates import ALPHA
from tabsynth.audit.shadow.controls import ShadowControl
from tabsynth.audit.shadow.figures import Power, ShadowBattery
from tabsynth.audit.shadow.verdict import AUC_LIMIT
from tabsynth.audit.verdict import Outcome, Verdict
from tabsynth.plain_results import PlainResults

FORMAT = "tabsynth-shadow-audit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCounts:
    """Rows given, rows of a shadow table and of its release, fits made and judged, targets and questions."""

    train: int
    holdout: int
    pool: int
    rows: int
    fits: int
    evaluated_fits: int
    targets: int
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowResults(PlainResults):
    """Everything an audit by shadow models found; computed from private rows, so not for publication.

    `engine` is the attack on the generator, `controls` the same on generators with a known answer, `power`
    the smallest areas that this number of fits could have told from one half. Records are named by rank
    alone. Holds no cell and no row.
    """

    format_name: ClassVar[str] = FORMAT
    title: str
    verdict: Verdict
    engine: ShadowBattery
    controls: tuple[ShadowControl, ...]
    power: Power
    counts: ShadowCounts
    seed: int
    unit: str
    bound: Bound | None = None
    notes: tuple[str, ...] = ()
    alpha: float = ALPHA
    auc_limit: float = AUC_LIMIT
    seconds_each: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    version: str = ""
    private_output: bool = True

    @property
    def outcome(self) -> Outcome:
        """Pass, fail or inconclusive."""
        return self.verdict.outcome
