"""Many levels on both sides: how often a merchant is drawn with the branch that is its own, by `sequential_trees`.

    python -m benchmarks.many_levels

A made table: every merchant belongs to one branch, both as likely as all others. What decides is how many rows a branch has: a leaf has thirty or more.
"""

from __future__ import annotations

import time

import numpy as np
import polars as pl

import tabsynth

CASES = (  # rows, merchants, branches
    (130_000, 100_000, 100),
    (130_000, 100_000, 1_000),
    (200_000, 20_000, 2_000),
    (100_000, 5_000, 1_000),
    (200_000, 10_000, 5_000),
    (130_000, 100_000, 10_000),
)


def sold(n_rows: int, n_merchants: int, n_branches: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    merchant = rng.integers(0, n_merchants, n_rows)
    branch = rng.integers(0, n_branches, n_merchants)[merchant]
    amount = np.round(rng.lognormal(3, 1, n_rows) + merchant % 7 * 10, 2)
    return pl.DataFrame({"merchant": merchant, "branch": branch, "amount": amount}).with_columns(
        pl.format("M{}", "merchant").alias("merchant"), pl.format("B{}", "branch").alias("branch")
    )


def main() -> None:
    print(
        "| rows | merchants | branches | rows of a branch | own branch | seconds |\n|---|---|---|---|---|---|"
    )
    for n_rows, n_merchants, n_branches in CASES:
        frame = sold(n_rows, n_merchants, n_branches)
        start = time.perf_counter()
        model = tabsynth.fit(frame, engine="sequential_trees", privacy=tabsynth.NO_PRIVACY)
        drawn = model.sample(50_000, seed=1)
        seconds = time.perf_counter() - start
        own = dict(frame.select("merchant", "branch").unique().iter_rows())
        share = np.mean([own.get(merchant) == branch for merchant, branch in drawn.select("merchant", "branch").iter_rows()])  # fmt: skip
        print(
            f"| {n_rows:,} | {n_merchants:,} | {n_branches:,} | {n_rows / n_branches:.0f} | {share:.3f} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
