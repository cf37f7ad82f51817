"""Figures whose definitions agree with SDMetrics', and scikit-learn's, computed by both on a real table.

    python -m benchmarks.metrics_oracles TRAIN HOLDOUT SCHEMA --peer-python PY [--rows N] [--out FILE.json]

The holdout stands in the place of the synthetic table. Written down: the largest absolute difference of each
figure over all columns or pairs that both define, and how many those are. Number columns with nulls or special
values are left out of shapes and correlations: SDMetrics drops the nulls that our shape counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

from tabsynth.encode import encode_table
from tabsynth.evaluate.run import compute_safely
from tabsynth.metrics.base import EvalData
from tabsynth.metrics.fidelity_columns import ColumnFidelity
from tabsynth.metrics.fidelity_pairs import PairFidelity
from tabsynth.metrics.intervals import delong_auc
from tabsynth.metrics.mmd import block_mmd, median_square
from tabsynth.metrics.proximity import Space
from tabsynth.metrics.sampling import draw_rows
from tabsynth.randomness import Streams
from tabsynth.schema import read_schema
from tabsynth.table import Table

PEER = Path(__file__).parent / "peers" / "sdmetrics_figures.py"
Figures = dict[str, dict[str, float]]


def ours(data: EvalData) -> dict[tuple[str, ...], float]:
    """Every figure with columns, by (metric, *columns)."""
    results = (
        row
        for metric in (ColumnFidelity(), PairFidelity())
        for row in compute_safely(metric, data, streams=Streams(0))
    )
    return {(row.metric, *row.columns): row.value for row in results if row.columns and row.value is not None}


def compare(
    found: dict[tuple[str, ...], float], peer: dict[str, Figures], plain: set[str]
) -> dict[str, object]:
    """The largest difference of each figure over the columns and pairs that both define."""
    known = {"shape": ("shape_error", 1), "null": ("null_rate_error", 1), "range": ("range_coverage", 0)}
    known |= {"levels": ("category_coverage", 0), "joint": ("pair_tvd", 1)}
    known |= {"pearson": ("pearson_difference", 1), "spearman": ("spearman_difference", 1)}
    apart: defaultdict[str, list[float]] = defaultdict(list)
    for subject, scores in {**peer["columns"], **peer["pairs"]}.items():
        names = tuple(subject.split("|"))
        for figure, score in scores.items():
            metric, is_complement = known[figure]
            if not set(names) <= plain or (metric, *names) not in found or np.isnan(score):
                continue
            theirs = 1 - score if is_complement else score
            if figure in ("pearson", "spearman"):
                theirs *= 2  # SDMetrics halves the difference
            apart[metric].append(abs(found[metric, *names] - theirs))
    return {name: {"n": len(gaps), "largest_difference": max(gaps)} for name, gaps in apart.items()}


def against_sklearn(data: EvalData) -> dict[str, object]:
    """MMD² against scikit-learn's kernel on one block; the AUC against its own."""
    rng = np.random.default_rng(0)
    space = Space.of(data.encoded_train, (data.encoded_train, data.encoded_holdout))
    x, y = (
        space.embed(draw_rows(table, 1_000, rng)).astype(np.float64)
        for table in (data.encoded_train, data.encoded_holdout)
    )
    width, n = median_square(x), 200
    mine = block_mmd(x, y, width=width, block=n).blocks
    theirs = []
    for k in range(len(mine)):
        a, b = x[n * k : n * (k + 1)], y[n * k : n * (k + 1)]
        kernels = [rbf_kernel(*pair, gamma=1 / (2 * width)) for pair in ((a, a), (b, b), (a, b))]
        means = [(kernel.sum() - np.trace(kernel)) / (n * (n - 1)) for kernel in kernels]
        theirs.append(means[0] + means[1] - 2 * means[2])
    scores, labels = rng.integers(0, 50, 2_000).astype(float), rng.integers(0, 2, 2_000)
    auc = delong_auc(scores[labels == 1], scores[labels == 0]).value
    return {
        "mmd_squared": {"n": len(mine), "largest_difference": float(np.abs(mine - theirs).max())},
        "auc": {"n": 1, "largest_difference": abs(auc - float(roc_auc_score(labels, scores)))},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("train", "holdout", "schema"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    schema = read_schema(options.schema).only_table
    tables = [
        Table.conform(pl.read_parquet(path).select(schema.column_names).head(options.rows), schema)
        for path in (options.train, options.holdout)
    ]
    train, holdout = tables
    encoded = [encode_table(table) for table in tables]
    data = EvalData(
        synthetic=holdout,
        train=train,
        holdout=holdout,
        encoded_synthetic=encoded[1],
        encoded_train=encoded[0],
        encoded_holdout=encoded[1],
    )
    kinds = {
        name: "number" if column.variable.is_continuous else "level"
        for name, column in encoded[0].columns.items()
    }
    plain = {
        name
        for name, kind in kinds.items()
        if kind == "level" or not any(table.columns[name].codes.any() for table in encoded)
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("train.parquet", "synthetic.parquet", "kinds.json")]
        for table, path in zip(tables, paths, strict=False):
            table.frame.select(list(kinds)).write_parquet(path)
        paths[2].write_text(json.dumps(kinds))
        done = subprocess.run([options.peer_python, PEER, *paths], check=True, capture_output=True, text=True)
    peer = json.loads(done.stdout.splitlines()[-1])
    found = {
        "rows": [train.n_rows, holdout.n_rows],
        "sdmetrics": peer["version"],
        "against_sdmetrics": compare(ours(data), peer, plain),
        "against_scikit_learn": against_sklearn(data),
    }
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
