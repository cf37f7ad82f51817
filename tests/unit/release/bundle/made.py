"""Models, rows and bundles for the tests: every type of column, made once."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tabsynth as ts
from tabsynth.decision import Answer, Decision, Reason, SignOff
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.release.bundle.build import build_bundle
from tabsynth.release.bundle.manifest import Manifest
from tabsynth.release.bundle.parts import ReleasedTable
from tabsynth.release.bundle.terms import Terms
from tabsynth.release.files import default_text
from tabsynth.schema import yamltext
from tabsynth.schema.confirm import confirm
from tabsynth.schema.rules import Range
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

DAY = dt.date(2026, 11, 1)
MODEL = "ab" * 32
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TERMS = Terms(
    title="Stays | sandbox",
    licence="Contract 12",
    purpose="Tests of billing",
    recipient="Example Ltd",
    contact="office@example.org",
    expires=dt.date(2099, 12, 31),
    reassess=dt.date(2099, 6, 30),
    tags=("billing",),
    left_out=(("doctor's note", "free text of persons"),),
)
POLICY = yamltext.load(default_text()).data
REASON = Reason(
    rule="epsilon",
    title="Privacy budget ε",
    answer=Answer.ALLOW,
    required="ε ≤ 3",
    found="a figure from inside",
    evidence="/home/inside/model",
)


def real(n: int = 300, seed: int = 0) -> pl.DataFrame:
    """A column of every type, with nulls, quotes, and special values beside numbers."""
    rng = np.random.default_rng(seed)
    day = dt.date(2025, 1, 1)
    moment = dt.datetime(2025, 1, 1, 8, 0)  # noqa: DTZ001  # without a zone is meant
    pay = np.where(rng.random(n) < 0.1, "N", rng.integers(100, 500, n).astype(str))
    return pl.DataFrame(
        {
            "stay id": [f"S{i:05d}" for i in range(n)],
            "age": rng.integers(18, 95, n),
            "ward": rng.choice(["surgery", 'eye, "ear"', "it's"], n),
            "charge": rng.lognormal(5, 1, n).round(2),
            "pay": pay,
            "came": [day + dt.timedelta(days=int(d)) for d in rng.integers(0, 365, n)],
            "seen": [moment + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 10_000, n)],
            "zoned": pl.Series(
                [moment + dt.timedelta(minutes=int(m)) for m in rng.integers(0, 10_000, n)]
            ).dt.replace_time_zone("UTC"),
            "waited": [dt.timedelta(minutes=int(m)) for m in rng.integers(0, 600, n)],
            "died": rng.random(n) < 0.2,
            "pressure": pl.Series(rng.normal(120, 15, n).round(1)).set(pl.Series(rng.random(n) < 0.1), None),
            "code": pl.Series(rng.integers(0, 4, n), dtype=pl.UInt8),
        }
    )


@cache
def schema() -> TableSchema:
    """Of `real`, with a key and a rule."""
    draft = ts.draft_schema(real(), name="stays").only_table
    key = replace(draft["stay id"], unique=True)
    age = replace(draft["age"], review="noticed inside", learnt_because="written inside")
    charge = replace(draft["charge"], description="What was billed", measured_in="EUR | \u20ac")
    known = draft.with_column(key).with_column(age).with_column(charge)
    return replace(known, primary_key=("stay id",)).with_constraints(
        Range(column="age", lower=18, note="a note from inside"),
        Range(column="age", upper=94, draft=True, name="drafted inside"),
    )


@cache
def pipeline(*, private: bool = False) -> FittedPipeline:
    """Fitted to `real`; a private fit takes no drafted rule."""
    wanted = schema()
    if private:
        wanted = replace(wanted, constraints=wanted.constraints[:1])
        wanted = confirm(wanted, by="Steward Inside", source="codebook 3", on=DAY)
    privacy = ts.DEFAULT_BUDGET if private else ts.NO_PRIVACY
    return fit(Table.conform(real(), wanted), engine="independent", privacy=privacy)


def rows(n: int = 200, *, seed: int = 1, private: bool = False) -> Table:
    made = pipeline(private=private)
    return Table.conform(pl.concat(made.sample_batches(n, seed=seed)), made.schema)


def decision(table: Table, *, answer: Answer = Answer.ALLOW, sign_off: SignOff | None = None) -> Decision:
    return Decision(
        audience="partners",
        policy="defaults",
        model=MODEL,
        reasons=(replace(REASON, answer=answer),),
        on=DAY,
        rows=table.digest(),
        sign_off=sign_off,
    )


def released(
    *, private: bool = False, seed: int | None = 1, sign_off: SignOff | None = None
) -> ReleasedTable:
    table = rows(private=private)
    answer = Answer.ALLOW if sign_off is None else Answer.SIGN_OFF
    return ReleasedTable(
        pipeline=pipeline(private=private),
        rows=table,
        decision=decision(table, answer=answer, sign_off=sign_off),
        model=MODEL,
        seed=seed,
    )


def bundle(
    path: Path, *tables: ReleasedTable, terms: Terms = TERMS, key: Ed25519PrivateKey = KEY, **more
) -> Manifest:
    """A bundle at `path`, of the table without privacy where none is named."""
    return build_bundle(
        tables or (released(),), path, terms=terms, policy=POLICY, source="hospital 7", key=key, **more
    )
