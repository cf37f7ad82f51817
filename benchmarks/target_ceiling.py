"""How near a table can come to real rows for a model, if its labels were learned: the rows of other persons, with labels from boosted trees.

    python -m benchmarks.target_ceiling --data DIR [--seeds 3] [--draws 4] [--out FILE.json]

diabetes130 is cut between patients: trees learn `readmitted` from a third of them, a third gives as many rows, and a third tests.
A learner (LightGBM, as the independent scorer sets it) is trained on the second part as it is, and on the same rows with labels drawn
from the chances that the first part taught. Rows are perfect there, real ones of other persons, so what is lost is lost by learning the target
from the table, whoever makes the rows. Beside it the same number of rows of `sequential_trees`, fitted to the first part, with its target named.

Three settings of the trees that teach; macro-F1 of three classes, the learner's log loss, and the AUC of each class against the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
from sklearn.metrics import f1_score, log_loss, roc_auc_score

import tabsynth
from benchmarks.trees import keep
from tabsynth.pipeline import split_rows

UNIT, TARGET = "patient_nbr", "readmitted"
LEARNER = {"n_estimators": 200, "learning_rate": 0.1, "num_leaves": 31, "verbose": -1, "n_jobs": 1}
_CAREFUL = {
    "colsample_bytree": 0.3,
    "subsample": 0.7,
    "subsample_freq": 1,
    "min_child_samples": 40,
    "cat_smooth": 30,
}
TEACHERS = {
    "as the learner": LEARNER,
    "150 careful trees": LEARNER | _CAREFUL | {"n_estimators": 150},
    "800 slow ones": LEARNER | _CAREFUL | {"n_estimators": 800, "learning_rate": 0.02},
}
MANY_LABELS, N_LABELS = "150 careful trees", 4
"""Whose labels are also drawn so many times for each row: what is lost to drawing is less there."""
_MANY = 20


class Coded:
    """Tables as LightGBM reads them: numbers of many values as they are, else codes of levels."""

    def __init__(self, whole: pl.DataFrame) -> None:
        self.levels = {
            name: sorted(whole[name].cast(pl.String).fill_null("").unique())
            for name in whole.columns
            if not (whole[name].dtype.is_numeric() and whole[name].n_unique() > _MANY)
        }
        self.inputs = [name for name in whole.columns if name != TARGET]

    def of(self, frame: pl.DataFrame) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
        columns = {
            name: pd.Categorical(
                frame[name].cast(pl.String).fill_null("").to_list(), categories=self.levels[name]
            ).codes
            if name in self.levels
            else frame[name].cast(pl.Float64).to_numpy()
            for name in frame.columns
        }
        return pd.DataFrame({name: columns[name] for name in self.inputs}), columns[TARGET].astype(np.intp)

    def fit(self, rows: pd.DataFrame, labels: npt.NDArray[np.intp], **settings: Any) -> Any:
        nominal = [name for name in self.inputs if name in self.levels]
        return lgb.LGBMClassifier(**settings).fit(rows, labels, categorical_feature=nominal)


def judged(coded: Coded, rows: Any, labels: Any, test: tuple[Any, Any], seed: int) -> dict[str, Any]:
    """Of a learner trained on the rows in an order of their own."""
    order = np.random.default_rng(seed).permutation(len(rows))
    learner = coded.fit(rows.iloc[order], labels[order], **LEARNER, random_state=seed)
    chances = learner.predict_proba(test[0])
    return {
        "macro_f1": f1_score(test[1], chances.argmax(axis=1), average="macro"),
        "learner_log_loss": log_loss(test[1], chances),
        "auc": roc_auc_score(test[1], chances, multi_class="ovr", average=None).tolist(),
    }


def drawn_classes(chances: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """A class for every row by its chances, (n_rows, n_classes)."""
    return (rng.random(len(chances))[:, None] > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)


def mean_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "macro_f1": round(float(np.mean([one["macro_f1"] for one in found])), 4),
        "error": round(float(np.std([one["macro_f1"] for one in found]) / np.sqrt(len(found))), 4),
        "learner_log_loss": round(float(np.mean([one["learner_log_loss"] for one in found])), 4),
        "auc": np.mean([one["auc"] for one in found], axis=0).round(4).tolist(),
    }


def measure(data: Path, seed: int, draws: int) -> dict[str, Any]:
    frame = pl.read_parquet(data / "diabetes130" / "diabetes130.parquet")
    taught, rest = split_rows(frame, unit=UNIT, holdout=2 / 3, seed=seed)
    given, test = split_rows(rest, unit=UNIT, holdout=0.5, seed=seed + 1)
    schema = tabsynth.draft_schema(taught)
    kept = [column.name for column in schema.only_table.columns if column.kind.is_modelled]
    taught, given, test = (part.select(kept) for part in (taught, given, test))
    coded = Coded(pl.concat([taught, given, test]))
    (rows, labels), (others, their), apart = (coded.of(part) for part in (taught, given, test))
    run: dict[str, Any] = {"seed": seed, "rows": [taught.height, given.height, test.height]}
    run["real rows"] = mean_of([judged(coded, others, their, apart, k) for k in range(draws)])
    for name, settings in TEACHERS.items():
        teacher = coded.fit(rows, labels, **settings, random_state=seed)
        run[name] = {"log_loss": round(float(log_loss(apart[1], teacher.predict_proba(apart[0]))), 4)}
        chances = teacher.predict_proba(others)
        found = []
        for k in range(draws):
            made = drawn_classes(chances, np.random.default_rng([seed, k]))
            found.append(judged(coded, others, made, apart, k))
        run[name] |= mean_of(found)
        if name == MANY_LABELS:
            many = pd.concat([others] * N_LABELS, ignore_index=True)
            made = drawn_classes(np.tile(chances, (N_LABELS, 1)), np.random.default_rng([seed, draws]))
            run[f"{name}, {N_LABELS} labels a row"] = mean_of([judged(coded, many, made, apart, 0)])
    for name, chosen in {
        "sequential_trees": {},
        "sequential_trees, target named": {"target": TARGET},
    }.items():
        model = tabsynth.fit(
            taught,
            schema=tabsynth.draft_schema(taught),
            engine="sequential_trees",
            settings=chosen,
            privacy=tabsynth.NO_PRIVACY,
            seed=seed,
        )
        drawn_tables = [coded.of(model.sample(given.height, seed=k)) for k in range(draws)]
        run[name] = mean_of([judged(coded, *table, apart, k) for k, table in enumerate(drawn_tables)])
    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    keep((measure(arguments.data, seed, arguments.draws) for seed in range(arguments.seeds)), arguments.out)


if __name__ == "__main__":
    main()
