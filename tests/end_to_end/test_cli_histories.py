"""Histories from the command line: what a fit says of them, and rows that are completed by a model of them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.end_to_end.commands import tabsynth_here

SCHEMA = """
version: 1
tables:
  stays:
    unit: {column: who, max_rows: 5, order_by: came}
    columns:
      who: {kind: identifier, format: "P###"}
      sex: {kind: categorical, categories: [f, m]}
      came: {kind: date, bounds: ["2024-01-01", "2024-12-31"]}
      ward: {kind: categorical, categories: [a, b]}
"""
SAID = "Histories of 30 persons, 2 rows each on average; 1 column never varies within a person."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 persons, ten of whom have one row, ten two and ten three; their sex stays, and their ward does not."""
    found = tmp_path_factory.mktemp("histories")
    cells = [
        (f"P{k:03}", "fm"[k % 2], date(2024, 1, 1) + timedelta(days=k + 40 * row), "ab"[row % 2])
        for k in range(30)
        for row in range(1 + k % 3)
    ]
    pl.DataFrame(cells, schema=["who", "sex", "came", "ward"], orient="row").write_csv(found / "stays.csv")
    (found / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    return found


def fit(folder: Path, *more: str):
    wanted = ("fit", "stays.csv", "--schema", "schema.yaml", "--engine", "sequential_trees", "--no-privacy")
    return tabsynth_here(*wanted, "--out", "model", "--overwrite", *more, cwd=folder)


def test_a_fit_says_whose_histories_it_has_learnt(folder: Path):
    assert SAID in fit(folder).out.splitlines()
    found = fit(folder, "--json").json["history"]
    assert found == {"persons": 30, "rows_per_person": 2.0, "constant_columns": 1}


def test_a_fit_without_histories_says_nothing_of_them(folder: Path):
    (folder / "plain.yaml").write_text(SCHEMA.replace(", order_by: came", ""), encoding="utf-8")
    fit = ("fit", "stays.csv", "--schema", "plain.yaml", "--engine", "sequential_trees", "--no-privacy")
    plain = tabsynth_here(*fit, "--out", "plain", cwd=folder)
    assert (plain.code, "istories" in plain.out) == (0, False)
    assert tabsynth_here(*fit, "--out", "json", "--json", cwd=folder).json["history"] is None


def test_a_fit_says_that_no_history_can_be_drawn_of_few_persons(folder: Path):
    rows = pl.read_csv(folder / "stays.csv")
    more = pl.col("who").is_in([f"P{k:03}" for k in range(12)])  # eight of them have more rows than one
    rows.filter(more | (pl.int_range(pl.len()).over("who") == 0)).write_csv(folder / "few.csv")
    fit = ("fit", "few.csv", "--schema", "schema.yaml", "--engine", "sequential_trees", "--no-privacy")
    said = " ".join(tabsynth_here(*fit, "--out", "few", cwd=folder).out.split())
    assert "Histories of 30 persons, 1.4 rows each on average; 1 column never varies within a person." in said
    assert said.count("Fewer persons (who) have a second row than make a group") == 1
    rows = pl.read_csv(folder / "stays.csv").filter(pl.int_range(pl.len()).over("who") == 0)
    rows.write_csv(folder / "single.csv")
    single = ("fit", "single.csv", "--schema", "schema.yaml", "--engine", "sequential_trees", "--no-privacy")
    assert "Fewer persons" not in tabsynth_here(*single, "--out", "single", cwd=folder).out


def test_a_budget_is_refused_with_both_ways_out(folder: Path):
    done = tabsynth_here("fit", "stays.csv", "--schema", "schema.yaml", "--out", "private", cwd=folder)
    assert done.code == 2
    assert "take it out of the schema" in done.err
    assert "or --no-privacy" in done.err


def test_a_run_says_it_too(folder: Path):
    (folder / "run.yaml").write_text(
        "version: 1\nprivacy: none\nevaluation: false\nschema: schema.yaml\n"
        "tables: {stays: {source: stays.csv, engine: sequential_trees}}\n",
        encoding="utf-8",
    )
    said = tabsynth_here("run", "run.yaml", "--out", "made", cwd=folder).out
    assert f"  {SAID}" in said.splitlines()
    found = tabsynth_here("run", "run.yaml", "--out", "again", "--json", cwd=folder).json["tables"]["stays"]
    assert found["history"]["persons"] == 30


def test_rows_without_the_column_of_persons_are_completed_one_by_one(folder: Path):
    fit(folder)
    (folder / "known.csv").write_text("sex,ward\nf,a\nm,\n,b\n", encoding="utf-8")
    whole = tabsynth_here("complete", "model", "known.csv", "--seed", "1", "--out", "whole.csv", cwd=folder)
    assert whole.code == 0, whole.err
    rows = pl.read_csv(folder / "whole.csv")
    assert rows.columns == ["who", "sex", "came", "ward"]
    assert rows["sex"].to_list()[:2] == ["f", "m"]
    assert rows["ward"].to_list()[::2] == ["a", "b"]
    assert rows["who"].n_unique() == 3
    impute = ("complete", "model", "known.csv", "--impute", "--seed", "1", "--out", "filled.csv")
    filled = tabsynth_here(*impute, cwd=folder)
    assert filled.code == 0, filled.err
    assert pl.read_csv(folder / "filled.csv").columns == ["sex", "ward"]
