"""The shape of a policy file, as pydantic models: the edge between YAML or JSON and `Policy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1

Otherwise = Literal["sign_off", "deny"]
AuditName = Literal["release", "shadow", "noise"]
RiskName = Literal["membership", "attributes", "singling_out", "linkability"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class EpsilonModel(_Model):
    """How large ε may be."""

    allowed: Positive
    """Up to this ε it is allowed."""
    sign_off: Positive
    """Up to this ε it needs a sign-off; above, it is denied. At least `allowed`."""
    none: Otherwise
    """What a model without a guarantee comes to."""


class DeltaModel(_Model):
    """How large δ may be."""

    allowed: Share
    """Up to this δ it is allowed."""
    sign_off: Share
    """Up to this δ it needs a sign-off; above, it is denied. At least `allowed`."""


class UnitModel(_Model):
    """Whose presence is protected."""

    required: Literal["stated", "person"]
    """`stated`: the row, where no column may name persons, or a person; `person`: a person alone."""
    otherwise: Otherwise
    """What any other unit comes to."""


class AuditsModel(_Model):
    """Which audits must have passed."""

    required: list[AuditName]
    """Those that must be there; any other that is given must pass too."""
    missing: Otherwise
    """What a required audit that is missing comes to."""
    inconclusive: Otherwise
    """What an inconclusive one comes to."""
    failed: Otherwise
    """What a failed one comes to."""


class RiskModel(_Model):
    """How large the measured risk may be."""

    below: Share
    """The upper 95 % bound of (attack - control)/(1 - control) must lie below it."""
    of: list[RiskName]
    """Which risks: each must have been measured."""
    otherwise: Otherwise
    """What a larger bound comes to, or none."""


class RowsModel(_Model):
    """The rows are those that the model makes, as far as their file says."""

    unknown: Otherwise
    """What it comes to where no file is given, or one without a mark that is not drawn again."""
    otherwise: Literal["deny"]
    """What it comes to where the file says that they are not: there is no other answer."""


class OtherwiseModel(_Model):
    """What it comes to where it is not so."""

    otherwise: Otherwise


class AudienceModel(_Model):
    """What must hold for one audience; every rule is stated."""

    description: str = ""
    """Who they are."""
    epsilon: EpsilonModel
    """How large ε may be, over the whole series of releases that the model's ledger knows of."""
    delta: DeltaModel
    """How large δ may be."""
    unit: UnitModel
    """Whose presence is protected."""
    audits: AuditsModel
    """Which audits must have passed."""
    risk: RiskModel
    """How large the measured risk may be."""
    rows_are_the_models: RowsModel
    """The rows are those that the model makes, as far as their file says."""
    rules: OtherwiseModel
    """Declared rules between columns hold on every row."""
    retained_rows: OtherwiseModel
    """The engine keeps no rows of the source."""


RULE_MODELS: Mapping[str, type[BaseModel]] = {
    "epsilon": EpsilonModel,
    "delta": DeltaModel,
    "unit": UnitModel,
    "audits": AuditsModel,
    "risk": RiskModel,
    "rows_are_the_models": RowsModel,
    "rules": OtherwiseModel,
    "retained_rows": OtherwiseModel,
}
"""The rules of an audience, by key."""


class PolicyModel(_Model):
    """What must hold before synthetic rows leave, by audience."""

    version: Literal[1]
    """The version of this file format."""
    audiences: Annotated[dict[str, AudienceModel], Field(min_length=1)]
    """The audiences by name."""


def policy_json_schema() -> dict[str, object]:
    """A JSON Schema (draft 2020-12) of policy files, for editors to complete and check them with."""
    document = PolicyModel.model_json_schema()
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **document, "title": "tabsynth policy file"}
