"""How long every figure of an evaluation takes, and how much memory the whole needs.

    OMP_NUM_THREADS=1 python -m benchmarks.metrics_seconds TRAIN HOLDOUT SCHEMA --target COL
        [--quasi-identifier COL]... [--sensitive COL]... [--results FILE.json] [--out FILE.json]

The synthetic table has as many rows as train and is drawn from a gaussian_copula without privacy. CPU
seconds are those of the whole process, all threads together, in the evaluation and by family of figures
(named by its first); on idle cores the wall time is below their sum. `peak_mb` is the largest resident set
since the start.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from pathlib import Path

import polars as pl

from tabsynth.evaluate import evaluate
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema import read_schema
from tabsynth.table import Table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("train", "holdout", "schema"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--quasi-identifier", action="append")
    parser.add_argument("--sensitive", action="append")
    parser.add_argument("--results", type=Path, help="keep the results of the evaluation, for a report")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    schema = read_schema(options.schema).only_table
    train, holdout = (
        Table.conform(pl.read_parquet(path).select(schema.column_names), schema)
        for path in (options.train, options.holdout)
    )
    fitted = fit(train, schema=schema, engine="gaussian_copula", privacy=NO_PRIVACY)
    frame = pl.concat(list(fitted.sample_batches(train.n_rows, seed=1)))
    heard: list[tuple[str, float]] = []
    before, started = time.process_time(), time.perf_counter()
    results = evaluate(
        Table.conform(frame, schema),
        train,
        holdout,
        schema=schema,
        target=options.target,
        quasi_identifiers=options.quasi_identifier,
        sensitive=options.sensitive,
        progress=lambda stage, _share: heard.append((stage, time.process_time())),
    )
    found = {
        "train": train.n_rows,
        "holdout": holdout.n_rows,
        "synthetic": frame.height,
        "columns": len(schema.columns),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - before, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "cpu_seconds_by_family": {
            stage: round(then - now, 2) for (stage, now), (_, then) in itertools.pairwise(heard)
        },
    }
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    if options.results:
        results.write_json(options.results, overwrite=True)


if __name__ == "__main__":
    main()
