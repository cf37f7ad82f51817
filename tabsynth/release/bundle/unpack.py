"""Unpacks a verified bundle for use: its parts as files, a DuckDB database, a script for PostgreSQL, queries."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tabsynth.errors import BundleError, UsageError
from tabsynth.io import atomic_folder
from tabsynth.release.bundle import sql
from tabsynth.release.bundle.manifest import MANIFEST, Manifest
from tabsynth.release.bundle.sql import SqlTable
from tabsynth.release.bundle.verify import (
    Sealed,
    Verified,
    checked,
    extract,
    opened,
    require_unexpired,
    seal_of,
)
from tabsynth.schema.types import ForeignKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from duckdb import DuckDBPyConnection

POSTGRES, QUERIES = "postgres.sql", "queries.sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What was unpacked; `database` is None where DuckDB is not installed. `dropped` are foreign keys that do not hold."""

    verified: Verified
    database: str | None
    queries: tuple[tuple[str, str], ...]
    dropped: tuple[ForeignKey, ...]

    @property
    def manifest(self) -> Manifest:
        return self.verified.manifest


def unpack_bundle(
    path: str | Path,
    out: str | Path,
    *,
    key: Ed25519PublicKey,
    on: dt.date | None = None,
    database: bool = True,
    overwrite: bool = False,
) -> Unpacked:
    """Verify the bundle at `path` and unpack it into the folder `out`, whole or not at all.

    `database` False leaves the DuckDB file out. Raises what `verify_bundle` raises, `UsageError` where DuckDB is
    not installed, `OutputExistsError` where `out` is taken.
    """
    if database:
        _require_duckdb()
    with opened(path) as file:
        sealed = seal_of(file, key=key)
        require_unexpired(sealed.manifest, on=on)
        verified = checked(file, sealed)
        tables = _tables(verified)
        held, dropped = _foreign_keys(verified)
        with atomic_folder(out, overwrite=overwrite) as folder:
            try:
                _write(file, sealed, folder)
                (folder / POSTGRES).write_text(sql.postgres_script(tables, held), encoding="utf-8")
                (folder / QUERIES).write_text(sql.queries_script(tables), encoding="utf-8")
            except OSError as fault:
                raise BundleError(f"the bundle cannot be unpacked ({fault.strerror})") from None
            name = f"{sealed.manifest.name}.duckdb" if database else None
            if name is not None:
                _fill(folder / name, verified, tables, held)
    return Unpacked(
        verified=verified,
        database=name,
        queries=tuple(query for table in tables for query in sql.queries(table)),
        dropped=dropped,
    )


def _write(file: BinaryIO, sealed: Sealed, folder: Path) -> None:
    """The manifest and every part as files."""
    (folder / MANIFEST).write_bytes(sealed.manifest.to_bytes())
    for part in sealed.manifest.parts:
        target = folder / part.path
        target.parent.mkdir(parents=True, exist_ok=True)
        extract(file, sealed, part.path, target)


def _tables(verified: Verified) -> tuple[SqlTable, ...]:
    """Parents before children, as far as keys allow, so that references can be declared."""
    schema = verified.schema
    left = [SqlTable(stated, schema[stated.name]) for stated in verified.manifest.tables]
    ordered: list[SqlTable] = []
    while left:
        done = {table.schema.name for table in ordered}
        free = [table for table in left if _parents(table, schema.foreign_keys) <= done] or left[:1]
        ordered += free
        left = [table for table in left if table not in free]
    return tuple(ordered)


def _parents(table: SqlTable, keys: Sequence[ForeignKey]) -> set[str]:
    return {key.parent for key in keys if key.child == table.schema.name and key.parent != key.child}


def _foreign_keys(verified: Verified) -> tuple[tuple[ForeignKey, ...], tuple[ForeignKey, ...]]:
    """The foreign keys that hold on the rows and refer to a primary key, and the others."""
    held: list[ForeignKey] = []
    dropped: list[ForeignKey] = []
    for key in verified.schema.foreign_keys:
        child, parent = verified.tables[key.child], verified.tables[key.parent]
        refers = child.frame.select(key.child_columns).drop_nulls()
        known = parent.frame.select(key.parent_columns)
        is_key = parent.schema.primary_key == key.parent_columns
        types = [parent.frame[name].dtype for name in key.parent_columns]
        alike = types == [child.frame[name].dtype for name in key.child_columns]
        fits = (
            is_key
            and alike
            and refers.join(
                known, left_on=key.child_columns, right_on=key.parent_columns, how="anti"
            ).is_empty()
        )
        (held if fits else dropped).append(key)
    return tuple(held), tuple(dropped)


def _require_duckdb() -> None:
    try:
        import duckdb  # noqa: F401
    except ImportError:
        raise UsageError(
            "a DuckDB database needs duckdb: pip install 'tabsynth[share]', or leave it out with --no-database"
        ) from None


def _fill(path: Path, verified: Verified, tables: Sequence[SqlTable], keys: Sequence[ForeignKey]) -> None:
    """Write the database, a new file; `BundleError` where one is there already, or DuckDB takes a name or a row for none."""
    import duckdb

    if path.exists():
        raise BundleError(f"{path.name} is there already: no database is written over it")
    try:
        with duckdb.connect(str(path)) as database:
            database.execute("SET TimeZone = 'UTC'")
            for table in tables:
                _add_table(database, table, verified, keys)
    except (duckdb.Error, OSError) as fault:
        raise BundleError(
            f"no DuckDB database can be made of the bundle ({type(fault).__name__}); leave it out with --no-database"
        ) from None


def _add_table(
    database: DuckDBPyConnection, table: SqlTable, verified: Verified, keys: Sequence[ForeignKey]
) -> None:
    """One table with its types, keys and comments, its rows as they are in the Parquet file."""
    incoming = f"incoming_{secrets.token_hex(16)}"  # a name that no table of the bundle can have
    database.execute(sql.create(table, keys))
    columns = ", ".join(map(sql.name, table.schema.column_names))
    database.register(incoming, verified.tables[table.schema.name].frame.to_arrow())
    database.execute(f"INSERT INTO {sql.name(table.schema.name)} SELECT {columns} FROM {incoming}")  # noqa: S608
    database.unregister(incoming)
    for comment in sql.comments(table):
        database.execute(comment)
