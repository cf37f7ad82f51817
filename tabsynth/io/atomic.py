"""Outputs that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tabsynth.errors import OutputExistsError, UsageError

_NO_ROOM = (errno.EFBIG, errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic_path(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` when the block ends.

    Whatever ends the block early, Ctrl-C too, removes it and the parent folders that were made for it. A
    link is followed. Raises `OutputExistsError` where `path` exists and `overwrite` is False (also when
    it came into being meanwhile), `UsageError` where it, or the parent, is of the wrong sort.
    """
    target = Path(os.path.realpath(path))
    _check_file(target, overwrite=overwrite)
    temporary = _sibling(target)
    with _parents(target), _naming(target, temporary):
        try:
            yield temporary
            if not temporary.is_file():
                raise UsageError(f"{target.name}: nothing was written to it")
            _check_file(target, overwrite=overwrite)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; it becomes `path` when the block ends.

    An empty folder counts as free. With `overwrite` an older folder is replaced as a whole, whatever it
    holds; the working folder, the home folder and those above them are refused. Whatever ends the block
    early removes what was made. Raises `OutputExistsError` and `UsageError` as `atomic_path` does.
    """
    target = Path(os.path.realpath(path))
    _check_folder(target, overwrite=overwrite)
    temporary = _sibling(target)
    with _parents(target), _naming(target, temporary):
        temporary.mkdir()
        try:
            yield temporary
            _check_folder(target, overwrite=overwrite)
            _swap(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def require_place(path: str | Path) -> None:
    """Raise `UsageError` where no file can be put at `path`, overwritten or not: asked before long work, not after it."""
    target = Path(os.path.realpath(path))
    _check_file(target, overwrite=True)
    _require_folder_above(target)


def _swap(new: Path, target: Path) -> None:
    """Put `new` in the place of `target`; an older folder stands aside until the new one is there."""
    if not target.exists():
        new.rename(target)
        return
    aside = _sibling(target)
    target.rename(aside)
    try:
        new.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside)


def _check_file(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_file():
        sort = "a folder" if target.is_dir() else "no regular file"
        raise UsageError(f"{target} is {sort}: name a file to write to")
    if not overwrite:
        raise OutputExistsError(f"{target} exists already: pass overwrite to replace it, or name another")


def _check_folder(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"{target} is a file: name a folder to write to")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise OutputExistsError(f"{target} exists already: pass overwrite to replace it, or name another")
    for kept in (Path.cwd(), Path.home()):
        if kept.resolve().is_relative_to(target):
            raise UsageError(f"{target} would be deleted with all it holds: name a folder inside it")


@contextmanager
def _naming(target: Path, temporary: Path) -> Iterator[None]:
    """Name `target`, or what is to be in it, where there is no room on the disk, or a file may be no larger.

    The system names no file then, or a temporary one.
    """
    try:
        yield
    except OSError as error:
        written = temporary if error.filename is None else Path(os.fsdecode(error.filename))
        if error.errno in _NO_ROOM and written.is_relative_to(temporary):
            where = target / written.relative_to(temporary)
            raise OSError(error.errno, os.strerror(error.errno), str(where)) from error
        raise


def _sibling(target: Path) -> Path:
    return target.with_name(f".tabsynth.{secrets.token_hex(8)}.tmp")


@contextmanager
def _parents(target: Path) -> Iterator[None]:
    """Make the parent folders that are missing; remove them again if the block fails."""
    missing = [folder for folder in target.parents if not folder.exists()]
    _require_folder_above(target)
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            made.append(folder)
        yield
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):  # somebody else has put something there meanwhile
                folder.rmdir()
        raise


def _require_folder_above(target: Path) -> None:
    """Raise `UsageError` where the nearest name above that exists is no folder."""
    there = next(folder for folder in target.parents if folder.exists())
    if not there.is_dir():
        raise UsageError(f"{there} is a file: nothing can be written below it")
