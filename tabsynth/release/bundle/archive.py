"""The zip of a bundle, in one form alone: its bytes follow from its members, and every byte is accounted for.

Members stand one after another with no gap, comment or extra field, dated 1980-01-01, all regular files; then
the directory, then its end. So two bundles of the same parts are the same bytes, and a zip that was packed
again, padded or changed anywhere is told from one that was written here. Any zip tool opens it.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tabsynth.errors import BundleError, Fault

STORED, DEFLATED = 0, 8
MOST_BYTES = 0xFFFF_FFFE
MOST_MEMBERS = 10_000
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_VERSION, _MADE_BY = 20, 3 << 8 | 20
_FIRST_OF_1980 = 0x0021
_REGULAR = 0o100644 << 16
_CHUNK = 1 << 20
_LEVEL = 4
_PACKED_ALREADY = (".parquet",)
_MOST_NAMED, _MOST_SHOWN = 100, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in the zip: its path there, sizes as it is and as packed, CRC-32 and SHA-256 of both."""

    path: str
    n_bytes: int
    n_packed: int
    crc: int
    sha256: str
    packed_sha256: str
    method: int

    @property
    def header(self) -> bytes:
        """What stands before its bytes."""
        name = self.path.encode("ascii")
        return (
            _LOCAL.pack(
                0x04034B50,
                _VERSION,
                0,
                self.method,
                0,
                _FIRST_OF_1980,
                self.crc,
                self.n_packed,
                self.n_bytes,
                len(name),
                0,
            )
            + name
        )

    def entry(self, offset: int) -> bytes:
        """What the directory says of it."""
        name = self.path.encode("ascii")
        fixed = (0x02014B50, _MADE_BY, _VERSION, 0, self.method, 0, _FIRST_OF_1980)
        sizes = (self.crc, self.n_packed, self.n_bytes, len(name))
        return _CENTRAL.pack(*fixed, *sizes, 0, 0, 0, 0, _REGULAR, offset) + name


def method_of(path: str) -> int:
    """How a part is packed: Parquet is compressed already."""
    return STORED if path.endswith(_PACKED_ALREADY) else DEFLATED


def stored(path: str, content: bytes) -> Member:
    """A member that is not compressed."""
    digest = hashlib.sha256(content).hexdigest()
    return Member(
        path=path,
        n_bytes=len(content),
        n_packed=len(content),
        crc=zlib.crc32(content),
        sha256=digest,
        packed_sha256=digest,
        method=STORED,
    )


def pack(path: str, source: Path, target: Path) -> Member:
    """Write the packed bytes of the file `source` to `target`, and say what they are."""
    method = method_of(path)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15) if method == DEFLATED else None
    whole, packed, crc, n_bytes, n_packed = hashlib.sha256(), hashlib.sha256(), 0, 0, 0
    with source.open("rb") as file, target.open("wb") as out:
        for chunk in _chunks(file):
            whole.update(chunk)
            crc, n_bytes = zlib.crc32(chunk, crc), n_bytes + len(chunk)
            piece = chunk if packer is None else packer.compress(chunk)
            packed.update(piece)
            n_packed += out.write(piece)
        last = b"" if packer is None else packer.flush()
        packed.update(last)
        n_packed += out.write(last)
    return Member(
        path=path,
        n_bytes=n_bytes,
        n_packed=n_packed,
        crc=crc,
        sha256=whole.hexdigest(),
        packed_sha256=packed.hexdigest(),
        method=method,
    )


def write(out: BinaryIO, members: Sequence[tuple[Member, bytes | Path]]) -> None:
    """Write the zip; each member's packed bytes are given as such or lie in a file.

    Raises `BundleError` for more than the format holds: 4 GiB, 10,000 members.
    """
    size = sum(len(member.header) * 2 + member.n_packed + 64 for member, _ in members)
    if size > MOST_BYTES or any(member.n_bytes > MOST_BYTES for member, _ in members):
        raise BundleError("a bundle holds 4 GiB at most: release fewer rows, or several bundles")
    if len(members) > MOST_MEMBERS:
        raise BundleError(f"a bundle holds {MOST_MEMBERS:,} files at most")
    for member, content in members:
        out.write(member.header)
        if isinstance(content, bytes):
            out.write(content)
        else:
            with content.open("rb") as file:
                out.writelines(_chunks(file))
    out.write(directory([member for member, _ in members]))


def directory(members: Sequence[Member]) -> bytes:
    """What follows the members: the entry of each, and the end."""
    entries, offset = b"", 0
    for member in members:
        entries += member.entry(offset)
        offset += len(member.header) + member.n_packed
    n = len(members)
    return entries + _END.pack(0x06054B50, 0, 0, n, n, len(entries), offset, 0)


