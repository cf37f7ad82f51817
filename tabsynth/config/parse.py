"""Plain data to a `RunConfig`, gathering every fault of shape, type and meaning on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tabsynth.config.document import VERSION, CsvModel, OutputModel, RunModel, TableModel
from tabsynth.config.types import FORMATS, CsvOptions, RunConfig, TableRun, privacy_of
from tabsynth.errors import ConditionError, Fault, InputError, SchemaError, UsageError
from tabsynth.io.dialect import check_dialect
from tabsynth.io.files import file_format, require_file
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import DEFAULT_ENGINE, ENGINE_NAMES, make_engine
from tabsynth.pipeline.informing import require_informed
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Privacy
from tabsynth.schema.files import read_schema, schema_from_dict
from tabsynth.schema.hints import counted, did_you_mean
from tabsynth.schema.scalars import describe, found_beyond
from tabsynth.schema.types import CsvDialect, Schema
from tabsynth.schema.validate import Finding
from tabsynth.schema.validate import Path as KeyPath
from tabsynth.schema.yamltext import Plain
from tabsynth.where import conditions_of

Made = TypeVar("Made")

_EXPECTED = {
    "bool_type": "true or false",
    "float_type": "a number",
    "int_type": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "a number above 0",
    "greater_than_equal": "0 or more",
    "less_than": "a number below 1",
    "literal_error": f"version {VERSION}",
}
_REQUIRED: Mapping[KeyPath, Plain] = {("version",): VERSION}


@dataclass(frozen=True, slots=True)
class _Shape:
    """What could be read of a file's shape, and the paths at which something is wrong."""

    model: RunModel | None
    touched: tuple[KeyPath, ...]


