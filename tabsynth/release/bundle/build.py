"""Makes a bundle of rows that a policy allows to leave: one signed zip, the same bytes for the same run.

Nothing is taken from the source but its id: every part is made of the model, the synthetic rows, the terms and
the policy, and of the decision only what may be told outside of it.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from tabsynth.constraints.check import check_rules
from tabsynth.decision import Answer, Decision
from tabsynth.errors import BundleError, PolicyError, UsageError
from tabsynth.io import atomic_path, write_frame
from tabsynth.io.provenance import sidecar_of
from tabsynth.models.registry import settings_of
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy.ledger import LedgerCopy, copy_to_data
from tabsynth.release.bundle import archive, keys, words
from tabsynth.release.bundle.croissant import croissant
from tabsynth.release.bundle.datapackage import data_package, slug
from tabsynth.release.bundle.manifest import (
    MANIFEST,
    MOST_CELLS,
    MOST_TEXT,
    RESERVED,
    SIGNATURE,
    BundledTable,
    Manifest,
    Part,
    json_bytes,
    signature_bytes,
)
from tabsynth.release.bundle.rule_limits import require_cheap_rules
from tabsynth.release.bundle.shareable import shareable_schema
from tabsynth.release.bundle.statement import statement_of, statement_words
from tabsynth.release.bundle.terms import Terms
from tabsynth.release.bundle.verify import verify_bundle
from tabsynth.report import publishable, render_publishable
from tabsynth.schema import yamltext
from tabsynth.schema.files import schema_to_yaml
from tabsynth.schema.types import ForeignKey, Schema
from tabsynth.table import Table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LIBRARIES = ("tabsynth", "numpy", "polars", "pyarrow", "opendp", "dp-accounting", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedTable:
    """Rows that are to leave, the model that made them, and what was decided of them.

    `model` is the digest of the model's folder; `seed` gives these rows when drawn from the model, None where
    that is not known.
    """

    pipeline: FittedPipeline
    rows: Table
    decision: Decision
    model: str
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A table on its way into a bundle."""

    table: BundledTable
    released: ReleasedTable
    described: words.Described


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
        writer = _Writer(Path(folder))
        _write_parts(writer, made, terms=terms, policy=policy, source=source, foreign_keys=foreign_keys)
        decision = tables[0].decision
        manifest = Manifest(
            name=_name(terms, made),
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


def _made(released: ReleasedTable, stem: str) -> _Made:
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
    return _Made(table=table, released=released, described=described)


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


def _name(terms: Terms, made: Sequence[_Made]) -> str:
    name = slug(terms.title or made[0].table.name)[:80].rstrip("-._")
    return f"data-{name}" if name.partition(".")[0] in RESERVED else name


class _Writer:
    """Packs parts into a folder, one by one, and keeps what they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[Part] = []
        self.members: list[tuple[archive.Member, bytes | Path]] = []

    def add(self, path: str, what: str, content: str | bytes | Mapping[str, Any]) -> None:
        """A part of text, bytes or JSON."""
        source = self.folder / "content"
        if isinstance(content, Mapping):
            content = json_bytes(content)
        content = content.encode() if isinstance(content, str) else content
        if len(content) > MOST_TEXT:
            raise BundleError(
                f"{path} would be larger than the {MOST_TEXT:,} bytes that it may have: release fewer tables"
            )
        source.write_bytes(content)
        self.add_file(path, what, source)

    def add_file(self, path: str, what: str, source: Path) -> None:
        """A part that lies in a file, which is taken away."""
        packed = self.folder / f"packed-{len(self.parts)}"
        member = archive.pack(path, source, packed)
        source.unlink()
        self.members.append((member, packed))
        self.parts.append(
            Part(
                path=path,
                what=what,
                n_bytes=member.n_bytes,
                n_packed=member.n_packed,
                crc32=member.crc,
                sha256=member.sha256,
                packed_sha256=member.packed_sha256,
            )
        )


def _write_parts(
    writer: _Writer,
    made: Sequence[_Made],
    *,
    terms: Terms,
    policy: Mapping[str, Any],
    source: str,
    foreign_keys: Sequence[ForeignKey],
) -> None:
    decision = made[0].released.decision
    described = [each.described for each in made]
    title = terms.title or ", ".join(each.table.name for each in made)
    writer.add("README.md", "what this is", words.read_me(title, described, terms, decision))
    for each in made:
        rows = each.released.rows.frame
        mark = each.released.pipeline.provenance
        for path in (each.table.parquet, each.table.csv):
            temporary = writer.folder / Path(path).name
            write_frame(rows, temporary, schema=each.described.schema, provenance=mark)
            writer.add_file(path, "the synthetic rows", temporary)
        beside = sidecar_of(each.table.csv)
        writer.add_file(beside.as_posix(), "that the CSV is synthetic", writer.folder / beside.name)
    schema = Schema(tables=tuple(each.schema for each in described), foreign_keys=tuple(foreign_keys))
    text = schema_to_yaml(schema)
    require_cheap_rules(text, {each.table.name: each.table.n_rows for each in made})
    writer.add("schema.yaml", "the schema", text)
    writer.add("dictionary.md", "the data dictionary", words.dictionary(described, terms))
    for each in made:
        _add_report(writer, each)
    writer.add("model-card.md", "the model card", words.model_card(described, terms))
    writer.add("datasheet.md", "the datasheet", words.datasheet(described, terms, decision))
    statements = [each.statement for each in described]
    writer.add("privacy.md", "the privacy statement", statement_words(statements))
    data = {"format": "tabsynth-privacy/1", "tables": [each.to_dict() for each in statements]}
    writer.add("privacy.json", "the privacy statement as data", data)
    for each in made:
        copy = _ledger_copy(each.released.pipeline, source)
        writer.add(f"ledger/{each.table.stem}.json", "a copy of the ledger", copy_to_data(copy))
    writer.add("verdict.json", "that it was allowed", _verdict([each.released.decision for each in made]))
    writer.add("policy.yaml", "the policy it was held against", policy_text(policy, decision.audience))
    writer.add("terms.md", "the terms", words.terms_page(terms))
    writer.add("terms.json", "the terms as data", {"format": "tabsynth-terms/1", **terms.to_dict()})
    writer.add("provenance.json", "where it comes from", _provenance(made, source))
    members = {member.path: member for member, _ in writer.members}
    pairs = [(each.table, each.described.schema) for each in made]
    name = _name(terms, made)
    package = data_package(name, title, pairs, members, terms=terms, foreign_keys=foreign_keys)
    writer.add("datapackage.json", "Frictionless metadata", package)
    dataset = croissant(name, title, pairs, members, terms=terms, released=decision.on)
    writer.add("croissant.json", "Croissant metadata", dataset)


def _add_report(writer: _Writer, made: _Made) -> None:
    released, schema = made.released, made.described.schema
    outcomes = check_rules(released.rows.frame, schema)
    report = publishable(released.pipeline, released.rows, rules=outcomes, decision=released.decision)
    stem = made.table.stem
    writer.add(f"report/{stem}.html", "the publishable report", render_publishable(report))
    writer.add(f"report/{stem}.json", "the publishable report as data", report.to_dict())


def _ledger_copy(pipeline: FittedPipeline, source: str) -> LedgerCopy:
    """The copy without the hash of the ledger file's state, which tells of the file's place on a disk."""
    return replace(pipeline.ledger, source=source, head=None)


def _verdict(decisions: Sequence[Decision]) -> dict[str, Any]:
    """What may be told of a decision: that it allows, for whom, by which rules, and who signed. Nothing that was found."""
    first = decisions[0]
    signed = first.sign_off
    return {
        "format": "tabsynth-verdict/1",
        "outcome": first.outcome.value,
        "audience": first.audience,
        "policy": first.policy,
        "on": first.on.isoformat(),
        "rules": [
            {"rule": reason.rule, "title": reason.title, "required": reason.required}
            for reason in first.reasons
        ],
        "sign_off": None
        if signed is None
        else {"name": signed.name, "reason": signed.reason, "on": signed.on.isoformat()},
        "note": "What was found of each rule rests on real rows and stays with whoever released this.",
    }


def policy_text(policy: Mapping[str, Any], audience: str) -> str:
    """The policy file with that audience alone, without comments."""
    kept = {"version": policy["version"], "audiences": {audience: policy["audiences"][audience]}}
    return yamltext.dump(cast("Mapping[str, yamltext.Plain]", kept))


def _model(made: _Made) -> dict[str, str]:
    """The digest of the model; without a guarantee left out, as what it is the digest of may hold real cells."""
    return {"model_sha256": made.released.model} if made.described.statement.epsilon is not None else {}


def _provenance(made: Sequence[_Made], source: str) -> dict[str, Any]:
    return {
        "format": "tabsynth-bundle-provenance/1",
        "source": source,
        "tables": [
            {
                "table": each.table.name,
                "engine": each.released.pipeline.engine.name,
                "settings": settings_of(each.released.pipeline.engine),
                **_model(each),
                "rows": each.table.n_rows,
                "rows_sha256": each.table.digest,
                "sampling_seed": each.released.seed,
                "drawn_again": each.released.seed is not None,
            }
            for each in made
        ],
        "versions": {
            "python": ".".join(map(str, sys.version_info[:3])),
            **{n: version(n) for n in _LIBRARIES},
        },
        "hashes": f"of every part, as it is and as packed: {MANIFEST}",
    }
