"""Under which terms rows are handed over: a small YAML file, written by whoever answers for the release.

version: 1
title: Hospital stays, sandbox
licence: Use under contract 12; no redistribution
purpose: Development and tests of the billing service
recipient: Example Ltd
contact: data-office@hospital.example
expires: 2027-12-31
reassess: 2027-06-30
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tabsynth.errors import BundleError, Fault, SchemaError
from tabsynth.schema import yamltext
from tabsynth.schema.files import read_text
from tabsynth.schema.hints import counted, did_you_mean

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of a release. `left_out` says, by name, which parts of the source were not synthesised, and why."""

    licence: str
    purpose: str
    recipient: str
    contact: str
    expires: dt.date
    reassess: dt.date
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = asdict(self)
        data["expires"], data["reassess"] = self.expires.isoformat(), self.reassess.isoformat()
        return data | {"tags": list(self.tags), "left_out": dict(self.left_out)}


def read_terms(path: str | os.PathLike[str]) -> Terms:
    """The terms in a YAML (or JSON) file. Raises `SchemaError`, listing every fault."""
    where = Path(path).name
    try:
        document = yamltext.load(read_text(path))
    except yaml.YAMLError:
        raise SchemaError(f"{where} is not YAML") from None
    faults = [Fault(".".join(map(str, at)), what, hint) for at, what, hint in document.faults]
    try:
        model = _TermsModel.model_validate(document.data)
    except ValidationError as error:
        found = [
            _fault(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors(include_url=False)
        ]
        raise SchemaError(f"{where} has {counted(len(faults + found), 'fault')}", [*faults, *found]) from None
    if model.reassess > model.expires:
        faults.append(Fault("reassess", "after expires", "ask again whether it may stay out before it ends"))
    if faults:
        raise SchemaError(f"{where} has {counted(len(faults), 'fault')}", faults)
    return _terms(model)


def terms_from_dict(data: object) -> Terms:
    """The terms that `Terms.to_dict` wrote; `BundleError` for anything else."""
    try:
        return _terms(
            _TermsModel.model_validate({"version": VERSION, **(data if isinstance(data, dict) else {})})
        )
    except ValidationError as error:
        found = [
            _fault(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors(include_url=False)
        ]
        raise BundleError("the terms are damaged", found) from None


def _day(value: object) -> object:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, dt.date) else None


Line = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
Text = Annotated[str, Field(max_length=10_000)]
Day = Annotated[dt.date, BeforeValidator(_day)]


class _TermsModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1]
    licence: Line
    purpose: Line
    recipient: Line
    contact: Line
    expires: Day
    reassess: Day
    title: Annotated[str, Field(max_length=200)] = ""
    description: Text = ""
    tags: Annotated[list[Line], Field(max_length=50)] = Field(default_factory=list)
    left_out: dict[Line, Line] = Field(default_factory=dict)


def _terms(model: _TermsModel) -> Terms:
    return Terms(
        licence=model.licence.strip(),
        purpose=model.purpose.strip(),
        recipient=model.recipient.strip(),
        contact=model.contact.strip(),
        expires=model.expires,
        reassess=model.reassess,
        title=model.title.strip(),
        description=model.description.strip(),
        tags=tuple(model.tags),
        left_out=tuple(model.left_out.items()),
    )


def _fault(path: tuple[str | int, ...], kind: str, message: str) -> Fault:
    where = ".".join(map(str, path))
    if kind == "missing":
        return Fault(where, "required key is missing", "version: 1" if where == "version" else "")
    if kind == "extra_forbidden":
        return Fault(where, "unknown key", did_you_mean(str(path[-1]), _TermsModel.model_fields))
    if kind in ("date_type", "date_from_datetime_inexact"):
        return Fault(where, "expected a day such as 2027-12-31")
    if kind in ("string_pattern_mismatch", "string_too_short"):
        return Fault(where, "must not be blank")
    return Fault(where, message[0].lower() + message[1:] if message else kind)
