"""`tabsynth augment` from files: what it writes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tabsynth.augment import TrialResults
from tabsynth.models.registry import ENGINES
from tabsynth.schema import write_schema
from tabsynth.schema.types import Schema
from tests.end_to_end.commands import Done, tabsynth_here
from tests.unit.augment.tables import SCHEMA, claims


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("augment")
    claims(300).frame.write_csv(made / "claims.csv")
    write_schema(Schema(tables=(SCHEMA,)), made / "schema.yaml", private_note=False)
    return made


def run(folder: Path, *options: str) -> Done:
    return tabsynth_here("augment", "claims.csv", "--engine", "independent", *options, cwd=folder)


def test_rows_are_added_and_marked(folder: Path):
    done = run(folder, "--target", "fraud", "--to", "1:4", "--schema", "schema.yaml", "--out", "more.parquet")
    assert done.code == 0, done.err
    # 25 of 300 rows are of the class; 275 others ask for 69
    assert (
        "Added 44 synthetic rows of the rarest class of 'fraud' (25 of 300 rows): 87% of 344 rows" in done.out
    )
    assert "private" in done.out
    rows = pl.read_parquet(folder / "more.parquet")
    assert rows["origin"].value_counts(sort=True)["count"].to_list() == [300, 44]
    again = run(folder, "--target", "fraud", "--to", "1:4", "--out", "more.parquet")
    assert (again.code, "exists already" in again.err) == (2, True)


def test_without_a_schema_and_as_json(folder: Path):
    done = run(
        folder, "--where", "region=west", "--to", "1:9", "--out", "slice.csv", "--origin", "from", "--keep-real", "0",
        "--json",
    )  # fmt: skip
    assert done.code == 0
    found = done.json["rows"]
    assert (found["real_share"], found["origin"]) == (0.0, "from")
    assert "Not anonymous" in found["guarantee"]
    rows = pl.read_csv(folder / "slice.csv")
    assert rows["region"].unique().to_list() == ["west"]
    assert rows["from"].unique().to_list() == ["synthetic"]


def test_no_budget_covers_augmented_rows(folder: Path):
    asked = ("--schema", "schema.yaml", "--target", "fraud", "--to", "1:4", "--epsilon", "3")
    done = run(folder, *asked, "--out", "dp.csv")
    assert done.code == 2
    assert "no ε covers augmented rows" in done.err
    assert not (folder / "dp.csv").exists()
    tried = run(folder, *asked, "--evaluate", "noisy", "--splits", "2")
    assert tried.code == 0, tried.err
    page = (folder / "noisy/augment.html").read_text("utf-8")
    assert "noise for ε = 3" in page
    assert "Not anonymous by construction" in page


def test_a_trial_is_shown_and_written(folder: Path):
    done = run(folder, "--target", "fraud", "--to", "1:3", "--evaluate", "trial", "--splits", "2")
    assert done.code == 0, done.err
    assert "Synthetic rows of independent" in done.out
    assert "random oversampling" in done.out
    results = TrialResults.from_dict(json.loads((folder / "trial/augment.json").read_text("utf-8")))
    assert results.n_splits == 2
    assert "<svg" in (folder / "trial/augment.html").read_text("utf-8")
    quiet = run(folder, "--target", "fraud", "--to", "1:4", "--out", "quiet.csv", "-q")
    assert (quiet.code, quiet.out) == (0, "")


def test_a_trial_whose_place_is_taken_is_refused_before_it_begins(folder: Path):
    place = folder / "taken"
    place.mkdir()
    (place / "augment.json").write_text("{}", "utf-8")
    (folder / "file").write_text("", "utf-8")
    # The data are not read either: the target that they lack is no fault yet.
    for name, said in (("taken", "exists already"), ("file", "is a file")):
        done = tabsynth_here(
            "augment", "claims.csv", "--target", "absent", "--to", "1:3", "--evaluate", name, cwd=folder
        )
        assert (done.code, said in " ".join(done.err.split())) == (2, True)
    assert (place / "augment.json").read_text("utf-8") == "{}"


def test_the_rarest_class_and_the_engine_that_auto_chooses_are_named(folder: Path):
    options = ("--target", "fraud", "--to", "1:4", "--engine", "auto", "--out", "auto.csv")
    done = run(folder, *options)
    assert done.code == 0, done.err
    frame = pl.read_csv(folder / "claims.csv")
    rarest = frame["fraud"].value_counts().sort("count")["fraud"][0]
    found = run(folder, *options, "--overwrite", "--json").json
    engine = found["rows"]["engine"]
    assert engine in ENGINES
    assert engine != "auto"
    assert (
        found["rarest_class"],
        f"made by {engine}, of fraud = {rarest}, the rarest class" in done.out,
    ) == (str(rarest), True)


def test_a_ratio_is_needed(folder: Path):
    done = run(folder, "--target", "fraud", "--out", "no.csv")
    assert (done.code, "--to 1:10 is one" in " ".join(done.err.split())) == (2, True)


def test_slices_are_looked_for(folder: Path):
    asked = ("augment", "claims.csv", "--target", "fraud", "--find-slices")
    done = tabsynth_here(*asked, cwd=folder)
    assert done.code == 0, done.err
    assert "Looked at" in done.out
    assert "Private output" in done.out
    found = tabsynth_here(*asked, "--json", cwd=folder).json
    assert (found["format"], found["target"], found["n_rows"]) == ("tabsynth-slices/1", "fraud", 300)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target", "fraud"), "nothing is asked for"),
        (("--out", "no.csv"), "which rows are too few"),
        (("--find-slices",), "give it a --target"),
        (("--find-slices", "--target", "fraud", "--out", "no.csv"), "and no --where"),
        (("--where", "region=west", "--evaluate", "no"), "needs a --target"),
        (("--target", "fraud", "--delta", "1e-6", "--out", "no.csv"), "belongs to an ε"),
        (("--target", "fraud", "--table", "claims", "--out", "no.csv"), "add --schema"),
        (("--target", "fraud", "--where", "region=west", "--out", "no.csv"), "--target would do nothing"),
        (("--target", "fruad", "--out", "no.csv"), "did you mean"),
        (("--target", "fraud", "--to", "1:20", "--out", "no.csv"), "more already"),
        (("--target", "fraud", "--to", "many", "--out", "no.csv"), "two whole numbers"),
    ],
)
def test_impossible_options_are_refused_and_nothing_is_written(folder: Path, options, said: str):
    ratio = () if "--to" in options else ("--to", "1:4")
    done = run(folder, *options, *ratio)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert not (folder / "no.csv").exists()
    assert not (folder / "no").exists()
