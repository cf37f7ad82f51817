"""A private fit of one real table, several times with fresh noise, judged by an independent scorer.

    python benchmarks/private.py --table adult_half --epsilon 1 --delta 1e-5 --runs 5 [--peers PY]

`--data DIR` holds the tables, `--scorer FILE` is the scorer and `--peer-python PY` runs it (it needs sdmetrics,
lightgbm, scikit-learn and pyarrow); each may stand in the environment instead, as TABSYNTH_BENCHMARK_DATA,
_SCORER and _PYTHON. `--peers PY`, a Python with dpmm, times dpmm's engines beside ours in the same run, on the
same public domain. `--epsilon inf` asks for no privacy.
The engine `bayesian_network+target` is told which column the table is to predict; `+public`, beside it or not, is given
`--public N` rows of the holdout as public ones (with `--public-only sex=Male` only such rows), which then judge nobody. Writes results/private_TABLE_EPSILON.json.

Seconds are those of fit and sample, reading, writing and start-up left out; a process of its own holds the
runs of one engine, so the first of them also loads the libraries that a fit imports when it needs them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import polars as pl
from private_tables import SOURCES, halves, schema_of

import tabsynth

HERE = Path(__file__).parent
SCORES = ("shape_err", "trend_err", "tvd1", "tvd2", "tvd3", "c2st", "tstr", "dcr_share", "exact", "mia_auc")
SHOWN = ("seconds", "shape_err", "trend_err", "tvd2", "tvd3", "c2st", "tstr")
FLOORS = ("shape_err_holdout", "trend_err_holdout", "tvd1_holdout", "tvd2_holdout", "tvd3_holdout", "trtr")

Figures = dict[str, object]


def ours(engine: str, table: str, folder: Path, epsilon: float, delta: float, runs: int) -> list[Figures]:
    """`runs` fits and samples; each run's rows lie in `folder` as ENGINE_RUN.parquet afterwards."""
    schema, train = schema_of(table), pl.read_parquet(folder / "train.parquet")
    name, *told = engine.split("+")
    settings = {"target": SOURCES[table].target} if "target" in told else {}
    public = pl.read_parquet(folder / "public.parquet") if "public" in told else None
    privacy = (
        tabsynth.NO_PRIVACY if epsilon == float("inf") else tabsynth.Budget(epsilon=epsilon, delta=delta)
    )
    found: list[Figures] = []
    for run in range(runs):
        start, cpu = time.perf_counter(), time.process_time()
        model = tabsynth.fit(
            train, schema=schema, engine=name, settings=settings, privacy=privacy, public=public, seed=run
        )
        fitted = time.perf_counter()
        rows = model.sample(train.height, seed=run)
        times = {"fit_s": fitted - start, "sample_s": time.perf_counter() - fitted}
        rows.select(modelled(table)).write_parquet(folder / f"{engine}_{run}.parquet")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        found.append({**times, "cpu_s": time.process_time() - cpu, "peak_gb": peak})
    return found


def modelled(table: str) -> list[str]:
    """Identifiers say nothing about a model, and a peer makes none: they are not scored."""
    return [column.name for column in schema_of(table).only_table.columns if column.kind.is_modelled]


def peer(engine: str, arguments: argparse.Namespace, folder: Path, run: int) -> Figures:
    """One fit and sample of dpmm in its own Python; its last words where it fails."""
    command = [arguments.peers, HERE / "peers" / "dpmm_fit.py", engine]
    command += [folder / "train.parquet", folder / "domain.json", folder / f"dpmm {engine}_{run}.parquet"]
    command += [arguments.epsilon, arguments.delta]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [*map(str, command)], check=False, capture_output=True, text=True, timeout=arguments.peer_limit
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"stopped after {arguments.peer_limit:g} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: Figures = json.loads(lines[-1]) if lines else {}
    if not found.pop("is_complete", False):
        last = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        found |= {"failure": last[-1], "failed_after_s": time.perf_counter() - start}
    return found


def write_domain(table: str, path: Path) -> None:
    """The schema's public domain, as a peer is given it."""
    columns = [
        {
            "name": column.name,
            "levels": column.categories if column.kind.is_discrete else None,
            "nullable": column.nullable,
            "is_whole": column.kind is tabsynth.Kind.INTEGER,
            "bounds": column.bounds,
            "special": column.special_values,
            "decimals": column.decimals,
        }
        for column in schema_of(table).only_table.columns
        if column.kind.is_modelled
    ]
    path.write_text(json.dumps(columns), encoding="utf-8")


