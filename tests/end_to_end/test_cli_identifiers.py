"""Identifiers on the command line: proposed, insisted on, refused, made anew, pseudonymised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from tabsynth.schema import read_schema, write_schema
from tabsynth.schema.types import Generator, Kind, Role, Schema
from tests.end_to_end.commands import CANARY_TEXT, tabsynth_here

_N = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table with a canary in an address and in a remark, and its draft."""
    pl.DataFrame(
        {
            "mail": [f"{CANARY_TEXT}{at}@clinic.test" for at in range(_N)],
            "ref": [500_000 + at for at in range(_N)],
            "remark": [f"{CANARY_TEXT} came {at} times and left" for at in range(_N)],
            "ward": ["eye", "ear"] * (_N // 2),
        }
    ).write_csv(tmp_path / "t.csv")
    assert tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=tmp_path).code == 0
    return tmp_path


def change(folder: Path, **columns: object) -> None:
    schema = read_schema(folder / "s.yaml")
    table = schema.only_table
    for name, changes in columns.items():
        table = table.with_column(replace(table[name], **changes))
    write_schema(Schema(tables=(table,)), folder / "s.yaml", private_note=False)


def test_a_draft_says_what_is_to_be_reviewed(folder: Path) -> None:
    done = tabsynth_here("schema", "draft", "t.csv", "--out", "again.yaml", cwd=folder)
    assert "To be reviewed: mail looks like e-mail addresses, by content" in done.out
    assert "free text: mask, replace or drop it" in done.out
    done = tabsynth_here("schema", "draft", "t.csv", "--out", "more.yaml", "--json", cwd=folder)
    assert done.json["columns"]["ref"]["review"] == "numbers in sequence, by content"
    assert done.json["columns"]["ward"]["review"] is None


def test_free_text_is_refused_and_the_remedies_are_named(folder: Path) -> None:
    done = tabsynth_here(
        "fit", "t.csv", "--schema", "s.yaml", "--engine", "independent", "--out", "m", cwd=folder
    )
    assert done.code == 2
    assert "column 'remark': free text is never learnt" in done.err
    assert all(word in done.err for word in ("drop it", "template", "mask"))
    assert not (folder / "m").exists()
    assert tabsynth_here("schema", "check", "t.csv", "--schema", "s.yaml", cwd=folder).code == 2
    assert tabsynth_here("budget", "plan", "--schema", "s.yaml", "--rows", "100", cwd=folder).code == 2


def test_a_check_insists_until_a_reason_stands_there(folder: Path) -> None:
    change(
        folder,
        remark={"generator": Generator(make="mask")},
        ref={"kind": Kind.INTEGER, "role": None, "unique": False},
    )
    done = tabsynth_here("schema", "check", "t.csv", "--schema", "s.yaml", "--json", cwd=folder)
    assert done.code == 2
    assert [fault["where"] for fault in done.json["faults"]] == ["column 'ref'"]
    assert done.json["to_review"] == ["mail", "ref", "remark"]
    change(folder, ref={"learnt_because": "order of arrival, says A. Steward"})
    assert tabsynth_here("schema", "check", "t.csv", "--schema", "s.yaml", cwd=folder).code == 0


def test_rows_hold_what_generators_make(folder: Path) -> None:
    change(folder, remark={"generator": Generator(make="template", text="{mail} in {ward}")})
    command = ("fit", "t.csv", "--schema", "s.yaml", "--engine", "independent", "--out", "m")
    assert tabsynth_here(*command, cwd=folder).code == 0
    assert tabsynth_here("sample", "m", "--rows", "9", "--seed", "1", "--out", "r.csv", cwd=folder).code == 0
    rows = pl.read_csv(folder / "r.csv")
    assert rows["mail"].str.contains(r"@example\.(com|org|net)$").all()
    assert (rows["remark"] == rows["mail"] + " in " + rows["ward"]).all()


def test_a_draft_identifier_of_a_person_is_fitted_at_its_budget(folder: Path) -> None:
    change(
        folder,
        remark={"generator": Generator(make="mask")},
        mail={
            "kind": Kind.IDENTIFIER,
            "format": None,
            "unique": False,
            "generator": Generator(make="email", person="ref"),
        },
    )
    command = ("fit", "t.csv", "--schema", "s.yaml", "--engine", "independent", "--out", "m")
    done = tabsynth_here(*command, cwd=folder)
    assert done.code == 0, done.err
    assert (folder / "m").is_dir()


def test_too_little_room_is_an_error_before_a_row_is_written(folder: Path) -> None:
    short = Generator(make="pattern", pattern="[1-5]")
    change(folder, remark={"generator": Generator(make="mask")}, ref={"generator": short})
    checked = tabsynth_here("schema", "check", "t.csv", "--schema", "s.yaml", cwd=folder)
    assert checked.code == 2
    assert "pattern gives 5 different values, 120 rows need as many" in checked.out
    command = ("fit", "t.csv", "--schema", "s.yaml", "--engine", "independent", "--no-privacy", "--out", "m")
    assert tabsynth_here(*command, cwd=folder).code == 0
    done = tabsynth_here("sample", "m", "--rows", "9", "--out", "r.csv", cwd=folder)
    assert done.code == 2
    assert "column 'ref': pattern gives 5 different values, 9 rows need as many" in done.err
    assert not (folder / "r.csv").exists()


def test_pseudonyms_and_what_refuses_them(folder: Path) -> None:
    (folder / "key").write_bytes(bytes(range(32)))
    (folder / "key").chmod(0o600)
    change(folder, remark={"generator": Generator(make="mask")}, mail={"role": Role.IDENTIFIER})
    command = ("pseudonymise", "t.csv", "--schema", "s.yaml", "--key-file", "key", "--out", "p.csv")
    refused = tabsynth_here(*command, "--schema-out", "p.yaml", cwd=folder)
    assert refused.code == 2
    assert "keyed hashes give out who is in a table" in refused.err
    assert not (folder / "p.csv").exists()
    done = tabsynth_here(*command, "--schema-out", "p.yaml", "--no-privacy", cwd=folder)
    assert done.code == 0, done.err
    assert "Hashed: mail, ref. Masked: remark." in done.out
    rows = pl.read_csv(folder / "p.csv")
    assert (rows["mail"].n_unique(), rows["remark"].unique().to_list()) == (_N, ["***"])
    assert CANARY_TEXT not in (folder / "p.csv").read_text()
    (folder / "p.csv").write_text("of before")
    again = tabsynth_here(*command, "--schema-out", "p.yaml", "--no-privacy", "--overwrite", cwd=folder)
    assert again.code == 0, again.err
    assert pl.read_csv(folder / "p.csv").equals(rows)
    fit = ("fit", "p.csv", "--schema", "p.yaml", "--engine", "independent", "--out", "m")
    denied = tabsynth_here(*fit, cwd=folder)
    assert denied.code == 2
    assert "columns are keyed hashes" in denied.err
    assert tabsynth_here(*fit, "--no-privacy", cwd=folder).code == 0


def test_a_short_key_is_refused(folder: Path) -> None:
    (folder / "key").write_bytes(b"short")
    (folder / "key").chmod(0o600)
    done = tabsynth_here(
        *("pseudonymise", "t.csv", "--schema", "s.yaml", "--key-file", "key", "--out", "p.csv"),
        *("--schema-out", "p.yaml", "--no-privacy", "--json"),
        cwd=folder,
    )
    assert done.code == 2
    assert "has 5 bytes" in done.json["error"]["message"]
