"""Is the choice of `auto` within 5 % of the best engine? Every engine on real tables, scored by tabsynth's own figures.

    python -m benchmarks.auto --data DIR [--rows 20000] [--epsilon E] [--engines E,E...] [--out FILE.json] [NAME...]

Each table is cut in halves by row (or person), `--rows` of it at most; schemas are drafted from train, and with `--epsilon` confirmed as they stand,
so that no engine's budget goes into domains. A score is the mean of four figures, each as a share of what is best: 1 - shape error,
1 - trend error, 1 - (C2ST AUC - .5) · 2, and utility over that of real rows. `smote` is left out, as it gives
rows away; `--engines` names those to try, all otherwise (the neural ones take minutes a table). The last line says in which share of the tables the choice scores at least 95 % of the best.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import polars as pl

import tabsynth
from tabsynth.errors import TabsynthError
from tabsynth.evaluate.collapse import Generation
from tabsynth.models.auto import Auto
from tabsynth.models.registry import ENGINES
from tabsynth.pipeline import split_rows

UNITS = {"diabetes130": "patient_nbr", "covid_testing": "subject_id"}
TABLES = {
    "adult_half": ("adult_half/train.parquet", "income"),
    "german_credit": ("german_credit/german_credit.csv.gz", "credit_risk"),
    "heart_disease": ("heart_disease/heart_disease.csv.gz", "num"),
    "bank_marketing": ("bank_marketing/bank_marketing.csv.gz", "y"),
    "credit_default": ("credit_default/credit_default.csv.gz", "has_default"),
    "online_shoppers": ("online_shoppers/online_shoppers.csv.gz", "Revenue"),
    "magic_telescope": ("magic_telescope/magic_telescope.csv.gz", "class"),
    "beijing_pm25": ("beijing_pm25/beijing_pm25.csv.gz", "pm2.5"),
    "support2": ("support2/support2.csv.gz", "hospdead"),
    "flchain": ("flchain/flchain.csv.gz", "death"),
    "covid_testing": ("covid_testing/covid_testing.csv.gz", "result"),
    "diabetes130": ("diabetes130/diabetes130.parquet", "readmitted"),
    "kdd_census_income": ("kdd_census_income/kdd_census_train.parquet", "income"),
    "health_insurance_eu": ("health_insurance_eu/health_insurance_eu.parquet", "num_visits"),
    "motor_insurance_pg17": ("motor_insurance_pg17/policy.parquet", "pol_coverage"),
}


def read(path: Path, most: int) -> pl.DataFrame:
    frame = (
        pl.read_parquet(path)
        if path.suffix == ".parquet"
        else pl.read_csv(path, null_values=[""], infer_schema_length=None)
    )
    return frame if frame.height <= most else frame.sample(most, seed=0)


def score_of(generation: Generation) -> tuple[float, dict[str, float]]:
    """The mean of the figures that have a value, and these."""
    values = {figure.metric: figure for figure in generation.figures if figure.value is not None}
    parts: dict[str, float] = {}
    for name in ("shape_error", "trend_error"):
        if name in values:
            parts[name] = 1 - float(values[name].value or 0)
    if "c2st_auc" in values:
        parts["c2st_auc"] = min(1.0, 2 - 2 * float(values["c2st_auc"].value or 0))
    for name in ("tstr_auc", "tstr_r2"):
        if name in values and values[name].floor:
            utility = float(values[name].value or 0) / float(values[name].floor or 1)
            parts[name] = min(1.0, max(0.0, utility))
    return sum(parts.values()) / len(parts), parts


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    path, target = TABLES[name]
    train, holdout = split_rows(
        read(arguments.data / path, arguments.rows), unit=UNITS.get(name), holdout=0.5, seed=0
    )
    schema = tabsynth.draft_schema(train)
    privacy: Any = tabsynth.NO_PRIVACY
    if arguments.epsilon is not None:
        schema = tabsynth.confirm(schema, by="a benchmark", source="the table as published")
        privacy = tabsynth.Budget(epsilon=arguments.epsilon, delta=1e-5)
    wanted = "dp" if arguments.epsilon is not None else "none"
    found: dict[str, Any] = {"rows": train.height, "columns": len(schema.only_table.columns), "scores": {}}
    for engine, kind in ENGINES.items():
        is_tried = arguments.engines is None or engine in arguments.engines.split(",")
        if not is_tried or wanted not in kind.guarantees or kind.retains_rows:
            continue
        start = time.process_time()
        try:
            results = tabsynth.collapse(
                train, holdout, schema=schema, engine=engine, privacy=privacy, generations=1, target=target
            )
        except TabsynthError as error:
            found["scores"][engine] = {"score": 0.0, "failed": str(error)}
            continue
        score, parts = score_of(results.generations[0])
        found["scores"][engine] = {
            "score": round(score, 4),
            "parts": {key: round(value, 4) for key, value in parts.items()},
            "cpu_seconds": round(time.process_time() - start, 1),
        }
    choice = Auto().choose(
        n_columns=found["columns"], is_private=arguments.epsilon is not None, n_rows=train.height
    )
    best = max(one["score"] for one in found["scores"].values())
    mine = found["scores"][choice.recipe.name]["score"]
    return {**found, "choice": choice.recipe.name, "why": choice.why, "of_best": round(mine / best, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(TABLES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epsilon", type=float)
    parser.add_argument("--engines")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    for name in arguments.names:
        found[name] = measure(name, arguments)
        scores = ", ".join(f"{engine} {one['score']:.3f}" for engine, one in found[name]["scores"].items())
        print(
            f"{name}: {found[name]['choice']} at {found[name]['of_best']:.3f} of the best ({scores})",
            flush=True,
        )
        if arguments.out is not None:
            text = json.dumps(found, indent=1, ensure_ascii=False)
            arguments.out.write_text(text + "\n", encoding="utf-8")
    n_near = sum(one["of_best"] >= 0.95 for one in found.values())
    print(f"within 5 % of the best in {n_near} of {len(found)} tables")


if __name__ == "__main__":
    main()
