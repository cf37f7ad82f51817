"""What an audit of an engine's noise found, as plain data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tabsynth.audit.verdict import Outcome
from tabsynth.errors import Fault, InputError
from tabsynth.io import atomic_path

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = "tabsynth-noise-audit/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseShare:
    """Of one statistic: the root mean square of its noise, as a share of the scale that was charged."""

    statistic: str
    numbers: int
    share: float
    is_too_little: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFigures:
    """One pair of neighbouring tables, attacked over `runs` fits of each.

    `mu` is the attack's estimate, `mu_lower` and `epsilon_lower` are what it proves: 95 % bounds that hold
    for all pairs at once. They come from normal scores (`is_normal`) or from error rates alone;
    `counts_mu_lower` and `counts_epsilon_lower` always from error rates. `exceeds` says that a bound is
    above what was accounted or claimed. `half_mu_lower` and `half_epsilon_lower` are the bounds of the same
    attack on half the noise, None where it could not be asked for, and `sees_half` says that they were above.
    `faults` are direct proofs, in words, `ended` the fits that gave no rows.
    """

    name: str
    title: str
    runs: int
    attack: str
    mu: float | None
    mu_lower: float
    epsilon_lower: float
    is_normal: bool
    counts_mu_lower: float
    counts_epsilon_lower: float
    exceeds: bool
    half_mu: float | None
    half_mu_lower: float | None
    half_epsilon_lower: float | None
    sees_half: bool
    power: float | None
    faults: tuple[str, ...] = ()
    noise: tuple[NoiseShare, ...] = ()
    releases: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseResults:
    """Everything an audit of an engine's noise found. Of built-in tables alone, so nothing in it is private.

    `accounted_mu` is what the ledger's account comes to, or what was stated; None where only (ε, δ) is
    claimed. `highest_mu` and `highest_epsilon` are what error rates could have proved in as many runs, had
    every release been told rightly. `false_alarm_rate` bounds how often an engine that keeps its promise fails.
    """

    engine: str
    settings: dict[str, Any]
    attack_on: str  # "statistics", "rows"
    epsilon: float
    delta: float
    rows_of_unit: int
    accounted_mu: float | None
    gaussian_mu: float
    outcome: Outcome
    reasons: tuple[str, ...]
    pairs: tuple[PairFigures, ...]
    runs: int
    highest_mu: float
    highest_epsilon: float
    false_alarm_rate: float
    weakened: float
    budget: str | None
    seconds: float
    version: str
    private_output: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data that strict JSON can hold, with the format's name and version; infinite numbers as null."""
        return {"format": FORMAT, **_adapter().dump_python(self, mode="json")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote. Raises `InputError` for another format, or listing every damaged field."""
        from pydantic import ValidationError

        if (found := data.get("format")) != FORMAT:
            raise InputError(f"expected an audit of noise of format {FORMAT!r}, found {found!r}")
        try:
            return _adapter().validate_python(  # type: ignore[return-value]
                {name: value for name, value in data.items() if name != "format"}
            )
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
def _adapter() -> TypeAdapter[NoiseResults]:
    from pydantic import TypeAdapter

    return TypeAdapter(NoiseResults)
