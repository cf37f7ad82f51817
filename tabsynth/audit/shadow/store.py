"""Where a long run keeps what it has done: counts by fit, one transaction each, and never a row.

The file is as private as the audit: it holds how many rows of each release agreed with each target on
numbered queries. It belongs to one set of settings and tables, by a fingerprint.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tabsynth.audit.shadow.queries import Counts
from tabsynth.errors import InputError, UsageError

_TABLES = """
create table if not exists settings (fingerprint text not null);
create table if not exists fits (fit integer primary key, counts blob not null);
"""


@dataclass(frozen=True, slots=True)
class Store:
    """Counts of fits, each of one shape."""

    database: sqlite3.Connection
    shape: tuple[int, int]

    def known(self) -> dict[int, Counts]:
        """Counts by fit. Raises `InputError` where one is damaged."""
        found = {}
        for fit, blob in self.database.execute("select fit, counts from fits order by fit"):
            if not isinstance(blob, bytes) or len(blob) != 8 * self.shape[0] * self.shape[1]:
                raise InputError("the resume file is damaged: begin a new one")
            found[int(fit)] = np.frombuffer(blob, dtype="<i8").reshape(self.shape).astype(np.int64)
        return found

    def add(self, fit: int, counts: Counts) -> None:
        """Keep the counts of one fit; they are on disk, or not at all, when this returns."""
        with self.database:
            self.database.execute(
                "insert or replace into fits values (?, ?)", (fit, counts.astype("<i8").tobytes())
            )


@contextmanager
def opened_store(path: Path, *, fingerprint: str, shape: tuple[int, int]) -> Iterator[Store]:
    """The file at `path`, made where there is none, readable by this user alone.

    Raises `UsageError` where its folder is missing or it belongs to other settings or tables, `InputError`
    where it is no such file.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as fault:
        raise UsageError(f"the resume file {path} cannot be opened: {fault.strerror}") from None
    database = sqlite3.connect(path, timeout=5)
    try:
        _require_same(database, path, fingerprint)
        yield Store(database, shape)
    except sqlite3.DatabaseError:
        raise InputError(f"{path} is not a resume file, is damaged, or is in use by another audit") from None
    finally:
        database.close()


def _require_same(database: sqlite3.Connection, path: Path, fingerprint: str) -> None:
    with database:
        database.executescript(_TABLES)
        found = [row[0] for row in database.execute("select fingerprint from settings")]
        if not found:
            database.execute("insert into settings values (?)", (fingerprint,))
    if found and found != [fingerprint]:
        raise UsageError(
            f"the resume file {path} belongs to an audit of other tables, settings, seed or release of tabsynth: "
            "name another file"
        )
