"""Rules on real tables: what breaks them, what they cost in time, and what they do to fidelity.

    python benchmarks/constraints.py --data DIR [--scorer score.py --peer-python PY] [--out FILE.json] [NAME...]

For each table: half of it is fitted by bayesian_network without privacy, once without rules and once with them;
from each model as many rows are sampled as were learnt and scored by an independent program, and a million rows
are held against the rules. Seconds are of the processor, summed over cores, so that other work does not count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

import tabsynth
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import TabsynthError
from tabsynth.schema import rules
from tabsynth.schema.types import Kind

AT_HOME, BY_CAR = "Worked at home", "Car, truck, or van"
TRANSPORT = '"Means of transportation to work"'
COVERS = (
    "analysis", "dentistry", "diagnostics", "endoscopy", "hospitalizations", "mammography", "operations", "visits"
)  # fmt: skip
CALENDAR = (
    "day <= 28 OR (day <= 30 AND month <> 2) OR (day = 31 AND month IN (1, 3, 5, 7, 8, 10, 12)) "
    "OR (day = 29 AND month = 2 AND year = 2012)"
)
TABLES = {
    "fleet_insurance_pg16": (
        "policy.parquet",
        ("PolicyID", "LicNb"),
        {"Year": Kind.INTEGER},
        (
            rules.Inequality(columns=("BeginDate", "EndDate")),
            rules.Formula(column="Year", sql="EXTRACT(YEAR FROM BeginDate)"),
        ),
    ),
    "support2": (
        "support2.csv.gz",
        ("sno",),
        {},
        (rules.Dependency(columns=("dzgroup",), determines=("dzclass",)),),
    ),
    "berka": (
        "loan.csv.gz",
        ("loan_id", "account_id"),
        {"duration": Kind.INTEGER},
        (rules.Formula(column="amount", sql="duration * payments"),),
    ),
    "flchain": (
        "flchain.csv.gz",
        (),
        {},
        (rules.Conditional(condition="death = 0", then="chapter IS NULL", otherwise="chapter IS NOT NULL"),),
    ),
    "health_insurance_eu": (
        "health_insurance_eu.parquet",
        ("id_anon",),
        dict.fromkeys([f"num_{name}" for name in COVERS], Kind.INTEGER),
        tuple(
            rules.Conditional(
                condition=f"num_{name} = 0", then=f"amt_{name} = 0", otherwise=f"amt_{name} > 0"
            )
            for name in COVERS
        ),
    ),
    "acs_income_2018": (
        "acs_income_2018.parquet",
        (),
        {},
        (
            rules.Hierarchy(columns=("State", "Division", "Region")),
            rules.Conditional(
                condition=f"{TRANSPORT} = '{AT_HOME}'",
                then='"Travel time to work" IS NULL',
                otherwise='"Travel time to work" IS NOT NULL',
            ),
            rules.Conditional(
                condition=f"{TRANSPORT} = '{BY_CAR}'",
                then='"Vehicle occupancy" IS NOT NULL',
                otherwise='"Vehicle occupancy" IS NULL',
            ),
        ),
    ),
    "beijing_pm25": (
        "beijing_pm25.csv.gz",
        ("No",),
        dict.fromkeys(("year", "month", "day", "hour"), Kind.INTEGER),
        (rules.Expression(sql=CALENDAR), rules.Unique(columns=("year", "month", "day", "hour"))),
    ),
    "motor_insurance_pg17": (
        "policy.parquet",
        ("id_client", "id_policy", "id_vehicle", "id_year", "pol_insee_code"),
        {},
        (
            rules.Conditional(
                condition="drv_drv2 = 'No'",
                then="drv_age2 = 0 AND drv_age_lic2 = 0 AND drv_sex2 = ''",
                otherwise="drv_age2 > 0 AND drv_sex2 <> ''",
            ),
            rules.Expression(sql="drv_age_lic1 <= drv_age1 - 18"),
        ),
    ),
}
_MILLION = 1_000_000


def read(path: Path, without: tuple[str, ...]) -> pl.DataFrame:
    frame = (
        pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    )
    frame = frame.drop(without)
    return frame.with_columns(pl.col(name).str.to_date() for name in frame.columns if name.endswith("Date"))


def schema_of(train: pl.DataFrame, kinds: dict[str, Kind]) -> tabsynth.TableSchema:
    schema = tabsynth.draft_schema(train, name="table").only_table
    for name, kind in kinds.items():
        cells = train[name]
        schema = schema.with_column(
            replace(schema[name], kind=kind, categories=None, bounds=(cells.min(), cells.max()))
        )
    return replace(schema, primary_key=())


def fitted_and_sampled(train: pl.DataFrame, schema: tabsynth.TableSchema, engine: str):
    start, wall = time.process_time(), time.perf_counter()
    fitted = tabsynth.fit(train, schema=schema, engine=engine, privacy=tabsynth.NO_PRIVACY)
    rows, outcomes = fitted.sample_reported(train.height, seed=1)
    seconds = {
        "cpu": round(time.process_time() - start, 2),
        "wall": round(time.perf_counter() - wall, 2),
    }
    return fitted, rows, outcomes, seconds


def million(fitted: tabsynth.FittedPipeline) -> dict[str, object]:
    """Violations in a million rows, counted anew; or the error, where there cannot be so many."""
    start = time.process_time()
    try:
        rows = fitted.sample(_MILLION, seed=2)
    except TabsynthError as error:
        return {"error": str(error)}
    broken = {
        rules.title_of(one.rule): int(one.violations(rows).sum()) for one in constraints_of(fitted.schema)
    }
    return {"violations": broken, "cpu": round(time.process_time() - start, 2)}


def measure(path: Path, spec: tuple, scorer: list[str], engine: str) -> dict[str, object]:
    _, without, kinds, stated = spec
    frame = read(path, without)
    train, holdout = tabsynth.split(frame, seed=1)
    schema = schema_of(train, kinds)
    found: dict[str, object] = {"rows": train.height, "columns": train.width}
    with tempfile.TemporaryDirectory() as folder:
        for name, table in (("train", train), ("holdout", holdout)):
            table.write_parquet(Path(folder) / f"{name}.parquet")
        for name, used in (("without", schema), ("with", schema.with_constraints(*stated))):
            fitted, rows, outcomes, seconds = fitted_and_sampled(train, used, engine)
            held = [
                (rules.title_of(one.rule), one.violations(rows))
                for one in constraints_of(schema.with_constraints(*stated))
            ]
            part: dict[str, object] = {
                "seconds": seconds,
                "violations": {title: int(mask.sum()) for title, mask in held},
                "outcomes": [
                    {
                        "rule": one.rule,
                        "form": one.form,
                        "broken": one.n_broken,
                        "swapped": one.n_swapped,
                        "redrawn": one.n_redrawn,
                    }
                    for one in outcomes
                ],
            }
            if scorer:
                synthetic = Path(folder) / f"{name}_rules.parquet"
                rows.write_parquet(synthetic)
                scored = subprocess.run(
                    [*scorer, f"{folder}/train.parquet", f"{folder}/holdout.parquet", str(synthetic)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                part["score"] = json.loads(scored.stdout)
            if name == "with":
                part["million"] = million(fitted)
            found[name] = part
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer")
    parser.add_argument("--peer-python")
    parser.add_argument("--engine", default="bayesian_network")
    parser.add_argument("--out", type=Path)
    parser.add_argument("names", nargs="*", default=list(TABLES))
    arguments = parser.parse_args()
    scorer = [arguments.peer_python, arguments.scorer] if arguments.scorer else []
    found = {}
    for name in arguments.names:
        spec = TABLES[name]
        found[name] = measure(arguments.data / name / spec[0], spec, scorer, arguments.engine)
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
