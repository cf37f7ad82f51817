"""Ten generations of every engine on its own output, and of one with fresh real rows in each generation.

    python -m benchmarks.collapse --data DIR [--rows 5000] [--generations 10] [--out FILE.json] [NAME...]

On halved Adult (`--rows` of each half), without privacy but where ε is named: there each generation is fitted with that budget, δ = 1e-6. `half fresh` mixes as many real rows into what sequential_trees is fitted
to as synthetic ones. Results are written after every engine, and a Markdown table is printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import tabsynth
from tabsynth.evaluate.collapse import CollapseResults

TARGET = "income"
ENGINES: dict[str, dict[str, Any]] = {
    "independent": {},
    "gaussian_copula": {},
    "bayesian_network": {},
    "sequential_trees": {},
    "smote": {"target": TARGET},
    "ctgan": {},
    "tvae": {},
}
BUDGETS = {
    "bayesian_network, epsilon 1": ("bayesian_network", 1.0),
    "dp_ctgan, epsilon 10": ("dp_ctgan", 10.0),
}
FRESH = "half fresh"
SHOWN = ("shape_error", "trend_error", "c2st_auc", "tstr_auc", "distinct_combinations")


def half_fresh(
    frame: pl.DataFrame, n_rows: int, seed: int, *, real: pl.DataFrame, schema: Any
) -> pl.DataFrame:
    """`sequential_trees` on half of the generation before and as many real rows."""
    mixed = pl.concat([frame.head(n_rows // 2), real.sample(n_rows - n_rows // 2, seed=seed)])
    fitted = tabsynth.fit(
        mixed, schema=schema, engine="sequential_trees", privacy=tabsynth.NO_PRIVACY, seed=seed
    )
    made: pl.DataFrame = fitted.sample(n_rows, seed=seed)
    return made


def watched(
    name: str, train: pl.DataFrame, holdout: pl.DataFrame, arguments: argparse.Namespace
) -> CollapseResults:
    schema = tabsynth.draft_schema(train)
    named: dict[str, Any] = {"engine": name, "settings": ENGINES.get(name), "privacy": tabsynth.NO_PRIVACY}
    if name in BUDGETS:
        engine, epsilon = BUDGETS[name]
        named = {"engine": engine, "privacy": tabsynth.Budget(epsilon=epsilon, delta=1e-6)}
    if name == FRESH:
        function: Callable[..., pl.DataFrame] = partial(half_fresh, real=train, schema=schema)
        named = {"engine": function}
    return tabsynth.collapse(
        train,
        holdout,
        schema=schema,
        generations=arguments.generations,
        target=TARGET,
        seed=arguments.seed,
        **named,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*ENGINES, FRESH, *BUDGETS])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    halves = [
        pl.read_parquet(arguments.data / "adult_half" / f"{half}.parquet").head(arguments.rows)
        for half in ("train", "holdout")
    ]
    found: dict[str, CollapseResults] = {}
    for name in arguments.names:
        found[name] = watched(name, halves[0], halves[1], arguments)
        if arguments.out is not None:
            data = {key: one.to_dict() for key, one in found.items()}
            arguments.out.write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")
        for number in (1, 2, 5, arguments.generations):
            if number <= arguments.generations:
                generation = found[name].generations[number - 1]
                figures = [generation.find(metric) for metric in SHOWN]
                cells = ["–" if one is None or one.value is None else f"{one.value:.4f}" for one in figures]
                print(f"| {name} | {number} | {' | '.join(cells)} |", flush=True)
    floors = [found[arguments.names[0]].generations[0].find(metric) for metric in SHOWN]
    cells = ["–" if one is None or one.floor is None else f"{one.floor:.4f}" for one in floors]
    print(f"| floor |  | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
