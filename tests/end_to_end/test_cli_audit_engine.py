"""`tabsynth audit-engine shadow` from files: exit codes, JSON, what is kept, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tabsynth.audit.shadow import ShadowResults
from tabsynth.schema import write_schema
from tabsynth.schema.types import Schema
from tests.end_to_end.commands import Done, tabsynth_here
from tests.unit.audit.tables import SCHEMA, drawn


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("audit-engine")
    for name, table in {"train": drawn(260, 1), "holdout": drawn(300, 2)}.items():
        table.frame.write_parquet(made / f"{name}.parquet")
    write_schema(Schema(tables=(SCHEMA,)), made / "schema.yaml", private_note=False)
    (made / "tool.py").write_text(
        "import sys\n"
        "open('calls', 'a').write(' '.join(sys.argv[3:]) + chr(10))\n"
        "open(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read())\n"
    )
    return made


def run(folder: Path, *options: str) -> Done:
    files = ("--train", "train.parquet", "--holdout", "holdout.parquet", "--schema", "schema.yaml")
    return tabsynth_here("audit-engine", "shadow", *files, *options, cwd=folder)


def test_a_command_that_copies_is_denied_and_can_be_continued(folder: Path):
    options = (
        *("--command", f"'{sys.executable}' tool.py {{train}} {{synthetic}} {{rows}} {{seed}}"),
        *("--rows", "100", "--fits", "40", "--workers", "1", "--resume", "kept", "--json", "shadow.json"),
    )
    done = run(folder, *options, "--epsilon", "1")
    assert done.code == 3
    assert done.out.startswith("FAIL: what this engine makes betrays whose rows it was given.")
    said = " ".join(done.out.split())
    assert "this is more than ε = 1, δ = 1e-06 allows any attacker" in said
    assert "kept counts of each fit, to continue with; private" in said
    assert "40 fits, one every" in done.err
    calls = (folder / "calls").read_text().splitlines()
    assert len(calls) == 40
    assert {line.split()[0] for line in calls} == {"100"}
    assert len({line.split()[1] for line in calls}) == 40
    found = ShadowResults.from_dict(json.loads((folder / "shadow.json").read_text(encoding="utf-8")))
    assert found.outcome == "fail"
    assert run(folder, *options).code == 2  # the file is there


def test_an_engine_that_tells_nothing_is_inconclusive_on_stdout(folder: Path):
    done = run(
        folder,
        *("--engine", "independent", "--no-privacy", "--rows", "100", "--fits", "40"),
        *("--workers", "1", "--json", "-"),
    )
    assert done.code == 4  # failed with a probability of at most .05; the seed is fixed
    assert (done.json["ok"], done.json["exit_code"]) == (False, 4)
    assert done.json["verdict"]["outcome"] == "inconclusive"
    assert done.json["bound"] is None
    assert "copy of 5% of its rows" in done.json["verdict"]["unseen"]


COMMAND = ("--command", "cp {train} {synthetic}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "1h"), "2m, 20m, 4h"),
        (("--engine", "independent", *COMMAND), "give one of them"),
        (("--model", "model", "--engine", "independent"), "give one of them"),
        (("--command-format", "csv"), "belong to a --command"),
        (("--set", "a=1", *COMMAND), "--set belongs to an --engine"),
        (("--model", "model", "--no-privacy"), "a model says itself"),
        (("--model", "model"), "no model folder there"),
        ((*COMMAND, "--delta", "1e-5"), "give --epsilon too"),
        ((*COMMAND, "--no-privacy", "--epsilon", "1"), "not both"),
        (("--command", "cp {train}"), "{synthetic} is missing"),
        ((*COMMAND, "--command-timeout", "0"), "above 0 s"),
        ((*COMMAND, "--function", "json:dumps"), "give one of them"),
        (("--function", "json:nothing"), "no function"),
        (("--rows", "5"), "found 5"),
        (("--fits", "3"), "found 3"),
        (("--resume", "no/kept", "--rows", "100"), "cannot be opened"),
    ],
)
def test_impossible_options_are_refused(folder: Path, options: tuple[str, ...], said: str):
    done = run(folder, *options)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_a_command_that_fails_ends_the_audit_and_shows_nothing_it_printed(folder: Path):
    (folder / "bad.py").write_text("import sys; print(open(sys.argv[1]).read()); sys.exit(7)")
    options = ("--rows", "100", "--fits", "40", "--workers", "2")
    done = run(folder, "--command", f"'{sys.executable}' bad.py {{train}} {{synthetic}}", *options)
    assert done.code == 2
    assert "ended with code 7" in done.err
    assert done.out == ""
