"""Checks a bundle, which may have been made or changed by anybody: every byte, the signature, every row, the expiry.

Nothing of a bundle is read before the signature over its manifest holds, and nothing is unpacked before its
packed bytes are those that the manifest states. What is unpacked goes to a temporary folder, under names that the
manifest's form allows, and never grows beyond the sizes that were signed.
"""

from __future__ import annotations

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

from tabsynth.check import check_table
from tabsynth.constraints.check import check_rules
from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.errors import BundleError, Fault, InputError, PolicyError, SchemaError, UsageError
from tabsynth.io import read_table
from tabsynth.release.bundle import archive, keys
from tabsynth.release.bundle.manifest import (
    MANIFEST,
    MOST_CELLS,
    MOST_MANIFEST,
    MOST_ROWS_BYTES,
    MOST_SIGNATURE,
    MOST_TEXT,
    SIGNATURE,
    BundledTable,
    Manifest,
    Part,
    signature_from,
)
from tabsynth.schema.files import schema_from_yaml
from tabsynth.schema.types import Schema
from tabsynth.table import Table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_MOST_NAMED = 20


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
    faults, offsets = _byte_faults(file, members)
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
    for part in manifest.parts:
        if part.path.endswith(".json"):
            document(file, sealed, part.path)
    tables, rules = {}, {}
    faults: list[Fault] = []
    for stated in manifest.tables:
        table = _rows(file, sealed, stated, schema)
        found = check_rules(table.frame, table.schema)
        faults += _row_faults(table, stated, found)
        tables[stated.name], rules[stated.name] = table, found
        for _ in archive.unpacked(_at(file, sealed, stated.csv), sealed.part(stated.csv).member):
            pass
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
    """A part of JSON that holds an object; `BundleError` for any other."""
    try:
        found = json.loads(text_of(file, sealed, path))
    except (ValueError, RecursionError):
        raise BundleError(f"{path} is not JSON, or nested too deeply") from None
    if not isinstance(found, dict):
        raise BundleError(f"{path} is not a JSON object")
    return found


def schema_of(file: BinaryIO, sealed: Sealed) -> Schema:
    """The schema in a bundle."""
    try:
        return schema_from_yaml(text_of(file, sealed, "schema.yaml"), where="schema.yaml")
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


def _byte_faults(file: BinaryIO, members: list[archive.Member]) -> tuple[list[Fault], dict[str, int]]:
    """Every part whose bytes are not those that were written, and where each part's begin."""
    faults: list[Fault] = []
    offsets: dict[str, int] = {}
    at = 0
    for member in members:
        file.seek(at)
        header = member.header
        if file.read(len(header)) != header:
            faults.append(Fault(member.path, "its header in the zip is not the one that was written"))
        offsets[member.path] = at + len(header)
        if why := archive.packed_fault(file, member):
            faults.append(Fault(member.path, why))
        at += len(header) + member.n_packed
    faults += _end_faults(file, members, at)
    if len(faults) > _MOST_NAMED:
        more = len(faults) - _MOST_NAMED
        faults = [*faults[:_MOST_NAMED], Fault("", f"and {more:,} more")]
    return faults, offsets


def _end_faults(file: BinaryIO, members: list[archive.Member], at: int) -> Iterator[Fault]:
    """What is wrong with what follows the parts: the entry of each in the zip's directory, its end, more bytes."""
    file.seek(at)
    wanted = archive.directory(members)
    found = file.read(len(wanted) + 1)
    if found == wanted:
        return
    start, offset = 0, 0
    for member in members:
        entry = member.entry(offset)
        if found[start : start + len(entry)] != entry:
            yield Fault(member.path, "its entry in the zip's directory is not the one that was written")
            break
        start, offset = start + len(entry), offset + len(member.header) + member.n_packed
    else:
        if found[start : len(wanted)] != wanted[start:]:
            yield Fault("the end of the zip", "it is not the one that was written")
    size = file.seek(0, io.SEEK_END)
    if size != at + len(wanted):
        difference = size - at - len(wanted)
        yield Fault("the bundle", f"{abs(difference):,} bytes too {'long' if difference > 0 else 'short'}")


def _rows(file: BinaryIO, sealed: Sealed, stated: BundledTable, schema: Schema) -> Table:
    from pyarrow import ArrowException, parquet

    with TemporaryDirectory(prefix="tabsynth-") as folder:
        path = Path(folder) / "rows.parquet"
        extract(file, sealed, stated.parquet, path)
        try:
            with parquet.ParquetFile(path) as found:
                n_rows, n_columns = found.metadata.num_rows, found.metadata.num_columns
                groups = map(found.metadata.row_group, range(found.metadata.num_row_groups))
                n_bytes = sum(group.total_byte_size for group in groups)
        except (ArrowException, OSError):
            raise BundleError(f"{stated.parquet} is not a Parquet file") from None
        table_schema = schema[stated.name]
        if (n_rows, n_columns) != (stated.n_rows, len(table_schema.columns)):
            raise BundleError(
                f"{stated.parquet} holds {n_rows:,} rows of {n_columns} columns, stated are {stated.n_rows:,} of "
                f"{len(table_schema.columns)}"
            )
        _require_small(stated.parquet, n_cells=n_rows * n_columns, n_bytes=n_bytes)
        try:
            frame, _ = read_table(path, schema=table_schema)
            return Table.conform(frame, table_schema)
        except (InputError, UsageError) as fault:
            faults = fault.faults if isinstance(fault, InputError) else ()
            raise BundleError(f"{stated.parquet} does not follow schema.yaml", faults) from None


def _require_small(path: str, *, n_cells: int, n_bytes: int) -> None:
    """`BundleError` before a row is read where a Parquet file, small as it is, would unpack to more than it may."""
    if n_cells > MOST_CELLS:
        raise BundleError(
            f"{path} holds {n_cells:,} cells, more than the {MOST_CELLS:,} that a table may have"
        )
    if n_bytes > MOST_ROWS_BYTES:
        raise BundleError(
            f"{path} unpacks to {n_bytes:,} bytes, more than the {MOST_ROWS_BYTES:,} that it may have"
        )


def _row_faults(table: Table, stated: BundledTable, rules: tuple[RuleOutcome, ...]) -> Iterator[Fault]:
    if table.digest() != stated.digest:
        yield Fault(stated.parquet, "its rows are others than those that were decided about")
    for fault in check_table(table):
        yield Fault(f"{stated.parquet}, {fault.where}", fault.what)
    for rule in rules:
        if rule.n_violations:
            yield Fault(stated.parquet, f"{rule.n_violations:,} rows break the rule {rule.rule}")
