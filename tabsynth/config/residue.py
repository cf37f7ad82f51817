"""What runs left behind that is private: real rows, drafts, internal reports, audits, checkpoints, halves of outputs.

Files are told by what is in them, not by their names, where there is something in them to tell by. Found are
files that tabsynth wrote; never the tables that you gave it, nor ledgers, keys and catalogues, which must stay. Rows
and models that were made without privacy are private too, and so is all of a run's private folder.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tabsynth.config.run import PRIVATE, RUN_FILE
from tabsynth.errors import UsageError

_HEAD, _PAGE = 1 << 14, 8 << 20
_FORMATS = {
    "results": "figures that compare with real rows",
    "audit": "an audit",
    "shadow-audit": "a shadow-model audit",
    "noise-audit": "an audit of noise",
    "collapse": "figures of a collapse",
    "decision": "a decision, with what was found",
}
_FORMAT = re.compile(rb'"format":\s*"tabsynth-([a-z-]+)/\d')
_UNFINISHED = re.compile(r"\.tabsynth\.[0-9a-z_]+\.tmp", re.IGNORECASE)
_DRAFT = re.compile(rb"origin: draft")
_SQLITE = b"SQLite format 3\x00"
_SETTLED_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """One private file: where, what it is, how large."""

    path: Path
    what: str
    n_bytes: int


def residue_in(folders: Sequence[Path], *, temporary: bool = True) -> tuple[Residue, ...]:
    """Every private file below the folders, each once, by path; links are not followed.

    `temporary` looks into the system's temporary folder too, for what is ours and an hour old. Raises
    `UsageError` for what is no folder.
    """
    found: dict[Path, Residue] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder")
        for each in _walk(folder):
            found.setdefault(each.path, each)
    for each in _temporary() if temporary else ():
        found.setdefault(each.path, each)
    return tuple(found[path] for path in sorted(found))


def purge(residue: Sequence[Residue], *, keep: Sequence[Path] = ()) -> int:
    """Delete the files, and the folders that become empty, except `keep`; the number of files that are gone.

    A file that is not there any more counts; one that has become a link or a folder is left alone. The bytes may
    stay readable on the disk, in snapshots and in backups.
    """
    kept = {path.resolve() for path in (*keep, Path.cwd(), Path.home())}
    n_gone = 0
    for each in residue:
        if each.path.is_symlink() or each.path.is_dir():
            continue
        each.path.unlink(missing_ok=True)
        n_gone += 1
        for parent in each.path.parents:
            if parent.resolve() in kept or parent == Path(tempfile.gettempdir()):
                break
            try:
                parent.rmdir()
            except OSError:  # it holds other things
                break
    return n_gone


def _walk(folder: Path) -> Iterator[Residue]:
    for at, names, files in os.walk(folder.absolute(), followlinks=False):
        names.sort()
        here = Path(at)
        unfinished = any(_UNFINISHED.fullmatch(part) for part in here.parts)
        of_run = _private_folder(here)
        for name in sorted(files):
            path = here / name
            if (size := _size(path)) is None:
                continue
            what = _what(path, files)
            if unfinished or _UNFINISHED.fullmatch(name):
                what = "unfinished: left by a command that was killed, or still being written"
            elif not what and of_run:
                what = "the private part of a run"
            if what:
                yield Residue(path=path, what=what, n_bytes=size)


def _private_folder(here: Path) -> bool:
    """Whether a folder is the private one of a run, or lies in it."""
    return any(parent.name == PRIVATE and (parent / RUN_FILE).is_file() for parent in (here, *here.parents))


def _what(path: Path, beside: Sequence[str]) -> str:
    """What a file is, "" where it is nothing private that is known."""
    if {"train.parquet", "holdout.parquet"} <= set(beside) and path.name in (
        "train.parquet",
        "holdout.parquet",
    ):
        return "real rows, split"
    if {"model.json", "manifest.json", "arrays.safetensors"} <= set(beside) and path.name in beside:
        head = _head(path.with_name("model.json"), _HEAD)
        is_open = b'"privacy": "none"' in head and b'"format_version"' in head
        is_ours = path.name in ("model.json", "manifest.json", "arrays.safetensors")
        return "a model without privacy" if is_open and is_ours else ""
    suffix = path.suffix.lower()
    if suffix == ".json":
        found = _FORMAT.search(_head(path, _HEAD))
        return _FORMATS.get(found[1].decode(), "") if found else ""
    if suffix in (".html", ".htm"):
        return "an internal report" if b"<strong>Private output.</strong>" in _head(path, _PAGE) else ""
    if suffix in (".yaml", ".yml"):
        text = _head(path, _PAGE)
        is_schema = b"\ntables:" in b"\n" + text and b"columns:" in text
        return "a draft of a schema, read off the source" if is_schema and _DRAFT.search(text) else ""
    head = _head(path, _HEAD)
    if head.startswith(_SQLITE) and b"counts blob not null" in head and b"fingerprint text" in head:
        return "the checkpoint of a shadow-model audit"
    return ""


def _temporary() -> Iterator[Residue]:
    """Our folders in the system's temporary one that nothing has changed for an hour."""
    before = time.time() - _SETTLED_SECONDS
    for folder in sorted(Path(tempfile.gettempdir()).glob("tabsynth-*")):
        try:
            known = folder.lstat()
        except OSError:
            continue
        is_mine = not hasattr(os, "getuid") or known.st_uid == os.getuid()
        if not stat.S_ISDIR(known.st_mode) or not is_mine or known.st_mtime > before:
            continue
        for path in sorted(folder.rglob("*")):
            if (size := _size(path)) is not None:
                yield Residue(path=path, what="temporary: left by a command that was killed", n_bytes=size)


def _size(path: Path) -> int | None:
    """The size of a regular file, None for anything else."""
    with suppress(OSError):
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else None
    return None


def _head(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return b""
