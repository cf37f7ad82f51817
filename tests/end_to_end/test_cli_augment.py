"""`tabsynth augment` from files: what it writes, prints and refuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tabsynth.augment import TrialResults
from tabsynth.io import Provenance, read_provenance, write_frame
from tabsynth.models.registry import ENGINES
from tabsynth.schema import write_schema
from tabsynth.schema.types import Column, Kind, Schema, TableSchema
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
    assert f"auto: {engine}, for 300 rows: fewer than" in done.out


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


@pytest.mark.slow
def test_the_commands_that_are_proposed_run_as_they_are_printed(tmp_path: Path):
    """A table that only its options can read, of a schema of two, and a slice by a number and one by a level with a quote."""
    rng = np.random.default_rng(3)
    n = 2_200
    age, x = rng.integers(18, 92, n), rng.normal(size=n).round(4)
    site = np.where(rng.random(n) < 0.045, "St. Mary's; old", "b")
    is_lost = (age >= 89) | (site != "b")
    y = np.where(is_lost, rng.random(n) < 0.5, x > 0.8)
    frame = pl.DataFrame({"age": age, "x": x, "site": site, "y": np.where(y, "yes", "no")})
    schema = TableSchema(
        name="stays",
        columns=(
            Column(name="age", kind=Kind.INTEGER, dtype="int64", nullable=True),
            Column(name="x", kind=Kind.NUMBER, dtype="float64"),
            Column(name="site", kind=Kind.CATEGORICAL, dtype="string", categories=("b", "St. Mary's; old")),
            Column(name="y", kind=Kind.CATEGORICAL, dtype="string", categories=("no", "yes")),
        ),
    )
    write_schema(Schema(tables=(SCHEMA, schema)), tmp_path / "two tables.yaml", private_note=False)
    text = frame.with_columns(pl.col("x").cast(pl.String).str.replace(".", ",", literal=True))
    text.write_csv(tmp_path / "my stays.csv", separator="\t", quote_style="non_numeric")
    (tmp_path / "trial-1").mkdir()
    done = tabsynth_here(
        "augment", "my stays.csv", "--find-slices", "--target", "y", "--schema", "two tables.yaml", "--table", "stays",
        "--delimiter", "\t", "--decimal", ",", "--null-mark", "-", "--null-mark", "?", "--max-rows", "2000",
        "--seed", "4", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    commands = [shlex.split(line) for line in done.json["next"]]
    said = [part for command in commands for part in command]
    assert "site=St. Mary's; old" in said
    assert any(part.startswith(("age>=8", "age>=9")) for part in said), said
    folders = [command[command.index("--evaluate") + 1] for command in commands]
    assert folders == [f"trial-{number}" for number in range(2, 2 + len(commands))]
    for command, folder in zip(commands, folders, strict=True):
        tried = tabsynth_here(*command[1:], cwd=tmp_path)
        assert tried.code == 0, tried.err
        results = TrialResults.from_dict(json.loads((tmp_path / folder / "augment.json").read_text("utf-8")))
        assert (results.n_rows, results.seed, results.target) == (2_000, 4, "y")


def test_slices_of_a_table_that_is_marked_synthetic_are_asked_for_like_its_rows(folder: Path):
    frame = claims(3_000).frame
    mark = Provenance(engine="independent", generation=1, real_share=0.0)
    write_frame(frame, folder / "marked.csv", provenance=mark)
    asked = ("augment", "marked.csv", "--target", "fraud", "--find-slices", "--json")
    refused = tabsynth_here(*asked, cwd=folder)
    assert (refused.code, "generation 1" in refused.err) == (2, True)
    found = tabsynth_here(*asked, "--real-share", "0.5", cwd=folder)
    assert found.code == 0, found.err
    assert found.json["next"]
    assert all("--real-share 0.5" in command for command in found.json["next"])


def test_slices_are_not_looked_for_with_options_that_are_ignored(folder: Path):
    done = tabsynth_here(
        "augment", "claims.csv", "--target", "fraud", "--find-slices", "--to", "1:4", "--keep-real", "1", "--engine",
        "smote", "--splits", "5", "--set", "a=1", "--origin", "origin", "--synthetic-share", "0.2", "--precision", "0.5",
        "--epsilon", "1", "--delta", "1e-6", "--overwrite", "--where", "region=west", cwd=folder,
    )  # fmt: skip
    assert done.code == 2
    named = " ".join(done.err.split()).partition("found ")[2].rstrip(")").split(", ")
    assert set(named) == {
        "--to", "--keep-real", "--engine", "--splits", "--set", "--origin", "--synthetic-share", "--precision",
        "--epsilon", "--delta", "--overwrite", "--where",
    }  # fmt: skip


def test_rows_that_cannot_be_written_are_refused_before_a_trial(folder: Path):
    (folder / "a file").write_text("", "utf-8")
    (folder / "empty.csv").mkdir()
    asked = ("--target", "fraud", "--to", "1:4", "--evaluate", "early")
    for options, said in (
        (("--out", "no.csv", "--origin", "age"), "one that the table does not have"),
        (("--out", "no.csv", "--keep-real", "2"), "lies in [0, 1]"),
        (("--out", "no.xls"), "unknown kind of file"),
        (("--out", "empty.csv"), "is a folder"),
        (("--out", "a file/no.csv"), "is a file: nothing can be written below it"),
        (("--out", "early"), "unknown kind"),
        (("--out", "no.csv", "--evaluate", "no.csv/early"), "cannot lie there"),
        (("--out", "no.csv", "--evaluate", "a file/early"), "is a file"),
    ):
        done = run(folder, *asked, *options)
        assert (done.code, said in " ".join(done.err.split())) == (2, True), done.err
        assert "Split 1" not in done.err
        assert not (folder / "early").exists()
        assert not (folder / "no.csv").exists()


def test_the_share_of_synthetic_rows_can_be_asked_for(folder: Path):
    asked = ("--target", "fraud", "--synthetic-share", "0.2", "--keep-real", "0.5", "--out", "share.parquet")
    done = run(folder, *asked)
    assert done.code == 0, done.err
    # 150 of 300 rows are kept, and 38 of 188 are 20 %
    assert "Added 38 synthetic rows" in done.out
    assert "80% of 188 rows are real" in done.out
    mark = read_provenance(folder / "share.parquet")
    assert isinstance(mark, Provenance)
    assert mark.real_share == pytest.approx(150 / 188)
    tried = run(
        folder, "--target", "fraud", "--synthetic-share", "0.25", "--evaluate", "shared", "--splits", "2", "--json"
    )  # fmt: skip
    # 18 of 25 rows of the class and 193 of 275 others, rounded as they are split, are train
    assert tried.json["trial"]["to"] == "25 % synthetic rows"
    assert tried.json["trial"]["n_added"] == round(tried.json["trial"]["n_train"] / 3)


def test_the_ratio_holds_in_the_result(folder: Path):
    asked = ("--target", "fraud", "--to", "1:1", "--keep-real", "0.2", "--out", "even.parquet")
    assert run(folder, *asked).code == 0
    rows = pl.read_parquet(folder / "even.parquet")
    assert rows["fraud"].value_counts()["count"].n_unique() == 1
    assert rows.filter(origin="real").height == 60


def test_smote_at_the_border_is_told_of_the_target(folder: Path):
    pytest.importorskip("imblearn")
    options = ("--engine", "smote", "--set", "variant=borderline")
    done = run(folder, *options, "--target", "fraud", "--to", "1:4", "--out", "border.csv")
    assert done.code == 0, done.err
    named = ("--where", "fraud=yes", "--where", "region=north")
    both = run(folder, *options, *named, "--target", "fraud", "--to", "1:4", "--out", "both.csv")
    assert both.code == 0, both.err
    other = run(folder, *options, "--where", "region=west", "--to", "1:4", "--out", "no.csv")
    assert (other.code, "needs a target" in other.err) == (2, True)


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
        (("--target", "fraud", "--synthetic-share", "0.2", "--out", "no.csv"), "leave one of them out"),
        (("--target", "fraud", "--to", "100000000:1", "--out", "no.csv"), "10,000,000 is the most"),
        (("--target", "fraud", "--to", "100000000:1", "--evaluate", "no"), "tabsynth sample --where"),
    ],
)
def test_impossible_options_are_refused_and_nothing_is_written(folder: Path, options, said: str):
    ratio = () if "--to" in options else ("--to", "1:4")
    done = run(folder, *options, *ratio)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert not (folder / "no.csv").exists()
    assert not (folder / "no").exists()