class RunReader:
    """Turns plain data into a `RunConfig`, gathering every fault on the way."""

    def __init__(self, *, folder: Path) -> None:
        self.folder = folder
        self.findings: list[Finding] = []
        self._schema_faults: list[Fault] = []

    def run(self, data: Plain, lines: Mapping[KeyPath, int], where: str) -> RunConfig:
        if data is None and not self.findings:
            raise SchemaError(f"{where} is empty", [Fault("", "expected a run file", "version and tables")])
        shape = self._shape(data)
        config = None if shape.model is None else self._meaning(shape.model, shape.touched)
        if config is None or self.findings or self._schema_faults:
            ordered = sorted(self.findings, key=lambda found: _line(found.path, lines) or 0)
            faults = [
                found.as_fault(line=_line(found.path, lines)) for found in ordered
            ] + self._schema_faults
            raise SchemaError(f"{where} has {counted(len(faults), 'fault')}", faults)
        return config

    def _shape(self, data: Plain) -> _Shape:
        if not isinstance(data, dict):
            found = f"expected a mapping with the keys version and tables, found {describe(data)}"
            self.findings.append(Finding((), found))
            return _Shape(None, ())
        try:
            return _Shape(RunModel.model_validate(data), ())
        except ValidationError as error:
            details = error.errors(include_url=False)
        self.findings += [_shape_finding(detail) for detail in details]
        touched = tuple(_own_path(detail["loc"]) for detail in details)
        try:
            return _Shape(RunModel.model_validate(_without(data, touched)), touched)
        except ValidationError:
            return _Shape(None, touched)

    def _meaning(self, model: RunModel, touched: Sequence[KeyPath]) -> RunConfig | None:
        privacy = self._privacy(model.privacy)
        if model.ledger is not None and privacy == NO_PRIVACY:
            self._add(("ledger",), "a run without privacy has no place in a ledger", "leave one of them out")
        if model.audit and not model.evaluation:
            self._add(("audit",), "an audit needs rows that are held out", "leave evaluation: false out")
        n_schema_faults = len(self.findings) + len(self._schema_faults)
        schema = self._schema(model.schema_)
        known = schema if len(self.findings) + len(self._schema_faults) == n_schema_faults else None
        for index, name in enumerate(model.output.formats):
            if name not in FORMATS:
                path: KeyPath = ("output", "formats", index)
                self._add(path, f"unknown format {name!r}", did_you_mean(name, FORMATS))
        tables = tuple(
            self._table(name, table, known, touched, privacy) for name, table in model.tables.items()
        )
        if self.findings or self._schema_faults:
            return None
        return RunConfig(
            tables=tables,
            schema=schema,
            schema_file=self.folder / model.schema_ if isinstance(model.schema_, str) else None,
            privacy=privacy,
            ledger=None if model.ledger is None else self.folder / model.ledger,
            seed=model.seed,
            holdout=model.holdout,
            evaluation=model.evaluation,
            audit=model.audit,
            formats=tuple(dict.fromkeys(model.output.formats)),
        )

    def _privacy(self, found: object) -> Privacy:
        path: KeyPath = ("privacy",)
        if found is None:
            return DEFAULT_BUDGET
        if found == "none":
            return NO_PRIVACY
        if not isinstance(found, dict):
            what = f"expected none or a mapping with epsilon and delta, found {describe(found)}"
            self._add(path, what, "privacy: {epsilon: 1.0, delta: 1.0e-6}")
            return DEFAULT_BUDGET
        unknown = [key for key in found if key not in ("epsilon", "delta")]
        for key in unknown:
            self._add((*path, str(key)), "unknown key", did_you_mean(str(key), ("epsilon", "delta")))
        numbers = {key: found.get(key) for key in ("epsilon", "delta")}
        wrong = [key for key, value in numbers.items() if value is not None and not _is_number(value)]
        for key in wrong:
            self._add((*path, key), f"expected a number, found {describe(numbers[key])}")
        if unknown or wrong:
            return DEFAULT_BUDGET
        made = self._tried(
            path, lambda: privacy_of(no_privacy=False, **cast("dict[str, float | None]", numbers))
        )
        return DEFAULT_BUDGET if made is None else made

    def _schema(self, found: object) -> Schema | None:
        try:
            if found is None:
                return None
            if isinstance(found, str):
                return read_schema(self.folder / found)
            if isinstance(found, dict):
                return schema_from_dict(found, folder=self.folder)
        except SchemaError as error:
            faults = error.faults or (Fault("", error.summary),)
            prefix = f"schema ({found})" if isinstance(found, str) else "schema"
            self._schema_faults += [
                Fault(f"{prefix}: {fault.where}" if fault.where else prefix, fault.what, fault.hint)
                for fault in faults
            ]
            return None
        self._add(("schema",), f"expected a file's name or a schema, found {describe(found)}")
        return None

    def _table(
        self,
        name: str,
        model: TableModel,
        schema: Schema | None,
        touched: Sequence[KeyPath],
        privacy: Privacy,
    ) -> TableRun:
        path: KeyPath = ("tables", name)
        source = self.folder / model.source
        if (*path, "source") not in touched:
            self._tried((*path, "source"), lambda: _check_source(source))
        if model.public is not None and (*path, "public") not in touched:
            public = self.folder / model.public
            self._tried((*path, "public"), lambda: _check_source(public))
        csv = model.csv
        marks = None if csv.null_marks is None else tuple(csv.null_marks)
        options = CsvOptions(
            delimiter=csv.delimiter,
            quote=csv.quote,
            encoding=csv.encoding,
            null_marks=marks,
            decimal=csv.decimal,
        )
        self._tried((*path, "csv"), lambda: check_dialect(options.over(CsvDialect())))
        if schema is not None:
            self._names(path, name, model.target, schema)
            for known in schema.tables:
                if known.name == name:
                    self._tried((*path, "where"), partial(conditions_of, model.where, known))
        engine = self._engine(path, model)
        if model.public is not None:
            public = self.folder / model.public
            self._tried(
                (*path, "public"), partial(require_informed, engine, privacy, public=public, data=source)
            )
        return TableRun(
            name=name,
            source=source,
            csv=options,
            engine=engine,
            rows=model.rows,
            target=model.target,
            title=model.title,
            real_share=model.real_share,
            public=None if model.public is None else self.folder / model.public,
            where=model.where,
            rebalance=model.rebalance,
            oversample=model.oversample,
        )

    def _names(self, path: KeyPath, name: str, target: str | None, schema: Schema) -> None:
        tables = {table.name: table for table in schema.tables}
        if name not in tables:
            self._add(path, "the schema has no table of this name", did_you_mean(name, tables))
        elif target is not None and target not in tables[name]:
            hint = did_you_mean(target, tables[name].column_names)
            self._add((*path, "target"), f"no column {target!r} in this table", hint)

    def _engine(self, path: KeyPath, model: TableModel) -> Synthesizer:
        if model.engine not in ENGINE_NAMES:
            self._add(
                (*path, "engine"),
                f"unknown engine {model.engine!r}",
                did_you_mean(model.engine, ENGINE_NAMES),
            )
            return make_engine(DEFAULT_ENGINE)
        made = self._tried((*path, "settings"), lambda: make_engine(model.engine, model.settings))
        return make_engine(DEFAULT_ENGINE) if made is None else made

    def _tried(self, path: KeyPath, action: Callable[[], Made]) -> Made | None:
        """What `action` makes; where it refuses, its error becomes a finding at `path`."""
        try:
            return action()
        except InputError as error:
            whats = [f"{error.summary}: {fault.what}" for fault in error.faults] or [error.summary]
            hints = [fault.hint for fault in error.faults] or [""]
            self.findings += [Finding(path, what, hint) for what, hint in zip(whats, hints, strict=True)]
        except (UsageError, ConditionError) as error:
            self._add(path, str(error))
        return None

    def _add(self, path: KeyPath, what: str, hint: str = "") -> None:
        self.findings.append(Finding(path, what, hint))


