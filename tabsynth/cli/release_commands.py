"""`release keygen`, `verify` and `open`: keys to hand rows over with, and rows taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import count
from tabsynth.cli.options import (
    DebugOption,
    JsonOption,
    OverwriteOption,
    QuietOption,
)
from tabsynth.cli.release_input import day_of
from tabsynth.cli.session import Session, one_line
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    import datetime as dt

    from tabsynth.release.bundle.manifest import Manifest
    from tabsynth.release.bundle.verify import Verified

PASSPHRASE = "TABSYNTH_KEY_PASSPHRASE"  # noqa: S105  # a variable's name
BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle (.zip).")]
PublicKeyOption = Annotated[
    Path, typer.Option("--key", metavar="PUB", help="The public key of whom it must come from.")
]


def keygen(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The private key; FILE.pub beside it.")],
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help=f"Ask for a passphrase (or take it from {PASSPHRASE})."),
    ] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a pair of keys: one signs bundles and stays with you, the other checks them and goes to partners."""
    with Session(command="release keygen", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.release.bundle.keys import make_keys

        public = out.with_name(f"{out.name}.pub")
        passphrase = passphrase_of(out, confirm=True) if encrypt else None
        found = make_keys(out, public, passphrase=passphrase)
        session.show(f"Fingerprint: {found}")
        session.finish(
            "Made a pair of keys",
            data={"fingerprint": found, "encrypted": encrypt},
            files={
                out: "the private key: readable by you alone, keep it so",
                public: "the public key: give it to partners, and the fingerprint by another way",
            },
        )


def verify(
    bundle: BundleArgument,
    key: PublicKeyOption,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a bundle without a network: every byte, its signature, schema, rules on every row, expiry.

    Exit code 0: all of it holds; 2: it does not, and what is wrong is named; 3: expired.
    """
    with Session(command="release verify", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.release.bundle.keys import read_public_key
        from tabsynth.release.bundle.verify import verify_bundle

        found = verify_bundle(bundle, key=read_public_key(key))
        for line in _verified_lines(found):
            session.show(line)
        _note_future(session, found.manifest)
        session.finish(
            f"{bundle.name} holds",
            data={"signer": found.sealed.signer, **manifest_data(found.manifest)},
            next_steps=[["tabsynth", "release", "open", bundle, "--key", key, "--out", found.manifest.name]],
        )


def open_(
    bundle: BundleArgument,
    key: PublicKeyOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to unpack it into.")],
    no_database: Annotated[
        bool, typer.Option("--no-database", help="No DuckDB file; needs no duckdb.")
    ] = False,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a bundle and unpack it for use: DuckDB, a script for PostgreSQL, three queries for each table."""
    with Session(command="release open", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import require_free
        from tabsynth.release.bundle.keys import read_public_key
        from tabsynth.release.bundle.manifest import MANIFEST
        from tabsynth.release.bundle.unpack import POSTGRES, QUERIES, unpack_bundle

        require_free(out, inputs=(bundle, key), overwrite=overwrite, ours=MANIFEST)
        found = unpack_bundle(
            bundle, out, key=read_public_key(key), database=not no_database, overwrite=overwrite
        )
        for line in _verified_lines(found.verified):
            session.show(line)
        _note_future(session, found.manifest)
        for foreign in found.dropped:
            session.note(
                f"Not declared: {one_line(foreign.child)} refers to {one_line(foreign.parent)}, and not every row does so "
                "(tables are made one by one)."
            )
        database = {} if found.database is None else {out / found.database: "a DuckDB database: duckdb FILE"}
        session.finish(
            f"Opened {bundle.name}",
            data={"database": found.database, "queries": [query for _, query in found.queries]},
            files={
                **database,
                out / POSTGRES: "loads it into PostgreSQL: psql -d DATABASE -f postgres.sql",
                out / QUERIES: "queries to begin with",
                out / "data": "Parquet and CSV",
                out / "README.md": "what this is",
            },
            next_steps=[] if found.database is None else [["duckdb", out / found.database]],
        )


def passphrase_of(key: Path, *, confirm: bool = False) -> str:
    """From the environment, or asked for at the terminal."""
    found = os.environ.get(PASSPHRASE)
    if found is None:
        found = str(
            typer.prompt(f"Passphrase of {key.name}", hide_input=True, confirmation_prompt=confirm, err=True)
        )
    if not found:
        raise UsageError("the passphrase is empty")
    return found


def _verified_lines(found: Verified) -> list[str]:
    manifest = found.manifest
    rules = [outcome for outcomes in found.rules.values() for outcome in outcomes]
    return [
        f"Signed by {found.sealed.signer}, the key that was given",
        f"{count(len(manifest.parts), 'part')}: every byte is as it was signed",
        *(
            f"{one_line(table.name)}: {table.n_rows:,} rows follow the schema. {one_line(table.guarantee)}"
            for table in manifest.tables
        ),
        f"{count(len(rules), 'declared rule')}: all hold on every row" if rules else "No rules are declared",
        (
            f"For {one_line(manifest.recipient)} ({one_line(manifest.audience)}), released {manifest.released.isoformat()}, "
            f"expires {manifest.expires.isoformat()}"
        ),
    ]


def _note_future(session: Session, manifest: Manifest) -> None:
    """Expiry is told by this machine's clock, and a day of release to come says that one of the two is wrong."""
    today = day_of(None)
    if manifest.released > today:
        session.note(
            f"It was released on {manifest.released.isoformat()}, and this machine's clock says "
            f"{today.isoformat()}: set the clock, by which it expires, or ask who released it."
        )


def manifest_data(manifest: Manifest) -> dict[str, object]:
    day: dt.date = manifest.expires
    return {
        "name": manifest.name,
        "source": manifest.source,
        "audience": manifest.audience,
        "recipient": manifest.recipient,
        "released": manifest.released.isoformat(),
        "expires": day.isoformat(),
        "tables": [
            {"name": table.name, "rows": table.n_rows, "guarantee": table.guarantee}
            for table in manifest.tables
        ],
        "parts": len(manifest.parts),
    }
