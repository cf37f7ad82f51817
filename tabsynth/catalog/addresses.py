"""Bundles wherever they lie: on this disk, or at any address that fsspec reads."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from tabsynth.errors import BundleError, UsageError
from tabsynth.release.bundle.archive import MOST_BYTES

_CHUNK = 1 << 20


@contextmanager
def fetched(location: str) -> Iterator[Path]:
    """The bundle as a local file: as it lies, or a copy of one that lies elsewhere."""
    if "://" not in location:
        yield Path(location)
        return
    try:
        import fsspec
    except ImportError:
        raise UsageError("a bundle elsewhere needs fsspec: pip install 'tabsynth[share]'") from None
    with TemporaryDirectory(prefix="tabsynth-") as folder:
        path = Path(folder) / "bundle.zip"
        try:
            with fsspec.open(location, "rb") as source, path.open("wb") as target:
                _copy(source, target)
        except _faults() as fault:
            raise UsageError(f"{shown(location)} cannot be read ({type(fault).__name__})") from None
        yield path


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy a bundle; `BundleError` for more bytes than one can have, as a hostile address may give them without end."""
    left = MOST_BYTES + 1
    while left > 0 and (chunk := source.read(min(_CHUNK, left))):
        left -= target.write(chunk)
    if left <= 0:
        raise BundleError("what lies there is larger than the 4 GiB that a bundle may have")


def shown(location: str) -> str:
    """An address without what may open it: names and passwords before the host, the query, where signatures stand."""
    if "://" not in location:
        return location
    return re.sub(r"(?<=://)[^/?#]*@", "", re.sub(r"[?#].*", "", location, flags=re.DOTALL))


_FAULTS = (OSError, ValueError, ImportError, RuntimeError, TypeError, LookupError, EOFError)
_REMOTE_FAULTS = (
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("paramiko", "SSHException"),
)
"""What drivers of fsspec raise beside Python's own exceptions, by module."""


def _faults() -> tuple[type[BaseException], ...]:
    """What reading a file elsewhere raises; of drivers those that are loaded: asked for when something was raised."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in _REMOTE_FAULTS)
    return (*_FAULTS, *(each for each in found if isinstance(each, type) and issubclass(each, BaseException)))
