"""One million rows by fifteen columns: time and memory of fit and sample.

    python benchmarks/scale.py --data train.parquet [--rows 1000000] [--engine gaussian_copula]

The table is a real one, drawn with replacement; its widest integer column is jittered so that it stays
as hard as an unrepeated one. Peak memory is that of a process of its own, the table included.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

import tabsynth


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", default="gaussian_copula")
    arguments = parser.parse_args()
    small = pl.read_parquet(arguments.data)
    table = small.sample(arguments.rows, with_replacement=True, seed=1)
    widest = max((c for c in table.columns if table[c].dtype.is_integer()), key=lambda c: small[c].n_unique())
    jitter = np.random.default_rng(0).integers(-500, 500, table.height)
    table = table.with_columns(
        (pl.col(widest) + pl.Series(jitter)).clip(small[widest].min(), small[widest].max())
    )
    start = time.perf_counter()
    schema = tabsynth.draft_schema(table)
    drafted = time.perf_counter()
    model = tabsynth.fit(table, schema=schema, engine=arguments.engine, privacy=tabsynth.NO_PRIVACY)
    fitted = time.perf_counter()
    rows = model.sample(arguments.rows, seed=1)
    sampled = time.perf_counter()
    model.sample(100_000, seed=1, where={"sex": "Female", "income": ">50K"})
    print(
        json.dumps(
            {
                "shape": rows.shape,
                "draft_s": round(drafted - start, 2),
                "fit_s": round(fitted - drafted, 2),
                "sample_s": round(sampled - fitted, 2),
                "conditional_100k_s": round(time.perf_counter() - sampled, 2),
                "cpu_s": round(time.process_time(), 2),
                "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
