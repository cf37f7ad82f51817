"""Policy files: YAML or JSON to a `Policy`; every fault is listed at once, with its path and line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tabsynth.decision import Answer
from tabsynth.errors import SchemaError
from tabsynth.release.document import RULE_MODELS, VERSION, AudienceModel, PolicyModel
from tabsynth.release.policy import Audience, AuditRule, Limits, Policy, RiskRule, RowsRule, UnitRule
from tabsynth.schema import yamltext
from tabsynth.schema.files import read_text
from tabsynth.schema.findings import Finding
from tabsynth.schema.hints import counted, did_you_mean
from tabsynth.schema.scalars import found_beyond

KeyPath = tuple[str | int, ...]

_ANSWERS = {"sign_off": Answer.SIGN_OFF, "deny": Answer.DENY}
_EXPECTED = {
    "float_type": "a number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "a number above 0",
    "less_than": "a number below 1",
    "finite_number": "a finite number",
}


@cache
def default_policy() -> Policy:
    """The policy that holds where no file is given."""
    return policy_from_text(default_text(), where="defaults")


def default_text() -> str:
    """The default policy as a file, with comments."""
    return files("tabsynth.release").joinpath("default_policy.yaml").read_text(encoding="utf-8")


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in a YAML (or JSON) file. Raises `SchemaError`, listing every fault with its path."""
    return policy_from_text(read_text(path), where=Path(path).name)


def policy_from_text(text: str, *, where: str) -> Policy:
    """The policy in a text that came from `where`. Raises `SchemaError` as `read_policy` does."""
    try:
        document = yamltext.load(text)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SchemaError(f"{where} is not YAML: {line}{error.problem}") from None
    except yaml.YAMLError:
        raise SchemaError(f"{where} is not YAML") from None
    findings = [Finding(at, what, hint) for at, what, hint in document.faults]
    model = None
    try:
        model = PolicyModel.model_validate(document.data)
    except ValidationError as error:
        findings += [_finding(detail) for detail in error.errors(include_url=False)]
    if model is not None:
        findings += _contradictions(model)
    if model is None or findings:
        ordered = sorted(findings, key=lambda found: _line(found.path, document.lines) or 0)
        faults = [found.as_fault(line=_line(found.path, document.lines)) for found in ordered]
        raise SchemaError(f"{where} has {counted(len(faults), 'fault')}", faults)
    audiences = {name: _audience(name, found) for name, found in model.audiences.items()}
    return Policy(name=where, audiences=audiences)


def _audience(name: str, model: AudienceModel) -> Audience:
    audits, risk = model.audits, model.risk
    return Audience(
        name=name,
        description=model.description,
        epsilon=Limits(allowed=model.epsilon.allowed, sign_off=model.epsilon.sign_off),
        without_guarantee=_ANSWERS[model.epsilon.none],
        delta=Limits(allowed=model.delta.allowed, sign_off=model.delta.sign_off),
        unit=UnitRule(required=model.unit.required, otherwise=_ANSWERS[model.unit.otherwise]),
        audits=AuditRule(
            required=tuple(dict.fromkeys(audits.required)),
            missing=_ANSWERS[audits.missing],
            inconclusive=_ANSWERS[audits.inconclusive],
            failed=_ANSWERS[audits.failed],
        ),
        risk=RiskRule(below=risk.below, of=tuple(dict.fromkeys(risk.of)), otherwise=_ANSWERS[risk.otherwise]),
        rows_are_the_models=RowsRule(
            unknown=_ANSWERS[model.rows_are_the_models.unknown],
            otherwise=_ANSWERS[model.rows_are_the_models.otherwise],
        ),
        rules_otherwise=_ANSWERS[model.rules.otherwise],
        retained_rows_otherwise=_ANSWERS[model.retained_rows.otherwise],
    )


def _contradictions(model: PolicyModel) -> Iterator[Finding]:
    """Limits in the wrong order."""
    for name, audience in model.audiences.items():
        path: KeyPath = ("audiences", name)
        for key, limits in (("epsilon", audience.epsilon), ("delta", audience.delta)):
            if limits.sign_off < limits.allowed:
                yield Finding((*path, key, "sign_off"), "below what is allowed without a sign-off")


def _finding(detail: ErrorDetails) -> Finding:
    """What pydantic found, in words."""
    path, kind = detail["loc"], detail["type"]
    if kind == "missing":
        hints: dict[KeyPath, str] = {
            ("version",): f"version: {VERSION}",
            ("audiences",): "tabsynth policy init shows one",
        }
        hint = hints.get(path, "every rule is stated, none by default")
        return Finding(path, "required key is missing", hint)
    if kind == "extra_forbidden":
        return Finding(path, "unknown key", did_you_mean(str(path[-1]), _keys_at(path[:-1])))
    if kind == "too_short":
        return Finding(path, "a policy needs at least one audience")
    value = detail["input"]
    found = f"{value!r:.40}" if isinstance(value, str) else found_beyond(kind, value)
    if kind == "literal_error":
        return Finding(path, f"expected {detail['ctx']['expected']}, found {found}")
    if kind in _EXPECTED:
        return Finding(path, f"expected {_EXPECTED[kind]}, found {found}")
    return Finding(path, detail["msg"])


def _keys_at(path: KeyPath) -> Iterator[str]:
    """The keys that a mapping at `path` may have."""
    model: type[BaseModel] = PolicyModel
    if len(path) == 2:
        model = AudienceModel
    elif len(path) > 2:
        model = RULE_MODELS[str(path[2])]
    return iter(model.model_fields)


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of `path`, or of the nearest path above it that the text has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)
