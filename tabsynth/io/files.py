"""Which file format a name stands for, and whether the file is there."""

from __future__ import annotations

import difflib
from enum import StrEnum
from pathlib import Path

from tabsynth.errors import Fault, StructureError, UsageError


class FileFormat(StrEnum):
    """The file formats that tables are read from and written to."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


SUFFIXES = {
    ".csv": FileFormat.CSV,
    ".csv.gz": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".tsv.gz": FileFormat.CSV,
    ".parquet": FileFormat.PARQUET,
    ".pq": FileFormat.PARQUET,
    ".arrow": FileFormat.ARROW,
    ".feather": FileFormat.ARROW,
    ".ipc": FileFormat.ARROW,
}


def file_format(path: str | Path) -> FileFormat:
    """The format of a file by the end of its name, upper or lower case. Raises `UsageError` for others, and for folders."""
    name = Path(path).name.lower()
    for suffix, found in SUFFIXES.items():
        if name.endswith(suffix):
            return found
    if Path(path).is_dir():
        raise UsageError(f"{path} is a folder: name a file, of the kinds {', '.join(SUFFIXES)}")
    raise UsageError(f"{Path(path).name}: unknown kind of file; known are {', '.join(SUFFIXES)}")


def is_tab_separated(path: str | Path) -> bool:
    """Whether the name says that tabs delimit the fields."""
    return Path(path).name.lower().endswith((".tsv", ".tsv.gz"))


def require_file(path: Path) -> None:
    """Raise `StructureError` where `path` is no file, with the nearest name beside it as a hint."""
    if path.is_file():
        return
    if path.is_dir():
        raise StructureError(f"{path} is a folder", [Fault("", "expected one file", "name a file in it")])
    hint = "check the path"
    if path.parent.is_dir():
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
        near = difflib.get_close_matches(path.name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else hint
    raise StructureError(f"{path} is not there", [Fault("", "no such file", hint)])
