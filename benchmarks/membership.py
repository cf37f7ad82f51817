"""How often an audit fails what it should, and what it makes of an adult table: verdicts, p-values, times.

    nice -n 19 python -m benchmarks.membership --repetitions 200 [--data DIR] [--out benchmarks/results/membership.json]

Small tables of 400 train, 600 holdout and 400 released rows, drawn anew each time from one distribution, give the
share of audits that fail: of releases made without train, and of releases with a fifth of train in them. With
`--data` (a folder with train.parquet, holdout.parquet and schema.yaml) four releases of that table are audited:
half of the holdout, two engines at ε = 1, and a fifth of train among rows of the independent engine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import tabsynth
from tabsynth.audit import AuditResults, audit
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

SMALL = TableSchema(
    name="small",
    columns=(
        Column(name="x", kind=Kind.NUMBER, dtype="float64"),
        Column(name="y", kind=Kind.NUMBER, dtype="float64"),
        Column(name="k", kind=Kind.INTEGER, dtype="int64"),
        Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c")),
    ),
)


def drawn(n: int, rng: np.random.Generator) -> pl.DataFrame:
    x = rng.normal(size=n)
    return pl.DataFrame(
        {"x": x, "y": x + rng.normal(size=n), "k": rng.poisson(5, n), "c": rng.choice(list("abc"), n)}
    )


def rates(repetitions: int) -> dict[str, dict[str, int]]:
    """Outcomes over the repetitions, by kind of release."""
    found: dict[str, Counter[str]] = {"unrelated rows": Counter(), "a fifth copied": Counter()}
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        train, holdout, other = (drawn(n, rng) for n in (400, 600, 400))
        releases = {"unrelated rows": other, "a fifth copied": pl.concat([train[:80], other[80:]])}
        for name, rows in releases.items():
            tables = [Table.conform(frame, SMALL) for frame in (rows, train, holdout)]
            found[name][audit(*tables, schema=SMALL, seed=seed).outcome.value] += 1
    return {name: dict(counts) for name, counts in found.items()}


def of_table(folder: Path) -> dict[str, dict[str, Any]]:
    """Four releases of one table."""
    train, holdout = (pl.read_parquet(folder / f"{name}.parquet") for name in ("train", "holdout"))
    schema = tabsynth.read_schema(folder / "schema.yaml")
    made = {
        engine: tabsynth.fit(train, schema=schema, engine=engine).sample(train.height, seed=1)
        for engine in ("independent", "bayesian_network")
    }
    n_copies = round(0.2 * train.height)
    rest = made["independent"].select(train.columns).cast(dict(train.schema))[n_copies:]
    shuffled = holdout.sample(fraction=1, shuffle=True, seed=5)
    half = holdout.height // 2
    releases = {
        "half of the holdout": (shuffled[:half], shuffled[half:]),
        "independent, ε = 1": (made["independent"], holdout),
        "bayesian_network, ε = 1": (made["bayesian_network"], holdout),
        "a fifth of train copied": (pl.concat([train.sample(n_copies, seed=3), rest]), holdout),
        "the holdout itself": (holdout, holdout),
    }
    found = {}
    for name, (release, held) in releases.items():
        began = time.perf_counter()
        results = tabsynth.audit(release, train, held, schema=schema)
        found[name] = figures(results) | {"seconds": round(time.perf_counter() - began, 1)}
    return found


def figures(results: AuditResults) -> dict[str, Any]:
    return {
        "outcome": results.outcome.value,
        "p_value": results.release.p_value,
        "strongest": results.release.strongest,
        "auc": {attack.attack: round(attack.auc, 4) for attack in results.release.attacks},
        "risk_upper": round(results.release.risk_upper, 4),
        "unseen": list(results.verdict.unseen),
        "detectable_share": results.detectable_share,
        "calibration": {known.name: known.battery.p_value for known in results.calibration},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found: dict[str, Any] = {} if asked.data is None else {"table": of_table(asked.data)}
    found["rates"] = rates(asked.repetitions)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
