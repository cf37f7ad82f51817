"""Several rows of one person: admissions, tests, payments, by engine and beside the real holdout.

    python -m benchmarks.histories --data DIR [--products PY --product mostly --product sdv_par ... --minutes 3 --stop 9] [--seeds 1] [--out FILE.json] [NAME...]

Persons are halved. Train's rows, in the order of a column, are fitted without privacy, and as many rows are sampled (products: as many
persons). Of the rows as they come out, one after the other of a person, this tells in its own numpy and polars:

- `rows_per_person`: total variation distance of the number of rows of a person, to train's;
- `cells`, `pairs`: the same of a column's cells, and of its pairs (cell in the row before, cell in this row), mean over the columns;
  numbers and times in at most ten bins between train's quantiles, null a level. `worst_pairs` names the three furthest;
- `repeats`: share of cells equal to the one before, in train and here, of the five columns where both differ most;
- `changed`: share of the persons with several rows for whom a column changes that train's persons do not change (`constant`: fewer
  than one in a thousand of them);
- `backwards`: share of rows whose order column lies before that of the row before; `gaps`: Kolmogorov and Smirnov's distance of the
  steps of that column from train's (none where the order is an identifier, which products are not given).
- `members`: area under the ROC curve by which train's persons are told from the other half's by the nearest person who was made, of as many rows
  (Gower's distance over all rows in order; at most 1,000 persons of each number of rows from two on; `members_of` so many on either side). Ours alone.

`floor` is what the other half of the persons has, `independent rows` what `sequential_trees` does without `order_by`. Products run by their
own settings but for `--minutes` of training (peers/sequence_fit.py), and are stopped after `--stop` minutes. Results are written after every run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import tabsynth
from benchmarks.trees import keep
from tabsynth.pipeline import split_rows
from tabsynth.schema import PrivacyUnit, TableSchema

HERE = Path(__file__).parent
MOST_ROWS = 40
MOST_BINS = 10
FEWEST_PERSONS = 50
Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Histories:
    """A file, who its rows are of, what orders them, and how many persons are taken (all, or some by chance).

    `dates` are read as such, `left_out` are keys of other tables.
    """

    file: str
    unit: str
    order: str
    persons: int | None = None
    dates: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


TABLES = {
    "mimic3_demo": Histories(file="mimic3_demo/admissions.parquet", unit="subject_id", order="admittime"),
    "mimic3_transfers": Histories(
        file="mimic3_demo/transfers.parquet",
        unit="subject_id",
        order="intime",
        left_out=("hadm_id", "icustay_id"),
    ),
    "berka": Histories(
        file="berka/trans.csv.gz", unit="account_id", order="date", persons=600, dates=("date",)
    ),
    "covid_testing": Histories(file="covid_testing/covid_testing.csv.gz", unit="subject_id", order="pan_day"),
    "diabetes130": Histories(
        file="diabetes130/diabetes130.parquet", unit="patient_nbr", order="encounter_id"
    ),
}


def read(table: Histories, data: Path) -> pl.DataFrame:
    """Rows in order within each person, at most 40 of one."""
    path = data / table.file
    is_parquet = path.suffix == ".parquet"
    rows = (
        pl.read_parquet(path) if is_parquet else pl.read_csv(path, null_values=[""], infer_schema_length=None)
    )
    rows = rows.with_columns(pl.col(table.dates).str.to_date()).drop(table.left_out)
    rows = rows.sort(table.unit, table.order, maintain_order=True, nulls_last=True)
    rows = rows.filter(pl.int_range(pl.len()).over(table.unit) < MOST_ROWS)
    if table.persons is None:
        return rows
    persons = rows[table.unit].unique().sort().to_numpy()
    taken = np.random.default_rng(0).choice(persons, table.persons, replace=False)
    return rows.filter(pl.col(table.unit).is_in(taken.tolist()))


def schema_of(train: pl.DataFrame, table: Histories, *, ordered: bool) -> TableSchema:
    unit = PrivacyUnit(column=table.unit, max_rows=MOST_ROWS, order_by=table.order if ordered else None)
    return replace(tabsynth.draft_schema(train).only_table, unit=unit)


# What is told of rows


def by_person(rows: pl.DataFrame, unit: str) -> pl.DataFrame:
    """Each person's rows together, in the order in which they came."""
    return rows.sort(unit, maintain_order=True)


