"""Files of secrets: read where they are files of a moderate size that their owner alone can read."""

from __future__ import annotations

import stat
from pathlib import Path

from tabsynth.errors import UsageError

_MOST_BYTES = 64 << 10


def read_secret(path: Path, what: str = "key", *, is_private: bool = True) -> bytes:
    """The bytes of a file of a secret, or of its public half.

    Raises `UsageError` where it cannot be read, is no file of at most 64 KiB, or, where it `is_private`, others than
    its owner can read it.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise UsageError(f"{path} is no {what}")
        if is_private and found.st_mode & 0o077:
            raise UsageError(f"{path} can be read by others than you: chmod 600 {path}")
        return path.read_bytes()
    except OSError as fault:
        raise UsageError(f"{path}: no {what} can be read there ({fault.strerror})") from None
