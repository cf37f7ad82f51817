"""Privacy-first synthetic tables.

    import tabsynth

    train, holdout = tabsynth.split(frame)
    fitted = tabsynth.fit(train, schema=schema)  # ε = 1, unless told otherwise
    synthetic = fitted.sample(1000)
    results = tabsynth.evaluate(synthetic, train, holdout)

Names are loaded when they are first used, so that the import itself costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabsynth import engines, errors, rules
    from tabsynth.api import (
        audit,
        augment,
        augment_trial,
        check,
        check_constraints,
        collapse,
        confirm,
        draft_schema,
        evaluate,
        fit,
        pseudonymise,
        shadow_audit,
        split,
        suggest_constraints,
    )
    from tabsynth.audit import AuditResults
    from tabsynth.audit.shadow import ShadowResults
    from tabsynth.augment import Augmented, TrialResults
    from tabsynth.constraints.outcome import ConditionOutcome, RuleOutcome, Tally
    from tabsynth.evaluate import Results
    from tabsynth.evaluate.collapse import CollapseResults
    from tabsynth.pipeline import FittedPipeline
    from tabsynth.plan_report import PlanReport, budget_plan
    from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Budget, Charge, Ledger
    from tabsynth.privacy.ledger_file import (
        LedgerFile,
        create_ledger_file,
        open_ledger_file,
        read_ledger_file,
    )
    from tabsynth.release.bundle.loaded import Bundle, open_bundle
    from tabsynth.schema import read_schema, write_schema
    from tabsynth.schema.types import Column, Generator, Kind, PrivacyUnit, Role, Schema, TableSchema

__all__ = [
    "DEFAULT_BUDGET",
    "NO_PRIVACY",
    "AuditResults",
    "Augmented",
    "Budget",
    "Bundle",
    "Charge",
    "CollapseResults",
    "Column",
    "ConditionOutcome",
    "FittedPipeline",
    "Generator",
    "Kind",
    "Ledger",
    "LedgerFile",
    "PlanReport",
    "PrivacyUnit",
    "Results",
    "Role",
    "RuleOutcome",
    "Schema",
    "ShadowResults",
    "TableSchema",
    "Tally",
    "TrialResults",
    "audit",
    "augment",
    "augment_trial",
    "budget_plan",
    "check",
    "check_constraints",
    "collapse",
    "confirm",
    "create_ledger_file",
    "draft_schema",
    "engines",
    "errors",
    "evaluate",
    "fit",
    "open_bundle",
    "open_ledger_file",
    "pseudonymise",
    "read_ledger_file",
    "read_schema",
    "rules",
    "shadow_audit",
    "split",
    "suggest_constraints",
    "write_schema",
]

_HOMES = {
    "DEFAULT_BUDGET": "privacy",
    "NO_PRIVACY": "privacy",
    "AuditResults": "audit",
    "Augmented": "augment",
    "Budget": "privacy",
    "Bundle": "release.bundle.loaded",
    "Charge": "privacy",
    "CollapseResults": "evaluate.collapse",
    "Column": "schema.types",
    "ConditionOutcome": "constraints.outcome",
    "FittedPipeline": "pipeline",
    "Generator": "schema.types",
    "Kind": "schema.types",
    "Ledger": "privacy",
    "LedgerFile": "privacy.ledger_file",
    "PlanReport": "plan_report",
    "Results": "evaluate",
    "Role": "schema.types",
    "RuleOutcome": "constraints.outcome",
    "Schema": "schema.types",
    "ShadowResults": "audit.shadow",
    "PrivacyUnit": "schema.types",
    "TableSchema": "schema.types",
    "Tally": "constraints.outcome",
    "TrialResults": "augment",
    "audit": "api",
    "augment": "api",
    "augment_trial": "api",
    "budget_plan": "plan_report",
    "check": "api",
    "check_constraints": "api",
    "collapse": "api",
    "confirm": "api",
    "create_ledger_file": "privacy.ledger_file",
    "draft_schema": "api",
    "evaluate": "api",
    "fit": "api",
    "open_bundle": "release.bundle.loaded",
    "open_ledger_file": "privacy.ledger_file",
    "pseudonymise": "api",
    "read_ledger_file": "privacy.ledger_file",
    "read_schema": "schema",
    "shadow_audit": "api",
    "split": "api",
    "suggest_constraints": "api",
    "write_schema": "schema",
}


class _Package(ModuleType):
    """Keeps the functions `audit`, `check`, `evaluate` and `pseudonymise` in view: the modules of those names, once imported by
    any other, would else be bound over them. `from tabsynth.evaluate import …` works as ever.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, ...]:
        """By name, as other modules: functions that use it can then be sent to other processes."""
        return import_module, (self.__name__,)


def __getattr__(name: str) -> object:
    if name in ("engines", "errors", "rules"):
        return import_module(f"tabsynth.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("tabsynth")
    if name not in _HOMES:
        raise AttributeError(f"module 'tabsynth' has no attribute {name!r}")
    return getattr(import_module(f"tabsynth.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Package
