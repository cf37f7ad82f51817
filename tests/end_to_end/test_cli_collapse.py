"""`tabsynth collapse` from files: what it writes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabsynth.evaluate.collapse import CollapseResults
from tabsynth.schema import write_schema
from tabsynth.schema.types import Schema
from tests.end_to_end.commands import Done, tabsynth_here
from tests.unit.evaluate.test_collapse import SCHEMA, drawn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("collapse")
    for name, seed in (("train", 1), ("holdout", 2)):
        drawn(300, seed).frame.write_parquet(made / f"{name}.parquet")
    write_schema(Schema(tables=(SCHEMA,)), made / "schema.yaml", private_note=False)
    return made


def run(folder: Path, *options: str) -> Done:
    files = ("--train", "train.parquet", "--holdout", "holdout.parquet", "--schema", "schema.yaml")
    own = () if {"--command", "--function"} & set(options) else ("--engine", "independent")
    return tabsynth_here("collapse", *files, *own, *options, cwd=folder)


def test_a_command_and_a_function_of_a_user(folder: Path):
    done = run(folder, "--command", "cp {train} {synthetic}", "--generations", "1", "--out", "own", "--json")
    assert (done.code, done.json["generator"], done.json["guarantee"]) == (0, "cp", "")
    (folder / "mine_of_collapse.py").write_text(
        "def make(frame, n_rows, seed, *, epsilon):\n    assert epsilon == 2\n    return frame.head(n_rows)\n"
    )
    named = ("--function", "mine_of_collapse.py:make", "--generations", "1")
    done = run(folder, *named, "--epsilon", "2", "--rows", "50", "--out", "mine", "--json")
    assert (done.code, done.json["generations"][0]["n_rows"]) == (0, 50)
    assert "state its budget" in run(folder, *named, "--out", "none").err


def test_generations_are_watched_and_written(folder: Path):
    done = run(folder, "--no-privacy", "--generations", "2", "--target", "c", "--out", "watched")
    assert done.code == 0
    assert "Fitted on its own output for 2 generations, independent" in done.out
    assert "Private output" in done.out
    results = CollapseResults.from_dict(json.loads((folder / "watched/collapse.json").read_text("utf-8")))
    assert [generation.number for generation in results.generations] == [1, 2]
    assert results.target == "c"
    assert "<svg" in (folder / "watched/collapse.html").read_text("utf-8")
    again = run(folder, "--no-privacy", "--generations", "1", "--out", "watched")
    assert (again.code, "exists already" in again.err) == (2, True)


def test_as_json_and_quietly(folder: Path):
    done = run(folder, "--epsilon", "2", "--generations", "1", "--rows", "50", "--out", "j", "--json")
    assert done.code == 0
    assert done.json["generations"][0]["n_rows"] == 50
    assert "ε = 2" in done.json["guarantee"]
    assert run(folder, "--no-privacy", "--generations", "1", "--out", "q", "--quiet").out == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--generations", "0"), "from 1 to 100 generations"),
        (("--target", "z"), "'z' is not a column"),
        (("--set", "nonsense=1"), "unknown setting"),
        (("--seed", "-1"), "seed"),
        (("--model", "model"), "give one of them"),
    ],
)
def test_impossible_options_are_refused_and_nothing_is_written(folder: Path, options, said: str):
    done = run(folder, "--no-privacy", *options, "--out", "refused")
    assert done.code == 2
    assert said in done.err
    assert not (folder / "refused").exists()
