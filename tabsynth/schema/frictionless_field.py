"""One field of a Frictionless Table Schema as a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tabsynth.schema.findings import Path
from tabsynth.schema.foreign import Faults, chrono_format, mask_of_pattern, read_value
from tabsynth.schema.guess.names import NameHints, read_name
from tabsynth.schema.scalars import stored_type
from tabsynth.schema.types import Column, CsvDialect, Kind, Role, Scalar

_PLAIN_TYPES = {
    "integer": (Kind.INTEGER, "int64"),
    "year": (Kind.INTEGER, "int64"),
    "number": (Kind.NUMBER, "float64"),
    "boolean": (Kind.BOOLEAN, "bool"),
}
_UNSUPPORTED = ("object", "array", "list", "time", "yearmonth", "duration", "geopoint", "geojson", "any")
_CONSTRAINTS = (
    *("required", "unique", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "jsonSchema"),
)
_DESCRIPTIVE = ("name", "title", "description", "unit", "type", "format", "example", "rdfType", "constraints")
_FIELD_KEYS = (
    *("missingValues", "categories", "categoriesOrdered", "trueValues", "falseValues"),
    *("bareNumber", "decimalChar", "groupChar"),
)
_TRUE, _FALSE = frozenset({"true", "True", "TRUE", "1"}), frozenset({"false", "False", "FALSE", "0"})
_EMPTY = CsvDialect().null_marks


def null_marks(faults: Faults, path: Path, data: Mapping[str, object]) -> tuple[str, ...]:
    """`missingValues` as plain texts, the labels that version 2 allows dropped."""
    raw = faults.take(data, path, "missingValues", list, list(_EMPTY))
    marks = [item.get("value") if isinstance(item, dict) else item for item in raw]
    texts = tuple(mark for mark in marks if isinstance(mark, str))
    if not texts or len(texts) < len(marks):
        faults.add((*path, "missingValues"), "expected at least one text", 'such as [""]')
        return _EMPTY
    return texts


class Field:
    """Reads one field."""

    def __init__(
        self, faults: Faults, path: Path, data: dict[str, object], *, marks: Sequence[str], key: str
    ) -> None:
        self._faults, self._path, self._data, self._key = faults, path, data, key
        self._constraints = faults.take(data, path, "constraints", dict, {})
        self._type = faults.take(data, path, "type", str, "string")
        self._name = faults.take(data, path, "name", str, "")
        self._hints: NameHints = read_name(self._name)
        if "name" not in data:
            faults.add((*path, "name"), "required key is missing")
        faults.refuse_other_keys(data, path, (*_DESCRIPTIVE, *_FIELD_KEYS))
        faults.refuse_other_keys(self._constraints, (*path, "constraints"), _CONSTRAINTS)
        if "missingValues" in data and null_marks(faults, path, data) != tuple(marks):
            faults.add(
                (*path, "missingValues"), "must be those of the whole table", "declare them in the schema"
            )
        self._refuse_unsupported()

    def _refuse_unsupported(self) -> None:
        faults, path = self._faults, self._path
        if self._type not in (*_PLAIN_TYPES, "string", "date", "datetime"):
            what = (
                "is not supported" if self._type in _UNSUPPORTED else "is not a type that Table Schema knows"
            )
            faults.add(
                (*path, "type"), f"type {self._type!r} {what}", "drop the field, or declare it as string"
            )
        for key in ("minLength", "maxLength", "jsonSchema"):
            if key in self._constraints:
                faults.add((*path, "constraints", key), "is not supported", "remove it")
        for key, plain in (("bareNumber", True), ("decimalChar", "."), ("groupChar", None)):
            if self._data.get(key, plain) != plain:
                faults.add((*path, key), "is not supported", "write numbers as 1234.5")

    def column(self) -> Column:
        required = self._faults.take(self._constraints, (*self._path, "constraints"), "required", bool, False)
        blank = Column(
            name=self._name,
            kind=Kind.TEXT,
            dtype="string",
            role=self._hints.role,
            nullable=not required and not self._key.startswith(("unique", "part")),
            description=self._faults.take(self._data, self._path, "description", str, "") or None,
            measured_in=self._faults.take(self._data, self._path, "unit", str, "").strip()[:100] or None,
        )
        typed = self._typed(blank)
        levels = self._levels(typed)
        column = typed if levels is None else levels
        is_unique = self._faults.take(self._constraints, (*self._path, "constraints"), "unique", bool, False)
        if is_unique or self._key == "unique":
            column = self._unique(column)
        elif self._key and column.kind in (Kind.TEXT, Kind.CATEGORICAL, Kind.INTEGER) and levels is None:
            column = self._identifier(column)
        if "pattern" in self._constraints and column.kind is not Kind.IDENTIFIER:
            self._faults.add(
                (*self._path, "constraints", "pattern"), "is supported for identifiers only", "remove it"
            )
        return column

    def _typed(self, blank: Column) -> Column:
        if self._type in _PLAIN_TYPES:
            kind, dtype = _PLAIN_TYPES[self._type]
            column = replace(blank, kind=kind, dtype=dtype)
            if self._type == "integer" and self._hints.key in ("person", "thing"):
                return self._identifier(column)
            return self._boolean(column) if kind is Kind.BOOLEAN else self._bounded(column)
        if self._type in ("date", "datetime"):
            return self._bounded(self._moment(blank))
        return self._string(blank)

    def _string(self, blank: Column) -> Column:
        form = self._faults.take(self._data, self._path, "format", str, "default")
        if form == "email":
            return replace(blank, format="email", role=Role.IDENTIFIER)
        if form in ("uri", "uuid"):
            return self._identifier(blank)
        if form != "default":
            self._faults.add(
                (*self._path, "format"), f"format {form!r} is not supported", "email, uuid, uri or default"
            )
        if self._hints.text_format is not None:
            return replace(blank, format=self._hints.text_format)
        if self._hints.key in ("person", "thing", "strong"):
            return self._identifier(blank)
        return replace(blank, kind=Kind.CATEGORICAL)

    def _moment(self, blank: Column) -> Column:
        kind = Kind.DATE if self._type == "date" else Kind.DATETIME
        form = self._faults.take(self._data, self._path, "format", str, "default").removeprefix("fmt:")
        if form == "any":
            self._faults.add(
                (*self._path, "format"), "format 'any' is not supported", "a pattern such as %Y-%m-%d"
            )
        if form in ("default", "any"):
            return replace(blank, kind=kind, dtype="date" if kind is Kind.DATE else "datetime[us]")
        timezone = "UTC" if kind is Kind.DATETIME and "%z" in form else None
        return replace(blank, kind=kind, format=chrono_format(form), timezone=timezone)

    def _boolean(self, column: Column) -> Column:
        true = self._faults.take(self._data, self._path, "trueValues", list, ["true"])
        false = self._faults.take(self._data, self._path, "falseValues", list, ["false"])
        if _TRUE.issuperset(map(str, true)) and _FALSE.issuperset(map(str, false)):
            return column
        if len(true) == 1 and len(false) == 1:
            return replace(column, dtype="string", categories=(str(false[0]), str(true[0])))
        self._faults.add(
            self._path, "several spellings of true or false are not supported", "give one of each"
        )
        return column

    def _bounded(self, column: Column) -> Column:
        """The column with its bounds; those of whole numbers may exclude their ends."""
        path, ends = (*self._path, "constraints"), dict[str, Scalar]()
        for key, step in (("minimum", 0), ("exclusiveMinimum", 1), ("maximum", 0), ("exclusiveMaximum", -1)):
            if self._constraints.get(key) is None:
                continue
            if step and column.kind is not Kind.INTEGER:
                self._faults.add(
                    (*path, key), "is supported for whole numbers only", f"use {key[9:].lower()}"
                )
                continue
            try:
                form = (
                    str(self._data.get("format", "")).removeprefix("fmt:")
                    if column.dtype == "string"
                    else None
                )
                raw = self._constraints[key]
                value = read_value(raw, column.kind.value, pattern=form, timezone=column.timezone)
            except ValueError:
                self._faults.add((*path, key), f"is not of kind {column.kind.value}")
                continue
            ends[key[-7:].lower()] = value + step if isinstance(value, int) else value
        if len(ends) == 1:
            (end,) = ends
            self._faults.add(
                (*path, end), "a range open on one side is not supported", "give both ends, or none"
            )
        if len(ends) < 2:
            return column
        return replace(column, bounds=(ends["minimum"], ends["maximum"]))

    def _levels(self, column: Column) -> Column | None:
        """The column as categorical where `enum` or `categories` lists its values, else None."""
        in_enum = self._constraints.get("enum") is not None
        path = (*self._path, "constraints", "enum") if in_enum else (*self._path, "categories")
        holder, key = (self._constraints, "enum") if in_enum else (self._data, "categories")
        if holder.get(key) is None:
            return None
        raw = self._faults.take(holder, path[:-1], key, list, [])
        values = [item.get("value") if isinstance(item, dict) else item for item in raw]
        wanted = stored_type(column.dtype)
        try:
            levels = tuple(_level(value, wanted) for value in values)
        except ValueError as error:
            self._faults.add(path, str(error))
            return None
        is_ordered = self._faults.take(self._data, self._path, "categoriesOrdered", bool, False)
        kind = (
            Kind.BOOLEAN if column.kind is Kind.BOOLEAN else Kind.ORDINAL if is_ordered else Kind.CATEGORICAL
        )
        return Column(
            name=column.name,
            kind=kind,
            dtype=column.dtype,
            role=self._hints.role,
            nullable=column.nullable,
            categories=levels,
            description=column.description,
            measured_in=column.measured_in,
        )

    def _unique(self, column: Column) -> Column:
        if column.kind in (Kind.IDENTIFIER, Kind.TEXT, Kind.INTEGER) or (
            column.kind is Kind.CATEGORICAL and column.categories is None
        ):
            return replace(self._identifier(column), unique=True)
        if self._key != "unique":
            self._faults.add(
                (*self._path, "constraints", "unique"), "is supported for identifiers only", "remove it"
            )
        return column

    def _identifier(self, column: Column) -> Column:
        pattern = self._faults.take(self._constraints, (*self._path, "constraints"), "pattern", str, "")
        mask = mask_of_pattern(pattern) if pattern else None
        if pattern and mask is None:
            hint = "of fixed length, from literals, [0-9], \\d and [A-Z]"
            self._faults.add(
                (*self._path, "constraints", "pattern"), "is not a pattern that a mask can hold", hint
            )
        return Column(
            name=column.name,
            kind=Kind.IDENTIFIER,
            dtype=column.dtype,
            role=Role.IDENTIFIER,
            nullable=column.nullable,
            format=mask,
            description=column.description,
            measured_in=column.measured_in,
        )


def _level(value: object, wanted: str) -> Scalar:
    """A level in native form, or as the text that stands for it."""
    if isinstance(value, str) and wanted == "boolean" and value in _TRUE | _FALSE:
        value = value in _TRUE
    return read_value(value, wanted)
