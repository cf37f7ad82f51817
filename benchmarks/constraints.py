"""Rules on real tables: what breaks them, what they cost in time, and what they do to fidelity.

    python benchmarks/constraints.py --data DIR [--scorer score.py --peer-python PY] [--samples N] [--out FILE.json] [NAME...]

For each table: half of it is fitted by bayesian_network without privacy, once without rules and once with them;
from each model as many rows are sampled as were learnt, N times with other seeds, and scored by an independent program: errors are means
over these. Fits that take less than a second are repeated. A million rows are held against the rules; where a key has room for fewer, as many as it has room for, and a million under the
other rules. Seconds are of the processor, summed over cores, so that other work does not count.

Without a scorer the errors are computed here, by SDMetrics' definitions of column shapes (Kolmogorov-Smirnov of numbers and times with
more than 20 values, total variation of others, null among these alone); trends are total variations of all pairs, numbers in train's
deciles, null as a cell of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import mean

import numpy as np
import polars as pl

import tabsynth
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import TabsynthError
from tabsynth.schema import rules
from tabsynth.schema.types import Kind

RULES = Path(__file__).parents[1] / "examples" / "rules"
"""A schema file for each table, with its rules and the columns they read."""
TABLES = {
    "fleet_insurance_pg16": ("policy.parquet", ("PolicyID", "LicNb")),
    "support2": ("support2.csv.gz", ("sno",)),
    "berka": ("loan.csv.gz", ("loan_id", "account_id")),
    "flchain": ("flchain.csv.gz", ()),
    "health_insurance_eu": ("health_insurance_eu.parquet", ("id_anon",)),
    "acs_income_2018": ("acs_income_2018.parquet", ()),
    "beijing_pm25": ("beijing_pm25.csv.gz", ("No",)),
    "motor_insurance_pg17": (
        "policy.parquet",
        ("id_client", "id_policy", "id_vehicle", "id_year", "pol_insee_code"),
    ),
}
_MILLION = 1_000_000


def read(path: Path, without: tuple[str, ...]) -> pl.DataFrame:
    frame = (
        pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    )
    return frame.drop(without)


def with_rules(name: str) -> tabsynth.TableSchema:
    """The one table with rules of a table's file."""
    tables = tabsynth.read_schema(RULES / f"{name}.yaml").tables
    (found,) = (table for table in tables if table.constraints)
    return found


def schema_of(train: pl.DataFrame, stated: tabsynth.TableSchema) -> tabsynth.TableSchema:
    """A draft of train; columns that `stated` takes for another kind are of that."""
    schema = tabsynth.draft_schema(train, name="table").only_table
    for column in stated.columns:
        cells = train[column.name]
        if schema[column.name].kind is not column.kind:
            schema = schema.with_column(
                replace(
                    schema[column.name],
                    kind=column.kind,
                    categories=None,
                    bounds=(cells.min(), cells.max()),
                )
            )
    return replace(schema, primary_key=())


def dated(rows: pl.DataFrame, schema: tabsynth.TableSchema) -> pl.DataFrame:
    """Rows with days that are stored as text as days, so that they are scored as times."""
    texts = [c for c in schema.columns if c.kind is Kind.DATE and c.dtype == "string"]
    return rows.with_columns(pl.col(column.name).str.to_date(column.format) for column in texts)


def scored(rows: pl.DataFrame, folder: Path, scorer: list[str]) -> dict[str, float]:
    """The errors of rows beside train.parquet and holdout.parquet of the folder."""
    rows.write_parquet(folder / "synthetic.parquet")
    files = [str(folder / f"{name}.parquet") for name in ("train", "holdout", "synthetic")]
    done = subprocess.run([*scorer, *files], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    return {name: found[name] for name in found if name.startswith(("shape_err", "trend_err"))}


def own_scores(rows: pl.DataFrame, train: pl.DataFrame) -> dict[str, float]:
    """Shape and trend error of rows beside train, in per cent."""
    cut = {name: _edges(train[name]) for name in train.columns if _is_number(train[name])}
    shapes = [_shape(train[name], rows[name], is_number=name in cut) for name in train.columns]
    codes = [
        (_codes(pl.concat([train[name], rows[name]]), cut.get(name)), train.height) for name in train.columns
    ]
    trends = []
    for (one, n), (other, _) in combinations(codes, 2):
        both = one * (int(other.max()) + 1) + other
        size = int(both.max()) + 1
        of_train, of_rows = (np.bincount(part, minlength=size) / len(part) for part in (both[:n], both[n:]))
        trends.append(np.abs(of_train - of_rows).sum() / 2)
    return {"shape_err": 100 * float(np.mean(shapes)), "trend_err": 100 * float(np.mean(trends))}


def _is_number(cells: pl.Series) -> bool:
    return (cells.dtype.is_numeric() or cells.dtype.is_temporal()) and cells.n_unique() > 20


def _edges(cells: pl.Series) -> np.ndarray:
    return np.unique(np.nanquantile(_numbers(cells), np.linspace(0, 1, 11)[1:-1]))


def _numbers(cells: pl.Series) -> np.ndarray:
    return cells.to_physical().cast(pl.Float64).fill_null(np.nan).to_numpy()


def _shape(train: pl.Series, rows: pl.Series, *, is_number: bool) -> float:
    if not is_number:
        n, codes = len(train), _codes(pl.concat([train, rows]), None)
        size = int(codes.max()) + 1
        shares = [np.bincount(part, minlength=size) / len(part) for part in (codes[:n], codes[n:])]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)
    sides = [np.sort(values[~np.isnan(values)]) for values in (_numbers(train), _numbers(rows))]
    every = np.unique(np.concatenate(sides))
    ends = [np.searchsorted(side, every, side="right") / max(len(side), 1) for side in sides]
    return float(np.abs(ends[0] - ends[1]).max())


