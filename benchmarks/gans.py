"""Our `ctgan` and `tvae` beside those of the ctgan package, at equal epochs in one run.

    python benchmarks/gans.py --data DIR --peer-python PY --epochs 10 [--engines ctgan tvae] [--seed 1] [--keep FOLDER] [--out FILE.json]

DIR holds train.parquet and holdout.parquet of Adult, halved. PY has the ctgan package 0.12.1. Everything runs on one
thread, one after the other, each fit in a process of its own; seconds are those of the processor. `--parts` also fits
ours without its last step's company: without pairs, by frequencies instead of logarithms, with other cells and packs.
`--keep` leaves the rows in a folder, for other scorers.

Measured here: the shape error as SDMetrics defines it (mean of Kolmogorov-Smirnov and total variation distances of columns
to the real rows, in per cent); 1- and 2-way total variation to the holdout, in deciles or levels; C2ST and TSTR by
LightGBM with 100 trees; and of every column of levels its rarest one with 50 rows or more: its share, real and made.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import tabsynth

PEER = Path(__file__).parent / "peers" / "ctgan_fit.py"
TARGET, WANTED = "income", ">50K"
FEWEST, RAREST = 50, 0.05
PARTS: dict[str, tuple[str, dict[str, object]]] = {
    "ctgan, pair_weight=0": ("ctgan", {"pair_weight": 0.0}),
    "ctgan, exposure=frequency": ("ctgan", {"exposure": "frequency"}),
    "ctgan, number_cells=12": ("ctgan", {"number_cells": 12}),
    "ctgan, pac=1": ("ctgan", {"pac": 1}),
}


def is_number(real: pl.DataFrame, name: str) -> bool:
    return real[name].dtype.is_numeric() and real[name].n_unique() > 20


def levels(cells: pl.Series) -> np.ndarray:
    return cells.cast(pl.String).fill_null("∅").to_numpy().astype(str)


def variation(one: np.ndarray, two: np.ndarray) -> float:
    p, q = Counter(one.tolist()), Counter(two.tolist())
    return sum(abs(p[cell] / len(one) - q[cell] / len(two)) for cell in p.keys() | q.keys()) / 2


def smirnov(one: np.ndarray, two: np.ndarray) -> float:
    at = np.unique(np.r_[one, two])
    below = [np.searchsorted(np.sort(values), at, side="right") / len(values) for values in (one, two)]
    return float(np.abs(below[0] - below[1]).max())


def shape_error(real: pl.DataFrame, made: pl.DataFrame) -> float:
    found = [
        smirnov(real[name].to_numpy(), made[name].to_numpy())
        if is_number(real, name)
        else variation(levels(real[name]), levels(made[name]))
        for name in real.columns
    ]
    return 100 * float(np.mean(found))


def binned(frame: pl.DataFrame, real: pl.DataFrame) -> list[np.ndarray]:
    found = []
    for name in real.columns:
        if is_number(real, name):
            edges = np.unique(np.quantile(real[name].to_numpy(), np.linspace(0, 1, 11)))[1:-1]
            found.append(np.searchsorted(edges, frame[name].to_numpy(), side="right").astype(str))
        else:
            found.append(levels(frame[name]))
    return found


def coded(frames: list[pl.DataFrame]) -> pd.DataFrame:
    both = pl.concat(frames).to_pandas()
    return both.apply(
        lambda cells: cells if pd.api.types.is_numeric_dtype(cells) else cells.astype("category")
    )


def learner() -> lightgbm.LGBMClassifier:
    return lightgbm.LGBMClassifier(n_estimators=100, verbose=-1, n_jobs=1)


def c2st(holdout: pl.DataFrame, made: pl.DataFrame, n: int = 10_000) -> float:
    table = coded([holdout.sample(n, seed=1), made.sample(n, seed=1)])
    is_made = np.repeat([0, 1], n)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    said = cross_val_predict(learner(), table, is_made, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(is_made, said))


def tstr(holdout: pl.DataFrame, made: pl.DataFrame) -> float:
    table = coded([made, holdout])
    wanted = (table.pop(TARGET).astype(str) == WANTED).to_numpy()
    model = learner().fit(table[: made.height], wanted[: made.height])
    return float(roc_auc_score(wanted[made.height :], model.predict_proba(table[made.height :])[:, 1]))


def rare_shares(real: pl.DataFrame, made: pl.DataFrame) -> dict[str, list[float]]:
    """Of every column of levels its rarest one with enough rows: its share, real and made."""
    found = {}
    for name in real.columns:
        cells = levels(real[name])
        counts = [(n, level) for level, n in Counter(cells.tolist()).items() if n >= FEWEST]
        if len(set(cells)) <= FEWEST and counts and min(counts)[0] < RAREST * len(cells):
            n, level = min(counts)
            found[f"{name}={level}"] = [n / len(cells), float((levels(made[name]) == level).mean())]
    return found


def measures(
    real: pl.DataFrame, holdout: pl.DataFrame, made: pl.DataFrame, *, has_c2st: bool = True
) -> dict[str, object]:
    one, two = binned(holdout, real), binned(made, real)
    joined = [
        (np.char.add(one[i], one[j]), np.char.add(two[i], two[j]))
        for i, j in combinations(range(len(one)), 2)
    ]
    rare = rare_shares(real, made)
    return {
        "shape_error": shape_error(real, made),
        "tvd1": float(np.mean([variation(a, b) for a, b in zip(one, two, strict=True)])),
        "tvd2": float(np.mean([variation(a, b) for a, b in joined])),
        "c2st": c2st(holdout, made) if has_c2st else float("nan"),
        "tstr": tstr(holdout, made),
        "rare": rare,
        "largest_factor": max(drawn / share for share, drawn in rare.values()),
    }


def ours(data: Path, engine: str, settings: dict[str, object], seed: int, out: Path) -> dict[str, object]:
    train = pl.read_parquet(data / "train.parquet")
    schema = tabsynth.draft_schema(train)
    start, cpu = time.perf_counter(), time.process_time()
    model = tabsynth.fit(
        train, schema=schema, engine=engine, settings=settings, privacy=tabsynth.NO_PRIVACY, seed=seed
    )
    found = {"fit_cpu_s": time.process_time() - cpu, "fit_s": time.perf_counter() - start}
    model.sample(train.height, seed=seed).write_parquet(out)
    return found


def last_line(*command: object) -> dict[str, object]:
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def keep(made: Path, arguments: argparse.Namespace, name: str) -> None:
    if arguments.keep:
        arguments.keep.mkdir(exist_ok=True)
        shutil.copy(made, arguments.keep / f"{name}_{arguments.epochs}_{arguments.seed}.parquet")


def main() -> None:
    if sys.argv[1:2] == ["fit"]:
        _, _, data, engine, settings, seed, out = sys.argv
        print(json.dumps(ours(Path(data), engine, json.loads(settings), int(seed), Path(out))))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--engines", nargs="+", default=["ctgan", "tvae"])
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    train = pl.read_parquet(arguments.data / "train.parquet")
    holdout = pl.read_parquet(arguments.data / "holdout.parquet").select(train.columns)
    runs = {name: (name, dict[str, object]()) for name in arguments.engines}
    runs |= PARTS if arguments.parts else {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "made.parquet"
        for engine in arguments.engines:
            told = last_line(
                arguments.peer_python,
                PEER,
                engine,
                arguments.data / "train.parquet",
                out,
                arguments.epochs,
                arguments.seed,
            )
            keep(out, arguments, f"package {engine}")
            found[f"package {engine}"] = told | measures(train, holdout, pl.read_parquet(out))
        for name, (engine, settings) in runs.items():
            basis = {"epochs": arguments.epochs, "threads": 1, "device": "cpu"} | settings
            told = last_line(
                sys.executable,
                __file__,
                "fit",
                arguments.data,
                engine,
                json.dumps(basis),
                arguments.seed,
                out,
            )
            keep(out, arguments, name)
            found[name] = told | {"settings": basis} | measures(train, holdout, pl.read_parquet(out))
            print(name, found[name], file=sys.stderr, flush=True)
    text = json.dumps(
        {"epochs": arguments.epochs, "seed": arguments.seed, "rows": train.height, "runs": found},
        indent=1,
        sort_keys=True,
    )
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
