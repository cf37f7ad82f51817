"""Real tables from `schema draft` to the report, through the command line and without a hand-written line.

    python benchmarks/tables.py --data DIR [--scorer score.py --peer-python PY] [--out FILE.json] [NAME...]

For each table: draft, split in halves, fit gaussian_copula, sample as many rows as were learnt, evaluate.
With a scorer (an independent program, run by a Python of its own) its figures are kept too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TABLES = {
    "adult": ("adult/adult_train.csv.gz", "income"),
    "support2": ("support2/support2.csv.gz", "hospdead"),
    "credit_default": ("credit_default/credit_default.csv.gz", "has_default"),
    "kdd_census_income": ("kdd_census_income/kdd_census_train.parquet", "income"),
    "beijing_pm25": ("beijing_pm25/beijing_pm25.csv.gz", "pm2.5"),
    "covid_testing": ("covid_testing/covid_testing.csv.gz", "result"),
    "diabetes130": ("diabetes130/diabetes130.parquet", "readmitted"),
}


def command(*arguments: object) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tabsynth", *map(str, arguments)], check=True, capture_output=True)
    return round(time.perf_counter() - start, 2)


def measure(source: Path, target: str, folder: Path, scorer: list[str]) -> dict[str, object]:
    schema, halves, model = folder / "schema.yaml", folder / "halves", folder / "model"
    train, holdout, synthetic = (
        halves / "train.parquet",
        halves / "holdout.parquet",
        folder / "synthetic.parquet",
    )
    seconds = {
        "draft": command("schema", "draft", source, "--out", schema),
        "split": command(
            "split", source, "--schema", schema, "--holdout", "0.5", "--seed", "0", "--out", halves
        ),
        "fit": command(
            "fit", train, "--schema", schema, "--engine", "gaussian_copula", "--no-privacy", "--out", model
        ),
        "sample": command("sample", model, "--out", synthetic, "--seed", "1"),
        "evaluate": command(
            *("evaluate", "--synthetic", synthetic, "--train", train, "--holdout", holdout),
            *("--schema", schema, "--target", target, "--out", folder / "evaluation"),
        ),
    }
    results = json.loads((folder / "evaluation" / "results.json").read_text())
    wanted = {
        "shape_error",
        "trend_error",
        "triple_tvd",
        "c2st_auc",
        "tstr_auc",
        "tstr_f1",
        "tstr_r2",
        "exact_copies",
    }
    figures = {
        row["metric"]: {"value": row["value"], "floor": row["floor"]}
        for row in results["metrics"]
        if row["metric"] in wanted and not row["columns"]
    }
    found: dict[str, object] = {
        "columns": results["n_columns"],
        "rows": results["n_train"],
        "seconds": seconds,
        "report_mb": round((folder / "evaluation" / "report.html").stat().st_size / 1e6, 2),
        "model_mb": round(sum(path.stat().st_size for path in model.iterdir()) / 1e6, 2),
        "figures": figures,
    }
    if scorer:
        scored = subprocess.run(
            [*scorer, str(train), str(holdout), str(synthetic), "--target", target],
            check=True,
            capture_output=True,
            text=True,
        )
        found["score"] = json.loads(scored.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer")
    parser.add_argument("--peer-python")
    parser.add_argument("--out", type=Path)
    parser.add_argument("names", nargs="*", default=list(TABLES))
    arguments = parser.parse_args()
    scorer = [arguments.peer_python, arguments.scorer] if arguments.scorer else []
    found = {}
    for name in arguments.names:
        path, target = TABLES[name]
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measure(arguments.data / path, target, Path(folder), scorer)
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    text = json.dumps(found, indent=1) + "\n"
    if arguments.out:
        arguments.out.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
