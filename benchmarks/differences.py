"""What lies between two columns: stays, payments of bills, ages at an event, by engine and beside the real holdout.

    python -m benchmarks.differences --data DIR [--products PY --product mostly ... --minutes 10] [--seeds 1] [--out FILE.json] [NAME...]

Half of the rows (at most 50,000 of a table) is fitted, without privacy and without rules, and as many rows are sampled. Of each pair, told by what the columns mean and
not by the engine: the distance of the distributions of the difference from train's (Kolmogorov and Smirnov, of rows that have both), the share of rows in which both are equal, and of those in which they are out
of the order that every row of train keeps. `floor` is what the other half of the rows has.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import ks_2samp

import tabsynth
from benchmarks.trees import halves, keep, product
from tabsynth.constraints.cells import number

Pair = tuple[str, str]
MOST_ROWS = 100_000
TABLES: dict[str, tuple[str, tuple[Pair, ...]]] = {
    "fleet_insurance_pg16": ("fleet_insurance_pg16/policy.parquet", (("BeginDate", "EndDate"),)),
    "support2": ("support2/support2.csv.gz", (("dnrday", "slos"), ("slos", "d.time"), ("surv6m", "surv2m"))),
    "motor_insurance_pg17": (
        "motor_insurance_pg17/policy.parquet",
        (("drv_age_lic1", "drv_age1"), ("drv_age_lic2", "drv_age2")),
    ),
    "credit_default": (
        "credit_default/credit_default.csv.gz",
        tuple((f"pay_amt{month}", f"bill_amt{month + 1}") for month in range(1, 6)),
    ),
    "nycflights13": (
        "nycflights13/flights.parquet",
        (("sched_dep_time", "dep_time"), ("sched_arr_time", "arr_time")),
    ),
}
ENGINES: dict[str, tuple[str, dict[str, Any]]] = {
    "independent": ("independent", {}),
    "gaussian_copula": ("gaussian_copula", {}),
    "bayesian_network": ("bayesian_network", {}),
    "sequential_trees, without differences": ("sequential_trees", {"differences": False}),
    "sequential_trees": ("sequential_trees", {}),
}


def tables_of(name: str, data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout, of the columns that an engine learns; dates and numbers that stand there as text are such."""
    train, holdout = halves(data / TABLES[name][0], None, 0)
    train, holdout = (part.head(MOST_ROWS // 2) for part in (train, holdout))
    columns = [
        column for column in tabsynth.draft_schema(train).only_table.columns if column.kind.is_modelled
    ]
    cells = [
        number(column).alias(column.name) if column.kind.is_continuous else pl.col(column.name)
        for column in columns
    ]
    return train.select(cells), holdout.select(cells)


def between(rows: pl.DataFrame, pair: Pair) -> npt.NDArray[np.float64]:
    """What the second column is above the first, where there are both; to a millionth, so that equal decimals are equal."""
    one, other = (rows[name].to_physical().cast(pl.Float64, strict=False) for name in pair)
    return (other - one).drop_nulls().round(6).to_numpy()


def like(train: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose dates a product gave back as texts or moments."""
    dates = [name for name, dtype in train.schema.items() if dtype == pl.Date]
    as_text = [pl.col(name).cast(pl.String).str.slice(0, 10) for name in dates]
    return rows.with_columns(cells.str.to_date(strict=False) for cells in as_text)


def told(train: pl.DataFrame, rows: pl.DataFrame, pairs: tuple[Pair, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        real, made = between(train, pair), between(rows, pair)
        is_broken = made < 0 if (real >= 0).all() else made > 0 if (real <= 0).all() else np.zeros(1)
        found[" to ".join(pair)] = {
            "distance": round(float(ks_2samp(real, made, method="asymp").statistic), 4),
            "equal": round(float(np.mean(made == 0)), 4),
            "out_of_order": round(float(np.mean(is_broken)), 4),
        }
    return found


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    train, holdout = tables_of(name, arguments.data)
    pairs = TABLES[name][1]
    run: dict[str, Any] = {"table": name, "rows": train.height, "train": told(train, train, pairs)}
    run["floor"] = told(train, holdout, pairs)
    schema = tabsynth.draft_schema(train)
    for title, (engine, settings) in ENGINES.items():
        run[title] = []
        for seed in range(arguments.seeds):
            model = tabsynth.fit(
                train,
                schema=schema,
                engine=engine,
                settings=settings,
                privacy=tabsynth.NO_PRIVACY,
                seed=seed,
            )
            run[title].append(told(train, model.sample(train.height, seed=seed), pairs))
    for engine in arguments.product:
        with tempfile.TemporaryDirectory() as folder:
            train.write_parquet(Path(folder) / "train.parquet")
            done = product(engine, Path(folder), arguments)
            if "failure" not in done:
                rows = like(train, pl.read_parquet(Path(folder) / "synthetic.parquet"))
                done |= told(train, rows, pairs)
            run[engine] = [done]
    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--products")
    parser.add_argument("--product", action="append", default=[])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--stop", type=float, default=30.0, help="minutes after which a product is stopped")
    parser.add_argument("--out", type=Path)
    parser.add_argument("tables", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    keep((measure(name, arguments) for name in arguments.tables or TABLES), arguments.out)


if __name__ == "__main__":
    main()
