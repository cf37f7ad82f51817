"""What a bundle states of itself: its parts with their hashes, whom it is for, until when. This is what is signed."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import ClassVar, Self

from tabsynth.errors import BundleError, Fault, InputError
from tabsynth.plain_results import PlainResults
from tabsynth.release.bundle.archive import DEFLATED, MOST_BYTES, MOST_MEMBERS, STORED, Member, method_of

FORMAT = "tabsynth-bundle/1"
SIGNATURE_FORMAT = "tabsynth-signature/1"
MANIFEST, SIGNATURE = "bundle.json", "signature.json"
MOST_MANIFEST, MOST_SIGNATURE = 8 << 20, 1 << 10
MOST_TEXT, MOST_UNPACKED = 8 << 20, 8 << 30
"""The bytes that a part of JSON or YAML may have, and all parts together as they are."""
MOST_CELLS, CELL_BYTES, PAGE_BYTES = 500_000_000, 16, 1 << 20
"""The cells of a table, the bytes that one takes in memory beside its text, and what heads of pages add to a file."""
MOST_FREE, MOST_GROWTH = 256 << 20, 100
"""What all parts may unpack to however small they are packed, and beyond that, how many times their packed bytes."""
RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names that are devices on Windows, whatever follows them after a point."""
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,2}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_ROWS = 2**53
_STEM = re.compile(r"[A-Za-z0-9_-]{1,80}")
_PAGES = (
    *(
        "README.md",
        "schema.yaml",
        "dictionary.md",
        "model-card.md",
        "datasheet.md",
        "privacy.md",
        "privacy.json",
    ),
    *(
        "verdict.json",
        "policy.yaml",
        "terms.md",
        "terms.json",
        "provenance.json",
        "datapackage.json",
        "croissant.json",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a bundle: where, what it is, its sizes as it is and as packed, its checksums."""

    path: str
    what: str
    n_bytes: int
    n_packed: int
    crc32: int
    sha256: str
    packed_sha256: str

    @property
    def member(self) -> Member:
        return Member(
            path=self.path,
            n_bytes=self.n_bytes,
            n_packed=self.n_packed,
            crc=self.crc32,
            sha256=self.sha256,
            packed_sha256=self.packed_sha256,
            method=method_of(self.path),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledTable:
    """One table: its name, the stem of its files, its rows and their digest (`Table.digest`), and its guarantee."""

    name: str
    stem: str
    n_rows: int
    digest: str
    guarantee: str

    @property
    def parquet(self) -> str:
        return f"data/{self.stem}.parquet"

    @property
    def csv(self) -> str:
        return f"data/{self.stem}.csv"

    @property
    def files(self) -> tuple[str, ...]:
        """Every part that is of this table."""
        beside = (f"{self.csv}.provenance.json", f"ledger/{self.stem}.json")
        return (self.parquet, self.csv, *beside, f"report/{self.stem}.html", f"report/{self.stem}.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(PlainResults):
    """A bundle's manifest; `source` is the id that all releases of one source share."""

    format_name: ClassVar[str] = FORMAT
    made_by: ClassVar[str] = "tabsynth release build"

    name: str
    version: str
    source: str
    audience: str
    recipient: str
    released: dt.date
    expires: dt.date
    tables: tuple[BundledTable, ...]
    parts: tuple[Part, ...]

    def to_bytes(self) -> bytes:
        return json_bytes(self.to_dict())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The manifest that `to_bytes` wrote, byte for byte; `BundleError` for anything else, listing its faults."""
        try:
            data = json.loads(content)
            if not isinstance(data, dict):
                raise BundleError(f"{MANIFEST} is not a JSON object")
            found = cls.read_fields(data)
        except InputError as fault:
            raise BundleError(f"{MANIFEST}: {fault.summary}", fault.faults) from None
        except (ValueError, RecursionError, OverflowError):
            raise BundleError(f"{MANIFEST} is not JSON, or nested too deeply") from None
        if faults := _faults(found):
            raise BundleError(f"{MANIFEST} states what no bundle can hold", faults)
        if not _is_written(found, content):
            raise BundleError(f"{MANIFEST} is not in the form in which manifests are written")
        return found


def json_bytes(data: object) -> bytes:
    """Plain data as the bytes that every part of JSON has: indented, as UTF-8, with a line's end."""
    return (json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def signature_bytes(*, key: bytes, signature: bytes) -> bytes:
    """The part that holds a signature and the public key it is by."""
    return json_bytes(
        {
            "format": SIGNATURE_FORMAT,
            "algorithm": "Ed25519",
            "public_key": key.hex(),
            "signature": signature.hex(),
        }
    )


def signature_from(content: bytes) -> tuple[bytes, bytes]:
    """The public key and the signature of `signature_bytes`; `BundleError` for any other bytes."""
    try:
        data = json.loads(content)
        key, signature = bytes.fromhex(data["public_key"]), bytes.fromhex(data["signature"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BundleError(f"{SIGNATURE} was altered: it holds no signature") from None
    if signature_bytes(key=key, signature=signature) != content:
        raise BundleError(f"{SIGNATURE} was altered: it is not in the form in which signatures are written")
    return key, signature


def _is_written(found: Manifest, content: bytes) -> bool:
    try:
        return found.to_bytes() == content
    except (ValueError, UnicodeEncodeError):
        return False


def _faults(found: Manifest) -> list[Fault]:
    """What is wrong with paths, hashes and sizes; a part that is none is named by its place in the list."""
    faults = []
    seen: set[str] = set()
    known = {*_PAGES, *(path for table in found.tables for path in table.files)}
    if not 1 <= len(found.parts) <= MOST_MEMBERS - 2:
        faults.append(Fault("parts", f"{len(found.parts):,} of them"))
    for i, part in enumerate(found.parts[:MOST_MEMBERS]):
        where = f"parts.{i}"
        if not _PATH.fullmatch(part.path) or part.path not in known:
            faults.append(Fault(where, "its path is none that a bundle may hold"))
        elif part.path.casefold() in seen:
            faults.append(Fault(where, f"{part.path} stands there twice"))
        seen.add(part.path.casefold())
        if not _HEX.fullmatch(part.sha256) or not _HEX.fullmatch(part.packed_sha256):
            faults.append(Fault(where, "its SHA-256 is none"))
        sizes = (part.n_bytes, part.n_packed, part.crc32)
        if not all(0 <= size <= MOST_BYTES + 1 for size in sizes):
            faults.append(Fault(where, "a size is out of range"))
        elif method_of(part.path) == STORED and part.n_bytes != part.n_packed:
            faults.append(Fault(where, "it is not packed, and yet of two sizes"))
        elif method_of(part.path) == DEFLATED and part.n_bytes > 1100 * part.n_packed + 100:
            faults.append(Fault(where, "it would grow beyond what its packing can do"))
    n_packed = sum(part.n_packed for part in found.parts)
    most = min(MOST_UNPACKED, max(MOST_FREE, MOST_GROWTH * n_packed))
    if sum(part.n_bytes for part in found.parts) > most:
        faults.append(Fault("parts", f"together they unpack to more than {most:,} bytes"))
    faults += _table_faults(found)
    if not _NAME.fullmatch(found.name) or found.name.partition(".")[0] in RESERVED:
        faults.append(Fault("name", "it is none that a file can have"))
    return faults[:20]


def _table_faults(found: Manifest) -> list[Fault]:
    """What is wrong with what is stated of tables."""
    faults = []
    paths = {part.path for part in found.parts}
    for i, table in enumerate(found.tables[:MOST_MEMBERS]):
        if not _STEM.fullmatch(table.stem) or table.stem.casefold() in RESERVED:
            faults.append(Fault(f"tables.{i}", "the name of its files is none"))
        if not {table.parquet, table.csv} <= paths:
            faults.append(Fault(f"tables.{i}", "its files are not among the parts"))
        if not 0 <= table.n_rows <= _MOST_ROWS or not _HEX.fullmatch(table.digest):
            faults.append(Fault(f"tables.{i}", "its rows or their digest are out of range"))
    names, stems = {table.name for table in found.tables}, {table.stem for table in found.tables}
    if not found.tables or min(len(names), len(stems)) < len(found.tables):
        faults.append(Fault("tables", "there is none, or two have one name"))
    return faults