def _check_source(source: Path) -> None:
    file_format(source)
    require_file(source)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of `path`, or of the nearest path above it that the text has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _own_path(path: KeyPath) -> KeyPath:
    """The key in the file that a fault of shape belongs to; entries of a list count as the list."""
    n_named = next((i for i, part in enumerate(path) if isinstance(part, int)), len(path))
    return path[:n_named]


def _without(data: Plain, touched: Sequence[KeyPath]) -> Plain:
    """`data` less what has a fault of shape, with stand-ins for what must be there."""
    for path in touched:
        data = _replaced(data, path, _REQUIRED.get(path, "" if path[-1] == "source" else None))
    return data


def _replaced(data: Plain, path: KeyPath, stand_in: Plain) -> Plain:
    """A copy of nested mappings with `stand_in` at `path`, or with nothing there where it is None."""
    if not isinstance(data, dict) or not path:
        return data
    key = str(path[0])
    if len(path) > 1:
        return {**data, key: _replaced(data[key], path[1:], stand_in)} if key in data else data
    rest = {name: value for name, value in data.items() if name != key}
    return rest if stand_in is None else {**rest, key: stand_in}


def _shape_finding(detail: ErrorDetails) -> Finding:
    """What pydantic found, in words that name no value of the file."""
    path, kind = detail["loc"], detail["type"]
    if kind == "missing":
        hints = {"version": f"version: {VERSION}"}
        return Finding(path, "required key is missing", hints.get(str(path[-1]), ""))
    if kind == "extra_forbidden":
        return Finding(path, "unknown key", did_you_mean(str(path[-1]), _keys_at(path[:-1])))
    if kind == "too_short":
        return Finding(path, "a run needs at least one table")
    if kind in _EXPECTED:
        hint = "write it in quotes" if kind == "string_type" and _is_number(detail["input"]) else ""
        return Finding(path, f"expected {_EXPECTED[kind]}, found {found_beyond(kind, detail['input'])}", hint)
    return Finding(path, detail["msg"])


def _keys_at(path: KeyPath) -> Iterator[str]:
    """The keys that a mapping at `path` may have."""
    model: type[BaseModel] = RunModel
    if path and path[0] == "output":
        model = OutputModel
    elif path:
        model = CsvModel if path[-1] == "csv" and len(path) == 3 else TableModel
    return (field.alias or name for name, field in model.model_fields.items())