def follows(rows: pl.DataFrame, unit: str) -> npt.NDArray[np.bool_]:
    """Whether a row, of the second on, is of the same person as the one before it."""
    return (rows[unit].slice(1) == rows[unit].slice(0, rows.height - 1)).to_numpy()


def numbers(cells: pl.Series) -> npt.NDArray[np.float64]:
    """Numbers, or times in days; nulls NaN."""
    if cells.dtype.is_temporal():
        return cells.cast(pl.Datetime("us")).to_physical().cast(pl.Float64).to_numpy() / 86_400e6
    return cells.cast(pl.Float64, strict=False).to_numpy()


def coded(train: pl.Series, cells: pl.Series, *, is_continuous: bool) -> Cells:
    """Codes of the bins or levels of train's column, 0 for null, -1 for a level that it lacks."""
    if is_continuous:
        real, made = numbers(train), numbers(cells)
        inner = np.quantile(real[~np.isnan(real)], np.linspace(0, 1, MOST_BINS + 1)[1:-1])
        codes = 1 + np.searchsorted(np.unique(inner), made, side="right")
        return np.where(np.isnan(made), 0, codes)
    levels = train.drop_nulls().cast(pl.String).unique().sort().to_list()
    codes = {None: 0} | {level: at for at, level in enumerate(levels, start=1)}
    return np.array([codes.get(cell, -1) for cell in cells.cast(pl.String)], dtype=np.int64)


def total_variation(real: Cells, made: Cells) -> float:
    """Half the sum of the differences between two distributions of whole numbers; 1 where one has none."""
    if not len(real) or not len(made):
        return 1.0
    least = min(real.min(), made.min())
    size = int(max(real.max(), made.max()) - least) + 1
    p, q = (np.bincount(codes - least, minlength=size) / len(codes) for codes in (real, made))
    return float(np.abs(p - q).sum() / 2)


def kolmogorov(real: npt.NDArray[np.float64], made: npt.NDArray[np.float64]) -> float:
    """The furthest that two distribution functions are apart; 1 where one has no values."""
    real, made = np.sort(real[~np.isnan(real)]), np.sort(made[~np.isnan(made)])
    if not len(real) or not len(made):
        return 1.0
    at = np.concatenate([real, made])
    below = (np.searchsorted(side, at, side="right") / len(side) for side in (real, made))
    return float(np.abs(np.subtract(*below)).max())


def repeats(rows: pl.DataFrame, column: str, is_next: npt.NDArray[np.bool_]) -> float | None:
    now, before = rows[column].slice(1), rows[column].slice(0, rows.height - 1)
    return float(now.eq_missing(before).to_numpy()[is_next].mean()) if is_next.any() else None


def changing(rows: pl.DataFrame, unit: str, columns: list[str]) -> pl.DataFrame:
    """For each person of several rows, which columns change."""
    several = rows.filter(pl.len().over(unit) > 1)
    return several.group_by(unit).agg(pl.col(columns).n_unique() > 1).select(columns)


