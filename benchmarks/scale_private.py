"""Ten million rows with differential privacy: seconds and memory of one fit and one sample.

    python benchmarks/scale_private.py --data TRAIN.parquet [--rows 10000000] [--epsilon 1]

TRAIN is Adult, halved, whose rows are drawn with replacement; its domains come from benchmarks/schemas.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import polars as pl

import tabsynth as ts

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--delta", type=float, default=1e-5)
    asked = parser.parse_args()
    schema = ts.read_schema(HERE / "schemas" / "adult_half.yaml")
    frame = pl.read_parquet(asked.data).sample(asked.rows, with_replacement=True, seed=1)
    start = time.perf_counter()
    model = ts.fit(frame, schema=schema, privacy=ts.Budget(epsilon=asked.epsilon, delta=asked.delta))
    fitted = time.perf_counter()
    n_sampled = sum(batch.height for batch in model.sample_batches(asked.rows, seed=0))
    done = time.perf_counter()
    result = {
        "rows": asked.rows,
        "columns": frame.width,
        "epsilon": asked.epsilon,
        "delta": asked.delta,
        "engine": model.engine.name,
        "fit_s": round(fitted - start, 2),
        "sample_s": round(done - fitted, 2),
        "n_sampled": n_sampled,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
    (HERE / "results" / "scale_private.json").write_text(
        json.dumps(result, indent=1) + "\n", encoding="utf-8"
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
