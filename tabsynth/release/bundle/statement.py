"""The privacy of a release in words and as data: what is guaranteed, by what, and what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy import Budget
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger import Charge
from tabsynth.privacy.mechanisms import SampledGaussian, describe, mechanism_to_data, once, releases
from tabsynth.release.bundle.libraries import installed
from tabsynth.release.bundle.markdown import plain
from tabsynth.schema.unit import unit_words

TRUST = (
    (
        "Whoever held the source ran the method as it is, and published nothing else that was computed from it "
        "without charging it."
    ),
    "Domains marked public are public: a bound or a level that was copied from the source is not protected.",
    (
        "The column that names the person, where there is one, names each person by one value, and no other table of "
        "the same persons was released outside of the ledger."
    ),
    "The operating system's random numbers, from which the noise is drawn, cannot be foreseen.",
)
OF_PUBLIC_ROWS = (
    "The public rows that the method was given beside the source hold nobody who is in the source, or nobody who needs its "
    "protection."
)
LIMITATIONS = (
    "It bounds what is learnt from the presence of one unit, not what is learnt about everybody from all of them.",
    "A member of a family, or an heir, shares traits with others: what the group has in common is not hidden.",
    (
        "The decision to release rests on audits of the real rows: that it was allowed, and that somebody signed "
        "where somebody did, are bits about the source that no budget was charged for."
    ),
    "Statistical tests and confidence intervals computed on these rows as they stand are not valid.",
)
LIMITATIONS_OF_TRAINING = (
    (
        "The noise of a training is drawn in 32-bit floating point, by generators that the operating system seeded and that "
        "are not cryptographic (Opacus' secure mode cannot be had with current torch): what the bits of such numbers may "
        "give away is not accounted for. Noise of counts and choices is exact."
    ),
    "How long a step of a training takes tells how many rows it took, to whoever watched the machine meanwhile.",
)
ACCOUNTANT = "privacy loss distributions (dp-accounting) and zero-concentrated DP, the smaller bound"
OF_TRAINING = (
    "the noise of training steps is raised until Opacus' accountant of privacy random variables finds no more ε for them than "
    "was charged"
)
DRAWN_AGAIN = "These rows are the model's: the same were drawn from it again when they were released."
NOT_VERIFIED = (
    "Not verified: that these rows are the model's. They were not drawn again when they were released (no seed was given). "
    "What is stated of the model holds for rows that it made, and for no others."
)
_ACCOUNTED, _TRAINED = ("opendp", "dp-accounting"), ("torch", "opacus")
WITHOUT = (
    (
        "Nothing is guaranteed. What the rows say of a person in the source is limited by no method; attacks may have "
        "been run, and what they did not see is not ruled out."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The statement of one table. `epsilon` and `delta` are None without a guarantee; `series_epsilon` composes
    every charge that the ledger knew when the model was saved, at the series' δ. `drawn_again` says whether the rows were
    found to be the model's, `is_trained` whether noisy training steps were charged, `has_public_rows` whether public rows were taken.
    """

    table: str
    guarantee: str
    epsilon: float | None
    delta: float | None
    unit: str
    mechanisms: tuple[dict[str, Any], ...]
    series_epsilon: float | None
    series_delta: float | None
    series_cap: dict[str, float] | None
    versions: dict[str, str]
    drawn_again: bool = False
    is_trained: bool = False
    has_public_rows: bool = False

    @property
    def accountant(self) -> str | None:
        """How charges were composed; None where there is nothing to compose."""
        if self.epsilon is None:
            return None
        return f"{ACCOUNTANT}; {OF_TRAINING}" if self.is_trained else ACCOUNTANT

    @property
    def limitations(self) -> tuple[str, ...]:
        """What is not guaranteed."""
        if self.epsilon is None:
            return WITHOUT
        return (*LIMITATIONS, *(LIMITATIONS_OF_TRAINING if self.is_trained else ()))

    @property
    def trust(self) -> tuple[str, ...]:
        """What a guarantee rests on."""
        if self.epsilon is None:
            return ()
        return (*TRUST, OF_PUBLIC_ROWS) if self.has_public_rows else TRUST

    @property
    def relation(self) -> str:
        return f"add or remove one {self.unit}" if self.epsilon is not None else "none"

    @property
    def rows_words(self) -> str:
        """Whether the rows are the model's."""
        return DRAWN_AGAIN if self.drawn_again else NOT_VERIFIED

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "table": self.table,
            "guarantee": self.guarantee,
            "rows": self.rows_words,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "unit": self.unit,
            "neighbouring_relation": self.relation,
            "mechanisms": list(self.mechanisms),
            "series": {"epsilon": self.series_epsilon, "delta": self.series_delta, "cap": self.series_cap},
            "accountant": self.accountant,
            "versions": self.versions,
            "trust_assumptions": list(self.trust),
            "limitations": list(self.limitations),
        }


