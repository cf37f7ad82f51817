"""The parts of a bundle, in their order: rows, schema, pages, statement, ledger, verdict, terms, provenance, metadata."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from tabsynth.constraints.check import check_rules
from tabsynth.decision import Decision
from tabsynth.errors import BundleError
from tabsynth.io import write_frame
from tabsynth.io.provenance import sidecar_of
from tabsynth.models.registry import settings_of
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy.ledger import LedgerCopy, copy_to_data
from tabsynth.release.bundle import archive, words
from tabsynth.release.bundle.croissant import croissant
from tabsynth.release.bundle.datapackage import data_package, slug
from tabsynth.release.bundle.libraries import BASE, OF_ENGINES, installed
from tabsynth.release.bundle.manifest import MANIFEST, MOST_TEXT, RESERVED, BundledTable, Part, json_bytes
from tabsynth.release.bundle.rule_limits import require_cheap_rules
from tabsynth.release.bundle.statement import statement_words
from tabsynth.release.bundle.terms import Terms
from tabsynth.report import publishable, render_publishable
from tabsynth.schema import yamltext
from tabsynth.schema.files import schema_to_yaml
from tabsynth.schema.types import ForeignKey, Schema
from tabsynth.table import Table


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
class Made:
    """A table on its way into a bundle."""

    table: BundledTable
    released: ReleasedTable
    described: words.Described


def bundle_name(terms: Terms, made: Sequence[Made]) -> str:
    """A name that any file system takes."""
    name = slug(terms.title or made[0].table.name)[:80].rstrip("-._")
    return f"data-{name}" if name.partition(".")[0] in RESERVED else name


class Writer:
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


def write_parts(
    writer: Writer,
    made: Sequence[Made],
    *,
    terms: Terms,
    policy: Mapping[str, Any],
    source: str,
    foreign_keys: Sequence[ForeignKey],
) -> None:
    """Every part but the manifest and its signature."""
    decision = made[0].released.decision
    described = [each.described for each in made]
    title = terms.title or ", ".join(each.table.name for each in made)
    writer.add("README.md", "what this is", words.read_me(title, described, terms, decision))
    _add_rows(writer, made)
    schema = Schema(tables=tuple(each.schema for each in described), foreign_keys=tuple(foreign_keys))
    text = schema_to_yaml(schema)
    require_cheap_rules(text, {each.table.name: each.table.n_rows for each in made})
    writer.add("schema.yaml", "the schema", text)
    writer.add("dictionary.md", "the data dictionary", words.dictionary(described, terms))
    for each in made:
        _add_report(writer, each)
    writer.add("model-card.md", "the model card", words.model_card(described, terms))
    writer.add("datasheet.md", "the datasheet", words.datasheet(described, terms, decision))
    _add_privacy(writer, made, source)
    writer.add("verdict.json", "that it was allowed", _verdict([each.released.decision for each in made]))
    writer.add("policy.yaml", "the policy it was held against", policy_text(policy, decision.audience))
    writer.add("terms.md", "the terms", words.terms_page(terms))
    writer.add("terms.json", "the terms as data", {"format": "tabsynth-terms/1", **terms.to_dict()})
    writer.add("provenance.json", "where it comes from", _provenance(made, source))
    members = {member.path: member for member, _ in writer.members}
    pairs = [(each.table, each.described.schema) for each in made]
    name = bundle_name(terms, made)
    package = data_package(name, title, pairs, members, terms=terms, foreign_keys=foreign_keys)
    writer.add("datapackage.json", "Frictionless metadata", package)
    dataset = croissant(name, title, pairs, members, terms=terms, released=decision.on)
    writer.add("croissant.json", "Croissant metadata", dataset)


def _add_rows(writer: Writer, made: Sequence[Made]) -> None:
    """Parquet and CSV of each table, and the mark beside the CSV."""
    for each in made:
        for path in (each.table.parquet, each.table.csv):
            temporary = writer.folder / Path(path).name
            write_frame(
                each.released.rows.frame,
                temporary,
                schema=each.described.schema,
                provenance=each.released.pipeline.provenance,
            )
            writer.add_file(path, "the synthetic rows", temporary)
        beside = sidecar_of(each.table.csv)
        writer.add_file(beside.as_posix(), "that the CSV is synthetic", writer.folder / beside.name)


def _add_privacy(writer: Writer, made: Sequence[Made], source: str) -> None:
    """The privacy statement in words and as data, and the copy of each ledger."""
    statements = [each.described.statement for each in made]
    writer.add("privacy.md", "the privacy statement", statement_words(statements))
    data = {"format": "tabsynth-privacy/1", "tables": [each.to_dict() for each in statements]}
    writer.add("privacy.json", "the privacy statement as data", data)
    for each in made:
        copy = _ledger_copy(each.released.pipeline, source)
        writer.add(f"ledger/{each.table.stem}.json", "a copy of the ledger", copy_to_data(copy))


def _add_report(writer: Writer, made: Made) -> None:
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


def _model(made: Made) -> dict[str, str]:
    """The digest of the model; without a guarantee left out, as what it is the digest of may hold real cells."""
    return {"model_sha256": made.released.model} if made.described.statement.epsilon is not None else {}


def _provenance(made: Sequence[Made], source: str) -> dict[str, Any]:
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
            **installed(
                *BASE,
                *(name for each in made for name in OF_ENGINES.get(each.released.pipeline.engine.name, ())),
            ),
        },
        "hashes": f"of every part, as it is and as packed: {MANIFEST}",
    }