class Teller:
    """What there is to know of train, beside which rows are told of."""

    def __init__(self, train: pl.DataFrame, table: Histories) -> None:
        self.train, self.unit, self.order = by_person(train, table.unit), table.unit, table.order
        drafted = tabsynth.draft_schema(train).only_table.columns
        kinds = {column.name: column.kind for column in drafted if column.kind.is_modelled}
        self.continuous = {name: kind.is_continuous for name, kind in kinds.items() if name != self.unit}
        self.is_next = follows(self.train, self.unit)
        varied = [name for name in self.continuous if train[name].n_unique() > 1]
        shares = changing(self.train, self.unit, varied).mean().row(0)
        self.constant = [name for name, share in zip(varied, shares, strict=True) if share < 0.001]

    @property
    def columns(self) -> list[str]:
        """Those that an engine learns."""
        return list(self.continuous)

    def told(self, made: pl.DataFrame) -> dict[str, Any]:
        rows = by_person(made, self.unit)
        is_next = follows(rows, self.unit)
        lengths = (side.group_by(self.unit).len()["len"].to_numpy() for side in (self.train, rows))
        found: dict[str, Any] = {"rows": rows.height, "persons": rows[self.unit].n_unique()}
        found["rows_per_person"] = total_variation(*(side.astype(np.int64) for side in lengths))
        found |= self.distances(rows, is_next) | self.repeated(rows, is_next)
        several = changing(rows, self.unit, self.constant)
        if self.constant:
            is_changed = several.select(pl.any_horizontal(pl.all())).to_series()
            found["changed"] = is_changed.mean() if several.height else None
        return rounded(found | self.steps(rows, is_next))

    def distances(self, rows: pl.DataFrame, is_next: npt.NDArray[np.bool_]) -> dict[str, Any]:
        cells, pairs = {}, {}
        for name, is_continuous in self.continuous.items():
            real = coded(self.train[name], self.train[name], is_continuous=is_continuous)
            made = coded(self.train[name], rows[name], is_continuous=is_continuous)
            cells[name] = total_variation(real, made)
            width = int(real.max()) + 2
            two = [
                ((codes[:-1] + 1) * width + codes[1:] + 1)[mask]
                for codes, mask in ((real, self.is_next), (made, is_next))
            ]
            pairs[name] = total_variation(*two)
        worst = sorted(pairs, key=lambda name: -pairs[name])[:3]
        return {
            "cells": float(np.mean(list(cells.values()))),
            "pairs": float(np.mean(list(pairs.values()))),
            "worst_pairs": {name: pairs[name] for name in worst},
        }

    def repeated(self, rows: pl.DataFrame, is_next: npt.NDArray[np.bool_]) -> dict[str, Any]:
        both = {
            name: (repeats(self.train, name, self.is_next), repeats(rows, name, is_next))
            for name in self.columns
        }
        most = sorted(both, key=lambda name: -abs((both[name][0] or 0) - (both[name][1] or 0)))[:5]
        return {"repeats": {name: dict(zip(("train", "here"), both[name], strict=True)) for name in most}}

    def steps(self, rows: pl.DataFrame, is_next: npt.NDArray[np.bool_]) -> dict[str, Any]:
        if self.order not in rows.columns:
            return {"backwards": None, "gaps": None}
        here = np.diff(numbers(rows[self.order]))[is_next]
        real = np.diff(numbers(self.train[self.order]))[self.is_next]
        gaps = kolmogorov(real, here) if self.order in self.continuous else None
        return {"backwards": float(np.mean(here < 0)) if len(here) else None, "gaps": gaps}

    def members(self, made: pl.DataFrame, holdout: pl.DataFrame, most: int = 1000) -> dict[str, Any]:
        """How well train's persons of several rows are told from holdout's by their nearest made person of as many rows."""
        sides = [self.positions(side) for side in (self.train, holdout, made)]
        right, n_persons = 0.0, 0
        for length in sorted(set(sides[0]) & set(sides[1]) & set(sides[2]) - {1}):
            train, other, known = (side[length] for side in sides)
            n = min(len(train), len(other), most)
            if n < FEWEST_PERSONS:
                continue
            rng = np.random.default_rng(length)
            near = [
                nearest(rng.permutation(side)[:n], rng.permutation(known)[:most]) for side in (train, other)
            ]
            right += n * auc(*near)
            n_persons += n
        return {"members": right / n_persons if n_persons else None, "members_of": n_persons}

    def positions(self, rows: pl.DataFrame) -> dict[int, npt.NDArray[np.float64]]:
        """By how many rows persons have, each person's cells, row after row: levels by number from 10 on, numbers by train's distribution, in [0, 1], and null -10."""
        rows = by_person(rows, self.unit)
        cells = []
        for name, is_continuous in self.continuous.items():
            if is_continuous:
                real, here = np.sort(numbers(self.train[name])), numbers(rows[name])
                real = real[~np.isnan(real)]
                found = (
                    (np.searchsorted(real, here, "left") + np.searchsorted(real, here, "right"))
                    / 2
                    / len(real)
                )
                cells.append(np.where(np.isnan(here), -10.0, found))
            else:
                cells.append(10.0 * (1 + coded(self.train[name], rows[name], is_continuous=False)))
        table = np.stack(cells, axis=1)
        _, starts, lengths = np.unique(
            rows[self.unit].rle_id().to_numpy(), return_index=True, return_counts=True
        )
        return {
            int(length): np.stack([table[at : at + length].ravel() for at in starts[lengths == length]])
            for length in np.unique(lengths)
        }