def statement_of(pipeline: FittedPipeline, *, drawn_again: bool = False) -> Statement:
    """What a model states of its privacy and that of all rows drawn from it; `drawn_again` where these rows were."""
    privacy, ledger = pipeline.privacy, pipeline.ledger
    is_private = isinstance(privacy, Budget)
    series_delta = None
    if isinstance(privacy, Budget):
        series_delta = privacy.delta if ledger.cap is None else max(privacy.delta, ledger.cap.delta)
    everything = (*ledger.former, *ledger.charges)
    is_trained = any(isinstance(charge.mechanism, SampledGaussian) for charge in everything)
    return Statement(
        table=pipeline.schema.name,
        guarantee=pipeline.guarantee,
        epsilon=privacy.epsilon if isinstance(privacy, Budget) else None,
        delta=privacy.delta if isinstance(privacy, Budget) else None,
        unit=unit_words(pipeline.schema.unit),
        mechanisms=_mechanisms(ledger.charges),
        series_epsilon=epsilon_of((charge.mechanism for charge in everything), series_delta)
        if series_delta is not None
        else None,
        series_delta=series_delta,
        series_cap=None if ledger.cap is None else {"epsilon": ledger.cap.epsilon, "delta": ledger.cap.delta},
        versions=installed(
            "tabsynth", *(_ACCOUNTED if is_private else ()), *(_TRAINED if is_trained else ())
        ),
        drawn_again=drawn_again,
        is_trained=is_trained,
        has_public_rows=pipeline.n_public > 0,
    )


def _mechanisms(charges: Sequence[Charge]) -> tuple[dict[str, Any], ...]:
    """Each mechanism of each statistic once, with how often it was released."""
    counts: dict[tuple[str, Any], int] = {}
    for charge in charges:
        key = (charge.statistic, once(charge.mechanism))
        counts[key] = counts.get(key, 0) + releases(charge.mechanism)
    return tuple(
        {
            "statistic": statistic,
            "releases": count,
            "each": mechanism_to_data(mechanism),
            "in_words": describe(mechanism),
        }
        for (statistic, mechanism), count in counts.items()
    )


def statement_words(statements: Sequence[Statement]) -> str:
    """The statements as a page of Markdown."""
    lines = ["# Privacy", ""]
    for found in statements:
        lines += [f"## {plain(found.table)}", "", plain(found.guarantee), "", found.rows_words, ""]
        if found.epsilon is not None:
            lines += _guaranteed(found)
        lines += ["| statistic | mechanism | releases |", "|---|---|---|"]
        lines += [
            f"| {plain(each['statistic'])} | {plain(each['in_words'])} | {each['releases']:,} |"
            for each in found.mechanisms
        ]
        lines += [""]
    is_private = any(found.epsilon is not None for found in statements)
    if is_private:
        trust = dict.fromkeys(line for found in statements for line in found.trust)
        lines += ["## What it rests on", "", *(f"- {line}" for line in trust), ""]
    limits = dict.fromkeys(limit for found in statements for limit in found.limitations)
    lines += ["## What it does not say", "", *(f"- {line}" for line in limits), ""]
    if len(statements) > 1 and is_private:
        lines += ["A person in several tables has the sum of what they cost.", ""]
    return "\n".join(lines)


def _guaranteed(found: Statement) -> list[str]:
    series = ""
    if found.series_epsilon is not None and found.series_delta is not None:
        series = (
            f"All that its ledger had been charged when the model was made comes to ε = {found.series_epsilon:.4g} "
            f"at δ = {found.series_delta:g}"
        )
        cap = found.series_cap
        series += f", under a cap of ε = {cap['epsilon']:g}, δ = {cap['delta']:g}." if cap else "."
    return [
        (
            f"Protected is the presence of each {plain(found.unit)}. Neighbouring tables differ by one: {plain(found.relation)}. The "
            f"probability of any outcome differs between them by a factor of at most e^ε, up to δ = {found.delta:g}. "
            "That holds whatever else somebody knows, and for whatever is computed from the rows."
        ),
        "",
        series,
        "",
        "Composed by privacy loss distributions and by zero-concentrated differential privacy; the smaller of the two "
        "proven bounds counts. "
        + (f"{OF_TRAINING[0].upper()}{OF_TRAINING[1:]}. " if found.is_trained else "")
        + "Versions: "
        + ", ".join(f"{name} {number}" for name, number in found.versions.items())
        + ".",
        "",
    ]
