"""What a catalogue keeps of a release: taken from a bundle that was verified."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tabsynth.errors import BundleError
from tabsynth.privacy.ledger import LedgerCopy, copy_from_data
from tabsynth.release.bundle.manifest import BundledTable
from tabsynth.release.bundle.terms import Terms, terms_from_dict
from tabsynth.release.bundle.verify import Verified, document, opened, text_of, verify_bundle
from tabsynth.schema import schema_from_yaml
from tabsynth.schema.types import TableSchema

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry:
    """One table of a release: its ledger's copy, its guarantee, and its publishable report as plain data.

    `model` is the digest of the model that made it, that of the rows where it has no guarantee and is not told; `epsilon` and `delta` are None without a guarantee.
    """

    name: str
    n_rows: int
    digest: str
    guarantee: str
    epsilon: float | None
    delta: float | None
    unit: str
    model: str
    ledger: LedgerCopy
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release. `id` is 0 until the catalogue has given one; `sha256` is that of the whole bundle.

    `expires` is the bundle's day, or an earlier one on which it was ended; `schema` is its YAML.
    """

    id: int = 0
    sha256: str
    name: str
    source: str
    audience: str
    released: dt.date
    expires: dt.date
    signer: str
    location: str
    terms: Terms
    sign_off: str
    schema: str
    tables: tuple[TableEntry, ...]

    def table_schema(self, name: str) -> TableSchema:
        """The schema of one of its tables."""
        return schema_from_yaml(self.schema)[name]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """(table, column) of all tables."""
        schema = schema_from_yaml(self.schema)
        return tuple((table.name, column) for table in schema.tables for column in table.column_names)


def release_of(path: Path, *, location: str, key: Any) -> Release:
    """What the bundle in a file says of itself, once everything about it holds, an expired one's too.

    Raises what `verify_bundle` raises, but for expiry: a catalogue remembers what has expired.
    """
    verified = verify_bundle(path, key=key, on=dt.date.min)
    with opened(path) as file:
        return _release(file, verified, location)


def _release(file: BinaryIO, verified: Verified, location: str) -> Release:
    sealed, manifest = verified.sealed, verified.manifest
    terms = document(file, sealed, "terms.json")
    signed = document(file, sealed, "verdict.json").get("sign_off") or {}
    stated = {each["table"]: each for each in _listed(file, verified, "privacy.json")}
    provenance = {each["table"]: each for each in _listed(file, verified, "provenance.json")}
    try:
        tables = tuple(
            _table(file, verified, table, stated[table.name], provenance[table.name])
            for table in manifest.tables
        )
        sign_off = str(signed.get("name", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise BundleError(f"the bundle's statements are damaged ({type(fault).__name__})") from None
    return Release(
        sha256=_sha256(file),
        name=manifest.name,
        source=manifest.source,
        audience=manifest.audience,
        released=manifest.released,
        expires=manifest.expires,
        signer=sealed.signer,
        location=location,
        terms=terms_from_dict({name: value for name, value in terms.items() if name != "format"}),
        sign_off=sign_off,
        schema=text_of(file, sealed, "schema.yaml"),
        tables=tables,
    )


def _listed(file: BinaryIO, verified: Verified, path: str) -> list[dict[str, Any]]:
    found = document(file, verified.sealed, path).get("tables")
    if not isinstance(found, list) or not all(isinstance(each, dict) and "table" in each for each in found):
        raise BundleError(f"{path} lists no tables")
    return found


def _table(
    file: BinaryIO,
    verified: Verified,
    table: BundledTable,
    stated: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> TableEntry:
    sealed = verified.sealed
    epsilon, delta = stated["epsilon"], stated["delta"]
    return TableEntry(
        name=table.name,
        n_rows=table.n_rows,
        digest=table.digest,
        guarantee=table.guarantee,
        epsilon=None if epsilon is None else float(epsilon),
        delta=None if delta is None else float(delta),
        unit=str(stated["unit"]),
        model=str(provenance.get("model_sha256", table.digest)),
        ledger=copy_from_data(document(file, sealed, f"ledger/{table.stem}.json")),
        report=document(file, sealed, f"report/{table.stem}.json"),
    )


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def to_json(data: object) -> str:
    """Plain data as a column of the catalogue holds it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
