"""Bundles at size: seconds to build and verify 1 million rows by 15 columns, and 1,000 single-byte changes.

    python benchmarks/bundle.py [--rows 1000000] [--changes 1000] [--out benchmarks/results/bundle.json]

The table is made here: 15 columns of numbers, categories, dates and identifiers. The model is fitted to 20,000 of its rows,
so that what is timed is the bundle. The changes are drawn over the whole of a small bundle; each must be refused, and
with the part named in which the byte lies.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import resource
import time
import zipfile
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tabsynth as ts
from tabsynth.decision import Answer, Decision, Reason
from tabsynth.errors import BundleError
from tabsynth.pipeline import fit
from tabsynth.release.bundle.build import build_bundle
from tabsynth.release.bundle.parts import ReleasedTable
from tabsynth.release.bundle.terms import Terms
from tabsynth.release.bundle.verify import verify_bundle
from tabsynth.release.files import default_text
from tabsynth.schema import yamltext
from tabsynth.table import Table

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TERMS = Terms(
    licence="none",
    purpose="a benchmark",
    recipient="nobody",
    contact="nobody",
    expires=dt.date(2099, 12, 31),
    reassess=dt.date(2099, 12, 31),
)


def table(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    day = np.datetime64("2020-01-01")
    numbers = {f"amount{i}": rng.lognormal(4, 1, n).round(2) for i in range(4)}
    whole = {f"count{i}": rng.poisson(20 * (i + 1), n) for i in range(4)}
    levels = {f"level{i}": rng.choice([f"level {j}" for j in range(5 * (i + 1))], n) for i in range(4)}
    days = {f"day{i}": pl.Series(day + rng.integers(0, 1000, n).astype("timedelta64[D]")) for i in range(2)}
    return pl.DataFrame({"key": [f"K{i:07d}" for i in range(n)], **numbers, **whole, **levels, **days})


def released(n: int) -> ReleasedTable:
    frame = table(20_000)
    schema = ts.draft_schema(frame, name="large").only_table
    pipeline = fit(frame, schema=schema, engine="independent", privacy=ts.NO_PRIVACY)
    rows = Table.conform(pl.concat(pipeline.sample_batches(n, seed=1)), pipeline.schema)
    reason = Reason(
        rule="epsilon", title="ε", answer=Answer.ALLOW, required="none", found="none", evidence="none"
    )
    decision = Decision(
        audience="internal",
        policy="defaults",
        model="ab" * 32,
        reasons=(reason,),
        on=dt.date(2026, 1, 1),
        rows=rows.digest(),
    )
    return ReleasedTable(pipeline=pipeline, rows=rows, decision=decision, model="ab" * 32)


def build(made: ReleasedTable, path: Path) -> None:
    policy = yamltext.load(default_text()).data
    build_bundle([made], path, terms=TERMS, policy=policy, source="benchmark", key=KEY)


def timed(work) -> dict[str, float]:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.perf_counter() - began, 2), "cpu_seconds": round(cpu, 2)}


def changes(path: Path, n: int) -> dict[str, int]:
    """How many of `n` changed bytes were refused, and of how many the part was named."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        spans = [
            (
                each.filename,
                each.header_offset,
                each.header_offset + 30 + len(each.filename) + each.compress_size,
            )
            for each in file.infolist()
        ]
    draw, found = random.Random(1), Counter()
    for _ in range(n):
        at = draw.randrange(len(content))
        changed = bytearray(content)
        changed[at] ^= draw.randrange(1, 256)
        path.write_bytes(changed)
        part = next((name for name, start, end in spans if start <= at < end), None)
        try:
            verify_bundle(path, key=KEY.public_key())
        except BundleError as fault:
            said = str(fault)
            named = part in said if part else "directory" in said or "the end of the zip" in said
            found.update(["refused", "part named"] if named else ["refused"])
        found["changed"] += 1
    path.write_bytes(content)
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    found: dict[str, object] = {"rows": chosen.rows, "columns": 15}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "b.zip"
        made = released(chosen.rows)
        found["build"] = timed(lambda: build(made, path))
        found["verify"] = timed(lambda: verify_bundle(path, key=KEY.public_key()))
        found["bundle_megabytes"] = round(path.stat().st_size / 1e6, 1)
        small = Path(folder) / "small.zip"
        build(released(1000), small)
        found["single_byte_changes"] = changes(small, chosen.changes)
    text = json.dumps(found, indent=1)
    print(text)
    if chosen.out is not None:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