def _codes(cells: pl.Series, edges: np.ndarray | None) -> np.ndarray:
    if edges is None:
        return cells.cast(pl.String).rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    values = _numbers(cells)
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))


def measured(
    train: pl.DataFrame,
    schema: tabsynth.TableSchema,
    stated: tuple[rules.AnyRule, ...],
    *,
    engine: str,
    n_samples: int,
    score: Callable[[pl.DataFrame], dict[str, float]],
) -> tuple[tabsynth.FittedPipeline, dict[str, object]]:
    """A fit and its samples: seconds of the fit and of a sample on average, and what is wrong with the rows."""
    fit_seconds: list[float] = []
    while not fit_seconds or (sum(fit_seconds) < 1 and len(fit_seconds) < 10):  # one fit of 30 ms says little
        start = time.process_time()
        fitted = tabsynth.fit(train, schema=schema, engine=engine, privacy=tabsynth.NO_PRIVACY)
        fit_seconds.append(time.process_time() - start)
    sample_seconds: list[float] = []
    scores, counted = [], {}
    for seed in range(1, n_samples + 1):
        start = time.process_time()
        rows, outcomes = fitted.sample_reported(train.height, seed=seed)
        sample_seconds.append(time.process_time() - start)
        scores.append(score(rows))
        for one in constraints_of(schema.with_constraints(*stated)):
            title = rules.title_of(one.rule)
            counted[title] = counted.get(title, 0) + int(one.violations(rows).sum()) / n_samples
    return fitted, {
        "seconds": {"fit": round(mean(fit_seconds), 3), "sample": round(mean(sample_seconds), 3)},
        "score": {name: round(mean(one[name] for one in scores), 4) for name in scores[0]},
        "violations": {title: round(n, 1) for title, n in counted.items()},
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


def broken(rows: pl.DataFrame, schema: tabsynth.TableSchema) -> dict[str, int]:
    return {rules.title_of(one.rule): int(one.violations(rows).sum()) for one in constraints_of(schema)}


def million(fitted: tabsynth.FittedPipeline, train: pl.DataFrame, engine: str) -> dict[str, object]:
    """Violations in a million rows, counted anew; where a key has room for fewer, in that many, and without the key."""
    start = time.process_time()
    try:
        rows = fitted.sample(_MILLION, seed=2)
    except TabsynthError as error:
        room = int(re.search(r"room for ([\d,]+) rows", str(error))[1].replace(",", ""))
        others = tuple(rule for rule in fitted.schema.constraints if not isinstance(rule, rules.Unique))
        free = replace(fitted.schema, constraints=others)
        without = tabsynth.fit(train, schema=free, engine=engine, privacy=tabsynth.NO_PRIVACY)
        return {
            "error": str(error),
            "rows": room,
            "violations": broken(fitted.sample(room, seed=2), fitted.schema),
            "without_key": million(without, train, engine),
        }
    return {
        "rows": _MILLION,
        "violations": broken(rows, fitted.schema),
        "cpu": round(time.process_time() - start, 2),
    }


def measure(path: Path, name: str, scorer: list[str], engine: str, n_samples: int) -> dict[str, object]:
    stated = with_rules(name)
    frame = read(path / TABLES[name][0], TABLES[name][1])
    train, holdout = tabsynth.split(frame, seed=1)
    schema = schema_of(train, stated)
    real = dated(train, schema)
    found: dict[str, object] = {"rows": train.height, "columns": train.width, "samples": n_samples}
    few = train.head(300)  # so that the first fit does not pay for loading the engine
    tabsynth.fit(few, schema=schema, engine=engine, privacy=tabsynth.NO_PRIVACY).sample(10, seed=1)

    def score(rows: pl.DataFrame) -> dict[str, float]:
        rows = dated(rows, schema)
        return scored(rows, folder, scorer) if scorer else own_scores(rows, real)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        real.write_parquet(folder / "train.parquet")
        dated(holdout, schema).write_parquet(folder / "holdout.parquet")
        if not scorer:
            found["holdout"] = score(holdout)
        for part, used in (("without", schema), ("with", schema.with_constraints(*stated.constraints))):
            fitted, found[part] = measured(
                train,
                used,
                stated.constraints,
                engine=engine,
                n_samples=n_samples,
                score=score,
            )
    return {**found, "million": million(fitted, train, engine)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer")
    parser.add_argument("--peer-python")
    parser.add_argument("--engine", default="bayesian_network")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("names", nargs="*", default=list(TABLES))
    arguments = parser.parse_args()
    scorer = [arguments.peer_python, arguments.scorer] if arguments.scorer else []
    found = {}
    for name in arguments.names:
        found[name] = measure(arguments.data / name, name, scorer, arguments.engine, arguments.samples)
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
