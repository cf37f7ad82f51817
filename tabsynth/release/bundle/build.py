"""Makes a bundle of rows that a policy allows to leave: one signed zip, the same bytes for the same run.

Nothing is taken from the source but its id: every part is made of the model, the synthetic rows, the terms and
the policy, and of the decision only what may be told outside of it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tabsynth.decision import Answer
from tabsynth.errors import BundleError, PolicyError, UsageError
from tabsynth.io import atomic_path
from tabsynth.release.bundle import archive, keys, words
from tabsynth.release.bundle.manifest import (
    MANIFEST,
    MOST_CELLS,
    RESERVED,
    SIGNATURE,
    BundledTable,
    Manifest,
    signature_bytes,
)
from tabsynth.release.bundle.parts import Made, ReleasedTable, Writer, bundle_name, write_parts
from tabsynth.release.bundle.shareable import shareable_schema
from tabsynth.release.bundle.statement import statement_of
from tabsynth.release.bundle.terms import Terms
from tabsynth.release.bundle.verify import verify_bundle
from tabsynth.schema.types import ForeignKey
from tabsynth.table import Table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def build_bundle(
    tables: Sequence[ReleasedTable],
    out: str | Path,
    *,
    terms: Terms,
    policy: Mapping[str, Any],
    source: str,
    key: Ed25519PrivateKey,
    foreign_keys: Sequence[ForeignKey] = (),
    overwrite: bool = False,
) -> Manifest:
    """Write the bundle to `out` and return its manifest.

    `policy` is the policy file's content, of which the audience's part is kept; `source` is the id that all
    releases of the source share. Raises `PolicyError` where a decision does not allow its rows or is of others,
    `UsageError` where a seed does not give the rows, a source id is none or the terms end before the release, `BundleError` for
    more than a bundle holds and for what would be refused, `OutputExistsError` where `out` exists.
    """
    require_allowed(tables)
    _require_source(source)
    if terms.expires < tables[0].decision.on:
        raise UsageError(
            f"the terms expire on {terms.expires.isoformat()}, before the release on {tables[0].decision.on.isoformat()}"
        )
    for table in tables:
        _require_drawn(table)
    made = [_made(table, stem) for table, stem in zip(tables, _stems(tables), strict=True)]
    with TemporaryDirectory(prefix="tabsynth-") as folder, atomic_path(out, overwrite=overwrite) as target:
        writer = Writer(Path(folder))
        write_parts(writer, made, terms=terms, policy=policy, source=source, foreign_keys=foreign_keys)
        decision = tables[0].decision
        manifest = Manifest(
            name=bundle_name(terms, made),
            version=version("tabsynth"),
            source=source,
            audience=decision.audience,
            recipient=terms.recipient,
            released=decision.on,
            expires=terms.expires,
            tables=tuple(each.table for each in made),
            parts=tuple(writer.parts),
        )
        content = manifest.to_bytes()
        signed = signature_bytes(key=keys.raw(key.public_key()), signature=keys.sign(key, content))
        heads = [(archive.stored(MANIFEST, content), content), (archive.stored(SIGNATURE, signed), signed)]
        with target.open("wb") as file:
            archive.write(file, [*heads, *writer.members])
        _require_good(target, key=key, on=decision.on)
    return manifest


def _require_good(bundle: Path, *, key: Ed25519PrivateKey, on: dt.date) -> None:
    """Check a bundle as its recipient will: none leaves that would be refused."""
    try:
        verify_bundle(bundle, key=key.public_key(), on=on)
    except BundleError as fault:
        raise BundleError(
            f"no bundle is made, as it would be refused: {fault.summary}", fault.faults
        ) from None


def require_allowed(tables: Sequence[ReleasedTable]) -> None:
    """Raise `PolicyError` naming every table whose decision does not allow it, or is of another model or other rows."""
    if not tables:
        raise UsageError("a bundle needs at least one table")
    denied = []
    for table in tables:
        decision, name = table.decision, table.pipeline.schema.name
        if decision.outcome is not Answer.ALLOW:
            denied.append(f"{name}: {decision.outcome.value}")
        elif decision.model != table.model or decision.rows != table.rows.digest():
            denied.append(f"{name}: decided was about another model or other rows")
    if denied:
        raise PolicyError("the policy does not allow the release, so no bundle is made: " + "; ".join(denied))
    if len({(table.decision.audience, table.decision.on) for table in tables}) > 1:
        raise UsageError("the tables of one bundle are decided for one audience, on one day")


def _require_source(source: str) -> None:
    if not 1 <= len(source) <= 200 or not source.isprintable() or source.isspace():
        raise UsageError("a source id is a name of 1 to 200 printable characters")


def _require_drawn(table: ReleasedTable) -> None:
    """Draw the rows again: what the seed does not give was not made by the model, or not so."""
    if table.seed is None:
        return
    import polars as pl

    frames = list(table.pipeline.sample_batches(table.rows.n_rows, seed=table.seed))
    again = Table.conform(pl.concat(frames), table.rows.schema)
    if again.digest() != table.rows.digest():
        raise UsageError(
            f"the model of {table.pipeline.schema.name!r} does not give these rows with seed {table.seed}: they were "
            "drawn otherwise or changed since; leave the seed out where they were drawn under conditions"
        )


def _made(released: ReleasedTable, stem: str) -> Made:
    if released.rows.n_rows * len(released.rows.schema.columns) > MOST_CELLS:
        raise BundleError(f"a table of a bundle holds {MOST_CELLS:,} cells at most: release fewer rows")
    schema = shareable_schema(released.rows)
    statement = statement_of(released.pipeline, drawn_again=released.seed is not None)
    table = BundledTable(
        name=schema.name,
        stem=stem,
        n_rows=released.rows.n_rows,
        digest=released.decision.rows,
        guarantee=statement.guarantee,
    )
    described = words.Described(
        schema=schema,
        pipeline=released.pipeline,
        statement=statement,
        n_rows=table.n_rows,
        stem=stem,
    )
    return Made(table=table, released=released, described=described)


def _stems(tables: Sequence[ReleasedTable]) -> list[str]:
    """A file name for each table that any system takes, all different."""
    stems: list[str] = []
    for table in tables:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", table.pipeline.schema.name).strip("_-")[:60] or "table"
        plain = f"table_{plain}" if plain.casefold() in RESERVED else plain
        made, n = plain, 1
        while made.casefold() in map(str.casefold, stems):
            n += 1
            made = f"{plain}_{n}"
        stems.append(made)
    return stems
