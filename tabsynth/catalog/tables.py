"""The catalogue's tables, and how a database of them is opened. Any database that SQLAlchemy knows will do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from tabsynth.errors import UsageError

VERSION = 2
_WAIT_SECONDS = 60

metadata = sa.MetaData()
about = sa.Table("tabsynth_catalog", metadata, sa.Column("version", sa.Integer, primary_key=True))
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("source", sa.String(200), primary_key=True),
    sa.Column("epsilon", sa.Float(53)),
    sa.Column("delta", sa.Float(53)),
    sa.Column("unit", sa.Text),
)
releases = sa.Table(
    "releases",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("source", sa.String(200), sa.ForeignKey("sources.source"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("released", sa.Date, nullable=False),
    sa.Column("expires", sa.Date, nullable=False),
    sa.Column("signer", sa.String(64), nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("sign_off", sa.Text, nullable=False),
    sa.Column("terms", sa.Text, nullable=False),
    sa.Column("schema", sa.Text, nullable=False),
)
released_tables = sa.Table(
    "released_tables",
    metadata,
    sa.Column("release_id", sa.Integer, sa.ForeignKey("releases.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("n_rows", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("guarantee", sa.Text, nullable=False),
    sa.Column("epsilon", sa.Float(53)),
    sa.Column("delta", sa.Float(53)),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("ledger", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
)


def engine_of(where: str) -> Engine:
    """An engine for a SQLAlchemy URL, or for an SQLite file of that name; `UsageError` for a URL that is none."""
    url = where if "://" in where else f"sqlite:///{Path(where).absolute()}"
    try:
        made = sa.make_url(url)
        options = {"timeout": _WAIT_SECONDS} if made.get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(
            made,
            connect_args=options,
            poolclass=sa.NullPool,  # one step, one connection: none is left open
            isolation_level=None if options else "SERIALIZABLE",
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as fault:
        why = "its driver is not installed" if isinstance(fault, ImportError) else "not a URL that is known"
        raise UsageError(f"no catalogue can be opened there: {why}") from None
    if options:
        _serialise(engine)
    return engine


def create_tables(engine: Engine, *, create: bool) -> bool:
    """Make the tables where they are missing, and say whether there was no catalogue.

    `UsageError` where that fails, where they are of another version, and, with nothing made, where there is none and not `create`.
    """
    if not create and _is_absent(engine.url):
        raise UsageError(_absent(engine.url))
    try:
        with engine.begin() as connection:
            if not create and not sa.inspect(connection).has_table(about.name):
                raise UsageError(_absent(engine.url))
            metadata.create_all(connection)
            version = connection.scalar(sa.select(about.c.version))
            if version is None:
                connection.execute(about.insert().values(version=VERSION))
    except SQLAlchemyError as fault:
        raise UsageError(f"the catalogue cannot be opened ({type(fault).__name__})") from None
    if version not in (None, VERSION):
        raise UsageError(f"the catalogue is of version {version}, this release knows {VERSION}")
    return version is None


def _is_absent(url: sa.URL) -> bool:
    """Whether an SQLite file is not there, which connecting to it would make."""
    path = url.database or ":memory:"
    is_file = url.get_backend_name() == "sqlite" and path != ":memory:" and not path.startswith("file:")
    return is_file and not Path(path).exists()


def _absent(url: sa.URL) -> str:
    return (
        f"there is no catalogue at {place_of(url)}: name the one that is meant with --catalog; tabsynth catalog add "
        "starts one"
    )


def place_of(url: sa.URL) -> str:
    """An SQLite file's path, else the URL without its password."""
    is_file = url.get_backend_name() == "sqlite" and url.database is not None
    return str(url.database) if is_file else url.render_as_string(hide_password=True)


def _serialise(engine: Engine) -> None:
    """Have SQLite take its write lock when a transaction begins, so that what was read still holds when it ends."""

    @sa.event.listens_for(engine, "connect")
    def _no_implicit_begin(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
