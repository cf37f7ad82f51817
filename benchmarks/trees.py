"""`sequential_trees` on real tables: fit, sample, and the figures of an independent scorer.

    python -m benchmarks.trees --data DIR --scorer score.py --peer-python PY [--seeds 5] [--target] [--cut 0] [--out FILE.json] [NAME...]
        [--products PY --product mostly --product sdv_gaussian_copula --minutes 10]

`--products PY`, a Python with mostlyai-engine or sdv, runs those products on the same halves, by their own settings
(peers/product_fit.py), and stops them after `--stop` minutes.
Schemas are drafted from train (half of the rows, or of the persons where there are several of one; adult_half comes halved). Columns drafted as identifiers or texts are
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
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

import tabsynth
from tabsynth.pipeline import split_rows

HERE = Path(__file__).parent
UNITS = {"diabetes130": "patient_nbr", "mimic3_demo": "subject_id"}
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


def halves(path: Path, unit: str | None, cut: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    if path.is_dir():
        return pl.read_parquet(path / "train.parquet"), pl.read_parquet(path / "holdout.parquet")
    frame = (
        pl.read_parquet(path)
        if path.suffix == ".parquet"
        else pl.read_csv(path, null_values=[""], infer_schema_length=None)
    )
    train, holdout = split_rows(frame, unit=unit, holdout=0.5, seed=cut)
    return train, holdout


def modelled(name: str, arguments: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout with the columns that an engine learns."""
    train, holdout = halves(arguments.data / TABLES[name][0], UNITS.get(name), arguments.cut)
    schema = tabsynth.draft_schema(train)
    kept = [column.name for column in schema.only_table.columns if column.kind.is_modelled]
    return train.select(kept), holdout.select(kept)


def ours(
    train: pl.DataFrame, seed: int, arguments: argparse.Namespace, settings: dict[str, Any], out: Path
) -> dict[str, Any]:
    """A fit and a sample, written to `out`; their seconds."""
    schema = tabsynth.draft_schema(train)
    start, cpu = time.perf_counter(), time.process_time()
    privacy = tabsynth.NO_PRIVACY
    model = tabsynth.fit(
        train, schema=schema, engine=arguments.engine, settings=settings, privacy=privacy, seed=seed
    )
    fitted = time.perf_counter()
    rows = model.sample(train.height, seed=seed)
    seconds = {"fit": round(fitted - start, 2), "sample": round(time.perf_counter() - fitted, 2)}
    run = {"engine": arguments.engine, "settings": settings, "seconds": seconds}
    run["cpu_seconds"] = round(time.process_time() - cpu, 2)
    rows.write_parquet(out)
    return run


def product(engine: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The same by another product in its own Python; its last words where it fails."""
    command = [arguments.products, HERE / "peers" / "product_fit.py", engine]
    command += [folder / "train.parquet", folder / "synthetic.parquet", arguments.minutes]
    try:
        done = subprocess.run(
            [*map(str, command)], check=False, capture_output=True, text=True, timeout=60 * arguments.stop
        )
    except subprocess.TimeoutExpired:
        return {"engine": engine, "failure": f"stopped after {arguments.stop:g} minutes"}
    if done.returncode:
        return {"engine": engine, "failure": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    return {"engine": engine} | json.loads(done.stdout.strip().splitlines()[-1])


def measure(
    name: str, seed: int, engine: str, arguments: argparse.Namespace, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """One run of an engine on a table, scored."""
    train, holdout = modelled(name, arguments)
    train.write_parquet(folder / "train.parquet")
    holdout.write_parquet(folder / "holdout.parquet")
    run: dict[str, Any] = {
        "table": name,
        "cut": arguments.cut,
        "seed": seed,
        "rows": train.height,
        "columns": train.width,
    }
    if engine == arguments.engine:
        settings = settings | ({"target": TABLES[name][1]} if arguments.target else {})
        run |= ours(train, seed, arguments, settings, folder / "synthetic.parquet")
    else:
        run |= product(engine, folder, arguments)
    if "failure" in run:
        return run
    files = [folder / f"{file}.parquet" for file in ("train", "holdout", "synthetic")]
    command = [arguments.peer_python, arguments.scorer, *files, "--target", TABLES[name][1], "--seed", seed]
    scored = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return run | {"score": json.loads(scored.stdout)}


def keep(runs: Iterable[dict[str, Any]], out: Path | None) -> None:
    """Each run as it ends: on the error stream, and all so far in the file, or at the end on the output stream without one."""
    found = []
    for run in runs:
        found.append(run)
        print(json.dumps(run), file=sys.stderr, flush=True)
        if out:
            out.write_text(json.dumps(found, indent=1) + "\n")
    if not out:
        print(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--engine", default="sequential_trees")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--target", action="store_true", help="name each table's target to the engine")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cut", type=int, default=0, help="seed by which tables are halved")
    parser.add_argument("--products")
    parser.add_argument("--product", action="append", default=[])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--stop", type=float, default=30.0, help="minutes after which a product is stopped")
    parser.add_argument("--out", type=Path)
    parser.add_argument("names", nargs="*", default=list(TABLES))
    arguments = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    asked = [(arguments.engine, seed) for seed in range(arguments.seeds)]
    asked += [(engine, 0) for engine in arguments.product]

    def one(name: str, engine: str, seed: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            return measure(name, seed, engine, arguments, settings, Path(folder))

    keep((one(name, *run) for name in arguments.names for run in asked), arguments.out)


if __name__ == "__main__":
    main()
