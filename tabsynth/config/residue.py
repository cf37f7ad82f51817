"""What runs left behind that is private: real rows, drafts, internal reports, audits, checkpoints, halves of outputs.

Files are told by what is in them, never by a name alone. Found are files that tabsynth wrote; never the tables
that you gave it, nor ledgers, keys and catalogues, which must stay, nor a schema of which you confirmed a column.
Rows and models that were made without privacy are private too, and so are rows under pseudonyms and mixtures with real ones,
wherever they lie: the mark that they were written with tells.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tabsynth.config.run import PRIVATE, RUN_FILE, RUN_NOTE
from tabsynth.errors import InputError, UsageError
from tabsynth.io.files import SUFFIXES
from tabsynth.io.provenance import is_half_of_split, is_pseudonymised, read_provenance, sidecar_of
from tabsynth.privacy.checkpoint import CHECKPOINT, is_of_checkpoint

_HEAD, _PAGE = 1 << 14, 8 << 20
_FORMATS = {
    "results": "figures that compare with real rows",
    "audit": "an audit",
    "shadow-audit": "a shadow-model audit",
    "noise-audit": "an audit of noise",
    "collapse": "figures of a collapse",
    "decision": "a decision, with what was found",
    "checkpoint": "the checkpoint of a fit",
}
_FORMAT = re.compile(rb'\s*\{\s*"format":\s*"tabsynth-([a-z-]+)/\d')
_UNFINISHED = re.compile(r"\.tabsynth\.[0-9a-z_]+\.tmp", re.IGNORECASE)
_DRAFT = re.compile(rb"origin: draft")
_CONFIRMED = re.compile(rb"origin:\s*[\"']?(public|charged)")
_SQLITE = b"SQLite format 3\x00"
_KEY = re.compile(rb"-----BEGIN [A-Z ]*KEY-----")
_LEDGER = re.compile(rb'"kind":\s*"tabsynth ledger ')


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """One private file: where, what it is, how large."""

    path: Path
    what: str
    n_bytes: int


def residue_in(folders: Sequence[Path]) -> tuple[Residue, ...]:
    """Every private file below the folders, each once, by path; links are not followed.

    Raises `UsageError` for what is no folder.
    """
    found: dict[Path, Residue] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder")
        for each in _walk(folder):
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
            if parent.resolve() in kept:
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
            what = "" if _must_stay(path) else _what(path, files)
            if CHECKPOINT in files and _is_checkpoint(here / CHECKPOINT) and is_of_checkpoint(path):
                what = _FORMATS["checkpoint"]  # its own ledger, too: no other fit is charged to it
            if not what and of_run and path.name == RUN_FILE and _is_run(path):
                what = "the private part of a run"
            if (unfinished or _UNFINISHED.fullmatch(name)) and not _must_stay(path):
                what = "unfinished: left by a command that was killed, or still being written"
            if what:
                yield Residue(path=path, what=what, n_bytes=size)


def _private_folder(here: Path) -> bool:
    """Whether a folder is the private one of a run, or lies in it."""
    return any(parent.name == PRIVATE and _is_run(parent / RUN_FILE) for parent in (here, *here.parents))


def _is_run(path: Path) -> bool:
    return _head(path, _HEAD).startswith(RUN_NOTE.encode())


def _rows(path: Path) -> str:
    """What the rows of a file are, or of the file beside which it lies, by the mark that we gave them; "" where they may leave."""
    table = Path(str(path).removesuffix(sidecar_of("").name))
    if not table.name.lower().endswith(tuple(SUFFIXES)):
        return ""
    try:
        if is_pseudonymised(table):
            return "real rows under pseudonyms"
        mark = read_provenance(table)
    except (InputError, OSError):
        return ""
    if mark is None:
        return ""
    if mark.given_cells or mark.real_share:
        return "synthetic rows with real ones, or real cells, among them"
    return "synthetic rows without privacy" if mark.augmented or mark.no_privacy else ""


def _must_stay(path: Path) -> bool:
    """Whether a file is a ledger, a key or a database: what cannot be made again."""
    head = _head(path, _HEAD)
    return bool(
        _KEY.search(head) or _LEDGER.search(head) or (head.startswith(_SQLITE) and not _checkpoint(head))
    )


def _is_checkpoint(path: Path) -> bool:
    found = _FORMAT.match(_head(path, _HEAD))
    return found is not None and found[1] == b"checkpoint"


def _checkpoint(head: bytes) -> bool:
    return head.startswith(_SQLITE) and b"counts blob not null" in head and b"fingerprint text" in head


def _what(path: Path, beside: Sequence[str]) -> str:
    """What a file is, "" where it is nothing private that is known."""
    if path.name in ("train.parquet", "holdout.parquet") and is_half_of_split(path):
        return "real rows, split"
    if {"model.json", "manifest.json", "arrays.safetensors"} <= set(beside) and path.name in beside:
        head = _head(path.with_name("model.json"), _HEAD)
        is_open = b'"privacy": "none"' in head and b'"format_version"' in head
        is_ours = path.name in ("model.json", "manifest.json", "arrays.safetensors")
        return "a model without privacy" if is_open and is_ours else ""
    suffix = path.suffix.lower()
    if suffix == ".json":
        found = _FORMAT.match(_head(path, _HEAD))
        return (_FORMATS.get(found[1].decode()) if found else None) or _rows(path)
    if suffix in (".html", ".htm"):
        return "an internal report" if b"<strong>Private output.</strong>" in _head(path, _PAGE) else ""
    if suffix in (".yaml", ".yml"):
        text = _head(path, _PAGE)
        is_schema = b"\ntables:" in b"\n" + text and b"columns:" in text
        is_draft = is_schema and _DRAFT.search(text) and not _CONFIRMED.search(text)
        return "a draft of a schema, read off the source" if is_draft else ""
    return "the checkpoint of a shadow-model audit" if _checkpoint(_head(path, _HEAD)) else _rows(path)


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
