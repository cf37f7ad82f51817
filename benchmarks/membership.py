"""How often an audit fails what it should, and which attack finds what on one table: verdicts, p-values, times.

    nice -n 19 python -m benchmarks.membership --repetitions 200 --keep reps.jsonl [--kinds unrelated,copy_20,copy_1]
        [--jobs 2] [--data DIR] [--out benchmarks/results/membership.json]

Small tables, drawn anew each time from one distribution, give the share of audits that fail: `unrelated`, releases made
without train, and `copy_20`, a fifth of train among other rows (both 400 train, 600 holdout and 400 released rows);
`copy_1`, one in a hundred (10,000 of each, at the budget 4h); `isolated`, the 20 members who lie farthest from all
others (2,000 of each). Each repetition is a line of the `--keep` file; those that stand there are not run again.

With `--data` (a folder with train.parquet, holdout.parquet and schema.yaml) releases of that table are audited: half
of the holdout, engines with and without privacy, the usual sequence of trees with leaves of 5, a fifth of train among rows of the independent engine,
interpolations of train rows (SMOTE), and the holdout itself. `--releases` names some of them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import tabsynth
from benchmarks.shadow import sequential_trees
from tabsynth.audit import AuditResults, audit
from tabsynth.audit.generators import interpolated
from tabsynth.config.steps import table_of
from tabsynth.encode import decode_table, encode_table
from tabsynth.schema.types import Column, Kind, Schema, TableSchema
from tabsynth.table import Table

SMALL = TableSchema(
    name="small",
    columns=(
        Column(name="x", kind=Kind.NUMBER, dtype="float64"),
        Column(name="y", kind=Kind.NUMBER, dtype="float64"),
        Column(name="k", kind=Kind.INTEGER, dtype="int64"),
        Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c")),
    ),
)
SIZES = {
    "unrelated": (400, 600, 400),
    "copy_20": (400, 600, 400),
    "copy_1": (10_000, 10_000, 10_000),
    "isolated": (2_000, 2_000, 2_000),
}
"""Of each kind of release: train, holdout and released rows."""
N_ISOLATED = 20


def drawn(n: int, rng: np.random.Generator) -> pl.DataFrame:
    x = rng.normal(size=n)
    return pl.DataFrame(
        {"x": x, "y": x + rng.normal(size=n), "k": rng.poisson(5, n), "c": rng.choice(list("abc"), n)}
    )


def farthest(rows: pl.DataFrame, n: int) -> pl.DataFrame:
    """The rows whose fifth nearest other row is farthest off, in units of standard deviations."""
    numbers = rows.select(
        (pl.col(name) - pl.col(name).mean()) / pl.col(name).std() for name in ("x", "y", "k")
    )
    points: npt.NDArray[np.float64] = numbers.to_numpy()
    fifth = np.array([np.partition(((points - point) ** 2).sum(axis=1), 5)[5] for point in points])
    return pl.DataFrame(rows[np.argsort(-fifth)[:n].tolist()])


def repetition(kind: str, seed: int) -> dict[str, Any]:
    """One audit of that kind of release."""
    rng = np.random.default_rng(seed)
    train, holdout, other = (drawn(n, rng) for n in SIZES[kind])
    copies = {
        "unrelated": train[:0],
        "copy_20": train[: train.height // 5],
        "copy_1": train[: train.height // 100],
        "isolated": farthest(train, N_ISOLATED),
    }[kind]
    release = pl.concat([copies, other[copies.height :]])
    tables = [Table.conform(frame, SMALL) for frame in (release, train, holdout)]
    began = time.perf_counter()
    results = audit(*tables, schema=SMALL, seed=seed, budget="4h" if kind == "copy_1" else "2m")
    return {
        "kind": kind,
        "seed": seed,
        "outcome": results.outcome.value,
        "flagged": results.release.flagged,
        "null_flagged": results.calibration[0].battery.flagged,
        "strongest": results.release.strongest,
        "p_value": results.release.p_value,
        "seconds": round(time.perf_counter() - began, 2),
    }


def rates(kinds: list[str], repetitions: int, *, keep: Path | None, jobs: int) -> dict[str, dict[str, Any]]:
    """Outcomes over the repetitions, by kind of release."""
    done = []
    if keep is not None and keep.exists():
        done = [json.loads(line) for line in keep.read_text(encoding="utf-8").splitlines()]
    known = {(found["kind"], found["seed"]) for found in done}
    wanted = [(kind, seed) for seed in range(repetitions) for kind in kinds if (kind, seed) not in known]
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for future in as_completed([pool.submit(repetition, *which) for which in wanted]):
            done.append(future.result())
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[-1]) + "\n")
    return {kind: summary([found for found in done if found["kind"] == kind]) for kind in kinds}


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "n": len(found),
        "outcomes": dict(Counter(each["outcome"] for each in found)),
        "flagged": sum(each["flagged"] for each in found),
        "null_flagged": sum(each["null_flagged"] for each in found),
        "strongest": dict(Counter(each["strongest"] for each in found if each["flagged"])),
    }


Pair = tuple[pl.DataFrame, pl.DataFrame]


def releases_of(
    train: pl.DataFrame, holdout: pl.DataFrame, schema: Schema | TableSchema
) -> dict[str, Callable[[], Pair]]:
    """By name, a release and the holdout to audit it with."""
    table_schema = schema if isinstance(schema, TableSchema) else table_of(schema, None)

    def made(engine: str, *, is_private: bool = True) -> pl.DataFrame:
        privacy = tabsynth.Budget(epsilon=1.0, delta=1e-5) if is_private else tabsynth.NO_PRIVACY
        rows = tabsynth.fit(train, schema=schema, engine=engine, privacy=privacy).sample(train.height, seed=1)
        return pl.DataFrame(rows)

    def half() -> Pair:
        shuffled, n = holdout.sample(fraction=1, shuffle=True, seed=5), holdout.height // 2
        return shuffled[:n], shuffled[n:]

    def copier() -> Pair:
        n = round(0.2 * train.height)
        rest = made("independent").select(train.columns).cast(dict(train.schema))[n:]
        return pl.concat([train.sample(n, seed=3), rest]), holdout

    def smote() -> Pair:
        rows = interpolated(
            encode_table(Table.conform(train, table_schema)), train.height, np.random.default_rng(4)
        )
        cells = decode_table(rows, table_schema)
        return train.with_columns(cells.get_columns()), holdout

    return {
        "half of the holdout": half,
        "independent, ε = 1": lambda: (made("independent"), holdout),
        "bayesian_network, ε = 1": lambda: (made("bayesian_network"), holdout),
        "bayesian_network, no privacy": lambda: (made("bayesian_network", is_private=False), holdout),
        "gaussian_copula, no privacy": lambda: (made("gaussian_copula", is_private=False), holdout),
        "sequential_trees, no privacy": lambda: (made("sequential_trees", is_private=False), holdout),
        "sequence of trees, leaves of 5": lambda: (sequential_trees(train, train.height, 1), holdout),
        "a fifth of train copied": copier,
        "interpolated (SMOTE)": smote,
        "the holdout itself": lambda: (holdout, holdout),
    }


def of_table(folder: Path, wanted: list[str], budget: str) -> dict[str, dict[str, Any]]:
    """The releases of one table, those `wanted` or all."""
    train, holdout = (pl.read_parquet(folder / f"{name}.parquet") for name in ("train", "holdout"))
    schema = tabsynth.read_schema(folder / "schema.yaml")
    found = {}
    for name, make in releases_of(train, holdout, schema).items():
        if wanted and name not in wanted:
            continue
        release, held = make()
        began, busy = time.perf_counter(), time.process_time()
        results = tabsynth.audit(release, train, held, schema=schema, budget=budget)
        found[name] = figures(results) | {
            "seconds": round(time.perf_counter() - began, 1),
            "cpu_seconds": round(time.process_time() - busy, 1),
        }
        print(name, json.dumps(found[name], ensure_ascii=False), flush=True)
    return found


def figures(results: AuditResults) -> dict[str, Any]:
    release = results.release
    return {
        "outcome": results.outcome.value,
        "p_value": release.p_value,
        "strongest": release.strongest,
        "auc": {attack.attack: round(attack.auc, 4) for attack in release.attacks},
        "smallest_p": {
            attack.attack: min([attack.auc_p, *(found.p_value for found in attack.accusations)])
            for attack in release.attacks
        },
        "guesses": {
            guess.title: {
                "attack": guess.attack and round(guess.attack.value, 4),
                "control": guess.control and round(guess.control.value, 4),
                "baseline": guess.baseline and round(guess.baseline.value, 4),
                "risk_upper": guess.risk_upper and round(guess.risk_upper, 4),
                "p_value": guess.p_value,
            }
            for guess in release.guesses
        },
        "n_tests": release.n_tests,
        "risk_upper": round(release.risk_upper, 4),
        "unseen": list(results.verdict.unseen),
        "reasons": list(results.verdict.reasons),
        "detectable_share": results.detectable_share,
        "detectable_isolated": [results.detectable_isolated, results.isolated],
        "calibration": {known.name: known.battery.p_value for known in results.calibration},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--kinds", default="unrelated,copy_20")
    parser.add_argument("--keep", type=Path, help="a JSON line per repetition; read before and added to")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--releases", default="", help="names of releases of --data, separated by ;")
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    if asked.data is not None:
        wanted = [name for name in asked.releases.split(";") if name]
        found["table"] = of_table(asked.data, wanted, asked.budget)
    if asked.repetitions:
        found["rates"] = rates(asked.kinds.split(","), asked.repetitions, keep=asked.keep, jobs=asked.jobs)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
