"""Checks a bundle, which may have been made or changed by anybody: every byte, the signature, every row, the expiry.

Nothing of a bundle is read before the signature over its manifest holds, and nothing is unpacked before its
packed bytes are those that the manifest states. What is unpacked goes to a temporary folder, under names that the
manifest's form allows, and never grows beyond the sizes that were signed.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from tabsynth.check import check_cells
from tabsynth.constraints.check import check_rules
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.errors import BundleError, Fault, InputError, PolicyError, SchemaError, UsageError
from tabsynth.io import read_table
from tabsynth.release.bundle import archive, keys
from tabsynth.release.bundle.manifest import (
    CELL_BYTES,
    MANIFEST,
    MOST_CELLS,
    MOST_FREE,
    MOST_GROWTH,
    MOST_MANIFEST,
    MOST_SIGNATURE,
    MOST_TEXT,
    PAGE_BYTES,
    SIGNATURE,
    BundledTable,
    Manifest,
    Part,
    signature_from,
)
from tabsynth.release.bundle.parquet_pages import Shape, shape_of, text_bytes
from tabsynth.release.bundle.rule_limits import require_cheap_rules
from tabsynth.schema.files import schema_from_yaml
from tabsynth.schema.types import CsvDialect, Schema, TableSchema
from tabsynth.table import Table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A bundle whose every byte is accounted for: its manifest, who signed it, and where each part begins.

    `signer` is the fingerprint of the key in the bundle; `is_known` whether it is the one that was asked for.
    """

    manifest: Manifest
    signer: str
    is_known: bool
    offsets: Mapping[str, int]

    def part(self, path: str) -> Part:
        """The part at `path`; `BundleError` where there is none."""
        for part in self.manifest.parts:
            if part.path == path:
                return part
        raise BundleError(f"{path} is missing from the bundle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle that holds: its schema and tables, and of each declared rule that no row breaks it."""

    sealed: Sealed
    schema: Schema
    tables: Mapping[str, Table]
    rules: Mapping[str, tuple[RuleOutcome, ...]]

    @property
    def manifest(self) -> Manifest:
        return self.sealed.manifest


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """The file at `path`, where it is a regular one; `BundleError` for anything else."""
    target = Path(path)
    try:
        found = target.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{target} is no bundle: not a regular file")
        file = target.open("rb")
    except OSError as fault:
        raise BundleError(f"{target} cannot be read ({fault.strerror})") from None
    with file:
        yield file


def seal_of(file: BinaryIO, *, key: Ed25519PublicKey | None = None) -> Sealed:
    """Account for every byte of a bundle and its signature; `key` None takes the key that the bundle names.

    Raises `BundleError` naming each part that was changed, cut or added to.
    """
    file.seek(0)
    first, content = archive.first_member(file, MANIFEST, most=MOST_MANIFEST)
    second, signed = archive.first_member(file, SIGNATURE, most=MOST_SIGNATURE)
    raw_key, signature = signature_from(signed)
    if not keys.is_signed(raw_key, signature, content):
        raise BundleError(
            f"the signature does not hold: {MANIFEST} or {SIGNATURE} was changed since it was signed"
        )
    if key is not None and keys.raw(key) != raw_key:
        raise BundleError(
            f"signed by another key than yours (fingerprint {keys.fingerprint(key)}): it is not from whom you think, "
            "or you have the wrong key"
        )
    manifest = Manifest.from_bytes(content)
    members = [first, second, *(part.member for part in manifest.parts)]
    faults, offsets = archive.byte_faults(file, members)
    if faults:
        raise BundleError("the bundle was altered or damaged since it was signed", faults)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Sealed(
        manifest=manifest,
        signer=keys.fingerprint(Ed25519PublicKey.from_public_bytes(raw_key)),
        is_known=key is not None,
        offsets=offsets,
    )


def verify_bundle(
    path: str | Path, *, key: Ed25519PublicKey | None = None, on: dt.date | None = None
) -> Verified:
    """Check everything about the bundle at `path`: bytes, signature, schema, rules on every row, expiry.

    `key` is the public key of whom it must come from; None takes it from anybody. `on` is the day that counts,
    today where None. Raises `BundleError` for anything amiss, listing it, and `PolicyError` where it has expired.
    """
    with opened(path) as file:
        sealed = seal_of(file, key=key)
        require_unexpired(sealed.manifest, on=on)
        return checked(file, sealed)


def require_unexpired(manifest: Manifest, *, on: dt.date | None = None) -> None:
    """Raise `PolicyError` where the day of expiry has passed."""
    today = on or dt.date.today()  # noqa: DTZ011  # a day on the calendar of whoever checks
    if today > manifest.expires:
        raise PolicyError(
            f"the bundle {manifest.name!r} expired on {manifest.expires.isoformat()}: delete what came from it, or ask "
            "for a new release"
        )


def checked(file: BinaryIO, sealed: Sealed) -> Verified:
    """The schema and rows of a bundle whose bytes are accounted for; `BundleError` where they contradict each other."""
    schema = schema_of(file, sealed)
    manifest = sealed.manifest
    if [table.name for table in schema.tables] != [table.name for table in manifest.tables]:
        raise BundleError("schema.yaml holds other tables than the bundle")
    if unusable := list(_name_faults(schema)):
        raise BundleError("the tables cannot be handed out as they are", unusable)
    for part in manifest.parts:
        if part.path.endswith(".json"):
            document(file, sealed, part.path)
    tables, rules = {}, {}
    faults: list[Fault] = []
    for stated in manifest.tables:
        table = _rows(file, sealed, stated, schema[stated.name])
        found = check_rules(table.frame, table.schema)
        faults += _row_faults(table, stated, found)
        faults += _csv_faults(file, sealed, stated, table)
        tables[stated.name], rules[stated.name] = table, found
    for part in manifest.parts:
        if not part.path.startswith("data/") and not part.path.endswith((".json", ".yaml")):
            for _ in archive.unpacked(_at(file, sealed, part.path), part.member):
                pass
    if faults:
        raise BundleError("the rows are not what the bundle states", faults)
    return Verified(sealed=sealed, schema=schema, tables=tables, rules=rules)


def text_of(file: BinaryIO, sealed: Sealed, path: str) -> str:
    """A part of text; `BundleError` for one that is too large or not UTF-8."""
    part = sealed.part(path)
    if part.n_bytes > MOST_TEXT:
        raise BundleError(f"{path} is larger than the {MOST_TEXT:,} bytes that it may have")
    whole = io.BytesIO()
    for chunk in archive.unpacked(_at(file, sealed, path), part.member):
        whole.write(chunk)
    try:
        return whole.getvalue().decode()
    except UnicodeDecodeError:
        raise BundleError(f"{path} is not text in UTF-8") from None


def document(file: BinaryIO, sealed: Sealed, path: str) -> dict[str, Any]:
    """A part of JSON that holds an object, and no number that is none; `BundleError` for any other."""
    try:
        found = json.loads(text_of(file, sealed, path), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BundleError(f"{path} is not JSON, or nested too deeply") from None
    if not isinstance(found, dict):
        raise BundleError(f"{path} is not a JSON object")
    return found


def schema_of(file: BinaryIO, sealed: Sealed) -> Schema:
    """The schema in a bundle; its rules may cost no more than checking them should."""
    text = text_of(file, sealed, "schema.yaml")
    require_cheap_rules(text, {table.name: table.n_rows for table in sealed.manifest.tables})
    try:
        return schema_from_yaml(text, where="schema.yaml")
    except SchemaError as fault:
        raise BundleError(f"the schema of the bundle cannot be read: {fault.summary}", fault.faults) from None


def extract(file: BinaryIO, sealed: Sealed, path: str, target: Path) -> None:
    """Write a part to `target`, a new file; raises `BundleError` as `archive.unpacked` does."""
    with target.open("xb") as out:
        for chunk in archive.unpacked(_at(file, sealed, path), sealed.part(path).member):
            out.write(chunk)


def _at(file: BinaryIO, sealed: Sealed, path: str) -> BinaryIO:
    sealed.part(path)
    file.seek(sealed.offsets[path])
    return file


def _refuse_constant(name: str) -> None:
    """NaN and infinities are no JSON, and no figure of a release."""
    raise ValueError(name)


def _rows(file: BinaryIO, sealed: Sealed, stated: BundledTable, schema: TableSchema) -> Table:
    with TemporaryDirectory(prefix="tabsynth-") as folder:
        path = Path(folder) / "rows.parquet"
        extract(file, sealed, stated.parquet, path)
        found = shape_of(path, part=stated.parquet)
        if (found.n_rows, found.n_columns) != (stated.n_rows, len(schema.columns)):
            raise BundleError(
                f"{stated.parquet} holds {found.n_rows:,} rows of {found.n_columns} columns, stated are "
                f"{stated.n_rows:,} of {len(schema.columns)}"
            )
        _require_small(path, found, sealed, stated)
        return _table(path, stated.parquet, schema)


def _table(path: Path, part: str, schema: TableSchema) -> Table:
    try:
        frame, _ = read_table(path, schema=schema)
        return Table.conform(frame, schema)
    except (InputError, UsageError) as fault:
        faults = fault.faults if isinstance(fault, InputError) else ()
        raise BundleError(f"{part} does not follow schema.yaml", faults) from None


def _require_small(path: Path, found: Shape, sealed: Sealed, stated: BundledTable) -> None:
    """`BundleError` before a row is read where a Parquet file, small as it is, would grow to more than it may.

    Every cell stands in the CSV too, a text in full: so its size, which is bounded, bounds them.
    """
    n_cells = found.n_rows * found.n_columns
    parquet, text = sealed.part(stated.parquet), sealed.part(stated.csv)
    most_cells = min(
        MOST_CELLS, max(MOST_FREE, MOST_GROWTH * (parquet.n_packed + text.n_packed)) // CELL_BYTES
    )
    if n_cells > most_cells:
        raise BundleError(
            f"{stated.parquet} holds {n_cells:,} cells, more than the {most_cells:,} that it may have"
        )
    most_bytes = PAGE_BYTES + 2 * (text.n_bytes + CELL_BYTES * n_cells)
    if found.n_bytes > most_bytes:
        raise BundleError(
            f"{stated.parquet} unpacks to {found.n_bytes:,} bytes, more than the {most_bytes:,} that it may have"
        )
    n_text = text_bytes(path, part=stated.parquet)
    if n_text > text.n_bytes:
        raise BundleError(
            f"{stated.parquet} holds {n_text:,} bytes of text, more than the {text.n_bytes:,} bytes of {stated.csv}"
        )


def _csv_faults(file: BinaryIO, sealed: Sealed, stated: BundledTable, table: Table) -> Iterator[Fault]:
    """Whether the CSV, which databases load, holds the rows of the Parquet file and no others."""
    with TemporaryDirectory(prefix="tabsynth-") as folder:
        path = Path(folder) / "rows.csv"
        extract(file, sealed, stated.csv, path)
        if _header(path) != table.schema.column_names:
            yield Fault(stated.csv, "its first line does not name the columns in the order of schema.yaml")
        elif not _table(path, stated.csv, table.schema).frame.equals(table.frame):
            yield Fault(stated.csv, f"its rows are others than those of {stated.parquet}")


def _header(path: Path) -> tuple[str, ...]:
    """The first line of a CSV: databases load columns by their place."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(next(csv.reader(file), ()))
    except (UnicodeDecodeError, csv.Error):
        return ()


def _name_faults(schema: Schema) -> Iterator[Fault]:
    """Names that a database cannot take, or that psql would take for commands."""
    for table in schema.tables:
        if not table.name.isprintable():
            yield Fault("schema.yaml", "a table's name holds a line's end or a control")
        if any("\0" in name for name in table.column_names):
            yield Fault("schema.yaml", "a column's name holds a NUL")
        if table.csv != CsvDialect():
            yield Fault("schema.yaml", "it states a CSV of another form than that of bundles")


def _row_faults(table: Table, stated: BundledTable, rules: tuple[RuleOutcome, ...]) -> Iterator[Fault]:
    if table.digest() != stated.digest:
        yield Fault(stated.parquet, "its rows are others than those that were decided about")
    for fault in check_cells(table):
        yield Fault(f"{stated.parquet}, {fault.where}", fault.what)
    for rule in rules:
        if rule.n_violations:
            yield Fault(stated.parquet, f"{rule.n_violations:,} rows break the rule {rule.rule}")
