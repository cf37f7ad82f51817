"""What an audit found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from tabsynth.audit.bound import Bound
from tabsynth.audit.exposure import Exposure
from tabsynth.audit.figures import Battery
from tabsynth.audit.holdout import HoldoutCopies
from tabsynth.audit.rates import ALPHA
from tabsynth.audit.subgroups import Subgroup
from tabsynth.audit.verdict import RISK_LIMIT, Calibrated, Outcome, Verdict, decide
from tabsynth.errors import Fault, InputError
from tabsynth.plain_results import PlainResults

FORMAT = "tabsynth-audit/2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows given, and how many of them were looked at in which part."""

    train: int
    holdout: int
    synthetic: int
    release: int
    reference: int
    members: int
    non_members: int
    evaluated_members: int
    evaluated_non_members: int
    asked_members: int
    asked_non_members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResults(PlainResults):
    """Everything an audit found; computed from private rows, so not for publication.

    `release` is the battery on the synthetic table, `calibration` the same on releases with a known answer,
    `holdout` whether the holdout was held out.
    `detectable_share` is the smallest share of train that, if copied, matching alone flags with 80 %
    probability, None where no share is; `detectable_isolated` the fewest of the `isolated` members, those
    farthest from all others, who are flagged if copied, None where even all are not. `exposure` says how
    the risk is spread over people, `subgroups` how over groups of them; neither is part of the verdict.
    `released` is the digest of the synthetic table (`Table.digest`), so that it is known which rows were attacked.
    `quasi_identifiers` and `sensitive` are the columns that were known and guessed where such were named.
    Holds no row and no number of one; of cells, only levels that the schema declares and many people share.
    """

    format_name: ClassVar[str] = FORMAT
    made_by: ClassVar[str] = "tabsynth audit --json"
    title: str
    verdict: Verdict
    release: Battery
    calibration: tuple[Calibrated, ...]
    holdout: HoldoutCopies
    detectable_share: float | None
    detectable_isolated: int | None
    isolated: int
    exposure: Exposure
    subgroups: tuple[Subgroup, ...]
    counts: Counts
    budget: str
    seed: int
    unit: str
    bound: Bound | None = None
    released: str = ""
    quasi_identifiers: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alpha: float = ALPHA
    risk_limit: float = RISK_LIMIT
    seconds: dict[str, float] = field(default_factory=dict)
    version: str = ""
    private_output: bool = True

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote, if what it concludes follows from its own figures.

        Raises `InputError` for another format, damaged fields, or a conclusion that the figures do not bear.
        That the figures themselves are those of an audit, only its author or a new audit can say.
        """
        results = cls.read_fields(data)
        faults = [
            Fault(name, "its p-value, risk or flag does not follow from the figures of its attacks")
            for name, battery in results.batteries()
            if not battery.attacks or battery != Battery.of(battery.attacks, battery.guesses)
        ]
        if not faults and results.verdict != decide(
            results.release, results.calibration, holdout=results.holdout
        ):
            faults.append(Fault("verdict", "does not follow from the figures of the audit"))
        if faults:
            raise InputError("the results were changed after the audit: run it again", faults)
        return results

    def batteries(self) -> list[tuple[str, Battery]]:
        """The release's and those of the calibration, by where they stand."""
        known = [(f"calibration.{release.name}", release.battery) for release in self.calibration]
        return [("release", self.release), *known]

    @property
    def outcome(self) -> Outcome:
        """Pass, fail or inconclusive."""
        return self.verdict.outcome