def nearest(persons: npt.NDArray[np.float64], known: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each person the distance to the nearest known one (Gower 1971): one for each level that differs, and the difference of numbers."""
    return np.array([np.minimum(np.abs(known - one), 1.0).sum(axis=1).min() for one in persons])


def auc(members: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> float:
    """How often a member is nearer than another, ties by half."""
    others = np.sort(others)
    nearer = (
        len(others)
        - (np.searchsorted(others, members, "left") + np.searchsorted(others, members, "right")) / 2
    )
    return float(nearer.mean() / len(others))


def rounded(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    return round(found, 4) if isinstance(found, float) else found


# Who makes rows


def ours(
    train: pl.DataFrame, table: Histories, seed: int, *, ordered: bool
) -> tuple[pl.DataFrame, dict[str, Any]]:
    start = time.perf_counter()
    model = tabsynth.fit(
        train,
        schema=schema_of(train, table, ordered=ordered),
        engine="sequential_trees",
        privacy=tabsynth.NO_PRIVACY,
        seed=seed,
    )
    fitted = time.perf_counter()
    rows = model.sample(train.height, seed=seed)
    return rows, {"seed": seed, "fit": fitted - start, "sample": time.perf_counter() - fitted}


def product(
    engine: str, train: pl.DataFrame, table: Histories, arguments: argparse.Namespace
) -> tuple[pl.DataFrame | None, dict[str, Any]]:
    """Rows of another product in its own Python, in train's types; why there are none where it fails."""
    with tempfile.TemporaryDirectory() as name:
        real, made = Path(name) / "train.parquet", Path(name) / "synthetic.parquet"
        train.with_columns(pl.col(pl.Date).cast(pl.Datetime("us"))).write_parquet(real)
        command = [arguments.products, HERE / "peers" / "sequence_fit.py", engine, real, made]
        command += [arguments.minutes, table.unit, *([table.order] if table.order in train.columns else [])]
        try:
            done = subprocess.run(
                [*map(str, command)], check=False, capture_output=True, text=True, timeout=60 * arguments.stop
            )
        except subprocess.TimeoutExpired:
            return None, {"failure": f"stopped after {arguments.stop:g} minutes"}
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}, no word"])[-1]
            return None, {"failure": last}
        rows = pl.read_parquet(made)
        return like(train, rows), json.loads(done.stdout.strip().splitlines()[-1])


def like(train: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in train's types, where a product gave times or numbers back as texts or as fractions."""
    for name, dtype in train.schema.items():
        if dtype.is_temporal() and rows[name].dtype == pl.String:
            rows = rows.with_columns(pl.col(name).str.to_datetime(strict=False))
        if dtype.is_integer() and rows[name].dtype.is_float():
            rows = rows.with_columns(pl.col(name).round())
    return rows.cast(train.schema, strict=False)


def measure(name: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    table = TABLES[name]
    train, holdout = split_rows(read(table, arguments.data), unit=table.unit, seed=0)
    teller = Teller(train, table)
    about = {"table": name, "columns": len(teller.columns), "constant": teller.constant}
    yield about | {"engine": "train"} | teller.told(train)
    yield about | {"engine": "floor"} | teller.told(holdout)
    for title, ordered in (("independent rows", False), ("sequential_trees", True)):
        for seed in range(arguments.seeds):
            rows, run = ours(train, table, seed, ordered=ordered)
            members = rounded(teller.members(rows, holdout))
            yield about | {"engine": title} | rounded(run) | teller.told(rows) | members
    learnt = train.select(table.unit, *teller.columns)
    for engine in arguments.product:
        made, run = product(engine, learnt, table, arguments)
        yield about | {"engine": engine} | rounded(run) | ({} if made is None else teller.told(made))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--products")
    parser.add_argument("--product", action="append", default=[])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--stop", type=float, default=9.0, help="minutes after which a product is stopped")
    parser.add_argument("--out", type=Path)
    parser.add_argument("tables", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    names = arguments.tables or TABLES
    keep((run for name in names for run in measure(name, arguments)), arguments.out)


if __name__ == "__main__":
    main()
