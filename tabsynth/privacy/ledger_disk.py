"""What a ledger asks of the operating system: locks, writes that reach the disk, and what tells a file from its copy."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.privacy.ledger_lines import Place

_MOST_BYTES = 256 << 20
_EMPTY_PATH, _BIRTH = 0x1000, 0x800  # of statx(2): the descriptor itself; when it was made
_MASK_AT, _BIRTH_AT, _STATX_BYTES = 0, 80, 256  # offsets in its answer


def place_of(descriptor: int) -> Place:
    """What tells an open file from a copy: no program can set when a file was made, and numbers are given anew."""
    return Place(os.fstat(descriptor).st_ino, _birth_of(descriptor))


def _birth_of(descriptor: int) -> int | None:
    """When a file was made, in nanoseconds; None where the file system does not say."""
    told = getattr(os.fstat(descriptor), "st_birthtime", None)
    if told is not None:
        return int(told * 1_000_000_000)
    statx = getattr(ctypes.CDLL(None), "statx", None) if os.name == "posix" else None
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx is None or statx(descriptor, b"", _EMPTY_PATH, _BIRTH, answer) != 0:
        return None
    (mask,) = struct.unpack_from("=I", answer, _MASK_AT)
    seconds, rest = struct.unpack_from("=qI", answer, _BIRTH_AT)
    return seconds * 1_000_000_000 + rest if mask & _BIRTH and seconds >= 0 else None


def open_file(path: Path, flags: int) -> int:
    """A descriptor of a regular file; `UsageError` for anything else."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK)  # not to wait for the other end of a pipe
    except OSError as fault:
        raise UsageError(f"{path}: no ledger can be opened there ({fault.strerror})") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path}: a ledger is a regular file")
    return descriptor


def lock(descriptor: int, path: Path, *, what: str = "ledger") -> None:
    """Hold an open file, or a folder, until the descriptor is closed or the process dies; `PrivacyError` where others do."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PrivacyError(
            f"{path}: another fit has the {what} open; wait for it to end, nothing was read"
        ) from None
    except (ImportError, OSError):
        raise PrivacyError(f"{path}: files cannot be locked here, so no {what} can be kept") from None


def require_in_place(descriptor: int, path: Path, *, size: int | None = None) -> None:
    """Raise `PrivacyError` where `path` is another file than the open one, or not of the expected size."""
    here = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        there = None
    if there is None or (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
        raise PrivacyError(
            f"{path}: the ledger was removed or replaced while it was open; nothing was released"
        )
    if size is not None and here.st_size != size:
        raise PrivacyError(f"{path}: the ledger was written to while it was open; nothing was released")


def content_of(descriptor: int, path: Path) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > _MOST_BYTES:
        raise PrivacyError(f"{path}: a ledger holds {_MOST_BYTES} bytes at most")
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def append(descriptor: int, data: bytes, *, at: int, size: int) -> None:
    """End the file with `data` from `at` on, and wait for the disk; a failure leaves it at `size` bytes."""
    try:
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], at + written)
        os.ftruncate(descriptor, at + len(data))
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
