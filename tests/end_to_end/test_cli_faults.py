"""What commands do when something is wrong: the exit code, the words, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tabsynth as ts
from tests.end_to_end.commands import (
    CANARY_NUMBER,
    CANARY_TEXT,
    masked,
    start,
    stays,
    tabsynth,
    tabsynth_here,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source, its schema and a model, made once."""
    folder = tmp_path_factory.mktemp("faults")
    frame = stays(120)
    frame.write_csv(folder / "stays.csv")
    schema = masked(ts.draft_schema(folder / "stays.csv"))
    ts.write_schema(schema, folder / "schema.yaml", private_note=True)
    ts.fit(folder / "stays.csv", schema=schema, privacy=ts.NO_PRIVACY).save(folder / "model")
    plain = frame.drop("stay id", "note")
    ts.fit(plain, schema=ts.draft_schema(plain), engine="independent", privacy=ts.NO_PRIVACY).save(
        folder / "plain"
    )
    tampered = shutil.copytree(folder / "model", folder / "tampered")
    text = (tampered / "model.json").read_text(encoding="utf-8")
    (tampered / "model.json").write_text(text.replace("bayesian_network", "independent"), encoding="utf-8")
    lines = (folder / "stays.csv").read_text(encoding="utf-8").splitlines()
    (folder / "ragged.csv").write_text(
        "\n".join([*lines, f"{CANARY_TEXT},{CANARY_NUMBER}"]), encoding="utf-8"
    )
    (folder / "latin.csv").write_bytes(f"age,ward\n{CANARY_NUMBER},{CANARY_TEXT}\xe9\n".encode("latin-1"))
    (folder / "empty.csv").write_text("")
    frame.select("age").write_csv(folder / "ages.csv")
    (folder / "header.csv").write_text(lines[0] + "\n", encoding="utf-8")
    (folder / "words.csv").write_text(
        "\n".join([lines[0], *(line.replace(line.split(",")[2], CANARY_TEXT, 1) for line in lines[1:])]),
        encoding="utf-8",
    )
    (folder / "narrow.csv").write_text(f"age,age\n{CANARY_NUMBER},{CANARY_TEXT}\n")
    (folder / "other.csv").write_text(
        "\n".join(lines).replace("cardiology", f"{CANARY_TEXT} ward"), encoding="utf-8"
    )
    schema_text = (folder / "schema.yaml").read_text(encoding="utf-8")
    (folder / "faulty.yaml").write_text(schema_text.replace("kind: integer", "kind: whole"), encoding="utf-8")
    (folder / "run.yaml").write_text("version: 1\nprivacy: none\ntables: {stays: {source: absent.csv}}\n")
    (folder / "taken").mkdir()
    (folder / "taken" / "thesis.txt").write_text("mine")
    return folder


_FIT = ("fit", "stays.csv", "--schema", "schema.yaml", "--out", "m")
_FIT_ANYHOW = (*_FIT, "--no-privacy")

