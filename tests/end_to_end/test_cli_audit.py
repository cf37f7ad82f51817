"""`tabsynth audit` from files: exit codes, the two kinds of JSON, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tabsynth
from tabsynth.audit import AuditResults
from tabsynth.schema import write_schema
from tabsynth.schema.types import Schema
from tests.end_to_end.commands import Done, tabsynth_here
from tests.unit.audit.tables import SCHEMA, drawn, joined


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("audit")
    tables = {
        "train": drawn(400, 1),
        "holdout": drawn(600, 2),
        "unrelated": drawn(400, 3),
        "copier": joined(drawn(400, 1).frame[:80], drawn(320, 4).frame),
        "few": drawn(20, 5),
    }
    for name, table in tables.items():
        table.frame.write_parquet(made / f"{name}.parquet")
    write_schema(Schema(tables=(SCHEMA,)), made / "schema.yaml", private_note=False)
    return made


def run(folder: Path, synthetic: str, *options: str) -> Done:
    files = (
        "--synthetic",
        f"{synthetic}.parquet",
        "--train",
        "train.parquet",
        "--holdout",
        "holdout.parquet",
    )
    return tabsynth_here("audit", *files, "--schema", "schema.yaml", *options, cwd=folder)


def test_a_copier_is_denied_and_the_file_says_why(folder: Path):
    done = run(folder, "copier", "--json", "copier.json")
    assert done.code == 3
    assert done.out.startswith("FAIL:")
    assert "copier.json" in done.out.splitlines()[-1]
    found = AuditResults.from_dict(json.loads((folder / "copier.json").read_text(encoding="utf-8")))
    assert found.outcome == "fail"
    assert run(folder, "copier", "--json", "copier.json").code == 2
    assert run(folder, "copier", "--json", "copier.json", "--overwrite", "--quiet").out == ""


def test_what_cannot_be_seen_is_inconclusive_on_stdout(folder: Path):
    roles = ("--sensitive", "c", "--quasi-identifier", "x", "--quasi-identifier", "k")
    done = run(folder, "unrelated", "--json", "-", "--epsilon", "1", *roles)
    assert done.code == 4
    assert (done.json["ok"], done.json["exit_code"]) == (False, 4)
    assert done.json["verdict"]["outcome"] == "inconclusive"
    assert round(done.json["bound"]["auc"], 3) == 0.731
    assert not (folder / "-").exists()
    guesses = done.json["release"]["guesses"]
    assert [g["columns"] for g in guesses if g["attack_name"] == "attribute"] == [["c"], ["c"]]
    link = next(guess for guess in guesses if guess["attack_name"] == "linkability")
    assert (link["known"], link["columns"]) == (["x", "k"], ["y", "c"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "1h"), "2m, 20m, 4h"),
        (("--delta", "1e-5"), "give --epsilon too"),
        (("--epsilon", "-1"), "must be finite"),
        (("--seed", "-1"), "seed"),
        (("--sensitive", "z"), "'z' is not a column"),
        (("--sensitive", "c", "--quasi-identifier", "c"), "both as a quasi-identifier and as sensitive"),
    ],
)
def test_impossible_options_are_refused(folder: Path, options: tuple[str, ...], said: str):
    done = run(folder, "unrelated", *options)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


@pytest.mark.filterwarnings("ignore:No (more than one level|range) was found:UserWarning")  # so few rows
def test_the_guarantee_is_the_models_unless_another_is_stated(folder: Path):
    train = folder / "train.parquet"
    tabsynth.fit(train, schema=SCHEMA, engine="independent").save(folder / "model")
    found = run(folder, "unrelated", "--json", "-", "--model", "model").json["bound"]
    assert (found["epsilon"], found["delta"]) == (1.0, 1e-6)
    found = run(folder, "unrelated", "--json", "-", "--model", "model", "--epsilon", "2").json["bound"]
    assert (found["epsilon"], found["delta"]) == (2.0, 1e-5)


def test_too_few_rows_are_refused_as_json_too(folder: Path):
    done = run(folder, "few", "--json", "-")
    assert done.code == 2
    assert done.json["error"]["faults"][0]["what"] == "20 rows, needs 200"
