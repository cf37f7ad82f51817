"""What `release build` starts from: a run's folder, or a model and its rows, with the audits of these rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabsynth.config.run import AUDIT_FILE, PRIVATE, PUBLISHABLE, RUN_FILE, SAMPLING, SCHEMA_FILE
from tabsynth.config.steps import dialect_of, read_real
from tabsynth.config.types import CsvOptions
from tabsynth.constraints.check import check_rules
from tabsynth.decision import SignOff
from tabsynth.errors import InputError, UsageError
from tabsynth.io import SUFFIXES, read_json_object
from tabsynth.pipeline import FittedPipeline
from tabsynth.randomness import seed_for
from tabsynth.release import Policy, evaluate, evidence_of, model_digest
from tabsynth.release.bundle.parts import ReleasedTable
from tabsynth.release.rows import rows_evidence
from tabsynth.schema import read_schema, yamltext
from tabsynth.schema.files import read_text
from tabsynth.schema.types import ForeignKey
from tabsynth.table import Table

_PREFERRED = (".parquet", ".arrow", ".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model and rows that may leave; `audit` is the file of an audit that its run made, if it made one."""

    model: Path
    synthetic: Path
    audit: Path | None = None

    @property
    def files(self) -> tuple[Path | None, ...]:
        """What is read of it."""
        return self.model, self.synthetic, self.audit


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """The tables of a run, the seed that their rows were drawn with, and keys between them."""

    candidates: tuple[Candidate, ...]
    seed: int | None
    foreign_keys: tuple[ForeignKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The evidence that is held against a policy, and for whom; the paths are files of audits and a ledger."""

    policy: Policy
    audience: str
    on: dt.date
    sign_off: SignOff | None = None
    audits: tuple[Path, ...] = ()
    shadow: Path | None = None
    noise: Path | None = None
    ledger: Path | None = None


def read_run_folder(folder: Path) -> RunFolder:
    """What `tabsynth run` wrote into `folder`; `UsageError` where it is not such a folder."""
    private = folder / PRIVATE
    if not (private / RUN_FILE).is_file():
        raise UsageError(
            f"{folder} is not the folder of a run ({PRIVATE}/{RUN_FILE} is not in it): name one, or give --model and "
            "--synthetic"
        )
    places = [place for part in (PUBLISHABLE, PRIVATE) for place in sorted((folder / part).glob("*/model"))]
    candidates = []
    for model in places:
        audit = private / model.parent.name / AUDIT_FILE
        candidates.append(
            Candidate(model=model, synthetic=_rows_beside(model), audit=audit if audit.is_file() else None)
        )
    if not candidates:
        raise UsageError(f"{folder} holds no table with a model")
    run = yamltext.load(read_text(private / RUN_FILE)).data
    seed = None if _is_shaped(run) else run.get("seed") if isinstance(run, Mapping) else None
    return RunFolder(
        candidates=tuple(candidates),
        seed=seed_for(seed, SAMPLING) if type(seed) is int else None,
        foreign_keys=read_schema(private / SCHEMA_FILE).foreign_keys,
    )


def released_tables(
    candidates: Sequence[Candidate], given: Given, *, seed: int | None
) -> list[ReleasedTable]:
    """Read the models and rows, hold them against the policy, and decide.

    Raises `InputError` for an audit that is of none of the tables' rows, where there are several, and what
    reading them raises.
    """
    read = [_read(candidate) for candidate in candidates]
    digests = [rows.digest() for _, rows in read]
    audits = [
        _own(candidate, candidates, digest, given)
        for candidate, digest in zip(candidates, digests, strict=True)
    ]
    used = {path for path in audits if path is not None}
    if unused := [path for path in given.audits if path not in used]:
        raise InputError(f"{unused[0]} is an audit of other rows than those of any table of the run")
    return [
        _decided(candidate, pipeline, rows, audit, given, seed=seed)
        for candidate, (pipeline, rows), audit in zip(candidates, read, audits, strict=True)
    ]


def _is_shaped(run: yamltext.Plain) -> bool:
    """Whether rows of the run were drawn under conditions, so that its seed alone does not give them."""
    tables = run.get("tables") if isinstance(run, Mapping) else None
    found = tables.values() if isinstance(tables, Mapping) else ()
    return any(
        bool(table.get(key))
        for table in found
        if isinstance(table, Mapping)
        for key in ("where", "rebalance", "oversample")
    )


def source_of(tables: Sequence[ReleasedTable], stated: str | None) -> str:
    """The source id of a release: its ledger's, or the one that is stated.

    Raises `UsageError` where there is none, or where two contradict each other.
    """
    known = {table.pipeline.ledger.source for table in tables} - {None}
    found = known | ({stated} if stated is not None else set())
    if not found:
        raise UsageError(
            "no ledger names the source: give its id with --source; all releases of one source share it, so that "
            "what they cost together is known"
        )
    if len(found) > 1:
        raise UsageError(f"the release is of one source, found {', '.join(sorted(map(repr, found)))}")
    return str(found.pop())


def _rows_beside(model: Path) -> Path:
    for suffix in (*_PREFERRED, *SUFFIXES):
        path = model.parent / f"synthetic{suffix}"
        if path.is_file():
            return path
    raise UsageError(f"no synthetic table lies beside {model}")


def _read(candidate: Candidate) -> tuple[FittedPipeline, Table]:
    pipeline = FittedPipeline.load(candidate.model)
    return pipeline, read_real(candidate.synthetic, pipeline.schema)


def _own(candidate: Candidate, candidates: Sequence[Candidate], digest: str, given: Given) -> Path | None:
    """The audit of a table: the one that is given, else that of its run."""
    if len(candidates) == 1 and given.audits:
        if len(given.audits) > 1:
            raise UsageError("one table has one audit: give --audit once")
        return given.audits[0]
    of_these = [path for path in given.audits if read_json_object(path).get("released") == digest]
    return of_these[0] if of_these else candidate.audit


def _decided(
    candidate: Candidate,
    pipeline: FittedPipeline,
    rows: Table,
    audit: Path | None,
    given: Given,
    *,
    seed: int | None,
) -> ReleasedTable:
    files: dict[str, Any] = {"release": audit, "shadow": given.shadow, "noise": given.noise}
    digest = model_digest(candidate.model)
    evidence = evidence_of(
        pipeline,
        model=digest,
        where=str(candidate.model),
        audits={kind: path for kind, path in files.items() if path is not None},
        n_synthetic=rows.n_rows,
        rows=rows.digest(),
        rules=check_rules(rows.frame, pipeline.schema),
        ledger=given.ledger,
        file=rows_evidence(
            candidate.synthetic,
            pipeline,
            dialect=dialect_of(candidate.synthetic, pipeline.schema, CsvOptions()),
            drawn_again=seed is not None,
        ),
    )
    decision = evaluate(given.policy, evidence, audience=given.audience, sign_off=given.sign_off, on=given.on)
    return ReleasedTable(pipeline=pipeline, rows=rows, decision=decision, model=digest, seed=seed)
