"""What an audit by shadow models found, as plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tabsynth.audit.bound import Bound
from tabsynth.audit.rates import ALPHA
from tabsynth.audit.shadow.controls import ShadowControl
from tabsynth.audit.shadow.figures import Power, ShadowBattery
from tabsynth.audit.shadow.verdict import AUC_LIMIT
from tabsynth.audit.verdict import Outcome, Verdict
from tabsynth.errors import Fault, InputError
from tabsynth.io import atomic_path

if TYPE_CHECKING:
    from pydantic import TypeAdapter

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
class ShadowResults:
    """Everything an audit by shadow models found; computed from private rows, so not for publication.

    `engine` is the attack on the generator, `controls` the same on generators with a known answer, `power`
    the smallest areas that this number of fits could have told from one half. Records are named by rank
    alone. Holds no cell and no row.
    """

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
def _adapter() -> TypeAdapter[ShadowResults]:
    from pydantic import TypeAdapter

    return TypeAdapter(ShadowResults)