def set_aside(holdout: pl.DataFrame, n_rows: int, only: str | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`n_rows` rows of the holdout (of those with one level, where it is named) and the others."""
    rows = holdout.with_row_index("row").sample(fraction=1.0, shuffle=True, seed=0)
    column, _, level = (only or "").partition("=")
    fitting = rows.filter(pl.col(column).cast(pl.String) == level) if only else rows
    public = fitting.head(n_rows)
    return public.drop("row"), holdout.with_row_index("row").join(public, on="row", how="anti").drop("row")


def score(arguments: argparse.Namespace, folder: Path, synthetic: Path) -> dict[str, object]:
    command = [arguments.peer_python, arguments.scorer]
    command += [folder / "train.parquet", folder / "holdout.parquet", synthetic]
    target = SOURCES[arguments.table].target
    command += ["--target", target] if target else []
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def summary(runs: list[Figures]) -> Figures:
    """Each run with what the scorer says of it, and the means over the runs that ended."""
    complete = [run for run in runs if "score" in run]
    found: Figures = {"runs": runs}
    if complete:
        seconds = [run["fit_s"] + run["sample_s"] for run in complete]
        scored = {name: [run["score"].get(name) for run in complete] for name in SCORES}
        means = {name: statistics.mean(values) for name, values in scored.items() if None not in values}
        found["mean"] = {"seconds": statistics.mean(seconds), **means}
        found["peak_gb"] = max(run["peak_gb"] for run in complete)
    return found


def show(name: str, mean: dict[str, float]) -> None:
    figures = "  ".join(f"{key} {mean[key]:8.4f}" for key in SHOWN if key in mean)
    print(f"{name:20} {figures}", file=sys.stderr, flush=True)


def all_runs(arguments: argparse.Namespace, folder: Path) -> Iterable[tuple[str, list[Figures]]]:
    """Engine by engine: ours, each in a process of its own, then the peers."""
    what = (arguments.table, folder, arguments.epsilon, arguments.delta, arguments.runs)
    for engine in arguments.engines:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            yield engine, pool.submit(ours, engine, *what).result()
    for engine in arguments.peer_engines if arguments.peers else ():
        runs = [peer(engine, arguments, folder, run) for run in range(arguments.peer_runs)]
        yield f"dpmm {engine}", runs


def measure(arguments: argparse.Namespace, folder: Path) -> Figures:
    train, holdout = halves(arguments.table, arguments.data)
    if arguments.public:
        public, holdout = set_aside(holdout, arguments.public, arguments.public_only)
        public.write_parquet(folder / "public.parquet")
    train.write_parquet(folder / "train.parquet")
    holdout.write_parquet(folder / "holdout.parquet")
    write_domain(arguments.table, folder / "domain.json")
    engines: dict[str, Figures] = {}
    floors: dict[str, object] = {}
    for name, runs in all_runs(arguments, folder):
        for number, run in enumerate(runs):
            if "failure" not in run:
                run["score"] = score(arguments, folder, folder / f"{name}_{number}.parquet")
                floors = {key: run["score"][key] for key in FLOORS if key in run["score"]}
        engines[name] = summary(runs)
        if "mean" in engines[name]:
            show(name, engines[name]["mean"])
        else:
            print(f"{name:20} {runs[0]['failure']}", file=sys.stderr, flush=True)
    return {
        "table": arguments.table,
        "target": SOURCES[arguments.table].target,
        "epsilon": "inf" if arguments.epsilon == float("inf") else arguments.epsilon,
        "delta": arguments.delta,
        "rows": train.height,
        "public_rows": arguments.public,
        "public_only": arguments.public_only,
        "columns": train.width,
        "floors": floors,
        "engines": engines,
    }


def parsed() -> argparse.Namespace:
    def from_environment(name: str) -> dict[str, object]:
        value = os.environ.get(f"TABSYNTH_BENCHMARK_{name}")
        return {"default": value, "required": value is None}

    parser = argparse.ArgumentParser()
    parser.add_argument("--table", choices=SOURCES, default="adult_half")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--engines",
        nargs="+",
        default=["independent", "gaussian_copula", "bayesian_network", "bayesian_network+target"],
    )
    parser.add_argument("--public", type=int, default=0, help="rows of the holdout that are public")
    parser.add_argument("--public-only", metavar="COLUMN=LEVEL")
    parser.add_argument("--data", type=Path, **from_environment("DATA"))
    parser.add_argument("--scorer", **from_environment("SCORER"))
    parser.add_argument("--peer-python", **from_environment("PYTHON"))
    parser.add_argument("--peers", help="a Python with dpmm")
    parser.add_argument("--peer-engines", nargs="+", default=["mst"], choices=["privbayes", "mst", "aim"])
    parser.add_argument("--peer-runs", type=int, default=1)
    parser.add_argument("--peer-limit", type=float, default=1800.0, help="seconds for one run of a peer")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    out = arguments.out or HERE / "results" / f"private_{arguments.table}_{arguments.epsilon:g}.json"
    out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
