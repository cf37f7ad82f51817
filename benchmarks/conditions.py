"""Conditions, completion and shares on half of the Adult table, in one run.

    python benchmarks/conditions.py --data DIR [--out FILE.json] [--rows 100000] [ENGINE …]

DIR holds train.parquet. Wall and processor seconds of completing `--rows` partial rows with two given columns, with two
given numbers of many values, and with two cells missing of each; of 10,000 rows in a range and a set; of 10,000 rows in shares; and of filling the
table's own gaps. Figures of one run on a machine that does other things are ratios, not times.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

import tabsynth
from tabsynth.models.registry import ENGINES


def timed(action: Callable[[tabsynth.Tally], object]) -> dict[str, object]:
    tally = tabsynth.Tally()
    cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    action(tally)
    took = tally.conditions
    return {
        "wall": round(time.perf_counter() - wall, 2),
        "cpu": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu, 2),
        "rows": took.n_rows,
        "effective": round(took.n_effective),
        "moved": took.n_moved,
    }


def measured(train: pl.DataFrame, engine: str, n_rows: int) -> dict[str, object]:
    schema = tabsynth.draft_schema(train, name="adult")
    model = tabsynth.fit(train, schema=schema, engine=engine, privacy=tabsynth.NO_PRIVACY)
    many = train.sample(n_rows, with_replacement=True, seed=1)
    where = {"age": {">=": 30, "<": 45}, "education": ["Masters", "Doctorate"]}
    shares = {"income": {">50K": 0.5}, "sex": "even"}
    return {
        "two levels given": timed(
            lambda tally: model.complete(many.select("sex", "income"), seed=1, tally=tally)
        ),
        "two numbers given": timed(
            lambda tally: model.complete(many.select("age", "hours_per_week"), seed=1, tally=tally)
        ),
        "all but two given": timed(
            lambda tally: model.complete(many.drop("income", "age"), seed=1, tally=tally)
        ),
        "a range and a set": timed(lambda tally: model.sample(10_000, seed=1, where=where, tally=tally)),
        "two shares": timed(lambda tally: model.sample(10_000, seed=1, rebalance=shares, tally=tally)),
        "gaps filled": timed(lambda tally: model.impute(train, seed=1, tally=tally)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("engines", nargs="*", default=list(ENGINES))
    arguments = parser.parse_args()
    train = pl.read_parquet(arguments.data / "train.parquet")
    found = {engine: measured(train, engine, arguments.rows) for engine in arguments.engines}
    for engine, runs in found.items():
        for what, run in runs.items():
            print(f"{engine:20} {what:20} {json.dumps(run)}")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