def first_member(file: BinaryIO, path: str, *, most: int) -> tuple[Member, bytes]:
    """The stored member `path` that begins where the file stands, and its bytes.

    Raises `BundleError` naming it for anything else, or for one of more than `most` bytes.
    """
    head = file.read(_LOCAL.size)
    name = path.encode("ascii")
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04" or file.read(len(name)) != name:
        raise BundleError(
            f"{path} does not stand where it must: not a bundle, or one that was altered or packed again"
        )
    size = _LOCAL.unpack(head)[7]
    if size > most:
        raise BundleError(f"{path} is larger than the {most:,} bytes that it may have")
    content = file.read(size)
    member = stored(path, content)
    if head + name != member.header:
        raise BundleError(f"{path} was altered, or its header in the zip was")
    return member, content


def packed_fault(file: BinaryIO, member: Member) -> str:
    """Why the bytes of `member`, which begin where the file stands, are not those that were written; "" if they are.

    The CRC of `member` is not looked at. Leaves the file after the member.
    """
    digest, left = hashlib.sha256(), member.n_packed
    while left and (chunk := file.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    if left:
        return "the bundle ends within it"
    return "" if digest.hexdigest() == member.packed_sha256 else "its bytes were changed"


def byte_faults(file: BinaryIO, members: Sequence[Member]) -> tuple[list[Fault], dict[str, int]]:
    """Every part whose bytes are not those that were written, and where each part's begin."""
    faults: list[Fault] = []
    offsets: dict[str, int] = {}
    at = 0
    for member in members:
        file.seek(at)
        header = member.header
        found = file.read(len(header))
        why = [] if found == header else [_header_fault(found, member)]
        offsets[member.path] = at + len(header)
        why += [changed] if (changed := packed_fault(file, member)) else []
        if why:
            faults.append(Fault(member.path, "; ".join(why)))
        at += len(header) + member.n_packed
    faults += _end_faults(file, members, at)
    if len(faults) > _MOST_NAMED:
        more = len(faults) - _MOST_NAMED
        faults = [*faults[:_MOST_NAMED], Fault("", f"and {more:,} more")]
    return faults, offsets


def _header_fault(found: bytes, member: Member) -> str:
    other = _member_name(found)
    if other is not None and other != member.path:
        return f"it does not stand where it must, {other} does"
    return "its header in the zip is not the one that was written"


def _end_faults(file: BinaryIO, members: Sequence[Member], at: int) -> Iterator[Fault]:
    """What is wrong with what follows the parts: the entry of each in the zip's directory, its end, more bytes."""
    file.seek(at)
    wanted = directory(members)
    found = file.read(len(wanted) + 1)
    if found == wanted:
        return
    if (added := _member_name(found)) is not None:
        yield Fault(added, "it was added: no part of that name was signed there")
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
        noun = "byte" if abs(difference) == 1 else "bytes"
        yield Fault("the bundle", f"{abs(difference):,} {noun} too {'long' if difference > 0 else 'short'}")


def _member_name(head: bytes) -> str | None:
    """The name of the member whose header begins here, as far as it can be shown; None where none begins."""
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        return None
    name = head[_LOCAL.size : _LOCAL.size + min(_LOCAL.unpack_from(head)[9], _MOST_SHOWN)]
    return "".join(c if c.isprintable() else "?" for c in name.decode("ascii", errors="replace"))


def unpacked(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The content of `member`, whose packed bytes begin where the file stands, chunk by chunk.

    Never yields more than the member says that it holds. Raises `BundleError` where it is not what it says.
    """
    digest, n_bytes, left = hashlib.sha256(), 0, member.n_packed
    unpacker = zlib.decompressobj(-15) if member.method == DEFLATED else None
    while left:
        packed = file.read(min(_CHUNK, left))
        if not packed:
            raise BundleError(f"{member.path}: the bundle ends within it")
        left -= len(packed)
        while packed:
            try:
                chunk = packed if unpacker is None else unpacker.decompress(packed, _CHUNK)
            except zlib.error:
                raise BundleError(f"{member.path} cannot be unpacked: it is damaged") from None
            n_bytes += len(chunk)
            if n_bytes > member.n_bytes:
                raise BundleError(
                    f"{member.path} unpacks to more than the {member.n_bytes:,} bytes that it states"
                )
            digest.update(chunk)
            yield chunk
            packed = b"" if unpacker is None else unpacker.unconsumed_tail
            if unpacker is not None and unpacker.unused_data:
                raise BundleError(f"{member.path}: bytes follow its packed content")
    if unpacker is not None and not unpacker.eof:
        raise BundleError(f"{member.path} cannot be unpacked: it is cut short")
    if n_bytes != member.n_bytes or digest.hexdigest() != member.sha256:
        raise BundleError(f"{member.path} does not hold what it states")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
