"""Adult, halved: our engines beside SDV's GaussianCopula in one run, judged by an independent scorer.

    python benchmarks/adult_half.py --data DIR --scorer score.py --peer-python PY [--out FILE.json]

DIR holds train.parquet and holdout.parquet. PY is a Python of its own with sdv, sdmetrics, lightgbm,
scikit-learn and pyarrow; it runs both the peer and the scorer. Times are the best of three fits and
samples in one process each, reading and writing files left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

import tabsynth

PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from sdv.metadata import Metadata
from sdv.single_table import GaussianCopulaSynthesizer
train, out = sys.argv[1:]
data = pd.read_parquet(train)
metadata = Metadata.detect_from_dataframes({"t": data}, infer_keys=None)
times = []
for _ in range(3):
    start = time.perf_counter(); model = GaussianCopulaSynthesizer(metadata); model.fit({"t": data}); fitted = time.perf_counter()
    rows = model.sample(len(data)); times.append((fitted - start, time.perf_counter() - fitted))
rows["t"].to_parquet(out)
conditional = None
from sdv.sampling import Condition
start = time.perf_counter()
model.sample_from_conditions([Condition(column_values={"sex": "Female", "income": ">50K"}, num_rows=10000, table_name="t")])
conditional = time.perf_counter() - start
print(json.dumps({"times": times, "conditional": conditional}))
"""


def ours(train: pl.DataFrame, engine: str, settings: dict[str, object], out: Path) -> dict[str, object]:
    schema = tabsynth.draft_schema(train)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        model = tabsynth.fit(
            train, schema=schema, engine=engine, settings=settings, privacy=tabsynth.NO_PRIVACY
        )
        fitted = time.perf_counter()
        rows = model.sample(train.height, seed=1)
        times.append((fitted - start, time.perf_counter() - fitted))
    rows.write_parquet(out)
    start = time.perf_counter()
    model.sample(10_000, seed=1, where={"sex": "Female", "income": ">50K"})
    return {"times": times, "conditional": time.perf_counter() - start}


def score(arguments: argparse.Namespace, synthetic: Path) -> dict[str, object]:
    command = [arguments.peer_python, arguments.scorer, arguments.data / "train.parquet"]
    command += [arguments.data / "holdout.parquet", synthetic, "--target", "income"]
    return json.loads(subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    train = pl.read_parquet(arguments.data / "train.parquet")
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "independent": ("independent", {}),
            "gaussian_copula": ("gaussian_copula", {}),
            "gaussian_copula parametric": ("gaussian_copula", {"marginals": "parametric"}),
        }
        for label, (engine, settings) in runs.items():
            synthetic = Path(folder) / f"{label}.parquet"
            found[label] = ours(train, engine, settings, synthetic)
            found[label]["score"] = score(arguments, synthetic)
        synthetic = Path(folder) / "sdv.parquet"
        command = [arguments.peer_python, "-c", PEER, str(arguments.data / "train.parquet"), str(synthetic)]
        peer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found["sdv GaussianCopula"] = json.loads(peer.strip().splitlines()[-1])
        found["sdv GaussianCopula"]["score"] = score(arguments, synthetic)
    for label, run in found.items():
        fit, sample = min(run["times"], key=sum)
        s = run["score"]
        print(
            f"{label:28} fit {fit:6.2f} s  sample {sample:5.2f} s  10,000 conditional {run['conditional']:6.2f} s  "
            f"shape {s['shape_err']:5.2f} ({s['shape_err_holdout']})  trend {s['trend_err']:5.2f} "
            f"({s['trend_err_holdout']})  tvd3 {s['tvd3']:.3f}  C2ST {s['c2st']:.3f}  TSTR {s['tstr']:.3f} "
            f"(TRTR {s['trtr']:.3f})  copies {s['exact']:.4f}  membership {s['mia_auc']:.3f}",
            file=sys.stderr,
        )
    text = json.dumps(found, indent=1)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
