"""Rules from the mappings of a schema file; every fault is a finding with its path."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any, cast

from tabsynth.schema.document import RuleModel
from tabsynth.schema.dtypes import DTYPES
from tabsynth.schema.findings import Finding, Path, at_first
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.rules import KINDS, AnyRule, Levels, Rule, key_of, keys_of
from tabsynth.schema.scalars import from_plain, stored_type
from tabsynth.schema.types import Column, Scalar

FAULTY = "\0"
"""Stands for the kind of a rule whose mapping has a fault of shape."""
_SHARED = ("rule", "name", "note", "draft")


class RuleReader:
    """Turns the models of one table's rules into rules.

    `folder` is where a mapping's `file` is looked for; without one, none is read: a schema that came in a bundle or a
    model must not reach for files of whoever reads it.
    """

    def __init__(self, columns: Sequence[Column], findings: list[Finding], folder: FilePath | None) -> None:
        self._columns = {column.name: column for column in columns}
        self._findings = findings
        self._folder = folder

    def read(self, path: Path, model: RuleModel) -> AnyRule:
        """The rule; one that says nothing in the place of one whose faults leave it unknown."""
        rule = self._read(path, model)
        return cast("AnyRule", Rule()) if rule is None else rule

    def _read(self, path: Path, model: RuleModel) -> AnyRule | None:
        if model.rule == FAULTY:
            return None
        if model.rule not in KINDS:
            hint = did_you_mean(model.rule, KINDS)
            self._findings.append(Finding((*path, "rule"), f"unknown rule {model.rule!r}", hint))
            return None
        given = {
            field: value
            for field, value in model.model_dump().items()
            if value is not None and field not in _SHARED
        }
        if not self._has_its_keys(path, model.rule, {key_of(field) for field in given}):
            return None
        n_before = len(self._findings)
        values = self._values(path, given)
        if len(self._findings) > n_before:
            return None
        made: Any = KINDS[model.rule](name=model.name, note=model.note, draft=model.draft, **values)
        return made  # type: ignore[no-any-return]

    def _has_its_keys(self, path: Path, kind: str, given: set[str]) -> bool:
        known = keys_of(kind)
        for key in sorted(given - set(known)):
            hint = "it has: " + ", ".join(known)
            self._findings.append(Finding((*path, key), f"rule {kind} has no such key", hint))
        missing = [key for key, is_required in known.items() if is_required and key not in given]
        for key in missing:
            self._findings.append(Finding((*path, key), f"required for rule {kind} and missing"))
        if {"rows", "file"} <= given:
            self._findings.append(Finding((*path, "file"), "rows stand here already", "keep one of the two"))
            return False
        return not missing and given <= set(known)

    def _values(self, path: Path, given: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
        }
        names = [*values.get("columns", ()), *values.get("determines", ())]
        if "file" in values:
            values["rows"] = self._from_file((*path, "file"), values.pop("file"), names)
        elif "rows" in values:
            values["rows"] = self._rows((*path, "rows"), values["rows"], names)
        for end in ("lower", "upper"):
            if end in values:
                values[end] = self._end((*path, end), values[end], values["column"])
        return values

    def _end(self, path: Path, value: object, name: str) -> Scalar | None:
        column = self._columns.get(name)
        if column is None or not column.kind.is_continuous:
            return value  # type: ignore[return-value]  # refused for its column
        try:
            return from_plain(value, column.kind.value, timezone=column.timezone)
        except ValueError as error:
            self._findings.append(Finding(path, str(error)))
            return None

    def _rows(self, path: Path, rows: Sequence[Sequence[object]], names: Sequence[str]) -> tuple[Levels, ...]:
        wrong = [i for i, row in enumerate(rows) if len(row) != len(names)]
        if wrong:
            self._findings += at_first(path, wrong, f"expected {len(names)} cells, one for each column")
            return ()
        faults: dict[str, list[int]] = {}
        read = []
        for index, row in enumerate(rows):
            try:
                read.append(tuple(self._cell(value, name) for value, name in zip(row, names, strict=True)))
            except ValueError as error:
                faults.setdefault(str(error), []).append(index)
        for what, positions in faults.items():
            self._findings += at_first(path, positions, what)
        return tuple(read)

    def _cell(self, value: object, name: str) -> Scalar | None:
        column = self._columns.get(name)
        if value is None or column is None or column.dtype not in DTYPES:
            return value  # type: ignore[return-value]
        return from_plain(value, stored_type(column.dtype), timezone=column.timezone)

    def _from_file(self, path: Path, name: str, names: Sequence[str]) -> tuple[Levels, ...]:
        if self._folder is None:
            hint = "write them out as rows, or keep the schema in a file of its own"
            self._findings.append(
                Finding(path, "no file is read for a schema that is not a file itself", hint)
            )
            return ()
        try:
            with (self._folder / name).open(encoding="utf-8-sig", newline="") as file:
                header, *lines = [line for line in csv.reader(file) if line] or [[]]
        except (OSError, UnicodeDecodeError, csv.Error):
            self._findings.append(Finding(path, "cannot be read as CSV", "its path is relative to this file"))
            return ()
        missing = [column for column in names if column not in header]
        if missing or any(len(line) != len(header) for line in lines):
            what = f"has no column {missing[0]!r}" if missing else "has lines of different lengths"
            self._findings.append(Finding(path, what, "a header and a cell for each column in every line"))
            return ()
        places = [header.index(column) for column in names]
        cells = [
            [self._plain(line[at], column) for at, column in zip(places, names, strict=True)]
            for line in lines
        ]
        return self._rows(path, cells, names)

    def _plain(self, text: str, name: str) -> object:
        """A field of a CSV as YAML would hold it; an empty one is null."""
        column = self._columns.get(name)
        if text == "" or column is None or column.dtype not in DTYPES:
            return text or None
        wanted = stored_type(column.dtype)
        try:
            if wanted == "integer":
                return int(text)
            if wanted == "number":
                return float(text)
        except ValueError:
            return text
        return {"true": True, "false": False}.get(text.lower(), text) if wanted == "boolean" else text


__all__ = ["FAULTY", "AnyRule", "RuleReader"]
