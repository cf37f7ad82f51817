"""The shadow-model attack on five generators: areas on isolated and random records, verdicts, seconds.

    nice -n 10 python -m benchmarks.shadow --data DIR [--only NAME] [--keep DIR] [--out benchmarks/results/shadow.json]

`DIR` holds train.parquet and holdout.parquet of adult_half. Shadow tables have 1,000 rows, as in the literature. The
copier releases a fifth of its rows verbatim among rows of `independent`; the trees are the usual sequence of
classification and regression trees with leaves of 5 that draw the cells of a row of the leaf (synthpop's CART).
`--keep` names a folder for resume files, so that a run that was cut short goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import tabsynth
from tabsynth.audit.shadow import ShadowResults

SCHEMA = "benchmarks/schemas/adult_half.yaml"
ROWS = 1_000
LEAF = 5


def coded(frame: pl.DataFrame) -> np.ndarray:
    """Numbers as they are, levels by rank, -1 for null; shape (n_rows, n_columns)."""
    columns = [
        (column if column.dtype.is_numeric() else column.rank("dense")).cast(pl.Float64).fill_null(-1.0)
        for column in frame
    ]
    return np.column_stack([column.to_numpy() for column in columns])


def sequential_trees(frame: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
    """Each column from a tree over those before it: the cell of a random row of the same leaf."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rng = np.random.default_rng(seed)
    real = coded(frame)
    made = np.empty((n_rows, real.shape[1]))
    donors = rng.integers(0, len(real), n_rows)
    columns = []
    for j, name in enumerate(frame.columns):
        if j > 0:
            is_number = frame[name].dtype.is_numeric()
            tree = (DecisionTreeRegressor if is_number else DecisionTreeClassifier)(
                min_samples_leaf=LEAF, random_state=seed
            ).fit(real[:, :j], real[:, j])
            leaf, asked = tree.apply(real[:, :j]), tree.apply(made[:, :j])
            order = np.argsort(leaf, kind="stable")
            first, last = (np.searchsorted(leaf[order], asked, side=side) for side in ("left", "right"))
            donors = order[first + (rng.random(n_rows) * (last - first)).astype(int)]
        made[:, j] = real[donors, j]
        columns.append(frame[name][donors])
    return pl.DataFrame(columns)


def copier(schema: Any) -> Callable[[pl.DataFrame, int, int], pl.DataFrame]:
    def copy(frame: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
        copies = frame.sample(round(0.2 * n_rows), seed=seed)
        fitted = tabsynth.fit(frame, schema=schema, engine="independent", privacy=tabsynth.NO_PRIVACY)
        rest = fitted.sample(n_rows - copies.height, seed=seed).select(frame.columns)
        return pl.concat([copies, rest.cast(dict(frame.schema))])

    return copy


def generators(schema: Any) -> dict[str, dict[str, Any]]:
    """By name, what `shadow_audit` is asked. The network takes 20 steps, not 200, for time."""
    network = {"engine": "bayesian_network", "settings": {"iterations": 20}}
    exact, private = tabsynth.NO_PRIVACY, tabsynth.Budget(epsilon=1.0, delta=1e-5)
    return {
        "a fifth copied": {"engine": copier(schema), "fits": 200},
        "sequence of trees, leaves of 5": {"engine": sequential_trees, "fits": 200},
        "gaussian_copula, no privacy": {"engine": "gaussian_copula", "privacy": exact, "fits": 200},
        "bayesian_network, no privacy": {**network, "privacy": exact, "fits": 100},
        "bayesian_network, ε = 1": {**network, "privacy": private, "fits": 100},
    }


def figures(results: ShadowResults) -> dict[str, Any]:
    def battery(found: Any) -> dict[str, Any]:
        means = {
            mean.group: {
                "auc": round(mean.auc, 4),
                "interval": [round(end, 4) for end in mean.auc_interval],
                "p": mean.p_value,
                "tpr_at_1": None if (at := mean.at("fpr_1")) is None else round(at.attack.value, 4),
            }
            for mean in found.means
        }
        return {
            **means,
            "p": found.p_value,
            "flagged": found.flagged,
            "records": [round(target.auc, 3) for target in found.targets],
            "records_told": sum(2 * target.p_corrected <= 0.05 for target in found.targets),
        }

    return {
        "outcome": results.outcome.value,
        "fits": results.counts.fits,
        "rows": results.counts.rows,
        "seconds_each": round(results.seconds_each, 3),
        "engine": battery(results.engine),
        "controls": {known.name: battery(known.battery) for known in results.controls},
        "power_of_ten": round(results.power.group, 4),
        "unseen": list(results.verdict.unseen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/shadow.json"))
    asked = parser.parse_args()
    schema = tabsynth.read_schema(SCHEMA).only_table
    train, holdout = (pl.read_parquet(asked.data / f"{name}.parquet") for name in ("train", "holdout"))
    found: dict[str, Any] = json.loads(asked.out.read_text("utf-8")) if asked.out.exists() else {}
    for name, how in generators(schema).items():
        if asked.only and name not in asked.only:
            continue
        began, cpu = time.perf_counter(), time.process_time()
        resume = None if asked.keep is None else asked.keep / f"{name.replace(' ', '_')}.sqlite"
        results = tabsynth.shadow_audit(train, holdout, schema=schema, rows=ROWS, resume=resume, **how)
        found[name] = figures(results) | {
            "wall_seconds": round(time.perf_counter() - began, 1),
            "own_cpu_seconds": round(time.process_time() - cpu, 1),
        }
        asked.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(
            name,
            found[name]["outcome"],
            found[name]["engine"]["isolated"],
            found[name]["engine"]["random"],
            flush=True,
        )


if __name__ == "__main__":
    main()
