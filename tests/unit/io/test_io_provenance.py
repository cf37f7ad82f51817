"""Marks of synthetic tables: written, read back, and not believed of files that were not written with them."""

import json
from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest

from tabsynth.io import Provenance, read_frame, read_provenance, write_frame
from tabsynth.io.provenance import provenance_from_text, sidecar_of

FRAME = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "y"]})
MARK = Provenance(engine="sequential_trees", generation=3, real_share=0.25)
GIVEN = Provenance(engine="independent", generation=1, real_share=None, given_cells=True)


@pytest.mark.parametrize("mark", [MARK, GIVEN, replace(MARK, augmented=True), replace(GIVEN, augmented=True)])
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
    ],
)
def test_marks_that_nobody_wrote_are_none(change):
    assert provenance_from_text(MARK.to_text()) == MARK
    assert provenance_from_text(json.dumps({**json.loads(MARK.to_text()), **change})) is None


@pytest.mark.parametrize("text", ["", "[1]", "{", b"\xff", "[" * 100_000])
def test_other_texts_are_no_marks(text):
    assert provenance_from_text(text) is None
