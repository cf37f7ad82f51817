"""Our `ctgan` and `tvae` beside those of the ctgan package, at equal epochs in one run, judged by an independent scorer.

    python benchmarks/gans.py --data DIR --scorer score.py --score-python PY --peer-python PY --epochs 30 [--out FILE.json]

DIR holds train.parquet and holdout.parquet of Adult, halved. The peer's Python has the ctgan package, the scorer's has
sdmetrics, LightGBM and scikit-learn. Everything runs on one thread, one after the other; CPU seconds are those of the
process. `--parts` also fits ours without its last step (shares), without pairs, and by frequencies instead of logarithms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import tabsynth

PEER = Path(__file__).parent / "peers" / "ctgan_fit.py"
RARE = (0.0, 0.05)
"""Levels of a share between these are followed, as CTGAN's conditions by log-frequency blow them up."""
PARTS = {
    "ctgan, pair_weight=0": ("ctgan", {"pair_weight": 0.0}),
    "ctgan, exposure=frequency": ("ctgan", {"exposure": "frequency"}),
    "ctgan, number_cells=12": ("ctgan", {"number_cells": 12}),
    "ctgan, pac=1": ("ctgan", {"pac": 1}),
}


def ours(train: pl.DataFrame, engine: str, settings: dict[str, object], out: Path) -> dict[str, object]:
    schema = tabsynth.draft_schema(train)
    start, cpu = time.perf_counter(), time.process_time()
    model = tabsynth.fit(
        train, schema=schema, engine=engine, settings=settings, privacy=tabsynth.NO_PRIVACY, seed=1
    )
    found = {"fit_cpu_s": time.process_time() - cpu, "fit_s": time.perf_counter() - start}
    cpu = time.process_time()
    model.sample(train.height, seed=1).write_parquet(out)
    return found | {"sample_cpu_s": time.process_time() - cpu, "settings": settings}


def theirs(arguments: argparse.Namespace, engine: str, epochs: int, out: Path) -> dict[str, object]:
    command = [arguments.peer_python, PEER, engine, arguments.data / "train.parquet", out, epochs, 1]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def score(arguments: argparse.Namespace, synthetic: Path) -> dict[str, object]:
    command = [arguments.score_python, arguments.scorer, arguments.data / "train.parquet"]
    command += [arguments.data / "holdout.parquet", synthetic, "--target", "income"]
    return json.loads(subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout)


def rare_shares(real: pl.DataFrame, made: pl.DataFrame) -> dict[str, list[float]]:
    """Of every column of levels its rarest one with 50 rows or more, below 5 %: its share in the table, and made."""
    found = {}
    for name in real.columns:
        if real[name].n_unique() > 50:
            continue
        cells = real[name].cast(pl.String).fill_null("∅")
        counts = cells.value_counts(sort=True).filter(pl.col("count") >= 50)
        level, count = counts.row(-1)
        share = count / real.height
        if RARE[0] < share < RARE[1]:
            drawn = made[name].cast(pl.String).fill_null("∅")
            found[f"{name}={level.strip()}"] = [share, float((drawn == level).mean())]
    return found


def largest_excess(shares: dict[str, list[float]]) -> float:
    return max(made / share for share, made in shares.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--score-python", required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    train = pl.read_parquet(arguments.data / "train.parquet")
    basis = {"epochs": arguments.epochs, "threads": 1, "device": "cpu"}
    runs: dict[str, tuple[str, dict[str, object]]] = {name: (name, {}) for name in ("ctgan", "tvae")}
    runs |= PARTS if arguments.parts else {}
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        tables = {}
        for engine in ("ctgan", "tvae"):
            out = tables[f"the package's {engine}"] = Path(folder) / f"peer_{engine}.parquet"
            found[f"the package's {engine}"] = theirs(arguments, engine, arguments.epochs, out)
        for name, (engine, settings) in runs.items():
            out = tables[name] = Path(folder) / f"{len(tables)}.parquet"
            found[name] = ours(train, engine, basis | settings, out)
        for name, out in tables.items():
            shares = rare_shares(train, pl.read_parquet(out))
            found[name] |= {"score": score(arguments, out), "rare": shares}
            found[name]["largest_excess"] = largest_excess(shares)
            print(name, json.dumps(found[name]["score"]), file=sys.stderr, flush=True)
    document = {"epochs": arguments.epochs, "rows": train.height, "numpy": np.__version__, "runs": found}
    text = json.dumps(document, indent=1, sort_keys=True)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
