"""Marks of synthetic tables: written, read back, and not believed of files that were not written with them."""

import json
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest

from tabsynth.errors import OutputExistsError
from tabsynth.io import Provenance, read_frame, read_provenance, write_batches, write_frame
from tabsynth.io.provenance import provenance_from_text, sidecar_of

FRAME = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "y"]})
MARK = Provenance(engine="sequential_trees", generation=3, real_share=0.25)
GIVEN = Provenance(engine="independent", generation=1, real_share=None, given_cells=True)


@pytest.mark.parametrize("mark", [MARK, GIVEN, replace(MARK, augmented=True), replace(GIVEN, augmented=True, steered=("a", "ü")), replace(MARK, steered=("b",))])  # fmt: skip
@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.csv", "t.csv.gz"])
def test_a_mark_goes_with_the_file_and_changes_no_row(name, mark, tmp_path):
    write_frame(FRAME, tmp_path / name, provenance=mark)
    assert read_provenance(tmp_path / name) == mark
    assert read_frame(tmp_path / name)[0].equals(FRAME)
    plain = tmp_path / f"plain.{name.partition('.')[2]}"
    write_frame(FRAME, plain)
    assert read_provenance(plain) is None
    assert read_provenance(tmp_path / "nowhere.csv") is None


def test_an_arrow_stream_and_a_damaged_file(tmp_path):
    table = FRAME.to_arrow().replace_schema_metadata({b"tabsynth.provenance": MARK.to_text().encode()})
    with pa.OSFile(str(tmp_path / "s.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    assert read_provenance(tmp_path / "s.arrow") == MARK
    (tmp_path / "d.parquet").write_bytes(b"PAR1 and nothing more")
    assert read_provenance(tmp_path / "d.parquet") is None


def test_the_file_beside_a_csv_counts_for_that_csv_alone(tmp_path):
    path = tmp_path / "t.csv"
    write_frame(FRAME, path, provenance=MARK)
    assert sidecar_of(path).name == "t.csv.provenance.json"
    path.write_text("a,b\n1,x\n", encoding="utf-8")
    assert read_provenance(path) is None
    sidecar_of(path).write_text(" " * 20_000, encoding="utf-8")
    assert read_provenance(path) is None


KILLED = """
import os, sys
from pathlib import Path
import polars as pl
from tabsynth.io import Provenance, write_frame

at = int(sys.argv[2])
moved = []
real = Path.replace


def replace(self, target):  # the process ends in front of its nth move of a file into place
    if len(moved) == at:
        os._exit(9)
    moved.append(target)
    return real(self, target)


Path.replace = replace
frame = pl.DataFrame({"a": [7, 8]})
write_frame(frame, sys.argv[1], overwrite=True, provenance=Provenance(engine="new"))
"""


@pytest.mark.parametrize(
    ("before", "killed_at", "is_new"),
    [(None, (0,), None), (None, (1,), None), (MARK, (0,), False), (MARK, (1, 1), False), (MARK, (2,), True)],
)
def test_a_kill_leaves_no_csv_without_its_mark(tmp_path, before, killed_at, is_new):
    """Killed in front of the nth file that appears, or twice: the old rows have the old mark, the new the new."""
    path = tmp_path / "t.csv"
    if before is not None:
        write_frame(FRAME, path, provenance=before)
    for at in killed_at:
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(at)], check=False)
        assert done.returncode == 9
    if is_new is None:
        assert not path.exists()
    else:
        assert read_frame(path)[0].columns == (["a"] if is_new else ["a", "b"])
        assert read_provenance(path) == (Provenance(engine="new") if is_new else before)


def test_nothing_of_an_older_file_stays_beside_a_newer_one(tmp_path):
    path = tmp_path / "t.csv"
    for engine in ("old", "new"):
        write_frame(FRAME, path, provenance=Provenance(engine=engine), overwrite=True)
        assert read_provenance(path) == Provenance(engine=engine)
    assert "old" not in sidecar_of(path).read_text("utf-8")


@pytest.mark.parametrize("mark", [None, MARK])
def test_what_cannot_be_put_in_place_leaves_the_older_mark(tmp_path, mark):
    """The file comes into being while rows are written."""
    path = tmp_path / "t.csv"

    def rows():
        yield FRAME
        write_frame(FRAME.head(1), path, provenance=mark)

    with pytest.raises(OutputExistsError):
        write_batches(rows(), path, provenance=replace(MARK, engine="other"))
    assert read_provenance(path) == mark
    assert sidecar_of(path).exists() == (mark is not None)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"engine": 3},
        {"generation": 0},
        {"generation": True},
        {"generation": 10**9},
        {"real_share": 1.0},
        {"real_share": -0.1},
        {"real_share": "much"},
        {"real_share": None},
        {"given_cells": True},
        {"given_cells": None},
        {"augmented": "no"},
        {"steered": "a"},
        {"steered": [1]},
        {"no_privacy": 1},
    ],
)
def test_marks_that_nobody_wrote_are_none(change):
    assert provenance_from_text(MARK.to_text()) == MARK
    assert provenance_from_text(json.dumps({**json.loads(MARK.to_text()), **change})) is None


@pytest.mark.parametrize("text", ["", "[1]", "{", b"\xff", "[" * 100_000])
def test_other_texts_are_no_marks(text):
    assert provenance_from_text(text) is None
