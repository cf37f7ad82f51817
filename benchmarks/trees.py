"""`sequential_trees` on real tables: fit, sample, and the figures of an independent scorer.

    python -m benchmarks.trees --data DIR --scorer score.py --peer-python PY [--seeds 5] [--out FILE.json] [NAME...]

Schemas are drafted from train (half of the rows; adult_half comes halved). Columns drafted as identifiers or texts are
left out on all sides: they are made anew, and no engine's figures are about them. `seconds` is wall time, `cpu_seconds` what the
process used for fit and sample; trust ratios on a shared machine. Results are written after every run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

import tabsynth
from tabsynth.pipeline import split_rows

TABLES = {
    "adult_half": ("adult_half", "income"),
    "support2": ("support2/support2.csv.gz", "hospdead"),
    "kdd_census_income": ("kdd_census_income/kdd_census_train.parquet", "income"),
    "diabetes130": ("diabetes130/diabetes130.parquet", "readmitted"),
    "motor_insurance_pg17": ("motor_insurance_pg17/policy.parquet", "pol_coverage"),
    "mimic3_demo": ("mimic3_demo/admissions.parquet", "hospital_expire_flag"),
    "credit_default": ("credit_default/credit_default.csv.gz", "has_default"),
    "online_shoppers": ("online_shoppers/online_shoppers.csv.gz", "Revenue"),
    "magic_telescope": ("magic_telescope/magic_telescope.csv.gz", "class"),
    "beijing_pm25": ("beijing_pm25/beijing_pm25.csv.gz", "pm2.5"),
}


def halves(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    if path.is_dir():
        return pl.read_parquet(path / "train.parquet"), pl.read_parquet(path / "holdout.parquet")
    frame = (
        pl.read_parquet(path)
        if path.suffix == ".parquet"
        else pl.read_csv(path, null_values=[""], infer_schema_length=None)
    )
    train, holdout = split_rows(frame, holdout=0.5, seed=0)
    return train, holdout


def measure(
    name: str, seed: int, arguments: argparse.Namespace, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    path, target = TABLES[name]
    train, holdout = halves(arguments.data / path)
    schema = tabsynth.draft_schema(train)
    kept = [column.name for column in schema.only_table.columns if column.kind.is_modelled]
    train, holdout = train.select(kept), holdout.select(kept)
    schema = tabsynth.draft_schema(train)
    start, cpu = time.perf_counter(), time.process_time()
    model = tabsynth.fit(
        train,
        schema=schema,
        engine=arguments.engine,
        settings=settings,
        privacy=tabsynth.NO_PRIVACY,
        seed=seed,
    )
    fitted = time.perf_counter()
    rows = model.sample(train.height, seed=seed)
    run: dict[str, Any] = {
        "table": name,
        "engine": arguments.engine,
        "settings": settings,
        "seed": seed,
        "rows": train.height,
        "columns": len(kept),
        "seconds": {
            "fit": round(fitted - start, 2),
            "sample": round(time.perf_counter() - fitted, 2),
        },
        "cpu_seconds": round(time.process_time() - cpu, 2),
    }
    files = {"train": train, "holdout": holdout, "synthetic": rows}
    for file, frame in files.items():
        frame.write_parquet(folder / f"{file}.parquet")
    command = [arguments.peer_python, arguments.scorer, *(folder / f"{file}.parquet" for file in files)]
    command += ["--target", target, "--seed", seed]
    scored = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return run | {"score": json.loads(scored.stdout)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--engine", default="sequential_trees")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("names", nargs="*", default=list(TABLES))
    arguments = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    runs = []
    for name in arguments.names:
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measure(name, seed, arguments, settings, Path(folder)))
            print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
            if arguments.out:
                arguments.out.write_text(json.dumps(runs, indent=1) + "\n")
    if not arguments.out:
        print(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
