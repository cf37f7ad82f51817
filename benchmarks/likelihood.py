"""Membership attacks by likelihood ratio beside the others of the battery: areas with intervals, and CPU seconds.

    nice -n 15 python -m benchmarks.likelihood --data DIR [--out benchmarks/results/likelihood.json]

DIR holds train.parquet and holdout.parquet of Adult, halved. Each engine is fitted to 1,000 rows of train and to
all of it, and releases as many rows. Members are train rows; non-members, and the reference that the attacker
has, are thirds of the holdout. "cliques of the model" is told which columns the model joins.
"""

from __future__ import annotations

import argparse
import json
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import tabsynth
from tabsynth.audit.attacks import Attacker
from tabsynth.audit.split import stack
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.metrics.intervals import delong_auc
from tabsynth.models.explicit import ExplicitModel
from tabsynth.privacy import Budget
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

SCHEMA = Path(__file__).parent / "schemas/adult_half.yaml"
RELEASES: tuple[tuple[str, float | None], ...] = (
    ("bayesian_network", None),
    ("bayesian_network", 10.0),
    ("bayesian_network", 1.0),
    ("gaussian_copula", None),
)
MOST = 8_000


def cpu() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def areas(scores: dict[str, npt.NDArray[np.float64]], n_members: int) -> dict[str, list[float]]:
    found = {}
    for name, score in scores.items():
        auc = delong_auc(score[:n_members], score[n_members:])
        found[name] = [round(value, 4) for value in (auc.value, *(auc.interval or (0.0, 1.0)))]
    return found


def of_size(train: pl.DataFrame, holdout: pl.DataFrame, schema: TableSchema) -> list[dict[str, Any]]:
    def encoded(frame: pl.DataFrame) -> EncodedTable:
        return encode_table(Table.conform(frame, schema))

    third = holdout.height // 3
    members, others = encoded(train[:MOST]), encoded(holdout[:third][:MOST])
    candidates, reference = stack([members, others]), encoded(holdout[third : 2 * third])
    attacker = Attacker.of(candidates, reference, seed=0)
    lines = []
    for engine, epsilon in RELEASES:
        privacy = tabsynth.NO_PRIVACY if epsilon is None else Budget(epsilon=epsilon)
        fitted = tabsynth.fit(train, schema=schema, engine=engine, privacy=privacy)
        release = encoded(fitted.sample(train.height, seed=1))
        began = cpu()
        scores = attacker.scores(release)
        whole = cpu() - began
        seconds = {"battery": round(whole, 2)}
        for name, attack in (
            ("generative", attacker.likelihood.generative),
            ("cliques", attacker.likelihood.of_cliques),
        ):
            began = cpu()
            attack(release)
            seconds[name] = round(cpu() - began, 2)
        if isinstance(fitted.model, ExplicitModel):
            joined = tuple(edge.columns for edge in fitted.model.edges())
            told = replace(attacker.likelihood, cliques=joined)
            scores["cliques of the model"] = told.of_cliques(release)
        lines.append(
            {
                "engine": engine,
                "epsilon": epsilon,
                "train": train.height,
                "members": members.n_rows,
                "non_members": others.n_rows,
                "auc": areas(scores, members.n_rows),
                "cpu_seconds": seconds,
            }
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/likelihood.json"))
    asked = parser.parse_args()
    schema = tabsynth.read_schema(SCHEMA).only_table
    train, holdout = (
        pl.read_parquet(asked.data / f"{name}.parquet").sample(fraction=1, shuffle=True, seed=0)
        for name in ("train", "holdout")
    )
    lines = []
    for n in (1_000, train.height):
        lines += of_size(train[:n], holdout, schema)
        asked.out.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
