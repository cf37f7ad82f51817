"""What an audit found, as plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tabsynth.audit.bound import Bound
from tabsynth.audit.exposure import Exposure
from tabsynth.audit.figures import Battery
from tabsynth.audit.holdout import HoldoutCopies
from tabsynth.audit.rates import ALPHA
from tabsynth.audit.subgroups import Subgroup
from tabsynth.audit.verdict import RISK_LIMIT, Calibrated, Outcome, Verdict
from tabsynth.errors import Fault, InputError
from tabsynth.io import atomic_path

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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
class AuditResults:
    """Everything an audit found; computed from private rows, so not for publication.

    `release` is the battery on the synthetic table, `calibration` the same on releases with a known answer,
    `holdout` whether the holdout was held out.
    `detectable_share` is the smallest share of train that, if copied, matching alone flags with 80 %
    probability, None where no share is; `detectable_isolated` the fewest of the `isolated` members, those
    farthest from all others, who are flagged if copied, None where even all are not. `exposure` says how
    the risk is spread over people, `subgroups` how over groups of them; neither is part of the verdict.
    `quasi_identifiers` and `sensitive` are the columns that were known and guessed where such were named.
    Holds no row and no number of one; of cells, only levels that the schema declares and many people share.
    """

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
    quasi_identifiers: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alpha: float = ALPHA
    risk_limit: float = RISK_LIMIT
    seconds: dict[str, float] = field(default_factory=dict)
    version: str = ""
    private_output: bool = True

    @property
    def outcome(self) -> Outcome:
        """Pass, fail or inconclusive."""
        return self.verdict.outcome

    def to_dict(self) -> dict[str, Any]:
        """Plain data that strict JSON can hold, with the format's name and version."""
        return {"format": FORMAT, **_adapter().dump_python(self, mode="json")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote. Raises `InputError` for another format, or listing every damaged field."""
        from pydantic import ValidationError

        if (found := data.get("format")) != FORMAT:
            raise InputError(f"expected an audit of format {FORMAT!r}, found {found!r}")
        try:
            fields = {name: value for name, value in data.items() if name != "format"}
            return _adapter().validate_python(fields)  # type: ignore[return-value]
        except ValidationError as error:
            faults = [
                Fault(".".join(map(str, fault["loc"])), fault["msg"])
                for fault in error.errors(include_input=False, include_context=False, include_url=False)
            ]
            raise InputError("the audit is damaged", faults) from None

    def write_json(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write to `path` in one step; `OutputExistsError` where it exists and `overwrite` is not set."""
        text = json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        with atomic_path(Path(path), overwrite=overwrite) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


@cache
def _adapter() -> TypeAdapter[AuditResults]:
    from pydantic import TypeAdapter

    return TypeAdapter(AuditResults)
