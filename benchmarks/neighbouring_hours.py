"""How much of beijing_pm25's utility is neighbouring hours: a model of `pm2.5` tested on hours of the days that it was trained on, or of others.

    python -m benchmarks.neighbouring_hours --data DIR [--seeds 2] [--out FILE.json]

Real rows alone. The table is hourly, and a holdout of random rows has the hour before and after each of its own in train; held out by
day, week or month it has not. R² of the independent scorer's learner (LightGBM), on the holdout.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import polars as pl
from sklearn.metrics import r2_score

from benchmarks.target_ceiling import LEARNER
from tabsynth.pipeline import split_rows

TARGET = "pm2.5"
_UNITS = {
    "day": pl.format("{}-{}-{}", "year", "month", "day"),
    "week": pl.format("{}-{}", "year", pl.date("year", "month", "day").dt.ordinal_day() // 7),
    "month": pl.format("{}-{}", "year", "month"),
}


def explained(train: pl.DataFrame, holdout: pl.DataFrame, seed: int) -> float:
    """R² on the holdout."""

    levels = sorted(pl.concat([train, holdout])["cbwd"].unique())

    def table(rows: pl.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        coded = rows.drop_nulls(TARGET).to_pandas()
        coded["cbwd"] = pd.Categorical(coded["cbwd"], categories=levels)
        return coded.drop(columns=TARGET), coded[TARGET]

    (rows, labels), (others, wanted) = table(train), table(holdout)
    learner = lgb.LGBMRegressor(**LEARNER, random_state=seed).fit(rows, labels)
    return float(r2_score(wanted, learner.predict(others)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    path = arguments.data / "beijing_pm25" / "beijing_pm25.csv.gz"
    frame = pl.read_csv(path, null_values=[""], infer_schema_length=None).drop("No")
    frame = frame.with_columns(**{f"by {unit}": key for unit, key in _UNITS.items()})
    found = {}
    for unit in ("row", *_UNITS):
        column = None if unit == "row" else f"by {unit}"
        found[unit] = []
        for seed in range(arguments.seeds):
            halves = split_rows(frame, unit=column, holdout=0.5, seed=seed)
            train, holdout = (half.drop([f"by {name}" for name in _UNITS]) for half in halves)
            found[unit].append(round(explained(train, holdout, seed), 4))
    text = json.dumps(
        {"held out by": found, "mean": {k: round(float(np.mean(v)), 3) for k, v in found.items()}}, indent=1
    )
    if arguments.out:
        arguments.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
