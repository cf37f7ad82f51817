"""Schemas from the metadata JSON of the Synthetic Data Vault (versions V1 and V2, one table or several).

The metadata does not say how columns are stored: numbers with no decimals become int64, other numbers
float64, dates with a format text, identifiers text. Set `dtype` where the data differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from tabsynth.schema.findings import Path
from tabsynth.schema.foreign import Faults, chrono_format, dtype_of_levels, mask_of_pattern, read_value
from tabsynth.schema.guess.names import read_name
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Column, ForeignKey, Kind, Role, Scalar, Schema, TableSchema

_VERSIONS = ("V1", "V2", "SINGLE_TABLE_V1", "SINGLE_TABLE_V2", "MULTI_TABLE_V1", "MULTI_TABLE_V2")
_KEYS = {
    "numerical": ("computer_representation", "range_min", "range_max", "decimal_places"),
    "datetime": ("datetime_format", "range_min", "range_max"),
    "categorical": ("order", "order_by", "range_values", "high_cardinality"),
    "ordinal": ("range_values", "high_cardinality"),
    "boolean": (),
    "id": ("regex_format",),
    "text": ("regex_format",),
}
_TEXTS = {
    "first_name": "first_name",
    "last_name": "last_name",
    "name": "name",
    "email": "email",
    "phone_number": "phone",
    "address": "address",
    "street_address": "address",
    "secondary_address": "address",
    "city": "city",
    "administrative_unit": "city",
    "state": "city",
    "country": "city",
    "company": "company",
}
_IDENTIFIERS = (
    *("unknown", "ssn", "iban", "bban", "swift8", "swift11", "credit_card_number", "uuid4", "user_name"),
    *("ipv4_address", "ipv6_address", "mac_address", "user_agent_string", "vin", "license_plate"),
    *("passport_number", "postcode", "zipcode", "country_code", "state_abbr"),
)
_REPRESENTATIONS = {
    "Int8": "int8",
    "Int16": "int16",
    "Int32": "int32",
    "Int64": "int64",
    "UInt8": "uint8",
    "UInt16": "uint16",
    "UInt32": "uint32",
    "UInt64": "uint64",
    "Float": "float64",
    "Float32": "float32",
    "Float64": "float64",
}
_PLACES = frozenset(
    {"city", "administrative_unit", "state", "country", "postcode", "zipcode", "country_code"}
)
_MOST_DECIMALS = 15


def from_sdv_metadata(metadata: Mapping[str, object], *, table_name: str = "table") -> Schema:
    """The schema that SDV metadata describes; `table_name` names the table of single-table metadata.

    Domains stay `draft`: the file states them, but not who says that they are public, nor on what source.
    Columns that SDV replaces by fake ones (`pii`) become text or identifiers. Raises `SchemaError`, listing
    everything that is malformed or has no counterpart: sequences, column relationships, one-sided ranges,
    regular expressions that are no mask, composite alternate keys.
    """
    faults = Faults("the SDV metadata")
    version = metadata.get("METADATA_SPEC_VERSION", metadata.get("SCHEMA_VERSION"))
    if version is not None and version not in _VERSIONS:
        faults.add(("METADATA_SPEC_VERSION",), "is not a known version", "one of: " + ", ".join(_VERSIONS))
    if "tables" in metadata:
        faults.refuse_other_keys(metadata, (), ("tables", "relationships", "METADATA_SPEC_VERSION"))
        raw = faults.take(metadata, (), "tables", dict, {})
        tables = tuple(_Table(faults, ("tables", name), name, table).read() for name, table in raw.items())
    else:
        tables = (_Table(faults, (), table_name, metadata).read(),)
    keys = [_relationship(faults, *item) for item in faults.take_mappings(metadata, (), "relationships")]
    return faults.finish(Schema(tables=tables, foreign_keys=tuple(keys)))


def _relationship(faults: Faults, path: Path, data: dict[str, object]) -> ForeignKey:
    known = ("parent_table_name", "parent_primary_key", "child_table_name", "child_foreign_key")
    faults.refuse_other_keys(data, path, known)
    for key in known:
        if key not in data:
            faults.add((*path, key), "required key is missing")
    return ForeignKey(
        child=faults.take(data, path, "child_table_name", str, ""),
        child_columns=faults.take_names(data, path, "child_foreign_key"),
        parent=faults.take(data, path, "parent_table_name", str, ""),
        parent_columns=faults.take_names(data, path, "parent_primary_key"),
    )


class _Table:
    """Reads one table of the metadata."""

    def __init__(self, faults: Faults, path: Path, name: str, data: object) -> None:
        self._faults, self._path, self._name = faults, path, name
        self._data: Mapping[str, object] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            faults.add(path, "expected a mapping")

    def read(self) -> TableSchema:
        faults, path, data = self._faults, self._path, self._data
        self._refuse_unsupported()
        columns = {}
        for name, raw in faults.take(data, path, "columns", dict, {}).items():
            if isinstance(raw, dict):
                columns[name] = self._column((*path, "columns", name), name, raw)
            else:
                faults.add((*path, "columns", name), "expected a mapping with the key sdtype")
                columns[name] = Column(name=name, kind=Kind.TEXT, dtype="string")
        primary = faults.take_names(data, path, "primary_key")
        for name in primary:
            if name in columns:
                column = replace(columns[name], nullable=False)
                columns[name] = (_as_key(column) if len(primary) == 1 else None) or column
        for index, key in enumerate(faults.take(data, path, "alternate_keys", list, [])):
            self._alternate_key((*path, "alternate_keys", index), key, columns)
        return TableSchema(name=self._name, columns=tuple(columns.values()), primary_key=primary)

    def _refuse_unsupported(self) -> None:
        faults, path, data = self._faults, self._path, self._data
        known = ("columns", "primary_key", "alternate_keys", "METADATA_SPEC_VERSION", "SCHEMA_VERSION")
        other = ("sequence_key", "sequence_index", "column_relationships", "relationships")
        faults.refuse_other_keys(data, path, (*known, *other))
        if "columns" not in data:
            faults.add((*path, "columns"), "required key is missing")
        hint = "remove it; where it names persons, declare unit: {column: …, max_rows: …} in the schema"
        for key in ("sequence_key", "sequence_index"):
            if data.get(key) is not None:
                faults.add((*path, key), "sequences are not supported", hint)
        if data.get("column_relationships"):
            faults.add(
                (*path, "column_relationships"), "is not supported", "remove it; columns are made one by one"
            )

    def _alternate_key(self, path: Path, key: object, columns: dict[str, Column]) -> None:
        name = key[0] if isinstance(key, list) and len(key) == 1 else key
        if not isinstance(name, str):
            self._faults.add(path, "alternate keys of several columns are not supported")
        elif name not in columns:
            self._faults.add(path, f"no column {name!r} in this table", did_you_mean(name, columns))
        elif (column := _as_key(columns[name])) is None:
            self._faults.add(
                path, f"column {name!r} is {columns[name].kind.value}: only identifiers are unique"
            )
        else:
            columns[name] = column

    def _column(self, path: Path, name: str, data: dict[str, object]) -> Column:
        """One column; where it cannot be read, a fault and a placeholder."""
        faults = self._faults
        sdtype = faults.take(data, path, "sdtype", str, "")
        nullable = faults.take(data, path, "range_is_nullable", bool, True)
        blank = Column(
            name=name, kind=Kind.TEXT, dtype="string", nullable=nullable, role=read_name(name).role
        )
        known = _KEYS.get(sdtype, ("pii",))
        faults.refuse_other_keys(data, path, ("sdtype", "range_is_nullable", *known))
        if sdtype == "numerical":
            return self._number(path, blank, data)
        if sdtype == "datetime":
            return self._datetime(path, blank, data)
        if sdtype in ("categorical", "ordinal"):
            return self._levels(path, blank, data, is_ordinal=sdtype == "ordinal")
        if sdtype == "boolean":
            return replace(blank, kind=Kind.BOOLEAN, dtype="bool")
        if sdtype in ("id", "text"):
            return self._identifier(path, blank, data)
        if sdtype in _TEXTS or sdtype in _IDENTIFIERS:
            return self._personal(path, blank, data, sdtype)
        if "sdtype" not in data:
            faults.add((*path, "sdtype"), "required key is missing")
        elif sdtype:
            hint = did_you_mean(sdtype, (*_KEYS, *_TEXTS, *_IDENTIFIERS))
            faults.add((*path, "sdtype"), f"{sdtype!r} has no counterpart", hint)
        return blank

    def _number(self, path: Path, blank: Column, data: dict[str, object]) -> Column:
        stored = self._faults.take(data, path, "computer_representation", str, "")
        if stored and stored not in _REPRESENTATIONS:
            hint = did_you_mean(stored, _REPRESENTATIONS)
            self._faults.add((*path, "computer_representation"), f"unknown representation {stored!r}", hint)
        decimals = self._faults.take(data, path, "decimal_places", int, -1)
        dtype = _REPRESENTATIONS.get(stored, "int64" if decimals == 0 else "float64")
        kind = Kind.NUMBER if dtype.startswith("float") else Kind.INTEGER
        is_known = kind is Kind.NUMBER and 0 <= decimals <= _MOST_DECIMALS
        return replace(
            blank,
            kind=kind,
            dtype=dtype,
            bounds=self._bounds(path, data, kind, None),
            decimals=decimals if is_known else None,
        )

    def _datetime(self, path: Path, blank: Column, data: dict[str, object]) -> Column:
        form = self._faults.take(data, path, "datetime_format", str, "")
        is_date = bool(form) and not any(
            mark in form for mark in ("%H", "%I", "%M", "%S", "%T", "%R", "%c", "%X")
        )
        kind = Kind.DATE if is_date else Kind.DATETIME
        timezone = "UTC" if "%z" in form else None
        return replace(
            blank,
            kind=kind,
            dtype="string" if form else "datetime[us]",
            bounds=self._bounds(path, data, kind, form or None, timezone=timezone),
            timezone=timezone,
            format=chrono_format(form) or None,
        )

    def _bounds(
        self,
        path: Path,
        data: dict[str, object],
        kind: Kind,
        form: str | None,
        *,
        timezone: str | None = None,
    ) -> tuple[Scalar, Scalar] | None:
        given = [key for key in ("range_min", "range_max") if data.get(key) is not None]
        if len(given) == 1:
            self._faults.add(
                (*path, given[0]), "a range open on one side is not supported", "give both ends, or none"
            )
        read: list[Scalar] = []
        for key in given:
            try:
                read.append(read_value(data[key], kind.value, pattern=form, timezone=timezone))
            except ValueError:
                self._faults.add(
                    (*path, key), f"is not of kind {kind.value}" + (" in the column's format" if form else "")
                )
        return (read[0], read[1]) if len(read) == 2 else None

    def _levels(self, path: Path, blank: Column, data: dict[str, object], *, is_ordinal: bool) -> Column:
        key = "range_values" if "range_values" in data else "order"
        levels: Sequence[object] = self._faults.take(data, path, key, list, [])
        is_ordinal = is_ordinal or bool({"order", "order_by"} & data.keys())
        kind = Kind.ORDINAL if is_ordinal else Kind.CATEGORICAL
        dtype = dtype_of_levels(levels)
        if dtype is None:
            self._faults.add((*path, key), "expected values of one type: text, numbers, or true and false")
            return replace(blank, kind=kind)
        if dtype in ("int64", "float64") and key == "range_values":
            levels = sorted(levels, key=lambda level: cast("float", level))
        typed = tuple(float(cast("float", v)) for v in levels) if dtype == "float64" else levels
        categories = tuple(cast("Sequence[Scalar]", typed)) or None
        return replace(blank, kind=kind, dtype=dtype, categories=categories)

    def _identifier(self, path: Path, blank: Column, data: dict[str, object]) -> Column:
        pattern = self._faults.take(data, path, "regex_format", str, "")
        mask = mask_of_pattern(pattern) if pattern else None
        if pattern and mask is None:
            hint = "of fixed length, from literals, [0-9], \\d and [A-Z], such as ID_[0-9]{5}"
            self._faults.add((*path, "regex_format"), "is not a pattern that a mask can hold", hint)
        return replace(blank, kind=Kind.IDENTIFIER, role=Role.IDENTIFIER, format=mask)

    def _personal(self, path: Path, blank: Column, data: dict[str, object], sdtype: str) -> Column:
        """What SDV replaces by made-up values is made anew here too; with `pii: false` it is modelled."""
        if not self._faults.take(data, path, "pii", bool, True):
            role = Role.QUASI_IDENTIFIER if sdtype in _PLACES else blank.role
            return replace(blank, kind=Kind.CATEGORICAL, role=role)
        if sdtype in _TEXTS:
            role = Role.QUASI_IDENTIFIER if sdtype in _PLACES else Role.IDENTIFIER
            return replace(blank, format=_TEXTS[sdtype], role=role)
        return replace(blank, kind=Kind.IDENTIFIER, role=Role.IDENTIFIER)


def _as_key(column: Column) -> Column | None:
    """A column that alone names a row: an identifier that does not repeat; None where it cannot be one."""
    if column.kind not in (Kind.IDENTIFIER, Kind.TEXT, Kind.INTEGER):
        return None
    mask = column.format if column.kind is Kind.IDENTIFIER else None
    return Column(
        name=column.name,
        kind=Kind.IDENTIFIER,
        dtype=column.dtype,
        role=Role.IDENTIFIER,
        unique=True,
        format=mask,
    )