FAULTS: list[tuple[str, tuple[str, ...], str, str]] = [
    ("unknown engine", (*_FIT_ANYHOW, "--engine", "gaussian"), "UsageError", "did you mean 'gaussian_copula'?"),
    ("unknown setting", (*_FIT_ANYHOW, "--set", "min_grup=3"), "UsageError", "did you mean 'min_group'?"),
    ("setting without =", (*_FIT_ANYHOW, "--set", "min_group"), "UsageError", "expected --set key=value"),
    ("setting given twice", (*_FIT_ANYHOW, "--set", "min_group=3", "--set", "min_group=4"), "UsageError", "given twice"),
    ("a budget and none", (*_FIT_ANYHOW, "--epsilon", "1"), "UsageError", "not both"),
    ("a delta and none", (*_FIT_ANYHOW, "--delta", "0.1"), "UsageError", "not both"),
    ("a budget of nothing", (*_FIT, "--epsilon", "0"), "UsageError", "epsilon must be positive"),
    ("a budget too small", (*_FIT, "--epsilon", "1e-18", "--delta", "1e-18"), "UsageError", "too small"),
    ("no ledger there", (*_FIT, "--ledger", "absent"), "UsageError", "no ledger can be opened there"),
    ("a ledger that is none", (*_FIT, "--ledger", "stays.csv"), "PrivacyError", "is no ledger"),
    ("a ledger for no privacy", (*_FIT_ANYHOW, "--ledger", "absent"), "UsageError", "under a ledger's cap"),
    ("a source without a ledger", (*_FIT, "--source", "x"), "UsageError", "belongs to a ledger"),
    ("a ledger of no name", ("ledger", "create", "new", "--source", "", "--epsilon", "1"), "UsageError", "1 to 200"),
    ("a ledger that exists", ("ledger", "create", "stays.csv", "--source", "x", "--epsilon", "1"), "OutputExistsError", "never overwritten"),
    ("nothing to show", ("ledger", "show", "absent"), "UsageError", "no ledger"),
    ("a plan of no rows", ("budget", "plan", "--schema", "schema.yaml", "--rows", "-1"), "UsageError", "0 or more"),
    ("no source", ("fit", "stay.csv", *_FIT_ANYHOW[2:]), "StructureError", "did you mean stays.csv?"),
    ("unknown kind of file", ("fit", "run.yaml", *_FIT_ANYHOW[2:]), "UsageError", "unknown kind of file"),
    ("a folder as data", ("schema", "draft", "taken", "--out", "s.yaml"), "UsageError", "taken is a folder: name a file"),
    ("ragged", ("fit", "ragged.csv", *_FIT_ANYHOW[2:]), "StructureError", "1 with 2 fields, expected 9"),
    ("not UTF-8", ("schema", "draft", "latin.csv", "--out", "s.yaml"), "StructureError", "1 of 1 cells are not utf-8"),
    ("empty", ("fit", "empty.csv", *_FIT_ANYHOW[2:]), "StructureError", "empty"),
    ("no rows", ("fit", "header.csv", *_FIT_ANYHOW[2:]), "DataError", "no rows"),
    ("columns missing", ("fit", "narrow.csv", *_FIT_ANYHOW[2:]), "StructureError", "column 'ward': missing"),
    ("wrong type", ("fit", "words.csv", *_FIT_ANYHOW[2:]), "DataError", "cells are not int64"),
    ("out of domain", ("fit", "other.csv", *_FIT_ANYHOW[2:]), "DataError", "not a declared category"),
    ("faulty schema", ("schema", "check", "stays.csv", "--schema", "faulty.yaml"), "SchemaError", "unknown kind 'whole'"),
    ("no schema", ("schema", "check", "stays.csv", "--schema", "absent.yaml"), "SchemaError", "cannot be read"),
    ("unknown table", ("schema", "check", "stays.csv", "--schema", "schema.yaml", "--table", "x"), "UsageError", "no table 'x'"),
    ("confirm nothing", ("schema", "confirm", "schema.yaml", "--by", "A", "--source", "B"), "UsageError", "--all"),
    ("confirm unknown", ("schema", "confirm", "schema.yaml", "--by", "A", "--source", "B", "--column", "agee"), "SchemaError", "did you mean 'age'?"),
    ("import what is none", ("schema", "import", "stays.csv", "--out", "s.yaml"), "SchemaError", ""),
    ("bad share", ("split", "stays.csv", "--schema", "schema.yaml", "--holdout", "1", "--out", "p"), "UsageError", "strictly between 0 and 1"),
    ("no model", ("sample", "absent", "--out", "s.csv"), "ModelFileError", "no model folder"),
    ("tampered model", ("sample", "tampered", "--out", "s.csv"), "ModelFileError", "altered or damaged"),
    ("negative rows", ("sample", "model", "--rows", "-1", "--out", "s.csv"), "UsageError", "0 or more"),
    ("unknown output", ("sample", "model", "--out", "s.xlsx"), "UsageError", "unknown kind of file"),
    ("unknown column", ("sample", "model", "--where", "agee=4", "--out", "s.csv"), "ConditionError", "did you mean 'age'?"),
    ("not a condition", ("sample", "model", "--where", "age", "--out", "s.csv"), "ConditionError", "expected column=value"),
    ("value of no type", ("sample", "model", "--where", "age=old", "--out", "s.csv"), "ConditionError", "'age' expects a whole number"),
    ("held twice", ("sample", "model", "--where", "age=40", "--where", "age=41", "--out", "s.csv"), "ConditionError", "two values"),
    ("text column held", ("sample", "model", "--where", "note=x", "--out", "s.csv"), "ConditionError", "is not modelled: a column of kind text"),
    ("value never held", ("sample", "model", "--where", "ward=morgue", "--out", "s.csv"), "ConditionError", "outside the declared domain"),
    ("existing file", ("sample", "model", "--out", "stays.csv"), "OutputExistsError", "--overwrite"),
    ("existing model", (*_FIT_ANYHOW[:5], "model", "--no-privacy"), "OutputExistsError", "--overwrite"),
    ("existing schema", ("schema", "draft", "stays.csv", "--out", "schema.yaml"), "OutputExistsError", "--overwrite"),
    ("other things there", (*_FIT_ANYHOW[:5], "taken", "--no-privacy", "--overwrite"), "UsageError", "holds other things"),
    ("run file with faults", ("run", "run.yaml", "--out", "r"), "SchemaError", "absent.csv is not there"),
    ("unknown target", ("evaluate", "--synthetic", "stays.csv", "--train", "stays.csv", "--holdout", "stays.csv", "--schema", "schema.yaml", "--target", "x", "--out", "e"), "UsageError", "not a column"),
    ("unknown columns", ("evaluate", "--synthetic", "stays.csv", "--train", "stays.csv", "--holdout", "stays.csv", "--schema", "schema.yaml", "--quasi-identifier", "x", "--sensitive", "y", "--out", "e"), "UsageError", "the sensitive column 'y' is not a column"),
]  # fmt: skip
_EVALUATE = (
    "--synthetic",
    "stays.csv",
    "--train",
    "train.parquet",
    "--holdout",
    "stays.csv",
    "--schema",
    "schema.yaml",
)
_KEY = ("pseudonymise", "stays.csv", "--schema", "schema.yaml", "--no-privacy", "--key-file", "key")
REPLACED: list[tuple[str, tuple[str, ...], str]] = [
    ("a draft", ("schema", "draft", "stays.csv", "--out", "stays.csv"), "reads it"),
    ("a split", ("split", "train.parquet", "--out", "."), "reads it"),
    ("a schema split by", ("split", "stays.csv", "--schema", "holdout.parquet", "--out", "."), "reads it"),
    ("a fit over its table's folder", ("fit", "model/rows.csv", "--schema", "schema.yaml", "--out", "model"), "model/rows.csv, which lies in it"),
    ("a fit over its ledger's folder", (*_FIT[:5], "model", "--ledger", "model/ledger"), "model/ledger, which lies in it"),
    ("a sample", ("sample", "model", "--out", "model/model.csv"), "reads it"),
    ("complete", ("complete", "model", "stays.csv", "--out", "stays.csv"), "reads it"),
    ("near", ("near", "model", "stays.csv", "--rows", "1", "--out", "link.csv"), "reads it"),
    ("draw", ("draw", "model", "--out", "model/drawn.svg"), "reads it"),
    ("augment", ("augment", "stays.csv", "--target", "ward", "--to", "1:2", "--out", "stays.csv"), "reads it"),
    ("a trial", ("augment", "trial/augment.json", "--target", "ward", "--to", "1:2", "--evaluate", "trial"), "reads it"),
    ("rows under pseudonyms", (*_KEY, "--out", "stays.csv", "--schema-out", "s.yaml"), "reads it"),
    ("a schema over the key", (*_KEY, "--out", "p.csv", "--schema-out", "key"), "reads it"),
    ("a schema over the rows", (*_KEY, "--out", "p.csv", "--schema-out", "p.csv"), "two outputs"),
    ("rules", ("constraints", "suggest", "stays.csv", "--schema", "schema.yaml", "--out", "schema.yaml"), "reads it"),
    ("an import", ("schema", "import", "stays.csv", "--out", "stays.csv"), "reads it"),
    ("an evaluation", ("evaluate", "--synthetic", "trial/results.json", *_EVALUATE[2:], "--out", "trial"), "reads it"),
    ("an audit", ("audit", *_EVALUATE, "--json", "link.csv"), "reads it"),
    ("shadows", ("audit-engine", "shadow", *_EVALUATE[2:], "--json", "train.parquet"), "reads it"),
    ("shadows over what they keep", ("audit-engine", "shadow", *_EVALUATE[2:], "--resume", "r", "--json", "r"), "two outputs"),
    ("noise", ("audit-engine", "noise", "--function", "own.py:make", "--json", "own.py"), "reads it"),
    ("a collapse", ("collapse", *_EVALUATE[2:6], "--schema", "trial/collapse.json", "--out", "trial"), "reads it"),
    ("a decision", ("policy", "check", "--model", "model", "--policy", "stays.csv", "--out", "stays.csv"), "reads it"),
    ("a report", ("report", "internal", "--results", "stays.csv", "--out", "stays.csv"), "reads it"),
    ("a page", ("report", "publishable", "--model", "model", "--synthetic", "stays.csv", "--out", "stays.csv"), "reads it"),
    ("a page twice", ("report", "publishable", "--model", "model", "--synthetic", "stays.csv", "--out", "p", "--json", "p"), "two outputs"),
    ("a bundle", ("release", "build", "--terms", "stays.csv", "--key", "key", "--out", "stays.csv"), "reads it"),
    ("an opened bundle", ("release", "open", "trial/b.zip", "--key", "key", "--out", "trial"), "trial/b.zip, which lies in it"),
    ("a run over its file", ("run", "ran/private/run.yaml", "--out", "ran"), "ran/private/run.yaml, which lies in it"),
    ("a run over its schema", ("run", "elsewhere.yaml", "--out", "ran"), "ran/private/schema.yaml, which lies in it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "kind", "words"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_bad_input_ends_with_code_2_and_leaves_nothing(
    made: Path, args: tuple[str, ...], kind: str, words: str
) -> None:
    before = _state(made)
    done = tabsynth_here(*args, "--json", cwd=made)
    assert done.code == 2, done.err
    assert done.json["ok"] is False
    assert done.json["exit_code"] == 2
    assert done.json["error"]["type"] == kind
    assert words in done.err
    assert "Traceback" not in done.err
    assert done.err.startswith("Error: ")
    assert _state(made) == before


@pytest.fixture(scope="module")
def inputs(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that commands read, named as their outputs could be."""
    folder = tmp_path_factory.mktemp("inputs")
    shutil.copytree(made / "model", folder / "model")
    for name in ("stays.csv", "schema.yaml"):
        shutil.copy(made / name, folder / name)
    (folder / "link.csv").symlink_to("stays.csv")
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_bytes(b"k" * 40)
    for name in (
        "train.parquet",
        "trial/augment.json",
        "trial/results.json",
        "trial/collapse.json",
        "own.py",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(made / "stays.csv", folder / name)
    for name in ("holdout.parquet", "trial/collapse.json"):
        shutil.copy(made / "schema.yaml", folder / name)
    for name in ("rows.csv", "ledger"):
        shutil.copy(made / "stays.csv", folder / "model" / name)
    for name in ("model.csv", "drawn.svg"):
        (folder / "model" / name).symlink_to("model.json")
    for name in ("b.zip", "manifest.json"):
        (folder / "trial" / name).write_text("{}")
    (folder / "ran" / "private").mkdir(parents=True)
    shutil.copy(made / "schema.yaml", folder / "ran" / "private")
    run = "version: 1\nprivacy: none\nschema: {}\ntables: {{stays: {{source: {}}}}}\n"
    (folder / "ran/private/run.yaml").write_text(run.format("schema.yaml", "../../stays.csv"))
    (folder / "elsewhere.yaml").write_text(run.format("ran/private/schema.yaml", "stays.csv"))
    return folder


@pytest.mark.parametrize(("args", "words"), [one[1:] for one in REPLACED], ids=[one[0] for one in REPLACED])
def test_no_command_replaces_what_it_reads(inputs: Path, args: tuple[str, ...], words: str) -> None:
    before = {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()}
    done = tabsynth_here(*args, "--overwrite", cwd=inputs)
    assert done.code == 2, done.err
    assert words in done.err
    assert {path: path.read_bytes() for path in inputs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["no rows", "wrong type", "out of domain"])
def test_no_cell_is_a_fault_of_a_private_fit(made: Path, tmp_path: Path, name: str) -> None:
    (args,) = (fault[1] for fault in FAULTS if fault[0] == name)
    done = tabsynth_here(*args[:4], "--out", tmp_path / "m", "--json", "--quiet", cwd=made)
    assert (done.code, done.err) == (0, "")
    assert done.json["guarantee"] == "Differentially private: ε = 1, δ = 1e-06, unit: row."


@pytest.mark.parametrize("name", ["a budget and none", "ragged", "tampered model", "value of no type"])
def test_the_process_ends_with_that_code(made: Path, name: str) -> None:
    (args,) = (fault[1] for fault in FAULTS if fault[0] == name)
    done = tabsynth(*args, cwd=made)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: ")


def test_bytes_that_are_refused_do_not_abort_the_process(made: Path) -> None:
    # with a reader's thread still at work when the interpreter ended, 4 runs in 10 aborted
    code = f"import tabsynth\ntabsynth.draft_schema({str(made / 'latin.csv')!r})"
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        assert done.returncode == 1
        assert b"cells are not utf-8" in done.stderr


def _state(folder: Path) -> dict[str, tuple[int, float]]:
    """Every file with its size and time: what a command that fails must not change."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime) for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("out", ["s.csv", "s.csv.gz", "s.parquet", "s.arrow", "parts/train.parquet"])
def test_a_file_that_may_be_no_larger_is_named(made: Path, tmp_path: Path, out: str) -> None:
    limited = 'ulimit -f 8; exec "$0" -m tabsynth "$@"'  # 8 KiB, or 4
    args: tuple[str | Path, ...] = ("sample", "plain", "--rows", "9000", "--out", tmp_path / out)
    if out == "parts/train.parquet":
        lines = (made / "stays.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / "long.csv").write_text("".join([lines[0], *lines[1:] * 40]), encoding="utf-8")
        args = ("split", tmp_path / "long.csv", "--out", tmp_path / "parts")
    done = subprocess.run(
        ["/bin/sh", "-c", limited, sys.executable, *map(str, args)],
        cwd=made, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"File too large: {tmp_path / out}" in done.stderr
    assert not (tmp_path / out).exists()


def test_all_faults_of_the_data_are_listed(made: Path) -> None:
    done = tabsynth_here("schema", "check", "narrow.csv", "--schema", "schema.yaml", cwd=made)
    assert done.code == 2
    for expected in ("column 'age': appears 2 times", "column 'ward': missing", "column 'died 🪦': missing"):
        assert expected in done.out


def test_check_counts_faults_and_says_that_it_is_private(made: Path) -> None:
    done = tabsynth_here("schema", "check", "other.csv", "--schema", "schema.yaml", "--json", cwd=made)
    assert done.code == 2
    found = done.json
    assert (found["ok"], found["private_output"], found["rows"]) == (False, True, 120)
    (fault,) = found["faults"]
    assert fault["where"] == "column 'ward'"
    n_other = (made / "other.csv").read_text(encoding="utf-8").count(CANARY_TEXT + " ward")
    assert fault["what"] == f"{n_other} cells are not a declared category"
    plain = tabsynth_here("schema", "check", "other.csv", "--schema", "schema.yaml", cwd=made)
    assert plain.code == 2
    assert "This output is private" in plain.out


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("frobnicate",),
        ("fit",),
        ("fit", "stays.csv", "--schema"),
        ("sample", "model", "--rows", "many", "--out", "s.csv"),
        ("schema", "json-schema", "--of", "nothing"),
    ],
)
def test_a_command_line_that_cannot_be_read_ends_with_code_2(made: Path, args: tuple[str, ...]) -> None:
    assert tabsynth_here(*args, cwd=made).code == 2


@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_a_fault_of_the_machine_ends_with_code_1(made: Path, debug: tuple[str, ...]) -> None:
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc, where nobody can write")
    done = tabsynth_here(
        "sample", "model", "--rows", "1", "--out", "/proc/rows.csv", "--json", *debug, cwd=made
    )
    assert done.code == 1
    assert done.json["exit_code"] == 1
    assert ("line " in done.err) == bool(debug)
    assert "/proc" in done.err


def test_the_environment_turns_debug_on(made: Path) -> None:
    done = tabsynth("sample", "absent", "--out", "x.csv", cwd=made, env={"TABSYNTH_DEBUG": "1"})
    assert done.code == 2
    assert "model_folder.py" in done.err


def test_overwrite_replaces(made: Path) -> None:
    folder = made / "again"
    folder.mkdir()
    commands = [
        ("schema", "draft", "../stays.csv", "--out", "s.yaml"),
        ("split", "../stays.csv", "--schema", "../schema.yaml", "--out", "p"),
        (
            "fit",
            "../stays.csv",
            "--schema",
            "../schema.yaml",
            "--no-privacy",
            "--engine",
            "independent",
            "--out",
            "m",
        ),
        ("sample", "../model", "--out", "s.csv"),
    ]
    for command in commands:
        assert tabsynth_here(*command, "--json", cwd=folder).json["ok"] is True
        assert tabsynth_here(*command, "--json", cwd=folder).json["error"]["type"] == "OutputExistsError"
        assert tabsynth_here(*command, "--json", "--overwrite", cwd=folder).json["ok"] is True
    shutil.rmtree(folder)


def test_quiet_says_nothing(made: Path) -> None:
    out = made / "quiet.csv"
    done = tabsynth("sample", "model", "--out", out, "--quiet", cwd=made)
    assert (done.code, done.out, done.err) == (0, "", "")
    out.unlink()


def test_json_is_one_object_and_all_there_is_on_stdout(made: Path) -> None:
    for command in (
        ("engines",),
        ("schema", "check", "stays.csv", "--schema", "schema.yaml"),
        ("schema", "json-schema"),
        ("schema", "json-schema", "--of", "run"),
    ):
        done = tabsynth_here(*command, "--json", cwd=made)
        assert done.code == 0, done.err
        assert json.loads(done.out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sample_leaves_nothing(made: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = start("sample", made / "plain", "--rows", "1000000000", "--out", "new/rows.csv", cwd=tmp_path)
    _interrupt(process, number, after=lambda: list(tmp_path.glob("new/.tabsynth.*")))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert out == ""
    if number == signal.SIGINT:
        assert "Interrupted: nothing was written." in err
    assert "Traceback" not in err


def test_an_interrupted_run_leaves_nothing(made: Path, tmp_path: Path) -> None:
    tables = {"stays": {"source": str(made / "ages.csv"), "rows": 1_000_000_000}}
    run = {"version": 1, "privacy": "none", "tables": tables}
    (tmp_path / "run.json").write_text(json.dumps(run))
    process = start("run", "run.json", "--out", "out", cwd=tmp_path)
    _interrupt(process, signal.SIGINT, after=lambda: list(tmp_path.glob(".tabsynth.*/**/.tabsynth.*")))
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_nobody_left_to_read_is_no_error(made: Path) -> None:
    """What `tabsynth … | head` leaves: as a tool that SIGPIPE ends, without a word."""
    for command in (("engines",), ("schema", "check", "stays.csv", "--schema", "schema.yaml")):
        process = start(*command, cwd=made)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(timeout=60) == 141
        assert err == ""
        process.stderr.close()


def test_an_interrupt_while_the_command_line_loads_shows_no_traceback() -> None:
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'tabsynth.cli.app':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from tabsynth.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "Error: Interrupted: nothing was written.\n"


def test_columns_that_the_schema_does_not_know_are_named(made: Path, tmp_path: Path) -> None:
    lines = (made / "stays.csv").read_text(encoding="utf-8").splitlines()
    wide = [f"{line},{'zz,9th' if i == 0 else f'{CANARY_TEXT},1'}" for i, line in enumerate(lines)]
    (tmp_path / "wide.csv").write_text("\n".join(wide), encoding="utf-8")
    schema = ("--schema", made / "schema.yaml")
    said = "2 columns that the schema does not know: 'zz', '9th'"
    check = tabsynth_here("schema", "check", "wide.csv", *schema, cwd=tmp_path)
    assert check.code == 0
    assert f"Left out is {said}." in check.out
    assert "120 rows, fits the schema, less 2 columns" in check.out
    data = tabsynth_here("schema", "check", "wide.csv", *schema, "--json", cwd=tmp_path).json
    assert (data["ok"], data["left_out"]) == (True, ["zz", "9th"])
    split = tabsynth_here("split", "wide.csv", *schema, "--out", "parts", cwd=tmp_path)
    assert f"wide.csv: left out is {said}" in split.err
    independent = ("--no-privacy", "--engine", "independent", "--out", "m")
    fit = tabsynth_here("fit", "wide.csv", *schema, *independent, "--json", cwd=tmp_path)
    assert said in fit.err
    assert fit.json["left_out"] == ["zz", "9th"]
    parts = ("--train", "parts/train.parquet", "--holdout", "parts/holdout.parquet", "--out", "report")
    evaluate = tabsynth_here("evaluate", "--synthetic", "wide.csv", *parts, *schema, cwd=tmp_path)
    assert evaluate.err.count("left out") == 1
    assert f"wide.csv: left out is {said}" in evaluate.err
    assert evaluate.out.splitlines()[1].startswith("Strong alarm: exact copies ")
    run = {"version": 1, "privacy": "none", "evaluation": False, "schema": str(made / "schema.yaml")}
    tables = {"stays": {"source": "wide.csv", "engine": "independent"}}
    (tmp_path / "run.json").write_text(json.dumps(run | {"tables": tables}))
    done = tabsynth_here("run", "run.json", "--out", "made", cwd=tmp_path)
    assert done.code == 0, done.err
    assert f"wide.csv: left out is {said}" in done.err
    clean = tabsynth_here("split", made / "stays.csv", *schema, "--out", "clean", cwd=tmp_path)
    assert "left out" not in clean.err


def test_a_folder_that_is_made_on_the_way_is_said(made: Path, tmp_path: Path) -> None:
    options = ("--rows", "3", "--out")
    done = tabsynth_here("sample", made / "plain", *options, "deep/er/s.csv", cwd=tmp_path)
    assert "deep/er is not there: it is made." in done.err
    again = tabsynth_here("sample", made / "plain", *options, "deep/er/t.csv", cwd=tmp_path)
    assert "is made" not in again.err


def test_progress_off_a_terminal_is_plain_lines(made: Path, tmp_path: Path) -> None:
    process = start("sample", made / "plain", "--rows", "1500000", "--out", "rows.parquet", cwd=tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    lines = err.splitlines()
    assert all(line.startswith("sampling: ") and "rows/s" in line for line in lines)
    assert "Sampled 1,500,000 rows" in out


def _interrupt(process: subprocess.Popen[str], number: signal.Signals, *, after) -> None:
    """Send the signal to the command once `after` finds something, so that it is in the midst of its work."""
    deadline = time.monotonic() + 240
    while not after():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(process.pid, number)


def _best(code: list[str], n: int = 5) -> float:
    """Seconds of the quickest of `n` runs, so that a busy machine does not decide."""
    seconds = []
    for _ in range(n):
        started = time.perf_counter()
        subprocess.run([sys.executable, *code], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def test_help_and_import_are_quick() -> None:
    assert _best(["-c", "import tabsynth"]) < 0.5
    assert _best(["-m", "tabsynth", "--help"]) < 1.0


def test_help_and_import_load_nothing_heavy() -> None:
    code = (
        "import sys, tabsynth.cli.app, tabsynth; dir(tabsynth);"
        "print(sorted({name.partition('.')[0] for name in sys.modules} "
        "& {'numpy', 'polars', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'lightgbm', 'pydantic', 'jinja2', 'faker'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_help_documents_the_exit_codes(tmp_path: Path) -> None:
    text = " ".join(tabsynth("--help", cwd=tmp_path).out.split())
    for expected in (
        "0 done",
        "1 something else",
        "2 bad usage",
        "3 denied",
        "4 inconclusive",
        "130 interrupted",
    ):
        assert expected in text
