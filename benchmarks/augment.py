"""Do synthetic rows of a rare class help a model to find it? `tabsynth.augment_trial` on five real tables.

    python -m benchmarks.augment --data DIR [--engine sequential_trees] [--to 1:3] [--rows 50000] [--splits 5] [--out FILE.json]
                                 [NAME...]

Schemas are drafted from the table; where it has several rows of a person, persons are the unit. Results are written after every
table, and a Markdown table of all that the file holds is printed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

import tabsynth
from tabsynth.augment.results import NOTHING, OVERSAMPLED, SMOTE, WEIGHTS, TrialResults
from tabsynth.report.augment import gain_text, lead_of, verdict_of
from tabsynth.schema.types import PrivacyUnit


def as_read(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def hospitalised(frame: pl.DataFrame) -> pl.DataFrame:
    """Whether anybody was in hospital; the count and the amount, which say so, and the source's split are left out."""
    flag = (pl.col("num_hospitalizations") > 0).alias("hospitalised")
    return frame.with_columns(flag).drop("id_anon", "group", "num_hospitalizations", "amt_hospitalizations")


def before_the_test(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the reading of the test itself, which is the result, and without the names."""
    return frame.drop("fake_first_name", "fake_last_name", "ct_result")


@dataclass(frozen=True)
class Case:
    """A table, what is to be found in it, and who a person is."""

    path: str
    target: str
    where: dict[str, str] | None = None
    person: str | None = None
    prepare: Callable[[pl.DataFrame], pl.DataFrame] = as_read


CASES = {
    "covid_testing": Case(
        "covid_testing/covid_testing.csv.gz", "result", {"result": "positive"}, "subject_id", before_the_test
    ),
    "bank_marketing": Case("bank_marketing/bank_marketing.csv.gz", "y"),
    "kdd_census_income": Case("kdd_census_income/kdd_census_train.parquet", "income"),
    "health_insurance_eu": Case(
        "health_insurance_eu/health_insurance_eu.parquet", "hospitalised", prepare=hospitalised
    ),
    "diabetes130": Case("diabetes130/diabetes130.parquet", "readmitted", person="patient_nbr"),
}


def tried(case: Case, arguments: argparse.Namespace) -> TrialResults:
    path = arguments.data / case.path
    whole = (
        pl.read_parquet(path)
        if path.suffix == ".parquet"
        else pl.read_csv(path, null_values=[""], infer_schema_length=None)
    )
    frame = case.prepare(whole)
    if frame.height > arguments.rows:
        frame = frame.sample(arguments.rows, seed=arguments.seed)
    table = tabsynth.draft_schema(frame).only_table
    if case.person is not None:
        table = replace(table, unit=PrivacyUnit(column=case.person, max_rows=20))
        kinds = [
            replace(
                column,
                kind=tabsynth.Kind.IDENTIFIER,
                bounds=None,
                unique=False,
                decimals=None,
                resolution=None,
            )
            if column.name == case.person
            else column
            for column in table.columns
        ]
        table = replace(table, columns=tuple(kinds))
    return tabsynth.augment_trial(
        frame,
        to=arguments.to,
        target=case.target,
        where=case.where,
        engine=arguments.engine,
        schema=table,
        splits=arguments.splits,
        max_rows=arguments.rows,
        seed=arguments.seed,
    )


def row(name: str, results: TrialResults) -> list[str]:
    """One line for each learner: PR-AUC of nothing, then the gain of every arm over it."""
    lines = []
    for learner in results.learners:
        cells = [name, learner, f"{results.find(NOTHING, learner, 'pr_auc').mean:.3f}"]
        cells += [
            gain_text(results.gain(arm, NOTHING, learner)) if arm in results.arms else "–"
            for arm in (WEIGHTS, OVERSAMPLED, SMOTE, results.engine)
        ]
        recall = [results.find(arm, learner, "recall").mean for arm in (NOTHING, results.engine)]
        cells.append(f"{recall[0]:.2f} → {recall[1]:.2f}")
        brier = [results.find(arm, learner, "brier").mean for arm in (NOTHING, results.engine)]
        cells.append(f"{brier[0]:.3f} → {brier[1]:.3f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--engine", default="sequential_trees")
    parser.add_argument("--to", default="1:3")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    found: dict[str, TrialResults] = {}
    for name in arguments.names:
        start = time.process_time()
        results = found[name] = tried(CASES[name], arguments)
        print(
            f"{name}: {lead_of(results)} [{verdict_of(results)}] {time.process_time() - start:.0f} CPU s",
            flush=True,
        )
        if arguments.out is not None:
            data = {key: one.to_dict() for key, one in found.items()}
            arguments.out.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    arms = f"{WEIGHTS} | {OVERSAMPLED} | {SMOTE} | {arguments.engine}"
    print(f"| table | learner | PR-AUC, nothing | {arms} | recall at .5 | Brier |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, results in found.items():
        print("\n".join(row(name, results)))


if __name__ == "__main__":
    main()
