"""How fast the neural engines train on this machine's device: rows a second, seconds of a whole fit, and memory.

    python benchmarks/gan_device.py [--data DIR] [--device auto] [--epochs 300] [--batch 2000] [--rows N]
        [--engines dp_ctgan ctgan tvae] [--precisions float32 bfloat16] [--at-once 512 2000]
        [--marginal-steps N] [--threads 1] [--out FILE.json]

The defaults are what is asked of a GPU: Adult's 24,403 rows, 300 epochs at 2,000 rows a step, in less than two minutes. DIR holds
train.parquet of Adult, halved; without it rows are drawn from its public domain, evenly, which takes as long and
learns nothing. `dp_ctgan` (ε = 3, δ = 1e-5) has no epochs: it makes as many steps as its expected samples need to hold the rows so many times,
once for each precision and each number of rows at once. Seconds are the clock's. Rows a second are real rows in the
critic's steps, or in epochs; what is before them (counts, cells) counts towards the whole fit alone. Memory is
the most that torch had in use on the GPU. Needs the package and its extra `gan`, nothing else.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from private_tables import schema_of

import tabsynth
from tabsynth.models.neural.devices import chosen_device
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.types import Column

ROWS = 24_403
TRAINED = {"dp_ctgan": "critic:", "ctgan": "epoch", "tvae": "epoch"}  # what a stage of training is called
Figures = dict[str, Any]


def drawn(column: Column, n: int, rng: np.random.Generator) -> pl.Series:
    if column.categories is not None:
        cells = [column.categories[k] for k in rng.integers(0, len(column.categories), n)]
        return pl.Series(column.name, cells).cast(polars_dtype(column))
    assert column.bounds is not None
    low, high = (float(bound) for bound in column.bounds)
    return pl.Series(column.name, np.floor(rng.uniform(low, high, n))).cast(polars_dtype(column))


def table_of(arguments: argparse.Namespace) -> pl.DataFrame:
    columns = schema_of("adult_half").only_table.columns
    if arguments.data:
        read = pl.read_parquet(arguments.data / "train.parquet").head(arguments.rows)
        return read.select(column.name for column in columns)
    rng = np.random.default_rng(0)
    return pl.DataFrame([drawn(column, arguments.rows, rng) for column in columns])


def timed(
    table: pl.DataFrame, engine: str, settings: Figures, device: torch.device, *, seen: float
) -> Figures:
    """One fit, in which `seen` real rows are trained on."""
    privacy = tabsynth.Budget(epsilon=3.0, delta=1e-5) if engine == "dp_ctgan" else tabsynth.NO_PRIVACY
    began: list[float] = []

    def progress(stage: str, _share: float) -> None:
        if stage.startswith(TRAINED[engine]):
            began.append(time.perf_counter())

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    tabsynth.fit(
        table,
        schema=schema_of("adult_half"),
        engine=engine,
        settings=settings | {"device": device.type},
        privacy=privacy,
        progress=progress,
    )
    end = time.perf_counter()
    found: Figures = {
        "settings": settings,
        "fit_s": round(end - start, 2),
        "training_s": round(end - began[0], 2),
        "rows_a_second": round(seen / (end - began[0])),
    }
    if device.type == "cuda":
        found["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return found


def planned(arguments: argparse.Namespace) -> list[tuple[str, Figures, float]]:
    """Engine, settings, and the real rows that are seen."""
    runs: list[tuple[str, Figures, float]] = []
    for engine in arguments.engines:
        basis: Figures = {"threads": arguments.threads}
        if engine != "dp_ctgan":
            basis |= {"epochs": arguments.epochs, "batch_size": arguments.batch}
            runs.append((engine, basis, arguments.epochs * arguments.rows))
            continue
        rate = min(arguments.batch / arguments.rows, 1.0)
        basis |= {"steps": max(round(arguments.epochs / rate), 1), "sampling_rate": round(rate, 6)}
        basis |= {} if arguments.marginal_steps is None else {"marginal_steps": arguments.marginal_steps}
        runs += [
            (
                engine,
                basis | {"precision": precision, "most_at_once": at_once},
                arguments.epochs * arguments.rows,
            )
            for precision in arguments.precisions
            for at_once in arguments.at_once
        ]
    return runs


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--engines", nargs="+", choices=list(TRAINED), default=list(TRAINED))
    parser.add_argument(
        "--precisions", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"]
    )
    parser.add_argument("--at-once", type=int, nargs="+", default=[512, 2000])
    parser.add_argument("--marginal-steps", type=int, help="of dp_ctgan; fewer for a trial")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    device = chosen_device(arguments.device)
    table = table_of(arguments)
    arguments.rows = table.height
    runs: list[Figures] = []
    found: Figures = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rows": table.height,
        "columns": table.width,
        "is_real": arguments.data is not None,
        "epochs": arguments.epochs,
        "batch": arguments.batch,
        "runs": runs,
    }
    for engine, settings, seen in planned(arguments):
        runs.append({"engine": engine, **timed(table, engine, settings, device, seen=seen)})
        print(json.dumps(runs[-1]), flush=True)
        if arguments.out:  # after each, so that a limit on time takes the last one alone
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
