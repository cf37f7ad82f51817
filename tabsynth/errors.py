"""The exceptions tabsynth raises.

    TabsynthError
    ├── UsageError            a call or a command line that cannot be meant
    ├── InputError            files, tables or schemas that cannot be used
    │   ├── SchemaError       a schema (or a run file) that is wrong in itself
    │   ├── StructureError    data that lacks the schema's columns or cannot be read at all
    │   ├── DataError         data whose cells contradict the schema
    │   └── BundleError       a bundle that is damaged, altered, or signed by another key
    ├── OutputExistsError     an output that is there already
    ├── ModelFileError        a saved model that is unknown, damaged or altered
    ├── ConditionError        a condition that no row can meet
    ├── ConstraintError       rules that contradict each other, or that a model does not meet within its tries
    └── PrivacyError          a request that the declared privacy does not allow
        ├── BudgetError       a fit or a release for which its ledger has too little left
        └── PolicyError       a release that a decision does not allow

`StructureError` speaks of names, dtypes and shapes only. `DataError` speaks of what the cells hold (by
column and count), so a differentially private fit may never raise it: the two are kept apart for that
reason. No message of any of them shows the value of a cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class TabsynthError(Exception):
    """Base class of every error that tabsynth raises on purpose."""


class UsageError(TabsynthError):
    """A call or a command line that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, what, and what to do about it."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class InputError(TabsynthError):
    """An input that cannot be used; `faults` lists everything that was found, not only the first."""

    def __init__(self, summary: str, faults: Iterable[Fault] = ()) -> None:
        self.summary = summary
        self.faults = tuple(faults)
        lines = [summary, *(f"  - {fault}" for fault in self.faults)]
        super().__init__("\n".join(lines))


class SchemaError(InputError):
    """A schema or run file that is wrong in itself."""


class StructureError(InputError):
    """Data that lacks the schema's columns, has the wrong types, or cannot be read at all."""


class DataError(InputError):
    """Data whose cells contradict the schema; named by column and count, never by value."""


class BundleError(InputError):
    """A bundle that is damaged, altered, not in the form of one, or signed by another key; its parts are named."""


class OutputExistsError(TabsynthError):
    """An output path that exists already; pass `overwrite` to replace it."""


class ModelFileError(TabsynthError):
    """A saved model of an unknown format version, damaged, or altered since it was written."""


class ConditionError(TabsynthError):
    """A condition on sampling that names no modelled column or has probability zero."""


class ConstraintError(TabsynthError):
    """Rules that contradict each other, or that no row of the model meets within the tries that are allowed."""


class PrivacyError(TabsynthError):
    """A request that the declared privacy does not allow."""


class BudgetError(PrivacyError):
    """A fit or a release for which its ledger has too little left."""


class PolicyError(PrivacyError):
    """A release that a decision does not allow, or that no decision was made for."""
